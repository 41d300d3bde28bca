// SPDX-License-Identifier: Apache-2.0
// The split stage: parts of all locations, what they leak, and notes for the user.
#include "index/split.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <map>

#include "geometry/error.h"
#include "index/stratify.h"
#include "pipeline/config/load.h"
#include "pipeline/stages/block_advice.h"
#include "pipeline/stages/split_locations.h"
#include "pipeline/stages/split_plane.h"
#include "pipeline/stages/split_strata.h"
#include "pipeline/stages/split_table.h"
#include "pipeline/scores/score.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {
namespace {

constexpr const char* kSplitName = "split";
constexpr const char* kSettings = "split/settings";
constexpr const char* kBlocks = "split/blocks";  ///< what stratification gave at the first split

std::string metres(double value) {
  if (!std::isfinite(value)) return "unknown, one of the two is empty";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f m", value);
  return text;
}

/// Parts of a table are kept as they are; what they leak is said.
index::Split split_of_table(const StageInput& in, const SplitTable& table, const std::vector<index::SplitLocation>& locations,
                            StageReport& report) {
  auto by_table = split_by_table(in, table, locations);
  if (by_table.unlisted == static_cast<std::int64_t>(locations.size()))
    throw Error::config("split.table: none of " + std::to_string(locations.size()) + " locations is in " + table.file +
                        "; its column " + table.key + " must name files of the sources");
  report.counts.emplace_back("unlisted", by_table.unlisted);
  report.counts.emplace_back("contradicted", by_table.contradicted);
  if (!by_table.without_file.empty())
    report.notes.push_back(std::to_string(by_table.without_file.size()) + " of " + std::to_string(by_table.rows) + " names in " + table.file +
                           " are of no file of the sources, such as " + by_table.without_file.front());
  // Whoever is not listed takes no part in the audit.
  std::vector<index::SplitLocation> listed;
  std::vector<index::SplitAssignment> parts;
  for (std::size_t n = 0; n < locations.size(); ++n) {
    if (by_table.of[n].part.empty()) continue;
    listed.push_back(locations[n]);
    parts.push_back(by_table.of[n]);
  }
  return {std::move(by_table.of), index::audit_split(listed, parts)};
}

/// What decides parts besides the locations.
std::string settings_of(const Job& job) { return section_json(job, "split") + " " + std::to_string(split_config_of(job).folds); }

void write_split(const StageInput& in, const std::vector<index::SplitLocation>& locations, const std::vector<index::SplitAssignment>& of,
                 const index::BlockParts& given) {
  in.manifest.in_transaction([&] {
    index::clear_stage(in.manifest, "split");
    index::set_meta(in.manifest, kSettings, settings_of(in.job));
    index::set_meta(in.manifest, kBlocks, text_of(given));
    for (std::size_t n = 0; n < locations.size(); ++n) {
      if (of[n].part.empty()) continue;
      index::insert(in.manifest, index::SplitRow{kSplitName, locations[n].location_id, of[n].part, of[n].fold});
      index::set_location_split(in.manifest, locations[n].location_id, of[n].part);
    }
  });
}

/// Parts that an earlier run gave with the same settings stay, whatever scenes have come since.
void keep_earlier(const StageInput& in, std::vector<index::SplitLocation>& locations) {
  std::map<std::string, index::SplitAssignment> parts;
  for (const auto& row : index::splits(in.manifest, kSplitName)) parts[row.location_id] = {row.part, row.fold};
  for (auto& location : locations)
    if (const auto found = parts.find(location.location_id); found != parts.end()) location.earlier = found->second;
}

void tell(const index::SplitReport& split, StageReport& report) {
  const std::vector<std::pair<std::string, std::int64_t>> counts = {
      {"train", split.train}, {"val", split.val}, {"test", split.test}, {"guard", split.guard}, {"overlapping_pairs", split.overlapping_pairs}};
  report.counts.insert(report.counts.end(), counts.begin(), counts.end());
  char share[32];
  std::snprintf(share, sizeof share, "%.1f %%", split.shared_scene_frac * 100);
  report.notes.push_back(std::string(share) + " of test locations share a scene with train");
  if (split.torn_groups > 0)
    report.notes.push_back(std::to_string(split.torn_groups) + " groups of locations were joined by later scenes and keep their different parts; new locations in them are guard. A split from scratch: tilewright run JOB --replan");
  report.notes.push_back("least distance between train and test: " + metres(split.min_train_test_m));
}

/// From what the labels cover; curate says it again from where models and labels disagree.
void advise(const StageInput& in, StageReport& report) {
  for (const auto& [name, layer] : in.job.layers) {
    std::map<std::string, double> shares;
    for (const auto& mask : index::masks(in.manifest, name)) shares[mask.location_id] = mask.positive_frac;
    if (const auto advice = block_advice(in.job, in.manifest, shares, "the share of " + name)) report.notes.push_back(*advice);
  }
}

}  // namespace

std::vector<index::SplitLocation> split_locations_of(const index::Manifest& manifest) {
  std::map<std::string, std::optional<int>> component_of;
  for (const auto& tile : index::tiles(manifest, "", "ok")) component_of[tile.tile_id] = tile.component_id;
  std::map<std::string, std::vector<std::string>> tiles_of;
  for (const auto& view : index::views(manifest)) tiles_of[view.location_id].push_back(view.tile_id);
  std::vector<index::SplitLocation> locations;
  SplitPlanes planes;
  for (auto& row : index::locations(manifest)) {
    auto& location = locations.emplace_back();
    location.location_id = row.location_id;
    const auto place = planes.place_of(row);
    location.epsg = place.epsg;
    location.box = place.box;
    location.geom = std::move(row.geom);
    location.tile_ids = tiles_of[row.location_id];
    for (const auto& tile : location.tile_ids)
      if (const auto& component = component_of[tile]) location.components.push_back(*component);
  }
  return locations;
}

index::SplitConfig split_config_of(const Job& job) {
  const auto& split = *job.split;
  const bool wants_folds = job.curate && std::ranges::any_of(job.curate->scores, [](const auto& name) {
    const auto* row = find_score(name);
    return row && row->needs == ScoreNeeds::model;
  });
  return {.unit = split.unit, .block_m = split.block_m, .guard_m = split.guard_m, .train = split.fractions.train, .val = split.fractions.val,
          .test = split.fractions.test, .seed = split.seed, .folds = wants_folds ? job.curate->folds : 0};
}

StageReport run_split(const StageInput& in, const RunContext& context) {
  context.check_stop();
  StageReport report;
  auto locations = split_locations_of(in.manifest);
  if (locations.empty()) throw Error::config("split: the workspace has no locations; run: tilewright views JOB");
  const auto& table = in.job.split->table;
  const bool goes_on = !table && index::meta(in.manifest, kSettings) == settings_of(in.job);
  if (goes_on) keep_earlier(in, locations);
  auto config = split_config_of(in.job);
  ShownClasses classes;
  if (in.job.split->stratify) {
    classes = shown_classes(in, locations, context);
    if (classes.names.empty() && !goes_on)
      throw Error::config("split.stratify: no mask of the layers shows a class and no target has one, so there is nothing to balance; run tilewright label JOB first, or use stratify: false");
    config.given = goes_on ? block_parts_of(index::meta(in.manifest, kBlocks).value_or("")) : index::stratified_blocks(locations, classes.of, config);
  }
  const auto split = table ? split_of_table(in, *table, locations, report) : index::split_locations(locations, config);
  context.check_stop();
  write_split(in, locations, split.of, config.given);
  tell(split.report, report);
  advise(in, report);
  if (in.job.split->stratify) std::ranges::move(class_balance(classes, split.of), std::back_inserter(report.notes));
  return report;
}

}  // namespace tilewright::pipeline
