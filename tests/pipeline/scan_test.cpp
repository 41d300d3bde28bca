// SPDX-License-Identifier: Apache-2.0
// The scan stage on drawn tiles: grouping, duplicates, quarantine, and counts that add up.
#include <cmath>
#include <set>

#include "geometry/crs.h"
#include "index/shard/sha256.h"
#include "pipeline/stages/scan_duplicates.h"
#include "pipeline/stages/stage.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

std::int64_t count_of(const StageReport& report, const std::string& name) {
  for (const auto& [key, value] : report.counts)
    if (key == name) return value;
  ADD_FAILURE() << "no count " << name;
  return -1;
}

class Scan : public ::testing::Test {
 protected:
  Scan() { std::filesystem::create_directories(folder_ / "work"); }
  SourceConfig& source() { return job_.sources[0].second; }
  void write(const std::string& name, const TinyRaster& raster) const { write_raster(folder_.path() / "data" / name, raster); }
  index::Manifest manifest(const std::string& name = "manifest.gpkg") const {
    return index::Manifest::open(folder_ / ("work/" + name), index::Manifest::Mode::create_or_write);
  }
  StageReport scan(index::Manifest& m, int threads = 1) const {
    RunContext context;
    context.threads = threads;
    const auto report = run_scan({job_, m, folder_ / "work"}, context);
    expect_sums(report, m);
    return report;
  }
  /// Nothing is lost: files = distinct tile_file paths + ungrouped; tiles = the four states.
  static void expect_sums(const StageReport& report, index::Manifest& m) {
    std::set<std::string> paths;
    for (const auto& row : index::tile_files(m)) paths.insert(row.path);
    EXPECT_EQ(count_of(report, "files"), std::int64_t(paths.size()) + count_of(report, "ungrouped"));
    EXPECT_EQ(count_of(report, "tiles"), count_of(report, "ok") + count_of(report, "duplicate") + count_of(report, "quarantined") + count_of(report, "removed"));
    EXPECT_EQ(count_of(report, "tiles"), std::int64_t(index::tiles(m).size()));
    for (const auto& tile : index::tiles(m)) EXPECT_EQ(tile.status != "ok", tile.reason.has_value()) << tile.path;
  }
  static std::string reason_of(index::Manifest& m, const std::string& path) {
    for (const auto& tile : index::tiles(m))
      if (tile.path == path) return tile.status == "ok" ? "ok" : *tile.reason;
    return "not there";
  }

  TemporaryFolder folder_;
  Job job_ = tiny_job(folder_.path(), "data:*.tif");
};

TEST_F(Scan, TheManifestKeepsGridsAndMasksOfOkTiles) {
  TinyRaster raster;
  raster.bands = 2;
  raster.nodata = 0;
  raster.transform = {500000, 9, 3, 5000000, 3, -9};
  raster.pixel = [](int band, int col, int row) { return band == 1 ? (col == 3 ? 4 : 1) : (col + row) % 5; };
  write("a.tif", raster);
  write("same.tif", raster);
  raster.nodata = 1;
  raster.pixel = [](int, int, int) { return 1; };
  write("empty.tif", raster);
  source().bands = {{"red", {}}, {"qa", {}}};
  source().quality = {{.band = "qa", .reject_bits = {2}}};
  auto m = manifest();
  scan(m);
  const auto ok = index::tiles(m, "", "ok");
  ASSERT_EQ(ok.size(), 1U);
  const auto grids = index::tile_grids(m);
  ASSERT_EQ(grids.size(), 1U) << "a duplicate and a quarantined tile have none";
  const auto reader = open_tile(job_, m, ok[0]);
  EXPECT_EQ(grids[0].tile_id, ok[0].tile_id);
  EXPECT_EQ(grids[0].affine, reader.affine());
  EXPECT_EQ(grids[0].crs_wkt, reader.crs().wkt());
  EXPECT_EQ(geometry::Crs::from_text(grids[0].crs_wkt).wkt(), reader.crs().wkt());
  const auto masks = index::tile_masks(m, ok[0].tile_id);
  EXPECT_EQ(masks.valid.bits(), reader.valid_mask());
  ASSERT_TRUE(masks.cloud);
  EXPECT_EQ(masks.cloud->bits(), *reader.cloud_mask());
  EXPECT_EQ(masks.cloud->count(), 6);
}

TEST_F(Scan, EachFileEndsAsATileOrWithAReason) {
  write("good.tif", {});
  TinyRaster none;
  none.nodata = 5;
  none.pixel = [](int, int, int) { return 5; };
  write("none.tif", none);
  TinyRaster two;
  two.bands = 2;
  write("two.tif", two);
  TinyRaster wide;
  wide.type = GDT_UInt16;
  wide.transform = {600000, 10, 0, 5000000, 0, -10};
  write("wide.tif", wide);
  TinyRaster nowhere;
  nowhere.epsg = 0;
  write("nowhere.tif", nowhere);
  folder_.write("data/text.tif", "this is an error page, not a raster");
  auto m = manifest();
  const auto report = scan(m);
  EXPECT_EQ(count_of(report, "files"), 6);
  EXPECT_EQ(reason_of(m, "data:good.tif"), "ok");
  EXPECT_EQ(reason_of(m, "data:none.tif"), "all_nodata");
  EXPECT_EQ(reason_of(m, "data:two.tif"), "wrong_band_count");
  EXPECT_EQ(reason_of(m, "data:wide.tif"), "mixed_dtype");
  EXPECT_EQ(reason_of(m, "data:nowhere.tif"), "no_crs");
  EXPECT_EQ(reason_of(m, "data:text.tif"), "unsupported_format");
  EXPECT_EQ(index::rejections(m, "scan").size(), 5U);
}

TEST_F(Scan, FootprintIsTheOutlineOfValidPixels) {
  TinyRaster r;
  r.width = r.height = 40;
  r.nodata = 0;
  r.pixel = [](int, int col, int row) { return col + row < 30 ? 0 : 9; };
  write("a.tif", r);
  auto m = manifest();
  scan(m);
  const auto tile = index::tiles(m).at(0);
  const double valid = 40 * 40 - 30 * 31 / 2;
  EXPECT_DOUBLE_EQ(tile.valid_frac, valid / 1600);
  // At the central meridian's side of UTM, scale about 0.9996: ground area = map area / scale^2.
  EXPECT_NEAR(geometry::geodesic_area_m2(tile.geom), valid * 100 / (0.9996 * 0.9996), valid * 100 * 1e-4);
  EXPECT_EQ(tile.epsg, 32633);
  EXPECT_EQ(tile.res_x, 10);
  EXPECT_EQ(tile.dtype, "uint8");
}

TEST_F(Scan, ASouthUpRasterHasTheFootprintOfItsTwin) {
  write("north.tif", {});
  TinyRaster south;
  south.transform = {500000, 10, 0, 5000000 - 60, 0, 10};
  write("south.tif", south);
  auto m = manifest();
  scan(m);
  const auto tiles = index::tiles(m);
  ASSERT_EQ(tiles.size(), 2U);
  EXPECT_EQ(tiles[0].status, "ok");
  EXPECT_EQ(tiles[1].status, "ok") << tiles[1].reason.value_or("");
  const double a = geometry::geodesic_area_m2(tiles[0].geom), b = geometry::geodesic_area_m2(tiles[1].geom);
  EXPECT_NEAR(a, b, 1e-6 * a);
  EXPECT_NEAR(geometry::geodesic_area_m2(geometry::intersection(tiles[0].geom, tiles[1].geom)), a, 1e-6 * a);
}

TEST_F(Scan, EqualContentUnderTwoNamesIsOneTile) {
  write("a.tif", {});
  TinyRaster r;
  r.options = {"COMPRESS=DEFLATE"};
  write("b.tif", r);
  auto m = manifest();
  const auto report = scan(m);
  EXPECT_EQ(count_of(report, "ok"), 1);
  EXPECT_EQ(count_of(report, "duplicate"), 1);
  const auto tiles = index::tiles(m);
  EXPECT_EQ(*tiles[1].duplicate_of, tiles[0].tile_id) << "at a tie the smaller id stays";
  EXPECT_FALSE(tiles[1].geom.empty()) << "a duplicate keeps its footprint";
}

TEST_F(Scan, AMinuteApartOnTheSameGroundIsOneAcquisition) {
  TinyRaster a, b, c;
  b.pixel = [](int, int, int) { return 3; };
  c.pixel = [](int, int, int) { return 4; };
  b.nodata = c.nodata = a.nodata = 0;
  c.pixel = [](int, int col, int row) { return col == 0 && row == 0 ? 0 : 4; };
  write("20200101T100000.tif", a);
  write("20200101T100059.tif", b);
  write("20200101T100040.tif", c);
  write("20200101T100201.tif", [] { TinyRaster d; d.pixel = [](int, int, int) { return 8; }; d.nodata = 0; return d; }());
  source().date = DateConfig{.name = R"((\d{8}T\d{6})\.tif$)", .format = "%Y%m%dT%H%M%S"};
  auto m = manifest();
  const auto report = scan(m);
  EXPECT_EQ(count_of(report, "ok"), 2);
  EXPECT_EQ(reason_of(m, "data:20200101T100040.tif"), "duplicate") << "it has a pixel less";
  EXPECT_EQ(reason_of(m, "data:20200101T100201.tif"), "ok");
}

TEST_F(Scan, ADayAloneMakesNoDuplicate) {
  TinyRaster b;
  b.pixel = [](int, int, int) { return 3; };
  write("a_20200101.tif", {});
  write("b_20200101.tif", b);
  source().date = DateConfig{.name = R"(_(\d{8})\.tif$)", .format = "%Y%m%d"};
  auto m = manifest();
  EXPECT_EQ(count_of(scan(m), "ok"), 2);
  EXPECT_FALSE(index::tiles(m)[0].time_known);
}

TEST_F(Scan, FilesOfOneCaptureAreOneTileAndTheRestIsNamed) {
  TinyRaster qa;
  qa.pixel = [](int, int col, int) { return col < 4 ? 16 : 0; };
  for (const auto* name : {"x_B1.tif", "x_B2.tif", "y_B1.tif", "y_B2.tif", "z_B1.tif"}) write(name, {});
  write("x_BQA.tif", qa);
  write("y_BQA.tif", {});
  write("z_BQA.tif", {});
  write("stray.tif", {});
  source().group = R"(^(.*)_B(?:\d|QA)\.tif$)";
  source().quality = {{"QA", {}, {}, {4}, {}}};
  auto m = manifest();
  const auto report = scan(m);
  EXPECT_EQ(count_of(report, "files"), 9);
  EXPECT_EQ(count_of(report, "ungrouped"), 1);
  EXPECT_EQ(count_of(report, "tiles"), 3);
  EXPECT_EQ(reason_of(m, "data:z_B1.tif"), "missing_band");
  for (const auto& tile : index::tiles(m)) {
    if (tile.path != "data:x_B1.tif") continue;
    EXPECT_EQ(tile.band_count, 2);
    EXPECT_DOUBLE_EQ(tile.cloud_frac.value_or(-1), 0.5);
    const auto files = index::tile_files(m, tile.tile_id);
    ASSERT_EQ(files.size(), 3U);
    EXPECT_EQ(files[0].band, "B1");
    EXPECT_EQ(files[2].band, "BQA");
    const auto reader = open_tile(job_, m, tile);
    EXPECT_EQ(reader.bands().size(), 2U);
    EXPECT_EQ(reader.cloud_mask()->count(), 24);
  }
}

TEST_F(Scan, ASuffixNamesABandWithOrWithoutTheExtensionAndWithOrWithoutAGroup) {
  for (const auto* name : {"x_B2.tif", "x_B8.tif", "x_B8A.tif"}) write(name, {});
  const auto bands_of = [&](std::optional<std::string> group, const std::string& end) {
    source().group = std::move(group);
    source().bands.clear();
    for (const auto& [band, suffix] : {std::pair{"blue", "_B2"}, {"nir", "_B8"}, {"edge", "_B8A"}}) {
      auto& rule = source().bands.emplace_back();
      rule.name = band;
      rule.path_suffix = suffix + end;
    }
    auto m = manifest();
    EXPECT_EQ(count_of(scan(m), "ungrouped"), 0);
    std::string bands;
    for (const auto& tile : index::tiles(m))
      for (const auto& file : index::tile_files(m, tile.tile_id)) bands += file.band + "=" + file.path + " ";
    return bands;
  };
  const std::string expected = "blue=data:x_B2.tif nir=data:x_B8.tif edge=data:x_B8A.tif ";
  EXPECT_EQ(bands_of({}, ".tif"), expected);
  EXPECT_EQ(bands_of({}, ""), expected);
  EXPECT_EQ(bands_of("^(.)_", ""), expected);
}

TEST_F(Scan, AQualityFileOfItsOwnDoesNotChangeTheHashOfATile) {
  write("a.tif", {});
  write("clouds/a.tif", {});
  QualityConfig clouds;
  clouds.files = "data:clouds/*.tif";
  clouds.match = "([a-z])\\.tif$";
  clouds.reject_values = {1};
  source().quality = {clouds};
  auto m = manifest();
  EXPECT_EQ(count_of(scan(m), "files"), 2);
  const auto tile = index::tiles(m).at(0);
  const auto files = index::tile_files(m, tile.tile_id);
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(tile.sha256, files[0].sha256);
  EXPECT_EQ(tile.sha256, shard::sha256_file(folder_ / "data/a.tif"));
}

TEST_F(Scan, BandsThatAreNodataEverywhereAreLeftOutAndNamed) {
  TinyRaster r;
  r.bands = 3;
  r.nodata = 0;
  r.descriptions = {"red", "water vapour", "blue"};
  r.pixel = [](int band, int col, int) { return band == 1 ? 0 : col + 1; };
  write("a.tif", r);
  r.transform = {600000, 10, 0, 5000000, 0, -10};
  r.pixel = [](int band, int col, int) { return band == 1 ? 0 : col + 2; };
  write("b.tif", r);
  auto m = manifest();
  const auto report = scan(m);
  EXPECT_EQ(count_of(report, "ok"), 2);
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_NE(report.notes[0].find("water vapour"), std::string::npos);
  ASSERT_EQ(index::rejections(m, "scan").size(), 1U);
  EXPECT_EQ(index::rejections(m, "scan")[0].subject, "s/water vapour");
  const auto bands = source_bands(job_, m, "s");
  ASSERT_EQ(bands.size(), 2U);
  EXPECT_EQ(bands[1].info.name, "blue");
  const auto tile = index::tiles(m)[0];
  EXPECT_EQ(tile.valid_frac, 1);
  EXPECT_EQ(open_tile(job_, m, tile).read({0, 0, 8, 6}).data.size(), 96U);
}

TEST_F(Scan, FiltersRemoveTilesWithoutQuarantine) {
  write("a_20190101.tif", {});
  TinyRaster b;
  b.transform = {700000, 10, 0, 5000000, 0, -10};
  write("b_20200101.tif", b);
  source().date = DateConfig{.name = R"(_(\d{8})\.tif$)", .format = "%Y%m%d"};
  source().between = {"2020-01-01", "2020-12-31"};
  auto m = manifest();
  auto report = scan(m);
  EXPECT_EQ(count_of(report, "quarantined"), 0);
  EXPECT_EQ(reason_of(m, "data:a_20190101.tif"), "outside_period");
  source().between.reset();
  source().area = AreaConfig{{}, std::array<double, 4>{14.9, 45, 15.1, 45.3}};
  report = scan(m);
  EXPECT_EQ(reason_of(m, "data:a_20190101.tif"), "ok");
  EXPECT_EQ(reason_of(m, "data:b_20200101.tif"), "outside_area");
}

TEST_F(Scan, TheManifestIsTheSameForAnyNumberOfThreads) {
  for (int i = 0; i < 12; ++i) {
    TinyRaster r;
    r.width = 20 + i;
    r.nodata = 3;
    r.pixel = [i](int, int col, int row) { return (col * 7 + row * 3 + i) % 11; };
    write("t" + std::to_string(i) + ".tif", r);
  }
  write("twin.tif", [] { TinyRaster r; r.width = 20; r.nodata = 3; r.pixel = [](int, int col, int row) { return (col * 7 + row * 3) % 11; }; return r; }());
  auto one = manifest("one.gpkg"), four = manifest("four.gpkg");
  scan(one, 1);
  scan(four, 4);
  EXPECT_EQ(index::canonical_dump(one), index::canonical_dump(four));
  const auto before = index::canonical_dump(one);
  scan(one, 2);
  EXPECT_EQ(index::canonical_dump(one), before) << "scanning again changes nothing";
}

TEST_F(Scan, TheInputHashFollowsContentAndNames) {
  write("a.tif", {});
  auto m = manifest();
  const StageInput in{job_, m, folder_ / "work"};
  const auto first = hash_scan_inputs(in);
  EXPECT_EQ(hash_scan_inputs(in), first);
  TinyRaster other;
  other.pixel = [](int, int, int) { return 1; };
  write("a.tif", other);
  const auto second = hash_scan_inputs(in);
  EXPECT_NE(second, first);
  write("b.tif", {});
  EXPECT_NE(hash_scan_inputs(in), second);
  const auto third = hash_scan_inputs(in);
  folder_.write("data/b.tif.aux.xml", "<PAMDataset/>");
  EXPECT_NE(hash_scan_inputs(in), third) << "side-cars count";
}

TEST_F(Scan, AMissingRootAndAnEmptyGlobAreErrorsOfTheJob) {
  auto m = manifest();
  for (const auto* pattern : {"data:*.tif", "elsewhere:*.tif"}) {
    source().files = {pattern};
    try {
      hash_scan_inputs({job_, m, folder_ / "work"});
      FAIL() << pattern;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
    }
  }
}

TEST_F(Scan, AStopIsHonouredBeforeTheNextTile) {
  write("a.tif", {});
  auto m = manifest();
  std::stop_source stop;
  stop.request_stop();
  RunContext context;
  context.stop = stop.get_token();
  try {
    run_scan({job_, m, folder_ / "work"}, context);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::stopped);
  }
  EXPECT_TRUE(index::tiles(m).empty());
}

}  // namespace
}  // namespace tilewright::pipeline
