// SPDX-License-Identifier: Apache-2.0
// Periods of the year and of time.
#include <chrono>
#include <cmath>
#include <string>

#include "index/placement.h"
#include "index/timestamp.h"

namespace tilewright::index {
namespace {

using std::chrono::sys_days;

constexpr double kDay_s = 86400;

bool is_yearly(const Period& period) { return period.from.size() == 5; }

/// Day of `MM-DD` in a year; 02-29 of a common year is the day after 02-28.
std::optional<double> day_of(const std::string& date, int year) {
  if (date.size() == 5) {  // not by text: the year before 0000 and the one after 9999 have none
    if (!seconds_of("2000-" + date)) return std::nullopt;
    if (date == "02-29" && !std::chrono::year(year).is_leap()) return day_of("03-01", year);
    const auto month = std::chrono::month(static_cast<unsigned>(std::stoul(date.substr(0, 2))));
    const auto day = std::chrono::day(static_cast<unsigned>(std::stoul(date.substr(3))));
    return static_cast<double>(sys_days(std::chrono::year(year) / month / day).time_since_epoch().count());
  }
  const auto seconds = date.size() == 10 ? seconds_of(date) : std::nullopt;
  return seconds ? std::optional(*seconds / kDay_s) : std::nullopt;
}

struct Days {
  double begin = 0, end = 0;  ///< half-open
};

Days days_in(const Period& period, int year) {
  const auto begin = *day_of(period.from, year);
  const bool passes_new_year = is_yearly(period) && period.from > period.to;
  const auto last = *day_of(period.to, passes_new_year ? year + 1 : year);
  const bool last_is_moved = period.to == "02-29" && !std::chrono::year(passes_new_year ? year + 1 : year).is_leap();
  return {begin, last_is_moved ? last : last + 1};
}

}  // namespace

std::vector<Period> seasons() {
  return {{"dec_feb", "12-01", "02-29"}, {"mar_may", "03-01", "05-31"}, {"jun_aug", "06-01", "08-31"}, {"sep_nov", "09-01", "11-30"}};
}

std::string fault_of(const Period& period) {
  for (const auto* date : {&period.from, &period.to})
    if (!day_of(*date, 2000)) return "'" + *date + "' is no date, expected MM-DD for every year or YYYY-MM-DD";
  if (period.from.size() != period.to.size()) return "from " + period.from + " and to " + period.to + " are of two forms, expected MM-DD twice or YYYY-MM-DD twice";
  if (!is_yearly(period) && period.from > period.to) return "ends on " + period.to + ", before it begins on " + period.from;
  return "";
}

bool overlap(const Period& a, const Period& b) {
  if (!is_yearly(a)) {
    const auto first = days_in(a, 0), second = days_in(b, 0);
    return first.begin < second.end && second.begin < first.end;
  }
  const auto first = days_in(a, 2000);  // a leap year: every day of a year is there
  for (const int year : {1999, 2000, 2001}) {
    const auto second = days_in(b, year);
    if (first.begin < second.end && second.begin < first.end) return true;
  }
  return false;
}

std::optional<double> days_from_middle(const Period& period, const std::string& timestamp) {
  const auto seconds = seconds_of(timestamp);
  if (!seconds) return std::nullopt;
  const double day = *seconds / kDay_s;
  const int year = static_cast<int>(std::chrono::year_month_day(sys_days(std::chrono::days(static_cast<int>(std::floor(day))))).year());
  for (const int start : {year - 1, year}) {
    const auto days = days_in(period, start);
    if (day >= days.begin && day < days.end) return std::abs(day - (days.begin + days.end) / 2);
    if (!is_yearly(period)) break;
  }
  return std::nullopt;
}

}  // namespace tilewright::index
