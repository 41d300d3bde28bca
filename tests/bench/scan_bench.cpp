// SPDX-License-Identifier: Apache-2.0
// Headers to bounds and the limits of a scan, each alone: `tilewright-scan-bench WHAT FOLDER
// [RUNS]` with WHAT headers, gdal_headers, codec or hash; one JSON line. Data comes from
// scan_bench.py.
#include <gdal_priv.h>
#include <libdeflate.h>
#include <ogr_spatialref.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "index/shard/sha256.h"
#include "pipeline/io/header_bounds.h"

namespace {

namespace fs = std::filesystem;
using namespace tilewright;

struct Result {
  std::vector<geometry::Box> boxes;  ///< of the headers
  std::int64_t bytes = 0;
};

Result headers(const std::vector<fs::path>& files) {
  Result out;
  for (const auto& box : pipeline::bounds_of_headers(files, {}, 1))
    out.boxes.push_back(box.value_or(geometry::Box{}));
  return out;
}

/// GDAL as fast as it goes: one driver, no look at siblings, no side-cars, one transformer a
/// system.
Result gdal_headers(const std::vector<fs::path>& files) {
  pipeline::set_up_gdal(0);
  const char* const drivers[] = {"GTiff", nullptr};
  std::map<std::string, std::unique_ptr<OGRCoordinateTransformation>> transforms;
  OGRSpatialReference degrees;
  degrees.importFromEPSG(4326);
  degrees.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
  Result out;
  for (const auto& file : files) {
    const pipeline::DatasetHandle dataset(
        GDALDataset::Open(file.c_str(), GDAL_OF_RASTER | GDAL_OF_READONLY, drivers));
    double g[6];
    const auto* reference = dataset->GetSpatialRef();
    dataset->GetGeoTransform(g);
    const auto key =
        std::string(reference->GetAuthorityCode(nullptr) ? reference->GetAuthorityCode(nullptr)
                                                         : dataset->GetProjectionRef());
    auto& transform = transforms[key];
    if (!transform) transform.reset(OGRCreateCoordinateTransformation(reference, &degrees));
    const double w = dataset->GetRasterXSize(), h = dataset->GetRasterYSize();
    double x[4], y[4];
    const double corners[4][2] = {{0, 0}, {w, 0}, {w, h}, {0, h}};
    for (int i = 0; i < 4; ++i) {
      x[i] = g[0] + corners[i][0] * g[1] + corners[i][1] * g[2];
      y[i] = g[3] + corners[i][0] * g[4] + corners[i][1] * g[5];
    }
    transform->Transform(4, x, y);
    out.boxes.push_back({*std::min_element(x, x + 4), *std::min_element(y, y + 4),
                         *std::max_element(x, x + 4), *std::max_element(y, y + 4)});
  }
  return out;
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Every DEFLATE block through libdeflate, nothing else: no scan of all pixels can be faster.
Result codec(const std::vector<fs::path>& files) {
  pipeline::set_up_gdal(0);
  Result out;
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decoder(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  std::vector<unsigned char> block;
  for (const auto& file : files) {
    const auto dataset = pipeline::open_raster_dataset(file, {});
    const auto bytes = bytes_of(file);
    auto& band = *dataset->GetRasterBand(1);
    int width = 0, height = 0;
    band.GetBlockSize(&width, &height);
    block.resize(std::size_t(width) * std::size_t(height) * std::size_t(dataset->GetRasterCount()) *
                 8);
    for (int row = 0; row * height < dataset->GetRasterYSize(); ++row)
      for (int col = 0; col * width < dataset->GetRasterXSize(); ++col) {
        const auto name = std::to_string(col) + "_" + std::to_string(row);
        const char *offset = band.GetMetadataItem(("BLOCK_OFFSET_" + name).c_str(), "TIFF"),
                   *size = band.GetMetadataItem(("BLOCK_SIZE_" + name).c_str(), "TIFF");
        if (!offset || !size) continue;
        std::size_t length = 0;
        libdeflate_zlib_decompress(decoder.get(), bytes.data() + std::stoull(offset),
                                   std::stoul(size), block.data(), block.size(), &length);
        out.bytes += static_cast<std::int64_t>(length);
      }
  }
  return out;
}

Result hash(const std::vector<fs::path>& files) {
  Result out;
  for (const auto& file : files) {
    shard::sha256_file(file);
    out.bytes += static_cast<std::int64_t>(fs::file_size(file));
  }
  return out;
}

constexpr std::pair<const char*, Result (*)(const std::vector<fs::path>&)> kWorks[] = {
    {"headers", headers}, {"gdal_headers", gdal_headers}, {"codec", codec}, {"hash", hash}};

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 2;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(arguments[2]))
    if (entry.path().extension() == ".tif") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  const int runs = count > 3 ? std::atoi(arguments[3]) : 3;
  for (const auto& [name, work] : kWorks) {
    if (std::strcmp(name, arguments[1]) != 0) continue;
    double best = 1e9, sums[4] = {};
    Result result;
    for (int i = 0; i < runs; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      result = work(files);
      best = std::min(
          best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    for (const auto& box : result.boxes) {
      sums[0] += box.min_x;
      sums[1] += box.min_y;
      sums[2] += box.max_x;
      sums[3] += box.max_y;
    }
    std::printf(
        "{\"seconds\": %.9f, \"files\": %zu, \"bytes\": %lld, \"sums\": [%.9f, %.9f, %.9f, "
        "%.9f]}\n",
        best, files.size(), static_cast<long long>(result.bytes), sums[0], sums[1], sums[2],
        sums[3]);
    return 0;
  }
  return 2;
}
