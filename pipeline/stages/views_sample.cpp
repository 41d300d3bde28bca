// SPDX-License-Identifier: Apache-2.0
// Strata and earlier picks for the sampler.
#include "pipeline/stages/views_sample.h"

#include <algorithm>
#include <map>

#include "geometry/error.h"
#include "index/plan_rows.h"
#include "index/sample.h"
#include "index/shard/sha256.h"
#include "pipeline/config/load.h"

namespace tilewright::pipeline {
namespace {

constexpr const char* kSettings = "views/sample";

/// Hash of all that decides what the places are and in which order they are picked; not the count, so
/// that a larger one goes on from the picks that are there.
std::string settings_of(const StageInput& in) {
  Job job = in.job;
  job.views->sample->count = 0;
  return shard::sha256_hex(section_json(job, "grid") + section_json(job, "views"));
}

bool is_target(const Job& job, const std::string& name) {
  return std::ranges::any_of(job.targets, [&](const auto& target) { return target.first == name; });
}

/// The value of one column at each location; "" where it has none.
class Strata {
 public:
  Strata(const StageInput& in, const std::vector<SampleCandidate>& candidates) : in_(in), candidates_(candidates) {
    if (!needs_tiles(in.job)) return;
    for (const auto& candidate : candidates) places_.push_back(candidate.place);
    std::ranges::sort(places_, {}, &TargetPlace::location_id);
  }

  std::map<std::string, std::string> column(const std::string& name) const {
    std::map<std::string, std::string> values;
    if (is_target(in_.job, name)) {
      for (const auto& row : make_target(in_, name, places_).rows) values[row.location_id] += row.value + ";";
    } else if (name == "component") {
      std::map<std::string, int> component_of;
      for (const auto& tile : index::tiles(in_.manifest, "", "ok")) component_of[tile.tile_id] = tile.component_id.value_or(0);
      for (const auto& place : places_) {
        int least = 0;
        for (const auto& tile : place.tile_ids) least = least == 0 ? component_of[tile] : std::min(least, component_of[tile]);
        values[place.location_id] = std::to_string(least);
      }
    } else {
      for (const auto& c : candidates_) values[c.place.location_id] = std::to_string(name == "zone" ? c.epsg : c.view_count);
    }
    return values;
  }

 private:
  const StageInput& in_;
  const std::vector<SampleCandidate>& candidates_;
  std::vector<TargetPlace> places_;
};

}  // namespace

bool needs_tiles(const Job& job) {
  return std::ranges::any_of(job.views->sample->stratify, [&](const auto& name) { return name == "component" || is_target(job, name); });
}

std::set<std::string> sampled_locations(const StageInput& in, const std::vector<SampleCandidate>& candidates) {
  const auto& sample = *in.job.views->sample;
  std::set<std::string> earlier;
  if (index::meta(in.manifest, kSettings) == settings_of(in)) index::each_location(in.manifest, [&](const auto& row) { earlier.insert(row.location_id); });
  std::vector<index::SamplePlace> places;
  for (const auto& c : candidates) places.push_back({c.place.location_id, c.centre, "", earlier.contains(c.place.location_id)});
  const Strata strata(in, candidates);
  for (const auto& name : sample.stratify) {
    auto values = strata.column(name);
    for (auto& place : places) place.stratum += values[place.id] + "\n";
  }
  const auto picked = index::sample_places(places, {sample.count, sample.seed, sample.min_distance_m});
  std::set<std::string> kept;
  for (std::size_t n = 0; n < places.size(); ++n)
    if (picked[n]) kept.insert(places[n].id);
  return kept;
}

void remember_sample(const StageInput& in) {
  if (in.job.views->sample) index::set_meta(in.manifest, kSettings, settings_of(in));
}

std::string hash_sample_inputs(const StageInput& in) {
  std::string text;
  if (!in.job.views->sample) return text;
  for (const auto& name : in.job.views->sample->stratify)
    for (const auto& [target, config] : in.job.targets) {
      if (target != name) continue;
      text += name + "\n" + section_json(in.job, "targets") + "\n";
      if (config.table) text += shard::sha256_file(in.job.resolve(*config.table)) + "\n";
    }
  return text;
}

}  // namespace tilewright::pipeline
