// SPDX-License-Identifier: Apache-2.0
// The five ST_ functions that GeoPackage's R-tree triggers call, on our own connection.
#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include "geometry/error.h"
#include "index/geopackage_blob.h"
#include "index/manifest_schema.h"

namespace tilewright::index {
namespace {

std::optional<geometry::Box> box_of(sqlite3_value* value) {
  if (sqlite3_value_type(value) != SQLITE_BLOB) return std::nullopt;
  const auto* bytes = static_cast<const std::byte*>(sqlite3_value_blob(value));
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(value));
  return box_of_blob({bytes, size});
}

void is_empty(sqlite3_context* context, int, sqlite3_value** values) {
  if (sqlite3_value_type(values[0]) != SQLITE_BLOB) {
    sqlite3_result_null(context);
    return;
  }
  sqlite3_result_int(context, box_of(values[0]) ? 0 : 1);
}

template <double geometry::Box::*Side>
void side(sqlite3_context* context, int, sqlite3_value** values) {
  const auto box = box_of(values[0]);
  if (box)
    sqlite3_result_double(context, (*box).*Side);
  else
    sqlite3_result_null(context);
}

void add(SQLite::Database& database, const char* name, void (*function)(sqlite3_context*, int, sqlite3_value**)) {
  const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;  // allowed in triggers of an untrusted schema
  const int rc = sqlite3_create_function_v2(database.getHandle(), name, 1, flags, nullptr, function, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) throw Error::failed(std::string("setting up SQL function ") + name + ": " + sqlite3_errstr(rc));
}

}  // namespace

void register_st_functions(SQLite::Database& database) {
  add(database, "ST_IsEmpty", is_empty);
  add(database, "ST_MinX", side<&geometry::Box::min_x>);
  add(database, "ST_MaxX", side<&geometry::Box::max_x>);
  add(database, "ST_MinY", side<&geometry::Box::min_y>);
  add(database, "ST_MaxY", side<&geometry::Box::max_y>);
}

}  // namespace tilewright::index
