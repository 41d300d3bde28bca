// SPDX-License-Identifier: Apache-2.0
// Pixel sizes of sources against that of the grid.
#include "pipeline/stages/source_lattice.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "geometry/error.h"

namespace tilewright::pipeline {
namespace {

constexpr double kWhole = 1e-9;  ///< relative: what is no whole multiple by more than this

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

std::optional<int> whole_multiple(double large, double small) {
  const double times = std::round(large / small);
  if (times < 1 || times > 4096 || std::abs(large - times * small) > kWhole * large) return std::nullopt;
  return static_cast<int>(times);
}

/// Cells of the zone under pixels [0, width) from `first` on.
struct Extent {
  std::int64_t first, end;
};
Extent cells_under(std::int64_t first, std::int64_t width, PixelRatio ratio) {
  return {floor_div(first * ratio.coarse, ratio.fine), -floor_div(-(first + width) * ratio.coarse, ratio.fine)};
}

/// Bits of `from` (bit 0 = pixel `col`, `row`) on the zone's cells; `all`: a cell needs all its pixels, else one.
geometry::Bitmask on_cells(const geometry::Bitmask& from, std::int64_t col, std::int64_t row, PixelRatio ratio, Extent cols, Extent rows, bool all) {
  geometry::Bitmask out(cols.end - cols.first, rows.end - rows.first);
  const auto get = [&](std::int64_t c, std::int64_t r) { return c >= 0 && r >= 0 && c < from.width() && r < from.height() && from.get(c, r); };
  for (std::int64_t y = 0; y < out.height(); ++y)
    for (std::int64_t x = 0; x < out.width(); ++x) {
      const std::int64_t c = floor_div((cols.first + x) * ratio.fine, ratio.coarse) - col, r = floor_div((rows.first + y) * ratio.fine, ratio.coarse) - row;
      int set = 0;
      for (int v = 0; v < ratio.fine; ++v)
        for (int u = 0; u < ratio.fine; ++u) set += get(c + u, r + v) ? 1 : 0;
      if (all ? set == ratio.fine * ratio.fine : set > 0) out.set(x, y, true);
    }
  return out;
}

}  // namespace

PixelRatio pixel_ratio(const Job& job, const std::string& source) {
  const double grid = job.grid.resolution_m, own = job.source(source).resolution_m.value_or(grid);
  if (const auto coarse = whole_multiple(own, grid)) return {.coarse = *coarse, .fine = 1};
  if (const auto fine = whole_multiple(grid, own)) return {.coarse = 1, .fine = *fine};
  throw Error::config("sources." + source + ".resolution_m: " + std::to_string(own) + " and grid.resolution_m: " + std::to_string(grid) +
                      " are no whole multiples of each other; choose one that is");
}

int anchor_step(const Job& job) {
  int step = 1;
  for (const auto& source : job.view_sources()) step = std::lcm(step, pixel_ratio(job, source).coarse);
  return step;
}

geometry::Lattice lattice_of_source(const geometry::Lattice& zone, PixelRatio ratio) {
  auto out = zone;
  if (!ratio.is_one()) out.resolution_m = zone.resolution_m * ratio.coarse / ratio.fine;
  return out;
}

geometry::LatticeWindow window_of_source(const geometry::LatticeWindow& window, PixelRatio ratio) {
  return {floor_div(window.i * ratio.fine, ratio.coarse), floor_div(window.j * ratio.fine, ratio.coarse), window.size_px * ratio.fine / ratio.coarse};
}

LatticeMasks masks_on_zone(LatticeMasks masks, PixelRatio ratio) {
  if (ratio.is_one()) return masks;
  const auto cols = cells_under(masks.i, masks.valid.width(), ratio), rows = cells_under(-masks.j, masks.valid.height(), ratio);
  LatticeMasks out{.i = cols.first, .j = -rows.first, .valid = on_cells(masks.valid, masks.i, -masks.j, ratio, cols, rows, true), .cloud = {},
                   .copied = masks.copied};
  if (masks.cloud) out.cloud = on_cells(*masks.cloud, masks.i, -masks.j, ratio, cols, rows, false);
  return out;
}

void keep_common(index::TileCoverage& coverage, const index::TileCoverage& other) {
  const auto mine = coverage.valid.bits(), theirs = other.valid.bits();
  const std::int64_t dx = other.i - coverage.i, dy = coverage.j - other.j;  // of the other's bit (0, 0)
  /// Bits of `from`, which lies as the other does, where `wanted(x, y)`.
  const auto moved = [&](const geometry::Bitmask& from, const auto& wanted) {
    geometry::Bitmask out(mine.width(), mine.height());
    for (std::int64_t y = std::max<std::int64_t>(0, dy); y < std::min(out.height(), dy + from.height()); ++y)
      for (std::int64_t x = std::max<std::int64_t>(0, dx); x < std::min(out.width(), dx + from.width()); ++x)
        if (from.get(x - dx, y - dy) && wanted(x, y)) out.set(x, y, true);
    return geometry::RunMask::from(out);
  };
  coverage.valid = moved(theirs, [&](std::int64_t x, std::int64_t y) { return mine.get(x, y); });
  coverage.copied = coverage.copied && other.copied;
  if (!coverage.cloud && other.cloud) coverage.cloud = moved(other.cloud->bits(), [](std::int64_t, std::int64_t) { return true; });
}

std::string acquisition_key(const Job& job, const index::TileRow& tile) {
  const auto& acquisition = job.source(tile.source).acquisition;
  return acquisition ? *acquisition + tile.tile_id.substr(tile.tile_id.rfind('-')) : "";
}

}  // namespace tilewright::pipeline
