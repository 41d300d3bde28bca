// SPDX-License-Identifier: Apache-2.0
// The one place that opens foreign files with GDAL: allow-lists, path rules and budgets.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "index/reason.h"

class GDALDataset;

namespace tilewright::pipeline {

struct DatasetCloser {
  void operator()(GDALDataset* dataset) const noexcept;
};
using DatasetHandle = std::unique_ptr<GDALDataset, DatasetCloser>;

struct OpenPolicy {
  std::vector<std::string> more_drivers;                     ///< named by the job
  bool untrusted = false;                                    ///< side-cars off
  std::size_t block_budget_bytes = std::size_t{256} << 20;   ///< one decoded block
};

/// Registers the allowed drivers and sets GDAL's config, once; called by the functions below. A
/// later call with another size only changes GDAL's block cache.
void set_up_gdal(std::size_t cache_bytes);
inline constexpr std::size_t kDefaultCacheBytes = std::size_t{128} << 20;

/// Most bands of one file, and longest text of a CRS or side-car that is looked at.
inline constexpr int kMostBands = 10000;
inline constexpr std::size_t kLongestCrsText = std::size_t{64} << 10;
inline constexpr std::size_t kLongestSideCar = std::size_t{4} << 20;

/// GDAL names the whole path, but its text goes into the manifest, which says nothing of the machine:
/// the text without the folder of `file`, cut to 500 bytes.
std::string without_folder(std::string text, const std::filesystem::path& file);
/// GDAL's last message of this thread as " (GDAL: ...)", without the folder of `file`, or "".
std::string gdal_message(const std::filesystem::path& file = {});
/// Throws index::ItemError(refused_path) for paths that are not plain local files.
void check_path(const std::filesystem::path& file);

/// Both throw index::ItemError with the reason: refused_path, unsupported_format, unreadable, ...
DatasetHandle open_raster_dataset(const std::filesystem::path& file, const OpenPolicy& policy);
DatasetHandle open_vector_dataset(const std::filesystem::path& file, const OpenPolicy& policy);

}  // namespace tilewright::pipeline
