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
#include "pipeline/scores/unsure_classes.h"
#include "pipeline/stages/dataset_build.h"
#include "pipeline/stages/split_plane.h"

namespace tilewright::pipeline {
namespace {

constexpr std::int64_t kSmallSteps = 260;
constexpr int kSmallCropPx = 64;

/// Of a name that the job has.
template <class Value>
const Value& named(const NamedList<Value>& list, const std::string& name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& each) { return each.first == name; })->second;
}

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
  if (const auto& run = in.job.curate->model.run) {
    auto config = named(in.job.datasets, named(in.job.runs, *run).dataset);
    config.subset.reset(), config.judge.reset();
    return config;
  }
  DatasetConfig config;
  config.inputs = {{source, {}}};
  config.target = layer;
  config.views = "each";
  const auto bands = source_bands(in.job, in.manifest, source);
  config.normalize = curate_normalize(in.job, layer, source).value_or(bands.size() == 1 && bands.front().dtype == shard::DType::f32 ? "minmax_local" : "standard");
  return config;
}

learn::RunConfig run_config(const Job& job, const CurateModel& model) {
  learn::RunConfig run;
  if (model.run) {
    run = named(job.runs, *model.run);
    run.n_labels = 0;
    run.seed = model.seed;
    return run;
  }
  run.dataset = "folds";
  run.recipe = "segment";
  run.model.name = "unet";
  run.model.width = model.width;
  run.loss.name = "cross_entropy_dice";
  run.optimizer.lr = model.lr;
  run.augment = {"flip"};
  run.epochs = model.epochs;
  run.max_steps = kSmallSteps;
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
  for (int input = 0; input < static_cast<int>(plan.dataset.inputs.size()); ++input) dataset.inputs.push_back(dataset_input(in, plan.dataset, input, plan.samples, "", [&] { context.check_stop(); }));
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
  request.output_folder = folder / "models";
  shard::make_folders(request.output_folder);
  request.run = plan.run;
  request.fold_count = plan.fold_count;
  request.seeds = plan.seeds;
  request.crop_px = plan.crop_px;
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
  key.update(learn::json_of(plan.run).dump() + learn::json_of(plan.dataset).dump() + "\n" + std::to_string(plan.fold_count) + " " + std::to_string(plan.seeds) + " " + std::to_string(plan.crop_px) + "\n");
  const auto hash_at = [&](const std::string& shard, std::int64_t offset) { return shard == "-" ? shard : hashes.at({shard, offset}); };
  for (const auto& sample : plan.samples.samples)
    for (const auto& row : sample.rows)
      key.update(row.sample + " " + std::to_string(plan.fold_of.at(row.location)) + " " + hash_at(row.shard, row.offset) + " " + hash_at(row.mask_shard, row.mask_offset) + "\n");
  return shard::hex(key.finish());
}

FoldPlan start_plan(const StageInput& in, const CurateConfig& config, const std::string& layer) {
  FoldPlan plan{.layer = layer, .source = curate_model_source(in.job), .dataset = {}, .samples = {}, .fold_of = {}, .run = run_config(in.job, config.model), .key = ""};
  plan.crop_px = config.model.run ? 0 : kSmallCropPx;
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

std::string curate_run_text(const Job& job) {
  const auto& name = job.curate->model.run;
  if (!name) return "";
  const auto& run = named(job.runs, *name);
  return "\n" + learn::json_of(run).dump() + learn::json_of(named(job.datasets, run.dataset)).dump();
}

std::string curate_source(const Job& job) { return job.curate->source.value_or(job.view_sources().front()); }

std::string curate_model_source(const Job& job) {
  const auto& model = job.curate->model;
  if (model.run) return named(job.datasets, named(job.runs, *model.run).dataset).inputs.front().source;
  return model.source.value_or(curate_source(job));
}

FoldPlan plan_folds(const StageInput& in, const CurateConfig& config, const std::string& layer, const MaskPlaces& masks) {
  auto plan = start_plan(in, config, layer);
  if (plan.samples.samples.empty())
    throw Error::failed("curate: no location has both a mask of " + layer + " and a view of " + plan.source + "; check the layer's extent, or name curate: source");
  for (auto& sample : plan.samples.samples) take_mask(sample, masks.at(sample.rows.front().location));
  plan.fold_count = config.folds;
  plan.seeds = config.model.seeds;
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
  return {plan, classes, folder / "models"};
}

FoldAnswers::FoldAnswers(const FoldPlan& plan, const std::vector<learn::ClassInfo>& classes, const std::filesystem::path& folder) : classes_(classes) {
  for (const auto& info : classes) class_ids_.push_back(static_cast<std::uint8_t>(info.id));
  std::map<int, std::vector<const learn::SampleRow*>> asked;
  for (const auto& sample : plan.samples.samples)
    if (const auto fold = plan.fold_of.at(sample.rows.front().location); fold < plan.fold_count) asked[fold].push_back(&sample.rows.front());
  for (int seed = 0; seed < plan.seeds; ++seed)
    for (const auto& [fold, rows] : asked) {
      const auto& file = files_.emplace_back(folder / learn::fold_shard(fold, seed));
      shards_.emplace_back(file);
      std::map<std::string, shard::IndexEntry> entries;
      for (auto& entry : shard::scan_tar(file)) entries.emplace(entry.member, entry);
      for (const auto* row : rows) {
        const auto found = entries.find(row->location + "." + row->view + ".prob.npy");
        if (found == entries.end()) throw Error::failed("curate: tilewright-learn gave no prediction of " + row->sample + " in " + file.string());
        auto& seeds = places_[row->location];
        seeds.resize(static_cast<std::size_t>(plan.seeds));
        seeds[static_cast<std::size_t>(seed)].push_back({shards_.size() - 1, found->second.offset, found->second.length});
      }
    }
}

std::vector<float> FoldAnswers::of_seed(const std::string& location_id, std::size_t seed) const {
  const auto& views = places_.at(location_id).at(seed);
  std::vector<float> mean;
  for (const auto& [number, offset, length] : views) {
    const auto array = shard::array_at(shards_[number], offset, length);
    const auto* p = reinterpret_cast<const float*>(array.data.data());
    mean.resize(static_cast<std::size_t>(array.header.elements()), 0);
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += p[i];
  }
  for (auto& value : mean) {
    value /= static_cast<float>(views.size());
    if (!std::isfinite(value)) throw Error::failed("curate: the models' probabilities of " + location_id + " are not finite in " + files_[views.front().shard].string() + "; lower the learning rate (curate.model.lr, or that of curate.model.run)");
  }
  if (const auto factors = factors_.find(views.front().shard); factors != factors_.end()) raise_odds(mean, factors->second);
  return mean;
}

std::vector<std::size_t> FoldAnswers::models_of(const std::string& location_id) const {
  std::vector<std::size_t> out;
  for (const auto& views : places_.at(location_id)) out.push_back(views.front().shard);
  return out;
}

std::optional<std::vector<float>> FoldAnswers::of(const std::string& location_id) const {
  const auto found = places_.find(location_id);
  if (found == places_.end()) return std::nullopt;
  auto mean = of_seed(location_id, 0);
  const auto seeds = found->second.size();
  for (std::size_t seed = 1; seed < seeds; ++seed) {
    const auto other = of_seed(location_id, seed);
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += other[i];
  }
  for (auto& value : mean) value /= static_cast<float>(seeds);
  return mean;
}

std::optional<double> FoldAnswers::spread(const std::string& location_id, std::span<const float> mean) const {
  const auto found = places_.find(location_id);
  if (found == places_.end() || found->second.size() < 2) return std::nullopt;
  const auto pixels = mean.size() / class_ids_.size();
  const Probabilities model{mean, class_ids_};
  const auto classes = decided(model);
  const auto planes = model.plane_of_class();
  std::vector<double> squares(pixels, 0);
  for (std::size_t seed = 0; seed < found->second.size(); ++seed) {
    const auto one = of_seed(location_id, seed);
    for (std::size_t i = 0; i < pixels; ++i) {
      const auto at = static_cast<std::size_t>(planes[classes[i]]) * pixels + i;
      const double apart = static_cast<double>(one[at]) - static_cast<double>(mean[at]);
      squares[i] += apart * apart;
    }
  }
  double sum = 0;
  for (const auto square : squares) sum += std::sqrt(square / static_cast<double>(found->second.size()));
  return pixels == 0 ? 0 : sum / static_cast<double>(pixels);
}

}  // namespace tilewright::pipeline
