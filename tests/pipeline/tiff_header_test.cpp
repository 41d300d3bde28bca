// SPDX-License-Identifier: Apache-2.0
// Headers read by us equal what GDAL says, on drawn and on real files, and hostile bytes only cost a nullopt.
#include "pipeline/io/tiff_header.h"

#include <cstring>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "pipeline/io/tiff_info.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

std::vector<std::byte> bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  std::vector<std::byte> out(text.size());
  std::memcpy(out.data(), text.data(), text.size());
  return out;
}

/// Everything that Raster tells without pixels, as text.
std::string text_of(const RasterInfo& info) {
  std::ostringstream out;
  out.precision(17);
  const auto& a = info.affine;
  out << info.width << " x " << info.height << " blocks " << info.block_width << " x " << info.block_height << "\n"
      << info.has_georeference << " " << a.a << " " << a.b << " " << a.c << " " << a.d << " " << a.e << " " << a.f << "\n" << info.crs.wkt() << "\n";
  for (const auto& [key, value] : info.metadata) out << key << "=" << value << "\n";
  for (const auto& band : info.bands) {
    out << "band '" << band.description << "' " << shard::name(band.dtype) << " nodata " << (band.nodata ? std::to_string(*band.nodata) : "none") << " alpha " << band.is_alpha
        << " mask " << band.has_mask_file << " scale " << band.scale << " offset " << band.offset << "\n";
    for (const auto& [key, value] : band.metadata) out << "  " << key << "=" << value << "\n";
  }
  return out.str();
}

/// True if our reader took the file; it then says what GDAL says.
bool equals_gdal(const fs::path& file) {
  set_up_gdal(0);
  const auto plain = read_plain_tiff(file, {});
  if (!plain) return false;
  try {
    const auto raster = Raster::open_with_gdal(file, {});
    const auto own = Raster::open(file, {});
    EXPECT_EQ(text_of(own.info()), text_of(raster.info())) << file;
    EXPECT_EQ(plain->is_sparse.value_or(raster.is_sparse()), raster.is_sparse()) << file;
  } catch (const index::ItemError& error) {
    ADD_FAILURE() << file << " is taken, but GDAL says " << error.what();
  }
  return true;
}

class TiffHeaderTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  bool check(const std::string& name, const TinyRaster& raster) const {
    write_raster(folder_ / name, raster);
    return equals_gdal(folder_ / name);
  }
};

TEST_F(TiffHeaderTest, EveryPixelTypeAndLayoutIsReadAsGdalReadsIt) {
  int n = 0;
  for (const auto type : {GDT_Byte, GDT_UInt16, GDT_Int16, GDT_UInt32, GDT_Int32, GDT_Float32, GDT_Float64})
    for (const auto& options : std::vector<std::vector<std::string>>{{}, {"TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=32"}, {"INTERLEAVE=BAND", "COMPRESS=DEFLATE"},
                                                                     {"BIGTIFF=YES", "COMPRESS=LZW", "PREDICTOR=2"}, {"ENDIANNESS=BIG"}}) {
      if ((type == GDT_Float32 || type == GDT_Float64) && options.size() == 3 && options[2] == "PREDICTOR=2") continue;
      TinyRaster raster;
      raster.type = type;
      raster.bands = 3;
      raster.width = 70;
      raster.height = 50;
      raster.options = options;
      raster.nodata = type == GDT_Float32 ? -3.4028234663852886e38 : 0;
      EXPECT_TRUE(check("t" + std::to_string(n++) + ".tif", raster)) << GDALGetDataTypeName(type);
    }
}

TEST_F(TiffHeaderTest, MetadataDescriptionsAndPlacesAreReadAsGdalReadsThem) {
  TinyRaster raster;
  raster.bands = 2;
  raster.descriptions = {"red & <green>", "nir"};
  raster.metadata = {{"TIFFTAG_DATETIME", "2020:01:02 03:04:05"}, {"acquired", "2020-01-02"}, {"TIFFTAG_SOFTWARE", "a \"program\""}};
  EXPECT_TRUE(check("described.tif", raster));
  raster.metadata = {{"AREA_OR_POINT", "Point"}};
  EXPECT_TRUE(check("point.tif", raster));
  raster.transform = {500000, 7, 7, 5000000, 7, -7};
  EXPECT_TRUE(check("rotated.tif", raster));
  raster.transform = {500000, 10, 0, 5000000, 0, 10};
  check("south_up.tif", raster);
  raster.transform.reset();
  EXPECT_TRUE(check("no_place.tif", raster));
  raster.epsg = 0;
  EXPECT_TRUE(check("nothing.tif", raster));
  for (const int epsg : {4326, 3857, 2154, 2263, 3413, 32761, 4269}) {
    raster.epsg = epsg;
    raster.transform = {10, 0.5, 0, 40, 0, -0.5};
    EXPECT_TRUE(check("e" + std::to_string(epsg) + ".tif", raster));
  }
}

TEST_F(TiffHeaderTest, WhatIsUnusualIsLeftToGdal) {
  TinyRaster raster;
  raster.bands = 4;
  raster.alpha = true;
  EXPECT_FALSE(check("alpha.tif", raster));
  raster = {};
  raster.options = {"NBITS=4"};
  EXPECT_FALSE(check("nbits.tif", raster));
  raster.options = {"COMPRESS=JPEG"};
  EXPECT_FALSE(check("jpeg.tif", raster));
  raster.options = {};
  raster.type = GDT_CFloat32;
  write_raster(folder_ / "complex.tif", raster);
  EXPECT_FALSE(read_plain_tiff(folder_ / "complex.tif", {}));
  folder_.write("text.tif", "II*");
  EXPECT_FALSE(read_plain_tiff(folder_ / "text.tif", {}));
  EXPECT_FALSE(read_plain_tiff(folder_ / "missing.tif", {}));
  OpenPolicy small;
  small.block_budget_bytes = 10;
  write_raster(folder_ / "plain.tif", {});
  EXPECT_TRUE(read_plain_tiff(folder_ / "plain.tif", {}));
  EXPECT_FALSE(read_plain_tiff(folder_ / "plain.tif", small)) << "the budget is GDAL's to refuse";
}

TEST_F(TiffHeaderTest, SparseFilesAreSeenInTheHeader) {
  TinyRaster raster;
  raster.width = raster.height = 64;
  raster.options = {"SPARSE_OK=TRUE", "TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=32"};
  raster.write_pixels = false;
  EXPECT_TRUE(check("sparse.tif", raster));
  EXPECT_EQ(read_plain_tiff(folder_ / "sparse.tif", {})->is_sparse, true);
  raster.write_pixels = true;
  EXPECT_TRUE(check("full.tif", raster));
  EXPECT_EQ(read_plain_tiff(folder_ / "full.tif", {})->is_sparse, false);
}

/// One byte, a stretch, the length: what a broken disk or a person would do.
std::vector<std::byte> mutated(std::vector<std::byte> bytes, std::mt19937& random) {
  const int changes = 1 + static_cast<int>(random() % 4);
  for (int i = 0; i < changes && !bytes.empty(); ++i) {
    const auto at = random() % std::min<std::size_t>(bytes.size(), 600);
    switch (random() % 5) {
      case 0: bytes[at] = static_cast<std::byte>(random()); break;
      case 1: bytes[at] ^= static_cast<std::byte>(1U << (random() % 8)); break;
      case 2: bytes.resize(at); break;
      case 3:
        for (auto j = at; j < std::min(bytes.size(), at + 8); ++j) bytes[j] = std::byte{0xff};
        break;
      default:
        for (auto j = at; j < std::min(bytes.size(), at + 4); ++j) bytes[j] = std::byte{0};
    }
  }
  return bytes;
}

TEST_F(TiffHeaderTest, HostileBytesNeverCostMoreThanANullopt) {
  std::mt19937 random(11);
  std::vector<std::vector<std::byte>> seeds;
  for (const auto& options : std::vector<std::vector<std::string>>{{}, {"TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"}, {"BIGTIFF=YES"}, {"ENDIANNESS=BIG", "COMPRESS=DEFLATE"}}) {
    TinyRaster raster;
    raster.bands = 2;
    raster.nodata = 3;
    raster.descriptions = {"a", "b"};
    raster.options = options;
    write_raster(folder_ / "seed.tif", raster);
    seeds.push_back(bytes_of(folder_ / "seed.tif"));
  }
  int taken = 0;
  constexpr int kTries = 40000;
  for (int i = 0; i < kTries; ++i) {
    HeaderBytes bytes(mutated(seeds[random() % seeds.size()], random));
    const auto header = read_tiff_header(bytes);
    if (!header) continue;
    ++taken;
    EXPECT_TRUE(header->width >= 1 && header->height >= 1 && header->bands >= 1 && header->bands <= 10000 && header->block_width >= 1 && header->block_height >= 1);
  }
  EXPECT_GT(taken, kTries / 50) << "mutations that all fail test nothing";
  EXPECT_LT(taken, kTries);
}

TEST_F(TiffHeaderTest, AMutatedFileThatIsTakenIsReadAsGdalReadsIt) {
  std::mt19937 random(5);
  TinyRaster raster;
  raster.bands = 2;
  raster.nodata = 3;
  write_raster(folder_ / "seed.tif", raster);
  const auto seed = bytes_of(folder_ / "seed.tif");
  int compared = 0;
  set_up_gdal(0);
  for (int i = 0; i < 1500; ++i) {
    const auto bytes = mutated(seed, random);
    std::ofstream(folder_ / "m.tif", std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    std::string own, theirs;
    try {
      if (!read_plain_tiff(folder_ / "m.tif", {})) continue;
      own = text_of(Raster::open(folder_ / "m.tif", {}).info());
      theirs = text_of(Raster::open_with_gdal(folder_ / "m.tif", {}).info());
    } catch (const index::ItemError&) {
      continue;  // GDAL refuses it: it will say so when pixels are read
    }
    ++compared;
    EXPECT_EQ(own, theirs) << "mutation " << i;
  }
  EXPECT_GT(compared, 50);
}

TEST_F(TiffHeaderTest, ReadsAreBounded) {
  TinyRaster raster;
  raster.width = 400;
  raster.height = 30000;
  raster.options = {"COMPRESS=DEFLATE"};
  raster.pixel = [](int, int, int) { return 1; };
  write_raster(folder_ / "long.tif", raster);
  const auto file = FileBytes::open(folder_ / "long.tif");
  ASSERT_TRUE(file);
  HeaderBytes bytes(*file);
  EXPECT_TRUE(bytes.bytes(bytes.file_size(), 1).empty());
  EXPECT_TRUE(bytes.bytes(~std::uint64_t{0}, 8).empty());
  EXPECT_TRUE(bytes.bytes(0, ~std::uint64_t{0}).empty());
  HeaderBytes few(*file, {.reads = 2, .bytes = 40 << 10});
  EXPECT_EQ(few.bytes(0, 8).size(), 8U);
  EXPECT_EQ(few.bytes(8, 100).size(), 100U) << "read already";
  EXPECT_TRUE(few.bytes(100, 39 << 10).empty()) << "more bytes than the budget";
  EXPECT_EQ(few.bytes(20 << 10, 8).size(), 8U);
  EXPECT_TRUE(few.bytes(60 << 10, 8).empty()) << "more reads than the budget";
  EXPECT_TRUE(equals_gdal(folder_ / "long.tif"));
}

TEST(TiffHeaderReal, AllRealFilesAreReadAsGdalReadsThem) {
  if (!fs::is_directory(real_data())) GTEST_SKIP() << "the sample sets are not beside the repository";
  int files = 0, taken = 0;
  for (const auto& entry : fs::recursive_directory_iterator(real_data())) {
    const auto extension = entry.path().extension().string();
    if (!entry.is_regular_file() || (extension != ".tif" && extension != ".TIF" && extension != ".tiff")) continue;
    if (entry.path().string().find("F-nasty") == std::string::npos) ++files;
    const bool is_taken = equals_gdal(entry.path());
    taken += is_taken && entry.path().string().find("F-nasty") == std::string::npos ? 1 : 0;
  }
  std::cout << taken << " of " << files << " real GeoTIFFs are read without GDAL\n";
  RecordProperty("taken", taken);
  EXPECT_GE(taken, files * 8 / 10);
}

}  // namespace
}  // namespace tilewright::pipeline
