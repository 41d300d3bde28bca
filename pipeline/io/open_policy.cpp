// SPDX-License-Identifier: Apache-2.0
// Opens foreign files: allowed drivers only, plain local paths only, sizes checked before the first
// read. The reasons and the measurements behind each rule are in the design record on reliability.
#include "pipeline/io/open_policy.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <gdal_frmts.h>
#include <gdal_priv.h>
#include <ogrsf_frmts.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <string_view>

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using index::ItemError;
using index::Reason;

constexpr std::array kRasterDrivers = {"GTiff", "JP2OpenJPEG", "PNG", "JPEG", "ENVI"};
constexpr std::array kVectorDrivers = {"GPKG", "ESRI Shapefile", "GeoJSON", "FlatGeobuf", "OSM"};

struct ConfigOption {
  const char* key;
  const char* value;
};
constexpr ConfigOption kOptions[] = {
    {"GDAL_DRIVER_PATH", "disable"},       {"GDAL_PAM_ENABLED", "NO"},
    {"GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR"}, {"GDAL_VRT_ENABLE_PYTHON", "NO"},
    {"GDAL_NUM_THREADS", "1"},             {"VRT_SHARED_SOURCE", "0"},
    {"GDAL_MAX_DATASET_POOL_SIZE", "100"}, {"PROJ_NETWORK", "OFF"},
    {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS", ".none"}, {"GDAL_ERROR_ON_LIBJPEG_WARNING", "TRUE"},
    {"GTIFF_POINT_GEO_IGNORE", "NO"},      {"OGR_GEOJSON_MAX_OBJ_SIZE", "200"},
};

void set_options() {
  for (const auto& option : kOptions) CPLSetConfigOption(option.key, option.value);
}

class StringList {
 public:
  void add(const char* text) { list_ = CSLAddString(list_, text); }
  ~StringList() { CSLDestroy(list_); }
  StringList() = default;
  StringList(const StringList&) = delete;
  StringList& operator=(const StringList&) = delete;
  [[nodiscard]] char** get() const { return list_; }

 private:
  char** list_ = nullptr;
};

std::mutex& registry_mutex() {
  static std::mutex mutex;
  return mutex;
}

/// Drivers that jobs name are found by registering all and removing the rest again.
void register_more(const std::vector<std::string>& names) {
  const std::lock_guard lock(registry_mutex());
  auto* manager = GetGDALDriverManager();
  if (std::all_of(names.begin(), names.end(), [&](const auto& name) { return manager->GetDriverByName(name.c_str()); })) return;
  StringList before;
  for (int i = 0; i < manager->GetDriverCount(); ++i) before.add(manager->GetDriver(i)->GetDescription());
  GDALAllRegister();
  set_options();
  for (int i = manager->GetDriverCount() - 1; i >= 0; --i) {
    auto* driver = manager->GetDriver(i);
    const std::string name = driver->GetDescription();
    if (CSLFindString(before.get(), name.c_str()) >= 0) continue;
    if (std::find_if(names.begin(), names.end(), [&](const auto& n) { return EQUAL(n.c_str(), name.c_str()); }) != names.end()) continue;
    manager->DeregisterDriver(driver);
    GDALDestroyDriver(driver);
  }
  for (const auto& name : names)
    if (!manager->GetDriverByName(name.c_str()))
      throw Error::config("drivers: GDAL has no driver '" + name + "'; `gdalinfo --formats` and `ogrinfo --formats` list them");
}

/// Only files that a format cannot do without: ENVI keeps its header beside the pixels.
void add_siblings(StringList& list, const fs::path& file) {
  list.add(file.filename().c_str());
  for (const auto& header : {fs::path(file).replace_extension(".hdr"), fs::path(file.string() + ".hdr")}) {
    std::error_code error;
    if (header != file && fs::is_regular_file(header, error)) list.add(header.filename().c_str());
  }
}

template <std::size_t N>
DatasetHandle open(const fs::path& file, const OpenPolicy& policy, unsigned kind, const std::array<const char*, N>& drivers) {
  set_up_gdal(0);
  check_path(file);
  if (!policy.more_drivers.empty()) register_more(policy.more_drivers);
  StringList allowed, siblings;
  for (const auto* name : drivers) allowed.add(name);
  for (const auto& name : policy.more_drivers) allowed.add(name.c_str());
  add_siblings(siblings, file);
  CPLErrorReset();
  const auto flags = kind | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR;
  const auto path = fs::absolute(file).string();
  // The shapefile driver looks for its parts itself; a sibling list would hide them.
  auto* dataset = GDALDataset::Open(path.c_str(), flags, allowed.get(), nullptr, kind == GDAL_OF_RASTER ? siblings.get() : nullptr);
  if (dataset) return DatasetHandle(dataset);
  const std::string message = CPLGetLastErrorMsg();
  const bool foreign = message.find("not recognized as a supported file format") != std::string::npos;
  std::string list;
  for (char** name = allowed.get(); *name; ++name) list += (list.empty() ? "" : ", ") + std::string(*name);
  if (foreign || message.empty())
    throw ItemError(Reason::unsupported_format, "cannot open " + file.filename().string() + ": none of the allowed drivers reads it (" + list +
                                                    "); name another under `drivers:` or convert the file");
  throw ItemError(Reason::unreadable, "cannot open " + file.filename().string() + gdal_message(file));
}

/// Refuses what one decoded block, or the number of bands, would cost.
void check_budget(GDALDataset& dataset, const fs::path& file, const OpenPolicy& policy) {
  const auto name = file.filename().string();
  const int bands = dataset.GetRasterCount();
  if (bands < 1) throw ItemError(Reason::unreadable, name + " has no raster bands; if it is a container, convert the wanted subdataset to GeoTIFF");
  if (bands > kMostBands)
    throw ItemError(Reason::too_large, name + " declares " + std::to_string(bands) + " bands, more than " + std::to_string(kMostBands));
  if (dataset.GetRasterXSize() < 1 || dataset.GetRasterYSize() < 1)
    throw ItemError(Reason::bad_size, name + " is " + std::to_string(dataset.GetRasterXSize()) + " x " + std::to_string(dataset.GetRasterYSize()) + " pixels");
  const char* interleave = dataset.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE");
  int width = 0, height = 0;
  dataset.GetRasterBand(1)->GetBlockSize(&width, &height);
  const auto together = interleave && EQUAL(interleave, "PIXEL") ? bands : 1;
  const double bytes = double(width) * height * together * GDALGetDataTypeSizeBytes(dataset.GetRasterBand(1)->GetRasterDataType());
  if (bytes > double(policy.block_budget_bytes))
    throw ItemError(Reason::too_large, name + " has blocks of " + std::to_string(width) + " x " + std::to_string(height) + " x " + std::to_string(together) +
                                           " bands = " + std::to_string(std::int64_t(bytes) >> 20) + " MiB, more than the budget of " +
                                           std::to_string(policy.block_budget_bytes >> 20) + " MiB; rewrite it with smaller tiles (gdal_translate -co TILED=YES)");
}

}  // namespace

void DatasetCloser::operator()(GDALDataset* dataset) const noexcept { GDALClose(GDALDataset::ToHandle(dataset)); }

void set_up_gdal(std::size_t cache_bytes) {
  static std::once_flag once;
  std::call_once(once, [] {
    unsetenv("OGR_SQLITE_LOAD_EXTENSIONS");
    set_options();
    GDALRegister_GTiff();
    GDALRegister_JP2OpenJPEG();
    GDALRegister_PNG();
    GDALRegister_JPEG();
    GDALRegister_ENVI();
    RegisterOGRGeoPackage();
    RegisterOGRShape();
    RegisterOGRGeoJSON();
    RegisterOGRFlatGeobuf();
    RegisterOGROSM();
    set_options();  // GDAL reads its own configuration files when the first driver is registered
    CPLSetErrorHandler(CPLQuietErrorHandler);
    GDALSetCacheMax64(static_cast<GIntBig>(kDefaultCacheBytes));
  });
  if (cache_bytes > 0) GDALSetCacheMax64(static_cast<GIntBig>(cache_bytes));
}

std::string without_folder(std::string text, const fs::path& file) {
  if (!file.has_parent_path()) return text.substr(0, 500);
  for (const auto& folder : {fs::absolute(file).parent_path().string() + "/", file.parent_path().string() + "/"})
    for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder, at)) text.erase(at, folder.size());
  return text.substr(0, 500);
}

std::string gdal_message(const fs::path& file) {
  std::string text = CPLGetLastErrorMsg();
  if (text.empty()) return "";
  std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < 32; }, ' ');
  return " (GDAL: " + without_folder(std::move(text), file) + ")";
}

void check_path(const fs::path& file) {
  const auto text = file.string();
  const auto refuse = [&](const std::string& why) {
    throw ItemError(Reason::refused_path, "refused to open '" + text + "': " + why + "; give a plain local file");
  };
  if (text.starts_with("/vsi")) refuse("archives and remote file systems are not opened");
  for (const std::string_view bad : {"://", "<", "WMS:", "MEM:::", "vrt:", "DERIVED_SUBDATASET", "/vsi"})
    if (text.find(bad) != std::string::npos) refuse("the path contains '" + std::string(bad) + "'");
  if (text.find('\0') != std::string::npos) refuse("the path contains a zero byte");
  std::error_code error;
  const auto status = fs::status(file, error);
  if (!fs::exists(status)) throw ItemError(Reason::unreadable, "cannot open " + text + ": no such file");
  if (!fs::is_regular_file(status)) refuse("it is not a regular file");
}

DatasetHandle open_raster_dataset(const fs::path& file, const OpenPolicy& policy) {
  auto dataset = open(file, policy, GDAL_OF_RASTER, kRasterDrivers);
  check_budget(*dataset, file, policy);
  return dataset;
}

DatasetHandle open_vector_dataset(const fs::path& file, const OpenPolicy& policy) {
  return open(file, policy, GDAL_OF_VECTOR, kVectorDrivers);
}

}  // namespace tilewright::pipeline
