// SPDX-License-Identifier: Apache-2.0
// What a layer can write beside its class mask: one row a kind, each a series of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "index/shard/npy.h"
#include "pipeline/config/label_config.h"
#include "pipeline/stages/label_ground.h"
#include "pipeline/stages/label_masks.h"

namespace tilewright::pipeline {

/// One window's array of some kind, row-major, and what the manifest counts of it.
struct DrawnArray {
  std::vector<std::byte> bytes;
  std::int64_t pixels = 0, positive = 0, ignored = 0;
  std::int64_t object_count = 0;
};

/// Draws windows of a layer that is prepared. Runs in several threads.
struct LayerDrawing {
  std::function<LocationMask(std::size_t window, std::size_t period)> classes;
  /// Object ids (1 + index into LabelObjects::rows; for rasters classes) of a window grown by
  /// `halo_px` on each side; geometry::kUnknownObject where nothing is known.
  std::function<std::vector<std::uint32_t>(std::size_t window, std::size_t period,
                                           std::int64_t halo_px)>
      ids;
  std::function<CoverageMask(std::size_t window, std::size_t period)>
      coverage;  ///< empty for rasters
  /// Classes by the rule "all touched"; empty for rasters.
  std::function<LocationMask(std::size_t window, std::size_t period)> touched{};
};

/// A series that a layer writes.
struct MaskKind {
  std::string_view name;  ///< as in `kinds`; empty for the class mask
  shard::DType dtype;
  bool needs_objects;  ///< a raster of classes does not tell them apart
  DrawnArray (*draw)(const LayerDrawing&, const LayerConfig&, const LabelGround&,
                     std::size_t window, std::size_t period);
};

/// The class mask, then the kinds of `config` in the order of the table.
std::vector<const MaskKind*> kinds_of(const LayerConfig& config);

/// `<layer>` or `<layer>_<kind>`.
std::string series_name(const std::string& layer, const MaskKind& kind);

/// How far around their windows the kinds of a layer look.
Halo halo_of(const LayerConfig& config);

}  // namespace tilewright::pipeline
