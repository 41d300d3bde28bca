// SPDX-License-Identifier: Apache-2.0
// `tilewright inspect PATH`: one page about a file of ours.
#include "pipeline/runner/inspect.h"

#include <iostream>

#include "pipeline/commands/command.h"

namespace tilewright::pipeline {

int run_inspect(const Invocation& in) {
  std::cout << inspect_path(in.argument, in.json);
  return 0;
}

}  // namespace tilewright::pipeline
