// SPDX-License-Identifier: Apache-2.0
// The period in which a label holds, and how far a view lies from it.
#pragma once

#include <optional>
#include <string>

#include "index/rows.h"
#include "pipeline/config/label_config.h"

namespace tilewright::pipeline {

/// First and last day as their midnights, both days belong to it; nullopt = open on that side. Both
/// open: not dated.
struct ValidPeriod {
  index::Timestamp from, to;
  [[nodiscard]] bool is_dated() const { return from.has_value() || to.has_value(); }
  auto operator<=>(const ValidPeriod&) const = default;
};

/// `2018` (the year), `2018-05-07`, `20180507`, `2018/05/07`, or a time of that day: the day. nullopt
/// for anything else and for days that do not exist.
std::optional<ValidPeriod> period_of(const std::string& text);
/// From the first day of `from` to the last day of `to` (nullopt: of `from`'s own period).
std::optional<ValidPeriod> period_of(const std::string& from, const std::optional<std::string>& to);
/// Of `layers.X.valid` without a field: from the first day of `from` to the last of `to`. Validation has
/// read the texts.
ValidPeriod constant_period(const std::optional<ValidConfig>& valid);

/// Days from a time to the period's first or last midnight, 0 inside; infinite if the time is not known.
double days_from(const ValidPeriod& period, const index::Timestamp& time);
/// True if the period holds a day of the time's year; false if the time is not known.
bool shares_year(const ValidPeriod& period, const index::Timestamp& time);
/// `20180507` of the first day, "" if the period has none: for member names.
std::string day_of(const ValidPeriod& period);

}  // namespace tilewright::pipeline
