// SPDX-License-Identifier: Apache-2.0
// Windows of a tile as the network wants them: chosen bands on the frame of the map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "geometry/resample.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/stages/predict_frame.h"

namespace tilewright::pipeline {

struct WindowPixels {
  std::vector<std::byte> data;       ///< (C, H, W) in the tile's type; 0 where not valid by place
  std::vector<std::uint8_t> valid;   ///< (H, W)
  [[nodiscard]] bool any_valid() const;
};

/// Reads windows of one tile on a frame; not shared between threads.
class WindowSource {
 public:
  /// `bands`: indices into reader.bands(), in the network's order.
  WindowSource(TileReader reader, PredictFrame frame, std::vector<int> bands, geometry::Resampling kernel);
  /// Pixels outside the frame or the tile are not valid.
  [[nodiscard]] WindowPixels read(const geometry::Window& window) const;
  [[nodiscard]] const TileReader& reader() const { return reader_; }

 private:
  void read_copied(const geometry::Window& window, WindowPixels& out) const;
  void read_resampled(const geometry::Window& window, WindowPixels& out) const;

  TileReader reader_;
  PredictFrame frame_;
  std::vector<int> bands_;
  geometry::Resampling kernel_;
  geometry::SparseTransform tile_from_frame_;
};

}  // namespace tilewright::pipeline
