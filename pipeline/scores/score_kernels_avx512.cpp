// SPDX-License-Identifier: Apache-2.0
// The loops of the scores compiled for avx512.
#include "pipeline/scores/score_loops.h"

namespace tilewright::pipeline {

const ScoreKernels kAvx512Scores{softmin_loop, log_loop, flagged_loop, overlap_loop, gradient_loop, edge_loop};

}  // namespace tilewright::pipeline
