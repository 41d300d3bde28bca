// SPDX-License-Identifier: Apache-2.0
// The schema of the manifest as append-only steps, and the tables that users see.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace SQLite {
class Database;
}

namespace tilewright::index {

inline constexpr int kApplicationId = 0x47504B47;  ///< "GPKG"
inline constexpr int kUserVersion = 10300;         ///< GeoPackage 1.3
inline constexpr int kSchemaVersion = 4;           ///< `meta.schema_version`; raised by each step

/// A registered table: how it is listed in gpkg_contents and in which order its rows are canonical.
struct TableInfo {
  std::string_view name;
  bool has_geometry;
  std::string_view natural_key;  ///< ORDER BY list of the canonical dump
  std::string_view volatile_columns;  ///< blank separated: ids, clocks and hosts, not dumped
  std::string_view volatile_rows;     ///< SQL condition of rows that are not dumped, "" = none
  std::string_view meaning;
  int since = 1;                      ///< schema version that brought it
};
std::span<const TableInfo> tables();

/// Creates everything in an empty database, as version `version` had it; call inside a transaction.
void create_schema(SQLite::Database& database, int version = kSchemaVersion);
/// Takes a database of version `from` to `to`, step by step; call inside a transaction.
void migrate_schema(SQLite::Database& database, int from, int to = kSchemaVersion);

/// The five functions that GeoPackage's R-tree triggers call: ST_IsEmpty, ST_MinX, ST_MaxX,
/// ST_MinY, ST_MaxY.
void register_st_functions(SQLite::Database& database);

}  // namespace tilewright::index
