// SPDX-License-Identifier: Apache-2.0
// The parser of subset rules.
#include "index/where_parse.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "geometry/error.h"
#include "index/where.h"

namespace tilewright::index {
namespace {

constexpr int kDeepest = 100;

struct Column {
  std::string_view name;
  std::string_view sql;
  bool is_text;
};
/// Everything else that looks like a name is a metric.
constexpr std::array kColumns = {
    Column{"view_count", "l.view_count", false},
    Column{"epsg", "l.epsg", false},
    Column{"split", "l.split", true},
    Column{"positive_frac", "(SELECT positive_frac FROM mask WHERE location_id = l.location_id AND layer = ?1 ORDER BY valid_from DESC LIMIT 1)", false},
    Column{"ignore_frac", "(SELECT ignore_frac FROM mask WHERE location_id = l.location_id AND layer = ?1 ORDER BY valid_from DESC LIMIT 1)", false},
    Column{"object_count", "(SELECT object_count FROM mask WHERE location_id = l.location_id AND layer = ?1 ORDER BY valid_from DESC LIMIT 1)", false},
};

enum class Kind { end, name, number, text, comparison, open, close };
struct Token {
  Kind kind = Kind::end;
  std::string text;
  double number = 0;
  std::size_t at = 0;
};

class Parser {
 public:
  explicit Parser(const std::string& rule) : rule_(rule) { advance(); }

  WhereSql parse() {
    sql_.condition = any_of(0);
    if (token_.kind != Kind::end) fail("expected and, or, or the end of the rule");
    return std::move(sql_);
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    const std::string found = token_.kind == Kind::end ? "the end" : "\"" + token_.text + "\"";
    throw Error::config("rule \"" + rule_ + "\", position " + std::to_string(token_.at + 1) + ": found " + found + "; " + expected);
  }

  std::string any_of(int depth) {
    std::string sql = all_of(depth);
    while (takes_word("or")) sql = "(" + sql + " OR " + all_of(depth) + ")";
    return sql;
  }
  std::string all_of(int depth) {
    std::string sql = one(depth);
    while (takes_word("and")) sql = "(" + sql + " AND " + one(depth) + ")";
    return sql;
  }
  std::string one(int depth) {
    if (depth > kDeepest) fail("the rule is nested too deeply; use fewer parentheses");
    if (takes_word("not")) return "(NOT " + one(depth + 1) + ")";
    if (token_.kind != Kind::open) return comparison();
    advance();
    auto sql = any_of(depth + 1);
    if (token_.kind != Kind::close) fail("expected )");
    advance();
    return sql;
  }

  std::string comparison() {
    if (token_.kind != Kind::name || is_word()) fail("expected a metric or column, not, or (");
    const std::string name = token_.text;
    advance();
    if (token_.kind != Kind::comparison) fail("expected one of < <= > >= = != after " + name);
    const std::string operation = token_.text;
    advance();
    const auto* column = std::ranges::find(kColumns, name, &Column::name);
    const bool is_text = column != kColumns.end() && column->is_text;
    const auto value = this->value(name, is_text);
    return operand(name) + " " + operation + " " + value;
  }

  /// The placeholder of a bound value.
  std::string value(const std::string& name, bool is_text) {
    if (is_text) {
      if (token_.kind != Kind::text && (token_.kind != Kind::name || is_word())) fail("expected a name such as 'train' to compare " + name + " with");
      sql_.values.emplace_back(token_.text);
    } else {
      if (token_.kind != Kind::number) fail("expected a number to compare " + name + " with");
      sql_.values.emplace_back(token_.number);
    }
    advance();
    return "?" + std::to_string(sql_.values.size() + 1);
  }

  std::string operand(const std::string& name) {
    const auto* column = std::ranges::find(kColumns, name, &Column::name);
    if (column != kColumns.end()) return std::string(column->sql);
    if (std::ranges::find(sql_.metrics, name) == sql_.metrics.end()) sql_.metrics.push_back(name);
    sql_.values.emplace_back(name);
    return "(SELECT value FROM score WHERE location_id = l.location_id AND layer = ?1 AND metric = ?" + std::to_string(sql_.values.size() + 1) +
           " AND tile_id IS NULL AND object_id IS NULL)";
  }

  [[nodiscard]] bool is_word() const { return token_.kind == Kind::name && (token_.text == "and" || token_.text == "or" || token_.text == "not"); }
  bool takes_word(std::string_view word) {
    if (token_.kind != Kind::name || token_.text != word) return false;
    advance();
    return true;
  }

  void advance() {
    while (at_ < rule_.size() && std::isspace(static_cast<unsigned char>(rule_[at_])) != 0) ++at_;
    token_ = {.kind = Kind::end, .text = "", .number = 0, .at = at_};
    if (at_ == rule_.size()) return;
    const char c = rule_[at_];
    if (std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_') return read_name();
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '+' || c == '.') return read_number();
    if (c == '\'' || c == '"') return read_text(c);
    if (c == '(' || c == ')') return take(c == '(' ? Kind::open : Kind::close, 1);
    for (const std::string_view operation : {"<=", ">=", "!=", "==", "<>", "<", ">", "="})
      if (std::string_view(rule_).substr(at_).starts_with(operation)) return take(Kind::comparison, operation.size());
    token_.text = std::string(1, c);
    fail("this character means nothing in a rule");
  }

  void take(Kind kind, std::size_t length) {
    token_.kind = kind;
    token_.text = rule_.substr(at_, length);
    at_ += length;
    if (token_.text == "==") token_.text = "=";
    if (token_.text == "<>") token_.text = "!=";
  }
  void read_name() {
    auto end = at_;
    while (end < rule_.size() && (std::isalnum(static_cast<unsigned char>(rule_[end])) != 0 || rule_[end] == '_')) ++end;
    take(Kind::name, end - at_);
  }
  void read_number() {
    const char* begin = rule_.data() + at_ + (rule_[at_] == '+' ? 1 : 0);
    const auto [end, error] = std::from_chars(begin, rule_.data() + rule_.size(), token_.number);
    token_.text = rule_.substr(at_, 1);
    if (error != std::errc() || !std::isfinite(token_.number)) fail("expected a number");
    take(Kind::number, static_cast<std::size_t>(end - rule_.data()) - at_);
  }
  void read_text(char quote) {
    const auto end = rule_.find(quote, at_ + 1);
    token_.text = rule_.substr(at_, 1);
    if (end == std::string::npos) fail("the quote is not closed");
    const auto text = rule_.substr(at_ + 1, end - at_ - 1);
    take(Kind::text, end + 1 - at_);
    token_.text = text;
  }

  const std::string& rule_;
  std::size_t at_ = 0;
  Token token_;
  WhereSql sql_;
};

}  // namespace

std::vector<std::string> where_columns() {
  std::vector<std::string> names;
  for (const auto& column : kColumns) names.emplace_back(column.name);
  return names;
}

WhereSql parse_where(const std::string& rule) { return Parser(rule).parse(); }

std::optional<std::string> number_column(std::string_view name) {
  const auto* column = std::ranges::find(kColumns, name, &Column::name);
  if (column == kColumns.end() || column->is_text) return std::nullopt;
  return std::string(column->sql);
}

}  // namespace tilewright::index
