// SPDX-License-Identifier: Apache-2.0
// The stop request of a stage.
#include "pipeline/context.h"

#include "geometry/error.h"

namespace tilewright::pipeline {

void RunContext::check_stop() const {
  if (stop.stop_requested()) throw Error::stopped("stopped on request; the same command goes on from here");
}

}  // namespace tilewright::pipeline
