// SPDX-License-Identifier: Apache-2.0
// How windows are placed, and the rules of a job about dates and sources of their views.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright::index {

enum class Placement { lattice, best_phase, shelf, whole, points };

/// Part of every year (`MM-DD` to `MM-DD`, may pass the new year) or of time (`YYYY-MM-DD`); both ends included.
struct Period {
  std::string name, from, to;
  bool operator==(const Period&) const = default;
};
/// December to February, March to May ...: named by months, so that they say the same on both hemispheres.
std::vector<Period> seasons();
/// What is wrong with a period, "" if nothing.
std::string fault_of(const Period& period);
/// Two sound periods of one form that share a day.
bool overlap(const Period& a, const Period& b);
/// Days between a timestamp and the middle of the period; nullopt outside it. `period` must be sound.
std::optional<double> days_from_middle(const Period& period, const std::string& timestamp);

/// Views of `partner` that go with views of `anchor`: the nearest in time, at most `max_days` away.
struct PairRule {
  std::string anchor, partner;
  double max_days = 1;
  bool required = true;                ///< false: an anchor's view counts without a partner too
  bool operator==(const PairRule&) const = default;
};

}  // namespace tilewright::index
