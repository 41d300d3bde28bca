// SPDX-License-Identifier: Apache-2.0
// Bound SQL for this room: cached statements, binding of row members, errors with file and purpose.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "index/manifest.h"

namespace tilewright::index {

/// Statements that write, compiled once a connection; always reset after use.
struct Manifest::Statements {
  std::map<std::string, SQLite::Statement, std::less<>> by_sql;
};

/// The error of SQLite as ours: what we did, to which file, what was found, what helps.
[[noreturn]] void throw_sql_error(const Manifest& manifest, const std::string& purpose, const SQLite::Exception& error);

/// Runs `work`; an exception of SQLite names the file and `purpose`.
template <class F>
decltype(auto) with_purpose(const Manifest& manifest, const std::string& purpose, F&& work) {
  try {
    return std::forward<F>(work)();
  } catch (const SQLite::Exception& error) {
    throw_sql_error(manifest, purpose, error);
  }
}

using Blob = std::vector<std::byte>;

inline void bind_value(SQLite::Statement& s, int n, const std::string& value) { s.bindNoCopy(n, value); }
inline void bind_value(SQLite::Statement& s, int n, int value) { s.bind(n, value); }
inline void bind_value(SQLite::Statement& s, int n, std::int64_t value) { s.bind(n, value); }
inline void bind_value(SQLite::Statement& s, int n, double value) { s.bind(n, value); }
inline void bind_value(SQLite::Statement& s, int n, bool value) { s.bind(n, value ? 1 : 0); }
inline void bind_value(SQLite::Statement& s, int n, const Blob& value) {
  s.bindNoCopy(n, value.data(), static_cast<int>(value.size()));
}
template <class T>
void bind_value(SQLite::Statement& s, int n, const std::optional<T>& value) {
  if (value)
    bind_value(s, n, *value);
  else
    s.bind(n);
}

/// Binds ?1, ?2, ... in order; the values outlive the statement's use.
template <class... V>
void bind_all(SQLite::Statement& statement, const V&... values) {
  int n = 0;
  (bind_value(statement, ++n, values), ...);
}

/// Executes one writing statement with cached compilation.
template <class... V>
int write(Manifest& manifest, const char* purpose, const char* sql, const V&... values) {
  return with_purpose(manifest, purpose, [&] {
    auto& cache = manifest.statements().by_sql;
    auto found = cache.find(std::string_view(sql));
    if (found == cache.end()) found = cache.emplace(sql, SQLite::Statement(manifest.database(), sql)).first;
    auto& statement = found->second;
    bind_all(statement, values...);
    struct Reset {
      SQLite::Statement& statement;
      ~Reset() { statement.tryReset(); }
    } reset{statement};
    return statement.exec();
  });
}

/// Calls `row(statement)` for each row.
template <class F, class... V>
void each_row(const Manifest& manifest, const char* purpose, const std::string& sql, F&& row, const V&... values) {
  with_purpose(manifest, purpose, [&] {
    SQLite::Statement statement(manifest.database(), sql);
    bind_all(statement, values...);
    while (statement.executeStep()) row(statement);
  });
}

/// Reads columns one after the other.
class Columns {
 public:
  explicit Columns(SQLite::Statement& statement) : statement_(statement) {}
  Columns& operator>>(std::string& value) {
    value = next().getString();
    return *this;
  }
  Columns& operator>>(int& value) {
    value = next().getInt();
    return *this;
  }
  Columns& operator>>(std::int64_t& value) {
    value = next().getInt64();
    return *this;
  }
  Columns& operator>>(double& value) {
    value = next().getDouble();
    return *this;
  }
  Columns& operator>>(bool& value) {
    value = next().getInt() != 0;
    return *this;
  }
  Columns& operator>>(geometry::GeoMultiPolygon& value);
  template <class T>
  Columns& operator>>(std::optional<T>& value) {
    if (statement_.isColumnNull(column_)) {
      ++column_;
      value.reset();
      return *this;
    }
    return *this >> value.emplace();
  }
  /// shard, member, byte_offset, byte_length, sha256; nullopt where shard is NULL.
  Columns& operator>>(std::optional<MemberPlace>& value);

 private:
  SQLite::Column next() { return statement_.getColumn(column_++); }
  SQLite::Statement& statement_;
  int column_ = 0;
};

}  // namespace tilewright::index
