// SPDX-License-Identifier: Apache-2.0
// Blends window predictions into the map of one tile and writes it as GeoTIFF.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "index/shard/commit.h"
#include "learn/config/dataset_file.h"
#include "pipeline/stages/predict_frame.h"

namespace tilewright::pipeline {

inline constexpr std::uint8_t kNoPrediction = 255;
/// Keys of `meta` under which each file of predictions/ is recorded: {"bytes", "sha256"}.
inline constexpr const char* kMapFact = "prediction/";

struct MapStyle {
  std::vector<learn::ClassInfo> classes;  ///< output k of the network is classes[k].id
  bool probabilities = false;             ///< also a float32 band a class
};

/// Windows come in rows from the top; rows of the map are final, and written, once no later window
/// reaches them. Memory: one row of windows. Where the source is invalid the map is 255.
class PredictMosaic {
 public:
  PredictMosaic(const PredictFrame& frame, MapStyle style, const std::filesystem::path& folder, const std::string& name, int size_px);
  ~PredictMosaic();
  /// `probabilities` (K, size, size) of a window and its validity (size, size). Windows whose pixels
  /// are all invalid need not come, but rows must not go back.
  void add(const geometry::Window& window, std::span<const float> probabilities, std::span<const std::uint8_t> valid);
  /// Writes the rest, checks that every block is there, publishes `<name>.tif`, `<name>_prob.tif`
  /// if wanted, and `<name>.qml`. Names of the files, with their lengths and hashes.
  std::vector<std::pair<std::string, shard::Published>> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "#c33" or "#cc3333" as 0xRRGGBB; a grey that differs by class where it is no colour.
std::uint32_t rgb_of(const learn::ClassInfo& info);
/// Style for QGIS: values, names, colours.
std::string qml_of(const std::vector<learn::ClassInfo>& classes);

}  // namespace tilewright::pipeline
