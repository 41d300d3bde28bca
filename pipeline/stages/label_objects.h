// SPDX-License-Identifier: Apache-2.0
// Features of a label layer made ready to be drawn: gated, classified, with a width and a rank.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "geometry/crs.h"
#include "geometry/polygon.h"
#include "index/reason.h"
#include "index/rows.h"
#include "pipeline/config/label_config.h"
#include "pipeline/io/open_policy.h"
#include "pipeline/config/valid_period.h"

namespace tilewright::pipeline {

/// A line of an object; its ends are round where the network goes on.
struct ObjectLine {
  geometry::MapLine line;
  bool round_start = false, round_end = false;
};

inline constexpr std::size_t kEveryPeriod = static_cast<std::size_t>(-1);

/// What can be drawn of a feature, in the layer's CRS.
struct LabelObject {
  std::size_t feature = 0;             ///< index into LabelObjects::rows
  std::uint8_t value = 1;
  int rank = 0;                        ///< higher is drawn later; equal: by level, then in feature order
  int level = 0;
  bool is_rejected = false;            ///< only makes 255 of the ground that it would cover
  std::size_t period = 0;              ///< index into LabelObjects::periods, or kEveryPeriod
  geometry::MapMultiPolygon polygons;  ///< either this
  std::vector<ObjectLine> lines;       ///< or these
  double half_width_m = 0;             ///< at the start of each line
  double half_width_end_m = 0;         ///< at its end
  geometry::Box box;                   ///< without the width
};

struct LabelObjects {
  std::string layer;                   ///< name of the label layer in the job
  geometry::Crs crs;
  std::vector<LabelObject> objects;    ///< drawable ones and what rejected ones leave unknown, in layer order
  std::vector<index::LabelObjectRow> rows;  ///< one a feature, in layer order
  std::vector<std::string> details;    ///< of the rejected ones, parallel to rows
  std::vector<ValidPeriod> periods;    ///< sorted; one that is not dated where the layer has no dates
  std::vector<std::vector<geometry::MapMultiPolygon>> extents;  ///< of each period, in `crs`; empty if everywhere
  bool everywhere = false;             ///< extent: all
  double extent_margin_m = 0;
  std::size_t far_count = 0;           ///< drawable ones that were left out because they are near no window
  geometry::Box far_box;
};

/// Where the files of a layer lie.
struct LabelFiles {
  std::filesystem::path vector, width_table, extent;
  std::filesystem::path areas{};
  std::vector<std::filesystem::path> more{};  ///< further files of the same kind as `vector`
};

/// Does a box in the layer's CRS, grown by metres, come near what is to be drawn?
using NearTest = std::function<bool(const geometry::Box& box, double metres)>;
/// Makes the test when the layer's CRS is known; empty = everything is near.
using MakeNearTest = std::function<NearTest(const geometry::Crs&)>;

/// Throws what read_label_objects would throw before its first object: file, layer, fields, width table.
void check_label_source(const std::string& name, const LayerConfig& config, const LabelFiles& files, const OpenPolicy& policy);

/// Reads, gates and classifies a vector layer, feature by feature: what is kept is one row a feature and the
/// geometry of those that are near. Throws Error::config for missing fields or layers, Error::failed naming
/// `name` for a file that cannot be read.
LabelObjects read_label_objects(const std::string& name, const LayerConfig& config, const LabelFiles& files, const OpenPolicy& policy,
                                const MakeNearTest& near = {});

/// Polygons of a vector file in `crs`: where a layer is complete. Throws Error::failed if none.
std::vector<geometry::MapMultiPolygon> read_extent(const std::string& name, const std::filesystem::path& file,
                                                   const geometry::Crs& crs, const OpenPolicy& policy, const std::string& file_layer = "");

void reject(LabelObjects& objects, std::size_t feature, index::Reason reason, const std::string& detail);

}  // namespace tilewright::pipeline
