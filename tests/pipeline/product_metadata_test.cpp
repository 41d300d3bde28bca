// SPDX-License-Identifier: Apache-2.0
// Metadata files of products: found by name, read in the forms that agencies write, refused when broken.
#include "pipeline/io/product_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "index/reason.h"
#include "pipeline/io/tile_reader.h"
#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {
namespace {

using ::testing::HasSubstr;

constexpr const char* kMtl = R"(GROUP = LANDSAT_METADATA_FILE
  GROUP = PRODUCT_CONTENTS
    LANDSAT_PRODUCT_ID = "LC08_L2SP_014031_20210106_20210307_02_T1"
    PROCESSING_LEVEL = "L2SP"
    DATE_PRODUCT_GENERATED = 2021-03-07T11:12:13Z
  END_GROUP = PRODUCT_CONTENTS
  GROUP = IMAGE_ATTRIBUTES
    CLOUD_COVER = 12.50
    DATE_ACQUIRED = 2021-01-06
    SCENE_CENTER_TIME = "15:39:40.7245380Z"
  END_GROUP = IMAGE_ATTRIBUTES
  GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS
    REFLECTANCE_MULT_BAND_4 = 2.75e-05
    REFLECTANCE_ADD_BAND_4 = -0.2
  END_GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS
  GROUP = LEVEL2_SURFACE_TEMPERATURE_PARAMETERS
    TEMPERATURE_MULT_BAND_ST_B10 = 0.00341802
    TEMPERATURE_ADD_BAND_ST_B10 = 149.0
  END_GROUP = LEVEL2_SURFACE_TEMPERATURE_PARAMETERS
  GROUP = LEVEL1_RADIOMETRIC_RESCALING
    REFLECTANCE_MULT_BAND_4 = 2.0000E-05
    REFLECTANCE_ADD_BAND_4 = -0.100000
    RADIANCE_MULT_BAND_10 = 3.3420E-04
    RADIANCE_ADD_BAND_10 = 0.10000
  END_GROUP = LEVEL1_RADIOMETRIC_RESCALING
END_GROUP = LANDSAT_METADATA_FILE
END
)";

TEST(ProductMetadata, LandsatTextSaysTimeCloudsScaleAndVersion) {
  const auto product = parse_landsat_mtl(kMtl, "x_MTL.txt");
  EXPECT_EQ(product.acquired, "2021-01-06T15:39:40.000Z");
  EXPECT_DOUBLE_EQ(*product.cloud_frac, 0.125);
  EXPECT_EQ(product.version, "20210307");
  const auto* red = find_product_band(product, "SR_B4", 0, 7);
  ASSERT_NE(red, nullptr);
  EXPECT_DOUBLE_EQ(*red->scale, 2.75e-5) << "the product's own level, not what Level 1 had";
  EXPECT_DOUBLE_EQ(*red->offset, -0.2);
  EXPECT_DOUBLE_EQ(*find_product_band(product, "ST_B10", 6, 7)->scale, 0.00341802);
  EXPECT_EQ(find_product_band(product, "B4", 0, 7), red);
  EXPECT_EQ(find_product_band(product, "B40", 0, 7), nullptr);
  EXPECT_EQ(find_product_band(product, "QA_PIXEL", 0, 7), nullptr);
}

TEST(ProductMetadata, LandsatJsonSaysTheSame) {
  const auto product = parse_landsat_mtl(
      R"({"LANDSAT_METADATA_FILE": {"IMAGE_ATTRIBUTES": {"DATE_ACQUIRED": "2021-01-06", "SCENE_CENTER_TIME": "15:39:40.7245380Z", "CLOUD_COVER": "-1.00"},
          "LEVEL1_RADIOMETRIC_RESCALING": {"REFLECTANCE_MULT_BAND_4": "2.0000E-05", "REFLECTANCE_ADD_BAND_4": "-0.100000"}}})", "x_MTL.json");
  EXPECT_EQ(product.acquired, "2021-01-06T15:39:40.000Z");
  EXPECT_EQ(product.cloud_frac, std::nullopt) << "-1 is not known";
  EXPECT_DOUBLE_EQ(*find_product_band(product, "B4", 0, 1)->scale, 2e-5);
  EXPECT_THROW(parse_landsat_mtl("{\"a\": 1}", "x_MTL.json"), index::ItemError);
  EXPECT_THROW(parse_landsat_mtl("<html>not found</html>", "x_MTL.txt"), index::ItemError);
}

constexpr const char* kMtd = R"(<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-2A_User_Product xmlns:n1="https://psd-14.example/PSD/User_Product_Level-2A.xsd">
 <n1:General_Info>
  <Product_Info>
   <PRODUCT_START_TIME>2022-06-27T10:36:31.024Z</PRODUCT_START_TIME>
   <PROCESSING_BASELINE>04.00</PROCESSING_BASELINE>
   <Datatake datatakeIdentifier="GS2A"><DATATAKE_SENSING_START>2022-06-27T10:36:31.024Z</DATATAKE_SENSING_START></Datatake>
  </Product_Info>
  <Product_Image_Characteristics>
   <Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>
   <Special_Values><SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX></Special_Values>
   <QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>
   <BOA_ADD_OFFSET_VALUES_LIST><BOA_ADD_OFFSET band_id="1">-1000</BOA_ADD_OFFSET><BOA_ADD_OFFSET band_id="8">-500</BOA_ADD_OFFSET></BOA_ADD_OFFSET_VALUES_LIST>
   <Spectral_Information_List>
    <Spectral_Information bandId="0" physicalBand="B1"><Wavelength><CENTRAL unit="nm">442.7</CENTRAL></Wavelength></Spectral_Information>
    <Spectral_Information bandId="1" physicalBand="B2"><Wavelength><CENTRAL unit="nm">492.4</CENTRAL></Wavelength></Spectral_Information>
    <Spectral_Information bandId="8" physicalBand="B8A"><Wavelength><CENTRAL unit="nm">864.7</CENTRAL></Wavelength></Spectral_Information>
   </Spectral_Information_List>
  </Product_Image_Characteristics>
 </n1:General_Info>
 <n1:Quality_Indicators_Info><Cloud_Coverage_Assessment>34.5</Cloud_Coverage_Assessment></n1:Quality_Indicators_Info>
</n1:Level-2A_User_Product>
)";

TEST(ProductMetadata, Sentinel2SaysTimeBaselineOffsetsAndNodata) {
  const auto product = parse_sentinel2_xml(kMtd, "MTD_MSIL2A.xml");
  EXPECT_EQ(product.acquired, "2022-06-27T10:36:31.000Z");
  EXPECT_EQ(product.version, "0400");
  EXPECT_DOUBLE_EQ(*product.cloud_frac, 0.345);
  const auto* blue = find_product_band(product, "B02_10m", 0, 4);
  ASSERT_NE(blue, nullptr);
  EXPECT_DOUBLE_EQ(*blue->scale, 1e-4);
  EXPECT_DOUBLE_EQ(*blue->offset, -0.1);
  EXPECT_DOUBLE_EQ(*blue->wavelength_nm, 492.4);
  EXPECT_EQ(blue->nodata, 0);
  EXPECT_DOUBLE_EQ(*find_product_band(product, "B8A", 0, 4)->offset, -0.05);
  EXPECT_DOUBLE_EQ(*find_product_band(product, "B01", 0, 4)->offset, 0);
  EXPECT_EQ(find_product_band(product, "B08", 0, 4), nullptr) << "B8A is another band";
}

std::string enmap(const std::string& bands) {
  return "<?xml version=\"1.0\"?><level_X><base><temporalCoverage><startTime>2022-06-27T10:45:48.123456Z</startTime></temporalCoverage></base><specific>"
         "<backgroundValue>-32768</backgroundValue><cloudCover>3</cloudCover><deadPixels><bandID number=\"7\">1</bandID></deadPixels><bandCharacterisation>" +
         bands + "</bandCharacterisation></specific></level_X>";
}

TEST(ProductMetadata, EnmapSaysBandsByTheirPlace) {
  const auto product = parse_enmap_xml(enmap("<bandID number=\"2\"><wavelengthCenterOfBand>424.04</wavelengthCenterOfBand><FWHMOfBand>6.8</FWHMOfBand><GainOfBand>0.0001</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>"
                                             "<bandID number=\"1\"><wavelengthCenterOfBand>418.416</wavelengthCenterOfBand><FWHMOfBand>6.99561</FWHMOfBand></bandID>"),
                                       "ENMAP01-____L2A-DT0000001280_20220627T104548Z_012_V010303_20230922T131826Z-METADATA.XML");
  EXPECT_EQ(product.acquired, "2022-06-27T10:45:48.000Z");
  EXPECT_EQ(product.version, "010303");
  EXPECT_DOUBLE_EQ(*product.cloud_frac, 0.03);
  ASSERT_EQ(product.bands.size(), 2U);
  EXPECT_DOUBLE_EQ(*find_product_band(product, "anything", 0, 2)->wavelength_nm, 418.416);
  EXPECT_DOUBLE_EQ(*find_product_band(product, "anything", 1, 2)->scale, 0.0001);
  EXPECT_EQ(find_product_band(product, "anything", 1, 2)->nodata, -32768);
  EXPECT_EQ(find_product_band(product, "anything", 1, 3), nullptr) << "another number of bands: nobody knows which is which";
}

TEST(ProductMetadata, BrokenXmlIsRefusedAndNeverACrash) {
  for (const std::string text : {"", "<", "<a>", "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<level_X/>", "not xml"}) {
    EXPECT_THROW(parse_enmap_xml(text, "a-METADATA.XML"), index::ItemError) << text;
    EXPECT_THROW(parse_sentinel2_xml(text, "MTD_MSIL2A.xml"), index::ItemError) << text;
  }
  std::string deep;
  for (int i = 0; i < 20000; ++i) deep += "<a>";
  EXPECT_THROW(parse_sentinel2_xml(deep, "MTD_MSIL2A.xml"), index::ItemError);
}

class ProductFiles : public ::testing::Test {
 protected:
  [[nodiscard]] std::string found(const std::string& raster) const {
    const auto file = find_product_metadata(folder_ / raster, folder_.path());
    return file ? file->lexically_relative(folder_.path()).generic_string() : "";
  }
  TemporaryFolder folder_;
};

TEST_F(ProductFiles, AreFoundByNameOnly) {
  folder_.write("l/LC08_L1TP_014031_20180106_20180119_01_T1_MTL.txt", "");
  EXPECT_EQ(found("l/LC08_L1TP_014031_20180106_20180119_01_T1_B4.TIF"), "l/LC08_L1TP_014031_20180106_20180119_01_T1_MTL.txt");
  EXPECT_EQ(found("l/LC08_L1TP_014032_20180106_20180119_01_T1_B4.TIF"), "") << "another scene in the same folder";
  folder_.write("LC09_X/LC09_X_MTL.json", "");
  EXPECT_EQ(found("LC09_X/LC09_short_B4.TIF"), "LC09_X/LC09_X_MTL.json");
  folder_.write("S2.SAFE/MTD_MSIL2A.xml", "");
  EXPECT_EQ(found("S2.SAFE/GRANULE/L2A_T1/IMG_DATA/R10m/T1_B02_10m.jp2"), "S2.SAFE/MTD_MSIL2A.xml");
  folder_.write("loose/MTD_MSIL1C.xml", "");
  EXPECT_EQ(found("loose/B02.tif"), "loose/MTD_MSIL1C.xml");
  EXPECT_EQ(found("loose/deeper/B02.tif"), "");
  folder_.write("e/ENMAP01-A-METADATA.XML", "");
  EXPECT_EQ(found("e/ENMAP01-A-SPECTRAL_IMAGE.TIF"), "e/ENMAP01-A-METADATA.XML");
  EXPECT_EQ(found("e/ENMAP01-B-SPECTRAL_IMAGE.TIF"), "");
}

TEST_F(ProductFiles, NothingAboveTheRootIsRead) {
  folder_.write("S2.SAFE/MTD_MSIL2A.xml", "");
  EXPECT_EQ(find_product_metadata(folder_ / "S2.SAFE/GRANULE/B02.tif", folder_ / "S2.SAFE/GRANULE"), std::nullopt);
}

TEST(ProductInScan, TimeScaleNodataAndCloudsComeFromItUnlessTheJobSaysOtherwise) {
  StageBench bench;
  TinyRaster raster;
  raster.pixel = [](int, int col, int) { return col == 0 ? 0 : 7; };
  bench.write("B02.tif", raster);
  bench.write_text("data/MTD_MSIL2A.xml", kMtd);
  auto& source = bench.job.sources[0].second;
  source.files = {"data:*.tif"};
  source.group = "^(.*?)B\\d+\\.tif$";
  const auto tile_after = [&](const std::string& name) {
    auto m = bench.manifest(name);
    bench.run(run_scan, m);
    return index::tiles(m).at(0);
  };
  const auto tile = tile_after("a.gpkg");
  EXPECT_EQ(tile.status, "ok") << tile.reason.value_or("");
  EXPECT_EQ(tile.acquired, "2022-06-27T10:36:31.000Z");
  EXPECT_TRUE(tile.time_known);
  EXPECT_DOUBLE_EQ(*tile.cloud_frac, 0.345);
  EXPECT_DOUBLE_EQ(tile.valid_frac, 7.0 / 8) << "the product declares 0 as nodata";
  auto m = bench.manifest("a.gpkg");
  const auto bands = source_bands(bench.job, m, "s");
  EXPECT_DOUBLE_EQ(*bands.at(0).info.scale, 1e-4);
  EXPECT_DOUBLE_EQ(*bands.at(0).info.offset, -0.1);
  source.max_cloud_frac = 0.2;
  EXPECT_EQ(tile_after("b.gpkg").reason, "too_cloudy");
  source.max_cloud_frac.reset();
  source.date = DateConfig{.fixed = "2019-01-01"};
  source.nodata.mode = NodataMode::none;
  EXPECT_EQ(tile_after("c.gpkg").acquired, "2019-01-01T00:00:00.000Z");
  EXPECT_DOUBLE_EQ(tile_after("d.gpkg").valid_frac, 1);
  bench.job.limits.untrusted = true;
  source.date.reset();
  EXPECT_EQ(tile_after("e.gpkg").acquired, std::nullopt) << "untrusted: side-cars are not looked at";
}

}  // namespace
}  // namespace tilewright::pipeline
