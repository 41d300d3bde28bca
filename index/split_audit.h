// SPDX-License-Identifier: Apache-2.0
// What any split leaks, made here or elsewhere: shared scenes, locations, ground, pixels and label objects.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "index/split.h"
#include "index/thumbnail.h"

namespace tilewright::index {

struct AuditedSample {
  SplitLocation where;                 ///< id, scenes as tile_ids; epsg 0: its place is not known
  std::string part;                    ///< train, val, test or another name
  std::string location;                ///< samples of one name show one place; "" = not known
  std::vector<std::string> contents;   ///< hashes of its pixels
  std::vector<Thumbnail> thumbnails;   ///< coarse pictures of its pixels
  std::vector<std::string> objects;    ///< label objects that its window shows
};

/// What a sample shares with train.
struct Leakage {
  bool scene = false, location = false, ground = false, content = false;
  bool near_content = false;           ///< pixels that are equal but for compression and rounding
  bool object = false;                 ///< a label object, such as a road that runs through both; no leak by itself
  std::optional<double> nearest_m;     ///< least distance to a train sample; nullopt: one of them has no place
  [[nodiscard]] bool any() const { return scene || location || ground || content || near_content; }
};

struct PartAudit {
  std::string part;
  std::int64_t samples = 0, scene = 0, location = 0, ground = 0, content = 0, near_content = 0, object = 0, any = 0;
  std::optional<double> least_m, median_m;
};

struct SplitAudit {
  std::vector<Leakage> of;             ///< parallel to the samples; those of train share nothing
  std::vector<PartAudit> parts;        ///< by name; train and guard are not judged
  std::int64_t train = 0, guard = 0, without_place = 0;
  /// False where train or the rest has none at all: then a share of 0 says nothing.
  bool knows_scenes = false, knows_locations = false, knows_contents = false, knows_places = false, knows_thumbnails = false, knows_objects = false;
  [[nodiscard]] double worst_frac() const;  ///< largest share of a part that leaks in any way
};

/// Exact: every pair of overlapping boxes is found, distances are those of nearest windows in the
/// plane of the sample's zone.
SplitAudit audit_samples(std::span<const AuditedSample> samples);

}  // namespace tilewright::index
