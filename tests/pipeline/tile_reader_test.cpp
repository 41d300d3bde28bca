// SPDX-License-Identifier: Apache-2.0
// Acquisitions as their users see them: validity, bands on several grids, clouds.
#include "pipeline/io/tile_reader.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "pipeline/io/dates.h"
#include "pipeline/io/file_glob.h"
#include "pipeline/io/nodata.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

using geometry::bitmask_from_ascii;

index::Reason reason_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const index::ItemError& error) {
    return error.reason();
  }
  ADD_FAILURE() << "nothing was refused";
  return index::Reason::timeout;
}

class TileReaderTest : public ::testing::Test {
 protected:
  TileReader open(const std::vector<TileFile>& files = {{"data:a.tif", "", false}}) const { return {job_, "s", files, {}}; }
  SourceConfig& source() { return job_.sources[0].second; }
  void write(const std::string& name, const TinyRaster& raster) const { write_raster(folder_.path() / "data" / name, raster); }

  TemporaryFolder folder_;
  Job job_ = tiny_job(folder_.path(), "data:*.tif");
};

TEST_F(TileReaderTest, DeclaredNodataOfAnyBandMakesAPixelInvalid) {
  TinyRaster r;
  r.bands = 2;
  r.nodata = 0;
  r.pixel = [](int band, int col, int row) { return (band == 1 && col == 3) || (band == 0 && row == 2) ? 0 : 9; };
  write("a.tif", r);
  EXPECT_EQ(open().valid_mask(), bitmask_from_ascii("###.####\n###.####\n........\n###.####\n###.####\n###.####"));
  source().nodata.mode = NodataMode::none;
  EXPECT_EQ(open().valid_mask().count(), 48);
}

TEST_F(TileReaderTest, ZeroIsLegalUnlessSomebodySaysOtherwise) {
  TinyRaster r;
  r.pixel = [](int, int, int) { return 0; };
  write("a.tif", r);
  EXPECT_EQ(open().valid_mask().count(), 48);
}

TEST_F(TileReaderTest, NotFiniteIsNeverValid) {
  TinyRaster r;
  r.type = GDT_Float32;
  r.nodata = 0;
  r.pixel = [](int, int col, int) { return col == 1 ? std::nan("") : col == 2 ? std::numeric_limits<double>::infinity() : col == 5 ? 0 : 1; };
  write("a.tif", r);
  source().nodata.mode = NodataMode::none;
  EXPECT_EQ(open().valid_mask().count(), 6 * 6);
  source().nodata.mode = NodataMode::declared;
  EXPECT_EQ(open().valid_mask().count(), 5 * 6);
}

TEST_F(TileReaderTest, DetectTakesOnlyZerosThatReachTheBorder) {
  TinyRaster r;
  r.pixel = [](int, int col, int row) { return "00111111"
                                              "01111111"
                                              "11101111"
                                              "01000111"
                                              "11111110"
                                              "11111110"[row * 8 + col] - '0'; };
  write("a.tif", r);
  source().nodata.mode = NodataMode::detect;
  EXPECT_EQ(open().valid_mask(), bitmask_from_ascii("..######\n.#######\n########\n.#######\n#######.\n#######."));
}

TEST_F(TileReaderTest, AlphaIsValidityAndNotABand) {
  TinyRaster r;
  r.bands = 4;
  r.alpha = true;
  r.pixel = [](int band, int col, int) { return band == 3 && col < 2 ? 0 : 255; };
  write("a.tif", r);
  source().bands = {{"red", {}}, {"green", {}}, {"blue", {}}};
  const auto tile = open();
  EXPECT_EQ(tile.bands().size(), 3U);
  EXPECT_EQ(tile.valid_mask().count(), 36);
}

TEST_F(TileReaderTest, TheListOfBandsMustFitTheFile) {
  write("a.tif", {});
  source().bands = {{"red", {}}, {"green", {}}};
  EXPECT_EQ(reason_of([&] { open(); }), index::Reason::wrong_band_count);
}

TEST_F(TileReaderTest, ACrsIsAssumedOnlyWhereThereIsNone) {
  TinyRaster r;
  r.epsg = 0;
  write("a.tif", r);
  EXPECT_EQ(reason_of([&] { open(); }), index::Reason::no_crs);
  source().assume_crs = "EPSG:3857";
  EXPECT_EQ(open().crs().epsg(), 3857);
  write("a.tif", {});
  EXPECT_EQ(open().crs().epsg(), 32633);
}

TEST_F(TileReaderTest, MixedTypesAreRefusedWithBothNames) {
  write("a.tif", {});
  TinyRaster r;
  r.type = GDT_UInt16;
  write("b.tif", r);
  EXPECT_EQ(reason_of([&] { open({{"data:a.tif", "a", false}, {"data:b.tif", "b", false}}); }), index::Reason::mixed_dtype);
}

TEST_F(TileReaderTest, ACoarseBandIsSampledAtThePixelCentre) {
  write("a.tif", {});
  TinyRaster coarse;
  coarse.width = 5;
  coarse.height = 4;
  coarse.transform = {499993, 20, 0, 5000004, 0, -20};  // its edges do not lie on pixel edges of the other
  coarse.pixel = [](int, int col, int row) { return 100 + 10 * row + col; };
  write("b.tif", coarse);
  const auto tile = open({{"data:a.tif", "a", false}, {"data:b.tif", "b", false}});
  const auto pixels = tile.read({1, 1, 5, 4});
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 5; ++x) {
      const int col = (10 * (x + 1) + 5 + 7) / 20, row = (10 * (y + 1) + 5 + 4) / 20;
      EXPECT_EQ(int(pixels.data[std::size_t(20 + y * 5 + x)]), 100 + 10 * row + col);
    }
}

TEST_F(TileReaderTest, FilesOfOneAcquisitionCoverTheSameGround) {
  write("a.tif", {});
  TinyRaster r;
  r.transform = {500100, 10, 0, 5000000, 0, -10};
  write("b.tif", r);
  EXPECT_EQ(reason_of([&] { open({{"data:a.tif", "a", false}, {"data:b.tif", "b", false}}); }), index::Reason::inconsistent_files);
}

TEST_F(TileReaderTest, QualityBitsMakeCloudsAndNeverNodata) {
  TinyRaster r;
  r.bands = 2;
  r.type = GDT_UInt16;
  r.descriptions = {"red", "QA"};
  r.pixel = [](int band, int col, int) { return band == 1 ? (col < 3 ? 16 | 1 : 1) : 5; };
  write("a.tif", r);
  source().quality = {{"QA", {}, {}, {4}, {}}};
  const auto tile = open();
  ASSERT_EQ(tile.bands().size(), 1U);
  EXPECT_EQ(tile.valid_mask().count(), 48);
  EXPECT_EQ(tile.cloud_mask()->count(), 18);
}

TEST_F(TileReaderTest, SparseFilesAreRefusedUnlessTheyCountAsNodata) {
  TinyRaster r;
  r.width = r.height = 64;
  r.options = {"TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=32", "SPARSE_OK=TRUE"};
  r.pixel = [](int, int col, int row) { return col < 32 && row < 32 ? 0 : 5; };
  write("a.tif", r);
  EXPECT_EQ(reason_of([&] { open(); }), index::Reason::sparse);
  source().sparse = SparseRule::nodata;
  EXPECT_EQ(open().valid_mask().count(), 64 * 64 - 32 * 32);
  source().sparse = SparseRule::automatic;
  r.nodata = 0;
  write("a.tif", r);
  EXPECT_EQ(open().valid_mask().count(), 64 * 64 - 32 * 32);
  source().sparse = SparseRule::reject;
  EXPECT_EQ(reason_of([&] { open(); }), index::Reason::sparse);
}

TEST_F(TileReaderTest, AWindowEqualsThePartOfTheWhole) {
  TinyRaster r;
  r.width = 50;
  r.height = 41;
  r.bands = 2;
  r.nodata = 7;
  r.pixel = [](int band, int col, int row) { return (col * 31 + row * 17 + band * 5) % 23; };
  write("a.tif", r);
  const auto tile = open();
  const auto whole = tile.read({0, 0, 50, 41}), part = tile.read({13, 9, 20, 30});
  for (std::size_t y = 0; y < 30; ++y)
    for (std::size_t x = 0; x < 20; ++x) {
      EXPECT_EQ(part.valid[y * 20 + x], whole.valid[(y + 9) * 50 + x + 13]);
      for (std::size_t b = 0; b < 2; ++b) EXPECT_EQ(part.data[b * 600 + y * 20 + x], whole.data[b * 2050 + (y + 9) * 50 + x + 13]);
    }
}

TEST(Nodata, ComparesInTheTypeOfThePixel) {
  const std::vector<float> pixels = {-3.4e38F, 1, std::numeric_limits<float>::max()};
  std::vector<std::uint8_t> valid(3, 1);
  EXPECT_TRUE(clear_nodata(shard::DType::f32, std::as_bytes(std::span(pixels)), {-3.3999999521443642e+38, false}, valid));
  EXPECT_EQ(valid, (std::vector<std::uint8_t>{0, 1, 1}));
  valid = {1, 1, 1};
  clear_nodata(shard::DType::f32, std::as_bytes(std::span(pixels)), {3.4028235e38 * 1.0000001, false}, valid);
  EXPECT_EQ(valid, (std::vector<std::uint8_t>{1, 1, 0})) << "a header rounds above the largest float";
  const std::vector<std::uint8_t> bytes = {0, 241, 255};
  valid = {1, 1, 1};
  clear_nodata(shard::DType::u8, std::as_bytes(std::span(bytes)), {-9999, false}, valid);
  EXPECT_EQ(valid, (std::vector<std::uint8_t>{1, 1, 1})) << "-9999 is no byte";
}

TEST(FileGlob, MatchesOneComponent) {
  EXPECT_TRUE(matches("*.tif", "a.tif"));
  EXPECT_FALSE(matches("*.tif", "a.TIF"));
  EXPECT_FALSE(matches("*.tif", ".tif"));
  EXPECT_TRUE(matches("*_B?.TIF", "LC08_B1.TIF"));
  EXPECT_FALSE(matches("*_B?.TIF", "LC08_B10.TIF"));
  EXPECT_TRUE(matches("*_B[0-9]*.TIF", "x_B10.TIF"));
  EXPECT_FALSE(matches("*_B[!0-9].TIF", "x_B1.TIF"));
  EXPECT_TRUE(matches("a*b*c", "a_b_b_c"));
  EXPECT_FALSE(matches("a*b*c", "a_b_b_"));
}

TEST(FileGlob, FindsSortedFilesAndRefusesLinksOutOfTheRoot) {
  const TemporaryFolder folder;
  for (const auto* name : {"data/b/2.tif", "data/a/1.tif", "data/a/x/3.tif", "data/0.tif", "data/a/1.txt", "outside.tif"}) folder.write(name, "x");
  const auto job = tiny_job(folder.path(), "");
  const auto found = [&](const std::string& pattern) {
    std::vector<std::string> out;
    for (const auto& file : glob_files(job, pattern)) out.push_back(file.path);
    return out;
  };
  EXPECT_EQ(found("data:*/*.tif"), (std::vector<std::string>{"data:a/1.tif", "data:b/2.tif"}));
  EXPECT_EQ(found("data:**/*.tif"), (std::vector<std::string>{"data:0.tif", "data:a/1.tif", "data:a/x/3.tif", "data:b/2.tif"}));
  EXPECT_EQ(found("data/0.tif"), (std::vector<std::string>{"job:data/0.tif"}));
  EXPECT_TRUE(found("data:*.png").empty());
  EXPECT_THROW(found("data:../*.tif"), Error);
  std::filesystem::create_symlink(folder / "outside.tif", folder / "data/link.tif");
  EXPECT_THROW(found("data:*.tif"), Error);
}

TEST(Dates, AreReadAsUtcAndOnlyIfTheyExist) {
  EXPECT_EQ(parse_time("20190904", "%Y%m%d")->time, "2019-09-04T00:00:00.000Z");
  EXPECT_FALSE(parse_time("20190904", "%Y%m%d")->time_known);
  EXPECT_EQ(parse_time("20150711T100008", "%Y%m%dT%H%M%S")->time, "2015-07-11T10:00:08.000Z");
  EXPECT_TRUE(parse_time("20150711T100008", "%Y%m%dT%H%M%S")->time_known);
  EXPECT_EQ(parse_time("2015-07-11T10:00:08Z", DateConfig{}.format)->time, "2015-07-11T10:00:08.000Z");
  EXPECT_EQ(parse_time("2015-07-11T00:30:00+02:00", DateConfig{}.format)->time, "2015-07-10T22:30:00.000Z");
  EXPECT_EQ(parse_time("2015:07:11 10:00:08", DateConfig{}.format)->time, "2015-07-11T10:00:08.000Z");
  EXPECT_FALSE(parse_time("2015-02-30", DateConfig{}.format));
  EXPECT_FALSE(parse_time("20150230", "%Y%m%d"));
  EXPECT_FALSE(parse_time("20150711x", "%Y%m%d"));
  EXPECT_EQ(seconds_of("1970-01-02T00:00:01.000Z"), 86401);
}

}  // namespace
}  // namespace tilewright::pipeline
