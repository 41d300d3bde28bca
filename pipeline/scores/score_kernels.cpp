// SPDX-License-Identifier: Apache-2.0
// Which of the compiled loops this run uses.
#include "pipeline/scores/score_kernels.h"

#include "geometry/isa.h"

namespace tilewright::pipeline {

const ScoreKernels& score_kernels() {
#if defined(__x86_64__)
  if (geometry::isa_of_this_run() == geometry::Isa::avx512) return kAvx512Scores;
  if (geometry::isa_of_this_run() == geometry::Isa::avx2) return kAvx2Scores;
#endif
  return kScalarScores;
}

}  // namespace tilewright::pipeline
