// SPDX-License-Identifier: Apache-2.0
// The scan stage on real data, against figures that were measured with other tools.
#include <ctime>
#include <map>
#include <set>

#include "geometry/crs.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/stages/stage.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

class ScanReal : public ::testing::Test {
 protected:
  ScanReal() {
    job_ = tiny_job(folder_.path(), "");
    job_.roots = {{"data", real_data().string()}};
  }
  SourceConfig& source() { return job_.sources[0].second; }
  StageReport scan() {
    RunContext context;
    context.threads = 2;
    return run_scan({job_, manifest_, folder_.path()}, context);
  }
  static std::int64_t count_of(const StageReport& report, const std::string& name) {
    for (const auto& [key, value] : report.counts)
      if (key == name) return value;
    return -1;
  }

  TemporaryFolder folder_;
  Job job_;
  index::Manifest manifest_ = index::Manifest::open(folder_ / "manifest.gpkg", index::Manifest::Mode::create_or_write);
};

TEST_F(ScanReal, LandsatFilesBecomeNineteenScenesWithClouds) {
  TILEWRIGHT_NEEDS_DATA("A-landsat8-ny-2018");
  source().files = {"data:A-landsat8-ny-2018/*/*_B*.TIF"};
  source().group = R"(^(.*)_B(?:\d+|QA)\.TIF$)";
  source().date = DateConfig{.name = R"(LC08_L1TP_\d{6}_(\d{8})_)", .format = "%Y%m%d"};
  source().nodata = {NodataMode::value, 0, {}};
  source().quality = {{"QA", {}, {}, {4}, {}}};
  source().describe_as = "landsat8";
  const auto report = scan();
  EXPECT_EQ(count_of(report, "files"), 228);
  EXPECT_EQ(count_of(report, "ok"), 19);
  const auto bands = source_bands(job_, manifest_, "s");
  ASSERT_EQ(bands.size(), 11U);
  EXPECT_EQ(bands[0].info.name, "B1");
  EXPECT_EQ(bands[0].info.wavelength_nm, 443);
  for (const auto& tile : index::tiles(manifest_)) {
    EXPECT_NEAR(tile.valid_frac, 0.7, 0.08) << "about 30 percent of each box is fill";
    ASSERT_TRUE(tile.cloud_frac);
    EXPECT_EQ(index::tile_files(manifest_, tile.tile_id).size(), 12U);
  }
}

/// README of the set: 171 pairs, 2810842 km2 in sum, from outlines of B2 > 0 on the ellipsoid.
TEST_F(ScanReal, LandsatFootprintsOverlapAsMeasured) {
  TILEWRIGHT_NEEDS_DATA("A-landsat8-ny-2018");
  source().files = {"data:A-landsat8-ny-2018/*/*_B2.TIF"};
  source().group = R"(^(.*)_B(?:\d+|QA)\.TIF$)";
  source().nodata = {NodataMode::value, 0, {}};
  scan();
  const auto tiles = index::tiles(manifest_, "", "ok");
  ASSERT_EQ(tiles.size(), 19U);
  double sum_km2 = 0;
  int pairs = 0;
  for (std::size_t i = 0; i < tiles.size(); ++i)
    for (std::size_t j = i + 1; j < tiles.size(); ++j) {
      const double area = geometry::geodesic_area_m2(geometry::intersection(tiles[i].geom, tiles[j].geom));
      pairs += area > 0;
      sum_km2 += area / 1e6;
    }
  EXPECT_EQ(pairs, 171);
  EXPECT_NEAR(sum_km2, 2810842, 2810842 * 1e-5);
}

TEST_F(ScanReal, NaipHasEightDatedTiles) {
  TILEWRIGHT_NEEDS_DATA("A-naip-nd-multidate");
  source().files = {"data:A-naip-nd-multidate/*.tif"};
  source().date = DateConfig{.name = R"(_(\d{8})\.tif$)", .format = "%Y%m%d"};
  source().bands = {{"red", {}}, {"green", {}}, {"blue", {}}, {"nir", {}}};
  source().nodata.mode = NodataMode::none;
  const auto report = scan();
  EXPECT_EQ(count_of(report, "ok"), 8);
  std::set<std::string> dates;
  for (const auto& tile : index::tiles(manifest_)) {
    dates.insert(tile.acquired->substr(0, 10));
    EXPECT_EQ(tile.valid_frac, 1);
    EXPECT_EQ(tile.epsg, 26914);
  }
  EXPECT_EQ(dates, (std::set<std::string>{"2009-08-18", "2010-06-29", "2012-07-31", "2014-07-20", "2015-09-26", "2016-08-16", "2017-08-27", "2019-09-04"}));
}

TEST_F(ScanReal, NaipTilesOfTwoZonesShareAWedge) {
  TILEWRIGHT_NEEDS_DATA("A-naip-utm17-utm18");
  source().files = {"data:A-naip-utm17-utm18/*.tif"};
  EXPECT_EQ(count_of(scan(), "ok"), 2);
  const auto tiles = index::tiles(manifest_);
  EXPECT_NEAR(geometry::geodesic_area_m2(geometry::intersection(tiles[0].geom, tiles[1].geom)), 6033.82, 0.5);
}

TEST_F(ScanReal, KampalaChipsAreAllUsedWhetherOrNotTheyHaveAlpha) {
  TILEWRIGHT_NEEDS_DATA("B-kampala-building-chips");
  source().files = {"data:B-kampala-building-chips/chips/*.png"};
  source().assume_crs = "EPSG:3857";
  source().bands = {{"red", {}}, {"green", {}}, {"blue", {}}};
  const auto report = scan();
  EXPECT_EQ(count_of(report, "tiles"), 126);
  EXPECT_EQ(count_of(report, "quarantined"), 0);
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_NE(report.notes[0].find("126 .pgw"), std::string::npos) << report.notes[0];
  for (const auto& tile : index::tiles(manifest_, "", "ok")) {
    EXPECT_EQ(tile.band_count, 3);
    const auto box = geometry::bounds(tile.geom);
    EXPECT_NEAR(box.min_x, 32.595, 0.02);
    EXPECT_NEAR(box.min_y, 0.351, 0.02);
  }
}

TEST_F(ScanReal, EnmapLosesSixEmptyBandsByName) {
  TILEWRIGHT_NEEDS_DATA("D-enmap-potsdam");
  source().files = {"data:D-enmap-potsdam/images/*.tif"};
  source().describe_as = "enmap";
  const auto report = scan();
  EXPECT_EQ(count_of(report, "ok"), 18);
  EXPECT_EQ(index::rejections(manifest_, "scan").size(), 6U);
  const auto bands = source_bands(job_, manifest_, "s");
  EXPECT_EQ(bands.size(), 218U);
  EXPECT_NEAR(bands[0].info.wavelength_nm.value_or(0), 418.24, 1e-6);
  EXPECT_NEAR(bands[0].info.fwhm_nm.value_or(0), 6.99561, 1e-6);
  EXPECT_EQ(bands[0].info.scale, 0.0001);
}

TEST_F(ScanReal, MajorTomBandsOfThreeSizesShareOneGrid) {
  TILEWRIGHT_NEEDS_DATA("S2-majortom-thailand");
  source().files = {"data:S2-majortom-thailand/*/B*.tif"};
  source().group = "^(.*)/B[^/]*$";
  source().bands = {{"B02", {}}, {"B03", {}}, {"B05", {}}, {"B09", {}}};
  source().quality = {{{}, "data:S2-majortom-thailand/*/cloud_mask.tif", "^(.*)/[^/]*$", {}, {1, 2, 3}}};
  const auto report = scan();
  EXPECT_EQ(count_of(report, "ok"), 1);
  EXPECT_EQ(count_of(report, "ungrouped"), 8);
  const auto tile = index::tiles(manifest_)[0];
  EXPECT_EQ(tile.width_px, 1068);
  EXPECT_EQ(tile.cloud_frac, 0);
  EXPECT_EQ(tile.valid_frac, 1);
  EXPECT_NEAR(geometry::geodesic_area_m2(tile.geom) / 1e6, 10.68 * 10.68, 0.2);
}

TEST_F(ScanReal, SloveniaFindsEachDatesCloudMask) {
  TILEWRIGHT_NEEDS_DATA("A-s2-slovenia-series");
  source().files = {"data:A-s2-slovenia-series/ndvi/*.tif"};
  source().date = DateConfig{.name = R"(NDVI_(\d{8}T\d{6})\.tif$)", .format = "%Y%m%dT%H%M%S"};
  source().quality = {{{}, "data:A-s2-slovenia-series/cloudmask/*.tif", R"(_(\d{8}T\d{6})\.tif$)", {}, {1}}};
  const auto report = scan();
  EXPECT_EQ(count_of(report, "files"), 136);
  EXPECT_EQ(count_of(report, "tiles"), 68);
  int clear = 0, full = 0;
  for (const auto& tile : index::tiles(manifest_)) {
    if (!tile.cloud_frac) continue;
    clear += *tile.cloud_frac < 0.01;
    full += *tile.cloud_frac > 0.99;
  }
  EXPECT_EQ(clear, 29);
  EXPECT_EQ(full, 20);
}

TEST_F(ScanReal, NastyFilesOfOneSourceAreUsedOrHaveAReason) {
  TILEWRIGHT_NEEDS_DATA("F-nasty-rasters");
  source().files = {"data:F-nasty-rasters/*.tif"};
  const auto report = scan();
  EXPECT_EQ(count_of(report, "files"), 49);
  EXPECT_EQ(count_of(report, "tiles"), 49);
  for (const auto& tile : index::tiles(manifest_)) {
    EXPECT_EQ(tile.status == "ok", !tile.reason.has_value()) << tile.path;
    EXPECT_TRUE(tile.status != "ok" || !tile.geom.empty()) << tile.path;
  }
}

/// Each file a source of its own, so that all of them are decoded.
TEST_F(ScanReal, EveryNastyFileIsUsedOrHasItsReasonQuickly) {
  TILEWRIGHT_NEEDS_DATA("F-nasty-rasters");
  job_.sources.clear();
  std::map<std::string, std::string> expected = {
      {"all_nodata", "all_nodata"}, {"cfloat32_utm13", "bad_dtype"}, {"cint16_nogeo", "bad_dtype"}, {"int64_utm11", "bad_dtype"},
      {"corrupt_jpeg_tile", "truncated read_error"}, {"fuzz_oom_crash_1", "unreadable"}, {"fuzz_oom_crash_2", "unreadable"}, {"fuzz_oor_panic_1", "unreadable"},
      {"gcps_uint16", "no_georeference"}, {"sar_gcps_no_geotransform", "no_georeference"}, {"rpc_only_uint16", "no_georeference"},
      {"rotated_nocrs_packbits", "no_crs"}, {"mars_crs", "not_mappable"}, {"sparse_8448x8448_empty", "ok"}, {"south_up_global_float", "all_nodata"},
      {"huge_36000x18000_byte", "ok"}, {"landsat_dateline_utm60", "ok"}, {"rotated_utm11", "ok"}, {"external_mask", "ok"}, {"ortho_15cm_alpha", "ok"},
      {"cog_jpeg_ycbcr_mask", "ok"}, {"esri_wkt_crs", "ok"}, {"float64_nodata_nan", "ok"}, {"south_up_nan", "ok"}};
  int i = 0;
  for (const auto& entry : std::filesystem::directory_iterator(real_data() / "F-nasty-rasters")) {
    if (entry.path().extension() != ".tif") continue;
    SourceConfig one;
    one.files = {"data:F-nasty-rasters/" + entry.path().filename().string()};
    job_.sources.emplace_back("s" + std::to_string(i++), one);
  }
  // Processor time: other tests may run beside this one.
  const auto begin = std::clock();
  const auto report = scan();
  EXPECT_LT(double(std::clock() - begin) / CLOCKS_PER_SEC, 20);
  EXPECT_EQ(count_of(report, "tiles"), 49);
  for (const auto& tile : index::tiles(manifest_)) {
    const auto found = expected.find(std::filesystem::path(tile.path).stem().string());
    const auto outcome = tile.reason.value_or(tile.status);
    EXPECT_TRUE(found == expected.end() || found->second.find(outcome) != std::string::npos) << tile.path << " is " << outcome;
    if (std::getenv("TILEWRIGHT_SHOW")) std::cout << tile.path << " " << outcome << "\n";
  }
  if (std::getenv("TILEWRIGHT_SHOW"))
    for (const auto& note : report.notes) std::cout << note << "\n";
}

/// Shares of 255 in the masks, as gdal_translate -b mask gives them.
TEST_F(ScanReal, ExternalMaskAndAlphaAreTheValidityThatGdalSees) {
  TILEWRIGHT_NEEDS_DATA("F-nasty-rasters");
  source().files = {"data:F-nasty-rasters/external_mask.tif", "data:F-nasty-rasters/ortho_15cm_alpha.tif"};
  scan();
  for (const auto& tile : index::tiles(manifest_)) EXPECT_NEAR(tile.valid_frac, tile.path.find("mask") != std::string::npos ? 86117.0 / 88856 : 78812.0 / 88856, 1e-9) << tile.path;
}

}  // namespace
}  // namespace tilewright::pipeline
