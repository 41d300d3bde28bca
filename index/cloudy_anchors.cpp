// SPDX-License-Identifier: Apache-2.0
// Cloudy pixels of every window by running sums over columns, then over rows.
#include "index/cloudy_anchors.h"

#include <algorithm>
#include <vector>

#include "geometry/runs.h"

namespace tilewright::index {
namespace {

using geometry::RunMask;

class CloudSums {
 public:
  CloudSums(const RunMask& cloud, int size_px, double max_frac)
      : cloud_(cloud), size_(size_px), area_(static_cast<double>(size_px) * size_px), max_frac_(max_frac), in_column_(static_cast<std::size_t>(cloud.width()), 0) {}

  void add_row(std::int64_t row, int sign) {
    for (const auto& run : cloud_.row(row)) {
      for (auto col = run.begin; col < run.end; ++col) in_column_[static_cast<std::size_t>(col)] += sign;
      total_ += std::int64_t{sign} * (run.end - run.begin);
    }
  }

  /// Of the rows that are in now.
  [[nodiscard]] geometry::Runs too_cloudy() const {
    geometry::Runs runs;
    if (static_cast<double>(total_) / area_ <= max_frac_) return runs;  // no window has more than all of them
    const auto count = cloud_.width() - size_ + 1;
    std::int64_t cloudy = 0;
    for (std::int64_t col = 0; col < size_ - 1; ++col) cloudy += in_column_[static_cast<std::size_t>(col)];
    for (std::int64_t col = 0; col < count; ++col) {
      cloudy += in_column_[static_cast<std::size_t>(col + size_ - 1)];
      if (static_cast<double>(cloudy) / area_ > max_frac_) {
        const auto at = static_cast<std::int32_t>(col);
        if (!runs.empty() && runs.back().end == at) ++runs.back().end;
        else runs.push_back({at, at + 1});
      }
      cloudy -= in_column_[static_cast<std::size_t>(col)];
    }
    return runs;
  }

 private:
  const RunMask& cloud_;
  std::int64_t size_;
  double area_, max_frac_;
  std::vector<std::int32_t> in_column_;
  std::int64_t total_ = 0;
};

}  // namespace

RunMask too_cloudy_anchors(const RunMask& cloud, std::int64_t row, std::int64_t row_end, int size_px, double max_frac) {
  if (cloud.width() < size_px || cloud.height() < size_px) return {};
  bool is_clear = true;
  for (auto r = row; r < row_end + size_px - 1 && is_clear; ++r) is_clear = cloud.row(r).empty();
  if (is_clear) return {};
  CloudSums sums(cloud, size_px, max_frac);
  for (auto r = row; r < row + size_px - 1; ++r) sums.add_row(r, 1);
  RunMask anchors(cloud.width() - size_px + 1);
  for (auto r = row; r < row_end; ++r) {
    sums.add_row(r + size_px - 1, 1);
    anchors.append_row(sums.too_cloudy());
    sums.add_row(r, -1);
  }
  return anchors;
}

}  // namespace tilewright::index
