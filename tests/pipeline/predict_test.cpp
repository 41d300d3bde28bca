// SPDX-License-Identifier: Apache-2.0
// Maps: frames, windows, blending and the file that comes out.
#include <cmath>
#include <cstring>
#include <numeric>

#include "pipeline/io/geotiff_writer.h"
#include "pipeline/io/raster.h"
#include "pipeline/stages/predict_mosaic.h"
#include "pipeline/stages/predict_source.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

using geometry::Window;

TEST(PredictWindows, CoverEveryPixelAndStayInside) {
  for (const auto& [width, height, size, overlap] : {std::array{100, 70, 32, 8}, {64, 64, 64, 16}, {65, 64, 64, 16}, {200, 33, 32, 0}, {129, 129, 64, 63}}) {
    std::vector<int> hits(std::size_t(width * height));
    std::int64_t last_row = 0;
    for (const auto& w : predict_windows(width, height, size, overlap)) {
      EXPECT_GE(w.row, last_row) << "rows go down";
      last_row = w.row;
      EXPECT_TRUE(w.col >= 0 && w.row >= 0 && w.col + w.width <= width && w.row + w.height <= height);
      for (auto y = w.row; y < w.row + w.height; ++y)
        for (auto x = w.col; x < w.col + w.width; ++x) ++hits[std::size_t(y * width + x)];
    }
    EXPECT_EQ(std::count(hits.begin(), hits.end(), 0), 0);
  }
}

TEST(PredictWindows, AFrameSmallerThanAWindowHasOneThatSticksOut) {
  EXPECT_EQ(predict_windows(20, 10, 32, 8), (std::vector<Window>{{0, 0, 32, 32}}));
}

TEST(HannWeights, AreSymmetricAndNeverZero) {
  const auto weights = hann_weights(64);
  for (std::size_t i = 0; i < 64; ++i) {
    EXPECT_GT(weights[i], 0);
    EXPECT_FLOAT_EQ(weights[i], weights[63 - i]);
  }
}

const geometry::Crs& utm() {
  static const auto crs = geometry::Crs::from_epsg(32633);
  return crs;
}

TEST(PredictFrame, IsTheTilesGridWhereItsPixelsHaveTheSize) {
  const SourceGrid tile{{10, 0, 500003, 0, -10, 5000007}, 40, 30, utm()};
  const auto frame = predict_frame(tile, {32633, 10, {0, 0}});
  EXPECT_TRUE(frame.is_own_grid);
  EXPECT_EQ(frame.affine, tile.affine);
}

TEST(PredictFrame, IsThePartOfTheLatticeThatCoversTheTile) {
  const SourceGrid tile{{9.99, 0, 500003, 0, -9.99, 5000007}, 40, 30, utm()};
  const auto frame = predict_frame(tile, {32633, 10, {5, 5}});
  EXPECT_FALSE(frame.is_own_grid);
  EXPECT_EQ(frame.affine.c, 499995);
  EXPECT_EQ(frame.affine.f, 5000015);
  EXPECT_EQ(frame.width, 41);
  EXPECT_EQ(frame.height, 31);
}

/// Frame and style of the mosaic tests: three classes, not numbered 0, 1, 2.
struct MosaicCase {
  PredictFrame frame{{10, 0, 500000, 0, -10, 5000000}, utm(), 50, 41, true};
  MapStyle style{{{0, "background", "#000000", 0}, {3, "water & ice", "#00f", 0}, {7, "forest", "#0a0b0c", 0}}, true};
};

/// A probability that is a function of the place only: blending must give it back.
float probability(std::size_t k, std::int64_t col, std::int64_t row) {
  const float a = static_cast<float>((col * 7 + row * 3) % 10) / 20, b = static_cast<float>((col + row) % 5) / 10;
  return k == 0 ? a : k == 1 ? b : 1 - a - b;
}

bool is_valid(std::int64_t col, std::int64_t row) { return !(col < 5 && row < 9) && row != 40; }

void feed(PredictMosaic& mosaic, const MosaicCase& c, int size, int overlap) {
  for (const auto& w : predict_windows(c.frame.width, c.frame.height, size, overlap)) {
    std::vector<float> probabilities(std::size_t(3 * size * size));
    std::vector<std::uint8_t> valid(std::size_t(size * size));
    for (std::int64_t y = 0; y < size; ++y)
      for (std::int64_t x = 0; x < size; ++x) {
        const auto col = w.col + x, row = w.row + y;
        valid[std::size_t(y * size + x)] = col < c.frame.width && row < c.frame.height && is_valid(col, row);
        for (std::size_t k = 0; k < 3; ++k) probabilities[(k * std::size_t(size) + std::size_t(y)) * std::size_t(size) + std::size_t(x)] = probability(k, col, row);
      }
    if (std::accumulate(valid.begin(), valid.end(), 0) > 0) mosaic.add(w, probabilities, valid);
  }
}

TEST(PredictMosaic, GivesBackWhatDoesNotDependOnTheWindow) {
  const MosaicCase c;
  for (const auto& [size, overlap] : {std::pair{16, 4}, {16, 0}, {64, 16}, {41, 40}}) {
    const TemporaryFolder folder;
    PredictMosaic mosaic(c.frame, c.style, folder.path(), "unet_t", size);
    feed(mosaic, c, size, overlap);
    EXPECT_EQ(mosaic.finish().size(), 3U);
    const auto map = Raster::open(folder / "unet_t.tif", {}), shares = Raster::open(folder / "unet_t_prob.tif", {});
    EXPECT_EQ(map.info().bands[0].nodata, 255);
    EXPECT_EQ(map.info().crs.epsg(), 32633);
    EXPECT_EQ(map.info().affine, c.frame.affine);
    EXPECT_EQ(map.info().metadata.at("CLASS_3"), "water & ice");
    std::vector<std::uint8_t> pixels(50 * 41);
    std::vector<float> forest(50 * 41);
    map.read(0, {0, 0, 50, 41}, std::as_writable_bytes(std::span(pixels)));
    shares.read(2, {0, 0, 50, 41}, std::as_writable_bytes(std::span(forest)));
    for (std::int64_t row = 0; row < 41; ++row)
      for (std::int64_t col = 0; col < 50; ++col) {
        const auto at = std::size_t(row * 50 + col);
        if (!is_valid(col, row)) {
          EXPECT_EQ(pixels[at], 255);
          EXPECT_EQ(forest[at], -1);
          continue;
        }
        EXPECT_NEAR(forest[at], probability(2, col, row), 1e-5);
        const std::size_t k = pixels[at] == 0 ? 0 : pixels[at] == 3 ? 1 : 2;
        for (std::size_t other = 0; other < 3; ++other) EXPECT_GE(probability(k, col, row), probability(other, col, row) - 1e-5F);
      }
  }
}

TEST(PredictMosaic, ATileWithoutAWindowIsAllNodata) {
  const MosaicCase c;
  const TemporaryFolder folder;
  PredictMosaic(c.frame, c.style, folder.path(), "empty", 16).finish();
  std::vector<std::uint8_t> pixels(50 * 41);
  Raster::open(folder / "empty.tif", {}).read(0, {0, 0, 50, 41}, std::as_writable_bytes(std::span(pixels)));
  EXPECT_EQ(std::count(pixels.begin(), pixels.end(), 255), 50 * 41);
}

TEST(PredictMosaic, AnAbandonedMapLeavesNothing) {
  const MosaicCase c;
  const TemporaryFolder folder;
  {
    PredictMosaic mosaic(c.frame, c.style, folder.path(), "half", 16);
    feed(mosaic, c, 16, 4);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(PredictMosaic, BytesDoNotDependOnGdalsCache) {
  MosaicCase c;
  c.frame.width = 700;
  c.frame.height = 600;
  std::vector<std::string> hashes;
  for (const std::size_t cache : {std::size_t{1} << 20, std::size_t{128} << 20}) {
    const TemporaryFolder folder;
    set_up_gdal(cache);
    PredictMosaic mosaic(c.frame, c.style, folder.path(), "m", 64);
    feed(mosaic, c, 64, 16);
    std::string all;
    for (const auto& [name, file] : mosaic.finish()) all += name + file.sha256;
    hashes.push_back(all);
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

TEST(PredictMosaic, ClassesKeepTheirColours) {
  EXPECT_EQ(rgb_of({1, "", "#00f", 0}), 0x0000ffU);
  EXPECT_EQ(rgb_of({1, "", "#0a0b0c", 0}), 0x0a0b0cU);
  const auto qml = qml_of(MosaicCase{}.style.classes);
  EXPECT_NE(qml.find("value=\"3\" label=\"water &amp; ice\" color=\"#0000ff\""), std::string::npos) << qml;
}

class WindowSourceTest : public ::testing::Test {
 protected:
  WindowSource open(const TinyRaster& raster, const geometry::Lattice& lattice, std::vector<int> bands) {
    write_raster(folder_ / "data/a.tif", raster);
    TileReader reader(job_, "s", {{"data:a.tif", "", false}}, {});
    auto frame = predict_frame(grid_of(reader), lattice);
    return {std::move(reader), std::move(frame), std::move(bands), geometry::Resampling::bilinear};
  }
  TemporaryFolder folder_;
  Job job_ = tiny_job(folder_.path(), "data:*.tif");
};

TEST_F(WindowSourceTest, CopiesAndPadsWithInvalidPixels) {
  TinyRaster r;
  r.bands = 3;
  const auto source = open(r, {32633, 10, {0, 0}}, {2, 0});
  const auto window = source.read({6, 4, 4, 4});
  EXPECT_EQ(window.valid, (std::vector<std::uint8_t>{1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(int(window.data[0]), 20 + 6 + 4 + 1);
  EXPECT_EQ(int(window.data[16]), 6 + 4 + 1);
}

TEST_F(WindowSourceTest, ResamplesALinearRampExactly) {
  TinyRaster r;
  r.type = GDT_Float32;
  r.width = r.height = 20;
  r.pixel = [](int, int col, int row) { return 2 * (col + 0.5) + 3 * (row + 0.5); };
  const auto source = open(r, {32633, 4, {0, 0}}, {0});
  const auto window = source.read({10, 10, 8, 8});
  std::vector<float> pixels(64);
  std::memcpy(pixels.data(), window.data.data(), 256);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x) {
      ASSERT_EQ(window.valid[std::size_t(y * 8 + x)], 1);
      EXPECT_NEAR(pixels[std::size_t(y * 8 + x)], 2 * (10 + x + 0.5) * 0.4 + 3 * (10 + y + 0.5) * 0.4, 1e-4);
    }
}

}  // namespace
}  // namespace tilewright::pipeline
