// SPDX-License-Identifier: Apache-2.0
// Whether an encoder tells images apart: contrastive recipes that collapse give all of them one vector.
#pragma once

#include <torch/torch.h>

namespace tilewright::learn {

/// Below this the features are said to have collapsed.
inline constexpr double kCollapsed = 0.05;

/// Standard deviation of vectors of length 1, mean over their dimensions, times the root of their
/// number: 1 for directions that are spread evenly, 0 if all are one. Source: SCIENCE 2 F.
class FeatureSpread {
 public:
  /// \param features_nd any float type and device; vectors of length 0 count as they are.
  void add(const torch::Tensor& features_nd);
  /// 0 without two vectors.
  [[nodiscard]] double value() const;

 private:
  torch::Tensor sum_d_, squares_d_;  ///< float64
  std::int64_t count_ = 0;
};

}  // namespace tilewright::learn
