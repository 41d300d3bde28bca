// SPDX-License-Identifier: Apache-2.0
// Sums of unit vectors and of their squares.
#include "learn/train/feature_spread.h"

#include <cmath>

namespace tilewright::learn {

void FeatureSpread::add(const torch::Tensor& features_nd) {
  const auto features = features_nd.to(torch::kCPU, torch::kFloat64);
  const auto unit = features / features.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12);
  const auto sum = unit.sum(0), squares = unit.square().sum(0);
  sum_d_ = count_ == 0 ? sum : sum_d_ + sum;
  squares_d_ = count_ == 0 ? squares : squares_d_ + squares;
  count_ += unit.size(0);
}

double FeatureSpread::value() const {
  if (count_ < 2) return 0;
  const auto n = static_cast<double>(count_);
  const auto variance = (squares_d_ / n - (sum_d_ / n).square()).clamp_min(0);
  return variance.sqrt().mean().item<double>() *
         std::sqrt(static_cast<double>(variance.numel()));
}

}  // namespace tilewright::learn
