// SPDX-License-Identifier: Apache-2.0
// Where two zones meet: home columns against the definition, one owner of a place, neighbours that are seen.
#include "pipeline/stages/zone_border.h"

#include <map>
#include <random>
#include <set>

#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {
namespace {

const std::set<int> kThreeZones = {32631, 32632, 32732};

TEST(HomeColumns, AreThoseWhoseWindowsHaveTheirCentreInTheZone) {
  for (const double y : {4'999'000.0, 6'100'000.0, 300.0}) {
    const geometry::Lattice lattice{.epsg = 32632, .resolution_m = 300, .origin = {7, 11}};
    const std::int64_t row = -static_cast<std::int64_t>(y / 300), left = 500, right = 2900;
    const auto home = home_columns(lattice, 9, kThreeZones, {{row - 3, row + 4}, {row - 5, row - 2}}, {left, right});
    ASSERT_TRUE(home);
    const geometry::Transform degrees(geometry::Crs::from_epsg(32632), geometry::wgs84());
    for (auto r = row - 5; r < row + 4; ++r) {
      const auto [begin, end] = home(r);
      for (auto col = left; col < right; col += 7) {
        const auto centre = degrees({7 + (static_cast<double>(col) + 4.5) * 300, 11 - (static_cast<double>(r) + 4.5) * 300});
        const int zone = geometry::utm_epsg({centre->x, centre->y});
        // Unused zones of the south are left to 32732.
        EXPECT_EQ(col >= begin && col < end, zone == 32632 || (!kThreeZones.contains(zone) && zone < 32700)) << col << ", " << r << " in " << zone;
      }
    }
    EXPECT_EQ(home(row + 100), std::pair(left, right)) << "rows without tiles that cross are home";
  }
}

/// Squares of 1 km near 12 degrees east, in both zones.
std::vector<index::LocationRow> claims(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<index::LocationRow> rows;
  for (int n = 0; n < 40; ++n) {
    const int epsg = n % 2 ? 32632 : 32633;
    const geometry::Transform zone_from_degrees(geometry::wgs84(), geometry::Crs::from_epsg(epsg));
    const auto corner = *zone_from_degrees({12 + (static_cast<double>(random() % 1000) - 500) / 20000, 47 + static_cast<double>(random() % 1000) / 25000});
    index::LocationRow row;
    row.location_id = "l" + std::to_string(random() % 1000000);
    row.epsg = epsg;
    row.view_count = 1 + static_cast<int>(random() % 3);
    const double x = corner.x, y = corner.y;
    row.geom = *geometry::geographic(geometry::MapMultiPolygon{{{{x, y}, {x + 1000, y}, {x + 1000, y + 1000}, {x, y + 1000}, {x, y}}, {}}}, geometry::Crs::from_epsg(epsg));
    rows.push_back(std::move(row));
  }
  return rows;
}

TEST(ClaimedElsewhere, SettledLocationsStay) {
  auto rows = claims(1);
  const auto dropped = claimed_elsewhere(rows);
  ASSERT_FALSE(dropped.empty());
  std::swap(rows[0], rows[dropped[0]]);
  EXPECT_FALSE(std::ranges::binary_search(claimed_elsewhere(rows, 1), std::size_t{0}));
}

TEST(ClaimedElsewhere, LeavesNoTwoZonesOnMostOfOneGround) {
  std::int64_t dropped_in_all = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto rows = claims(seed);
    const auto dropped = claimed_elsewhere(rows);
    dropped_in_all += static_cast<std::int64_t>(dropped.size());
    const auto is_dropped = [&](std::size_t n) { return std::ranges::binary_search(dropped, n); };
    const auto share = [&](std::size_t a, std::size_t b) {
      const double both = geometry::geodesic_area_m2(geometry::intersection(rows[a].geom, rows[b].geom));
      return both / (geometry::geodesic_area_m2(rows[a].geom) + geometry::geodesic_area_m2(rows[b].geom) - both);
    };
    for (std::size_t a = 0; a < rows.size(); ++a) {
      bool has_better = false;
      for (std::size_t b = 0; b < rows.size(); ++b) {
        if (rows[a].epsg == rows[b].epsg || share(a, b) <= 0.5) continue;
        EXPECT_TRUE(is_dropped(a) || is_dropped(b));
        const bool is_better = rows[b].view_count != rows[a].view_count ? rows[b].view_count > rows[a].view_count : rows[b].location_id < rows[a].location_id;
        has_better = has_better || (is_better && !is_dropped(b));
      }
      EXPECT_EQ(is_dropped(a), has_better);
    }
  }
  EXPECT_GT(dropped_in_all, 20);
}

/// Three dates around 12 degrees east: two in zone 32, one in zone 33.
class ZoneBorderTest : public ::testing::Test {
 protected:
  ZoneBorderTest() {
    bench_.job.sources[0].second.date = DateConfig{.name = "_(\\d{8})", .format = "%Y%m%d"};
    bench_.job.grid.resolution_m = 10;
    bench_.job.views = ViewsConfig{.patch_px = 16};
    write("a_20200101.tif", 32632, 11.992);
    write("b_20200201.tif", 32632, 11.993);
    write("c_20200301.tif", 32633, 11.9955);
  }
  void write(const std::string& name, int epsg, double west_deg) {
    TinyRaster raster;
    raster.epsg = epsg;
    raster.width = raster.height = 90;
    const geometry::Transform zone_from_degrees(geometry::wgs84(), geometry::Crs::from_epsg(epsg));
    const auto corner = *zone_from_degrees({west_deg, 47});
    raster.transform = {std::round(corner.x / 10) * 10, 10, 0, std::round(corner.y / 10) * 10, 0, -10};
    raster.nodata = 0;
    bench_.write(name, raster);
  }
  StageBench bench_;
};

TEST_F(ZoneBorderTest, WindowsBelongToTheZoneOfTheirCentreAndSeeTilesOfBoth) {
  auto m = bench_.manifest();
  bench_.run(run_scan, m);
  bench_.run(run_graph, m);
  const auto report = bench_.run(run_views, m);
  EXPECT_EQ(count_of(report, "tiles"), 3);
  std::map<int, int> by_zone, with_all;
  for (const auto& location : index::locations(m)) {
    const geometry::Transform degrees(geometry::Crs::from_epsg(location.epsg), geometry::wgs84());
    const auto centre = *degrees({location.ulx + 80, location.uly - 80});
    EXPECT_EQ(geometry::utm_epsg({centre.x, centre.y}), location.epsg);
    ++by_zone[location.epsg];
    with_all[location.epsg] += location.view_count == 3 ? 1 : 0;
  }
  EXPECT_GT(by_zone[32632], 5);
  EXPECT_GT(by_zone[32633], 5);
  EXPECT_GT(with_all[32632], 0) << "the tile of zone 33 is seen from zone 32";
  EXPECT_GT(with_all[32633], 0) << "the tiles of zone 32 are seen from zone 33";
  EXPECT_TRUE(claimed_elsewhere(index::locations(m)).empty());
  for (const auto& view : index::views(m)) {
    const bool is_neighbour = index::tile(m, view.tile_id)->epsg != index::location(m, view.location_id)->epsg;
    EXPECT_EQ(view.resampled, is_neighbour);
  }
}

TEST_F(ZoneBorderTest, OneZoneForAllHasNoBorder) {
  bench_.job.grid.zone = "EPSG:32632";
  auto m = bench_.manifest();
  bench_.run(run_scan, m);
  bench_.run(run_graph, m);
  bench_.run(run_views, m);
  for (const auto& location : index::locations(m)) EXPECT_EQ(location.epsg, 32632);
}

/// Later scenes: one far in the next zone, then one across the border between the two.
class ZoneGrowthTest : public ZoneBorderTest {
 protected:
  using Rows = std::map<std::string, int>;
  ZoneGrowthTest() { std::filesystem::remove(bench_.path() / "data/c_20200301.tif"); }
  void plan(index::Manifest& m, int threads = 1) {
    for (auto* stage : {run_scan, run_graph, run_views}) bench_.run(stage, m, threads);
  }
  static Rows counts_of(index::Manifest& m, int epsg) {
    Rows rows;
    for (const auto& location : index::locations(m))
      if (location.epsg == epsg) rows[location.location_id] = location.view_count;
    return rows;
  }
  static std::int64_t resampled(index::Manifest& m, int epsg) {
    std::int64_t count = 0;
    for (const auto& view : index::views(m)) count += view.resampled && index::location(m, view.location_id)->epsg == epsg ? 1 : 0;
    return count;
  }
};

TEST_F(ZoneGrowthTest, AZoneThatComesLaterHasItsOwnWindowsAndMovesNone) {
  auto m = bench_.manifest(), threaded = bench_.manifest("threads.gpkg");
  plan(m);
  plan(threaded, 3);
  const auto first = counts_of(m, 32632);
  ASSERT_GT(first.size(), 5U);
  EXPECT_TRUE(counts_of(m, 32633).empty());

  write("d_20200401.tif", 32633, 12.1);
  plan(m);
  plan(threaded, 3);
  EXPECT_EQ(counts_of(m, 32632), first) << "a scene that touches none of them";
  const auto far = counts_of(m, 32633);
  EXPECT_GT(far.size(), 5U);
  EXPECT_TRUE(index::meta(m, "lattice_origin/32633/10")) << "the new zone has a lattice of its own";

  write("c_20200301.tif", 32633, 11.9955);
  plan(m);
  plan(threaded, 3);
  const auto west = counts_of(m, 32632), east = counts_of(m, 32633);
  int grown = 0;
  for (const auto& [id, count] : first) {
    ASSERT_TRUE(west.contains(id)) << id;
    EXPECT_GE(west.at(id), count);
    grown += west.at(id) > count ? 1 : 0;
  }
  EXPECT_GT(grown, 0) << "the scene of zone 33 is seen from zone 32";
  EXPECT_GT(resampled(m, 32632), 0);
  for (const auto& [id, count] : far) EXPECT_EQ(east.at(id), count);
  EXPECT_GT(east.size(), far.size()) << "and has windows on its own side";
  EXPECT_TRUE(claimed_elsewhere(index::locations(m)).empty());
  EXPECT_EQ(index::canonical_dump(threaded), index::canonical_dump(m));
  const auto dump = index::canonical_dump(m);
  bench_.run_forced(run_views, m);
  EXPECT_EQ(index::canonical_dump(m), dump) << "looking everywhere";
}

TEST_F(ZoneGrowthTest, ASceneOfANewZoneThatTouchesThePlanJoinsIt) {
  auto m = bench_.manifest();
  plan(m);
  const auto first = counts_of(m, 32632);
  write("c_20200301.tif", 32633, 11.9955);
  plan(m);
  EXPECT_TRUE(counts_of(m, 32633).empty()) << "one zone does not fall apart for a scene at its border";
  EXPECT_GT(resampled(m, 32632), 0);
  for (const auto& [id, count] : first) EXPECT_GE(counts_of(m, 32632).at(id), count);
}

}  // namespace
}  // namespace tilewright::pipeline
