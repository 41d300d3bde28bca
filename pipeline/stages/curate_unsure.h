// SPDX-License-Identifier: Apache-2.0
// Sets the out-of-fold models right that give a class less than a half where labels have it.
#pragma once

#include <string>
#include <vector>

#include "pipeline/stages/curate_metrics.h"

namespace tilewright::pipeline {

/// Raises the odds of unsure classes in each model's answers (pipeline/scores/unsure_classes.h), by the labels that the models were
/// asked of. Returns a note for each class that was raised, empty if none was.
std::vector<std::string> raise_unsure(FoldAnswers& answers, const FoldPlan& plan, const LabelledViews& views, const RunContext& context);

}  // namespace tilewright::pipeline
