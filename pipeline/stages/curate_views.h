// SPDX-License-Identifier: Apache-2.0
// Masks of a layer and views of a source, location by location, read in place.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "index/shard/shard_reader.h"
#include "pipeline/scores/label_scores.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

using MaskPlaces = std::map<std::string, index::MemberPlace>;   ///< by location
MaskPlaces mask_places(const index::Manifest& manifest, const std::string& layer);

/// Shards of the workspace, each mapped once. `array` may be called by several threads for shards that were opened.
class OpenShards {
 public:
  explicit OpenShards(std::filesystem::path workspace) : workspace_(std::move(workspace)) {}
  void open(const std::string& shard);
  [[nodiscard]] shard::ArrayView array(const index::MemberPlace& place) const;

 private:
  std::filesystem::path workspace_;
  std::map<std::string, std::unique_ptr<shard::MappedFile>> files_;
};

/// Pixels stay valid as long as this object lives; reading is safe in several threads.
class LabelledViews {
 public:
  struct Item {
    std::string location_id;
    index::MemberPlace mask;
    std::optional<index::MemberPlace> other;   ///< mask of the layer to compare with
    std::vector<index::MemberPlace> views;     ///< in order (acquired, tile_id)
  };
  /// `masks` are those to be scored: of the manifest, or others in their place. `compare`: "" = none.
  LabelledViews(const StageInput& in, const MaskPlaces& masks, const std::string& source, const std::string& compare);

  [[nodiscard]] const std::vector<Item>& items() const { return items_; }
  /// Throws Error::failed if the member is no uint8 (1, H, W).
  [[nodiscard]] LabelView label(const index::MemberPlace& place) const;
  /// First band of a view. Throws Error::config if it has another size than `label`.
  [[nodiscard]] std::vector<float> band(const index::MemberPlace& place, const LabelView& label) const;

 private:
  std::string source_;
  OpenShards shards_;
  std::vector<Item> items_;
};

}  // namespace tilewright::pipeline
