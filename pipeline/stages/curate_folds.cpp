// SPDX-License-Identifier: Apache-2.0
// Writes the request for folds, runs it, and compares the probabilities with the masks.
#include "pipeline/stages/curate_folds.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "index/shard/shard_reader.h"
#include "learn/config/dataset_file.h"
#include "learn/config/json.h"
#include "learn/config/request.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/runner/learn_process.h"
#include "pipeline/stages/curate_scores.h"
#include "pipeline/stages/dataset_build.h"
#include "pipeline/stages/scratch_folder.h"
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
std::vector<learn::ClassInfo> write_dataset(const StageInput& in, const DatasetConfig& config, const SampleSet& set, int folds,
                                            const std::filesystem::path& folder, const RunContext& context) {
  learn::DatasetFile dataset;
  dataset.name = "folds";
  dataset.inputs = {dataset_input(in, config, 0, set, "", [&] { context.check_stop(); })};
  dataset.target = dataset_target(in, config, set, "");
  dataset.parts.emplace_back("train", publish_samples(folder / "train.tsv", set));
  shard::publish_file(folder / "dataset.json", learn::format_dataset(dataset));
  std::string text;
  for (const auto& [id, fold] : folds_of(in, set, folds)) text += id + "\t" + std::to_string(fold) + "\n";
  shard::publish_file(folder / "folds.tsv", text);
  return dataset.target.classes;
}

void ask(const StageInput& in, const CurateConfig& config, const std::filesystem::path& folder, const RunContext& context) {
  learn::FoldsRequest request;
  request.workspace = in.workspace;
  request.dataset = folder / "dataset.json";
  request.samples = folder / "train.tsv";
  request.folds = folder / "folds.tsv";
  request.output_shard = folder / "folds.tar";
  request.scratch_folder = folder / "models";
  request.run = run_config(config.model);
  request.fold_count = config.folds;
  run_learn("folds", learn::json_of(request).dump(2), folder, "curate", context);
}

/// The class with the greatest probability at each pixel; ties to the first.
std::vector<std::uint8_t> decided(const shard::ArrayView& probabilities, const std::vector<learn::ClassInfo>& classes) {
  const auto* p = reinterpret_cast<const float*>(probabilities.data.data());
  const auto pixels = static_cast<std::size_t>(probabilities.header.elements()) / classes.size();
  std::vector<std::uint8_t> out(pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    std::size_t best = 0;
    for (std::size_t k = 1; k < classes.size(); ++k)
      if (p[k * pixels + i] > p[best * pixels + i]) best = k;
    out[i] = static_cast<std::uint8_t>(classes[best].id);
  }
  return out;
}

/// Opens shards once.
class Shards {
 public:
  explicit Shards(std::filesystem::path workspace) : workspace_(std::move(workspace)) {}
  shard::ArrayView array(const std::string& file, std::int64_t offset, std::int64_t length) {
    auto& mapped = files_[file];
    if (!mapped) mapped = std::make_unique<shard::MappedFile>(workspace_ / file);
    return shard::array_at(*mapped, offset, length);
  }

 private:
  std::filesystem::path workspace_;
  std::map<std::string, std::unique_ptr<shard::MappedFile>> files_;
};

FoldScores compare(const StageInput& in, const SampleSet& set, const std::vector<learn::ClassInfo>& classes, const std::filesystem::path& answer) {
  std::map<std::string, shard::IndexEntry> entries;
  for (auto& entry : shard::scan_tar(answer)) entries.emplace(entry.member, entry);
  const shard::MappedFile answers(answer);
  Shards shards(in.workspace);
  FoldScores scores;
  std::map<std::string, std::pair<double, int>> sums;
  std::set<std::string> empty;
  for (const auto& sample : set.samples) {
    const auto& row = sample.rows.front();
    const auto found = entries.find(row.location + "." + row.view + ".prob.npy");
    if (found == entries.end()) throw Error::failed("curate: tilewright-learn gave no prediction of " + row.sample + " in " + answer.string());
    const auto mask = shards.array(row.mask_shard, row.mask_offset, row.mask_length);
    const std::span label(reinterpret_cast<const std::uint8_t*>(mask.data.data()), mask.data.size());
    const auto predicted = decided(shard::array_at(answers, found->second.offset, found->second.length), classes);
    if (predicted.size() != label.size())
      throw Error::failed("curate: the prediction of " + row.sample + " has " + std::to_string(predicted.size()) + " pixels, its mask " + std::to_string(label.size()));
    ++scores.samples;
    if (const auto iou = label_iou(predicted, label)) {
      sums[row.location].first += *iou;
      ++sums[row.location].second;
    } else {
      empty.insert(row.location);
    }
  }
  for (const auto& [id, sum] : sums) scores.iou[id] = sum.first / sum.second;
  scores.empty_locations = std::count_if(empty.begin(), empty.end(), [&](const auto& id) { return !sums.contains(id); });
  return scores;
}

}  // namespace

std::optional<std::string> curate_normalize(const Job& job, const std::string& layer, const std::string& source) {
  for (const auto& [name, dataset] : job.datasets)
    if (dataset.target == layer && dataset.inputs.size() == 1 && dataset.inputs.front().source == source) return dataset.normalize;
  return std::nullopt;
}

FoldScores score_by_folds(const StageInput& in, const CurateConfig& config, const std::string& layer, const std::string& source,
                          const RunContext& context) {
  const auto dataset = dataset_config(in, layer, source);
  const auto set = choose_samples(in.job, in.manifest, dataset);
  if (set.samples.empty())
    throw Error::failed("curate: no location has both a mask of " + layer + " and a view of " + source + "; check the layer's extent, or name curate: source");
  const ScratchFolder scratch(in.job.scratch() / ("curate-" + layer));
  const auto classes = write_dataset(in, dataset, set, config.folds, scratch.path(), context);
  ask(in, config, scratch.path(), context);
  return compare(in, set, classes, scratch.path() / "folds.tar");
}

}  // namespace tilewright::pipeline
