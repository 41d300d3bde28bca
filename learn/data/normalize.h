// SPDX-License-Identifier: Apache-2.0
// How raw pixels become network input: the normalize table.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "learn/config/dataset_file.h"

namespace tilewright::learn {

/// y = clip((x - center) * gain, low, high); computed in double, kept as float32.
struct BandScaling {
  double center = 0, gain = 1;
  double low = -std::numeric_limits<double>::infinity(),
         high = std::numeric_limits<double>::infinity();
  [[nodiscard]] float operator()(float x) const;
};

struct ValueRange {
  double min = 0, max = 0;  ///< of the values of one band of one sample
};

struct NormalizeRow {
  std::string_view name, formula;
  bool is_local;  ///< depends on the range of the sample (minmax_local) or of its crop (max_local)
  BandScaling (*scaling)(const BandStatistics&, const BandInfo&, ValueRange);
};

/// In the order of the manual. A band without spread (std, p98 - p2 or max - min of 0) becomes 0.
std::span<const NormalizeRow> normalize_table();
/// Throws Error::config with the names that exist.
const NormalizeRow& normalize_row(const std::string& name);

}  // namespace tilewright::learn
