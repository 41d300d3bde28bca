// SPDX-License-Identifier: Apache-2.0
// Data manifests are complete, and agree with the real files where there are some.
#include <gdal_priv.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "pipeline/io/vector_layer.h"

namespace {

namespace fs = std::filesystem;
using namespace tilewright::pipeline;

const fs::path kSource = TILEWRIGHT_SOURCE_DIR;
const fs::path kData = kSource / "../shared/data";

std::vector<fs::path> manifest_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kSource / "data-manifests"))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}
YAML::Node manifest(const std::string& name) { return YAML::LoadFile(kSource / "data-manifests" / (name + ".yaml")); }

std::vector<std::string> band_names(const YAML::Node& node) {
  std::vector<std::string> names;
  for (const auto& band : node["bands"]) names.push_back(band["name"].as<std::string>());
  return names;
}

class DataManifest : public testing::TestWithParam<fs::path> {};

TEST_P(DataManifest, NamesOriginLicenceAndAttribution) {
  const auto node = YAML::LoadFile(GetParam());
  EXPECT_EQ(node["name"].as<std::string>(), GetParam().stem().string());
  for (const char* key : {"title", "origin", "licence", "attribution"}) EXPECT_FALSE(node[key].as<std::string>("").empty()) << key;
  ASSERT_TRUE(node["bands"].IsDefined());
  EXPECT_TRUE(node["bands"].size() > 0 || node["kind"].as<std::string>("") == "vector");
}

TEST_P(DataManifest, BandsHaveUniqueNamesAndSaneWavelengths) {
  const auto node = YAML::LoadFile(GetParam());
  const std::set<std::string> known = {"name", "wavelength_nm", "fwhm_nm", "gsd_m", "scale", "offset", "title", "unit", "bad"};
  std::set<std::string> names;
  for (const auto& band : node["bands"]) {
    for (const auto& field : band) EXPECT_TRUE(known.contains(field.first.as<std::string>())) << field.first.as<std::string>();
    EXPECT_TRUE(names.insert(band["name"].as<std::string>()).second) << band["name"].as<std::string>();
    if (!band["wavelength_nm"]) continue;
    const auto wavelength = band["wavelength_nm"].as<double>();
    EXPECT_TRUE(wavelength > 300 && wavelength < 15000) << wavelength;
    EXPECT_LT(band["fwhm_nm"].as<double>(1), wavelength / 3);
  }
}

INSTANTIATE_TEST_SUITE_P(All, DataManifest, testing::ValuesIn(manifest_files()), [](const auto& each) { return each.param.stem().string(); });

/// Metadata of the bands of a real file: (wavelength, fwhm), 0 where there is none.
std::vector<std::pair<double, double>> spectrum(const fs::path& file) {
  GDALAllRegister();
  auto* dataset = static_cast<GDALDataset*>(GDALOpen(file.c_str(), GA_ReadOnly));
  std::vector<std::pair<double, double>> out;
  for (int k = 1; dataset && k <= dataset->GetRasterCount(); ++k) {
    const auto number = [&](const char* key) {
      const char* text = dataset->GetRasterBand(k)->GetMetadataItem(key);
      return text ? std::stod(text) : 0.0;
    };
    out.emplace_back(number("wavelength"), number("fwhm"));
  }
  if (dataset) GDALClose(dataset);
  return out;
}

class RealBands : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kData)) GTEST_SKIP() << "needs the sample data at ../shared/data";
  }
};

TEST_F(RealBands, EnmapWavelengthsAreThoseOfTheFiles) {
  const auto node = manifest("enmap");
  const auto real = spectrum(kData / "D-enmap-potsdam/images/enmap_potsdam_tile_128_0.tif");
  ASSERT_EQ(real.size(), 224U);
  ASSERT_EQ(node["bands"].size(), real.size());
  for (std::size_t k = 0; k < real.size(); ++k) {
    EXPECT_NEAR(node["bands"][k]["wavelength_nm"].as<double>(), real[k].first, 1e-3) << k;
    EXPECT_NEAR(node["bands"][k]["fwhm_nm"].as<double>(), real[k].second, 1e-3) << k;
  }
}

TEST_F(RealBands, EveryLandsatBandHasAFileAndEveryFileABand) {
  auto names = band_names(manifest("landsat8"));
  std::set<std::string> wanted(names.begin(), names.end()), found;
  const auto scene = kData / "A-landsat8-ny-2018/LC08_L1TP_013032_20180131_20180207_01_T1";
  for (const auto& entry : fs::directory_iterator(scene)) {
    const auto stem = entry.path().stem().string();
    found.insert(stem.substr(stem.rfind('_') + 1));
  }
  EXPECT_EQ(found.erase("BQA"), 1U);
  EXPECT_EQ(wanted, found);
}

TEST_F(RealBands, SentinelBandsAreNamedAsTheFilesAre) {
  const auto names = band_names(manifest("sentinel2"));
  const std::set<std::string> known(names.begin(), names.end());
  for (const auto& entry : fs::directory_iterator(kData / "S2-majortom-thailand/S2B_MSIL2A_20200223T032739_N9999_R018_T48QUE_20230924T183543"))
    EXPECT_TRUE(known.contains(entry.path().stem().string()) || entry.path().stem() == "cloud_mask") << entry.path();
  EXPECT_EQ(names.size(), spectrum(kData / "A-s2-slovenia-series/l1c/S2_L1C_20150711T100008.tif").size());
  EXPECT_EQ(band_names(manifest("sentinel1")), (std::vector<std::string>{"VV", "VH"}));
}

TEST_F(RealBands, NaipAndElevationHaveTheBandsOfTheFiles) {
  EXPECT_EQ(manifest("naip")["bands"].size(), spectrum(kData / "A-naip-nd-multidate/m_4709963_se_14_1_20090818.tif").size());
  EXPECT_EQ(manifest("elevation")["bands"].size(), spectrum(kData / "B-alexandria-dsm-buildings/hag.tif").size());
}

TEST_F(RealBands, VectorManifestsNameFieldsThatExist) {
  const auto roads = manifest("bdtopo")["layers"][0]["width"];
  std::vector<std::string> wanted = {roads["attribute"].as<std::string>(), roads["lanes"].as<std::string>(), roads["classes"]["field"].as<std::string>()};
  EXPECT_GT(read_vector_layer(kData / "B-olemps-bdtopo-road-widths/olemps_bdtopo.gpkg", "route_v2", wanted, {}).features.size(), 4000U);
}

}  // namespace
