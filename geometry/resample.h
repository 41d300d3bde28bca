// SPDX-License-Identifier: Apache-2.0
// Own resampling kernels: an output pixel is a function of the source and its place only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "geometry/grid.h"
#include "geometry/isa.h"

namespace tilewright::geometry {

/// nearest: the pixel that contains the point. bilinear, cubic: 2 x 2 and 4 x 4 pixels around it
/// (cubic convolution, a = -0.5). average: mean over the ground of the output pixel, weighted with
/// the exact area of each source pixel in it; for grids coarser than the source.
enum class Resampling { nearest, bilinear, cubic, average };

struct Squares;  // geometry/bilinear.h

/// Half width of the kernel around a place, source pixels: 0, 0.5, 1.5; average has none beyond its corners.
double kernel_reach_px(Resampling kernel);
/// Places that one output pixel needs: its centre, or for average its corners (one more each way).
inline bool samples_corners(Resampling kernel) { return kernel == Resampling::average; }
/// Source pixels from `low` on and before `high` along one axis that a kernel may touch between two
/// places; average ignores slivers thinner than 1e-6 px.
struct PixelSpan {
  std::int64_t low, high;
};
PixelSpan touched_pixels(Resampling kernel, double least, double most);

/// Which source pixels make each output pixel, and with what weight: found once, used for all bands.
/// An output is valid only if every pixel with a weight is inside `source` and valid there.
class Taps {
 public:
  Taps() = default;
  /// As place().
  Taps(Resampling kernel, const Window& source, std::span<const std::uint8_t> valid, std::span<const PixelXY> places, std::int64_t width,
       Isa isa = isa_of_this_run()) {
    place(kernel, source, valid, places, width, isa);
  }

  /// Other taps in the same buffers. `source`: where pixels lie in memory, row-major; `valid`: its shape, 0 = nodata, empty = all valid.
  /// `places`: source pixel coordinates (centres at .5) of `width` x n outputs, row by row; for average
  /// of their (width + 1) x (n + 1) corners. NaN is invalid. At most 2^31 source pixels. `isa`: which
  /// loops of bilinear run; the bytes are the same.
  void place(Resampling kernel, const Window& source, std::span<const std::uint8_t> valid, std::span<const PixelXY> places, std::int64_t width,
             Isa isa = isa_of_this_run());

  [[nodiscard]] std::span<const std::uint8_t> valid() const { return valid_; }  ///< 1 = valid, one an output
  [[nodiscard]] bool all_valid() const;

  /// One band, `pixels` as `source`: integers round half up and clamp to T, invalid outputs get `fill`.
  /// Instantiated for uint8, int8, uint16, int16, uint32, int32, float, double.
  template <class T>
  void apply(std::span<const T> pixels, T fill, std::span<T> out) const;

 private:
  struct Axis;  ///< first pixel of the kernel along one axis and its weights
  static Axis axis(Resampling kernel, double place);
  [[nodiscard]] Squares squares() const;
  [[nodiscard]] bool place_squares(std::span<const PixelXY> places);  ///< true: no output is left to add_point
  void add_point(Resampling kernel, PixelXY place, std::size_t output);
  void add_quad(const PixelXY (&corners)[4], std::size_t output);
  void add_listed(std::size_t output, std::size_t begin, bool ok, double scale);
  [[nodiscard]] bool usable(std::int64_t col, std::int64_t row) const;
  template <int N, class T>
  void apply_square(std::span<const T> pixels, std::span<T> out) const;
  template <class T>
  void apply_bilinear(std::span<const T> pixels, std::span<T> out) const;
  template <class T>
  void apply_listed(std::span<const T> pixels, std::span<T> out) const;

  /// An output whose pixels are listed one by one: all of average, and kernels that touch an edge.
  struct Listed {
    std::size_t output, begin, end;
    double scale;  ///< of the weighted sum
  };
  struct Tap {
    std::uint32_t index;
    double weight;
  };
  Window source_;
  std::span<const std::uint8_t> source_valid_;
  int size_ = 1;                        ///< pixels of a square kernel along one axis
  std::vector<std::int32_t> first_;     ///< upper-left pixel of a square that lies inside; -1: none
  std::vector<double> across_, down_;   ///< weights, one an output and array: 4 arrays of cubic, the second of bilinear
  Isa isa_ = Isa::scalar;
  std::vector<Listed> listed_;
  std::vector<Tap> taps_;
  std::vector<std::uint8_t> valid_;
};

}  // namespace tilewright::geometry
