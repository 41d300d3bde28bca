// SPDX-License-Identifier: Apache-2.0
// Verb `folds`: out-of-fold predictions, from which curation scores labels.
#pragma once

#include "learn/config/request.h"
#include "learn/train/learn_context.h"

namespace tilewright::learn {

/// `seeds` models a fold, each trained on the samples of all other folds, predict its own samples; those of fold
/// `fold_count` only train. Pixels of 255 never train; prediction sees whole samples. The answers of a model
/// appear whole, and a model whose answers are there is not trained again: a stop costs the model at work, and what
/// follows is bit by bit what would have followed without it. A fold without samples costs nothing. Throws
/// Error::failed if a location has no fold, or if one fold holds all samples.
void run_folds(const FoldsRequest& request, const LearnContext& context);

}  // namespace tilewright::learn
