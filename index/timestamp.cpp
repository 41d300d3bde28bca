// SPDX-License-Identifier: Apache-2.0
// Parsing timestamps of fixed form.
#include "index/timestamp.h"

#include <charconv>
#include <chrono>
#include <string_view>

namespace tilewright::index {
namespace {

/// Digits of a fixed place, nullopt if any is none.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (text.size() < at + count) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<double> time_of_day(std::string_view text) {
  const auto hour = digits(text, 0, 2), minute = digits(text, 3, 2), second = digits(text, 6, 2);
  if (!hour || !minute || !second || text[2] != ':' || text[5] != ':') return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  double seconds = *hour * 3600.0 + *minute * 60.0 + *second;
  std::string_view rest = text.substr(8);
  if (rest.starts_with('.')) {
    double fraction = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), fraction);
    if (error != std::errc()) return std::nullopt;
    seconds += fraction;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  }
  if (rest != "Z" && !rest.empty()) return std::nullopt;
  return seconds;
}

}  // namespace

std::optional<double> seconds_of(const std::string& timestamp) {
  const std::string_view text = timestamp;
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  if (!year || !month || !day || text[4] != '-' || text[7] != '-') return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const double midnight = static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count()) * 86400.0;
  if (text.size() == 10) return midnight;
  if (text[10] != 'T' && text[10] != ' ') return std::nullopt;
  const auto time = time_of_day(text.substr(11));
  if (!time) return std::nullopt;
  return midnight + *time;
}

}  // namespace tilewright::index
