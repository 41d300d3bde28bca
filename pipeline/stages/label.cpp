// SPDX-License-Identifier: Apache-2.0
// The label stage: one mask a location and layer, every object accounted for.
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_reader.h"
#include "pipeline/config/load.h"
#include "pipeline/io/file_glob.h"
#include "pipeline/stages/curate_predicted.h"
#include "pipeline/stages/label_export.h"
#include "pipeline/stages/label_fit.h"
#include "pipeline/stages/label_kinds.h"
#include "pipeline/stages/label_masks.h"
#include "pipeline/stages/label_raster.h"
#include "pipeline/stages/label_series.h"
#include "pipeline/stages/label_targets.h"
#include "pipeline/stages/scan_inputs.h"
#include "pipeline/stages/series_files.h"
#include "pipeline/stages/stage.h"
#include "pipeline/stages/width_rules.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

/// What a layer adds to the manifest once all shards are published.
struct LayerRows {
  std::vector<WrittenSeries> series;  ///< the class mask, then the kinds
  std::vector<index::LabelObjectRow> objects;
  std::vector<index::RejectionRow> rejections;
  VectorFacts vectors;
};

OpenPolicy policy_of(const Job& job, const LayerConfig& layer) {
  OpenPolicy policy;
  policy.more_drivers = layer.drivers;
  policy.untrusted = job.limits.untrusted;
  return policy;
}

/// The files that `vector` names; a pattern must match something.
std::vector<std::string> vector_paths(const Job& job, const std::string& vector) {
  if (vector.find_first_of("*?[") == std::string::npos) return {vector};
  std::vector<std::string> paths;
  for (const auto& file : glob_files(job, vector)) paths.push_back(file.path);
  if (paths.empty()) throw Error::config("the job names " + vector + ", but no file matches; correct the pattern");
  return paths;
}

LabelFiles files_of(const Job& job, const LayerConfig& layer) {
  LabelFiles files;
  if (layer.vector) {
    const auto paths = vector_paths(job, *layer.vector);
    files.vector = job.resolve(paths.front());
    for (std::size_t k = 1; k < paths.size(); ++k) files.more.push_back(job.resolve(paths[k]));
  }
  if (layer.width && layer.width->areas) files.areas = job.resolve(layer.width->areas->file);
  if (layer.width && layer.width->classes && !is_width_table(layer.width->classes->table))
    files.width_table = job.resolve(layer.width->classes->table);
  if (layer.extent.kind == ExtentKind::file) files.extent = job.resolve(layer.extent.file);
  return files;
}

/// What is to be drawn of each series of a layer.
struct SeriesWork {
  const MaskKind* kind = nullptr;
  SeriesName name;
  std::vector<MaskGroup> groups;
};

std::vector<SeriesWork> work_of(const StageInput& in, const std::string& name, const LayerConfig& layer, const LabelGround& ground) {
  std::vector<SeriesWork> work;
  for (const MaskKind* kind : kinds_of(layer)) {
    const auto series = series_name(name, *kind);
    work.push_back({kind, {series, kind->dtype}, windows_to_draw(in, series, ground)});
  }
  return work;
}

std::vector<WrittenSeries> write_series(const StageInput& in, const RunContext& context, const LayerConfig& layer, const LabelGround& ground,
                                        const std::vector<SeriesWork>& work, const std::vector<ValidPeriod>& periods, const LayerDrawing& drawing) {
  std::vector<WrittenSeries> series;
  for (const auto& one : work)
    series.push_back(write_masks(in, context, one.name, ground, one.groups, periods,
                                 [&](std::size_t w, std::size_t p) { return one.kind->draw(drawing, layer, ground, w, p); }));
  return series;
}

LayerRows draw_vector(const StageInput& in, const RunContext& context, const std::string& name,
                      const LayerConfig& layer, const LabelGround& ground) {
  LabelObjects objects = read_label_objects(name, layer, files_of(in.job, layer), policy_of(in.job, layer), near_windows(ground, halo_of(layer)));
  std::vector<FittedLine> centres;
  if (layer.width && layer.width->fit != "none") centres = fit_widths(objects, in.job.resolve(layer.width->fit), *layer.width, policy_of(in.job, layer));
  LayerRows rows;
  const VectorMasks masks(ground, objects, halo_of(layer));
  const LayerDrawing drawing{.classes = [&](std::size_t w, std::size_t p) { return masks.draw(w, p); },
                             .ids = [&](std::size_t w, std::size_t p, std::int64_t halo) { return masks.draw_ids(w, p, halo); },
                             .coverage = [&](std::size_t w, std::size_t p) { return masks.draw_coverage(w, p); },
                             .touched = [&](std::size_t w, std::size_t p) { return masks.draw_touched(w, p); }};
  rows.series = write_series(in, context, layer, ground, work_of(in, name, layer, ground), objects.periods, drawing);
  for (std::size_t k = 0; k < objects.rows.size(); ++k)
    if (objects.rows[k].status == "rejected")
      rows.rejections.push_back({"label", name + "/" + objects.rows[k].object_id, *objects.rows[k].reason, objects.details[k]});
  rows.vectors = export_vectors(in.workspace, layer, objects, centres);
  rows.objects = std::move(objects.rows);
  return rows;
}

LayerRows draw_raster(const StageInput& in, const RunContext& context, const std::string& name,
                      const LayerConfig& layer, const LabelGround& ground) {
  const auto work = work_of(in, name, layer, ground);
  LayerRows rows;
  if (std::ranges::all_of(work, [](const SeriesWork& one) { return one.groups.empty(); })) {
    for (const auto& one : work) rows.series.push_back({.layer = one.name.name, .rows = {}, .shards = {}});
    return rows;
  }
  const LabelFiles files = files_of(in.job, layer);
  const RasterMasks masks(name, layer, in.job.resolve(*layer.raster), files.extent, policy_of(in.job, layer), ground);
  const LayerDrawing drawing{.classes = [&](std::size_t w, std::size_t) { return masks.draw(w); },
                             .ids = [&](std::size_t w, std::size_t, std::int64_t halo) { return masks.draw_ids(w, halo); }, .coverage = {}, .touched = {}};
  rows.series = write_series(in, context, layer, ground, work, {constant_period(layer.valid)}, drawing);
  return rows;
}

void record_series(index::Manifest& manifest, const WrittenSeries& series) {
  for (const auto& row : series.rows) index::remove_mask(manifest, row.location_id, row.layer);  // those that are drawn again
  for (const auto& row : series.rows) insert(manifest, row);
  for (const auto& path : series.shards) take_shard_number(manifest, series.layer, path);
}

void record(index::Manifest& manifest, const std::vector<LayerRows>& layers, const TargetRows& targets) {
  manifest.in_transaction([&] {
    index::remove_labels(manifest);
    for (const auto& row : targets.rows) insert(manifest, row);
    for (const auto& row : targets.rejections) insert(manifest, row);
    for (const LayerRows& layer : layers) {
      for (const auto& series : layer.series) record_series(manifest, series);
      for (const auto& row : layer.objects) insert(manifest, row);
      for (const auto& row : layer.rejections) insert(manifest, row);
      for (const auto& [file, fact] : layer.vectors) index::set_meta(manifest, kVectorFact + file, fact);
    }
  });
}

/// Of all masks of the job, also those of earlier runs: a run that goes on reports what a whole one does.
StageReport report_of(const StageInput& in, const std::vector<LayerRows>& layers) {
  std::int64_t masks = 0, drawn = 0, repaired = 0, rejected = 0, shards = 0, bytes = 0;
  std::map<std::string, std::int64_t> by_rule;
  for (const LayerRows& layer : layers)
    for (const auto& series : layer.series) {
      for (const auto& mask : index::masks(in.manifest, series.layer)) {
        ++masks;
        bytes += mask.place ? mask.place->byte_length : 0;
      }
      shards += static_cast<std::int64_t>(recorded_mask_shards(in.manifest, series.layer).size());
    }
  for (const LayerRows& layer : layers)
    for (const auto& object : layer.objects) {
      ++(object.status == "drawn" ? drawn : object.status == "repaired" ? repaired : rejected);
      if (object.rule && object.status != "rejected") ++by_rule[*object.rule];
    }
  StageReport report{.counts = {{"layers", static_cast<std::int64_t>(layers.size())}, {"masks", masks}, {"objects", drawn + repaired + rejected},
                                {"drawn", drawn}, {"repaired", repaired}, {"rejected", rejected}, {"shards", shards}, {"bytes", bytes}},
                     .notes = {}};
  for (const auto& [rule, count] : by_rule) report.counts.emplace_back("width by " + rule, count);
  return report;
}

/// Files that drivers read beside the one that is named.
void add_with_side_files(const Job& job, const std::string& path, std::set<std::string>& paths) {
  const std::string text = split_root(path).text();
  if (!fs::is_regular_file(job.resolve(path)))
    throw Error::config("the job names " + path + ", but " + job.resolve(path).string() + " is no file; correct the path");
  paths.insert(text);
  const auto dot = text.rfind('.');
  const std::string stem = text.substr(0, dot), extension = dot == std::string::npos ? "" : text.substr(dot + 1);
  std::vector<std::string> beside{text + ".aux.xml", text + ".msk"};
  if (extension == "shp" || extension == "SHP")
    for (const char* part : {".shx", ".dbf", ".prj", ".cpg", ".SHX", ".DBF", ".PRJ", ".CPG"}) beside.push_back(stem + part);
  if (extension.size() >= 2)
    beside.push_back(stem + "." + std::string{extension.front(), extension.back(), 'w'});
  for (const auto& file : beside)
    if (fs::is_regular_file(job.resolve(file))) paths.insert(file);
}

/// Every file that decides the masks of a layer.
std::set<std::string> files_and_side_files(const Job& job, const LayerConfig& layer) {
  std::set<std::string> paths;
  if (layer.vector)
    for (const auto& path : vector_paths(job, *layer.vector)) add_with_side_files(job, path, paths);
  if (layer.raster) add_with_side_files(job, *layer.raster, paths);
  if (layer.extent.kind == ExtentKind::file) add_with_side_files(job, layer.extent.file, paths);
  if (layer.width && layer.width->classes && !is_width_table(layer.width->classes->table))
    add_with_side_files(job, layer.width->classes->table, paths);
  if (layer.width && layer.width->areas) add_with_side_files(job, layer.width->areas->file, paths);
  if (layer.width && layer.width->fit != "none") add_with_side_files(job, layer.width->fit, paths);
  return paths;
}

/// The layer's section without what other series than that of `kind` read.
nlohmann::ordered_json section_of(const StageInput& in, const std::string& name, const MaskKind& kind) {
  auto section = nlohmann::ordered_json::parse(section_json(in.job, "layers")).at(name);
  section["kinds"] = kind.name;
  section.erase("export");
  for (const auto& [key, user] : {std::pair{"boundary_px", "boundary"}, {"contact_px", "contact"}, {"distance_m", "distance"}})
    if (kind.name != user) section.erase(key);
  return section;
}

/// Of each series, all that decides its arrays besides the windows.
void add_settings(const StageInput& in, const std::string& name, const LayerConfig& layer, std::map<std::string, std::string>& settings) {
  const auto paths = files_and_side_files(in.job, layer);
  const auto files = hash_files(in.job, in.manifest, {paths.begin(), paths.end()}, in.job.limits.threads);
  for (const MaskKind* kind : kinds_of(layer)) {
    shard::Sha256 hash;
    hash.update("label 2\n" + section_of(in, name, *kind).dump() + "\n" + (in.job.limits.untrusted ? "untrusted\n" : ""));
    for (const auto& [path, file] : files) hash.update(path + "\n" + file.sha256 + "\n");
    settings[series_name(name, *kind)] = shard::hex(hash.finish());
  }
}

/// Masks stay unless their layer would be drawn differently or their location is gone; those of a
/// shard that is gone are drawn again.
void forget_outdated_masks(const StageInput& in, const LabelGround& ground) {
  std::map<std::string, std::string> settings;
  for (const auto& [name, layer] : in.job.layers) add_settings(in, name, layer, settings);
  std::set<std::string> here;
  for (const auto& window : ground.windows) here.insert(window.location_id);
  in.manifest.in_transaction([&] {
    index::forget_facts(in.manifest, kVectorFact);  // what is about to be written again has no hash until it is there
    for (const auto& mask : index::masks(in.manifest))
      if (!settings.contains(mask.layer) && !(mask.place && is_predicted_layer(in.job, mask.layer))) index::remove_masks(in.manifest, mask.layer);
      else if (!here.contains(mask.location_id)) index::remove_mask(in.manifest, mask.location_id, mask.layer);
    for (const auto& [name, now] : settings) {
      const std::string key = "label/settings/" + name;
      if (index::meta(in.manifest, key) != now) index::remove_masks(in.manifest, name);
      index::set_meta(in.manifest, key, now);
      for (const auto& path : recorded_mask_shards(in.manifest, name))
        if (!fs::exists(in.workspace / path) || !fs::exists(shard::index_file(in.workspace / path))) index::redo_shard(in.manifest, path);
    }
  });
}

/// Masks that were there and those of this run, in the order of the manifest.
std::vector<index::MaskRow> all_masks(const StageInput& in, const std::vector<LayerRows>& layers) {
  std::vector<index::MaskRow> masks;
  for (const LayerRows& layer : layers)
    for (const WrittenSeries& series : layer.series) {
      for (auto& mask : index::masks(in.manifest, series.layer))
        if (mask.place) masks.push_back(std::move(mask));
      masks.insert(masks.end(), series.rows.begin(), series.rows.end());
    }
  std::ranges::sort(masks, {}, [](const index::MaskRow& mask) { return std::tie(mask.layer, mask.location_id, mask.valid_from, mask.place->member); });
  return masks;
}

}  // namespace

StageReport run_label(const StageInput& in, const RunContext& context) {
  const LabelGround ground = label_ground(in.manifest);
  shard::make_folders(in.workspace / "shards");
  shard::sweep_temporaries(in.workspace / "shards");
  forget_outdated_masks(in, ground);
  for (const auto& [name, layer] : in.job.layers)
    for (const MaskKind* kind : kinds_of(layer)) {
      const auto series = series_name(name, *kind);
      remove_unrecorded(in, series, recorded_mask_shards(in.manifest, series));
    }
  std::vector<LayerRows> layers;
  tbb::task_arena arena(std::max(context.threads, 1));
  arena.execute([&] {
    for (const auto& [name, layer] : in.job.layers) {
      context.check_stop();
      layers.push_back(layer.vector ? draw_vector(in, context, name, layer, ground) : draw_raster(in, context, name, layer, ground));
    }
  });
  const TargetRows targets = make_targets(in, context, all_masks(in, layers));
  record(in.manifest, layers, targets);
  StageReport report = report_of(in, layers);
  report.counts.insert(report.counts.end(), targets.counts.begin(), targets.counts.end());
  if (ground.windows.empty()) report.notes.push_back("there are no locations, so no masks were made");
  return report;
}

namespace {

/// Every file that the layers and targets of a job name; throws for one that is not there.
std::vector<std::string> label_files(const Job& job) {
  std::set<std::string> paths;
  for (const auto& [name, layer] : job.layers) paths.merge(files_and_side_files(job, layer));
  for (const auto& [name, target] : job.targets)
    if (target.table) add_with_side_files(job, *target.table, paths);
  return {paths.begin(), paths.end()};
}

}  // namespace

void foresee_label(const Job& job) {
  label_files(job);
  for (const auto& [name, layer] : job.layers)
    if (layer.vector) check_label_source(name, layer, files_of(job, layer), policy_of(job, layer));
}

std::string hash_label_inputs(const StageInput& in) {
  shard::Sha256 hash;
  for (const auto& [path, file] : hash_files(in.job, in.manifest, label_files(in.job), in.job.limits.threads))
    hash.update(path + "\n" + file.sha256 + "\n");
  return shard::hex(hash.finish());
}

}  // namespace tilewright::pipeline
