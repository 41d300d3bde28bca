// SPDX-License-Identifier: Apache-2.0
// The graph stage on drawn tiles and against areas that were measured on real ones.
#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {
namespace {

TinyRaster at(double x, double y, int size = 20) {
  TinyRaster raster;
  raster.width = raster.height = size;
  raster.transform = {x, 10, 0, y, 0, -10};
  return raster;
}

TEST(GraphStage, WritesOverlapsAndComponentsOnce) {
  StageBench bench;
  bench.job.sources[0].second.date = DateConfig{.name = "_(\\d{8})", .format = "%Y%m%d"};
  bench.write("a_20200101.tif", at(500000, 5000000));
  bench.write("b_20200111.tif", at(500100, 5000000));   // half of it over a
  bench.write("c_20200101.tif", at(500300, 5000000));   // touches b
  bench.write("d_20200101.tif", at(600000, 5000000));
  auto m = bench.manifest();
  bench.run(run_scan, m);
  for (int round = 0; round < 2; ++round) {
    const auto report = bench.run(run_graph, m);
    EXPECT_EQ(count_of(report, "tiles"), 4);
    EXPECT_EQ(count_of(report, "overlaps"), 1);
    EXPECT_EQ(count_of(report, "components"), 3);
    const auto overlaps = index::overlaps(m);
    ASSERT_EQ(overlaps.size(), 1U);
    EXPECT_NEAR(overlaps[0].area_m2, 100 * 200 / (0.9996 * 0.9996), 20);
    EXPECT_NEAR(overlaps[0].frac_a, 0.5, 1e-4);
    EXPECT_EQ(overlaps[0].days_apart, 10);
    for (const auto& tile : index::tiles(m)) EXPECT_TRUE(tile.component_id) << tile.path;
  }
}

TEST(GraphStage, NoTilesMakeAnEmptyGraph) {
  StageBench bench;
  bench.write("empty.tif", [] {
    TinyRaster raster;
    raster.nodata = 1;
    raster.pixel = [](int, int, int) { return 1; };
    return raster;
  }());
  auto m = bench.manifest();
  bench.run(run_scan, m);
  EXPECT_EQ(count_of(bench.run(run_graph, m), "tiles"), 0);
}

TEST(GraphStage, LandsatOverlapsEqualTheMeasuredAreas) {
  TILEWRIGHT_NEEDS_DATA("A-landsat8-ny-2018");
  const StageBench bench("landsat8_ny_b2.yaml");
  auto m = bench.manifest();
  bench.run(run_scan, m, 2);
  EXPECT_EQ(count_of(bench.run(run_graph, m, 2), "components"), 1);
  double sum_km2 = 0;
  for (const auto& overlap : index::overlaps(m)) sum_km2 += overlap.area_m2 / 1e6;
  EXPECT_EQ(index::overlaps(m).size(), 171U);
  EXPECT_NEAR(sum_km2, 2810842, 3);
}

TEST(GraphStage, TilesOfTwoZonesOverlapByTheEllipsoidalArea) {
  TILEWRIGHT_NEEDS_DATA("A-naip-utm17-utm18");
  const StageBench bench("naip_utm17_utm18.yaml");
  auto m = bench.manifest();
  bench.run(run_scan, m);
  bench.run(run_graph, m);
  ASSERT_EQ(index::overlaps(m).size(), 1U);
  EXPECT_NEAR(index::overlaps(m)[0].area_m2, 6033.82, 0.05);
}

}  // namespace
}  // namespace tilewright::pipeline
