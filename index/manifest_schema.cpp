// SPDX-License-Identifier: Apache-2.0
// The manifest as a GeoPackage 1.3 with two layers and attribute tables: version 1, and the steps since.
#include "index/manifest_schema.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <array>

namespace tilewright::index {
namespace {

constexpr const char* kGeoPackageTables = R"sql(
CREATE TABLE gpkg_spatial_ref_sys(srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents(table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns(table_name TEXT NOT NULL UNIQUE, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL, PRIMARY KEY(table_name, column_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_extensions(table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, UNIQUE(table_name, column_name, extension_name));
INSERT INTO gpkg_spatial_ref_sys VALUES
 ('Undefined cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined cartesian coordinate reference system'),
 ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system'),
 ('WGS 84 geodetic', 4326, 'EPSG', 4326, 'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]', 'longitude/latitude coordinates in decimal degrees on the WGS 84 spheroid');
)sql";

constexpr const char* kFeatureTables = R"sql(
CREATE TABLE tile(fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom MULTIPOLYGON, tile_id TEXT NOT NULL UNIQUE,
  source TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT, acquired DATETIME, time_known BOOLEAN, epsg INTEGER,
  width_px INTEGER, height_px INTEGER, res_x DOUBLE, res_y DOUBLE, band_count INTEGER, dtype TEXT, valid_frac DOUBLE,
  cloud_frac DOUBLE, component_id INTEGER, status TEXT NOT NULL, duplicate_of TEXT, reason TEXT);
CREATE INDEX tile_by_source ON tile(source, status);
CREATE TABLE location(fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom MULTIPOLYGON, location_id TEXT NOT NULL UNIQUE,
  epsg INTEGER NOT NULL, ulx DOUBLE NOT NULL, uly DOUBLE NOT NULL, res_m DOUBLE NOT NULL, size_px INTEGER NOT NULL,
  view_count INTEGER NOT NULL, split TEXT);
)sql";

constexpr const char* kAttributeTables = R"sql(
CREATE TABLE tile_file(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, tile_id TEXT NOT NULL, band TEXT NOT NULL, path TEXT NOT NULL,
  sha256 TEXT, bytes INTEGER);
CREATE INDEX tile_file_by_tile ON tile_file(tile_id);
CREATE TABLE overlap(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, tile_a TEXT NOT NULL, tile_b TEXT NOT NULL, area_m2 DOUBLE NOT NULL,
  frac_a DOUBLE NOT NULL, frac_b DOUBLE NOT NULL, days_apart DOUBLE, UNIQUE(tile_a, tile_b));
CREATE INDEX overlap_by_b ON overlap(tile_b);
CREATE TABLE "view"(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, location_id TEXT NOT NULL, tile_id TEXT NOT NULL, acquired DATETIME,
  col_off DOUBLE NOT NULL, row_off DOUBLE NOT NULL, resampled BOOLEAN NOT NULL, shift_px DOUBLE, shift_x_px DOUBLE,
  shift_y_px DOUBLE, valid_frac DOUBLE NOT NULL, cloud_frac DOUBLE, shard TEXT, member TEXT, byte_offset INTEGER,
  byte_length INTEGER, sha256 TEXT, UNIQUE(location_id, tile_id));
CREATE INDEX view_by_tile ON "view"(tile_id);
CREATE TABLE mask(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, location_id TEXT NOT NULL, layer TEXT NOT NULL, valid_from DATETIME,
  valid_to DATETIME, shard TEXT, member TEXT, byte_offset INTEGER, byte_length INTEGER, sha256 TEXT,
  positive_frac DOUBLE NOT NULL, ignore_frac DOUBLE NOT NULL, object_count INTEGER NOT NULL);
CREATE INDEX mask_by_location ON mask(location_id, layer);
CREATE INDEX mask_by_layer ON mask(layer, location_id, valid_from);
CREATE TABLE target(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, location_id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
  value TEXT, unit TEXT, source TEXT, valid_from DATETIME, valid_to DATETIME);
CREATE INDEX target_by_name ON target(name, location_id);
CREATE TABLE label_object(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, layer TEXT NOT NULL, object_id TEXT NOT NULL, class INTEGER,
  rule TEXT, width_m DOUBLE, width_sigma_m DOUBLE, offset_m DOUBLE, status TEXT NOT NULL, reason TEXT);
CREATE INDEX label_object_by_id ON label_object(layer, object_id);
CREATE TABLE score(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, location_id TEXT NOT NULL, tile_id TEXT, layer TEXT, object_id TEXT,
  metric TEXT NOT NULL, value DOUBLE);
CREATE INDEX score_by_metric ON score(layer, metric, location_id);
CREATE INDEX score_by_location ON score(location_id);
CREATE TABLE subset(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL UNIQUE, rule TEXT NOT NULL, created DATETIME);
CREATE TABLE subset_member(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL, location_id TEXT NOT NULL,
  UNIQUE(name, location_id));
CREATE TABLE verdict(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, location_id TEXT NOT NULL, layer TEXT NOT NULL, verdict TEXT NOT NULL,
  who TEXT, at DATETIME, note TEXT);
CREATE INDEX verdict_by_location ON verdict(location_id, layer);
CREATE TABLE split(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL, location_id TEXT NOT NULL, part TEXT NOT NULL,
  fold INTEGER, UNIQUE(name, location_id));
CREATE TABLE rejection(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, stage TEXT NOT NULL, subject TEXT NOT NULL, reason TEXT NOT NULL,
  detail TEXT);
CREATE INDEX rejection_by_stage ON rejection(stage, subject);
CREATE INDEX rejection_by_subject ON rejection(subject);
CREATE TABLE stage_run(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, stage TEXT NOT NULL UNIQUE, "key" TEXT NOT NULL,
  started DATETIME, finished DATETIME, config_json TEXT, versions_json TEXT, counts_json TEXT);
CREATE TABLE meta(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "key" TEXT NOT NULL UNIQUE, value TEXT);
CREATE TABLE file_stat(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, sha256 TEXT NOT NULL);
)sql";

/// Steps since version 1, the first leads to version 2. Append only: files of every version exist.
constexpr std::array kSteps = {
    R"sql(
CREATE TABLE tile_grid(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, tile_id TEXT NOT NULL UNIQUE, affine_a DOUBLE NOT NULL,
  affine_b DOUBLE NOT NULL, affine_c DOUBLE NOT NULL, affine_d DOUBLE NOT NULL, affine_e DOUBLE NOT NULL, affine_f DOUBLE NOT NULL,
  crs_wkt TEXT NOT NULL, width_px INTEGER NOT NULL, height_px INTEGER NOT NULL, valid BLOB NOT NULL, cloud BLOB);
)sql",
    R"sql(
CREATE TABLE plan_tile(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, tile_id TEXT NOT NULL UNIQUE, content TEXT NOT NULL);
CREATE TABLE plan_change(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, plan INTEGER NOT NULL, subject TEXT NOT NULL,
  change TEXT NOT NULL, detail TEXT);
CREATE INDEX plan_change_by_subject ON plan_change(subject, plan);
)sql",
    R"sql(
ALTER TABLE label_object ADD COLUMN source TEXT;
ALTER TABLE label_object ADD COLUMN lon DOUBLE;
ALTER TABLE label_object ADD COLUMN lat DOUBLE;
)sql"};
static_assert(kSteps.size() + 1 == kSchemaVersion);

/// @ stands for the layer; the text is that of the GeoPackage R-tree extension.
constexpr const char* kRtree = R"sql(
CREATE VIRTUAL TABLE rtree_@_geom USING rtree(id, minx, maxx, miny, maxy);
CREATE TRIGGER rtree_@_geom_insert AFTER INSERT ON @ WHEN (NEW.geom NOT NULL AND NOT ST_IsEmpty(NEW.geom))
BEGIN INSERT OR REPLACE INTO rtree_@_geom VALUES (NEW.fid, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER rtree_@_geom_update1 AFTER UPDATE OF geom ON @ WHEN OLD.fid = NEW.fid AND (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom))
BEGIN INSERT OR REPLACE INTO rtree_@_geom VALUES (NEW.fid, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER rtree_@_geom_update2 AFTER UPDATE OF geom ON @ WHEN OLD.fid = NEW.fid AND (NEW.geom ISNULL OR ST_IsEmpty(NEW.geom))
BEGIN DELETE FROM rtree_@_geom WHERE id = OLD.fid; END;
CREATE TRIGGER rtree_@_geom_update3 AFTER UPDATE ON @ WHEN OLD.fid != NEW.fid AND (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom))
BEGIN DELETE FROM rtree_@_geom WHERE id = OLD.fid;
INSERT OR REPLACE INTO rtree_@_geom VALUES (NEW.fid, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)); END;
CREATE TRIGGER rtree_@_geom_update4 AFTER UPDATE ON @ WHEN OLD.fid != NEW.fid AND (NEW.geom ISNULL OR ST_IsEmpty(NEW.geom))
BEGIN DELETE FROM rtree_@_geom WHERE id IN (OLD.fid, NEW.fid); END;
CREATE TRIGGER rtree_@_geom_delete AFTER DELETE ON @ WHEN OLD.geom NOT NULL
BEGIN DELETE FROM rtree_@_geom WHERE id = OLD.fid; END;
INSERT INTO gpkg_geometry_columns VALUES ('@', 'geom', 'MULTIPOLYGON', 4326, 0, 0);
INSERT INTO gpkg_extensions VALUES ('@', 'geom', 'gpkg_rtree_index', 'http://www.geopackage.org/spec120/#extension_rtree', 'write-only');
)sql";

constexpr std::array kTables = {
    TableInfo{"tile", true, "tile_id", "fid", "", "source acquisitions and their footprints"},
    TableInfo{"location", true, "location_id", "fid", "", "windows of the grid"},
    TableInfo{"tile_file", false, "tile_id, path, band", "id", "", "files of each tile"},
    TableInfo{"tile_grid", false, "tile_id", "id", "", "pixel grids of the tiles, their valid and cloudy pixels", 2},
    TableInfo{"overlap", false, "tile_a, tile_b", "id", "", "tiles that share ground"},
    TableInfo{"view", false, "location_id, acquired, tile_id", "id", "", "one tile seen through one location"},
    TableInfo{"plan_tile", false, "tile_id", "id", "", "tiles that the plan of the views knows, with their content", 3},
    TableInfo{"plan_change", false, "plan, subject, change", "id", "", "what each later plan of the views changed, and why", 3},
    TableInfo{"mask", false, "layer, location_id, valid_from, member", "id", "", "label masks of locations"},
    TableInfo{"target", false, "name, location_id, valid_from, value", "id", "", "values of locations"},
    TableInfo{"label_object", false, "layer, object_id, status, reason", "id", "", "label objects and the rules used"},
    TableInfo{"score", false, "layer, metric, location_id, tile_id, object_id", "id", "metric IN ('model_iou', 'softmin', 'confident_frac', 'log_likelihood', 'missing_objects', 'false_objects', 'completeness', 'shift_model_px', 'model_spread', 'combined')",
              "numbers about label and view quality"},
    TableInfo{"subset", false, "name", "id created", "", "named selections of locations"},
    TableInfo{"subset_member", false, "name, location_id", "id", "", "locations of the selections"},
    TableInfo{"verdict", false, "location_id, layer, verdict, who, note", "id at", "", "what people decided"},
    TableInfo{"split", false, "name, location_id", "id", "", "train, val and test"},
    TableInfo{"rejection", false, "stage, subject, reason, detail", "id", "", "what was left out and why"},
    TableInfo{"stage_run", false, "stage", "id started finished versions_json", "", "what was run"},
    TableInfo{"meta", false, "\"key\"", "id", "\"key\" LIKE 'local/%'", "facts about the file"},
};

std::string rtree_sql(std::string_view layer) {
  std::string sql;
  for (const char* c = kRtree; *c != 0; ++c) {
    if (*c == '@')
      sql += layer;
    else
      sql += *c;
  }
  return sql;
}

void register_table(SQLite::Database& database, const TableInfo& table) {
  SQLite::Statement insert(database,
      "INSERT INTO gpkg_contents(table_name, data_type, identifier, description, srs_id) VALUES (?1, ?2, ?1, ?3, ?4)");
  insert.bind(1, std::string(table.name));
  insert.bind(2, table.has_geometry ? "features" : "attributes");
  insert.bind(3, std::string(table.meaning));
  if (table.has_geometry)
    insert.bind(4, 4326);
  else
    insert.bind(4, 0);
  insert.exec();
}

}  // namespace

std::span<const TableInfo> tables() { return kTables; }

void create_schema(SQLite::Database& database, int version) {
  database.exec("PRAGMA application_id = " + std::to_string(kApplicationId));
  database.exec("PRAGMA user_version = " + std::to_string(kUserVersion));
  for (const char* sql : {kGeoPackageTables, kFeatureTables, kAttributeTables}) database.exec(sql);
  for (const auto& table : kTables) {
    if (table.since > 1) continue;
    register_table(database, table);
    if (table.has_geometry) database.exec(rtree_sql(table.name));
  }
  database.exec("INSERT INTO meta(\"key\", value) VALUES ('schema_version', '1')");
  migrate_schema(database, 1, version);
}

void migrate_schema(SQLite::Database& database, int from, int to) {
  for (int version = from + 1; version <= to; ++version) {
    database.exec(kSteps[static_cast<std::size_t>(version - 2)]);
    for (const auto& table : kTables)
      if (table.since == version) register_table(database, table);
    SQLite::Statement raised(database, "UPDATE meta SET value = ?1 WHERE \"key\" = 'schema_version'");
    raised.bind(1, std::to_string(version));
    raised.exec();
  }
}

}  // namespace tilewright::index
