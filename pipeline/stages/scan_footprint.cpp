// SPDX-License-Identifier: Apache-2.0
// Footprints from masks: exact where their outline is short enough, else coarser with a known reach.
#include "pipeline/stages/scan_footprint.h"

#include <bit>
#include <numbers>

#include "index/reason.h"
#include "pipeline/stages/simplify_outline.h"

namespace tilewright::pipeline {
namespace {

using geometry::Bitmask;
using index::ItemError;
using index::Reason;

/// More corners than this make a footprint too heavy for the graph.
constexpr std::int64_t kMostCorners = 200'000;

/// Corners of the outline: 2 x 2 neighbourhoods with one, three or two diagonal pixels set.
std::int64_t corner_count(const Bitmask& mask) {
  std::int64_t count = 0;
  const auto words = mask.words_per_row();
  const std::vector<std::uint64_t> none(static_cast<std::size_t>(words), 0);
  for (std::int64_t row = 0; row <= mask.height(); ++row) {
    const auto* above = row > 0 ? mask.row_words(row - 1) : none.data();
    const auto* below = row < mask.height() ? mask.row_words(row) : none.data();
    std::uint64_t last_above = 0, last_below = 0;
    for (std::int64_t w = 0; w < words; ++w) {
      const auto left_above = (above[w] << 1) | last_above, left_below = (below[w] << 1) | last_below;
      // A corner is where the step from row to row differs between two neighbouring columns.
      const auto edge = above[w] ^ below[w], left_edge = left_above ^ left_below;
      const auto diagonal = (above[w] ^ left_above) & edge & left_edge;
      count += std::popcount(edge ^ left_edge) + 2 * std::popcount(diagonal);
      last_above = above[w] >> 63;
      last_below = below[w] >> 63;
    }
    count += std::int64_t((last_above ^ last_below) & 1U);
  }
  return count;
}

/// Half as many pixels each way; a pixel is set if at least half of its four are.
Bitmask halved(const Bitmask& mask) {
  Bitmask out((mask.width() + 1) / 2, (mask.height() + 1) / 2);
  const auto get = [&](std::int64_t col, std::int64_t row) { return col < mask.width() && row < mask.height() && mask.get(col, row) ? 1 : 0; };
  for (std::int64_t row = 0; row < out.height(); ++row)
    for (std::int64_t col = 0; col < out.width(); ++col)
      if (get(2 * col, 2 * row) + get(2 * col + 1, 2 * row) + get(2 * col, 2 * row + 1) + get(2 * col + 1, 2 * row + 1) >= 2) out.set(col, row, true);
  return out;
}

std::int64_t corners_of(const geometry::PixelMultiPolygon& polygons) {
  std::size_t count = 0;
  for (const auto& polygon : polygons) {
    count += polygon.outer.size();
    for (const auto& hole : polygon.holes) count += hole.size();
  }
  return static_cast<std::int64_t>(count);
}

/// Lines for long staircases where that halves the corners and the rings stay apart; a part of 1e-6 of the
/// area is for the way to degrees.
geometry::PixelMultiPolygon short_outline(const Bitmask& mask, double& reach_px) {
  constexpr double kReach_px = 1, kArea = 5e-7;
  constexpr std::int64_t kFewCorners = 500, kManyCorners = 20'000;
  auto exact = geometry::outline(mask);
  const auto corners = corners_of(exact);
  if (reach_px > 0 || corners <= kFewCorners) return exact;
  auto lines = simplified(exact, kReach_px, kArea * double(mask.count()));
  const auto fewer = corners_of(lines);
  if (2 * fewer > corners || fewer > kManyCorners) return exact;
  if (geometry::gate(geometry::map_from_pixel(geometry::Affine{}, lines)).outcome != geometry::Gate::ok) return exact;
  reach_px = kReach_px;
  return lines;
}

}  // namespace

Footprint footprint_of(const Bitmask& valid, const geometry::Affine& affine, const geometry::Crs& crs) {
  double factor = 1;
  auto mask = valid;
  while (corner_count(mask) > kMostCorners) {
    auto next = halved(mask);
    if (next.count() == 0) break;
    mask = std::move(next);
    factor *= 2;
  }
  double reach_px = factor > 1 ? factor * std::numbers::sqrt2 : 0;
  const geometry::Affine coarse{affine.a * factor, affine.b * factor, affine.c, affine.d * factor, affine.e * factor, affine.f};
  std::optional<geometry::GeoMultiPolygon> polygons;
  try {
    polygons = geometry::geographic(geometry::map_from_pixel(coarse, short_outline(mask, reach_px)), crs);
  } catch (const Error& error) {
    throw ItemError(Reason::not_mappable, std::string("its outline cannot be brought to longitude and latitude: ") + error.what());
  }
  if (!polygons || polygons->empty())
    throw ItemError(Reason::not_mappable, "its outline cannot be brought to longitude and latitude: the corners lie outside the area of " +
                                              (crs.name().empty() ? "its CRS" : crs.name()));
  return {std::move(*polygons), reach_px};
}

}  // namespace tilewright::pipeline
