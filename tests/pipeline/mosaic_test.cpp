// SPDX-License-Identifier: Apache-2.0
// Granules of one acquisition: what is read, planned and cut across their seams equals a mosaic
// made beforehand, and what does not fit together is recorded.
#include <cmath>
#include <cstring>
#include <map>

#include "geometry/error.h"
#include "index/shard/shard_reader.h"
#include "index/tile_grids.h"
#include "pipeline/io/granules.h"
#include "pipeline/stages/scan_pass.h"
#include "tests/pipeline/job_text.h"
#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {
namespace {

using geometry::Window;
using ::testing::HasSubstr;

constexpr double kWest = 500000, kNorth = 5000000, kStep = 10;
constexpr int kWidth = 90, kHeight = 70, kBands = 3;

/// Nodata in a wedge that crosses the seams, clouds elsewhere.
double value_at(int band, int col, int row) {
  if (std::abs(col - row) < 4 || (band == 1 && col == 60)) return 0;
  return 1 + (band * 7919 + col * 31 + row * 131) % 60000;
}

/// The pixels of a window of the whole scene.
TinyRaster cut(const Window& place, int bands = kBands) {
  TinyRaster r;
  r.width = static_cast<int>(place.width);
  r.height = static_cast<int>(place.height);
  r.bands = bands;
  r.type = GDT_UInt16;
  r.nodata = 0;
  r.transform = std::vector<double>{kWest + kStep * double(place.col),  kStep, 0,
                                    kNorth - kStep * double(place.row), 0,     -kStep};
  r.pixel = [place](int band, int col, int row) {
    return value_at(band, col + int(place.col), row + int(place.row));
  };
  return r;
}

const Window kWhole{0, 0, kWidth, kHeight};
/// Four uneven parts of it.
const std::map<std::string, Window> kParts = {{"g1", {0, 0, 41, 33}},
                                              {"g2", {41, 0, 49, 33}},
                                              {"g3", {0, 33, 41, 37}},
                                              {"g4", {41, 33, 49, 37}}};

class Mosaic : public ::testing::Test {
 protected:
  Mosaic() {
    source().files = {"data:*_g*.tif"};
    source().group = "^(.*)_g\\d";
    source().mosaic = true;
    source().date = DateConfig{.name = "_(\\d{8})", .format = "%Y%m%d"};
    bench_.job.grid.resolution_m = kStep;
  }
  SourceConfig& source() { return bench_.job.sources[0].second; }
  void write_parts() const {
    for (const auto& [name, place] : kParts)
      bench_.write("a_20200101_" + name + ".tif", cut(place));
  }
  index::Manifest scanned(const std::string& name = "manifest.gpkg", int threads = 2) {
    auto m = bench_.manifest(name);
    report_ = bench_.run(run_scan, m, threads);
    return m;
  }
  static std::string detail(index::Manifest& m) {
    std::string out;
    for (const auto& row : index::rejections(m, "scan"))
      out += row.reason + ": " + row.detail + "\n";
    return out;
  }
  /// The outcome of one acquisition of two files, the second of which `change` made.
  std::string outcome(const std::function<void(TinyRaster&)>& change,
                      const std::string& second = "a_20200101_g2.tif") {
    std::filesystem::remove_all(bench_.folder() / "data");
    bench_.write("a_20200101_g1.tif", cut(kParts.at("g1")));
    auto other = cut(kParts.at("g2"));
    change(other);
    bench_.write(second, other);
    auto m = scanned("m" + std::to_string(++tries_) + ".gpkg");
    EXPECT_EQ(index::tiles(m).size(), 1U);
    const auto tile = index::tiles(m).at(0);
    return tile.status + " " + detail(m);
  }
  [[nodiscard]] std::vector<std::byte> bytes_of(const index::ViewRow& view) const {
    const shard::MappedFile tar(bench_.folder() / "work" / view.place->shard);
    const auto array = shard::array_at(tar, view.place->byte_offset, view.place->byte_length);
    return {array.data.begin(), array.data.end()};
  }

  StageBench bench_;
  StageReport report_;
  int tries_ = 0;
};

TEST_F(Mosaic, ReadsAsTheSceneMadeBeforehand) {
  write_parts();
  bench_.write("whole.tif", cut(kWhole));
  std::vector<TileFile> files;
  for (const auto& [name, place] : kParts)
    files.push_back({"data:a_20200101_" + name + ".tif", "", false});
  const TileReader joined(bench_.job, "s", files, {});
  const TileReader whole(bench_.job, "s", {{"data:whole.tif", "", false}}, {});
  EXPECT_EQ(joined.affine(), whole.affine());
  EXPECT_EQ(joined.width(), kWidth);
  EXPECT_EQ(joined.height(), kHeight);
  for (const Window& w : {kWhole, Window{30, 20, 30, 30}, Window{41, 33, 1, 1},
                          Window{40, 0, 2, 70}, Window{0, 32, 90, 2}, Window{50, 40, 9, 9}}) {
    const auto a = joined.read(w), b = whole.read(w);
    EXPECT_EQ(a.data, b.data) << w.col << " " << w.row;
    EXPECT_EQ(a.valid, b.valid) << w.col << " " << w.row;
    EXPECT_EQ(a.band_has_data, b.band_has_data);
  }
  for (const std::size_t memory : {std::size_t{1}, std::size_t{64} << 20}) {
    const auto a = look_at_all_pixels(joined, memory), b = look_at_all_pixels(whole, memory);
    EXPECT_EQ(a.fingerprint, b.fingerprint);
    EXPECT_EQ(a.valid, b.valid);
  }
  EXPECT_EQ(exact_content(joined, 1), exact_content(whole, std::size_t{64} << 20));
}

TEST_F(Mosaic, ScanMakesOneTileOfSeveralFiles) {
  write_parts();
  bench_.write("w_20200301.tif", cut(kWhole));
  auto m = scanned();
  ASSERT_EQ(index::tiles(m).size(), 1U) << detail(m);
  EXPECT_EQ(count_of(report_, "files"), 4);
  EXPECT_EQ(count_of(report_, "ok"), 1) << detail(m);
  auto again = scanned("again.gpkg", 1);
  EXPECT_EQ(index::canonical_dump(again), index::canonical_dump(m)) << "threads";
  const auto tile = index::tiles(m).at(0);
  source().files = {"data:w_*.tif"};
  source().mosaic = false;
  source().group.reset();
  auto other = scanned("whole.gpkg");
  const auto whole = index::tiles(other).at(0);
  EXPECT_EQ(tile.path, "data:a_20200101_g1.tif");
  EXPECT_EQ(index::tile_files(m, tile.tile_id).size(), 4U);
  EXPECT_EQ(tile.width_px, whole.width_px);
  EXPECT_EQ(tile.height_px, whole.height_px);
  EXPECT_DOUBLE_EQ(tile.valid_frac, whole.valid_frac);
  EXPECT_DOUBLE_EQ(geometry::geodesic_area_m2(tile.geom), geometry::geodesic_area_m2(whole.geom));
  EXPECT_EQ(index::tile_masks(m, tile.tile_id).valid.bits(),
            index::tile_masks(other, whole.tile_id).valid.bits());
  EXPECT_EQ(open_tile(bench_.job, other, whole).valid_mask(),
            index::tile_masks(m, tile.tile_id).valid.bits());
}

/// Jobs whose windows are cut from granules and from the scene made beforehand.
class MosaicWindows : public Mosaic, public ::testing::WithParamInterface<double> {};

TEST_P(MosaicWindows, AcrossTheSeamAreThoseOfTheScene) {
  bench_.job.views = ViewsConfig{.patch_px = 16};
  bench_.job.grid.origin_m = std::array<double, 2>{kWest + GetParam(), kNorth + GetParam()};
  write_parts();
  std::map<std::string, std::vector<std::byte>> windows[2];
  for (const bool is_whole : {false, true}) {
    if (is_whole) {
      std::filesystem::remove_all(bench_.folder() / "data");
      bench_.write("a_20200101.tif", cut(kWhole));
      source().files = {"data:*.tif"};
      source().mosaic = false;
      source().group.reset();
    }
    auto m = bench_.manifest(is_whole ? "whole.gpkg" : "parts.gpkg");
    for (const auto stage : {run_scan, run_graph, run_views, run_extract}) bench_.run(stage, m, 2);
    for (const auto& view : index::views(m)) {
      windows[is_whole][view.location_id] = bytes_of(view);
      EXPECT_EQ(view.resampled, GetParam() != 0);
    }
    std::filesystem::remove_all(bench_.folder() / "work/shards");
  }
  EXPECT_GT(windows[0].size(), 5U);
  EXPECT_EQ(windows[0], windows[1]);
}
INSTANTIATE_TEST_SUITE_P(CopiedAndResampled, MosaicWindows, ::testing::Values(0.0, 3.7));

TEST_F(Mosaic, FilesPerBandAndGroupsOfBandsAreJoinedBandByBand) {
  for (const auto& [name, place] : kParts)
    for (int band = 0; band < 2; ++band) {
      auto r = cut(place, 1);
      r.pixel = [place = place, band](int, int col, int row) {
        return value_at(band, col + int(place.col), row + int(place.row));
      };
      bench_.write("a_20200101_" + name + "_B" + std::to_string(band + 2) + ".tif", r);
    }
  auto m = scanned();
  ASSERT_EQ(count_of(report_, "ok"), 1) << detail(m);
  const auto tile = index::tiles(m).at(0);
  EXPECT_EQ(tile.band_count, 2);
  const auto reader = open_tile(bench_.job, m, tile);
  EXPECT_EQ(reader.bands()[0].info.name, "B2");
  const auto pixels = reader.read({40, 32, 2, 2});
  std::uint16_t values[8];
  ASSERT_EQ(pixels.data.size(), sizeof values);
  std::memcpy(values, pixels.data.data(), sizeof values);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(values[i], value_at(i / 4, 40 + i % 2, 32 + i / 2 % 2));
  source().only = {"B3"};
  auto one = scanned("one.gpkg");
  EXPECT_EQ(index::tiles(one).at(0).band_count, 1) << detail(one);
  source().only.clear();
  std::filesystem::remove(bench_.folder() / "data/a_20200101_g3_B3.tif");
  auto fewer = scanned("fewer.gpkg");
  EXPECT_EQ(index::tiles(fewer).at(0).reason, "missing_band");
  EXPECT_THAT(detail(fewer), HasSubstr("band 'B3' has 3 files, band 'B2' has 4"));
}

TEST_F(Mosaic, WhereGranulesOverlapAPixelIsOfTheFirstThatKnowsItWithItsClouds) {
  TinyRaster left;
  left.bands = 2;
  left.nodata = 0;
  left.descriptions = {"value", "QA"};
  left.pixel = [](int band, int col, int row) {
    return band == 1 ? 1 + (row == 0) : col == 5 && row > 1 ? 0 : 10;
  };  // 8 x 6, clouds in row 0
  TinyRaster right = left;
  right.transform = std::vector<double>{500040, 10, 0, 5000000, 0, -10};
  right.pixel = [](int band, int, int row) {
    return band == 1 ? 1 + (row == 3) : 20;
  };  // clouds in row 3
  bench_.write("a_20200101_g1.tif", left);
  bench_.write("a_20200101_g2.tif", right);
  source().quality = {{.band = "QA", .reject_values = {2}}};
  auto m = scanned();
  ASSERT_EQ(count_of(report_, "ok"), 1) << detail(m);
  const auto reader = open_tile(bench_.job, m, index::tiles(m).at(0));
  const auto pixels = reader.read({0, 0, 12, 6});
  const auto cloud = *index::tile_masks(m, index::tiles(m).at(0).tile_id).cloud;
  for (int row = 0; row < 6; ++row)
    for (int col = 0; col < 12; ++col) {
      const bool is_left = col < 8 && !(col == 5 && row > 1);
      EXPECT_EQ(int(pixels.data[std::size_t(row * 12 + col)]), is_left ? 10 : 20)
          << col << " " << row;
      EXPECT_EQ(cloud.bits().get(col, row), row == (is_left ? 0 : 3)) << col << " " << row;
    }
  EXPECT_EQ(std::count(pixels.valid.begin(), pixels.valid.end(), 1), 72);
}

TEST_F(Mosaic, EveryGranuleHasItsQualityFile) {
  for (const auto& [name, place] : kParts) {
    auto clouds = cut(place, 1);
    clouds.nodata.reset();
    clouds.pixel = [place = place](int, int col, int row) {
      return (col + int(place.col) + row + int(place.row)) % 7 == 0 ? 3 : 0;
    };
    bench_.write("q/" + name + "_cloud.tif", clouds);
  }
  write_parts();
  source().quality = {{.files = "data:q/*.tif", .match = "(g\\d)", .reject_values = {3}}};
  auto m = scanned();
  const auto tile = index::tiles(m).at(0);
  ASSERT_EQ(tile.status, "ok") << detail(m);
  EXPECT_EQ(index::tile_files(m, tile.tile_id).size(), 8U);
  const auto cloud = *index::tile_masks(m, tile.tile_id).cloud;
  for (int row = 0; row < kHeight; ++row)
    for (int col = 0; col < kWidth; ++col)
      ASSERT_EQ(cloud.bits().get(col, row), (col + row) % 7 == 0) << col << " " << row;
  EXPECT_EQ(open_tile(bench_.job, m, tile).cloud_mask(), cloud.bits());
  std::filesystem::remove(bench_.folder() / "data/q/g3_cloud.tif");
  auto fewer = scanned("fewer.gpkg");
  EXPECT_EQ(index::tiles(fewer).at(0).reason, "missing_quality");
  EXPECT_THAT(detail(fewer), HasSubstr("_g3.tif"));
}

TEST_F(Mosaic, GapsAreNodataAndMasksStay) {
  auto first = cut(kParts.at("g1")), last = cut(kParts.at("g4"));
  for (auto* raster : {&first, &last}) {
    raster->nodata.reset();
    raster->bands = 2;
    raster->alpha = true;
    raster->pixel = [](int band, int col, int) { return band == 0 ? 5 : col == 0 ? 0 : 255; };
  }
  bench_.write("a_20200101_g1.tif", first);
  bench_.write("a_20200101_g4.tif", last);
  auto m = scanned();
  ASSERT_EQ(count_of(report_, "ok"), 1) << detail(m);
  const auto valid = index::tile_masks(m, index::tiles(m).at(0).tile_id).valid.bits();
  EXPECT_EQ(valid.count(), 40 * 33 + 48 * 37);
  EXPECT_FALSE(valid.get(0, 0) || valid.get(41, 40) || valid.get(60, 10) || valid.get(10, 60));
  EXPECT_TRUE(valid.get(40, 32) && valid.get(42, 33));
}

TEST_F(Mosaic, PixelsOfGapsAreTheNodataValueOrZero) {
  for (const bool has_nodata : {true, false}) {
    for (const auto* name : {"g1", "g4"}) {
      auto r = cut(kParts.at(name));
      r.nodata = has_nodata ? std::optional(65000.0) : std::nullopt;
      bench_.write("a_20200101_" + std::string(name) + ".tif", r);
    }
    const TileReader reader(
        bench_.job, "s",
        {{"data:a_20200101_g1.tif", "", false}, {"data:a_20200101_g4.tif", "", false}}, {});
    auto pixels = reader.read({0, 0, 10, 10});  // buffers are used again
    reader.read({41, 23, 10, 10}, pixels);
    for (std::size_t i = 0; i < pixels.data.size(); i += 2) {
      std::uint16_t value = 1;
      std::memcpy(&value, pixels.data.data() + i, 2);
      ASSERT_EQ(value, has_nodata ? 65000 : 0);
    }
    EXPECT_EQ(std::count(pixels.valid.begin(), pixels.valid.end(), 1), 0);
  }
}

TEST_F(Mosaic, ZerosThatMayBeBorderDoNotCoverWhatAnotherGranuleKnows) {
  source().nodata.mode = NodataMode::detect;
  TinyRaster left;
  left.pixel = [](int, int col, int) { return col < 6 ? 10 : 0; };
  TinyRaster right;
  right.transform = std::vector<double>{500040, 10, 0, 5000000, 0, -10};
  right.pixel = [](int, int, int) { return 20; };
  bench_.write("a_20200101_g1.tif", left);
  bench_.write("a_20200101_g2.tif", right);
  auto m = scanned();
  EXPECT_EQ(index::tiles(m).at(0).valid_frac, 1) << detail(m);
  EXPECT_EQ(int(open_tile(bench_.job, m, index::tiles(m).at(0)).read({6, 0, 1, 1}).data[0]), 20);
}

TEST_F(Mosaic, ZerosAtASeamAreNoBorder) {
  source().nodata.mode = NodataMode::detect;
  for (const auto& [name, place] : kParts) {
    auto r = cut(place);
    r.nodata.reset();
    r.pixel = [place = place](int, int c, int r_) {
      const int col = c + int(place.col), row = r_ + int(place.row);
      return col < 10 || (col > 30 && col < 52 && row > 20 && row < 45)
                 ? 0
                 : 9;  // a filled side, and a lake across the seams
    };
    bench_.write("a_20200101_" + name + ".tif", r);
  }
  auto m = scanned();
  const auto valid = index::tile_masks(m, index::tiles(m).at(0).tile_id).valid.bits();
  EXPECT_EQ(valid.count(), (kWidth - 10) * kHeight);
  EXPECT_EQ(open_tile(bench_.job, m, index::tiles(m).at(0)).valid_mask(), valid);
}

TEST_F(Mosaic, WhatDoesNotFitIsRecordedWithWhatDiffers) {
  const auto same = [](TinyRaster&) {};
  EXPECT_THAT(outcome(same), ::testing::StartsWith("ok"));
  struct Case {
    std::function<void(TinyRaster&)> change;
    const char* said;
  };
  const Case cases[] = {
      {[](auto& r) { r.epsg = 32634; }, "it is in WGS 84 / UTM zone 34N"},
      {[](auto& r) { (*r.transform)[0] += 4; }, "another grid, up to 0.4 px"},
      {[](auto& r) { (*r.transform)[1] = 10.1; }, "another grid"},
      {[](auto& r) { (*r.transform)[2] = 1; }, "another grid"},
      {[](auto& r) { r.bands = 2; }, "it has 2 bands, the other has 3"},
      {[](auto& r) {
         r.descriptions = {"x", "y", "z"};
       },
       "its band 1 is x, in the other it is b1"},
      {[](auto& r) { r.type = GDT_Int16; }, "its pixels are int16, those of the other uint16"},
      {[](auto& r) { r.nodata = 7; }, "the nodata value of band b1 is 7, in the other it is 0"},
      {[](auto& r) { r.nodata.reset(); }, "the nodata value of band b1 is none"},
      {[](auto& r) { r.transform = cut(kParts.at("g1")).transform; },
       "lies wholly on the ground of the other"},
      {[](auto& r) { (*r.transform)[0] += 4e6; }, "nearly all of it empty"},
  };
  for (const auto& [change, said] : cases) {
    const auto found = outcome(change);
    EXPECT_THAT(found, ::testing::StartsWith("quarantined granule_mismatch")) << said;
    EXPECT_THAT(found, HasSubstr(said));
    EXPECT_THAT(found, HasSubstr("a_20200101_g2.tif cannot be joined with a_20200101_g1.tif"));
  }
  source().group = "^(.)_\\d{8}_g\\d";
  EXPECT_THAT(outcome(same, "a_20200102_g2.tif"), ::testing::StartsWith("ok"))
      << "a pass at midnight";
  EXPECT_THAT(
      outcome(same, "a_20200103_g2.tif"),
      HasSubstr(
          "granule_mismatch: data:a_20200101_g1.tif: a_20200103_g2.tif was acquired 2020-01-03"));
}

TEST_F(Mosaic, ASceneMadeBeforehandIsADuplicateOfItsGranules) {
  write_parts();
  source().files = {"data:*.tif"};
  source().group = "^(.*?)(_g\\d)?\\.tif$";
  bench_.write("b_20200101.tif", cut(kWhole));
  auto m = scanned();
  EXPECT_EQ(count_of(report_, "duplicate"), 1) << detail(m);
  EXPECT_EQ(count_of(report_, "ok"), 1);
}

TEST(MosaicJob, NeedsAGroup) {
  EXPECT_THAT(problems_of("workspace: work\nsources:\n  s: {files: '*.tif', mosaic: true}\n"),
              HasSubstr("sources.s.mosaic: needs group"));
}

}  // namespace
}  // namespace tilewright::pipeline
