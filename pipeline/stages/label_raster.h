// SPDX-License-Identifier: Apache-2.0
// Masks of a label layer that is a raster: nearest pixel by the exact transform.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/config/label_config.h"
#include "pipeline/io/open_policy.h"
#include "pipeline/stages/label_ground.h"
#include "pipeline/stages/label_masks.h"

namespace tilewright::pipeline {

/// Drawing may run in several threads; each opens the file for itself.
class RasterMasks {
 public:
  /// Throws Error::failed for a file without CRS, with several bands, or that touches no window.
  RasterMasks(const std::string& layer, const LayerConfig& config, const std::filesystem::path& file,
              const std::filesystem::path& extent_file, const OpenPolicy& policy, const LabelGround& ground);
  ~RasterMasks();
  /// Pixels outside the raster, without data, or without a class are 255.
  [[nodiscard]] LocationMask draw(std::size_t window) const;
  /// Classes as ids of a window grown by `halo_px` on each side; geometry::kUnknownObject for 255.
  [[nodiscard]] std::vector<std::uint32_t> draw_ids(std::size_t window, std::int64_t halo_px) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tilewright::pipeline
