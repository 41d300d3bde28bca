// SPDX-License-Identifier: Apache-2.0
// Thresholds of confident learning as factors of odds.
#include "pipeline/scores/unsure_classes.h"

#include <numeric>

namespace tilewright::pipeline {
namespace {

constexpr double kSure = 0.5, kUnknown = 0.1, kLeastContrast = 2;

}  // namespace

std::vector<double> odds_factors(const ClassConfidence& confidence) {
  const auto thresholds = confidence.thresholds();
  const auto pixels = std::accumulate(confidence.count.begin(), confidence.count.end(), std::int64_t{0});
  std::vector<double> out(thresholds.size(), 1);
  for (std::size_t k = 0; k < out.size(); ++k) {
    const double own = thresholds[k];
    const auto others = pixels - confidence.count[k];
    if (own >= kSure || own < kUnknown || others == 0) continue;
    const double elsewhere = (confidence.sum_everywhere[k] - confidence.sum[k]) / static_cast<double>(others);
    if (own >= kLeastContrast * elsewhere) out[k] = (1 - own) / own;
  }
  return out;
}

void raise_odds(std::span<float> khw, std::span<const double> factors) {
  const auto n = khw.size() / factors.size();
  for (std::size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < factors.size(); ++k) sum += static_cast<double>(khw[k * n + i]) * factors[k];
    for (std::size_t k = 0; k < factors.size(); ++k) khw[k * n + i] = static_cast<float>(static_cast<double>(khw[k * n + i]) * factors[k] / sum);
  }
}

}  // namespace tilewright::pipeline
