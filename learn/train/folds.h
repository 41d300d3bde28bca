// SPDX-License-Identifier: Apache-2.0
// Verb `folds`: out-of-fold predictions, from which curation scores labels.
#pragma once

#include "learn/config/request.h"
#include "learn/train/learn_context.h"

namespace tilewright::learn {

/// One model a fold, each trained on the samples of all other folds, predicts its own samples; those of fold
/// `fold_count` only train.
/// Pixels of 255 never train. Short on purpose: at most `run.max_steps` steps a fold, 260 if it is
/// 0 (a model that has seen enough to know buildings from ground, not enough to learn wrong labels
/// by heart); training sees random crops of at most 64 px, prediction whole samples. No scratch is
/// kept: a stop starts over. A fold without samples costs nothing. Throws Error::failed if a
/// location has no fold, or if one fold holds all samples.
void run_folds(const FoldsRequest& request, const LearnContext& context);

}  // namespace tilewright::learn
