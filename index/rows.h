// SPDX-License-Identifier: Apache-2.0
// Rows of the manifest, one struct a table; names and meanings as in data-manifests/SCHEMA.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "geometry/polygon.h"

namespace tilewright::index {

/// Times are `YYYY-MM-DDThh:mm:ss.000Z`; nullopt = not known.
using Timestamp = std::optional<std::string>;

struct TileRow {
  std::string tile_id, source, path, sha256;
  geometry::GeoMultiPolygon geom;  ///< empty = NULL
  Timestamp acquired;
  bool time_known = false;
  int epsg = 0;
  std::int64_t width_px = 0, height_px = 0;
  double res_x = 0, res_y = 0;
  int band_count = 0;
  std::string dtype;
  double valid_frac = 0;
  std::optional<double> cloud_frac;
  std::optional<int> component_id;
  std::string status;  ///< ok | duplicate | quarantined | removed
  std::optional<std::string> duplicate_of, reason;
};

struct TileFileRow {
  std::string tile_id, band, path, sha256;
  std::int64_t bytes = 0;
};

struct OverlapRow {
  std::string tile_a, tile_b;
  double area_m2 = 0, frac_a = 0, frac_b = 0;
  std::optional<double> days_apart;
};

struct LocationRow {
  std::string location_id;
  geometry::GeoMultiPolygon geom;
  int epsg = 0;
  double ulx = 0, uly = 0, res_m = 0;
  int size_px = 0, view_count = 0;
  std::optional<std::string> split;  ///< train | val | test | guard
};

/// Where a member lies: `shard` relative to the workspace, offset and length of the npy file.
struct MemberPlace {
  std::string shard, member;
  std::int64_t byte_offset = 0, byte_length = 0;
  std::string sha256;
};

struct ViewRow {
  std::string location_id, tile_id;
  Timestamp acquired;
  double col_off = 0, row_off = 0;
  bool resampled = false;
  std::optional<double> shift_px, shift_x_px, shift_y_px;
  double valid_frac = 1;
  std::optional<double> cloud_frac;
  std::optional<MemberPlace> place;  ///< nullopt until extracted
  /// File that its pixels lie in; kept while they have to be cut again, so that they come back there.
  std::optional<std::string> home;
};

/// A tile that the plan of the views has taken up; `content` changes when its views must be made anew.
struct PlanTileRow {
  std::string tile_id, content;
};

/// What a later plan changed. Subject: tile_id, location_id or location_id/tile_id; for a tile
/// added | changed | removed, for a location added | dropped, for a view added | redone | removed.
struct PlanChangeRow {
  int plan = 0;  ///< 2, 3, ...: the first plan changes nothing
  std::string subject, change, detail;
};

struct MaskRow {
  std::string location_id, layer;
  Timestamp valid_from, valid_to;
  std::optional<MemberPlace> place;  ///< nullopt while it has to be drawn again
  std::optional<std::string> home;   ///< as that of a view
  double positive_frac = 0, ignore_frac = 0;
  std::int64_t object_count = 0;
};

struct TargetRow {
  std::string location_id, name, kind;  ///< kind: class | classes | scalar | vector
  std::string value;                    ///< text, or JSON where kind is not class
  std::optional<std::string> unit, source;
  Timestamp valid_from, valid_to;
};

struct LabelObjectRow {
  std::string layer, object_id;
  std::optional<int> object_class;
  std::optional<std::string> rule;
  std::optional<double> width_m, width_sigma_m, offset_m;
  std::string status;  ///< drawn | repaired | rejected
  std::optional<std::string> reason;
  std::optional<std::string> source{};        ///< what the width was read from: "largeur = 4"
  std::optional<double> lon_deg{}, lat_deg{}; ///< its middle
};

struct ScoreRow {
  std::string location_id;
  std::optional<std::string> tile_id, layer, object_id;
  std::string metric;
  double value = 0;
};

struct SubsetRow {
  std::string name, rule;
};

struct VerdictRow {
  std::string location_id, layer, verdict;  ///< accept | reject | skip; the last one given counts
  std::string who;
  Timestamp at;
  std::string note;
};

struct SplitRow {
  std::string name, location_id, part;
  std::optional<int> fold;
};

struct RejectionRow {
  std::string stage, subject, reason, detail;
};

struct StageRunRow {
  std::string stage, key, started, finished, config_json, versions_json, counts_json;
};

}  // namespace tilewright::index
