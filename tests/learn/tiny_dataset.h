// SPDX-License-Identifier: Apache-2.0
// A dataset small enough for tests: bright squares on a dark ground, written by the shard API.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "index/shard/commit.h"
#include "index/shard/shard_writer.h"
#include "learn/config/dataset_file.h"
#include "learn/config/run_config.h"
#include "learn/data/counter_random.h"

namespace tilewright::learn::testing {

struct TinySpec {
  int train = 12, val = 4, test = 4, size = 16, channels = 2, views = 1;
  bool has_sensors = false;  ///< each channel is an input of its own: sensor1, sensor2, ...
  bool has_masks = true;
  std::string target = "mask";  ///< class, classes: odd locations are brighter, and of class 1
  std::string normalize = "standard", mode = "each";
  std::uint64_t seed = 1;
  int lone_location = -1;  ///< its second view is missing: a row without a shard (mode all)
  bool is_flat = false;    ///< one image for all
  int nan_sample = -1;  ///< float32 data with a NaN in this sample of train; uint16 otherwise
};

/// A folder that goes with its scope.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::random_device entropy;
    path_ = std::filesystem::temp_directory_path() /
            ("tilewright-test-" + std::to_string(entropy()) + std::to_string(entropy()));
    std::filesystem::create_directories(path_);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Mask and pixels of one sample: the square is brighter in every channel.
struct TinySample {
  std::vector<std::uint8_t> mask;
  std::vector<float> image;
};
inline TinySample draw_sample(const TinySpec& spec, int location, int view) {
  CounterRandom place{spec.seed, static_cast<std::uint64_t>(location)};
  const auto edge = spec.size / 3 + place.below(spec.size / 4);
  const auto left = place.below(spec.size - edge), top = place.below(spec.size - edge);
  CounterRandom noise{spec.seed, static_cast<std::uint64_t>(location),
                      static_cast<std::uint64_t>(view), 7};
  TinySample sample;
  for (int y = 0; y < spec.size; ++y)
    for (int x = 0; x < spec.size; ++x)
      sample.mask.push_back(x >= left && x < left + edge && y >= top && y < top + edge);
  for (int c = 0; c < spec.channels; ++c)
    for (const auto inside : sample.mask)
      sample.image.push_back(
          static_cast<float>(std::floor((inside && !spec.is_flat ? 44000 : 20000) +
                                        (spec.is_flat ? 0 : 3000) * noise.normal() + 500 * c +
                                        (spec.target != "mask" && location % 2 == 1 ? 12000 : 0))));
  return sample;
}

namespace detail {

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  std::vector<std::byte> out(values.size() * sizeof(T));
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

inline std::vector<std::byte> pixels_of(const TinySpec& spec, const std::vector<float>& image) {
  if (spec.nan_sample >= 0) return bytes_of(image);
  std::vector<std::uint16_t> raw;
  for (const auto value : image)
    raw.push_back(static_cast<std::uint16_t>(std::clamp(value, 0.0F, 65535.0F)));
  return bytes_of(raw);
}

/// All read the same member, each its own channel.
inline std::vector<InputInfo> one_input_a_channel(const InputInfo& stacked) {
  std::vector<InputInfo> inputs;
  for (std::size_t c = 0; c < stacked.bands.size(); ++c) {
    auto& input = inputs.emplace_back(stacked);
    input.series = "sensor" + std::to_string(c + 1);
    input.bands = {stacked.bands[c]};
    input.band_indices = {stacked.band_indices[c]};
    input.statistics = {stacked.statistics[c]};
  }
  return inputs;
}

inline shard::DType dtype_of(const TinySpec& spec) {
  return spec.nan_sample >= 0 ? shard::DType::f32 : shard::DType::u16;
}

inline bool has_masks(const TinySpec& spec) { return spec.has_masks && spec.target == "mask"; }

inline std::string location_name(int location) {
  const auto digits = std::to_string(location);
  return "loc_" + std::string(5 - digits.size(), '0') + digits;
}

}  // namespace detail

/// Places of the members that were written, and what was counted.
struct TinyShards {
  shard::WrittenShard images, masks;
  std::vector<std::int64_t> class_pixels = {0, 0};
};

inline TinyShards write_tiny_shards(const std::filesystem::path& workspace, const TinySpec& spec) {
  const int total = spec.train + spec.val + spec.test;
  std::vector<shard::MemberSpec> images, masks;
  for (int i = 0; i < total; ++i) {
    const auto key = detail::location_name(i);
    for (int v = 0; v < spec.views; ++v)
      images.push_back({key,
                        key + ".view" + std::to_string(v) + ".npy",
                        detail::dtype_of(spec),
                        {spec.channels, spec.size, spec.size},
                        ""});
    masks.push_back({key, key + ".label.npy", shard::DType::u8, {1, spec.size, spec.size}, ""});
  }
  shard::make_folders(workspace / "shards");
  shard::ShardWriter image_writer(workspace / "shards/tiny-000000.tar", images);
  shard::ShardWriter mask_writer(workspace / "shards/label-000000.tar", masks);
  TinyShards out;
  for (int i = 0; i < total; ++i)
    for (int v = 0; v < spec.views; ++v) {
      auto sample = draw_sample(spec, i, v);
      if (i == spec.nan_sample) sample.image[5] = std::nanf("");
      image_writer.put(static_cast<std::size_t>(i * spec.views + v),
                       detail::pixels_of(spec, sample.image));
      if (v == 0) mask_writer.put(static_cast<std::size_t>(i), detail::bytes_of(sample.mask));
      if (v == 0 && i < spec.train)
        for (const auto value : sample.mask) ++out.class_pixels[value];
    }
  out.images = image_writer.publish();
  out.masks = mask_writer.publish();
  return out;
}

/// Without its parts.
inline DatasetFile describe_tiny(const TinySpec& spec,
                                 const std::vector<std::int64_t>& class_pixels) {
  DatasetFile dataset;
  dataset.name = "tiny";
  dataset.views = spec.mode;
  InputInfo input;
  input.series = spec.has_sensors ? "sensor1" : "tiny";
  for (int c = 0; c < spec.channels; ++c) {
    input.bands.push_back({"band" + std::to_string(c + 1), {}, {}, {}, {}, {}});
    input.band_indices.push_back(c);
  }
  input.size_px = spec.size;
  input.dtype = std::string(shard::name(detail::dtype_of(spec)));
  BandStatistics s;
  s.mean = 26000, s.std = 10000, s.min = 5000, s.max = 60000, s.p1 = 12000, s.p2 = 13000,
  s.p50 = 21000, s.p98 = 50000, s.p99 = 52000;
  s.count = std::int64_t{spec.train} * spec.size * spec.size;
  input.statistics.assign(static_cast<std::size_t>(spec.channels), s);
  input.statistics_method = "exact counts";
  input.normalize = spec.normalize;
  dataset.inputs.push_back(input);
  if (spec.has_sensors) dataset.inputs = detail::one_input_a_channel(input);
  const bool has_masks = detail::has_masks(spec);
  dataset.target.kind = has_masks ? "mask" : spec.target == "mask" ? "none" : spec.target;
  if (spec.target != "mask")
    for (int k = 0; k < 2; ++k)
      dataset.target.classes.push_back(
          {.id = k + 5, .name = k == 0 ? "dark" : "bright", .samples = spec.train / 2});
  if (has_masks) {
    dataset.target.series = "label";
    dataset.target.classes = {{0, "background", "#000000", class_pixels[0]},
                              {1, "square", "#ff0000", class_pixels[1]}};
  }
  return dataset;
}

/// Rows of locations [first, first + count).
inline std::string tiny_rows(const TinySpec& spec, const TinyShards& written, int inputs, int first,
                             int count) {
  std::string text = std::string(kPartHeader) + "\n";
  for (int i = first; i < first + count; ++i)
    for (int v = 0; v < spec.views; ++v) {
      const auto& member = written.images.members[static_cast<std::size_t>(i * spec.views + v)];
      const auto& mask = written.masks.members[static_cast<std::size_t>(i)];
      SampleRow row;
      row.location = detail::location_name(i);
      row.view = "view" + std::to_string(v);
      row.sample = spec.mode == "each" ? row.location + "." + row.view : row.location;
      row.acquired = "-";
      row.shard = "shards/tiny-000000.tar";
      row.offset = member.offset, row.length = member.length;
      if (i == spec.lone_location && v == 1)
        row.view = row.shard = "-", row.offset = row.length = 0;
      if (spec.target == "class") row.target = i % 2 == 1 ? "6" : "5";
      if (spec.target == "classes") row.target = i % 2 == 1 ? "[5,6]" : "[5]";
      if (detail::has_masks(spec))
        row.mask_shard = "shards/label-000000.tar", row.mask_offset = mask.offset,
        row.mask_length = mask.length;
      for (row.input = 0; row.input < inputs; ++row.input) text += format_row(row) + "\n";
    }
  return text;
}

/// Writes shards, part files and dataset.json below `workspace`; returns the path of dataset.json.
inline std::filesystem::path write_tiny_dataset(const std::filesystem::path& workspace,
                                                const TinySpec& spec) {
  const auto written = write_tiny_shards(workspace, spec);
  auto dataset = describe_tiny(spec, written.class_pixels);
  const auto folder = workspace / "datasets/tiny";
  shard::make_folders(folder);
  const std::pair<std::string, int> parts[] = {
      {"train", spec.train}, {"val", spec.val}, {"test", spec.test}};
  int first = 0;
  for (const auto& [name, count] : parts) {
    const auto published = shard::publish_file(
        folder / (name + ".tsv"),
        tiny_rows(spec, written, static_cast<int>(dataset.inputs.size()), first, count));
    dataset.parts.emplace_back(name, PartInfo{name + ".tsv", count, published.sha256});
    first += count;
  }
  shard::publish_file(folder / "dataset.json", format_dataset(dataset));
  return folder / "dataset.json";
}

/// A ViT, with a decoder for recipes that reconstruct, that trains in a moment.
inline ModelConfig tiny_vit() {
  return {.name = "vit",
          .patch_px = 4,
          .dim = 24,
          .depth = 2,
          .heads = 2,
          .decoder_dim = 16,
          .decoder_depth = 1,
          .decoder_heads = 2};
}

}  // namespace tilewright::learn::testing
