// SPDX-License-Identifier: Apache-2.0
// Cuts all windows of one tile: strips of source rows in memory, windows served from them.
#include "pipeline/stages/extract_tile.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "geometry/crs.h"
#include "geometry/error.h"
#include "pipeline/stages/sampling.h"

namespace tilewright::pipeline {
namespace {

using geometry::Window;

constexpr std::int64_t kMostSourcePixels = std::int64_t{1} << 20;  ///< under the outputs that are resampled at once
constexpr std::int64_t kOutputsAtOnce = 4096;                      ///< their places and weights stay in the cache

/// A window with the source pixels that it needs.
struct Need {
  const WindowToCut* window;
  Window source;
};

[[noreturn]] void fail_invalid(const WindowToCut& window, std::int64_t pixel) {
  throw Error::failed("view " + window.name + " has an invalid pixel at column " + std::to_string(pixel % window.cells.width) + ", row " +
                      std::to_string(pixel / window.cells.width) +
                      ", though it was planned as fully valid: the tile changed; run the job again from scan");
}

void check_all_valid(const WindowToCut& window, std::span<const std::uint8_t> valid, std::int64_t first = 0) {
  if (valid.empty()) return;
  const auto* bad = static_cast<const std::uint8_t*>(std::memchr(valid.data(), 0, valid.size()));
  if (bad) fail_invalid(window, first + (bad - valid.data()));
}

/// Cuts windows of one tile from its strips; buffers are used again from window to window.
class Cutter {
 public:
  Cutter(const TileReader& tile, const CutSettings& settings) : tile_(tile), settings_(settings), kernel_(settings.kernel), halo_px_(settings.derivation.halo_px()) {}

  /// Source pixels that the window needs.
  [[nodiscard]] Window source_of(const WindowToCut& window) {
    const Window whole{0, 0, tile_.width(), tile_.height()};
    const bool leaves = window.copy_of && geometry::intersection(*window.copy_of, whole) != *window.copy_of;
    const Window source = window.copy_of ? geometry::intersection(widened(*window.copy_of), whole)
                                         : needed_pixels(from_grid(window), widened(window.cells), kernel_, tile_.width(), tile_.height());
    if (leaves || source.empty())
      throw Error::failed("view " + window.name + " leaves its tile of " + std::to_string(tile_.width()) + " x " + std::to_string(tile_.height()) +
                          " pixels: the tile changed; run the job again from scan");
    return source;
  }

  /// All bands of the window; valid until the next call.
  [[nodiscard]] std::span<const std::byte> pixels(const Need& need, const SourceStrips& strips) {
    strips.gather(need.source, gathered_);
    if (!settings_.derivation.channels.empty()) {
      shard::with_type(tile_.dtype(), [&](auto type) { derive_channels<decltype(type)>(need); });
      return resampled_;
    }
    if (need.window->copy_of) {
      check_all_valid(*need.window, gathered_.valid);
      return gathered_.data;
    }
    shard::with_type(tile_.dtype(), [&](auto type) { resample<decltype(type)>(need); });
    return resampled_;
  }

 private:
  [[nodiscard]] Window widened(const Window& window) const {
    return {window.col - halo_px_, window.row - halo_px_, window.width + 2 * halo_px_, window.height + 2 * halo_px_};
  }

  [[nodiscard]] const geometry::SparseTransform& from_grid(const WindowToCut& window) {
    if (!from_grid_ || epsg_ != window.epsg || grid_ != window.grid) {
      from_grid_.emplace(source_from_grid(window.grid, geometry::Crs::from_epsg(window.epsg), grid_of(tile_)));
      epsg_ = window.epsg;
      grid_ = window.grid;
    }
    return *from_grid_;
  }

  /// A few rows of the window at a time, so that the taps of large averages stay small.
  template <class T>
  void resample(const Need& need) {
    const Window& cells = need.window->cells;
    const auto plane = static_cast<std::size_t>(cells.width * cells.height), source_plane = gathered_.valid.size();
    const std::size_t bands = tile_.bands().size();
    resampled_.resize(plane * bands * sizeof(T));
    const bool has_gaps = std::memchr(gathered_.valid.data(), 0, source_plane) != nullptr;
    const std::span<const std::uint8_t> valid = has_gaps ? std::span<const std::uint8_t>(gathered_.valid) : std::span<const std::uint8_t>();
    const std::int64_t most = cells.height * kMostSourcePixels / static_cast<std::int64_t>(source_plane);
    const std::int64_t step = std::max<std::int64_t>(1, std::min(most, kOutputsAtOnce / cells.width));
    for (std::int64_t row = 0; row < cells.height; row += step) {
      const Window part{cells.col, cells.row + row, cells.width, std::min(step, cells.height - row)};
      sample_places(from_grid(*need.window), part, kernel_, places_);
      taps_.place(kernel_, need.source, valid, places_, part.width);
      check_all_valid(*need.window, taps_.valid(), row * cells.width);
      const auto first = static_cast<std::size_t>(row * cells.width), count = static_cast<std::size_t>(part.width * part.height);
      for (std::size_t band = 0; band < bands; ++band)
        taps_.apply<T>(std::span(reinterpret_cast<const T*>(gathered_.data.data()) + band * source_plane, source_plane), T{},
                      std::span(reinterpret_cast<T*>(resampled_.data()) + band * plane + first, count));
    }
  }

  /// The first band of the window and its border, on the grid.
  template <class T>
  void fill_field(const Need& need) {
    const Window around = widened(need.window->cells);
    const auto count = static_cast<std::size_t>(around.width * around.height);
    const std::span<const T> band(reinterpret_cast<const T*>(gathered_.data.data()), gathered_.valid.size());
    field_.width = around.width;
    field_.height = around.height;
    field_.z.assign(count, 0);
    field_.valid.assign(count, 0);
    if (!need.window->copy_of) {
      const geometry::Taps taps(kernel_, need.source, gathered_.valid, sample_places(from_grid(*need.window), around, kernel_), around.width);
      std::copy(taps.valid().begin(), taps.valid().end(), field_.valid.begin());
      heights_.assign(band.begin(), band.end());
      taps.apply<double>(heights_, 0, field_.z);
      return;
    }
    const Window source = widened(*need.window->copy_of), part = geometry::intersection(source, need.source);
    for (std::int64_t row = part.row; row < part.row + part.height; ++row)
      for (std::int64_t col = part.col; col < part.col + part.width; ++col) {
        const auto from = static_cast<std::size_t>((row - need.source.row) * need.source.width + col - need.source.col);
        const auto to = static_cast<std::size_t>((row - source.row) * source.width + col - source.col);
        field_.z[to] = static_cast<double>(band[from]);
        field_.valid[to] = gathered_.valid[from];
      }
  }

  template <class T>
  void derive_channels(const Need& need) {
    fill_field<T>(need);
    const Window& cells = need.window->cells;
    const Window inner{halo_px_, halo_px_, cells.width, cells.height};
    for (std::int64_t row = 0; row < cells.height; ++row) {
      const auto first = static_cast<std::size_t>((row + halo_px_) * field_.width + halo_px_);
      check_all_valid(*need.window, std::span(field_.valid).subspan(first, static_cast<std::size_t>(cells.width)), row * cells.width);
    }
    const auto ground = need.window->ground_tile.empty() ? std::vector<double>{} : settings_.ground(*need.window);
    derive(settings_.derivation, field_, inner, ground, resampled_);
  }

  const TileReader& tile_;
  const CutSettings& settings_;
  geometry::Resampling kernel_;
  std::int64_t halo_px_;
  geometry::HeightField field_;
  std::vector<double> heights_;
  std::optional<geometry::SparseTransform> from_grid_;
  int epsg_ = 0;
  geometry::Affine grid_;
  std::vector<geometry::PixelXY> places_;
  geometry::Taps taps_;
  TileReader::Pixels gathered_;
  std::vector<std::byte> resampled_;
};

/// Needs of the windows, ordered by column.
std::vector<Need> needs_of(std::span<const WindowToCut> windows, Cutter& cutter) {
  std::vector<Need> needs;
  for (const WindowToCut& window : windows) needs.push_back({.window = &window, .source = cutter.source_of(window)});
  std::stable_sort(needs.begin(), needs.end(), [](const Need& a, const Need& b) { return a.source.col < b.source.col; });
  return needs;
}

/// Ranges of `needs` (ordered by column) whose strips fit into memory together; at least one each.
std::vector<std::span<Need>> column_groups(const TileReader& tile, std::span<Need> needs, std::size_t memory_bytes) {
  const auto pixel_bytes = static_cast<std::int64_t>(tile.bands().size() * shard::byte_size(tile.dtype()) + 1);
  std::int64_t tallest = 0;
  for (const Need& need : needs) tallest = std::max(tallest, need.source.height);
  const std::int64_t rows = SourceStrips::rows_in_memory(tile, tallest);
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

void cut_windows(const TileReader& tile, std::span<const WindowToCut> windows, const CutSettings& settings, StripBuffers& buffers,
                 const std::function<void(const WindowToCut&, std::span<const std::byte>)>& deliver) {
  Cutter cutter(tile, settings);
  std::vector<Need> needs = needs_of(windows, cutter);
  for (const std::span<Need> group : column_groups(tile, needs, settings.memory_bytes)) {
    std::stable_sort(group.begin(), group.end(), [](const Need& a, const Need& b) { return a.source.row < b.source.row; });
    std::vector<Window> served;
    served.reserve(group.size());
    for (const Need& need : group) served.push_back(need.source);
    SourceStrips strips(tile, served, buffers);
    for (const Need& need : group) {
      strips.move_to(need.source.row, need.source.row + need.source.height);
      deliver(*need.window, cutter.pixels(need, strips));
    }
  }
}

}  // namespace tilewright::pipeline
