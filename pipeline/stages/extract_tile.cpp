// SPDX-License-Identifier: Apache-2.0
// Cuts all windows of one tile: strips of source rows in memory, windows served from them.
#include "pipeline/stages/extract_tile.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <vector>

#include "geometry/crs.h"
#include "geometry/error.h"
#include "pipeline/stages/sampling.h"

namespace tilewright::pipeline {
namespace {

using geometry::Window;

constexpr std::int64_t kRowsAStrip = 256;  ///< small blocks are read so many rows at once

/// A window with the source pixels that it needs.
struct Need {
  const WindowToCut* window;
  Window source;
};

/// Source rows in memory: strips of one column range, top to bottom.
class Strips {
 public:
  Strips(const TileReader& tile, std::int64_t col, std::int64_t width)
      : tile_(tile), col_(col), width_(width), bands_(tile.bands().size()),
        pixel_bytes_(shard::byte_size(tile.dtype())) {}

  void read(std::int64_t row, std::int64_t row_end) {
    const Window window{.col = col_, .row = row, .width = width_, .height = row_end - row};
    strips_.push_back({.window = window, .pixels = tile_.read(window)});
  }
  void drop_above(std::int64_t row) {
    while (!strips_.empty() && strips_.front().window.row + strips_.front().window.height <= row) strips_.pop_front();
  }

  /// All bands of `window`, (C, H, W), and its validity.
  [[nodiscard]] TileReader::Pixels gather(const Window& window) const {
    const auto plane = static_cast<std::size_t>(window.width * window.height);
    TileReader::Pixels out;
    out.data.resize(plane * bands_ * pixel_bytes_);
    out.valid.resize(plane);
    for (const Strip& strip : strips_) {
      const Window part = geometry::intersection(window, strip.window);
      if (part.empty()) continue;
      for (std::size_t band = 0; band < bands_; ++band)
        copy_rows(strip.pixels.data.data(), strip.window, band, pixel_bytes_, part, out.data.data(), window);
      copy_rows(strip.pixels.valid.data(), strip.window, 0, 1, part, out.valid.data(), window);
    }
    return out;
  }

 private:
  struct Strip {
    Window window;
    TileReader::Pixels pixels;
  };

  template <class Byte>
  static void copy_rows(const Byte* from, const Window& from_window, std::size_t band, std::size_t pixel_bytes,
                        const Window& part, Byte* to, const Window& to_window) {
    const auto at = [&](const Window& window, std::int64_t row) {
      const auto plane = band * static_cast<std::size_t>(window.width * window.height);
      return (plane + static_cast<std::size_t>((row - window.row) * window.width + part.col - window.col)) * pixel_bytes;
    };
    for (std::int64_t row = part.row; row < part.row + part.height; ++row)
      std::memcpy(to + at(to_window, row), from + at(from_window, row), static_cast<std::size_t>(part.width) * pixel_bytes);
  }

  const TileReader& tile_;
  std::int64_t col_, width_;
  std::size_t bands_, pixel_bytes_;
  std::deque<Strip> strips_;
};

[[noreturn]] void fail_invalid(const WindowToCut& window, std::int64_t pixel) {
  throw Error::failed("view " + window.name + " has an invalid pixel at column " + std::to_string(pixel % window.width) +
                      ", row " + std::to_string(pixel / window.width) +
                      ", though it was planned as fully valid: the tile changed; run the job again from scan");
}

void check_all_valid(const WindowToCut& window, std::span<const std::uint8_t> valid) {
  const auto bad = std::find(valid.begin(), valid.end(), std::uint8_t{0});
  if (bad != valid.end()) fail_invalid(window, bad - valid.begin());
}

/// Samples every band of `source` at `points`.
template <class T>
std::vector<std::byte> resampled(const WindowToCut& window, const Window& source, const TileReader::Pixels& pixels,
                                 std::span<const geometry::PixelXY> points, geometry::Resampling kernel) {
  const auto source_plane = static_cast<std::size_t>(source.width * source.height);
  const auto bands = pixels.data.size() / sizeof(T) / source_plane;
  std::vector<T> band_pixels(source_plane);
  std::vector<std::byte> out(bands * points.size() * sizeof(T));
  std::vector<T> band_out(points.size());
  std::vector<std::uint8_t> valid(points.size());
  for (std::size_t band = 0; band < bands; ++band) {
    std::memcpy(band_pixels.data(), pixels.data.data() + band * source_plane * sizeof(T), source_plane * sizeof(T));
    const geometry::SourceView<T> view{.window = source, .pixels = band_pixels, .valid = pixels.valid};
    geometry::resample<T>(kernel, view, points, T{}, band_out, valid);
    check_all_valid(window, valid);
    std::memcpy(out.data() + band * points.size() * sizeof(T), band_out.data(), points.size() * sizeof(T));
  }
  return out;
}

/// The transforms of one tile; made where it is used, because PROJ objects belong to one thread.
class Sampler {
 public:
  explicit Sampler(const TileReader& tile) : tile_(tile) {}

  [[nodiscard]] std::vector<geometry::PixelXY> points(const WindowToCut& window) {
    if (!transform_ || epsg_ != window.epsg) {
      transform_.emplace(geometry::Crs::from_epsg(window.epsg), tile_.crs());
      epsg_ = window.epsg;
    }
    return source_points(window.affine, window.width, window.height, *transform_, tile_.affine());
  }

  /// Source pixels that the window needs, with one pixel around for the kernel.
  [[nodiscard]] Window source_of(const WindowToCut& window) {
    if (window.copy_of) return *window.copy_of;
    double min_col = 1e300, min_row = 1e300, max_col = -1e300, max_row = -1e300;
    for (const auto& point : points(window)) {
      if (!std::isfinite(point.col) || !std::isfinite(point.row)) fail_invalid(window, 0);
      min_col = std::min(min_col, point.col), max_col = std::max(max_col, point.col);
      min_row = std::min(min_row, point.row), max_row = std::max(max_row, point.row);
    }
    const Window whole{.col = 0, .row = 0, .width = tile_.width(), .height = tile_.height()};
    const auto col = static_cast<std::int64_t>(std::floor(min_col)) - 1, row = static_cast<std::int64_t>(std::floor(min_row)) - 1;
    const auto col_end = static_cast<std::int64_t>(std::floor(max_col)) + 2, row_end = static_cast<std::int64_t>(std::floor(max_row)) + 2;
    return geometry::intersection(whole, {.col = col, .row = row, .width = col_end - col, .height = row_end - row});
  }

 private:
  const TileReader& tile_;
  std::optional<geometry::Transform> transform_;
  int epsg_ = 0;
};

/// Needs of the windows, ordered by column; throws if one leaves the tile.
std::vector<Need> needs_of(const TileReader& tile, std::span<const WindowToCut> windows, Sampler& sampler) {
  std::vector<Need> needs;
  for (const WindowToCut& window : windows) {
    const Window source = sampler.source_of(window);
    if (source.empty() || source.col < 0 || source.row < 0 || source.col + source.width > tile.width() ||
        source.row + source.height > tile.height())
      throw Error::failed("view " + window.name + " leaves its tile of " + std::to_string(tile.width()) + " x " +
                          std::to_string(tile.height()) + " pixels: the tile changed; run the job again from scan");
    needs.push_back({.window = &window, .source = source});
  }
  std::stable_sort(needs.begin(), needs.end(), [](const Need& a, const Need& b) { return a.source.col < b.source.col; });
  return needs;
}

std::int64_t strip_rows(const TileReader& tile) {
  const std::int64_t block = std::max<std::int64_t>(tile.block_height(), 1);
  return block * std::max<std::int64_t>(kRowsAStrip / block, 1);
}

/// Ranges of `needs` (ordered by column) whose strips fit into memory together; at least one each.
std::vector<std::span<Need>> column_groups(const TileReader& tile, std::span<Need> needs, std::size_t memory_bytes) {
  const auto pixel_bytes = static_cast<std::int64_t>(tile.bands().size() * shard::byte_size(tile.dtype()) + 1);
  std::int64_t tallest = 0;
  for (const Need& need : needs) tallest = std::max(tallest, need.source.height);
  const std::int64_t rows = std::min(tile.height(), tallest + 2 * strip_rows(tile));
  const std::int64_t most_columns = static_cast<std::int64_t>(memory_bytes) / std::max<std::int64_t>(pixel_bytes * rows, 1);
  std::vector<std::span<Need>> groups;
  for (std::size_t begin = 0; begin < needs.size();) {
    std::int64_t col_end = 0;
    std::size_t end = begin;
    for (; end < needs.size(); ++end) {
      const std::int64_t with = std::max(col_end, needs[end].source.col + needs[end].source.width);
      if (end > begin && with - needs[begin].source.col > most_columns) break;
      col_end = with;
    }
    groups.push_back(needs.subspan(begin, end - begin));
    begin = end;
  }
  return groups;
}

}  // namespace

// long because: one walk down the tile; its state (next row, open windows) is what one has to see.
void cut_windows(const TileReader& tile, std::span<const WindowToCut> windows, geometry::Resampling kernel,
                 std::size_t memory_bytes,
                 const std::function<void(const WindowToCut&, std::span<const std::byte>)>& deliver) {
  Sampler sampler(tile);
  std::vector<Need> needs = needs_of(tile, windows, sampler);
  const std::int64_t step = strip_rows(tile);
  for (const std::span<Need> group : column_groups(tile, needs, memory_bytes)) {
    std::int64_t col = tile.width(), col_end = 0;
    for (const Need& need : group) {
      col = std::min(col, need.source.col);
      col_end = std::max(col_end, need.source.col + need.source.width);
    }
    std::stable_sort(group.begin(), group.end(), [](const Need& a, const Need& b) { return a.source.row < b.source.row; });
    Strips strips(tile, col, col_end - col);
    std::int64_t rows_read = 0;
    for (std::size_t i = 0; i < group.size(); ++i) {
      const WindowToCut& window = *group[i].window;
      const Window& source = group[i].source;
      strips.drop_above(source.row);
      rows_read = std::max(rows_read, source.row / step * step);
      for (; rows_read < source.row + source.height; rows_read = std::min(rows_read + step, tile.height()))
        strips.read(rows_read, std::min(rows_read + step, tile.height()));
      const TileReader::Pixels pixels = strips.gather(source);
      if (window.copy_of) {
        check_all_valid(window, pixels.valid);
        deliver(window, pixels.data);
      } else {
        const auto points = sampler.points(window);
        const auto out = shard::with_type(tile.dtype(), [&](auto type) {
          return resampled<decltype(type)>(window, source, pixels, points, kernel);
        });
        deliver(window, out);
      }
    }
  }
}

}  // namespace tilewright::pipeline
