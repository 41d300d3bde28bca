// SPDX-License-Identifier: Apache-2.0
// The fast way to pixels against GDAL: packings, real files, and damage.
#include "pipeline/io/tiff_blocks.h"

#include <fstream>
#include <random>

#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using geometry::Window;

struct Packing {
  GDALDataType type;
  std::vector<std::string> options;
  int bands = 3;
};

std::vector<Packing> packings() {
  std::vector<Packing> out;
  const GDALDataType types[] = {GDT_Byte, GDT_UInt16, GDT_Int16, GDT_UInt32, GDT_Int32, GDT_Float32, GDT_Float64};
  for (const auto type : types)
    for (const char* compress : {"NONE", "DEFLATE", "ZSTD", "LZW"})
      for (const int predictor : {1, 2, 3}) {
        const bool is_float = type == GDT_Float32 || type == GDT_Float64;
        if ((predictor == 3 && !is_float) || (predictor == 2 && type == GDT_Float64) || (predictor > 1 && std::string(compress) == "NONE")) continue;
        std::vector<std::string> options{"COMPRESS=" + std::string(compress)};
        if (std::string(compress) != "NONE") options.push_back("PREDICTOR=" + std::to_string(predictor));
        options.push_back(out.size() % 2 ? "INTERLEAVE=BAND" : "INTERLEAVE=PIXEL");
        if (out.size() % 3 != 0) options.insert(options.end(), {"TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=16"});
        else options.push_back("BLOCKYSIZE=7");
        if (out.size() % 5 == 0) options.push_back("BIGTIFF=YES");
        if (out.size() % 4 == 1) options.push_back("ENDIANNESS=BIG");
        out.push_back({type, options, out.size() % 7 == 0 ? 1 : 3});
      }
  return out;
}

TinyRaster raster_of(const Packing& packing) {
  TinyRaster r;
  r.width = 83, r.height = 51, r.bands = packing.bands, r.type = packing.type, r.options = packing.options;
  const bool is_float = packing.type == GDT_Float32 || packing.type == GDT_Float64;
  r.pixel = [is_float](int band, int col, int row) {
    const unsigned noise = (static_cast<unsigned>(band * 7919 + row * 613 + col * 29) * 2654435761U) >> 20;
    return (noise % 5 == 0 ? noise % 251 : static_cast<unsigned>(col + row) % 200) + (is_float ? 0.37 * band : 0);
  };
  return r;
}

/// GDAL's pixels of a window, nullopt if it cannot read them.
std::optional<std::vector<std::byte>> by_gdal(const fs::path& file, std::size_t bytes_a_pixel, int bands, const Window& w) {
  const auto dataset = open_raster_dataset(file, {});
  std::vector<std::byte> out(static_cast<std::size_t>(w.width * w.height) * bytes_a_pixel * static_cast<std::size_t>(bands));
  std::vector<int> numbers;
  for (int b = 1; b <= bands; ++b) numbers.push_back(b);
  const auto type = dataset->GetRasterBand(1)->GetRasterDataType();
  const auto result = dataset->RasterIO(GF_Read, int(w.col), int(w.row), int(w.width), int(w.height), out.data(), int(w.width), int(w.height), type, bands, numbers.data(), 0, 0, 0, nullptr);
  if (result != CE_None) return std::nullopt;
  return out;
}

std::vector<int> all_bands(const Raster& raster) {
  std::vector<int> bands;
  for (std::size_t b = 0; b < raster.info().bands.size(); ++b) bands.push_back(static_cast<int>(b));
  return bands;
}

TEST(TiffBlocks, EqualGdalForEveryPackingAndWindow) {
  const TemporaryFolder folder;
  std::mt19937 random(67);
  int number = 0;
  for (const auto& packing : packings()) {
    const auto file = folder / (std::to_string(number++) + ".tif");
    write_raster(file, raster_of(packing));
    std::string options;
    for (const auto& option : packing.options) options += option + " ";
    const auto raster = Raster::open(file, {});
    const auto blocks = TiffBlocks::open(file, raster.info(), {});
    ASSERT_TRUE(blocks) << options << GDALGetDataTypeName(packing.type);
    const auto bands = all_bands(raster);
    const std::size_t size = shard::byte_size(raster.info().bands[0].dtype);
    const std::int64_t bh = blocks->layout().block_height;
    for (int round = 0; round < 8; ++round) {
      const std::int64_t top = round == 0 ? 0 : static_cast<std::int64_t>(random()) % (51 / bh) * bh;
      const std::int64_t rows = round == 0 ? 51 : std::min<std::int64_t>(51 - top, bh * (1 + static_cast<std::int64_t>(random()) % 3));
      const std::int64_t left = round == 0 ? 0 : static_cast<std::int64_t>(random()) % 80, width = round == 0 ? 83 : 1 + static_cast<std::int64_t>(random()) % (83 - left);
      const Window window{left, top, width, rows};
      std::vector<std::byte> ours(static_cast<std::size_t>(width * rows) * size * bands.size());
      ASSERT_TRUE(blocks->read(bands, window, ours)) << options;
      ASSERT_EQ(ours, by_gdal(file, size, packing.bands, window)) << options << GDALGetDataTypeName(packing.type) << " " << left << " " << top << " " << width << " " << rows;
    }
    std::vector<std::byte> cut(size * bands.size() * 83);
    if (bh > 1) {
      EXPECT_FALSE(blocks->read(bands, {0, 1, 83, 1}, cut)) << "a part of a row of blocks is GDAL's";
    }
  }
}

/// Samples beside each other are split in vectors, and differences summed in the same pass from a block's left edge on.
TEST(TiffBlocks, EqualGdalWhereSamplesAreSplit) {
  const TemporaryFolder folder;
  std::mt19937 random(73);
  int number = 0;
  for (const auto type : {GDT_Byte, GDT_UInt16, GDT_Int16})
    for (const int bands : {3, 4})
      for (const char* predictor : {"PREDICTOR=1", "PREDICTOR=2"})
        for (const char* order : {"ENDIANNESS=LITTLE", "ENDIANNESS=BIG"}) {
          Packing packing{type, {"COMPRESS=DEFLATE", predictor, order, "INTERLEAVE=PIXEL"}, bands};
          if (number % 3 != 0) packing.options.insert(packing.options.end(), {"TILED=YES", "BLOCKXSIZE=48", "BLOCKYSIZE=16"});
          auto pixels = raster_of(packing);
          pixels.pixel = [type](int band, int col, int row) {  // all bits, so that sums wrap
            const unsigned noise = static_cast<unsigned>(band * 7919 + row * 613 + col * 29) * 2654435761U;
            return static_cast<double>(type == GDT_Byte ? noise >> 24 : type == GDT_UInt16 ? noise >> 16 : static_cast<unsigned>(noise >> 17));
          };
          const auto file = folder / (std::to_string(number++) + ".tif");
          write_raster(file, pixels);
          const auto raster = Raster::open(file, {});
          const auto blocks = TiffBlocks::open(file, raster.info(), {});
          ASSERT_TRUE(blocks) << predictor;
          const std::size_t size = shard::byte_size(raster.info().bands[0].dtype);
          for (std::int64_t left : {0, 1, 47, 48, 50})
            for (std::int64_t width = 1; left + width <= 83; width += 1 + static_cast<std::int64_t>(random() % 3)) {
              const Window window{left, 0, width, 51};
              std::vector<std::byte> ours(static_cast<std::size_t>(width * 51) * size * static_cast<std::size_t>(bands));
              ASSERT_TRUE(blocks->read(all_bands(raster), window, ours));
              ASSERT_EQ(ours, by_gdal(file, size, bands, window)) << GDALGetDataTypeName(type) << " " << bands << " " << predictor << " " << order << " " << left << " " << width;
            }
        }
}

TEST(TiffBlocks, LeavesTheUnusualToGdal) {
  const TemporaryFolder folder;
  const std::vector<std::vector<std::string>> unusual = {{"COMPRESS=PACKBITS"}, {"COMPRESS=JPEG"}, {"NBITS=5"}, {"COMPRESS=LZMA"}, {"PHOTOMETRIC=MINISWHITE"}};
  for (const auto& options : unusual) {
    TinyRaster r;
    r.width = r.height = 64;
    r.options = options;
    write_raster(folder / "u.tif", r);
    EXPECT_FALSE(TiffBlocks::open(folder / "u.tif", Raster::open(folder / "u.tif", {}).info(), {})) << options[0];
    fs::remove(folder / "u.tif");
  }
  TinyRaster plain;
  write_raster(folder / "p.tif", plain);
  OpenPolicy small;
  small.block_budget_bytes = 8;
  EXPECT_FALSE(TiffBlocks::open(folder / "p.tif", Raster::open(folder / "p.tif", {}).info(), small)) << "the block budget holds here too";
  TinyRaster sparse;
  sparse.options = {"SPARSE_OK=YES", "COMPRESS=DEFLATE"};
  sparse.write_pixels = false;
  write_raster(folder / "s.tif", sparse);
  const auto raster = Raster::open(folder / "s.tif", {});
  const auto blocks = TiffBlocks::open(folder / "s.tif", raster.info(), {});
  std::vector<std::byte> out(48);
  const int band = 0;
  EXPECT_TRUE(!blocks || !blocks->read(std::span(&band, 1), {0, 0, 8, 6}, out)) << "missing blocks are GDAL's";
}

/// A damaged file gives what GDAL gives, pixels or the same refusal, and never more.
TEST(TiffBlocks, DamageIsJudgedByGdalAlone) {
  const TemporaryFolder folder;
  std::mt19937 random(71);
  int refused = 0, read = 0;
  for (const auto& packing : packings()) {
    const auto file = folder / "d.tif";
    fs::remove(file);
    write_raster(file, raster_of(packing));
    std::string bytes;
    {
      std::ifstream in(file, std::ios::binary);
      bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    for (int round = 0; round < 12; ++round) {
      std::string damaged = bytes;
      if (round % 3 == 0) damaged.resize(damaged.size() - 1 - random() % (damaged.size() / 2));
      else for (int k = 0; k < 1 + round / 4; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
      std::ofstream(file, std::ios::binary | std::ios::trunc) << damaged;
      try {
        const auto raster = Raster::open(file, {});
        const auto bands = all_bands(raster);
        const auto& info = raster.info();
        const std::size_t size = shard::byte_size(info.bands[0].dtype);
        if (info.width * info.height > 100000 || bands.size() > 8) continue;
        const Window whole{0, 0, info.width, info.height};
        const auto theirs = by_gdal(file, size, static_cast<int>(bands.size()), whole);
        std::vector<std::byte> ours(static_cast<std::size_t>(info.width * info.height) * size * bands.size());
        try {
          raster.read(bands, whole, ours);
          ASSERT_TRUE(theirs) << "GDAL refuses what the fast way reads";
          // What GDAL makes of a broken stream may differ from read to read: then the pixels must be GDAL's.
          const auto blocks = TiffBlocks::open(file, info, {});
          ASSERT_TRUE(ours == *theirs || !blocks || !blocks->read(bands, whole, ours)) << ::testing::PrintToString(packing.options) << " round " << round;
          ++read;
        } catch (const index::ItemError& error) {
          ASSERT_FALSE(theirs) << error.what();
          ++refused;
        }
      } catch (const index::ItemError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 10);
  EXPECT_GT(read, 10);
}

TEST(TiffBlocks, HostileTablesAreRefused) {
  const TemporaryFolder folder;
  for (const std::string& text : {std::string(), std::string("II"), std::string("II*\0\xff\xff\xff\x7f", 8), std::string("II+\0\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f", 16),
                                  std::string("II*\0\x08\0\0\0\xff\xff", 10)}) {
    folder.write("h.tif", text);
    const auto file = FileBytes::open(folder / "h.tif");
    ASSERT_TRUE(file);
    EXPECT_FALSE(read_tiff_layout(*file));
  }
}

TEST(TiffBlocksReal, EveryTiffOfTheRealSetsEqualsGdal) {
  const fs::path data = fs::path(TILEWRIGHT_SOURCE_DIR) / "../shared/data";
  if (!fs::is_directory(data)) GTEST_SKIP() << data << " is not here";
  int fast = 0, slow = 0;
  for (const auto& entry : fs::recursive_directory_iterator(data)) {
    const auto ending = entry.path().extension().string();
    if (!EQUAL(ending.c_str(), ".tif") && !EQUAL(ending.c_str(), ".tiff")) continue;
    try {
      const auto raster = Raster::open(entry.path(), {});
      const auto blocks = TiffBlocks::open(entry.path(), raster.info(), {});
      if (!blocks || raster.info().width * raster.info().height * static_cast<std::int64_t>(raster.info().bands.size()) > (1 << 26)) {
        ++slow;
        continue;
      }
      const Window whole{0, 0, raster.info().width, raster.info().height};
      const auto bands = all_bands(raster);
      const std::size_t size = shard::byte_size(raster.info().bands[0].dtype);
      std::vector<std::byte> ours(static_cast<std::size_t>(whole.width * whole.height) * size * bands.size());
      if (!blocks->read(bands, whole, ours)) {
        ++slow;
        continue;
      }
      ASSERT_EQ(ours, by_gdal(entry.path(), size, static_cast<int>(bands.size()), whole)) << entry.path();
      ++fast;
    } catch (const index::ItemError&) {
      ++slow;
    }
  }
  RecordProperty("fast", fast);
  RecordProperty("left_to_gdal", slow);
  EXPECT_GT(fast, 600) << slow << " left to GDAL";
}

}  // namespace
}  // namespace tilewright::pipeline
