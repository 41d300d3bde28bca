// SPDX-License-Identifier: Apache-2.0
// Small GeoTIFFs and jobs for tests, written with GDAL into a folder that goes away again.
#pragma once

#include <gdal_priv.h>
#include <gtest/gtest.h>
#include <ogr_spatialref.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/config/job.h"
#include "pipeline/io/open_policy.h"

namespace tilewright::pipeline {

/// A fresh folder below the system's temporary folder, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tilewright-test-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }

 private:
  std::filesystem::path path_;
};

struct TinyRaster {
  int width = 8, height = 6, bands = 1;
  GDALDataType type = GDT_Byte;
  std::optional<std::vector<double>> transform = std::vector<double>{500000, 10, 0, 5000000, 0, -10};
  int epsg = 32633;                                  ///< 0: none
  std::optional<double> nodata;
  bool alpha = false;                                ///< the last band
  std::vector<std::string> options, descriptions;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::function<double(int band, int col, int row)> pixel = [](int band, int col, int row) { return 10 * band + col + row + 1; };
  std::string driver = "GTiff";
  bool write_pixels = true;
};

inline void write_raster(const std::filesystem::path& file, const TinyRaster& r) {
  set_up_gdal(0);
  std::filesystem::create_directories(file.parent_path());
  std::vector<char*> options;
  for (const auto& option : r.options) options.push_back(const_cast<char*>(option.c_str()));
  options.push_back(nullptr);
  auto* driver = GetGDALDriverManager()->GetDriverByName(r.driver.c_str());
  DatasetHandle dataset(driver->Create(file.c_str(), r.width, r.height, r.bands, r.type, options.data()));
  ASSERT_TRUE(dataset) << CPLGetLastErrorMsg();
  if (r.transform) dataset->SetGeoTransform(const_cast<double*>(r.transform->data()));
  if (r.epsg) {
    OGRSpatialReference reference;
    reference.importFromEPSG(r.epsg);
    dataset->SetSpatialRef(&reference);
  }
  for (const auto& [key, value] : r.metadata) dataset->SetMetadataItem(key.c_str(), value.c_str());
  for (int b = 1; b <= r.bands; ++b) {
    auto* band = dataset->GetRasterBand(b);
    if (r.nodata) band->SetNoDataValue(*r.nodata);
    if (r.alpha && b == r.bands) band->SetColorInterpretation(GCI_AlphaBand);
    if (std::size_t(b) <= r.descriptions.size()) band->SetDescription(r.descriptions[std::size_t(b) - 1].c_str());
    if (!r.write_pixels) continue;
    std::vector<double> pixels;
    for (int row = 0; row < r.height; ++row)
      for (int col = 0; col < r.width; ++col) pixels.push_back(r.pixel(b - 1, col, row));
    ASSERT_EQ(band->RasterIO(GF_Write, 0, 0, r.width, r.height, pixels.data(), r.width, r.height, GDT_Float64, 0, 0, nullptr), CE_None);
  }
}

/// A job in `folder` with the root `data` = `folder`/data and one source.
inline Job tiny_job(const std::filesystem::path& folder, const std::string& files) {
  Job job;
  job.file = folder / "job.yaml";
  job.workspace_text = "work";
  job.roots = {{"data", "data"}};
  SourceConfig source;
  source.files = {files};
  job.sources = {{"s", source}};
  return job;
}

inline std::filesystem::path real_data() { return TILEWRIGHT_SOURCE_DIR "/../shared/data"; }
inline bool has_real_data(const std::string& set) { return std::filesystem::is_directory(real_data() / set); }
#define TILEWRIGHT_NEEDS_DATA(set) \
  if (!has_real_data(set)) GTEST_SKIP() << "the sample set " << set << " is not beside the repository"

}  // namespace tilewright::pipeline
