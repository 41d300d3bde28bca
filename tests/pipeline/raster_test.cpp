// SPDX-License-Identifier: Apache-2.0
// Rasters with their side-cars: place, CRS, masks, damage.
#include "pipeline/io/raster.h"

#include "pipeline/io/side_car.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

using geometry::Window;

TEST(WorldFile, GivesTheCentreOfTheUpperLeftPixel) {
  const auto affine = parse_world_file("10\n0\n0\n-10\n500005\n4999995\n");
  ASSERT_TRUE(affine);
  EXPECT_EQ(affine->map_from_pixel({0, 0}), (geometry::MapXY{500000, 5000000}));
  EXPECT_EQ(affine->map_from_pixel({0.5, 0.5}), (geometry::MapXY{500005, 4999995}));
  EXPECT_FALSE(parse_world_file("10 0 0 -10 5"));
  EXPECT_FALSE(parse_world_file("10 0 0 -10 5 x"));
  EXPECT_FALSE(parse_world_file("10 0 0 -10 5 inf"));
  EXPECT_FALSE(parse_world_file("1 2 3 4 5 6 7"));
}

TEST(WorldFile, KeepsRotation) {
  const auto affine = parse_world_file("1\n2\n3\n4\n5\n6\n");
  ASSERT_TRUE(affine);
  // A D B E C F
  EXPECT_EQ(affine->a, 1);
  EXPECT_EQ(affine->d, 2);
  EXPECT_EQ(affine->b, 3);
  EXPECT_EQ(affine->e, 4);
}

TEST(Raster, TakesItsPlaceFromAWorldFileWhereItHasNone) {
  const TemporaryFolder folder;
  TinyRaster r;
  r.transform.reset();
  r.epsg = 0;
  write_raster(folder / "a.tif", r);
  EXPECT_FALSE(Raster::open(folder / "a.tif", {}).info().has_georeference);
  folder.write("a.tfw", "10\n0\n0\n-10\n500005\n4999995\n");
  const auto raster = Raster::open(folder / "a.tif", {});
  EXPECT_EQ(raster.info().affine, (geometry::Affine{10, 0, 500000, 0, -10, 5000000}));
  EXPECT_EQ(raster.info().side_cars, std::vector<std::string>{"a.tfw"});
  OpenPolicy untrusted;
  untrusted.untrusted = true;
  EXPECT_FALSE(Raster::open(folder / "a.tif", untrusted).info().has_georeference);
}

TEST(Raster, ItsOwnPlaceWinsOverAWorldFile) {
  const TemporaryFolder folder;
  write_raster(folder / "a.tif", {});
  folder.write("a.tfw", "1\n0\n0\n-1\n0\n0\n");
  EXPECT_EQ(Raster::open(folder / "a.tif", {}).info().affine.c, 500000);
}

TEST(Raster, TakesCrsNodataAndNamesFromAnAuxXml) {
  const TemporaryFolder folder;
  TinyRaster r;
  r.epsg = 0;
  write_raster(folder / "a.tif", r);
  folder.write("a.tif.aux.xml",
               "<PAMDataset><SRS>EPSG:32633</SRS><PAMRasterBand band=\"1\"><Description>red</Description><NoDataValue>7</NoDataValue>"
               "<Metadata><MDI key=\"wavelength\">650</MDI></Metadata></PAMRasterBand></PAMDataset>");
  const auto info = Raster::open(folder / "a.tif", {}).info();
  EXPECT_EQ(info.crs.epsg(), 32633);
  EXPECT_EQ(info.bands[0].description, "red");
  EXPECT_EQ(info.bands[0].nodata, 7);
  EXPECT_EQ(info.bands[0].metadata.at("wavelength"), "650");
}

TEST(Raster, RefusesAnAuxXmlWithEntities) {
  const TemporaryFolder folder;
  write_raster(folder / "a.tif", {});
  folder.write("a.tif.aux.xml", "<!DOCTYPE x [<!ENTITY a \"b\">]><PAMDataset/>");
  EXPECT_THROW(Raster::open(folder / "a.tif", {}), index::ItemError);
  folder.write("a.tif.aux.xml", "no xml at all <<<");
  EXPECT_THROW(Raster::open(folder / "a.tif", {}), index::ItemError);
}

TEST(Raster, AMaskBesideItHidesPixelsUnlessUntrusted) {
  const TemporaryFolder folder;
  write_raster(folder / "a.tif", {});
  TinyRaster mask;
  mask.pixel = [](int, int col, int) { return col < 4 ? 255 : 0; };
  write_raster(folder / "m.tif", mask);
  std::filesystem::rename(folder / "m.tif", folder / "a.tif.msk");
  std::vector<std::uint8_t> valid(48);
  const auto raster = Raster::open(folder / "a.tif", {});
  EXPECT_TRUE(raster.has_mask());
  raster.read_mask({0, 0, 8, 6}, valid);
  EXPECT_EQ(std::count(valid.begin(), valid.end(), 0), 24);
  OpenPolicy untrusted;
  untrusted.untrusted = true;
  const auto naked = Raster::open(folder / "a.tif", untrusted);
  EXPECT_FALSE(naked.has_mask());
  EXPECT_EQ(naked.info().metadata.at("IGNORED_SIDE_CARS"), "a.tif.msk");
}

TEST(Raster, ReadsWindowsInTheTypeOfTheFile) {
  const TemporaryFolder folder;
  TinyRaster r;
  r.type = GDT_Int16;
  r.bands = 3;
  r.pixel = [](int band, int col, int row) { return -1000 * (band + 1) + 10 * row + col; };
  write_raster(folder / "a.tif", r);
  const auto raster = Raster::open(folder / "a.tif", {});
  std::vector<std::int16_t> pixels(2 * 6);
  const std::vector<int> bands = {2, 0};
  raster.read(bands, {3, 1, 3, 2}, std::as_writable_bytes(std::span(pixels)));
  EXPECT_EQ(pixels, (std::vector<std::int16_t>{-2987, -2986, -2985, -2977, -2976, -2975, -987, -986, -985, -977, -976, -975}));
}

TEST(Raster, AShortenedFileFailsWhenItIsRead) {
  const TemporaryFolder folder;
  TinyRaster r;
  r.width = r.height = 200;
  write_raster(folder / "a.tif", r);
  std::filesystem::resize_file(folder / "a.tif", 20000);
  std::vector<std::byte> pixels(200 * 200);
  try {
    const auto raster = Raster::open(folder / "a.tif", {});
    raster.read(0, {0, 0, 200, 200}, pixels);
    FAIL() << "a file of half its pixels was read";
  } catch (const index::ItemError& error) {
    EXPECT_EQ(error.reason(), index::Reason::truncated) << error.what();
  }
}

TEST(Raster, KnowsThatBlocksAreMissing) {
  const TemporaryFolder folder;
  TinyRaster r;
  r.width = r.height = 64;
  r.options = {"TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=32", "SPARSE_OK=TRUE"};
  r.pixel = [](int, int col, int row) { return col < 32 && row < 32 ? 0 : 5; };
  write_raster(folder / "sparse.tif", r);
  const auto raster = Raster::open(folder / "sparse.tif", {});
  ASSERT_TRUE(raster.is_sparse());
  std::vector<std::uint8_t> valid(40 * 40, 1);
  raster.clear_missing_blocks({10, 10, 40, 40}, valid);
  EXPECT_EQ(std::count(valid.begin(), valid.end(), 0), 22 * 22);
  r.options.clear();
  write_raster(folder / "full.tif", r);
  EXPECT_FALSE(Raster::open(folder / "full.tif", {}).is_sparse());
}

TEST(Raster, ComplexPixelsAreRefusedByName) {
  const TemporaryFolder folder;
  TinyRaster r;
  r.type = GDT_CFloat32;
  write_raster(folder / "a.tif", r);
  try {
    Raster::open(folder / "a.tif", {});
    FAIL();
  } catch (const index::ItemError& error) {
    EXPECT_EQ(error.reason(), index::Reason::bad_dtype);
    EXPECT_NE(std::string(error.what()).find("CFloat32"), std::string::npos);
  }
}

TEST(Raster, PixelIsPointMeansTheCentre) {
  const TemporaryFolder folder;
  TinyRaster r;
  write_raster(folder / "area.tif", r);
  r.metadata = {{"AREA_OR_POINT", "Point"}};
  write_raster(folder / "point.tif", r);
  EXPECT_EQ(Raster::open(folder / "area.tif", {}).info().affine, Raster::open(folder / "point.tif", {}).info().affine);
}

}  // namespace
}  // namespace tilewright::pipeline
