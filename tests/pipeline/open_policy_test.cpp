// SPDX-License-Identifier: Apache-2.0
// The open policy refuses what it must and opens what people have.
#include "pipeline/io/open_policy.h"

#include "pipeline/io/raster.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

index::Reason reason_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const index::ItemError& error) {
    EXPECT_FALSE(std::string(error.what()).empty());
    return error.reason();
  }
  ADD_FAILURE() << "nothing was refused";
  return index::Reason::timeout;
}

TEST(OpenPolicy, RegistersOnlyTheAllowedDrivers) {
  set_up_gdal(0);
  auto* manager = GetGDALDriverManager();
  EXPECT_EQ(manager->GetDriverCount(), 10);
  EXPECT_EQ(manager->GetDriverByName("VRT"), nullptr);
  EXPECT_EQ(manager->GetDriverByName("HTTP"), nullptr);
}

TEST(OpenPolicy, RefusesPathsThatAreNoPlainFiles) {
  const TemporaryFolder folder;
  for (const auto* path : {"/vsizip//vsicurl/http://127.0.0.1/a.zip/a.tif", "/vsicurl/http://127.0.0.1/a.tif", "http://127.0.0.1/a.tif", "<VRTDataset/>",
                           "WMS:http", "MEM:::DATAPOINTER=1", "vrt://a.tif", "DERIVED_SUBDATASET:LOGAMPLITUDE:a.tif"})
    EXPECT_EQ(reason_of([&] { open_raster_dataset(path, {}); }), index::Reason::refused_path) << path;
  EXPECT_EQ(reason_of([&] { open_raster_dataset(folder.path(), {}); }), index::Reason::refused_path);
  EXPECT_EQ(reason_of([&] { open_raster_dataset(folder / "missing.tif", {}); }), index::Reason::unreadable);
}

TEST(OpenPolicy, AMessageDoesNotNameTheFolder) {
  const TemporaryFolder folder;
  // A TIFF header that points at a directory full of nonsense.
  folder.write("broken.tif", std::string("II*\0\x10\0\0\0", 8) + std::string(64, '\x7f'));
  try {
    open_raster_dataset(folder / "broken.tif", {});
    FAIL() << "it was opened";
  } catch (const index::ItemError& error) {
    EXPECT_NE(std::string(error.what()).find("GDAL: "), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find(folder.path().string()), std::string::npos) << error.what();
  }
  EXPECT_EQ(without_folder("a b/x.tif: a b/x.tif is bad", "a b/x.tif"), "x.tif: x.tif is bad");
}

TEST(OpenPolicy, AVrtNamedTifIsNotOpened) {
  const TemporaryFolder folder;
  folder.write("secret.txt", std::string(64, 'x'));
  folder.write("a.tif",
               "<VRTDataset rasterXSize=\"8\" rasterYSize=\"8\"><VRTRasterBand dataType=\"Byte\" band=\"1\" subClass=\"VRTRawRasterBand\">"
               "<SourceFilename relativetoVRT=\"1\">secret.txt</SourceFilename></VRTRasterBand></VRTDataset>");
  EXPECT_EQ(reason_of([&] { open_raster_dataset(folder / "a.tif", {}); }), index::Reason::unsupported_format);
}

TEST(OpenPolicy, RefusesBlocksAboveTheBudget) {
  const TemporaryFolder folder;
  TinyRaster r;
  r.width = r.height = 512;
  r.options = {"TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512"};
  write_raster(folder / "a.tif", r);
  OpenPolicy policy;
  policy.block_budget_bytes = 512 * 512 - 1;
  EXPECT_EQ(reason_of([&] { open_raster_dataset(folder / "a.tif", policy); }), index::Reason::too_large);
  policy.block_budget_bytes = 512 * 512;
  EXPECT_TRUE(open_raster_dataset(folder / "a.tif", policy));
}

TEST(OpenPolicy, CountsAllBandsOfAnInterleavedBlock) {
  const TemporaryFolder folder;
  TinyRaster r;
  r.bands = 5;
  r.options = {"INTERLEAVE=PIXEL"};
  write_raster(folder / "a.tif", r);
  OpenPolicy policy;
  policy.block_budget_bytes = 8 * 6 * 5 - 1;
  EXPECT_EQ(reason_of([&] { open_raster_dataset(folder / "a.tif", policy); }), index::Reason::too_large);
}

TEST(OpenPolicy, FurtherDriversOpenOnlyWhereTheJobNamesThem) {
  const TemporaryFolder folder;
  folder.write("a.asc", "ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n3 4\n");
  EXPECT_EQ(reason_of([&] { open_raster_dataset(folder / "a.asc", {}); }), index::Reason::unsupported_format);
  OpenPolicy policy;
  policy.more_drivers = {"AAIGrid"};
  EXPECT_TRUE(open_raster_dataset(folder / "a.asc", policy));
  EXPECT_EQ(GetGDALDriverManager()->GetDriverByName("VRT"), nullptr);
  EXPECT_EQ(reason_of([&] { open_raster_dataset(folder / "a.asc", {}); }), index::Reason::unsupported_format);
  policy.more_drivers = {"NoSuchDriver"};
  EXPECT_THROW(open_raster_dataset(folder / "a.asc", policy), Error);
}

TEST(OpenPolicy, EnviOpensWithItsHeader) {
  const TemporaryFolder folder;
  folder.write("a.img", std::string(48, 'x'));
  folder.write("a.hdr", "ENVI\nsamples = 8\nlines = 6\nbands = 1\nheader offset = 0\nfile type = ENVI Standard\ndata type = 1\ninterleave = bsq\nbyte order = 0\n");
  const auto raster = Raster::open(folder / "a.img", {});
  EXPECT_EQ(raster.info().width, 8);
  EXPECT_EQ(raster.info().height, 6);
}

TEST(OpenPolicy, NothingIsWrittenBesideAnInput) {
  const TemporaryFolder folder;
  write_raster(folder / "a.tif", {});
  {
    const auto raster = Raster::open(folder / "a.tif", {});
    std::vector<std::byte> pixels(48);
    raster.read(0, {0, 0, 8, 6}, pixels);
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace tilewright::pipeline
