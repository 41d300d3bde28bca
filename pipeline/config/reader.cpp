// SPDX-License-Identifier: Apache-2.0
// Scalars of a job: strict about what YAML readers disagree on, with the remedy in the text.
#include "pipeline/config/reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "pipeline/config/load.h"

namespace tilewright::pipeline {
namespace {

std::string number_text(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return error == std::errc{} ? std::string(buffer, end) : "?";
}

bool is_limited(double bound) { return std::abs(bound) < 1e308; }

std::string wanted_range(const Limits& limits) {
  const auto least = (limits.min_is_open ? "more than " : "at least ") + number_text(limits.min);
  const auto most = "at most " + number_text(limits.max);
  if (is_limited(limits.min) && is_limited(limits.max)) return least + " and " + most;
  return is_limited(limits.min) ? least : most;
}

bool check_limits(const Cursor& at, double value, const Limits& limits) {
  const bool low = limits.min_is_open ? value <= limits.min : value < limits.min;
  if (!low && value <= limits.max) return true;
  at.expected(wanted_range(limits));
  return false;
}

/// A plain scalar, or a problem that says what to write instead.
bool is_plain_number_text(const Cursor& at, const std::string& wanted) {
  if (!at.node.is_scalar()) {
    at.expected(wanted);
    return false;
  }
  if (at.node.is_quoted) {
    at.expected(wanted + "; remove the quotes");
    return false;
  }
  if (const auto trap = number_trap(at.node.text); !trap.empty()) {
    at.expected(wanted + "; " + trap);
    return false;
  }
  return true;
}

template <class Integer>
std::optional<Integer> parse_whole(const std::string& text) {
  Integer value = 0;
  const auto* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error == std::errc{} && stop == end && begin != end) return value;
  const auto number = number_of(text);  // 1e3 and 20.0 are whole numbers too
  if (!number || std::floor(*number) != *number || std::abs(*number) > 9007199254740992.0) return std::nullopt;
  if (*number < 0 && std::is_unsigned_v<Integer>) return std::nullopt;
  return static_cast<Integer>(*number);
}

std::string list_of(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace

std::optional<bool> read_bool(const Cursor& at) {
  if (at.node.is_scalar() && !at.node.is_quoted && (at.node.text == "true" || at.node.text == "false")) return at.node.text == "true";
  at.expected(at.node.is_scalar() ? "true or false, without quotes (yes, no, on and off are not read)" : "true or false");
  return std::nullopt;
}

std::optional<std::int64_t> read_integer(const Cursor& at, std::int64_t least, std::int64_t most, const Limits& limits) {
  if (!is_plain_number_text(at, "a whole number")) return std::nullopt;
  const auto value = parse_whole<std::int64_t>(at.node.text);
  if (!value) {
    at.expected("a whole number");
    return std::nullopt;
  }
  if (*value < least || *value > most) {
    at.expected("a whole number between " + std::to_string(least) + " and " + std::to_string(most));
    return std::nullopt;
  }
  return check_limits(at, static_cast<double>(*value), limits) ? value : std::nullopt;
}

std::optional<std::uint64_t> read_unsigned(const Cursor& at, const Limits& limits) {
  if (!is_plain_number_text(at, "a whole number of 0 or more")) return std::nullopt;
  const auto value = parse_whole<std::uint64_t>(at.node.text);
  if (!value) at.expected("a whole number of 0 or more");
  return value && check_limits(at, static_cast<double>(*value), limits) ? value : std::nullopt;
}

std::optional<double> read_number(const Cursor& at, const Limits& limits) {
  if (!is_plain_number_text(at, "a number")) return std::nullopt;
  const auto value = number_of(at.node.text);
  if (!value) at.expected("a finite number such as 0.5 or 1e-4");
  return value && check_limits(at, *value, limits) ? value : std::nullopt;
}

std::optional<std::string> read_text(const Cursor& at, const Limits& limits) {
  if (at.node.is_null()) {
    at.expected("a text (a # begins a comment: quote texts that have one), or leave the key out");
    return std::nullopt;
  }
  if (!at.node.is_scalar()) {
    at.expected("a text");
    return std::nullopt;
  }
  if (!at.node.is_quoted && (at.node.text == "true" || at.node.text == "false")) {
    at.expected("a text; quote it if this is meant");
    return std::nullopt;
  }
  if (at.node.text.find('\0') != std::string::npos) {
    at.wrong("holds a NUL character; remove it");
    return std::nullopt;
  }
  if (limits.one_of.empty()) return at.node.text;
  const std::vector<std::string> names(limits.one_of.begin(), limits.one_of.end());
  const auto choice = read_choice(at, names);
  return choice ? std::optional(names[*choice]) : std::nullopt;
}

std::optional<std::size_t> read_choice(const Cursor& at, const std::vector<std::string>& names) {
  if (at.node.is_scalar()) {
    const auto found = std::find(names.begin(), names.end(), at.node.text);
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  }
  const auto near = at.node.is_scalar() ? nearest_name(at.node.text, names) : "";
  at.expected("one of " + list_of(names) + (near.empty() ? "" : "; did you mean " + near + "?"));
  return std::nullopt;
}

void refuse_unknown(const Cursor& at, const std::vector<std::string>& known) {
  for (const auto& entry : at.node.entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const auto near = nearest_name(entry.key, known);
    const auto& place = entry.value.place.origin.empty() ? entry.key_place : entry.value.place;
    at.problems.push_back({place, join_path(at.path, entry.key),
                           "unknown key; " + (near.empty() ? "keys here are " + list_of(known) : "did you mean " + near + "?")});
  }
}

}  // namespace tilewright::pipeline
