// SPDX-License-Identifier: Apache-2.0
// Tensors of a batch, and the loader settings of a recipe.
#include "learn/train/batch.h"

#include <algorithm>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

constexpr std::size_t kMostNames = 3;

torch::Tensor image_tensor(const RawBatch& raw, const std::vector<float>& values, int size,
                           torch::Device device) {
  // A copy of our own: the bits of some kernels depend on the alignment of their input.
  return torch::from_blob(const_cast<float*>(values.data()), {raw.count, raw.channels, size, size},
                          torch::kFloat32)
      .clone()
      .to(device);
}

int size_of(const std::vector<InputInfo>& inputs) {
  int size = 0;
  for (const auto& input : inputs) size = std::max(size, input.size_px);
  return size;
}

/// Two large crops and the small ones; the augmentation crop would crop again.
void add_crops(LoaderConfig& config, const CropsConfig& crops, int small_px) {
  config.plan.crops.assign(2, {.least_area = crops.large_area, .most_area = 1});
  config.plan.crops.insert(
      config.plan.crops.end(), static_cast<std::size_t>(crops.small),
      {.least_area = crops.least_area, .most_area = crops.large_area, .size_px = small_px});
  config.draws = static_cast<int>(config.plan.crops.size());
  std::erase(config.plan.augment, augmentation_row("crop"));
}

}  // namespace

Batch to_batch(const RawBatch& raw, torch::Device device) {
  Batch batch;
  batch.image_nchw = image_tensor(raw, raw.image, raw.size, device);
  if (!raw.twin.empty()) batch.image2_nchw = image_tensor(raw, raw.twin, raw.size, device);
  std::vector<torch::Tensor> small;
  for (const auto& crop : raw.small)
    small.push_back(image_tensor(raw, crop, raw.small_size, device));
  if (!small.empty()) batch.small_rchw = torch::cat(small);
  if (!raw.mask.empty())
    batch.mask_nhw = torch::from_blob(const_cast<std::uint8_t*>(raw.mask.data()),
                                      {raw.count, raw.size, raw.size}, torch::kUInt8)
                         .to(torch::kInt64)
                         .to(device);
  if (raw.labels.empty()) return batch;
  const auto per_sample = static_cast<std::int64_t>(raw.labels.size()) / raw.count;
  const auto labels = torch::from_blob(const_cast<std::uint8_t*>(raw.labels.data()),
                                       {raw.count, per_sample}, torch::kUInt8);
  if (per_sample == 1) batch.label_n = labels.flatten().to(torch::kInt64).to(device);
  batch.labels_nk = labels.to(torch::kFloat32).to(device);
  return batch;
}

LoaderConfig loader_config(const RunConfig& run, const std::vector<InputInfo>& inputs,
                           const std::string& views, Delivery delivery, std::int64_t samples,
                           bool is_training) {
  if (views == "all" && (delivery == Delivery::pair || delivery == Delivery::sensors || delivery == Delivery::crops))
    throw Error::config("dataset " + run.dataset + " has views: all: its dates are stacked, and recipe " +
                        run.recipe + " compares views; use views: pairs");
  LoaderConfig config;
  config.plan.inputs = inputs;
  config.plan.seed = run.seed;
  const bool is_whole = needs_whole_batch(delivery);
  config.plan.draw_views = views == "pairs" && (is_training || is_whole);
  if (is_training || is_whole) config.plan.augment = augmentation_rows(run.augment);
  config.batch = run.batch;
  config.shuffle = is_training;
  if (delivery == Delivery::pair) config.draws = 2;
  if (delivery == Delivery::crops)
    add_crops(config, run.crops, small_crop_px(run, size_of(inputs)));
  // Contrast needs full batches of negatives; batch norm needs two samples.
  const auto full = static_cast<int>(std::min<std::int64_t>(run.batch, samples));
  if (is_whole)
    config.smallest_batch = full;
  else if (is_training)
    config.smallest_batch = std::min(2, full);
  return config;
}

std::string names_of(const std::vector<CorpusSample>& samples,
                     const std::vector<std::int64_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size() && i < kMostNames; ++i)
    text += (i ? ", " : "") + samples[static_cast<std::size_t>(numbers[i])].name;
  if (numbers.size() > kMostNames)
    text += " and " + std::to_string(numbers.size() - kMostNames) + " more";
  return text;
}

}  // namespace tilewright::learn
