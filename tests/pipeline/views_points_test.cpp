// SPDX-License-Identifier: Apache-2.0
// Placement `points`: the point lies on the window's centre pixel, the views are those of the lattice's rules.
#include "pipeline/stages/views_points.h"

#include <cmath>
#include <map>
#include <random>
#include <set>

#include "geometry/error.h"
#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {
namespace {

using ::testing::HasSubstr;

TEST(WindowAround, HoldsThePointInItsCentrePixel) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform(-1e6, 1e6);
  const geometry::Lattice lattice{32633, 30, {15, 7}};
  for (const int size : {1, 2, 3, 16, 17, 64, 65}) {
    for (int n = 0; n < 200; ++n) {
      const geometry::MapXY point{uniform(random), uniform(random)};
      const auto window = window_around(lattice, point, size);
      const auto at = geometry::pixel_from_map(*geometry::inverse(geometry::window_affine(lattice, window)), point);
      EXPECT_EQ(std::floor(at.col), size / 2);
      EXPECT_EQ(std::floor(at.row), size / 2);
    }
  }
  const auto on_corner = window_around(lattice, {15, 7}, 2);   // belongs to the pixel right of it and below
  EXPECT_EQ(on_corner, (geometry::LatticeWindow{-1, 1, 2}));
}

class PointsTest : public ::testing::Test {
 protected:
  PointsTest() {
    bench_.job.sources[0].second.date = DateConfig{.name = "_(\\d{8})", .format = "%Y%m%d"};
    bench_.job.grid.resolution_m = 10;
    bench_.job.views = ViewsConfig{.patch_px = 8, .placement = index::Placement::points, .points = PointsConfig{.file = "data:p.geojson"}};
  }
  void tile(const std::string& name, double x, double y, int size = 40, std::function<bool(int, int)> is_hole = {}) const {
    TinyRaster raster;
    raster.width = raster.height = size;
    raster.transform = {x, 10, 0, y, 0, -10};
    raster.nodata = 0;
    const int value = name[0];
    raster.pixel = [is_hole, value](int, int col, int row) { return is_hole && is_hole(col, row) ? 0 : 1 + (value + col + row) % 200; };
    bench_.write(name, raster);
  }
  /// Points in EPSG:32633 with the attribute `kind`; the ids are their places in the list.
  void points(const std::vector<std::pair<double, double>>& all, const std::string& more = "") const {
    std::string features;
    for (std::size_t n = 0; n < all.size(); ++n)
      features += (n == 0 ? "" : ",") + std::string(R"({"type":"Feature","id":)") + std::to_string(n) + R"(,"properties":{"kind":"k)" + std::to_string(n % 2) +
                  R"("},"geometry":{"type":"Point","coordinates":[)" + std::to_string(all[n].first) + "," + std::to_string(all[n].second) + "]}}";
    bench_.write_text("data/p.geojson", R"({"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::32633"}},"features":[)" + features + more + "]}");
  }
  StageReport run(index::Manifest& m, int threads = 1) const {
    bench_.run(run_scan, m, threads);
    bench_.run(run_graph, m, threads);
    return bench_.run(run_views, m, threads);
  }
  static std::map<std::string, std::string> reasons(index::Manifest& m) {
    std::map<std::string, std::string> out;
    for (const auto& row : index::rejections(m, "views")) {
      if (row.subject.starts_with("points/")) {
        EXPECT_TRUE(out.emplace(row.subject.substr(7), row.reason).second) << "two reasons for " << row.subject;
      }
    }
    return out;
  }
  StageBench bench_;
};

TEST_F(PointsTest, EachPointIsALocationOrHasOneReason) {
  tile("a_20200101.tif", 500000, 5000000);
  tile("b_20200201.tif", 500000, 5000000, 40, [](int col, int row) { return col == 30 && row == 30; });
  points({{500105, 4999895},     // pixel (10, 10): both tiles show its window
          {500109, 4999891},     // the same pixel
          {500295, 4999705},     // pixel (29, 29): b has a hole there
          {500015, 4999895},     // pixel (1, 10): too near the edge
          {600000, 4999895},     // outside
          {500145, 4999895}});   // overlaps the first
  auto m = bench_.manifest();
  const auto report = run(m);
  EXPECT_EQ(reasons(m), (std::map<std::string, std::string>{{"1", "same_place"}, {"3", "view_invalid"}, {"4", "outside_rasters"}}));
  EXPECT_EQ(count_of(report, "locations"), 3);
  std::map<std::pair<double, double>, int> seen;
  for (const auto& row : index::locations(m)) seen[{row.ulx, row.uly}] = row.view_count;
  EXPECT_EQ(seen, (std::map<std::pair<double, double>, int>{{{500060, 4999940}, 2}, {{500250, 4999750}, 1}, {{500100, 4999940}, 2}}));
  EXPECT_EQ(count_of(report, "views_resampled"), 0);
}

TEST_F(PointsTest, ViewsAreThoseOfTheLatticeWhereTheWindowIsTheSame) {
  for (int n = 0; n < 6; ++n)
    tile(std::string(1, static_cast<char>('a' + n)) + "_2020010" + std::to_string(n + 1) + ".tif", 500000 + 70 * n, 5000000 - 50 * n, 40,
         [n](int col, int row) { return (col * 13 + row * 29 + n * 7) % 501 == 0; });
  bench_.job.views->placement = index::Placement::lattice;
  bench_.job.views->points.reset();
  auto lattice = bench_.manifest("lattice.gpkg");
  run(lattice);
  std::vector<std::pair<double, double>> centres;
  for (const auto& row : index::locations(lattice)) centres.emplace_back(row.ulx + 45, row.uly - 45);
  points(centres);
  bench_.job.views->placement = index::Placement::points;
  bench_.job.views->points = PointsConfig{.file = "data:p.geojson"};
  auto around = bench_.manifest("points.gpkg");
  run(around, 4);
  const auto rows = [](index::Manifest& m) {
    std::vector<std::string> out;
    for (const auto& v : index::views(m)) out.push_back(v.location_id + " " + v.tile_id + " " + std::to_string(v.col_off) + " " + std::to_string(v.row_off));
    return out;
  };
  ASSERT_GT(centres.size(), 10U);
  EXPECT_EQ(rows(around), rows(lattice));
}

TEST_F(PointsTest, OddSizesAndMinViewsCount) {
  tile("a_20200101.tif", 500000, 5000000);
  tile("b_20200201.tif", 500200, 5000000);
  points({{500255, 4999895}, {500105, 4999895}});
  bench_.job.views->patch_px = 5;
  bench_.job.views->min_views = 2;
  auto m = bench_.manifest();
  run(m);
  EXPECT_EQ(reasons(m), (std::map<std::string, std::string>{{"1", "too_few_views"}}));
  const auto row = index::locations(m).at(0);
  EXPECT_EQ(row.ulx + 25, 500255) << "the middle pixel's middle";
  EXPECT_EQ(row.uly - 25, 4999895);
}

TEST_F(PointsTest, GeometriesThatAreNoPointsAreSaid) {
  tile("a_20200101.tif", 500000, 5000000);
  points({{500105, 4999895}}, R"(,{"type":"Feature","id":7,"properties":{},"geometry":null},{"type":"Feature","id":8,"properties":{},"geometry":{"type":"LineString","coordinates":[[500000,5000000],[500100,5000000]]}})"
                              R"(,{"type":"Feature","id":9,"properties":{},"geometry":{"type":"MultiPoint","coordinates":[[500200,4999800],[500210,4999800]]}})");
  auto m = bench_.manifest();
  run(m);
  EXPECT_EQ(reasons(m), (std::map<std::string, std::string>{{"7", "null_geometry"}, {"8", "bad_geometry"}, {"9", "bad_geometry"}}));
  bench_.job.views->points->layer = "other";
  try {
    bench_.run(run_views, m);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("no layer 'other'"));
  }
}

TEST_F(PointsTest, AttributesOfThePointAreTargets) {
  tile("a_20200101.tif", 500000, 5000000);
  points({{500105, 4999895}, {500109, 4999891}, {500205, 4999895}, {500255, 4999795}});
  bench_.job.targets = {{"kind", TargetConfig{.field = "kind"}}};
  auto m = bench_.manifest();
  run(m);
  bench_.run(run_label, m);
  std::map<double, std::string> values;
  for (const auto& row : index::targets(m, "kind")) values[index::location(m, row.location_id)->ulx] = row.value;
  EXPECT_EQ(values, (std::map<double, std::string>{{500060, "k0"}, {500160, "k0"}, {500210, "k1"}})) << "of two points in one pixel the first counts";
}

TEST_F(PointsTest, MorePointsAndTilesMoveNoLocationAndThreadsChangeNothing) {
  tile("a_20200101.tif", 500000, 5000000);
  points({{500105, 4999895}, {500295, 4999705}});
  auto few = bench_.manifest("few.gpkg");
  run(few);
  points({{500105, 4999895}, {500295, 4999705}, {500205, 4999805}});
  tile("b_20200201.tif", 500100, 5000000);
  auto many = bench_.manifest("many.gpkg"), again = bench_.manifest("again.gpkg");
  run(many);
  run(again, 4);
  for (const auto& row : index::locations(few)) EXPECT_TRUE(index::location(many, row.location_id)) << row.location_id;
  EXPECT_EQ(index::canonical_dump(many), index::canonical_dump(again));
}

}  // namespace
}  // namespace tilewright::pipeline
