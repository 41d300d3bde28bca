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

/// Registers the allowed drivers and sets GDAL's config, once; called by the functions below.
void set_up_gdal(std::size_t cache_bytes);

/// Both throw index::ItemError with the reason: refused_path, unsupported_format, unreadable, ...
DatasetHandle open_raster_dataset(const std::filesystem::path& file, const OpenPolicy& policy);
DatasetHandle open_vector_dataset(const std::filesystem::path& file, const OpenPolicy& policy);

}  // namespace tilewright::pipeline
