// SPDX-License-Identifier: Apache-2.0
// Models that learn from labels with gaps give a class less than a half where it stands: found, and set right.
#pragma once

#include <span>
#include <vector>

#include "pipeline/scores/label_scores.h"

namespace tilewright::pipeline {

/// Of each plane of one model, by how much its odds have to rise so that the class is decided from its threshold t_k (mean P_k
/// where k is labelled) on, as confident learning has it: (1 - t_k) / t_k. 1, no change, where t_k is at least a half already,
/// where it is below a tenth, and where it is not twice what the model gives the class where another is labelled: then the model
/// does not know the class, it only counts it.
/// Source: Northcutt et al. 2021 (the thresholds); with two classes the decision is theirs exactly.
std::vector<double> odds_factors(const ClassConfidence& confidence);

/// Multiplies the planes of (K,H,W) by their factors and makes them sum to 1 again.
void raise_odds(std::span<float> khw, std::span<const double> factors);

}  // namespace tilewright::pipeline
