// SPDX-License-Identifier: Apache-2.0
// Reads, augments and normalizes one sample; no torch here: loader threads run it.
#include "learn/data/read_sample.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
enum Purpose : std::uint64_t { draw_view = 1, crop_draws = 2, augment_first = 16 };

/// The row of each input that makes this draw of the sample.
std::vector<const SampleRow*> rows_of(const CorpusSample& sample, const ReadPlan& plan,
                                      std::int64_t epoch, std::int64_t number, int twin) {
  std::vector<const SampleRow*> chosen;
  for (std::size_t input = 0; input < plan.inputs.size(); ++input) {
    std::vector<const SampleRow*> rows;
    for (const auto& row : sample.rows)
      if (row.input == static_cast<int>(input)) rows.push_back(&row);
    if (rows.empty())
      throw Error::failed("sample " + sample.name + " has no view of " + plan.inputs[input].series +
                          "; make the dataset again: tilewright dataset JOB --force dataset");
    std::int64_t pick = 0;
    if (plan.draw_views) {  // both twins see one draw of two different views where there are two
      CounterRandom random{plan.seed, static_cast<std::uint64_t>(epoch),
                           static_cast<std::uint64_t>(number), Purpose::draw_view, input};
      const auto count = static_cast<std::int64_t>(rows.size());
      pick = random.below(count);
      if (twin == 1 && count > 1) pick = (pick + 1 + random.below(count - 1)) % count;
      if (twin > 1)
        pick = CounterRandom{plan.seed,
                             static_cast<std::uint64_t>(epoch),
                             static_cast<std::uint64_t>(number),
                             Purpose::draw_view,
                             input,
                             static_cast<std::uint64_t>(twin)}
                   .below(count);
    }
    chosen.push_back(rows[static_cast<std::size_t>(pick)]);
  }
  return chosen;
}

void read_mask(const Corpus& corpus, const SampleRow& row, int size,
               std::vector<std::uint8_t>& out) {
  out.assign(static_cast<std::size_t>(size) * static_cast<std::size_t>(size), 255);
  const auto array = corpus.array(row.mask_shard, row.mask_offset, row.mask_length);
  const auto& shape = array.header.shape;
  if (array.header.dtype != shard::DType::u8 || shape.size() != 3)
    throw Error::failed("the mask of sample " + row.sample + " in " + row.mask_shard +
                        " is not uint8 (1, H, W); run: tilewright label JOB --force label");
  const auto table = corpus.class_of_value();
  const auto height = std::min<std::int64_t>(shape[1], size),
             width = std::min<std::int64_t>(shape[2], size);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      out[static_cast<std::size_t>(y * size + x)] = table[std::to_integer<std::size_t>(
          array.data[static_cast<std::size_t>(y * shape[2] + x)])];
}

ValueRange range_of(std::span<const float> values) {
  ValueRange range{std::numeric_limits<double>::infinity(),
                   -std::numeric_limits<double>::infinity()};
  for (const auto value : values) {
    if (std::isnan(value)) continue;
    range.min = std::min(range.min, static_cast<double>(value));
    range.max = std::max(range.max, static_cast<double>(value));
  }
  return range.min <= range.max ? range : ValueRange{};
}

std::span<float> plane_of(Patch& patch, std::size_t channel) {
  const auto pixels = static_cast<std::size_t>(patch.size) * static_cast<std::size_t>(patch.size);
  return std::span(patch.image).subspan(channel * pixels, pixels);
}

/// Ranges before the crop, for rows that say "of the sample".
std::vector<ValueRange> ranges_of(Patch& patch) {
  std::vector<ValueRange> ranges;
  for (std::size_t c = 0; c < static_cast<std::size_t>(patch.channels); ++c)
    ranges.push_back(range_of(plane_of(patch, c)));
  return ranges;
}

void normalize(Patch& patch, const ReadPlan& plan, const std::vector<ValueRange>& whole) {
  std::size_t channel = 0;
  for (const auto& input : plan.inputs) {
    const auto& row = normalize_row(input.normalize);
    for (std::size_t b = 0; b < input.bands.size(); ++b, ++channel) {
      if (input.band_indices[b] == kPresence) continue;
      const auto plane = plane_of(patch, channel);
      const auto range = row.name == "max_local" ? range_of(plane) : whole[channel];
      const auto scaling = row.scaling(input.statistics[b], input.bands[b], range);
      for (auto& value : plane) value = std::isnan(value) ? 0.0F : scaling(value);
    }
  }
}

void augment(Patch& patch, const ReadPlan& plan, bool geometric, std::int64_t epoch,
             std::int64_t number, int twin) {
  for (const auto row : plan.augment) {
    if (augmentations()[row].is_geometric != geometric) continue;
    CounterRandom random{plan.seed, static_cast<std::uint64_t>(epoch),
                         static_cast<std::uint64_t>(number), Purpose::augment_first + row,
                         static_cast<std::uint64_t>(twin)};
    augmentations()[row].apply(patch, random);
  }
}

void crop_draw(Patch& patch, const ReadPlan& plan, std::int64_t epoch, std::int64_t number,
               int twin) {
  if (plan.crops.empty()) return;
  CounterRandom random{plan.seed, static_cast<std::uint64_t>(epoch),
                       static_cast<std::uint64_t>(number), Purpose::crop_draws,
                       static_cast<std::uint64_t>(twin)};
  crop(patch, plan.crops[static_cast<std::size_t>(twin)], random);
}

bool has_presence(const InputInfo& input) {
  return !input.band_indices.empty() && input.band_indices.back() == kPresence;
}

/// Dates of stacks, last of all: nothing may move the 0 of one that is missing.
void mark_presence(Patch& patch, const ReadPlan& plan, std::span<const SampleRow* const> rows) {
  std::size_t channel = 0;
  for (std::size_t input = 0; input < rows.size(); ++input) {
    const auto bands = plan.inputs[input].bands.size();
    const bool is_there = rows[input]->shard != "-";
    if (has_presence(plan.inputs[input])) {
      for (std::size_t b = 0; !is_there && b < bands; ++b)
        std::ranges::fill(plane_of(patch, channel + b), 0.0F);
      std::ranges::fill(plane_of(patch, channel + bands - 1), is_there ? 1.0F : 0.0F);
    }
    channel += bands;
  }
}

bool has_non_finite(const shard::ArrayView& array, std::span<const float> pixels, int size) {
  const auto height = std::min<std::int64_t>(array.header.shape[1], size),
             width = std::min<std::int64_t>(array.header.shape[2], size);
  const auto plane = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
  for (std::size_t start = 0; start < pixels.size(); start += plane)
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x)
        if (std::isnan(pixels[start + static_cast<std::size_t>(y * size + x)])) return true;
  return false;
}

}  // namespace

void read_raw(const shard::ArrayView& array, std::span<const int> band_indices, int size,
              float* out, const std::string& what) {
  const auto& shape = array.header.shape;
  if (shape.size() != 3)
    throw Error::failed(what +
                        " is not an array (C, H, W); run: tilewright extract JOB --force extract");
  const auto height = std::min<std::int64_t>(shape[1], size),
             width = std::min<std::int64_t>(shape[2], size);
  const auto pixels = static_cast<std::int64_t>(size) * size;
  std::fill(out, out + pixels * static_cast<std::int64_t>(band_indices.size()), kMissing);
  shard::with_type(array.header.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* data = reinterpret_cast<const T*>(array.data.data());
    for (const int band : band_indices) {
      if (band < 0 || band >= shape[0])
        throw Error::failed(what + " has " + std::to_string(shape[0]) +
                            " bands, the dataset reads band " + std::to_string(band + 1) +
                            "; run: tilewright dataset JOB --force dataset");
      for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x) {
          const auto value = static_cast<float>(data[(band * shape[1] + y) * shape[2] + x]);
          if constexpr (std::is_floating_point_v<T>)
            out[y * size + x] = std::isfinite(value) ? value : kMissing;
          else
            out[y * size + x] = value;
        }
      out += pixels;
    }
  });
}

ReadResult read_sample(const Corpus& corpus, const CorpusSample& sample, const ReadPlan& plan,
                       std::int64_t epoch, std::int64_t sample_number, int twin) {
  ReadResult result;
  auto& patch = result.patch;
  patch.size = corpus.size_px();
  patch.channels = corpus.channels();
  const auto pixels = static_cast<std::size_t>(patch.size) * static_cast<std::size_t>(patch.size);
  patch.image.resize(static_cast<std::size_t>(patch.channels) * pixels);
  std::size_t channel = 0;
  const auto rows = rows_of(sample, plan, epoch, sample_number, twin);
  for (std::size_t input = 0; input < rows.size(); ++input) {
    const auto& info = plan.inputs[input];
    const auto read = info.bands.size() - (has_presence(info) ? 1 : 0);
    const auto part = std::span(patch.image).subspan(channel * pixels, read * pixels);
    channel += info.bands.size();
    if (rows[input]->shard == "-") {
      std::ranges::fill(part, kMissing);
      continue;
    }
    const auto array = corpus.array(rows[input]->shard, rows[input]->offset, rows[input]->length);
    read_raw(array, std::span(info.band_indices).first(read), patch.size, part.data(),
             "sample " + sample.name);
    if (array.header.dtype == shard::DType::f32 || array.header.dtype == shard::DType::f64)
      result.has_non_finite |= has_non_finite(array, part, patch.size);
  }
  if (rows.front()->mask_shard != "-") read_mask(corpus, *rows.front(), patch.size, patch.mask);
  const auto ranges = ranges_of(patch);
  crop_draw(patch, plan, epoch, sample_number, twin);
  augment(patch, plan, true, epoch, sample_number, twin);
  normalize(patch, plan, ranges);
  augment(patch, plan, false, epoch, sample_number, twin);
  mark_presence(patch, plan, rows);
  return result;
}

}  // namespace tilewright::learn
