// SPDX-License-Identifier: Apache-2.0
// Out-of-fold models that have learned nothing: told, because ranks by their scores mean nothing then.
#pragma once

#include <string>
#include <vector>

#include "pipeline/stages/curate_metrics.h"

namespace tilewright::pipeline {

inline constexpr const char* kWarning = "warning: ";   ///< begins a note that the report shows, too

/// A warning for each fold whose models decide one class everywhere although its labels have others, or never decide a class
/// that makes up a hundredth of the labelled pixels there: which fold, which share, and what to do. 255 counts nowhere.
std::vector<std::string> silent_folds(const FoldPlan& plan, const LabelledViews& views, const FoldAnswers& answers, const RunContext& context);

/// Warnings from counts of pixels by class, one pair a fold; the names are those of the classes.
struct FoldPixels {
  std::map<int, std::int64_t> labelled, decided;
  std::int64_t locations = 0;
};
std::vector<std::string> silence_of(const std::string& layer, const std::vector<FoldPixels>& folds, const std::map<int, std::string>& names);

}  // namespace tilewright::pipeline
