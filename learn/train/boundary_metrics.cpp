// SPDX-License-Identifier: Apache-2.0
// Boundary IoU and boundary F1.
#include "learn/train/boundary_metrics.h"

#include <algorithm>

namespace tilewright::learn {
namespace {

constexpr std::uint8_t kIgnored = 255;

using Flags = std::vector<std::uint8_t>;

/// Marks every pixel that has a marked one within `reach` (squared distance).
Flags grown(const Flags& marks, int size, int reach_squared) {
  Flags out(marks.size(), 0);
  const int reach = reach_squared == 1 ? 1 : kBoundaryPx;
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x) {
      if (!marks[static_cast<std::size_t>(y * size + x)]) continue;
      for (int v = std::max(y - reach, 0); v <= std::min(y + reach, size - 1); ++v)
        for (int u = std::max(x - reach, 0); u <= std::min(x + reach, size - 1); ++u)
          if ((v - y) * (v - y) + (u - x) * (u - x) <= reach_squared)
            out[static_cast<std::size_t>(v * size + u)] = 1;
    }
  return out;
}

struct Outline {
  Flags edge, band;
};

/// Edge and band of the pixels of `labels` that are `k`; `truth` says what is ignored.
Outline outline_of(std::span<const std::uint8_t> labels, std::span<const std::uint8_t> truth,
                   std::uint8_t k, int size) {
  Flags outside(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i)
    outside[i] = truth[i] != kIgnored && labels[i] != k ? 1 : 0;
  Outline out{grown(outside, size, 1), grown(outside, size, kBoundaryPx * kBoundaryPx)};
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (truth[i] == kIgnored || labels[i] != k) out.edge[i] = out.band[i] = 0;
  return out;
}

std::int64_t count_of(const Flags& a) { return std::count(a.begin(), a.end(), 1); }
std::int64_t count_of_both(const Flags& a, const Flags& b) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] && b[i] ? 1 : 0;
  return count;
}

template <class Value>
double mean_over(const std::vector<BoundaryCounts>& classes, const Value& value_of) {
  double sum = 0;
  int count = 0;
  for (const auto& entry : classes)
    if (const auto value = value_of(entry)) sum += *value, ++count;
  return count == 0 ? 0 : sum / count;
}

}  // namespace

std::optional<double> BoundaryCounts::iou() const {
  if (band_either == 0) return std::nullopt;
  return static_cast<double>(band_both) / static_cast<double>(band_either);
}

std::optional<double> BoundaryCounts::f1() const {
  if (edge_truth + edge_guess == 0) return std::nullopt;
  if (edge_truth_met == 0 || edge_guess_met == 0) return 0;
  const double recall = static_cast<double>(edge_truth_met) / static_cast<double>(edge_truth),
               precision = static_cast<double>(edge_guess_met) / static_cast<double>(edge_guess);
  return 2 * precision * recall / (precision + recall);
}

void BoundarySums::add(std::span<const std::uint8_t> truth, std::span<const std::uint8_t> guess,
                       int size_px) {
  for (std::size_t k = 0; k < counts_.size(); ++k) {
    const auto number = static_cast<std::uint8_t>(k);
    const auto wanted = outline_of(truth, truth, number, size_px),
               found = outline_of(guess, truth, number, size_px);
    const auto both = count_of_both(wanted.band, found.band);
    constexpr int kReach = kBoundaryPx * kBoundaryPx;
    auto& counts = counts_[k];
    counts.band_both += both;
    counts.band_either += count_of(wanted.band) + count_of(found.band) - both;
    counts.edge_truth += count_of(wanted.edge);
    counts.edge_guess += count_of(found.edge);
    counts.edge_truth_met += count_of_both(wanted.edge, grown(found.edge, size_px, kReach));
    counts.edge_guess_met += count_of_both(found.edge, grown(wanted.edge, size_px, kReach));
  }
}

double BoundarySums::iou_macro() const {
  return mean_over(counts_, [](const BoundaryCounts& c) { return c.iou(); });
}
double BoundarySums::f1_macro() const {
  return mean_over(counts_, [](const BoundaryCounts& c) { return c.f1(); });
}

}  // namespace tilewright::learn
