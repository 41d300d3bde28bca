// SPDX-License-Identifier: Apache-2.0
// Periods from texts and distances to them.
#include "pipeline/config/valid_period.h"

#include <algorithm>
#include <limits>
#include <regex>

#include "index/timestamp.h"

namespace tilewright::pipeline {
namespace {

constexpr double kDay_s = 86400;

std::string midnight_of(const std::string& day) { return day + "T00:00:00.000Z"; }

}  // namespace

std::optional<ValidPeriod> period_of(const std::string& text) {
  static const std::regex year("\\s*(\\d{4})(?:\\.0*)?\\s*"), day("\\s*(\\d{4})([-/]?)(\\d{2})\\2(\\d{2})(?:[T ].*)?\\s*");
  std::smatch found;
  if (std::regex_match(text, found, year)) return ValidPeriod{midnight_of(found[1].str() + "-01-01"), midnight_of(found[1].str() + "-12-31")};
  if (!std::regex_match(text, found, day)) return std::nullopt;
  const std::string date = found[1].str() + "-" + found[3].str() + "-" + found[4].str();
  if (!index::seconds_of(date)) return std::nullopt;
  return ValidPeriod{midnight_of(date), midnight_of(date)};
}

std::optional<ValidPeriod> period_of(const std::string& from, const std::optional<std::string>& to) {
  auto period = period_of(from);
  if (!period || !to) return period;
  const auto last = period_of(*to);
  if (!last || *last->to < *period->from) return std::nullopt;
  period->to = last->to;
  return period;
}

ValidPeriod constant_period(const std::optional<ValidConfig>& valid) {
  ValidPeriod period;
  if (valid && valid->from) period.from = period_of(*valid->from).value_or(ValidPeriod{}).from;
  if (valid && valid->to) period.to = period_of(*valid->to).value_or(ValidPeriod{}).to;
  return period;
}

double days_from(const ValidPeriod& period, const index::Timestamp& time) {
  const auto at = time ? index::seconds_of(*time) : std::nullopt;
  if (!at) return std::numeric_limits<double>::infinity();
  const double before = period.from ? *index::seconds_of(*period.from) - *at : 0, after = period.to ? *at - *index::seconds_of(*period.to) : 0;
  return std::max({before, after < kDay_s ? 0.0 : after, 0.0}) / kDay_s;  // the last day belongs to it
}

bool shares_year(const ValidPeriod& period, const index::Timestamp& time) {
  if (!time) return false;
  const auto year = [](const std::string& text) { return text.substr(0, 4); };
  return (!period.from || year(*period.from) <= year(*time)) && (!period.to || year(*period.to) >= year(*time));
}

std::string day_of(const ValidPeriod& period) {
  if (!period.from) return "";
  return period.from->substr(0, 4) + period.from->substr(5, 2) + period.from->substr(8, 2);
}

}  // namespace tilewright::pipeline
