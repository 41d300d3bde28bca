// SPDX-License-Identifier: Apache-2.0
// Forms that inputs come in: bands that are dates, granules side by side, lists of bad bands, borders of
// zeros, clouds of another size, odd dates, odd places, files that change; each a result or a reason.
#include <cmath>
#include <ctime>
#include <fstream>
#include <set>

#include "geometry/crs.h"
#include "pipeline/io/nodata.h"
#include "pipeline/stages/scan_footprint.h"
#include "pipeline/stages/scan_pass.h"
#include "pipeline/stages/scan_tile.h"
#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {
namespace {

using ::testing::HasSubstr;

class ScanForms : public ::testing::Test {
 protected:
  SourceConfig& source() { return bench_.job.sources[0].second; }
  index::Manifest scanned(const std::string& name = "manifest.gpkg", int threads = 1) {
    auto m = bench_.manifest(name);
    report_ = bench_.run(run_scan, m, threads);
    return m;
  }
  static index::TileRow tile_of(index::Manifest& m, const std::string& path) {
    for (const auto& tile : index::tiles(m))
      if (tile.path == "data:" + path) return tile;
    return {};
  }
  static std::string outcome(index::Manifest& m, const std::string& path) {
    const auto tile = tile_of(m, path);
    return tile.reason.value_or(tile.status);
  }
  static std::string detail(index::Manifest& m, const std::string& path) {
    for (const auto& row : index::rejections(m, "scan"))
      if (row.subject == tile_of(m, path).tile_id) return row.detail;
    return "";
  }
  StageBench bench_;
  StageReport report_;
};

TEST_F(ScanForms, BandsThatAreDatesBecomeATileEach) {
  TinyRaster raster;
  raster.bands = 3;
  raster.nodata = 0;
  raster.pixel = [](int band, int col, int) { return band == 1 ? 0 : band == 2 && col < 4 ? 0 : 10 + band; };
  bench_.write("ndvi.tif", raster);
  bench_.write_text("dates.json", R"(["2017-06-20", "2017-07-05T10:11:12Z", "2017-07-20"])");
  source().date = DateConfig{.bands = "job:dates.json"};
  source().bands = {{"ndvi", {}}};
  auto m = scanned();
  const auto tiles = index::tiles(m);
  ASSERT_EQ(tiles.size(), 3U);
  std::map<std::string, index::TileRow> by_date;
  std::set<std::string> ids;
  for (const auto& tile : tiles) {
    by_date[tile.acquired.value_or("none")] = tile;
    ids.insert(tile.tile_id);
    EXPECT_EQ(tile.band_count, 1);
  }
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_EQ(by_date["2017-06-20T00:00:00.000Z"].valid_frac, 1);
  EXPECT_EQ(by_date["2017-07-05T10:11:12.000Z"].reason, "all_nodata");
  EXPECT_TRUE(by_date["2017-07-05T10:11:12.000Z"].time_known);
  EXPECT_EQ(by_date["2017-07-20T00:00:00.000Z"].valid_frac, 0.5);
  EXPECT_EQ(source_bands(bench_.job, m, "s").at(0).info.name, "ndvi");
  const auto reader = open_tile(bench_.job, m, by_date["2017-07-20T00:00:00.000Z"]);
  EXPECT_EQ(static_cast<int>(reader.read({5, 0, 1, 1}).data[0]), 12);
  EXPECT_EQ(count_of(report_, "files"), 1);
  bench_.write_text("dates.json", R"(["2017-06-20", "2017-07-05"])");
  auto fewer = scanned("fewer.gpkg");
  for (const auto& tile : index::tiles(fewer)) EXPECT_EQ(tile.reason, "wrong_band_count");
}

TEST_F(ScanForms, BandsThatAListMarksAsBadAreLeftOut) {
  bench_.write_text("data/a.img", std::string(8 * 6 * 3, '\7'));
  bench_.write_text("data/a.hdr", "ENVI\nsamples = 8\nlines = 6\nbands = 3\nheader offset = 0\nfile type = ENVI Standard\ndata type = 1\ninterleave = bsq\n"
                                  "byte order = 0\nmap info = {UTM, 1, 1, 500000, 5000000, 10, 10, 33, North, WGS-84}\nbbl = {1, 0, 1}\n");
  source().files = {"data:*.img"};
  auto m = scanned();
  const auto bands = source_bands(bench_.job, m, "s");
  ASSERT_EQ(bands.size(), 2U);
  EXPECT_EQ(index::tiles(m).at(0).band_count, 2);
  bool is_told = false;
  for (const auto& row : index::rejections(m, "scan")) is_told = is_told || row.detail.find("marks the band as bad") != std::string::npos;
  EXPECT_TRUE(is_told);
}

TEST_F(ScanForms, AnEmptyBandOfOneTileIsItsFaultAndOfAllTilesIsLeftOut) {
  TinyRaster raster;
  raster.bands = 3;
  raster.nodata = 0;
  raster.width = 2000;
  raster.height = 200;
  // Band 2 is empty everywhere; in b.tif also band 3; in a.tif band 3 has data in its last rows only.
  raster.pixel = [](int band, int col, int row) { return band == 1 ? 0 : band == 2 && row < 150 ? 0 : 1 + col % 7; };
  bench_.write("a.tif", raster);
  raster.pixel = [](int band, int col, int) { return band == 0 ? 1 + col % 7 : 0; };
  bench_.write("b.tif", raster);
  const TileReader all(bench_.job, "s", {{"data:a.tif", "", false}}, {});
  const auto at_once = look_at_all_pixels(all, std::size_t{64} << 20), in_parts = look_at_all_pixels(all, 1);
  EXPECT_EQ(in_parts.valid, at_once.valid);
  EXPECT_EQ(in_parts.fingerprint, at_once.fingerprint);
  EXPECT_EQ(in_parts.valid.count(), 50 * 2000);
  for (const int threads : {1, 3}) {
    auto m = scanned("m" + std::to_string(threads) + ".gpkg", threads);
    EXPECT_EQ(outcome(m, "a.tif"), "ok");
    EXPECT_DOUBLE_EQ(tile_of(m, "a.tif").valid_frac, 0.25);
    EXPECT_EQ(tile_of(m, "a.tif").band_count, 2);
    EXPECT_EQ(outcome(m, "b.tif"), "band_all_nodata");
    EXPECT_EQ(index::tile_masks(m, tile_of(m, "a.tif").tile_id).valid.bits(), open_tile(bench_.job, m, tile_of(m, "a.tif")).valid_mask());
  }
}

TEST(BorderNodata, SolidZerosAtTheBorderCountAndDarkWaterDoesNot) {
  constexpr int kSize = 120;
  geometry::Bitmask zeros(kSize, kSize), border(kSize, kSize);
  unsigned state = 7;
  const auto chance = [&](unsigned percent) {
    state = state * 1664525U + 1013904223U;
    return (state >> 8) % 100 < percent;
  };
  int water = 0;
  for (int row = 0; row < kSize; ++row)
    for (int col = 0; col < kSize; ++col) {
      const bool in_border = 3 * col + row < 60;                               // a wedge, thin at its ends
      const bool in_water = !in_border && col > 70 && chance(25);              // speckle up to the right and lower border
      const bool in_lake = row > 50 && row < 60 && col > 20 && col < 40;       // solid, but inside
      if (in_border) border.set(col, row, true);
      water += in_water ? 1 : 0;
      if (in_border || in_water || in_lake) zeros.set(col, row, true);
    }
  ASSERT_GT(water, 1000);
  const auto found = border_nodata(zeros);
  EXPECT_EQ((found & border).count(), border.count()) << "nodata never becomes data";
  EXPECT_LE(found.count() - border.count(), water / 50) << "of " << water << " zeros of the water";
  EXPECT_EQ(border_nodata(geometry::Bitmask(9, 7, true)).count(), 63) << "nothing but zeros";
  EXPECT_EQ(border_nodata(geometry::Bitmask(9, 7)).count(), 0);
  EXPECT_EQ(border_nodata(geometry::Bitmask(1, 1, true)).count(), 1);
}

TEST_F(ScanForms, CloudsOfAnotherSizeAreTakenByGround) {
  TinyRaster raster;
  raster.width = raster.height = 12;
  bench_.write("t/a_img.tif", raster);
  TinyRaster clouds;
  clouds.width = clouds.height = 8;  // 20 m pixels, two of them beyond each side of the tile but the upper left
  clouds.transform = {500000, 20, 0, 5000000, 0, -20};
  clouds.pixel = [](int, int col, int row) { return col == 1 && row == 2 ? 3 : 0; };
  bench_.write("t/a_cld.tif", clouds);
  source().files = {"data:t/*_img.tif"};
  source().quality = {{.files = "data:t/*_cld.tif", .match = "^(.*)_(?:img|cld)", .reject_values = {3}}};
  auto m = scanned();
  ASSERT_EQ(outcome(m, "t/a_img.tif"), "ok") << detail(m, "t/a_img.tif");
  const auto masks = index::tile_masks(m, tile_of(m, "t/a_img.tif").tile_id);
  EXPECT_EQ(masks.cloud->count(), 4);
  EXPECT_TRUE(masks.cloud->bits().get(2, 4) && masks.cloud->bits().get(3, 5));
  clouds.width = 3;
  bench_.write("t/a_cld.tif", clouds);
  auto small = scanned("small.gpkg");
  EXPECT_EQ(outcome(small, "t/a_img.tif"), "inconsistent_files");
  EXPECT_THAT(detail(small, "t/a_img.tif"), HasSubstr("does not cover"));
}

TEST_F(ScanForms, AreaPeriodAndCloudLimitsRemoveTilesAndSayWhy) {
  TinyRaster raster;
  raster.transform = {500000, 1000, 0, 5000000, 0, -1000};
  bench_.write("a_20200101.tif", raster);
  raster.transform = {700000, 1000, 0, 5000000, 0, -1000};
  bench_.write("b_20200101.tif", raster);
  raster.transform = {500000, 1000, 0, 5000000, 0, -1000};
  raster.pixel = [](int, int col, int) { return 20 + col; };
  bench_.write("c_20190101.tif", raster);
  source().date = DateConfig{.name = "_(\\d{8})", .format = "%Y%m%d"};
  source().area = AreaConfig{{}, std::array<double, 4>{14.9, 44, 15.2, 46}};
  source().between = std::array<std::string, 2>{"2020-01-01", "2020-12-31"};
  auto m = scanned();
  EXPECT_EQ(outcome(m, "a_20200101.tif"), "ok");
  EXPECT_EQ(outcome(m, "b_20200101.tif"), "outside_area");
  EXPECT_EQ(outcome(m, "c_20190101.tif"), "outside_period");
  EXPECT_EQ(count_of(report_, "removed"), 2);
}

TEST_F(ScanForms, OddDatesAreReadOrRefused) {
  const std::pair<const char*, const char*> cases[] = {{"a", "1970:01:01 00:00:00"}, {"b", "9999:12:31 23:59:59"}, {"c", "0000:00:00 00:00:00"},
                                                       {"d", "2020:02:30 10:00:00"}, {"e", "2020:06:01 10:00:00"}, {"f", "2020:06:01 10:00:00"}};
  int n = 0;
  for (const auto& [name, time] : cases) {
    TinyRaster raster;
    raster.transform = {500000.0 + 1000 * n, 10, 0, 5000000, 0, -10};
    raster.metadata = {{"TIFFTAG_DATETIME", time}};
    raster.pixel = [n](int, int col, int) { return 1 + n + col; };
    if (std::string(name) == "f") raster.transform = {504000, 10, 0, 5000000, 0, -10};  // the place and time of e, other pixels
    bench_.write(std::string(name) + ".tif", raster);
    ++n;
  }
  source().date = DateConfig{.metadata = "TIFFTAG_DATETIME"};
  auto m = scanned();
  EXPECT_EQ(tile_of(m, "a.tif").acquired, "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(tile_of(m, "b.tif").acquired, "9999-12-31T23:59:59.000Z");
  EXPECT_EQ(outcome(m, "c.tif"), "bad_date");
  EXPECT_EQ(outcome(m, "d.tif"), "bad_date");
  EXPECT_EQ(count_of(report_, "duplicate"), 1) << "the same second and ground";
  bench_.run(run_graph, m);
  source().date.reset();
  auto none = scanned("none.gpkg");
  EXPECT_EQ(count_of(report_, "ok"), 6) << "without times nothing says that they are one";
}

TEST_F(ScanForms, OddPlacesHaveFootprintsOfTheRightArea) {
  struct Case {
    const char* name;
    int epsg;
    std::vector<double> transform;
    double area_m2;
  };
  const double foot = 1200.0 / 3937, degree = 111319.49;
  const Case cases[] = {
      {"south_up", 32633, {500000, 10, 0, 4999940, 0, 10}, 80.0 * 60},
      {"rotated", 32633, {500000, 8, 6, 5000000, 6, -8}, 100.0 * 48},
      {"feet", 2263, {980000, 30, 0, 200000, 0, -30}, 48 * 900 * foot * foot},
      {"degrees", 4326, {10, 0.01, 0, 0.03, 0, -0.01}, 48 * 1e-4 * degree * degree},
      {"arctic", 3413, {-4000, 1000, 0, 3000, 0, -1000}, 48e6},
      {"antarctic", 3031, {-4000, 1000, 0, 3000, 0, -1000}, 48e6},
      {"dateline", 32601, {166000, 1000, 0, 100000, 0, -1000}, 48e6},
      {"across", 32660, {833000, 1000, 0, 100000, 0, -1000}, 48e6},
  };
  for (const auto& c : cases) {
    TinyRaster raster;
    raster.epsg = c.epsg;
    raster.transform = c.transform;
    bench_.write(std::string(c.name) + ".tif", raster);
  }
  TinyRaster pixel;
  pixel.width = pixel.height = 1;
  bench_.write("pixel.tif", pixel);
  pixel.transform = std::vector<double>{500000, 0, 0, 5000000, 0, 0};
  bench_.write("singular.tif", pixel);
  pixel.transform = std::vector<double>{500000, 1, 1, 5000000, 1, 1};
  bench_.write("collapsed.tif", pixel);
  auto m = scanned("m.gpkg", 2);
  for (const auto& c : cases) {
    const auto tile = tile_of(m, std::string(c.name) + ".tif");
    ASSERT_EQ(tile.status, "ok") << c.name << " " << detail(m, std::string(c.name) + ".tif");
    // Map scale is not 1: a percent in UTM and feet, up to six at the poles.
    EXPECT_NEAR(geometry::geodesic_area_m2(tile.geom) / c.area_m2, 1, c.epsg == 3413 || c.epsg == 3031 ? 0.08 : 0.02) << c.name;
    for (const auto& polygon : tile.geom)
      for (const auto& p : polygon.outer) EXPECT_TRUE(std::abs(p.lon_deg) <= 180 && std::abs(p.lat_deg) <= 90) << c.name;
  }
  EXPECT_NEAR(geometry::geodesic_area_m2(tile_of(m, "pixel.tif").geom), 100, 1);
  EXPECT_EQ(outcome(m, "singular.tif"), "bad_georeference");
  EXPECT_EQ(outcome(m, "collapsed.tif"), "bad_georeference");
  EXPECT_GE(tile_of(m, "across.tif").geom.size() + tile_of(m, "dateline.tif").geom.size(), 3U) << "split at 180 degrees";
  bench_.run(run_graph, m);
}

class Twins : public ScanForms {
 protected:
  Twins() { source().date = DateConfig{.name = R"(_(\d{8}T\d{6}))", .format = "%Y%m%dT%H%M%S"}; }
  static TinyRaster at(double x, double y, int value, int epsg = 32633) {
    TinyRaster raster;
    raster.epsg = epsg;
    raster.nodata = 0;
    raster.transform = {x, 10, 0, y, 0, -10};
    raster.pixel = [value](int, int col, int row) { return value + col + row; };
    return raster;
  }
};

TEST_F(Twins, TheSameSceneInTwoProjectionsIsOneAcquisition) {
  const geometry::MapXY corner{240000, 5000000};  // 12 E lies 235 km west of the middle of zone 33
  const auto other = geometry::Transform(geometry::Crs::from_epsg(32633), geometry::Crs::from_epsg(32632))({corner.x + 40, corner.y - 30});
  bench_.write("a_20200101T101010.tif", at(corner.x, corner.y, 1));
  bench_.write("b_20200101T101010.tif", at(other->x - 40, other->y + 30, 50, 32632));
  bench_.write("c_20200101T101300.tif", at(other->x - 40, other->y + 30, 90, 32632));
  auto m = scanned();
  const auto a = tile_of(m, "a_20200101T101010.tif"), b = tile_of(m, "b_20200101T101010.tif");
  ASSERT_NE(a.status, b.status);
  const auto& twin = a.status == "duplicate" ? a : b;
  EXPECT_EQ(twin.duplicate_of, a.status == "duplicate" ? b.tile_id : a.tile_id);
  EXPECT_THAT(detail(m, a.status == "duplicate" ? "a_20200101T101010.tif" : "b_20200101T101010.tif"), HasSubstr(*twin.duplicate_of));
  EXPECT_EQ(outcome(m, "c_20200101T101300.tif"), "ok") << "three minutes later is another pass";
}

TEST_F(Twins, PiecesOfOneDatatakeAlongTheTrackAreNoTwins) {
  bench_.write("a_20200101T101010.tif", at(500000, 5000000, 1));
  bench_.write("b_20200101T101014.tif", at(500000, 4999950, 50));  // one row of six in common
  auto m = scanned();
  EXPECT_EQ(count_of(report_, "ok"), 2) << "what they share is resolved inside windows";
}

TEST_F(Twins, OfTwoProcessingsTheLargerThenTheNewerIsKept) {
  bench_.write("S2A_20200101T101010_N0209_x.tif", at(500000, 5000000, 1));
  bench_.write("S2A_20200101T101010_N0500_y.tif", at(500000, 5000000, 50));
  auto holed = at(501000, 5000000, 1);
  holed.pixel = [](int, int col, int row) { return col == 7 && row == 0 ? 0 : 9; };
  bench_.write("S2B_20200102T101010_N0500_x.tif", holed);
  bench_.write("S2B_20200102T101010_N0209_y.tif", at(501000, 5000000, 70));
  auto m = scanned();
  EXPECT_EQ(outcome(m, "S2A_20200101T101010_N0209_x.tif"), "duplicate");
  EXPECT_EQ(outcome(m, "S2A_20200101T101010_N0500_y.tif"), "ok");
  EXPECT_EQ(outcome(m, "S2B_20200102T101010_N0500_x.tif"), "duplicate") << "it shows less";
  EXPECT_EQ(outcome(m, "S2B_20200102T101010_N0209_y.tif"), "ok");
}

TEST_F(Twins, EqualPixelsUnderOtherNamesAreOneWhateverTheirTimeAndCompression) {
  bench_.write("a_20200101T101010.tif", at(500000, 5000000, 1));
  auto packed = at(500000, 5000000, 1);
  packed.options = {"COMPRESS=DEFLATE", "TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"};
  bench_.write("copies/b_20210505T121212.tif", packed);
  auto moved = at(500010, 5000000, 1);
  bench_.write("copies/c_20210606T121212.tif", moved);
  source().files = {"data:**/*.tif"};
  for (const int threads : {1, 3}) {
    auto m = scanned("m" + std::to_string(threads) + ".gpkg", threads);
    EXPECT_EQ(count_of(report_, "duplicate"), 1);
    EXPECT_EQ(outcome(m, "copies/c_20210606T121212.tif"), "ok") << "the same pixels of other ground";
    for (const auto& tile : index::tiles(m))
      if (tile.status == "duplicate") {
        EXPECT_EQ(index::tile(m, *tile.duplicate_of)->status, "ok");
        EXPECT_LT(*tile.duplicate_of, tile.tile_id);
      }
  }
}

TEST_F(ScanForms, ManyFilesInOneFolderAreFoundInLinearTime) {
  std::filesystem::create_directories(bench_.path() / "data");
  source().files = {"data:*.tif"};
  source().group = R"(^(.*)_B\d+\.tif$)";
  int made = 0;
  const auto cpu_of = [&](int count) {
    for (; made < count; ++made) std::ofstream(bench_.path() / ("data/s" + std::to_string(made / 4) + "_B" + std::to_string(made % 4) + ".tif"));
    const auto begin = std::clock();
    const auto inputs = find_inputs(bench_.job, "s");
    EXPECT_EQ(inputs.acquisitions.size(), static_cast<std::size_t>(count / 4));
    return double(std::clock() - begin) / CLOCKS_PER_SEC;
  };
  const double few = cpu_of(10000), many = cpu_of(100000);
  RecordProperty("seconds", std::to_string(many));
  EXPECT_LT(many, 30 * few) << "ten times the files";
  EXPECT_LT(many, 20);
}

/// A footprint held against its mask: what lies inside and how far from a valid pixel it reaches.
struct Held {
  double reach_px = 0, area_ratio = 0;
  std::int64_t inside = 0, beyond = 0, corners = 0;
};

Held held_against(const geometry::Bitmask& mask, double area_px2) {
  const geometry::Affine affine{10, 0, 500000, 0, -10, 5000000};
  const auto crs = geometry::Crs::from_epsg(32633);
  const auto footprint = footprint_of(mask, affine, crs);
  const geometry::Transform map_from_degrees(geometry::wgs84(), crs);
  Held held{footprint.reach_px, 0, 0, 0, 0};
  // Even-odd along each row of pixel centres.
  std::vector<std::vector<double>> crossings(std::size_t(mask.height()));
  double doubled = 0;
  const auto add = [&](const std::vector<geometry::LonLat>& ring) {
    std::vector<geometry::PixelXY> px;
    for (const auto& p : ring) {
      const auto m = *map_from_degrees({p.lon_deg, p.lat_deg});
      px.push_back({(m.x - 500000) / 10, (5000000 - m.y) / 10});
    }
    held.corners += std::int64_t(px.size());
    for (std::size_t i = 0; i + 1 < px.size(); ++i) {
      const auto &a = px[i], &b = px[i + 1];
      doubled += a.col * b.row - b.col * a.row;
      for (auto row = std::max<std::int64_t>(0, std::int64_t(std::ceil(std::min(a.row, b.row) - 0.5))); row < mask.height() && double(row) + 0.5 < std::max(a.row, b.row); ++row)
        crossings[std::size_t(row)].push_back(a.col + (b.col - a.col) * (double(row) + 0.5 - a.row) / (b.row - a.row));
    }
  };
  for (const auto& polygon : footprint.polygons) {
    add(polygon.outer);
    for (const auto& hole : polygon.holes) add(hole);
  }
  held.area_ratio = std::abs(doubled) / 2 / area_px2;
  const auto reach = std::int64_t(std::ceil(footprint.reach_px));
  for (std::int64_t row = 0; row < mask.height(); ++row) {
    auto& cuts = crossings[std::size_t(row)];
    std::sort(cuts.begin(), cuts.end());
    for (std::size_t i = 0; i + 1 < cuts.size(); i += 2)
      for (auto col = std::max<std::int64_t>(0, std::int64_t(std::ceil(cuts[i] - 0.5))); col < mask.width() && double(col) + 0.5 < cuts[i + 1]; ++col) {
        ++held.inside;
        bool near = false;
        for (auto r = std::max<std::int64_t>(0, row - reach); r <= std::min(mask.height() - 1, row + reach) && !near; ++r)
          for (auto c = std::max<std::int64_t>(0, col - reach); c <= std::min(mask.width() - 1, col + reach) && !near; ++c)
            // To the nearest edge of the valid pixel, from this one's centre.
            near = mask.get(c, r) && std::hypot(std::max(0.0, std::abs(double(c - col)) - 0.5), std::max(0.0, std::abs(double(r - row)) - 0.5)) <= footprint.reach_px + 1e-6;
        held.beyond += near ? 0 : 1;
      }
  }
  return held;
}

TEST(FootprintReach, ACoarserOutlineNeverClaimsAnInvalidPixelBeyondItsReach) {
  constexpr int kSize = 1200;
  geometry::Bitmask mask(kSize, kSize);
  unsigned state = 3;
  for (int row = 0; row < kSize; ++row)
    for (int col = 0; col < kSize; ++col) {
      state = state * 1664525U + 1013904223U;
      if ((state >> 16) % 2 == 0 && col + row > 300) mask.set(col, row, true);  // noise: as many corners as can be
    }
  const auto held = held_against(mask, double(mask.count()));
  EXPECT_GT(held.reach_px, 1);
  EXPECT_GT(held.inside, kSize * kSize / 4);
  EXPECT_EQ(held.beyond, 0);
}

TEST(FootprintReach, StaircasesBecomeLinesWithinAPixelAndKeepTheArea) {
  for (const double degrees : {3.0, 12.0, 45.0, 71.3}) {
    constexpr int kSize = 1400;
    geometry::Bitmask mask(kSize, kSize);
    const double c = std::cos(degrees / 57.29577951), s = std::sin(degrees / 57.29577951);
    for (int row = 0; row < kSize; ++row)
      for (int col = 0; col < kSize; ++col) {
        const double x = col - 700, y = row - 700, u = c * x + s * y, v = -s * x + c * y;
        if (std::abs(u) < 480 && std::abs(v) < 450 && std::hypot(u - 100, v) > 40) mask.set(col, row, true);  // a rotated swath with a round hole
      }
    const auto held = held_against(mask, double(mask.count()));
    EXPECT_EQ(held.reach_px, 1) << degrees;
    EXPECT_EQ(held.beyond, 0) << degrees;
    EXPECT_NEAR(held.area_ratio, 1, 1e-6) << degrees;
    EXPECT_LT(held.corners, 400) << degrees << ": the exact outline has thousands";
  }
}

TEST(FootprintReach, ShapesOfAFewCornersStayExact) {
  geometry::Bitmask mask(300, 200, true);
  for (int row = 0; row < 50; ++row) mask.set_run(0, 70, row, false);
  const auto held = held_against(mask, double(mask.count()));
  EXPECT_EQ(held.reach_px, 0);
  EXPECT_EQ(held.inside, mask.count());
  EXPECT_NEAR(held.area_ratio, 1, 1e-9);
}

}  // namespace
}  // namespace tilewright::pipeline
