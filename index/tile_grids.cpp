// SPDX-License-Identifier: Apache-2.0
// Rows of tile_grid: written, listed, and masks decoded.
#include "index/tile_grids.h"

#include "index/plan_rows.h"

#include "geometry/error.h"
#include "index/manifest_sql.h"

namespace tilewright::index {
namespace {

constexpr const char* kGridColumns =
    "SELECT g.tile_id, g.affine_a, g.affine_b, g.affine_c, g.affine_d, g.affine_e, g.affine_f, g.crs_wkt, g.width_px, g.height_px "
    "FROM tile_grid g ";

TileGridRow grid_of(SQLite::Statement& row) {
  TileGridRow g;
  Columns(row) >> g.tile_id >> g.affine.a >> g.affine.b >> g.affine.c >> g.affine.d >> g.affine.e >> g.affine.f >> g.crs_wkt >> g.width_px >>
      g.height_px;
  return g;
}

/// A file of schema version 1 that is opened to read has no such table.
bool has_grids(const Manifest& m) {
  return with_purpose(m, "looking for tile_grid", [&] { return m.database().tableExists("tile_grid"); });
}

[[noreturn]] void fail(const Manifest& m, const std::string& tile_id, const std::string& found) {
  throw Error::failed("reading the masks of tile " + tile_id + " from " + m.file().string() + ": " + found + "; run scan again with --force scan");
}

geometry::RunMask mask_of(const Manifest& m, const std::string& tile_id, const SQLite::Column& column, std::int64_t width, std::int64_t height) {
  const auto* bytes = static_cast<const std::byte*>(column.getBlob());
  auto mask = geometry::RunMask::decoded({bytes, static_cast<std::size_t>(column.getBytes())}, width, height);
  if (!mask) fail(m, tile_id, std::string(column.getName()) + " is not a mask of " + std::to_string(width) + " x " + std::to_string(height) + " pixels");
  return std::move(*mask);
}

}  // namespace

void insert(Manifest& m, const TileGridRow& g, const EncodedMasks& masks) {
  write(m, "adding the grid of a tile",
        "INSERT INTO tile_grid(tile_id, affine_a, affine_b, affine_c, affine_d, affine_e, affine_f, crs_wkt, width_px, height_px, valid, cloud) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        g.tile_id, g.affine.a, g.affine.b, g.affine.c, g.affine.d, g.affine.e, g.affine.f, g.crs_wkt, g.width_px, g.height_px, masks.valid,
        masks.cloud);
}

std::vector<TileGridRow> tile_grids(const Manifest& m, const std::string& source) {
  std::vector<TileGridRow> rows;
  if (!has_grids(m)) return rows;
  const auto take = [&](SQLite::Statement& row) { rows.push_back(grid_of(row)); };
  const std::string order = "ORDER BY g.tile_id";
  if (source.empty())
    each_row(m, "reading grids of tiles", kGridColumns + order, take);
  else
    each_row(m, "reading grids of tiles", kGridColumns + ("JOIN tile t ON t.tile_id = g.tile_id WHERE t.source = ?1 " + order), take, source);
  return rows;
}

void each_tile_grid(const Manifest& m, const std::string& source, const std::function<void(TileGridRow)>& use) {
  if (!has_grids(m)) return;
  each_row(m, "reading grids of tiles", std::string(kGridColumns) + "JOIN tile t ON t.tile_id = g.tile_id WHERE t.source = ?1 ORDER BY g.tile_id",
           [&](SQLite::Statement& row) { use(grid_of(row)); }, source);
}

std::optional<TileGridRow> tile_grid(const Manifest& m, const std::string& tile_id) {
  std::optional<TileGridRow> found;
  if (has_grids(m))
    each_row(m, "reading the grid of a tile", std::string(kGridColumns) + "WHERE g.tile_id = ?1", [&](SQLite::Statement& row) { found = grid_of(row); },
             tile_id);
  return found;
}

TileMasks tile_masks(const Manifest& m, const std::string& tile_id) {
  std::optional<TileMasks> masks;
  if (has_grids(m))
    each_row(m, "reading the masks of a tile", "SELECT valid, cloud, width_px, height_px FROM tile_grid WHERE tile_id = ?1",
             [&](SQLite::Statement& row) {
               const auto width = row.getColumn(2).getInt64(), height = row.getColumn(3).getInt64();
               masks.emplace(mask_of(m, tile_id, row.getColumn(0), width, height), std::nullopt);
               if (!row.isColumnNull(1)) masks->cloud = mask_of(m, tile_id, row.getColumn(1), width, height);
             },
             tile_id);
  if (!masks) fail(m, tile_id, "there are none");
  return std::move(*masks);
}

}  // namespace tilewright::index
