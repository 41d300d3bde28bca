// SPDX-License-Identifier: Apache-2.0
// The functions behind the rows of the score table; one file for each kind of evidence.
#pragma once

#include "pipeline/scores/score.h"

namespace tilewright::pipeline {

struct LabelledPlanes;
/// What the kernels look at.
LabelledPlanes labelled_planes(const LabelView& label, const Probabilities& model);

std::optional<double> edge_agreement_of(const ScoreInput& in);
std::optional<double> height_step_of(const ScoreInput& in);
std::optional<double> shift_edges_of(const ScoreInput& in);
std::optional<double> clipped_frac_of(const ScoreInput& in);
std::optional<double> model_iou_of(const ScoreInput& in);
std::optional<double> softmin_of(const ScoreInput& in);
std::optional<double> confident_of(const ScoreInput& in);
std::optional<double> log_likelihood_of(const ScoreInput& in);
std::optional<double> missing_objects_of(const ScoreInput& in);
std::optional<double> false_objects_of(const ScoreInput& in);
std::optional<double> completeness_of(const ScoreInput& in);
std::optional<double> shift_model_of(const ScoreInput& in);
inline std::optional<double> model_spread_of(const ScoreInput& in) { return in.spread; }
std::optional<double> label_agreement_of(const ScoreInput& in);

}  // namespace tilewright::pipeline
