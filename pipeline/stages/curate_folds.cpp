// SPDX-License-Identifier: Apache-2.0
// Writes the request for folds, runs it, and opens the answers.
#include "pipeline/stages/curate_folds.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_reader.h"
#include "learn/config/dataset_file.h"
#include "learn/config/json.h"
#include "learn/config/request.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/runner/learn_process.h"
#include "pipeline/stages/dataset_build.h"
#include "pipeline/stages/split_plane.h"

namespace tilewright::pipeline {
namespace {

index::SplitConfig fold_config(const SplitSection& split, int folds) {
  index::SplitConfig config;
  config.unit = split.unit;
  config.block_m = split.block_m;
  config.seed = split.seed;
  config.folds = folds;
  return config;
}

/// Fold of each location by the block of its centre.
std::map<std::string, int> folds_of(const StageInput& in, const SampleSet& set, int folds) {
  if (!in.job.split) throw Error::config("curate: model_iou takes its folds from blocks of the split; add a split: section");
  const auto config = fold_config(*in.job.split, folds);
  std::set<std::string> wanted;
  for (const auto& sample : set.samples) wanted.insert(sample.rows.front().location);
  std::map<std::string, int> out;
  SplitPlanes planes;
  for (const auto& location : index::locations(in.manifest)) {
    if (!wanted.contains(location.location_id)) continue;
    const auto [epsg, box] = planes.place_of(location);
    const auto block = index::block_of({(box.min_x + box.max_x) / 2, (box.min_y + box.max_y) / 2}, config.block_m);
    out[location.location_id] = index::fold_of_block(epsg, block.x, block.y, config);
  }
  std::set<int> used;
  for (const auto& [id, fold] : out) used.insert(fold);
  if (used.size() < 2)
    throw Error::failed("curate: all " + std::to_string(out.size()) + " locations fall into one fold; use a smaller split: block_m than " +
                        std::to_string(config.block_m));
  return out;
}

DatasetConfig dataset_config(const StageInput& in, const std::string& layer, const std::string& source) {
  DatasetConfig config;
  config.inputs = {{source, {}}};
  config.target = layer;
  config.views = "each";
  const auto bands = source_bands(in.job, in.manifest, source);
  config.normalize = curate_normalize(in.job, layer, source).value_or(bands.size() == 1 && bands.front().dtype == shard::DType::f32 ? "minmax_local" : "standard");
  return config;
}

learn::RunConfig run_config(const CurateModel& model) {
  learn::RunConfig run;
  run.dataset = "folds";
  run.recipe = "segment";
  run.model.name = "unet";
  run.model.width = model.width;
  run.optimizer.lr = model.lr;
  run.augment = {"flip"};
  run.epochs = model.epochs;
  run.batch = model.batch;
  run.seed = model.seed;
  return run;
}

learn::PartInfo publish_samples(const std::filesystem::path& file, const SampleSet& set) {
  std::string text = std::string(learn::kPartHeader) + "\n";
  for (const auto& sample : set.samples)
    for (const auto& row : sample.rows) text += learn::format_row(row) + "\n";
  return {file.filename(), static_cast<std::int64_t>(set.samples.size()), shard::publish_file(file, text).sha256};
}

/// dataset.json, samples and folds in `folder`; returns the classes in the network's order.
std::vector<learn::ClassInfo> write_dataset(const StageInput& in, const FoldPlan& plan, const std::filesystem::path& folder, const RunContext& context) {
  learn::DatasetFile dataset;
  dataset.name = "folds";
  dataset.inputs = {dataset_input(in, plan.dataset, 0, plan.samples, "", [&] { context.check_stop(); })};
  dataset.target = dataset_target(in, plan.dataset, plan.samples, "");
  dataset.parts.emplace_back("train", publish_samples(folder / "train.tsv", plan.samples));
  shard::publish_file(folder / "dataset.json", learn::format_dataset(dataset));
  std::string text;
  for (const auto& [id, fold] : plan.fold_of) text += id + "\t" + std::to_string(fold) + "\n";
  shard::publish_file(folder / "folds.tsv", text);
  return dataset.target.classes;
}

void ask(const StageInput& in, const FoldPlan& plan, const std::filesystem::path& folder, const RunContext& context) {
  learn::FoldsRequest request;
  request.workspace = in.workspace;
  request.dataset = folder / "dataset.json";
  request.samples = folder / "train.tsv";
  request.folds = folder / "folds.tsv";
  request.output_shard = folder / "folds.tar";
  request.scratch_folder = folder / "models";
  request.run = plan.run;
  request.fold_count = plan.fold_count;
  run_learn("folds", learn::json_of(request).dump(2), folder, "curate", context);
}

/// Hashes of all members of views and masks, by place.
std::map<std::pair<std::string, std::int64_t>, std::string> hashes_of(const index::Manifest& manifest, const MaskPlaces& masks) {
  std::map<std::pair<std::string, std::int64_t>, std::string> out;
  const auto add = [&](const index::MemberPlace& place) { out[{place.shard, place.byte_offset}] = place.sha256; };
  for (const auto& view : index::views(manifest))
    if (view.place) add(*view.place);
  for (const auto& [id, place] : masks) add(place);
  return out;
}

std::string key_of(const StageInput& in, const FoldPlan& plan, const MaskPlaces& masks) {
  const auto hashes = hashes_of(in.manifest, masks);
  shard::Sha256 key;
  key.update(learn::json_of(plan.run).dump() + plan.source + "\n" + plan.dataset.normalize + "\n" + std::to_string(plan.fold_count) + "\n");
  for (const auto& sample : plan.samples.samples)
    for (const auto& row : sample.rows)
      key.update(row.sample + " " + std::to_string(plan.fold_of.at(row.location)) + " " + hashes.at({row.shard, row.offset}) + " " + hashes.at({row.mask_shard, row.mask_offset}) + "\n");
  return shard::hex(key.finish());
}

FoldPlan start_plan(const StageInput& in, const CurateConfig& config, const std::string& layer) {
  FoldPlan plan{.layer = layer, .source = curate_model_source(in.job), .dataset = {}, .samples = {}, .fold_of = {}, .run = run_config(config.model), .key = ""};
  plan.dataset = dataset_config(in, layer, plan.source);
  plan.samples = choose_samples(in.job, in.manifest, plan.dataset);
  return plan;
}

void take_mask(Sample& sample, const index::MemberPlace& mask) {
  for (auto& row : sample.rows) {
    row.mask_shard = mask.shard;
    row.mask_offset = mask.byte_offset;
    row.mask_length = mask.byte_length;
  }
}

}  // namespace

std::optional<std::string> curate_normalize(const Job& job, const std::string& layer, const std::string& source) {
  for (const auto& [name, dataset] : job.datasets)
    if (dataset.target == layer && dataset.inputs.size() == 1 && dataset.inputs.front().source == source) return dataset.normalize;
  return std::nullopt;
}

std::string curate_source(const Job& job) { return job.curate->source.value_or(job.view_sources().front()); }

std::string curate_model_source(const Job& job) { return job.curate->model.source.value_or(curate_source(job)); }

FoldPlan plan_folds(const StageInput& in, const CurateConfig& config, const std::string& layer, const MaskPlaces& masks) {
  auto plan = start_plan(in, config, layer);
  if (plan.samples.samples.empty())
    throw Error::failed("curate: no location has both a mask of " + layer + " and a view of " + plan.source + "; check the layer's extent, or name curate: source");
  for (auto& sample : plan.samples.samples) take_mask(sample, masks.at(sample.rows.front().location));
  plan.fold_count = config.folds;
  plan.fold_of = folds_of(in, plan.samples, config.folds);
  plan.key = key_of(in, plan, masks);
  return plan;
}

FoldPlan plan_network(const StageInput& in, const CurateConfig& config, const std::string& layer, const MaskPlaces& train, const MaskPlaces& test) {
  auto plan = start_plan(in, config, layer);
  auto all = std::move(plan.samples.samples);
  plan.samples.samples.clear();
  bool has_test = false;
  for (auto& sample : all) {
    const bool is_test = sample.part == "test";
    if (!is_test && sample.part != "train") continue;
    const auto& masks = is_test ? test : train;
    const auto mask = masks.find(sample.rows.front().location);
    if (mask == masks.end()) continue;
    take_mask(sample, mask->second);
    plan.fold_of[mask->first] = is_test ? 0 : plan.fold_count;
    has_test |= is_test;
    plan.samples.samples.push_back(std::move(sample));
  }
  if (!has_test) throw Error::config("curate: evaluate.network is judged on test, but no location of test has a mask of " + layer + "; raise split.fractions.test or take smaller blocks");
  return plan;
}

FoldAnswers answer_folds(const StageInput& in, const FoldPlan& plan, const std::filesystem::path& folder, const RunContext& context) {
  const auto classes = write_dataset(in, plan, folder, context);
  ask(in, plan, folder, context);
  return {plan, classes, folder / "folds.tar"};
}

FoldAnswers::FoldAnswers(const FoldPlan& plan, const std::vector<learn::ClassInfo>& classes, const std::filesystem::path& shard)
    : classes_(classes), file_(shard), answers_(shard) {
  for (const auto& info : classes) class_ids_.push_back(static_cast<std::uint8_t>(info.id));
  std::map<std::string, shard::IndexEntry> entries;
  for (auto& entry : shard::scan_tar(shard)) entries.emplace(entry.member, entry);
  for (const auto& sample : plan.samples.samples) {
    const auto& row = sample.rows.front();
    if (plan.fold_of.at(row.location) == plan.fold_count) continue;
    const auto found = entries.find(row.location + "." + row.view + ".prob.npy");
    if (found == entries.end()) throw Error::failed("curate: tilewright-learn gave no prediction of " + row.sample + " in " + shard.string());
    places_[row.location].emplace_back(found->second.offset, found->second.length);
  }
}

std::optional<std::vector<float>> FoldAnswers::of(const std::string& location_id) const {
  const auto found = places_.find(location_id);
  if (found == places_.end()) return std::nullopt;
  std::vector<float> mean;
  for (const auto& [offset, length] : found->second) {
    const auto array = shard::array_at(answers_, offset, length);
    const auto* p = reinterpret_cast<const float*>(array.data.data());
    mean.resize(static_cast<std::size_t>(array.header.elements()), 0);
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += p[i];
  }
  const auto views = static_cast<float>(found->second.size());
  for (auto& value : mean) {
    value /= views;
    if (!std::isfinite(value)) throw Error::failed("curate: the models' probabilities of " + location_id + " are not finite in " + file_.string() + "; lower curate.model.lr");
  }
  return mean;
}

}  // namespace tilewright::pipeline
