// SPDX-License-Identifier: Apache-2.0
// The views stage: lattices, copies, shifts, rejections, and pixels that are valid where it says so.
#include <cmath>
#include <map>
#include <set>

#include "geometry/error.h"
#include "pipeline/stages/sampling.h"
#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {
namespace {

using ::testing::HasSubstr;

TinyRaster at(double x, double y, int size = 40, double resolution = 10) {
  TinyRaster raster;
  raster.width = raster.height = size;
  raster.transform = {x, resolution, 0, y, 0, -resolution};
  raster.nodata = 0;
  return raster;
}

/// Scan, graph and views of tiles named t_<date>.tif.
class ViewsStageTest : public ::testing::Test {
 protected:
  ViewsStageTest() {
    bench_.job.sources[0].second.date = DateConfig{.name = "_(\\d{8})", .format = "%Y%m%d"};
    bench_.job.grid.resolution_m = 10;
    bench_.job.views = ViewsConfig{.patch_px = 16};
  }
  StageReport run(index::Manifest& m, int threads = 1) const {
    bench_.run(run_scan, m, threads);
    bench_.run(run_graph, m, threads);
    return bench_.run(run_views, m, threads);
  }
  static std::string id_of(index::Manifest& m, const std::string& name) {
    for (const auto& tile : index::tiles(m))
      if (tile.path == "data:" + name) return tile.tile_id;
    return "not there";
  }
  StageBench bench_;
};

TEST_F(ViewsStageTest, AlignedTilesAreCopiedOnTheirOwnPhase) {
  bench_.write("a_20200101.tif", at(500003, 5000007));
  bench_.write("b_20200201.tif", at(500043, 4999967));
  auto m = bench_.manifest();
  const auto report = run(m);
  EXPECT_EQ(index::meta(m, "lattice_origin/32633/10"), "3 7");
  ASSERT_FALSE(report.notes.empty());
  EXPECT_THAT(report.notes[0], HasSubstr("(3, 7)"));
  EXPECT_EQ(count_of(report, "views_resampled"), 0);
  const auto locations = index::locations(m);
  ASSERT_GE(locations.size(), 4U);
  for (const auto& location : locations) {
    EXPECT_EQ(std::fmod(location.ulx - 3, 10), 0);
    EXPECT_EQ(location.size_px, 16);
    EXPECT_FALSE(location.geom.empty());
    const auto views = index::views(m, location.location_id);
    EXPECT_EQ(static_cast<int>(views.size()), location.view_count);
    for (const auto& view : views) {
      EXPECT_EQ(view.shift_px, 0);
      const double left = view.tile_id == id_of(m, "a_20200101.tif") ? 500003 : 500043;
      const double top = view.tile_id == id_of(m, "a_20200101.tif") ? 5000007 : 4999967;
      EXPECT_EQ(left + view.col_off * 10, location.ulx);
      EXPECT_EQ(top - view.row_off * 10, location.uly);
    }
  }
  EXPECT_EQ(std::ranges::count_if(locations, [](const auto& l) { return l.view_count == 2; }), 4) << "36 x 36 common pixels hold 2 x 2 patches";
}

TEST_F(ViewsStageTest, ShiftedTilesAreResampledAndSayByHowMuch) {
  bench_.write("a_20200101.tif", at(500000, 5000000));
  bench_.write("b_20200201.tif", at(500000, 5000000));
  bench_.write("c_20200301.tif", at(500004, 4999998));
  auto m = bench_.manifest();
  const auto report = run(m);
  EXPECT_GT(count_of(report, "views_resampled"), 0);
  for (const auto& view : index::views(m)) {
    const bool shifted = view.tile_id == id_of(m, "c_20200301.tif");
    EXPECT_EQ(view.resampled, shifted);
    if (!shifted) continue;
    EXPECT_NEAR(*view.shift_x_px, 0.4, 1e-9);   // the source corner lies 4 m to the east and 2 m to the south
    EXPECT_NEAR(*view.shift_y_px, -0.2, 1e-9);
    EXPECT_NEAR(*view.shift_px, std::hypot(0.4, 0.2), 1e-9);
    EXPECT_NEAR(view.col_off - std::floor(view.col_off), 0.6, 1e-9);
  }
}

/// Every pixel under the kernel of every view is valid in its tile: what extract relies on.
void expect_valid_views(const StageBench& bench, index::Manifest& m) {
  struct Seen {
    TileReader reader;
    geometry::Bitmask valid;
  };
  std::map<std::string, Seen> tiles;
  for (const auto& view : index::views(m)) {
    if (!tiles.contains(view.tile_id)) {
      auto opened = open_tile(bench.job, m, *index::tile(m, view.tile_id));
      auto valid = opened.valid_mask();
      tiles.emplace(view.tile_id, Seen{std::move(opened), std::move(valid)});
    }
    const auto& [reader, mask] = tiles.at(view.tile_id);
    const auto location = index::location(m, view.location_id);
    const geometry::Affine window{.a = location->res_m, .b = 0, .c = location->ulx, .d = 0, .e = -location->res_m, .f = location->uly};
    const geometry::Transform source_from_grid(geometry::Crs::from_epsg(location->epsg), reader.crs());
    const double half = !view.resampled || bench.job.extract.resampling == geometry::Resampling::nearest ? 0 : 0.5;
    int bad = 0;
    std::vector<geometry::PixelXY> points;
    for (int row = 0; row < location->size_px; ++row)
      for (int col = 0; col < location->size_px; ++col)
        points.push_back(geometry::pixel_from_map(*geometry::inverse(reader.affine()), *source_from_grid(window.map_from_pixel({col + 0.5, row + 0.5}))));
    for (const auto& p : points)
      for (const double dy : {-half, half})
        for (const double dx : {-half, half}) {
          const auto c = static_cast<std::int64_t>(std::floor(p.col + dx)), r = static_cast<std::int64_t>(std::floor(p.row + dy));
          const bool is_bad = c < 0 || r < 0 || c >= mask.width() || r >= mask.height() || !mask.get(c, r);
          bad += is_bad ? 1 : 0;
        }
    EXPECT_EQ(bad, 0) << view.location_id << " " << view.tile_id;
  }
}

TEST_F(ViewsStageTest, EveryViewIsValidUnderTheKernelAlsoAcrossZones) {
  auto holes = at(500000, 5000000, 60);
  holes.pixel = [](int, int col, int row) { return (col * 31 + row * 17) % 401 == 0 ? 0 : 1 + col % 7; };
  bench_.write("a_20200101.tif", holes);
  auto shifted = holes;
  shifted.transform = {500005, 10, 0, 4999995, 0, -10};   // half a pixel: points lie on pixel edges
  bench_.write("b_20200201.tif", shifted);
  auto other_zone = holes;                                // the same place in zone 32
  other_zone.epsg = 32632;
  const auto corner = geometry::Transform(geometry::Crs::from_epsg(32633), geometry::Crs::from_epsg(32632))({500000, 5000000});
  other_zone.transform = {std::floor(corner->x), 9, 0, std::floor(corner->y), 0, -9};
  bench_.write("c_20200301.tif", other_zone);
  bench_.job.grid.zone = "EPSG:32633";
  bench_.job.views->patch_px = 8;
  for (const auto kernel : {geometry::Resampling::nearest, geometry::Resampling::bilinear}) {
    bench_.job.extract.resampling = kernel;
    auto m = bench_.manifest(kernel == geometry::Resampling::nearest ? "nearest.gpkg" : "bilinear.gpkg");
    const auto report = run(m, 2);
    EXPECT_GT(count_of(report, "views_resampled"), 0);
    std::set<std::string> seen;
    for (const auto& view : index::views(m)) {
      seen.insert(view.tile_id);
      EXPECT_EQ(view.shift_px.has_value(), view.tile_id != id_of(m, "c_20200301.tif"));
    }
    EXPECT_EQ(seen.size(), 3U);
    expect_valid_views(bench_, m);
  }
}

TEST_F(ViewsStageTest, NoRasterIsOpenedOnceScanHasRun) {
  auto holes = at(500000, 5000000);
  holes.bands = 2;
  holes.pixel = [](int band, int col, int row) { return band == 1 && col > 20 && row > 20 ? 8 : (col * 31 + row * 17) % 101 == 0 ? 0 : 1; };
  bench_.write("a_20200101.tif", holes);
  holes.transform = {500004, 10, 0, 4999998, 0, -10};
  holes.pixel = [](int, int col, int row) { return (col * 7 + row) % 97 == 0 ? 0 : 2; };
  bench_.write("b_20200201.tif", holes);
  auto& source = bench_.job.sources[0].second;
  source.bands = {{"red", {}}, {"clouds", {}}};
  source.quality = {{.band = "clouds", .reject_bits = {3}}};
  bench_.job.views->patch_px = 8;
  auto with_files = bench_.manifest("with.gpkg"), without = bench_.manifest("without.gpkg");
  run(with_files);
  bench_.run(run_scan, without);
  bench_.run(run_graph, without);
  expect_valid_views(bench_, with_files);
  bench_.remove_inputs();
  bench_.run(run_views, without);
  EXPECT_GT(index::views(without).size(), 4U);
  EXPECT_EQ(index::canonical_dump(without), index::canonical_dump(with_files));
}

TEST_F(ViewsStageTest, TilesOfTwoZonesAreEachSeenInTheirOwn) {
  bench_.write("a_20200101.tif", at(500000, 5000000));
  auto other = at(500000, 5000000);
  other.epsg = 32632;
  bench_.write("b_20200101.tif", other);
  auto m = bench_.manifest();
  EXPECT_EQ(count_of(run(m), "zones"), 2);
  std::set<int> zones;
  for (const auto& location : index::locations(m)) zones.insert(location.epsg);
  EXPECT_EQ(zones, (std::set<int>{32632, 32633}));
}

TEST_F(ViewsStageTest, TileThatNoLocationShowsSaysSo) {
  bench_.write("a_20200101.tif", at(500000, 5000000));
  bench_.write("b_20200201.tif", at(500100, 5000000));
  bench_.write("small_20200101.tif", at(600000, 5000000, 12));
  auto m = bench_.manifest();
  const auto report = run(m);
  EXPECT_EQ(count_of(report, "tiles"), 3);
  EXPECT_EQ(count_of(report, "tiles_without_view"), 1);
  const auto rejections = index::rejections(m, "views");
  EXPECT_EQ(std::ranges::count_if(rejections, [&](const auto& r) { return r.subject == id_of(m, "small_20200101.tif"); }), 1);
}

TEST_F(ViewsStageTest, NothingFoundIsAnErrorWithNumbers) {
  bench_.write("a_20200101.tif", at(500000, 5000000));
  bench_.job.views->min_views = 2;
  auto m = bench_.manifest();
  try {
    run(m);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::failed);
    EXPECT_THAT(error.what(), HasSubstr("min_views is 2"));
    EXPECT_THAT(error.what(), HasSubstr("625 windows"));
  }
}

TEST_F(ViewsStageTest, FrozenOriginSurvivesNewTilesOfAnotherPhase) {
  bench_.write("a_20200101.tif", at(500003, 5000007));
  auto m = bench_.manifest();
  run(m);
  const auto before = index::locations(m);
  for (int n = 1; n < 4; ++n) bench_.write("n_2020020" + std::to_string(n) + ".tif", at(700001, 5000000));
  const auto report = run(m);
  EXPECT_EQ(index::meta(m, "lattice_origin/32633/10"), "3 7");
  ASSERT_FALSE(report.notes.empty());
  EXPECT_THAT(report.notes[0], HasSubstr("(3, 7), frozen once found"));
  EXPECT_EQ(lattice_of(m, index::locations(m)[0]).origin, (geometry::MapXY{3, 7}));
}

TEST_F(ViewsStageTest, OriginOfTheJobWins) {
  bench_.write("a_20200101.tif", at(500003, 5000007));
  bench_.job.grid.origin_m = {{0.0, 0.0}};
  auto m = bench_.manifest();
  EXPECT_EQ(count_of(run(m), "views_copied"), 0);
}

TEST_F(ViewsStageTest, GeographicGridIsRefused) {
  bench_.write("a_20200101.tif", at(500003, 5000007));
  bench_.job.grid.zone = "EPSG:4326";
  auto m = bench_.manifest();
  try {
    run(m);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("grid.zone"));
  }
}

TEST_F(ViewsStageTest, ThreadsChangeNothing) {
  for (int n = 0; n < 7; ++n) {
    auto raster = at(500000 + n * 37, 5000000 - n * 53, 45);
    raster.pixel = [n](int, int col, int row) { return (col * 13 + row * 29 + n * 7) % 301 == 0 ? 0 : 1; };
    bench_.write("t_2020010" + std::to_string(n + 1) + ".tif", raster);
  }
  bench_.job.views->patch_px = 8;
  std::string first;
  for (const int threads : {1, 2, 4}) {
    auto m = bench_.manifest("threads" + std::to_string(threads) + ".gpkg");
    run(m, threads);
    if (first.empty()) first = index::canonical_dump(m);
    EXPECT_EQ(index::canonical_dump(m), first) << threads << " threads";
  }
}

TEST(ViewsReal, NaipDatesOnFourPhasesMeetOnOneLattice) {
  TILEWRIGHT_NEEDS_DATA("A-naip-nd-multidate");
  const StageBench bench("naip_nd.yaml");
  auto m = bench.manifest();
  bench.run(run_scan, m, 2);
  bench.run(run_graph, m, 2);
  const auto report = bench.run(run_views, m, 2);
  EXPECT_EQ(count_of(report, "tiles"), 8);
  EXPECT_EQ(count_of(report, "tiles_without_view"), 0);
  EXPECT_GT(count_of(report, "views_copied"), 0);
  EXPECT_GT(count_of(report, "views_resampled"), 0);
  std::set<int> counts;
  for (const auto& location : index::locations(m)) counts.insert(location.view_count);
  EXPECT_EQ(*counts.rbegin(), 8);
  EXPECT_GE(index::locations(m).size(), 14U * 11U - 15U) << "4.67 x 3.61 km hold 14 x 11 patches of 320 m";
  expect_valid_views(bench, m);
}

TEST(ViewsReal, LandsatScenesWithCloudsGiveLongSeries) {
  TILEWRIGHT_NEEDS_DATA("A-landsat8-ny-2018");
  const StageBench bench("landsat8_ny.yaml");
  auto m = bench.manifest();
  bench.run(run_scan, m, 2);
  bench.run(run_graph, m, 2);
  const auto report = bench.run(run_views, m, 2);
  EXPECT_EQ(count_of(report, "views_copied"), 0) << "its pixels are not square";
  EXPECT_GT(count_of(report, "rejected_view_cloudy"), 0);
  for (const auto& location : index::locations(m)) EXPECT_GE(location.view_count, 3);
  for (const auto& view : index::views(m)) EXPECT_LE(view.cloud_frac.value_or(0), 0.3);
  expect_valid_views(bench, m);
}

TEST(ViewsReal, OpticalDatesHaveTheirNearestRadarDate) {
  TILEWRIGHT_NEEDS_DATA("C-ssl4eo-s12-punjab");
  const StageBench bench("ssl4eo_punjab_pairs.yaml");
  auto m = bench.manifest();
  bench.run(run_scan, m, 2);
  bench.run(run_graph, m, 2);
  const auto report = bench.run(run_views, m, 2);
  EXPECT_EQ(count_of(report, "tiles"), 6);
  const auto locations = index::locations(m);
  EXPECT_GE(locations.size(), 9U) << "2.5 km hold 3 x 3 patches of 640 m";
  EXPECT_EQ(count_of(report, "rejected_view_unpaired"), static_cast<std::int64_t>(locations.size())) << "the second date has no Level-1C partner";
  for (const auto& location : locations) {
    std::vector<std::string> seen;
    for (const auto& view : index::views(m, location.location_id)) seen.push_back(view.acquired->substr(0, 10) + " " + view.tile_id.substr(0, view.tile_id.rfind('-')));
    EXPECT_THAT(seen, ::testing::UnorderedElementsAre("2020-06-04 s2a", "2020-06-04 s2c", "2020-06-07 s1", "2020-08-13 s2a", "2020-09-03 s1"));
  }
  expect_valid_views(bench, m);
}

}  // namespace
}  // namespace tilewright::pipeline
