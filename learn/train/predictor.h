// SPDX-License-Identifier: Apache-2.0
// Verb `predict`: class probabilities for windows of any raster, shard in and shard out.
#pragma once

#include "learn/config/request.h"
#include "learn/train/learn_context.h"

namespace tilewright::learn {

/// For each `<key>.image.npy` of the input shard (bands of the run's dataset in order, any element
/// type) a `<key>.prob.npy`, float32 (K,H,W) softmax, in the same order. Pixels where
/// `<key>.valid.npy` is 0, and NaN, are fed as the band's mean. Windows of equal size share
/// batches; the result does not depend on the batch.
void run_predict(const PredictRequest& request, const LearnContext& context);

}  // namespace tilewright::learn
