// SPDX-License-Identifier: Apache-2.0
// Kernels in double precision, with validity before values and squares inside the source at speed.
#include "geometry/resample.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

#include "geometry/bilinear.h"
#include "geometry/rounded.h"

namespace tilewright::geometry {
namespace {

constexpr double kSliver_px = 1e-6;    ///< edges of quads this near to a pixel's edge lie on it
constexpr double kLeastArea = 1e-12;   ///< of a pixel: less is rounding noise, no weight

bool has_zero(std::span<const std::uint8_t> bytes) { return !bytes.empty() && std::memchr(bytes.data(), 0, bytes.size()) != nullptr; }

double snapped(double place) {
  const double near = std::round(place);
  return std::abs(place - near) < kSliver_px ? near : place;
}

std::array<double, 4> cubic_weights(double u) {
  const double u2 = u * u, u3 = u2 * u;
  return {0.5 * (-u + 2 * u2 - u3), 0.5 * (2 - 5 * u2 + 3 * u3), 0.5 * (u + 4 * u2 - 3 * u3), 0.5 * (u3 - u2)};
}

/// Integral of clamp(z, 0, 1).
double ramp(double z) { return z <= 0 ? 0 : z >= 1 ? z - 0.5 : 0.5 * z * z; }

/// Mean of clamp(edge - x, 0, 1) for x between two ends: the part of a pixel that ends at `edge` right of a line.
double right_of(double edge, double a, double b) {
  const double low = std::min(a, b), width = std::max(a, b) - low;
  if (width < 1e-9) return std::clamp(edge - (low + 0.5 * width), 0.0, 1.0);
  return (ramp(edge - low) - ramp(edge - low - width)) / width;
}

/// Adds the signed area between an edge and the right border of `box` to each pixel of the box.
void add_edge(PixelXY from, PixelXY to, const Window& box, std::vector<double>& area) {
  const double sign = from.row < to.row ? 1 : -1;
  if (from.row > to.row) std::swap(from, to);
  const double slope = from.row == to.row ? 0 : (to.col - from.col) / (to.row - from.row);
  for (std::int64_t r = 0; r < box.height; ++r) {
    const double top = std::max(from.row, static_cast<double>(box.row + r)), bottom = std::min(to.row, static_cast<double>(box.row + r + 1));
    if (!(top < bottom)) continue;
    const double a = from.col + (top - from.row) * slope, b = bottom == to.row ? to.col : from.col + (bottom - from.row) * slope;
    for (std::int64_t c = 0; c < box.width; ++c)
      area[static_cast<std::size_t>(r * box.width + c)] += sign * (bottom - top) * right_of(static_cast<double>(box.col + c + 1), a, b);
  }
}

const BilinearKernels& kernels_of([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return kAvx512Bilinear;
  if (isa == Isa::avx2) return kAvx2Bilinear;
#endif
  return kScalarBilinear;
}

}  // namespace

double kernel_reach_px(Resampling kernel) {
  switch (kernel) {
    case Resampling::bilinear: return 0.5;
    case Resampling::cubic: return 1.5;
    case Resampling::nearest:
    case Resampling::average: break;
  }
  return 0;
}

PixelSpan touched_pixels(Resampling kernel, double least, double most) {
  if (kernel == Resampling::average)
    return {static_cast<std::int64_t>(std::floor(snapped(least))), static_cast<std::int64_t>(std::ceil(snapped(most)))};
  const double reach = kernel_reach_px(kernel) + kSliver_px;
  return {static_cast<std::int64_t>(std::floor(least - reach)), static_cast<std::int64_t>(std::floor(most + reach)) + 1};
}

struct Taps::Axis {
  double first;
  std::array<double, 4> weight;
};

Taps::Axis Taps::axis(Resampling kernel, double place) {
  if (kernel == Resampling::nearest) return {std::floor(place), {1}};
  const double base = std::floor(place - 0.5), u = place - 0.5 - base;
  if (kernel == Resampling::bilinear) return {base, {1 - u, u}};
  return {base - 1, cubic_weights(u)};
}

void Taps::place(Resampling kernel, const Window& source, std::span<const std::uint8_t> valid, std::span<const PixelXY> places, std::int64_t width, Isa isa) {
  assert(source.width * source.height <= std::numeric_limits<std::int32_t>::max());
  source_ = source, source_valid_ = valid, isa_ = isa, size_ = 1;
  first_.clear(), listed_.clear(), taps_.clear();
  if (kernel != Resampling::average) {
    size_ = kernel == Resampling::nearest ? 1 : kernel == Resampling::bilinear ? 2 : 4;
    first_.resize(places.size(), -1);
    valid_.assign(places.size(), 0);
    const std::size_t weights = size_ == 4 ? 4 : size_ == 2 ? 1 : 0;  // arrays a direction
    across_.resize(places.size() * weights), down_.resize(across_.size());
    if (kernel == Resampling::bilinear && place_squares(places)) return;
    for (std::size_t k = 0; k < places.size(); ++k)
      if (first_[k] < 0) add_point(kernel, places[k], k);
    return;
  }
  const auto across = static_cast<std::size_t>(width + 1), rows = places.size() / across - 1;
  valid_.assign(static_cast<std::size_t>(width) * rows, 0);
  for (std::size_t k = 0; k < valid_.size(); ++k) {
    const auto at = k / static_cast<std::size_t>(width) * across + k % static_cast<std::size_t>(width);
    add_quad({places[at], places[at + 1], places[at + across + 1], places[at + across]}, k);
  }
}

bool Taps::all_valid() const { return !has_zero(valid_); }

bool Taps::usable(std::int64_t col, std::int64_t row) const {
  if (col < 0 || row < 0 || col >= source_.width || row >= source_.height) return false;
  return source_valid_.empty() || source_valid_[static_cast<std::size_t>(row * source_.width + col)] != 0;
}

Squares Taps::squares() const { return {first_.data(), across_.data(), down_.data()}; }

bool Taps::place_squares(std::span<const PixelXY> places) {
  static_assert(sizeof(PixelXY) == 2 * sizeof(double));
  const SourceBox box{static_cast<double>(source_.col), static_cast<double>(source_.row), static_cast<double>(source_.width), static_cast<double>(source_.height)};
  const std::size_t n = places.size();
  const NewSquares to{first_.data(), across_.data(), down_.data()};
  const bool have_all = n == 0 || kernels_of(isa_).place(&places.front().col, box, 0, n, to);
  const bool is_all_valid = !has_zero(source_valid_);
  if (have_all && is_all_valid) {  // as nearly always
    std::fill(valid_.begin(), valid_.end(), std::uint8_t{1});
    return true;
  }
  for (std::size_t k = 0; k < n; ++k) valid_[k] = first_[k] >= 0;
  if (is_all_valid) return false;
  const auto stride = static_cast<std::size_t>(source_.width);
  for (std::size_t k = 0; k < n; ++k) {
    if (first_[k] < 0) continue;
    const auto* at = source_valid_.data() + first_[k];
    if (!(at[0] && at[1] && at[stride] && at[stride + 1])) first_[k] = -1, valid_[k] = 0;
  }
  return false;
}

void Taps::add_point(Resampling kernel, PixelXY place, std::size_t output) {
  const double least_col = static_cast<double>(source_.col) - 4, least_row = static_cast<double>(source_.row) - 4;
  const bool is_near = place.col > least_col && place.row > least_row && place.col < static_cast<double>(source_.col + source_.width) + 4 &&
                       place.row < static_cast<double>(source_.row + source_.height) + 4;
  if (!is_near) return;  // NaN too
  const Axis across = axis(kernel, place.col), down = axis(kernel, place.row);
  const auto col = static_cast<std::int64_t>(across.first) - source_.col, row = static_cast<std::int64_t>(down.first) - source_.row;
  bool is_square = true;
  for (int r = 0; r < size_ && is_square; ++r)
    for (int c = 0; c < size_ && is_square; ++c) is_square = usable(col + c, row + r);
  if (is_square) {
    assert(kernel != Resampling::bilinear);  // those were found by place_squares
    first_[output] = static_cast<std::int32_t>(row * source_.width + col);
    valid_[output] = 1;
    for (std::size_t k = 0; kernel == Resampling::cubic && k < 4; ++k) {
      across_[k * valid_.size() + output] = across.weight[k];
      down_[k * valid_.size() + output] = down.weight[k];
    }
    return;
  }
  const auto begin = taps_.size();
  bool ok = true;
  for (int r = 0; r < size_ && ok; ++r)
    for (int c = 0; c < size_ && ok; ++c) {
      const double weight = down.weight[static_cast<std::size_t>(r)] * across.weight[static_cast<std::size_t>(c)];
      if (weight == 0) continue;
      ok = usable(col + c, row + r);
      if (ok) taps_.push_back({static_cast<std::uint32_t>((row + r) * source_.width + col + c), weight});
    }
  add_listed(output, begin, ok, 1);
}

void Taps::add_quad(const PixelXY (&corners)[4], std::size_t output) {
  PixelXY quad[4], low{1e300, 1e300}, high{-1e300, -1e300};
  for (int k = 0; k < 4; ++k) {
    quad[k] = {snapped(corners[k].col), snapped(corners[k].row)};
    low = {std::min(low.col, quad[k].col), std::min(low.row, quad[k].row)};
    high = {std::max(high.col, quad[k].col), std::max(high.row, quad[k].row)};
    if (!std::isfinite(quad[k].col) || !std::isfinite(quad[k].row)) return;
  }
  if (low.col < static_cast<double>(source_.col) || low.row < static_cast<double>(source_.row) ||
      high.col > static_cast<double>(source_.col + source_.width) || high.row > static_cast<double>(source_.row + source_.height))
    return;
  const Window box{static_cast<std::int64_t>(std::floor(low.col)), static_cast<std::int64_t>(std::floor(low.row)),
                   static_cast<std::int64_t>(std::ceil(high.col) - std::floor(low.col)), static_cast<std::int64_t>(std::ceil(high.row) - std::floor(low.row))};
  std::vector<double> area(static_cast<std::size_t>(std::max<std::int64_t>(box.width * box.height, 0)));
  for (int k = 0; k < 4; ++k) add_edge(quad[k], quad[(k + 1) % 4], box, area);
  const auto begin = taps_.size();
  bool ok = true;
  double sum = 0;
  for (std::size_t k = 0; k < area.size() && ok; ++k) {
    if (!(std::abs(area[k]) > kLeastArea)) continue;
    const auto col = box.col - source_.col + static_cast<std::int64_t>(k) % box.width, row = box.row - source_.row + static_cast<std::int64_t>(k) / box.width;
    ok = usable(col, row);
    if (ok) taps_.push_back({static_cast<std::uint32_t>(row * source_.width + col), area[k]});
    sum += area[k];
  }
  add_listed(output, begin, ok && taps_.size() > begin, sum);
}

void Taps::add_listed(std::size_t output, std::size_t begin, bool ok, double scale) {
  valid_[output] = ok ? 1 : 0;
  if (ok) listed_.push_back({output, begin, taps_.size(), scale});
  else taps_.resize(begin);
}

template <int N, class T>
void Taps::apply_square(std::span<const T> pixels, std::span<T> out) const {
  const auto stride = source_.width;
  for (std::size_t k = 0; k < out.size(); ++k) {
    if (first_[k] < 0) continue;
    const T* row = pixels.data() + first_[k];
    if constexpr (N == 1) {
      out[k] = *row;
    } else {
      const double *across = &across_[k], *down = &down_[k];
      double sum = 0;
      for (std::size_t r = 0; r < N; ++r, row += stride) {
        double line = across[0] * static_cast<double>(row[0]);
        for (std::size_t c = 1; c < N; ++c) line += across[c * out.size()] * static_cast<double>(row[c]);
        sum = r == 0 ? down[0] * line : sum + down[r * out.size()] * line;
      }
      out[k] = rounded<T>(sum);
    }
  }
}

template <class T>
void Taps::apply_bilinear(std::span<const T> pixels, std::span<T> out) const {
  const BilinearKernels& kernels = kernels_of(isa_);
  if constexpr (std::is_same_v<T, std::uint8_t>) kernels.u8(pixels.data(), source_.width, squares(), 0, out.size(), out.data());
  else if constexpr (std::is_same_v<T, std::uint16_t>) kernels.u16(pixels.data(), source_.width, squares(), 0, out.size(), out.data());
  else if constexpr (std::is_same_v<T, std::int16_t>) kernels.i16(pixels.data(), source_.width, squares(), 0, out.size(), out.data());
  else if constexpr (std::is_same_v<T, float>) kernels.f32(pixels.data(), source_.width, squares(), 0, out.size(), out.data());
  else blend_squares<T>(pixels.data(), source_.width, squares(), 0, out.size(), out.data());
}

template <class T>
void Taps::apply_listed(std::span<const T> pixels, std::span<T> out) const {
  for (const Listed& one : listed_) {
    if (one.end == one.begin + 1) {  // a lone pixel is taken as it is, whatever its weight's rounding
      out[one.output] = pixels[taps_[one.begin].index];
      continue;
    }
    double sum = 0;
    for (std::size_t t = one.begin; t < one.end; ++t) sum += taps_[t].weight * static_cast<double>(pixels[taps_[t].index]);
    out[one.output] = rounded<T>(sum / one.scale);
  }
}

template <class T>
void Taps::apply(std::span<const T> pixels, T fill, std::span<T> out) const {
  if (!all_valid())
    for (std::size_t k = 0; k < valid_.size(); ++k)
      if (!valid_[k]) out[k] = fill;
  if (!first_.empty()) {
    if (size_ == 1) apply_square<1>(pixels, out);
    else if (size_ == 2) apply_bilinear(pixels, out);
    else apply_square<4>(pixels, out);
  }
  apply_listed(pixels, out);
}

#define TILEWRIGHT_TAPS(T) template void Taps::apply<T>(std::span<const T>, T, std::span<T>) const;
TILEWRIGHT_TAPS(std::uint8_t)
TILEWRIGHT_TAPS(std::int8_t)
TILEWRIGHT_TAPS(std::uint16_t)
TILEWRIGHT_TAPS(std::int16_t)
TILEWRIGHT_TAPS(std::uint32_t)
TILEWRIGHT_TAPS(std::int32_t)
TILEWRIGHT_TAPS(float)
TILEWRIGHT_TAPS(double)
#undef TILEWRIGHT_TAPS

}  // namespace tilewright::geometry
