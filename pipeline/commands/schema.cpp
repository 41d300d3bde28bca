// SPDX-License-Identifier: Apache-2.0
// `tilewright schema`: the JSON Schema of job files.
#include <iostream>

#include "pipeline/commands/command.h"

namespace tilewright::pipeline {

int run_schema(const Invocation&) {
  std::cout << job_schema();
  return 0;
}

}  // namespace tilewright::pipeline
