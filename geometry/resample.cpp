// SPDX-License-Identifier: Apache-2.0
// Nearest and bilinear kernels in double precision, with validity before values.
#include "geometry/resample.h"

#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

namespace tilewright::geometry {
namespace {

template <class T>
T typed(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    const double rounded = std::floor(value + 0.5);  // half up, also below zero
    if (!(rounded > static_cast<double>(std::numeric_limits<T>::lowest())))
      return std::numeric_limits<T>::lowest();
    if (rounded >= static_cast<double>(std::numeric_limits<T>::max()))
      return std::numeric_limits<T>::max();
    return static_cast<T>(rounded);
  }
}

/// Pixels of a view by their place in the source, and whether they may be used.
template <class T>
class Pixels {
 public:
  explicit Pixels(const SourceView<T>& view) : view_(view) {}

  [[nodiscard]] std::optional<T> at(double col, double row) const {
    const double left = col - static_cast<double>(view_.window.col);
    const double top = row - static_cast<double>(view_.window.row);
    if (!(left >= 0 && top >= 0 && left < static_cast<double>(view_.window.width) &&
          top < static_cast<double>(view_.window.height)))
      return std::nullopt;
    const auto index = static_cast<std::size_t>(static_cast<std::int64_t>(top) * view_.window.width +
                                                static_cast<std::int64_t>(left));
    if (!view_.valid.empty() && view_.valid[index] == 0) return std::nullopt;
    return view_.pixels[index];
  }

 private:
  const SourceView<T>& view_;
};

/// One row of the kernel: pixels `col` and, if its weight is not 0, `col + 1`.
template <class T>
std::optional<double> along_row(const Pixels<T>& pixels, double col, double row, double weight) {
  const auto left = pixels.at(col, row);
  if (!left) return std::nullopt;
  if (weight == 0) return static_cast<double>(*left);
  const auto right = pixels.at(col + 1, row);
  if (!right) return std::nullopt;
  return (1 - weight) * static_cast<double>(*left) + weight * static_cast<double>(*right);
}

template <class T>
std::optional<T> bilinear(const Pixels<T>& pixels, PixelXY p) {
  const double col = std::floor(p.col - 0.5), row = std::floor(p.row - 0.5);
  const double right = p.col - 0.5 - col, below = p.row - 0.5 - row;
  if (right == 0 && below == 0) return pixels.at(col, row);
  const auto upper = along_row(pixels, col, row, right);
  if (!upper) return std::nullopt;
  if (below == 0) return typed<T>(*upper);
  const auto lower = along_row(pixels, col, row + 1, right);
  if (!lower) return std::nullopt;
  return typed<T>((1 - below) * *upper + below * *lower);
}

}  // namespace

int kernel_radius_px(Resampling kernel) { return kernel == Resampling::nearest ? 0 : 1; }

template <class T>
void resample(Resampling kernel, const SourceView<T>& source, std::span<const PixelXY> points,
              T fill, std::span<T> out, std::span<std::uint8_t> out_valid) {
  const Pixels<T> pixels(source);
  for (std::size_t k = 0; k < points.size(); ++k) {
    const PixelXY p = points[k];
    const auto value = kernel == Resampling::nearest
                           ? pixels.at(std::floor(p.col), std::floor(p.row))
                           : bilinear(pixels, p);
    out[k] = value.value_or(fill);
    out_valid[k] = value ? 1 : 0;
  }
}

#define TILEWRIGHT_RESAMPLE(T)                                                            \
  template void resample<T>(Resampling, const SourceView<T>&, std::span<const PixelXY>, T, \
                            std::span<T>, std::span<std::uint8_t>);
TILEWRIGHT_RESAMPLE(std::uint8_t)
TILEWRIGHT_RESAMPLE(std::int8_t)
TILEWRIGHT_RESAMPLE(std::uint16_t)
TILEWRIGHT_RESAMPLE(std::int16_t)
TILEWRIGHT_RESAMPLE(std::uint32_t)
TILEWRIGHT_RESAMPLE(std::int32_t)
TILEWRIGHT_RESAMPLE(float)
TILEWRIGHT_RESAMPLE(double)
#undef TILEWRIGHT_RESAMPLE

}  // namespace tilewright::geometry
