// SPDX-License-Identifier: Apache-2.0
// The little language of subset rules: `combined >= 0.6 and not (view_count < 2)`.
#pragma once

#include <string>
#include <vector>

#include "index/manifest.h"

namespace tilewright::index {

/// Grammar: or-expr of and-expr of [not] ( comparison | "(" rule ")" ); comparison = metric or
/// location column, one of < <= > >= = !=, number or quoted name. A location without the metric
/// does not match. Returns the metrics that the rule names, in order of appearance. Throws Error::config with the
/// position and what was expected.
std::vector<std::string> check_where(const std::string& rule);

/// The columns that a rule may name beside metrics.
std::vector<std::string> where_columns();

/// Location ids of `layer` that match, in order of id; values are bound.
std::vector<std::string> select_where(const Manifest&, const std::string& layer, const std::string& rule);

/// The `top` locations by metric, best first; ties by location_id. Accepted ones lead, rejected ones are left out.
std::vector<std::string> select_top(const Manifest&, const std::string& layer, const std::string& metric,
                                    bool smaller_is_better, std::int64_t top);

}  // namespace tilewright::index
