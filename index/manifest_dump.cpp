// SPDX-License-Identifier: Apache-2.0
// The canonical dump: data rows in natural order, without what differs between equal runs.
#include <algorithm>
#include <cstdio>

#include "index/manifest_schema.h"
#include "index/manifest_sql.h"

namespace tilewright::index {
namespace {

std::string identifier(std::string_view name) { return "\"" + std::string(name) + "\""; }

bool lists(std::string_view blank_separated, std::string_view word) {
  const std::string padded = " " + std::string(blank_separated) + " ";
  return padded.find(" " + std::string(word) + " ") != std::string::npos;
}

std::vector<std::string> dumped_columns(const Manifest& m, const TableInfo& table) {
  std::vector<std::string> columns;
  each_row(m, "listing columns", "SELECT name FROM pragma_table_info(?1) ORDER BY name",
           [&](SQLite::Statement& row) {
             auto name = row.getColumn(0).getString();
             if (!lists(table.volatile_columns, name)) columns.push_back(std::move(name));
           },
           std::string(table.name));
  return columns;
}

void append_hex(std::string& out, const SQLite::Column& blob) {
  constexpr const char* digits = "0123456789abcdef";
  const auto* bytes = static_cast<const unsigned char*>(blob.getBlob());
  out += "x'";
  for (int n = 0; n < blob.getBytes(); ++n) {
    out += digits[bytes[n] >> 4];
    out += digits[bytes[n] & 15];
  }
  out += '\'';
}

void append_text(std::string& out, const std::string& text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      default: out += c;
    }
  }
  out += '"';
}

void append_value(std::string& out, const SQLite::Column& value) {
  if (value.isNull()) {
    out += "NULL";
  } else if (value.isInteger()) {
    out += std::to_string(value.getInt64());
  } else if (value.isFloat()) {
    char text[40];
    const int length = std::snprintf(text, sizeof text, "%.17g", value.getDouble());
    out.append(text, static_cast<std::size_t>(length));
  } else if (value.isBlob()) {
    append_hex(out, value);
  } else {
    append_text(out, value.getString());
  }
}

void append_table(std::string& out, const Manifest& m, const TableInfo& table) {
  const auto columns = dumped_columns(m, table);
  if (columns.empty()) return;  // a file of an older version, opened to read
  std::string list;
  for (const auto& column : columns) list += (list.empty() ? "" : ", ") + identifier(column);
  std::string sql = "SELECT " + list + " FROM " + identifier(table.name);
  if (!table.volatile_rows.empty()) sql += " WHERE NOT (" + std::string(table.volatile_rows) + ")";
  // Rows that agree in the natural key are ordered by all they hold.
  sql += " ORDER BY " + std::string(table.natural_key) + ", " + list;
  out += "# " + std::string(table.name) + ": " + list + "\n";
  each_row(m, "dumping a table", sql, [&](SQLite::Statement& row) {
    for (int n = 0; n < row.getColumnCount(); ++n) {
      if (n > 0) out += '\t';
      append_value(out, row.getColumn(n));
    }
    out += '\n';
  });
}

}  // namespace

std::string canonical_dump(const Manifest& m) {
  std::string out;
  for (const auto& table : tables()) append_table(out, m, table);
  return out;
}

}  // namespace tilewright::index
