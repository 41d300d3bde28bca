// SPDX-License-Identifier: Apache-2.0
// Verb `train`: from a dataset to a run folder, resumable at any point.
#pragma once

#include "learn/config/request.h"
#include "learn/train/learn_context.h"

namespace tilewright::learn {

/// Trains or resumes the run of the request; a finished run is left as it is. On a CPU with equal
/// threads, stop and resume give the bits of an uninterrupted run: order, augmentation and masks
/// are functions of (seed, epoch, index), everything else is in the checkpoint.
/// A stop request ends after the step in hand with a checkpoint and Error::stopped. A checkpoint of
/// another config, dataset, bands or statistics is Error::config that says what differs.
/// Files: config.json, metrics.jsonl, events.out.tfevents.*, checkpoints/, weights.safetensors
/// (best on val, else last; written when the run is finished).
void run_train(const TrainRequest& request, const LearnContext& context);

}  // namespace tilewright::learn
