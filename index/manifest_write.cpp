// SPDX-License-Identifier: Apache-2.0
// Writing rows of the manifest.
#include "index/geopackage_blob.h"
#include "index/manifest_sql.h"

namespace tilewright::index {
namespace {

std::optional<Blob> blob_of(const geometry::GeoMultiPolygon& polygons) {
  if (polygons.empty()) return std::nullopt;
  return geopackage_blob(polygons);
}

/// Boxes the row that was just inserted; `sql` names the layer's R-tree.
void insert_box(Manifest& m, const char* sql, const geometry::GeoMultiPolygon& geom) {
  if (geom.empty()) return;
  const auto box = geometry::bounds(geom);
  write(m, "adding to an R-tree", sql, box.min_x, box.max_x, box.min_y, box.max_y);
}

/// Members of an optional place, each NULL where there is none.
struct PlaceColumns {
  std::optional<std::string> shard, member, sha256;
  std::optional<std::int64_t> offset, length;
};

PlaceColumns columns_of(const std::optional<MemberPlace>& place) {
  if (!place) return {};
  return {place->shard, place->member, place->sha256, place->byte_offset, place->byte_length};
}

}  // namespace

void insert(Manifest& m, const TileRow& t) {
  const auto geom = blob_of(t.geom);
  write(m, "adding a tile",
        "INSERT INTO tile(geom, tile_id, source, path, sha256, acquired, time_known, epsg, width_px, height_px, res_x, res_y, band_count, "
        "dtype, valid_frac, cloud_frac, component_id, status, duplicate_of, reason) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, 0), nullif(?9, 0), nullif(?10, 0), nullif(?11, 0), nullif(?12, 0), nullif(?13, 0), "
        "nullif(?14, ''), iif(?1 IS NULL, NULL, ?15), ?16, ?17, ?18, ?19, ?20)",
        geom, t.tile_id, t.source, t.path, t.sha256, t.acquired, t.time_known, t.epsg, t.width_px, t.height_px, t.res_x, t.res_y,
        t.band_count, t.dtype, t.valid_frac, t.cloud_frac, t.component_id, t.status, t.duplicate_of, t.reason);
  insert_box(m, "INSERT INTO rtree_tile_geom VALUES (last_insert_rowid(), ?1, ?2, ?3, ?4)", t.geom);
}

void insert(Manifest& m, const TileFileRow& f) {
  write(m, "adding a file of a tile", "INSERT INTO tile_file(tile_id, band, path, sha256, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
        f.tile_id, f.band, f.path, f.sha256, f.bytes);
}

void insert(Manifest& m, const OverlapRow& o) {
  write(m, "adding an overlap",
        "INSERT INTO overlap(tile_a, tile_b, area_m2, frac_a, frac_b, days_apart) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        o.tile_a, o.tile_b, o.area_m2, o.frac_a, o.frac_b, o.days_apart);
}

void insert(Manifest& m, const LocationRow& l) {
  const auto geom = blob_of(l.geom);
  write(m, "adding a location",
        "INSERT INTO location(geom, location_id, epsg, ulx, uly, res_m, size_px, view_count, split) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        geom, l.location_id, l.epsg, l.ulx, l.uly, l.res_m, l.size_px, l.view_count, l.split);
  insert_box(m, "INSERT INTO rtree_location_geom VALUES (last_insert_rowid(), ?1, ?2, ?3, ?4)", l.geom);
}

void insert(Manifest& m, const ViewRow& v) {
  const auto place = columns_of(v.place);
  write(m, "adding a view",
        "INSERT INTO \"view\"(location_id, tile_id, acquired, col_off, row_off, resampled, shift_px, shift_x_px, shift_y_px, valid_frac, "
        "cloud_frac, shard, member, byte_offset, byte_length, sha256) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        v.location_id, v.tile_id, v.acquired, v.col_off, v.row_off, v.resampled, v.shift_px, v.shift_x_px, v.shift_y_px, v.valid_frac,
        v.cloud_frac, place.shard, place.member, place.offset, place.length, place.sha256);
}

void insert(Manifest& m, const MaskRow& k) {
  const auto place = columns_of(k.place);
  write(m, "adding a mask",
        "INSERT INTO mask(location_id, layer, valid_from, valid_to, shard, member, byte_offset, byte_length, sha256, positive_frac, "
        "ignore_frac, object_count) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        k.location_id, k.layer, k.valid_from, k.valid_to, place.shard, place.member, place.offset, place.length, place.sha256,
        k.positive_frac, k.ignore_frac, k.object_count);
}

void insert(Manifest& m, const TargetRow& t) {
  write(m, "adding a target",
        "INSERT INTO target(location_id, name, kind, value, unit, source, valid_from, valid_to) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        t.location_id, t.name, t.kind, t.value, t.unit, t.source, t.valid_from, t.valid_to);
}

void insert(Manifest& m, const LabelObjectRow& o) {
  write(m, "adding a label object",
        "INSERT INTO label_object(layer, object_id, class, rule, width_m, width_sigma_m, offset_m, status, reason, source, lon, lat) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        o.layer, o.object_id, o.object_class, o.rule, o.width_m, o.width_sigma_m, o.offset_m, o.status, o.reason, o.source, o.lon_deg, o.lat_deg);
}

void insert(Manifest& m, const ScoreRow& s) {
  write(m, "adding a score", "INSERT INTO score(location_id, tile_id, layer, object_id, metric, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        s.location_id, s.tile_id, s.layer, s.object_id, s.metric, s.value);
}

void insert(Manifest& m, const VerdictRow& v) {
  write(m, "adding a verdict", "INSERT INTO verdict(location_id, layer, verdict, who, at, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        v.location_id, v.layer, v.verdict, v.who, v.at, v.note);
}

void insert(Manifest& m, const SplitRow& s) {
  write(m, "adding a split row", "INSERT INTO split(name, location_id, part, fold) VALUES (?1, ?2, ?3, ?4)", s.name, s.location_id, s.part,
        s.fold);
}

void insert(Manifest& m, const RejectionRow& r) {
  write(m, "adding a rejection", "INSERT INTO rejection(stage, subject, reason, detail) VALUES (?1, ?2, ?3, ?4)", r.stage, r.subject,
        r.reason, r.detail);
}

void insert(Manifest& m, const StageRunRow& r) {
  write(m, "adding a stage run",
        "INSERT OR REPLACE INTO stage_run(stage, \"key\", started, finished, config_json, versions_json, counts_json) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        r.stage, r.key, r.started, r.finished, r.config_json, r.versions_json, r.counts_json);
}

void set_component(Manifest& m, const std::string& tile_id, int component_id) {
  write(m, "setting a component", "UPDATE tile SET component_id = ?2 WHERE tile_id = ?1", tile_id, component_id);
}

void set_view_place(Manifest& m, const std::string& location_id, const std::string& tile_id, const MemberPlace& place) {
  write(m, "setting the place of a view",
        "UPDATE \"view\" SET shard = ?3, member = ?4, byte_offset = ?5, byte_length = ?6, sha256 = ?7 WHERE location_id = ?1 AND tile_id = ?2",
        location_id, tile_id, place.shard, place.member, place.byte_offset, place.byte_length, place.sha256);
}

void set_location_split(Manifest& m, const std::string& location_id, const std::optional<std::string>& part) {
  write(m, "setting the part of a location", "UPDATE location SET split = ?2 WHERE location_id = ?1", location_id, part);
}

void write_subset(Manifest& m, const std::string& name, const std::string& rule, const std::vector<std::string>& location_ids) {
  write(m, "removing a subset", "DELETE FROM subset WHERE name = ?1", name);
  write(m, "removing a subset", "DELETE FROM subset_member WHERE name = ?1", name);
  write(m, "adding a subset",
        "INSERT INTO subset(name, rule, created) VALUES (?1, ?2, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))", name, rule);
  for (const auto& id : location_ids)
    write(m, "adding to a subset", "INSERT INTO subset_member(name, location_id) VALUES (?1, ?2)", name, id);
}

void set_meta(Manifest& m, const std::string& key, const std::string& value) {
  write(m, "setting a meta value",
        "INSERT INTO meta(\"key\", value) VALUES (?1, ?2) ON CONFLICT(\"key\") DO UPDATE SET value = excluded.value", key, value);
}

void upsert(Manifest& m, const FileStat& f) {
  write(m, "remembering a file's state",
        "INSERT OR REPLACE INTO file_stat(path, size, mtime_ns, ctime_ns, inode, sha256) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", f.path, f.size,
        f.mtime_ns, f.ctime_ns, f.inode, f.sha256);
}

void clear_stage(Manifest& m, const std::string& stage) {
  struct Clearing {
    const char* stage;
    const char* sql;
  };
  constexpr Clearing kClearings[] = {
      {"scan", "DELETE FROM tile"},
      {"scan", "DELETE FROM rtree_tile_geom"},
      {"scan", "DELETE FROM tile_file"},
      {"scan", "DELETE FROM tile_grid"},
      {"graph", "DELETE FROM overlap"},
      {"graph", "UPDATE tile SET component_id = NULL WHERE component_id IS NOT NULL"},
      {"views", "DELETE FROM location"},
      {"views", "DELETE FROM rtree_location_geom"},
      {"views", "DELETE FROM \"view\""},
      {"views", "DELETE FROM plan_tile"},
      {"views", "DELETE FROM plan_change"},
      {"views", "DELETE FROM meta WHERE \"key\" = 'views/plan'"},
      {"extract", "UPDATE \"view\" SET sha256 = NULL WHERE shard IS NOT NULL"},
      {"label", "UPDATE mask SET sha256 = NULL WHERE shard IS NOT NULL"},
      {"label", "DELETE FROM target"},
      {"label", "DELETE FROM label_object"},
      {"split", "DELETE FROM split"},
      {"split", "UPDATE location SET split = NULL WHERE split IS NOT NULL"},
      {"curate", "DELETE FROM score"},
      {"curate", "DELETE FROM subset"},
      {"curate", "DELETE FROM subset_member"},
  };
  const std::string purpose = "clearing the rows of stage " + stage;
  for (const auto& clearing : kClearings)
    if (stage == clearing.stage) write(m, purpose.c_str(), clearing.sql);
  write(m, purpose.c_str(), "DELETE FROM rejection WHERE stage = ?1", stage);
  write(m, purpose.c_str(), "DELETE FROM stage_run WHERE stage = ?1", stage);
}

}  // namespace tilewright::index
