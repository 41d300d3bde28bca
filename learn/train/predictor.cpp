// SPDX-License-Identifier: Apache-2.0
// Predicts the windows of a shard.
#include "learn/train/predictor.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "geometry/error.h"
#include "index/shard/shard_reader.h"
#include "index/shard/shard_writer.h"
#include "learn/data/normalize.h"
#include "learn/data/read_sample.h"
#include "learn/train/loaded_run.h"

namespace tilewright::learn {
namespace {

struct Window {
  std::string key;
  shard::IndexEntry image, valid;
  std::int64_t height = 0, width = 0;
  bool has_valid = false;
};

/// Windows of the shard in order; image and valid members share a key.
std::vector<Window> windows_of(const shard::MappedFile& file, const std::string& path) {
  std::vector<Window> windows;
  std::map<std::string, std::size_t> place;
  for (const auto& entry : shard::scan_tar(path)) {
    const auto key = entry.member.substr(0, entry.member.find('.'));
    const auto kind = entry.member.substr(key.size());
    if (kind != ".image.npy" && kind != ".valid.npy") continue;
    const auto [found, is_new] = place.emplace(key, windows.size());
    if (is_new) windows.push_back({.key = key});
    auto& window = windows[found->second];
    if (kind == ".valid.npy") {
      window.valid = entry;
      window.has_valid = true;
      continue;
    }
    window.image = entry;
    const auto array = shard::array_at(file, entry.offset, entry.length);
    if (array.header.shape.size() != 3)
      throw Error::failed(entry.member + " in " + path + " is not an array (C, H, W)");
    window.height = array.header.shape[1];
    window.width = array.header.shape[2];
  }
  for (const auto& window : windows)
    if (window.height == 0)
      throw Error::failed("the window " + window.key + " in " + path + " has no " + window.key +
                          ".image.npy");
  return windows;
}

/// Reads and normalizes one window into (C, H, W).
class WindowReader {
 public:
  WindowReader(const shard::MappedFile& file, const std::vector<InputInfo>& inputs) : file_(file) {
    for (const auto& input : inputs)
      for (std::size_t b = 0; b < input.bands.size(); ++b)
        bands_.push_back({&normalize_row(input.normalize), input.statistics[b], input.bands[b]});
    indices_.resize(bands_.size());
    std::iota(indices_.begin(), indices_.end(), 0);
  }

  void read(const Window& window, float* out) const {
    const auto side = static_cast<int>(std::max(window.height, window.width));
    const auto square = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
    std::vector<float> raw(bands_.size() * square);
    read_raw(shard::array_at(file_, window.image.offset, window.image.length), indices_, side,
             raw.data(), "window " + window.key);
    const auto valid = window.has_valid
                           ? shard::array_at(file_, window.valid.offset, window.valid.length).data
                           : std::span<const std::byte>{};
    const auto pixels = static_cast<std::size_t>(window.height * window.width);
    if (window.has_valid && valid.size() != pixels)
      throw Error::failed("the window " + window.key +
                          " has a validity of another size than its image");
    for (std::size_t b = 0; b < bands_.size(); ++b) {
      auto* plane = out + b * pixels;
      for (std::size_t i = 0; i < pixels; ++i) {
        const float value =
            raw[b * square +
                i / static_cast<std::size_t>(window.width) * static_cast<std::size_t>(side) +
                i % static_cast<std::size_t>(window.width)];
        plane[i] = valid.empty() || std::to_integer<int>(valid[i]) != 0 ? value : std::nanf("");
      }
      normalize({plane, pixels}, bands_[b]);
    }
  }

 private:
  struct Band {
    const NormalizeRow* row;
    BandStatistics statistics;
    BandInfo info;
  };

  static void normalize(std::span<float> plane, const Band& band) {
    ValueRange range{1e300, -1e300};
    for (const auto value : plane)
      if (!std::isnan(value))
        range = {std::min<double>(range.min, value), std::max<double>(range.max, value)};
    if (range.min > range.max) range = {};
    const auto scaling = band.row->scaling(band.statistics, band.info, range);
    const auto mean = static_cast<float>(band.statistics.mean);
    for (auto& value : plane) value = scaling(std::isnan(value) ? mean : value);
  }

  const shard::MappedFile& file_;
  std::vector<Band> bands_;
  std::vector<int> indices_;
};

/// Number of windows from `begin` that fit one batch: equal sizes, at most `batch`.
std::size_t batch_end(const std::vector<Window>& windows, std::size_t begin, int batch) {
  auto end = begin + 1;
  while (end < windows.size() && end - begin < static_cast<std::size_t>(batch) &&
         windows[end].height == windows[begin].height && windows[end].width == windows[begin].width)
    ++end;
  return end;
}

std::vector<shard::MemberSpec> output_members(const std::vector<Window>& windows,
                                              std::int64_t classes) {
  std::vector<shard::MemberSpec> members;
  for (const auto& window : windows)
    members.push_back({window.key,
                       window.key + ".prob.npy",
                       shard::DType::f32,
                       {classes, window.height, window.width},
                       ""});
  return members;
}

}  // namespace

void run_predict(const PredictRequest& request, const LearnContext& context) {
  const auto dataset = read_dataset(request.dataset);
  auto loaded = load_run(request.run_folder, dataset, request.device, request.threads);
  const shard::MappedFile file(request.input_shard);
  const auto windows = windows_of(file, request.input_shard);
  const WindowReader reader(file, loaded.record.inputs);
  const auto channels = static_cast<std::int64_t>(band_names(loaded.record.inputs).size());
  shard::ShardWriter writer(
      request.output_shard,
      output_members(windows, static_cast<std::int64_t>(loaded.record.classes.size())));
  const torch::NoGradGuard no_grad;
  for (std::size_t begin = 0; begin < windows.size();) {
    if (context.stop.stop_requested())
      throw Error::stopped("prediction stopped on request; the same command starts it again");
    const auto end = batch_end(windows, begin, request.batch);
    const auto& first = windows[begin];
    auto image =
        torch::empty({static_cast<std::int64_t>(end - begin), channels, first.height, first.width});
    for (auto i = begin; i < end; ++i)
      reader.read(windows[i], image[static_cast<std::int64_t>(i - begin)].data_ptr<float>());
    const auto probabilities = loaded.recipe->logits(image.to(loaded.device))
                                   .softmax(1)
                                   .to(torch::kFloat32)
                                   .cpu()
                                   .contiguous();
    for (auto i = begin; i < end; ++i) {
      const auto one = probabilities[static_cast<std::int64_t>(i - begin)];
      writer.put(i, std::as_bytes(
                        std::span(one.data_ptr<float>(), static_cast<std::size_t>(one.numel()))));
    }
    begin = end;
    context.on_progress(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(windows.size()),
                        "windows");
  }
  writer.publish();
}

}  // namespace tilewright::learn
