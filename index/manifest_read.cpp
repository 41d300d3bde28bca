// SPDX-License-Identifier: Apache-2.0
// Reading tiles, overlaps, locations and views from the manifest.
#include "index/geopackage_blob.h"
#include "index/manifest_sql.h"
#include "index/plan_rows.h"

#include "geometry/error.h"

namespace tilewright::index {

Columns& Columns::operator>>(geometry::GeoMultiPolygon& value) {
  const auto column = next();
  value.clear();
  if (column.isNull()) return *this;
  const auto* bytes = static_cast<const std::byte*>(column.getBlob());
  value = polygons_of_blob({bytes, static_cast<std::size_t>(column.getBytes())});
  return *this;
}

Columns& Columns::operator>>(std::optional<MemberPlace>& value) {
  MemberPlace place;
  std::optional<std::string> shard, member, sha256;
  std::optional<std::int64_t> offset, length;
  *this >> shard >> member >> offset >> length >> sha256;
  if (!shard || !sha256) {  // without a hash it has to be made again
    value.reset();
    return *this;
  }
  value = MemberPlace{*shard, member.value_or(""), offset.value_or(0), length.value_or(0), sha256.value_or("")};
  return *this;
}

namespace {

constexpr const char* kTileColumns =
    "SELECT tile_id, source, path, ifnull(sha256, ''), geom, acquired, ifnull(time_known, 0), ifnull(epsg, 0), width_px, height_px, res_x, "
    "res_y, band_count, ifnull(dtype, ''), valid_frac, cloud_frac, component_id, status, duplicate_of, reason FROM tile ";

TileRow tile_of(SQLite::Statement& row) {
  TileRow t;
  Columns(row) >> t.tile_id >> t.source >> t.path >> t.sha256 >> t.geom >> t.acquired >> t.time_known >> t.epsg >> t.width_px >>
      t.height_px >> t.res_x >> t.res_y >> t.band_count >> t.dtype >> t.valid_frac >> t.cloud_frac >> t.component_id >> t.status >>
      t.duplicate_of >> t.reason;
  return t;
}

constexpr const char* kLocationColumns = "SELECT location_id, geom, epsg, ulx, uly, res_m, size_px, view_count, split FROM location ";

LocationRow location_of(SQLite::Statement& row) {
  LocationRow l;
  Columns(row) >> l.location_id >> l.geom >> l.epsg >> l.ulx >> l.uly >> l.res_m >> l.size_px >> l.view_count >> l.split;
  return l;
}

constexpr const char* kViewColumns =
    "SELECT location_id, tile_id, acquired, col_off, row_off, resampled, shift_px, shift_x_px, shift_y_px, valid_frac, cloud_frac, shard, "
    "member, byte_offset, byte_length, sha256, shard FROM \"view\" ";
constexpr const char* kViewOrder = "ORDER BY location_id, acquired, tile_id";

ViewRow view_of(SQLite::Statement& row) {
  ViewRow v;
  Columns(row) >> v.location_id >> v.tile_id >> v.acquired >> v.col_off >> v.row_off >> v.resampled >> v.shift_px >> v.shift_x_px >>
      v.shift_y_px >> v.valid_frac >> v.cloud_frac >> v.place >> v.home;
  return v;
}

bool touches(const geometry::Box& a, const geometry::Box& b) {
  return a.min_x <= b.max_x && b.min_x <= a.max_x && a.min_y <= b.max_y && b.min_y <= a.max_y;
}

/// The box of a geometry split at 180 degrees spans the world: its parts decide.
bool any_part_touches(const geometry::GeoMultiPolygon& polygons, const geometry::Box& box) {
  for (const auto& polygon : polygons)
    if (touches(geometry::bounds(geometry::GeoMultiPolygon{polygon}), box)) return true;
  return false;
}

}  // namespace

std::vector<TileRow> tiles(const Manifest& m, const std::string& source, const std::string& status) {
  std::vector<TileRow> rows;
  each_row(m, "reading tiles",
           std::string(kTileColumns) + "WHERE (?1 = '' OR source = ?1) AND (?2 = '' OR status = ?2) ORDER BY tile_id",
           [&](SQLite::Statement& row) { rows.push_back(tile_of(row)); }, source, status);
  return rows;
}

void each_tile(const Manifest& m, const std::string& source, const std::string& status, const std::function<void(TileRow)>& use) {
  each_row(m, "reading tiles", std::string(kTileColumns) + "WHERE source = ?1 AND status = ?2 ORDER BY tile_id",
           [&](SQLite::Statement& row) { use(tile_of(row)); }, source, status);
}

std::optional<TileRow> tile(const Manifest& m, const std::string& tile_id) {
  std::optional<TileRow> found;
  each_row(m, "reading a tile", std::string(kTileColumns) + "WHERE tile_id = ?1",
           [&](SQLite::Statement& row) { found = tile_of(row); }, tile_id);
  return found;
}

std::vector<TileFileRow> tile_files(const Manifest& m, const std::string& tile_id) {
  std::vector<TileFileRow> rows;
  each_row(m, "reading files of tiles",
           "SELECT tile_id, band, path, ifnull(sha256, ''), bytes FROM tile_file WHERE (?1 = '' OR tile_id = ?1) ORDER BY tile_id, id",
           [&](SQLite::Statement& row) {
             auto& f = rows.emplace_back();
             Columns(row) >> f.tile_id >> f.band >> f.path >> f.sha256 >> f.bytes;
           },
           tile_id);
  return rows;
}

std::vector<OverlapRow> overlaps(const Manifest& m) {
  std::vector<OverlapRow> rows;
  each_row(m, "reading overlaps", "SELECT tile_a, tile_b, area_m2, frac_a, frac_b, days_apart FROM overlap ORDER BY tile_a, tile_b",
           [&](SQLite::Statement& row) {
             auto& o = rows.emplace_back();
             Columns(row) >> o.tile_a >> o.tile_b >> o.area_m2 >> o.frac_a >> o.frac_b >> o.days_apart;
           });
  return rows;
}

std::int64_t overlap_count(const Manifest& m, const std::string& tile_id) {
  std::int64_t count = 0;
  each_row(m, "counting overlaps", tile_id.empty() ? "SELECT count(*) FROM overlap WHERE ?1 = ''" : "SELECT count(*) FROM overlap WHERE tile_a = ?1 OR tile_b = ?1",
           [&](SQLite::Statement& row) { Columns(row) >> count; }, tile_id);
  return count;
}

void each_ok_tile_geometry(const Manifest& m, const std::function<void(TileGeometry)>& use) {
  each_row(m, "reading footprints", "SELECT tile_id, geom, acquired FROM tile WHERE status = 'ok' ORDER BY tile_id", [&](SQLite::Statement& row) {
    TileGeometry tile;
    Columns(row) >> tile.tile_id >> tile.geom >> tile.acquired;
    use(std::move(tile));
  });
}

void each_location(const Manifest& m, const std::function<void(LocationRow)>& use) {
  each_row(m, "reading locations", std::string(kLocationColumns) + "ORDER BY location_id",
           [&](SQLite::Statement& row) { use(location_of(row)); });
}

std::vector<LocationRow> locations(const Manifest& m) {
  std::vector<LocationRow> rows;
  each_location(m, [&](LocationRow row) { rows.push_back(std::move(row)); });
  return rows;
}

std::optional<LocationRow> location(const Manifest& m, const std::string& location_id) {
  std::optional<LocationRow> found;
  each_row(m, "reading a location", std::string(kLocationColumns) + "WHERE location_id = ?1",
           [&](SQLite::Statement& row) { found = location_of(row); }, location_id);
  return found;
}

void each_view(const Manifest& m, const std::function<void(ViewRow)>& use) {
  each_row(m, "reading views", std::string(kViewColumns) + kViewOrder, [&](SQLite::Statement& row) { use(view_of(row)); });
}

std::vector<ViewRow> views(const Manifest& m, const std::string& location_id) {
  std::vector<ViewRow> rows;
  const auto take = [&](ViewRow row) { rows.push_back(std::move(row)); };
  if (location_id.empty())
    each_view(m, take);
  else
    each_row(m, "reading views", std::string(kViewColumns) + "WHERE location_id = ?1 " + kViewOrder, [&](SQLite::Statement& row) { take(view_of(row)); }, location_id);
  return rows;
}

std::vector<std::string> ids_in_box(const Manifest& m, const std::string& layer, const geometry::Box& degrees) {
  if (layer != "tile" && layer != "location")
    throw Error::failed("asking for ids in a box: there is no layer \"" + layer + "\"; use tile or location");
  const std::string sql = "SELECT f." + layer + "_id, f.geom FROM rtree_" + layer + "_geom r JOIN " + layer +
                          " f ON f.fid = r.id WHERE r.maxx >= ?1 AND r.minx <= ?3 AND r.maxy >= ?2 AND r.miny <= ?4 ORDER BY 1";
  std::vector<std::string> ids;
  each_row(m, "asking for ids in a box", sql,
           [&](SQLite::Statement& row) {
             std::string id;
             geometry::GeoMultiPolygon geom;
             Columns(row) >> id >> geom;
             if (any_part_touches(geom, degrees)) ids.push_back(std::move(id));
           },
           degrees.min_x, degrees.min_y, degrees.max_x, degrees.max_y);
  return ids;
}

}  // namespace tilewright::index
