// SPDX-License-Identifier: Apache-2.0
// Metrics of several classes a sample, and calibration.
#include "learn/train/label_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tilewright::learn {
namespace {

constexpr std::uint8_t kIgnored = 255;

std::optional<double> f1_of(std::int64_t hits, std::int64_t alarms, std::int64_t misses) {
  const auto all = 2 * hits + alarms + misses;
  if (all == 0) return std::nullopt;
  return static_cast<double>(2 * hits) / static_cast<double>(all);
}

}  // namespace

LabelCounts::LabelCounts(int classes)
    : hits_(static_cast<std::size_t>(classes), 0), alarms_(hits_), misses_(hits_) {}

void LabelCounts::add(std::span<const std::uint8_t> truth,
                      std::span<const std::uint8_t> prediction) {
  for (std::size_t k = 0; k < truth.size(); ++k) {
    if (truth[k] && prediction[k]) ++hits_[k];
    if (!truth[k] && prediction[k]) ++alarms_[k];
    if (truth[k] && !prediction[k]) ++misses_[k];
  }
  ++samples_;
  if (std::equal(truth.begin(), truth.end(), prediction.begin())) ++exact_;
}

LabelMetrics metrics_of(const LabelCounts& counts) {
  LabelMetrics out;
  std::int64_t hits = 0, alarms = 0, misses = 0;
  double sum = 0;
  int present = 0;
  for (int k = 0; k < counts.classes(); ++k) {
    out.f1.push_back(f1_of(counts.hits(k), counts.alarms(k), counts.misses(k)));
    if (out.f1.back()) sum += *out.f1.back(), ++present;
    hits += counts.hits(k), alarms += counts.alarms(k), misses += counts.misses(k);
  }
  out.f1_micro = f1_of(hits, alarms, misses).value_or(1);
  out.f1_macro = present == 0 ? 0 : sum / present;
  if (counts.samples() > 0)
    out.exact_match = static_cast<double>(counts.exact()) / static_cast<double>(counts.samples());
  return out;
}

void Calibration::add(std::span<const float> confidence, std::span<const std::uint8_t> truth,
                      std::span<const std::uint8_t> prediction) {
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] == kIgnored) continue;
    const auto number = std::clamp(static_cast<int>(confidence[i] * kBins), 0, kBins - 1);
    auto& bin = bins_[static_cast<std::size_t>(number)];
    ++bin.count;
    bin.right += truth[i] == prediction[i] ? 1 : 0;
    bin.confidence += static_cast<double>(confidence[i]);
  }
}

double Calibration::expected_error() const {
  double sum = 0;
  std::int64_t count = 0;
  for (const auto& bin : bins_) {
    sum += std::abs(static_cast<double>(bin.right) - bin.confidence);
    count += bin.count;
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

}  // namespace tilewright::learn
