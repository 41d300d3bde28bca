// SPDX-License-Identifier: Apache-2.0
// Reads, augments and normalizes one sample; no torch here: loader threads run it.
#include "learn/data/read_sample.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "geometry/error.h"
#include "learn/data/scale_pixels.h"

namespace tilewright::learn {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
enum Purpose : std::uint64_t { draw_view = 1, crop_draws = 2, augment_first = 16 };

/// The row of each input that makes this draw of the sample.
std::vector<const SampleRow*> rows_of(const CorpusSample& sample, const ReadPlan& plan,
                                      std::int64_t epoch, std::int64_t number, int twin) {
  std::vector<const SampleRow*> chosen;
  chosen.reserve(plan.inputs.size());
  for (std::size_t input = 0; input < plan.inputs.size(); ++input) {
    const auto is_of_input = [&](const SampleRow& row) {
      return row.input == static_cast<int>(input);
    };
    const auto count = static_cast<std::int64_t>(std::ranges::count_if(sample.rows, is_of_input));
    if (count == 0)
      throw Error::failed("sample " + sample.name + " has no view of " + plan.inputs[input].series +
                          "; make the dataset again: tilewright dataset JOB --force dataset");
    std::int64_t pick = 0;
    if (plan.draw_views) {  // both twins see one draw of two different views where there are two
      CounterRandom random{plan.seed, static_cast<std::uint64_t>(epoch),
                           static_cast<std::uint64_t>(number), Purpose::draw_view, input};
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
    auto row = std::ranges::find_if(sample.rows, is_of_input);
    for (; pick > 0; --pick) row = std::find_if(row + 1, sample.rows.end(), is_of_input);
    chosen.push_back(&*row);
  }
  return chosen;
}

void read_mask(const Corpus& corpus, const SampleRow& row, int size, std::uint8_t* out) {
  const auto array = corpus.array(row.mask_shard, row.mask_offset, row.mask_length);
  const auto& shape = array.header.shape;
  if (array.header.dtype != shard::DType::u8 || shape.size() != 3)
    throw Error::failed("the mask of sample " + row.sample + " in " + row.mask_shard +
                        " is not uint8 (1, H, W); run: tilewright label JOB --force label");
  const auto& table = corpus.class_of_value();
  const auto side = static_cast<std::size_t>(size);
  if (shape[1] == size && shape[2] == size)
    return map_classes(array.data.first(side * side), table, out);
  std::fill(out, out + side * side, 255);
  const auto height = std::min<std::int64_t>(shape[1], size),
             width = std::min<std::int64_t>(shape[2], size);
  for (std::int64_t y = 0; y < height; ++y)
    map_classes(array.data.subspan(static_cast<std::size_t>(y * shape[2]),
                                   static_cast<std::size_t>(width)),
                table, out + y * size);
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

/// The planes of one input's bands in (C, size, size), and how each is scaled.
struct InputPlanes {
  std::span<float> values;
  std::size_t pixels = 0;
  [[nodiscard]] std::span<float> plane(std::size_t band) const {
    return values.subspan(band * pixels, pixels);
  }
};

std::vector<InputPlanes> planes_of(const ReadPlan& plan, std::span<float> values, int size) {
  const auto pixels = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
  std::vector<InputPlanes> all;
  std::size_t first = 0;
  for (const auto& input : plan.inputs) {
    const auto count = input.bands.size() * pixels;
    all.push_back({values.subspan(first, count), pixels});
    first += count;
  }
  return all;
}

/// Of each band, where its formula needs them.
std::vector<ValueRange> ranges_of(const InputInfo& input, const InputPlanes& planes) {
  std::vector<ValueRange> ranges(input.bands.size());
  if (normalize_row(input.normalize).is_local)
    for (std::size_t b = 0; b < ranges.size(); ++b) ranges[b] = range_of(planes.plane(b));
  return ranges;
}

std::vector<BandScaling> scalings_of(const InputInfo& input,
                                     const std::vector<ValueRange>& ranges) {
  const auto& row = normalize_row(input.normalize);
  std::vector<BandScaling> scalings;
  for (std::size_t b = 0; b < input.bands.size(); ++b)
    scalings.push_back(input.band_indices[b] == kPresence
                           ? BandScaling{}
                           : row.scaling(input.statistics[b], input.bands[b], ranges[b]));
  return scalings;
}

void normalize(const InputInfo& input, const InputPlanes& planes,
               const std::vector<ValueRange>& ranges) {
  const auto scalings = scalings_of(input, ranges);
  for (std::size_t b = 0; b < scalings.size(); ++b)
    scale_in_place(planes.plane(b), scalings[b], 0);
}

/// `ranges`, by input, are of the whole sample; max_local looks at what the crop shows.
void normalize(Patch& patch, const ReadPlan& plan,
               const std::vector<std::vector<ValueRange>>& ranges) {
  const auto planes = planes_of(plan, patch.image, patch.size);
  for (std::size_t i = 0; i < plan.inputs.size(); ++i) {
    const auto& input = plan.inputs[i];
    normalize(input, planes[i],
              input.normalize == "max_local" ? ranges_of(input, planes[i]) : ranges[i]);
  }
}

bool is_missing(const SampleRow& row) { return row.shard == "-"; }

bool has_presence(const InputInfo& input) {
  return !input.band_indices.empty() && input.band_indices.back() == kPresence;
}

/// Indices of the bands that lie in the shard.
std::span<const int> stored_bands(const InputInfo& input) {
  return std::span(input.band_indices).first(input.bands.size() - (has_presence(input) ? 1 : 0));
}

/// Dates of stacks, last of all: nothing may move the 0 of one that is missing.
void mark_presence(const ReadPlan& plan, std::span<const InputPlanes> planes,
                   std::span<const SampleRow* const> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!has_presence(plan.inputs[i])) continue;
    if (is_missing(*rows[i])) std::ranges::fill(planes[i].values, 0.0F);
    else std::ranges::fill(planes[i].plane(plan.inputs[i].bands.size() - 1), 1.0F);
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

/// Bands of one member into (C, size, size), each by its scaling; true if all pixels are finite.
bool read_bands(const shard::ArrayView& array, std::span<const int> band_indices,
                std::span<const BandScaling> scalings, float missing, int size, float* out,
                const std::string& what) {
  const auto& shape = array.header.shape;
  if (shape.size() != 3)
    throw Error::failed(what +
                        " is not an array (C, H, W); run: tilewright extract JOB --force extract");
  const auto height = std::min<std::int64_t>(shape[1], size),
             width = std::min<std::int64_t>(shape[2], size);
  const auto pixels = static_cast<std::int64_t>(size) * size;
  const auto bytes = static_cast<std::int64_t>(shard::byte_size(array.header.dtype));
  const bool is_whole = shape[1] == size && shape[2] == size;
  bool is_finite = true;
  for (std::size_t b = 0; b < band_indices.size(); ++b, out += pixels) {
    const int band = band_indices[b];
    if (band < 0 || band >= shape[0])
      throw Error::failed(what + " has " + std::to_string(shape[0]) +
                          " bands, the dataset reads band " + std::to_string(band + 1) +
                          "; run: tilewright dataset JOB --force dataset");
    const auto* plane = array.data.data() + band * shape[1] * shape[2] * bytes;
    const auto scale = [&](std::int64_t from, std::int64_t count, float* to) {
      return scale_pixels(array.header.dtype, plane + from * bytes,
                          static_cast<std::size_t>(count), scalings[b], missing, to);
    };
    if (is_whole) {
      is_finite = scale(0, pixels, out) && is_finite;
      continue;
    }
    std::fill(out, out + pixels, missing);
    for (std::int64_t y = 0; y < height; ++y)
      is_finite = scale(y * shape[2], width, out + y * size) && is_finite;
  }
  return is_finite;
}

/// As they are, NaN where there is none.
bool read_unscaled(const shard::ArrayView& array, std::span<const int> band_indices, int size,
                   float* out, const std::string& what) {
  const std::vector<BandScaling> none(band_indices.size());
  return read_bands(array, band_indices, none, kMissing, size, out, what);
}

shard::ArrayView array_of(const Corpus& corpus, const SampleRow& row) {
  return corpus.array(row.shard, row.offset, row.length);
}

}  // namespace

void read_raw(const shard::ArrayView& array, std::span<const int> band_indices, int size,
              float* out, const std::string& what) {
  read_unscaled(array, band_indices, size, out, what);
}

bool is_read_in_one_pass(const ReadPlan& plan) { return plan.crops.empty() && plan.augment.empty(); }

bool has_mask(const CorpusSample& sample) { return sample.rows.front().mask_shard != "-"; }

bool read_in_one_pass(const Corpus& corpus, const CorpusSample& sample, const ReadPlan& plan,
                      std::int64_t epoch, std::int64_t sample_number, int twin,
                      std::span<float> image, std::uint8_t* mask) {
  const auto what = "sample " + sample.name;
  const int size = corpus.size_px();
  const auto rows = rows_of(sample, plan, epoch, sample_number, twin);
  const auto planes = planes_of(plan, image, size);
  bool is_finite = true;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& input = plan.inputs[i];
    if (is_missing(*rows[i])) continue;
    const auto array = array_of(corpus, *rows[i]);
    auto* out = planes[i].values.data();
    if (normalize_row(input.normalize).is_local) {
      is_finite = read_unscaled(array, stored_bands(input), size, out, what) && is_finite;
      normalize(input, planes[i], ranges_of(input, planes[i]));
    } else {
      const auto scalings = scalings_of(input, ranges_of(input, planes[i]));
      is_finite =
          read_bands(array, stored_bands(input), scalings, 0, size, out, what) && is_finite;
    }
  }
  mark_presence(plan, planes, rows);
  if (mask != nullptr) read_mask(corpus, *rows.front(), size, mask);
  return is_finite;
}

bool read_sample(const Corpus& corpus, const CorpusSample& sample, const ReadPlan& plan,
                 std::int64_t epoch, std::int64_t sample_number, int twin, Patch& patch) {
  patch.size = corpus.size_px();
  patch.channels = corpus.channels();
  const auto pixels = static_cast<std::size_t>(patch.size) * static_cast<std::size_t>(patch.size);
  patch.image.resize(static_cast<std::size_t>(patch.channels) * pixels);
  const auto what = "sample " + sample.name;
  const auto rows = rows_of(sample, plan, epoch, sample_number, twin);
  const auto planes = planes_of(plan, patch.image, patch.size);
  std::vector<std::vector<ValueRange>> ranges;
  bool is_finite = true;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (is_missing(*rows[i])) std::ranges::fill(planes[i].values, kMissing);
    else
      is_finite = read_unscaled(array_of(corpus, *rows[i]), stored_bands(plan.inputs[i]),
                                patch.size, planes[i].values.data(), what) &&
                  is_finite;
    ranges.push_back(ranges_of(plan.inputs[i], planes[i]));
  }
  patch.mask.resize(has_mask(sample) ? pixels : 0);
  if (has_mask(sample)) read_mask(corpus, *rows.front(), patch.size, patch.mask.data());
  crop_draw(patch, plan, epoch, sample_number, twin);
  augment(patch, plan, true, epoch, sample_number, twin);
  normalize(patch, plan, ranges);
  augment(patch, plan, false, epoch, sample_number, twin);
  mark_presence(plan, planes_of(plan, patch.image, patch.size), rows);
  return is_finite;
}

}  // namespace tilewright::learn
