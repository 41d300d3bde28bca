// SPDX-License-Identifier: Apache-2.0
// Draws the acquisitions of a synthetic archive.
#include "pipeline/synth/archive.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "pipeline/synth/random.h"

namespace tilewright::pipeline {
namespace {

constexpr double kPixel_m = 30, kEarth_m = 6'371'000, kHalfZone_m = 333'000;
constexpr double kGroundPerTile = 8;      ///< footprints of ground for each tile
constexpr double kTrack = 0.2;            ///< turn of the track, radians
constexpr double kGranule_s = 4.5;
constexpr int kFirstZone = 11, kMostZones = 40, kTilesPerZone = 400;

/// A place that is visited.
struct Target {
  int zone = 0;
  double x = 0, y = 0;   ///< metres
  int visits = 1, granules = 1;
};

class Archive {
 public:
  explicit Archive(const ArchiveOptions& options)
      : options_(options), random_(options.seed, 31), zones_(std::clamp(1 + options.tiles / kTilesPerZone, 1, kMostZones)),
        edge_m_(options.size_px * kPixel_m), height_m_(std::max(edge_m_, kGroundPerTile * options.tiles * edge_m_ * edge_m_ / (zones_ * 2 * kHalfZone_m))) {}

  std::vector<ArchiveTile> draw() {
    while (!full()) {
      const auto target = draw_target();
      for (int visit = 0; visit < target.visits && !full(); ++visit) add_visit(target);
    }
    return std::move(tiles_);
  }

 private:
  [[nodiscard]] bool full() const { return tiles_.size() >= static_cast<std::size_t>(options_.tiles); }

  Target draw_target() {
    Target target;
    target.zone = kFirstZone + random_.integer(0, zones_ - 1);
    target.y = 60'000 + random_.uniform(0, height_m_);
    target.x = 500'000 + random_.uniform(-1, 1) * kHalfZone_m * std::cos(target.y / kEarth_m);
    const double p = random_.uniform();
    target.visits = p < 0.8 ? 1 : p < 0.91 ? 2 : p < 0.965 ? random_.integer(3, 4) : p < 0.992 ? random_.integer(5, 9) : random_.integer(10, 30);
    target.granules = random_.integer(1, 3);
    return target;
  }

  void add_visit(const Target& target) {
    const double turn = kTrack + random_.uniform(-0.05, 0.05);
    const double x = target.x + 0.08 * edge_m_ * random_.normal(), y = target.y + 0.08 * edge_m_ * random_.normal();
    const double start_s = 86400.0 * random_.integer(0, 900) + 3600 * random_.uniform(10.2, 11.2);
    const double step_m = 0.97 * edge_m_ / (std::cos(turn) + std::sin(turn));  // granules overlap by a seam
    for (int n = 0; n < target.granules && !full(); ++n) {
      ArchiveTile tile;
      tile.epsg = 32600 + target.zone;
      tile.size_px = options_.size_px;
      tile.turn = turn;
      place(tile, x - n * step_m * std::sin(turn), y - n * step_m * std::cos(turn));
      draw_clouds(tile);
      add(tile, start_s + n * kGranule_s, target.zone);
      add_copies(start_s + n * kGranule_s, target.zone);
    }
  }

  static void place(ArchiveTile& tile, double centre_x, double centre_y) {
    const double half = tile.size_px / 2.0;
    tile.affine = {kPixel_m, 0, (std::round(centre_x / kPixel_m) - std::floor(half)) * kPixel_m, 0, -kPixel_m, (std::round(centre_y / kPixel_m) + std::floor(half)) * kPixel_m};
  }

  void draw_clouds(ArchiveTile& tile) {
    const int count = random_.chance(0.4) ? 0 : random_.integer(1, 6);
    for (int n = 0; n < count; ++n)
      tile.clouds.push_back({random_.uniform(0, tile.size_px), random_.uniform(0, tile.size_px), tile.size_px * random_.uniform(0.02, 0.15)});
  }

  void add(ArchiveTile tile, double seconds, int zone) {
    const auto time = std::chrono::sys_seconds(std::chrono::sys_days(std::chrono::year(2022) / 5 / 1)) + std::chrono::seconds(static_cast<std::int64_t>(seconds));
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    char text[64];
    std::snprintf(text, sizeof text, "a%06zu_%04d%02u%02uT%02d%02d%02d_%d", tiles_.size(), static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()), zone);
    tile.name = text;
    tiles_.push_back(std::move(tile));
  }

  /// 1 % reprocessed, .5 % under another name.
  void add_copies(double seconds, int zone) {
    const double p = random_.uniform();
    if (full() || p >= 0.015) return;
    auto copy = tiles_.back();
    copy.copy_of = tiles_.size() - 1;
    if (p < 0.01) copy.inset_px = 2;
    add(std::move(copy), seconds, zone);
  }

  ArchiveOptions options_;
  Random random_;
  int zones_;
  double edge_m_, height_m_;
  std::vector<ArchiveTile> tiles_;
};

}  // namespace

std::vector<ArchiveTile> plan_archive(const ArchiveOptions& options) { return Archive(options).draw(); }

geometry::Bitmask valid_pixels(const ArchiveTile& tile) {
  const double half = tile.size_px / 2.0, c = std::cos(tile.turn), s = std::sin(tile.turn);
  const double reach = half / (std::abs(c) + std::abs(s)) - tile.inset_px;
  geometry::Bitmask mask(tile.size_px, tile.size_px);
  for (int row = 0; row < tile.size_px; ++row) {
    const double y = row + 0.5 - half;  // |c x + s y| <= reach and |c y - s x| <= reach, c and s > 0
    const double low = std::max((-reach - s * y) / c, (c * y - reach) / s), high = std::min((reach - s * y) / c, (c * y + reach) / s);
    const auto begin = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil(low + half - 0.5)));
    const auto end = std::min<std::int64_t>(tile.size_px, static_cast<std::int64_t>(std::floor(high + half - 0.5)) + 1);
    if (begin < end) mask.set_run(begin, end, row, true);
  }
  return mask;
}

geometry::Bitmask cloudy_pixels(const ArchiveTile& tile) {
  geometry::Bitmask mask(tile.size_px, tile.size_px);
  for (const auto& disc : tile.clouds)
    for (auto row = std::max<std::int64_t>(0, static_cast<std::int64_t>(disc.row - disc.radius)); row < std::min<std::int64_t>(tile.size_px, static_cast<std::int64_t>(disc.row + disc.radius) + 1); ++row) {
      const double y = static_cast<double>(row) + 0.5 - disc.row, reach_squared = disc.radius * disc.radius - y * y;
      if (reach_squared <= 0) continue;
      const double reach = std::sqrt(reach_squared);
      const auto begin = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil(disc.col - reach - 0.5)));
      const auto end = std::min<std::int64_t>(tile.size_px, static_cast<std::int64_t>(std::floor(disc.col + reach - 0.5)) + 1);
      if (begin < end) mask.set_run(begin, end, row, true);
    }
  return mask;
}

}  // namespace tilewright::pipeline
