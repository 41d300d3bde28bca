// SPDX-License-Identifier: Apache-2.0
// Models that learn from labels with gaps give a class less than a half where it stands: found, and set right.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pipeline/scores/label_scores.h"

namespace tilewright::pipeline {

/// What one model gives each class, by plane: at the pixels that labels give it, and at all pixels with a class.
class ClassMeans {
 public:
  void add(const LabelView& label, const Probabilities& model);
  void add(const ClassMeans& other);
  /// Mean P_k where k is labelled; 1 for classes that nothing is labelled with.
  [[nodiscard]] double where_labelled(std::size_t plane) const;
  /// Mean P_k where another class is labelled; 1 if that is nowhere.
  [[nodiscard]] double elsewhere(std::size_t plane) const;
  /// Of each plane, by how much its odds have to rise so that the class is decided from t_k = where_labelled on, as confident
  /// learning has it: (1 - t_k) / t_k. 1, no change, where t_k is at least a half already, where it is below a tenth, and
  /// where it is not twice what the model gives the class elsewhere: then the model does not know the class, it only counts it.
  /// Source: Northcutt et al. 2021 (the thresholds); with two classes the decision is theirs exactly.
  [[nodiscard]] std::vector<double> factors() const;

 private:
  std::vector<double> labelled_sum_, sum_;
  std::vector<std::int64_t> labelled_;
  std::int64_t pixels_ = 0;
};

/// Multiplies the planes of (K,H,W) by their factors and makes them sum to 1 again.
void raise_odds(std::span<float> khw, std::span<const double> factors);

}  // namespace tilewright::pipeline
