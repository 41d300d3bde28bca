// SPDX-License-Identifier: Apache-2.0
// Borders of UTM zones on the lattice, and windows of two zones on one ground.
#include "pipeline/stages/zone_border.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <set>

#include "geometry/crs.h"

namespace tilewright::pipeline {
namespace {

constexpr double kSameGround_frac = 0.5;  ///< IoU above this is one place
constexpr int kSouth = 32700;             ///< codes of southern UTM zones lie above
constexpr int kToSouth = 100;             ///< from a zone to the one beyond the equator

bool is_utm(int epsg) { return (epsg > 32600 && epsg <= 32660) || (epsg > 32700 && epsg <= 32760); }
int number_of(int epsg) { return epsg % 100; }

/// Zones side by side, or north and south of the equator.
bool are_neighbours(int a, int b) {
  const int apart = std::abs(number_of(a) - number_of(b));
  return a != b && is_utm(a) && is_utm(b) && (apart <= 1 || apart == 59);
}

geometry::Box degrees_of(int epsg) {
  const double west = -180 + 6.0 * (number_of(epsg) - 1);
  return epsg < 32700 ? geometry::Box{west, 0, west + 6, 84} : geometry::Box{west, -80, west + 6, 0};
}

bool meet(const geometry::Box& a, const geometry::Box& b) { return a.min_x < b.max_x && b.min_x < a.max_x && a.min_y < b.max_y && b.min_y < a.max_y; }

/// Each part of a footprint by itself: one that is split at 180 degrees has a part on either side.
bool reaches(const geometry::GeoMultiPolygon& footprint, int epsg) {
  return std::ranges::any_of(footprint, [&](const auto& part) { return meet(geometry::bounds(geometry::GeoMultiPolygon{part}), degrees_of(epsg)); });
}

/// Finds the border row by row: from one row to the next it moves by a few columns.
class HomeSearch {
 public:
  HomeSearch(const geometry::Lattice& lattice, int patch_px, const std::set<int>& in_use)
      : lattice_(lattice), half_(patch_px / 2.0), in_use_(in_use), degrees_(geometry::Crs::from_epsg(lattice.epsg), geometry::wgs84()) {}

  [[nodiscard]] bool is_home(std::int64_t col, std::int64_t row) const {
    const auto place = degrees_(geometry::lattice_affine(lattice_).map_from_pixel({static_cast<double>(col) + half_, static_cast<double>(row) + half_}));
    if (!place) return true;
    const int zone = geometry::utm_epsg({place->x, place->y});
    if (in_use_.contains(zone)) return zone == lattice_.epsg;
    // A zone without tiles of its own: beyond the equator it is left to the zone of that side, if there is one.
    const bool is_same_side = (zone < kSouth) == (lattice_.epsg < kSouth);
    return is_same_side || !in_use_.contains(lattice_.epsg < kSouth ? lattice_.epsg + kToSouth : lattice_.epsg - kToSouth);
  }

  /// Columns of the row around the middle of the zone.
  std::pair<std::int64_t, std::int64_t> columns(std::int64_t row, std::pair<std::int64_t, std::int64_t> cols) {
    const auto middle = static_cast<std::int64_t>(std::floor((500'000 - lattice_.origin.x) / lattice_.resolution_m - half_));
    const auto inside = std::clamp(middle, cols.first, cols.second - 1);
    if (!is_home(inside, row)) return {cols.first, cols.first};
    west_ = edge(row, inside, cols.first - 1, west_, -1);
    east_ = edge(row, inside, cols.second, east_, 1);
    return {west_ + 1, east_};
  }

 private:
  /// First column from `inside` towards `limit` that is not home, or `limit`; `guess` is the last row's.
  [[nodiscard]] std::int64_t edge(std::int64_t row, std::int64_t inside, std::int64_t limit, std::int64_t guess, std::int64_t step) const {
    auto in = inside, out = limit;
    if ((limit - step - in) * step >= 0 && is_home(limit - step, row)) return limit;
    const auto consider = [&](std::int64_t col) {
      if ((col - in) * step <= 0 || (out - col) * step <= 0) return;
      (is_home(col, row) ? in : out) = col;
    };
    for (const std::int64_t reach : {0, 1, 4, 16, 64}) {
      consider(guess + reach);
      consider(guess - reach);
    }
    while ((out - in) * step > 1) consider(in + (out - in) / 2);
    return out;
  }

  const geometry::Lattice& lattice_;
  double half_;
  const std::set<int>& in_use_;
  geometry::Transform degrees_;
  std::int64_t west_ = 0, east_ = 0;
};

/// Share of the ground of two locations that both have.
double iou(const index::LocationRow& a, const index::LocationRow& b) {
  const double both = geometry::geodesic_area_m2(geometry::intersection(a.geom, b.geom));
  const double all = geometry::geodesic_area_m2(a.geom) + geometry::geodesic_area_m2(b.geom) - both;
  return all > 0 ? both / all : 0;
}

/// How far the box reaches beyond its zone, degrees; negative inside.
double beyond_zone(const geometry::Box& box, int epsg) {
  const auto zone = degrees_of(epsg);
  return std::max({zone.min_x - box.min_x, box.max_x - zone.max_x, zone.min_y - box.min_y, box.max_y - zone.max_y});
}

}  // namespace

std::map<int, std::vector<std::size_t>> with_neighbours(const std::map<int, std::vector<std::size_t>>& zones, const std::vector<PlacedTile>& tiles) {
  auto wider = zones;
  for (auto& [epsg, members] : wider)
    for (const auto& [other, own] : zones) {
      if (!are_neighbours(epsg, other)) continue;
      for (const auto n : own)
        if (reaches(tiles[n].row.geom, epsg)) members.push_back(n);
    }
  return wider;
}

bool crosses_border(const index::TileRow& tile, int epsg, const std::set<int>& in_use) {
  return std::ranges::any_of(in_use, [&](int zone) { return are_neighbours(epsg, zone) && reaches(tile.geom, zone); });
}

HomeColumns home_columns(const geometry::Lattice& lattice, int patch_px, const std::set<int>& in_use, RowSpans rows,
                         std::pair<std::int64_t, std::int64_t> cols) {
  if (rows.empty() || cols.first >= cols.second) return {};
  std::sort(rows.begin(), rows.end());
  auto found = std::make_shared<std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>>>();
  HomeSearch search(lattice, patch_px, in_use);
  auto done = rows.front().first;
  for (const auto& [begin, end] : rows)
    for (auto row = std::max(begin, done); row < end; done = ++row) (*found)[row] = search.columns(row, cols);
  return [found, cols](std::int64_t row) {
    const auto at = found->find(row);
    return at == found->end() ? cols : at->second;
  };
}

double beyond_own_zone(const index::LocationRow& location) { return is_utm(location.epsg) ? beyond_zone(geometry::bounds(location.geom), location.epsg) : -180; }

std::vector<std::size_t> claimed_elsewhere(std::span<const index::LocationRow> locations, std::size_t settled) {
  struct Claim {
    geometry::Box box;
    std::size_t n;
  };
  std::vector<Claim> claims;
  double farthest = 0;
  for (std::size_t n = 0; n < locations.size(); ++n) {
    if (!is_utm(locations[n].epsg)) continue;
    claims.push_back({geometry::bounds(locations[n].geom), n});
    farthest = std::max(farthest, beyond_zone(claims.back().box, locations[n].epsg));
  }
  // Only what lies within that reach of its own border can meet a window of another zone.
  std::erase_if(claims, [&](const Claim& claim) { return beyond_zone(claim.box, locations[claim.n].epsg) < -farthest; });
  std::ranges::sort(claims, [&](const Claim& a, const Claim& b) { return a.box.min_y != b.box.min_y ? a.box.min_y < b.box.min_y : a.n < b.n; });
  std::map<std::size_t, std::vector<std::size_t>> rivals;
  std::vector<Claim> open;
  for (const auto& claim : claims) {
    std::erase_if(open, [&](const Claim& other) { return other.box.max_y <= claim.box.min_y; });
    for (const auto& other : open)
      if (locations[other.n].epsg != locations[claim.n].epsg && meet(other.box, claim.box) && iou(locations[other.n], locations[claim.n]) > kSameGround_frac) {
        rivals[claim.n].push_back(other.n);
        rivals[other.n].push_back(claim.n);
      }
    open.push_back(claim);
  }
  std::vector<std::size_t> order;
  for (const auto& [n, others] : rivals) order.push_back(n);
  std::ranges::sort(order, [&](auto a, auto b) {
    if ((a < settled) != (b < settled)) return a < settled;
    return locations[a].view_count != locations[b].view_count ? locations[a].view_count > locations[b].view_count : locations[a].location_id < locations[b].location_id;
  });
  std::set<std::size_t> is_kept;
  std::vector<std::size_t> dropped;
  for (const auto n : order) {
    const bool is_claimed = n >= settled && std::ranges::any_of(rivals[n], [&](auto other) { return is_kept.contains(other); });
    if (is_claimed) dropped.push_back(n);
    else is_kept.insert(n);
  }
  std::ranges::sort(dropped);
  return dropped;
}

}  // namespace tilewright::pipeline
