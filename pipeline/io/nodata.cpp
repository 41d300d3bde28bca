// SPDX-License-Identifier: Apache-2.0
// Nodata tests in the pixel's own type: comparing as double would miss rounded values.
#include "pipeline/io/nodata.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

namespace tilewright::pipeline {
namespace {

template <class T>
std::optional<T> as_type(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(value)) return std::nullopt;
    const double limit = std::numeric_limits<T>::max();
    // Headers round: 3.4028235e38 is written for the largest float and lies just above it.
    return static_cast<T>(std::clamp(value, -limit, limit));
  } else {
    const bool fits = value >= double(std::numeric_limits<T>::min()) && value <= double(std::numeric_limits<T>::max()) && value == std::floor(value);
    return fits ? std::optional<T>(static_cast<T>(value)) : std::nullopt;
  }
}

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T>
bool clear_typed(std::span<const std::byte> pixels, const std::optional<double>& nodata, std::span<std::uint8_t> valid) {
  const auto wanted = nodata ? as_type<T>(*nodata) : std::nullopt;
  if (!wanted && !std::is_floating_point_v<T>) return !valid.empty();
  const T value = wanted.value_or(T{});
  const bool has_value = wanted.has_value();
  unsigned any = 0;
  for (std::size_t i = 0; i < valid.size(); ++i) {
    const T pixel = load<T>(pixels.data() + i * sizeof(T));
    bool good = !(has_value && pixel == value);
    if constexpr (std::is_floating_point_v<T>) good = good && std::isfinite(pixel);
    valid[i] = static_cast<std::uint8_t>(valid[i] & unsigned(good));
    any |= unsigned(good);
  }
  return any != 0;
}

struct Run {
  std::int64_t begin, end;
};

std::vector<Run> runs_of(const geometry::Bitmask& mask, std::int64_t row) {
  std::vector<Run> out;
  for (std::int64_t col = 0; col < mask.width(); ++col) {
    if ((col & 63) == 0 && mask.row_words(row)[col >> 6] == 0) {
      col += 63;
      continue;
    }
    if (!mask.get(col, row)) continue;
    if (!out.empty() && out.back().end == col) out.back().end = col + 1;
    else out.push_back({col, col + 1});
  }
  return out;
}

class Labels {
 public:
  std::size_t add() {
    parent_.push_back(parent_.size());
    return parent_.size() - 1;
  }
  std::size_t root(std::size_t label) {
    while (parent_[label] != label) label = parent_[label] = parent_[parent_[label]];
    return label;
  }
  /// The smaller label stays, and label 0 is the border.
  void join(std::size_t a, std::size_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace

NodataTest nodata_test(const NodataConfig& config, const std::string& band, std::optional<double> declared) {
  const NodataConfig* rule = &config;
  for (const auto& [name, own] : config.per_band)
    if (name == band) rule = &own;
  switch (rule->mode) {
    case NodataMode::declared: return {declared, false};
    case NodataMode::detect: return {std::nullopt, true};
    case NodataMode::value: return {rule->value, false};
    case NodataMode::none: break;
  }
  return {};
}

bool clear_nodata(shard::DType dtype, std::span<const std::byte> pixels, const NodataTest& test, std::span<std::uint8_t> valid) {
  return shard::with_type(dtype, [&](auto type) { return clear_typed<decltype(type)>(pixels, test.value, valid); });
}

std::vector<std::byte> nodata_pixel(shard::DType dtype, const NodataTest& test) {
  return shard::with_type(dtype, [&](auto type) {
    using T = decltype(type);
    const T value = test.value ? as_type<T>(*test.value).value_or(T{}) : T{};
    const auto bytes = std::as_bytes(std::span(&value, 1));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  });
}

void and_zero(shard::DType dtype, std::span<const std::byte> pixels, std::span<std::uint8_t> zero) {
  shard::with_type(dtype, [&](auto type) {
    using T = decltype(type);
    for (std::size_t i = 0; i < zero.size(); ++i) zero[i] = static_cast<std::uint8_t>(zero[i] & unsigned(load<T>(pixels.data() + i * sizeof(T)) == T{}));
  });
}

geometry::Bitmask connected_to_border(const geometry::Bitmask& candidates) {
  constexpr std::size_t kBorder = 0;
  Labels labels;
  labels.add();
  std::vector<std::vector<std::size_t>> of_row(static_cast<std::size_t>(candidates.height()));
  std::vector<Run> above, runs;
  for (std::int64_t row = 0; row < candidates.height(); ++row, above = std::move(runs)) {
    runs = runs_of(candidates, row);
    auto& own = of_row[static_cast<std::size_t>(row)];
    std::size_t a = 0;
    for (const auto& run : runs) {
      own.push_back(labels.add());
      const bool at_edge = row == 0 || row + 1 == candidates.height() || run.begin == 0 || run.end == candidates.width();
      if (at_edge) labels.join(kBorder, own.back());
      while (a < above.size() && above[a].end <= run.begin) ++a;
      for (auto b = a; b < above.size() && above[b].begin < run.end; ++b) labels.join(of_row[static_cast<std::size_t>(row) - 1][b], own.back());
    }
  }
  geometry::Bitmask out(candidates.width(), candidates.height());
  for (std::int64_t row = 0; row < candidates.height(); ++row) {
    std::size_t i = 0;
    for (const auto& run : runs_of(candidates, row))
      if (labels.root(of_row[static_cast<std::size_t>(row)][i++]) == kBorder) out.set_run(run.begin, run.end, row, true);
  }
  return out;
}

namespace {

/// Each run of a row made longer by `before` to the left and `after` to the right.
geometry::Bitmask widened(const geometry::Bitmask& mask, std::int64_t before, std::int64_t after) {
  geometry::Bitmask out(mask.width(), mask.height());
  for (std::int64_t row = 0; row < mask.height(); ++row)
    for (const auto& run : runs_of(mask, row)) out.set_run(std::max<std::int64_t>(0, run.begin - before), std::min(mask.width(), run.end + after), row, true);
  return out;
}

/// A pixel is set if one of the rows from `row - before` to `row + after` has it set.
geometry::Bitmask heightened(const geometry::Bitmask& mask, std::int64_t before, std::int64_t after) {
  geometry::Bitmask out(mask.width(), mask.height());
  for (std::int64_t row = 0; row < mask.height(); ++row)
    for (auto from = std::max<std::int64_t>(0, row - before); from <= std::min(mask.height() - 1, row + after); ++from)
      for (const auto& run : runs_of(mask, from)) out.set_run(run.begin, run.end, row, true);
  return out;
}

}  // namespace

geometry::Bitmask border_nodata(const geometry::Bitmask& zeros) {
  constexpr int kSolid_px = 5;
  const auto w = zeros.width(), h = zeros.height();
  // The tile in a frame of zeros.
  geometry::Bitmask framed(w + 2 * kSolid_px, h + 2 * kSolid_px, true);
  for (std::int64_t row = 0; row < h; ++row) {
    framed.set_run(kSolid_px, kSolid_px + w, row + kSolid_px, false);
    for (const auto& run : runs_of(zeros, row)) framed.set_run(run.begin + kSolid_px, run.end + kSolid_px, row + kSolid_px, true);
  }
  const auto anchors = geometry::window_anchors(framed, kSolid_px);
  geometry::Bitmask solid(w, h);  // pixels of the tile under a block of zeros
  for (std::int64_t row = 0; row < anchors.height(); ++row)
    for (const auto& run : runs_of(anchors, row)) {
      const auto begin = std::max<std::int64_t>(0, run.begin - kSolid_px), end = std::min(w, run.end - 1);
      if (begin >= end) continue;
      for (auto at = std::max<std::int64_t>(0, row - kSolid_px); at < std::min(h, row); ++at) solid.set_run(begin, end, at, true);
    }
  const auto near = heightened(widened(solid, kSolid_px, kSolid_px), kSolid_px, kSolid_px);
  return connected_to_border(zeros & near);
}

}  // namespace tilewright::pipeline
