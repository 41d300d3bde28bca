// SPDX-License-Identifier: Apache-2.0
// `tilewright review JOB`: a page on loopback where people accept and reject labels.
#include <iostream>
#include <nlohmann/json.hpp>

#include "pipeline/commands/command.h"
#include "pipeline/review/server.h"
#include "pipeline/runner/signals.h"
#include "pipeline/runner/workspace.h"

namespace tilewright::pipeline {

int run_review(const Invocation& in) {
  const StopOnSignal signals;  // before any other thread
  ReviewDesk desk(load_job_or_workspace(in.argument, job_options(in)));
  ReviewServer server(desk, in.port.value_or(0));
  if (in.json)
    std::cout << nlohmann::ordered_json{{"address", server.address()}}.dump() << std::endl;
  else
    std::cout << server.address() << std::endl;
  std::cerr << "review: open the address in a browser on this machine; Ctrl-C ends it. A verdict "
               "is kept the moment it is given."
            << std::endl;
  server.run(signals.token());
  return 0;
}

}  // namespace tilewright::pipeline
