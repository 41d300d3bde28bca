// SPDX-License-Identifier: Apache-2.0
// `tilewright check JOB`: every mistake at once; values that this version does not do yet, too.
#include <iostream>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "pipeline/commands/command.h"

namespace tilewright::pipeline {

int run_check(const Invocation& in) {
  const auto job = load_job(in.argument, job_options(in));
  std::string text;
  for (const auto& line : not_in_this_version(job)) text += (text.empty() ? "" : "\n") + in.argument + ": " + line;
  if (!text.empty()) throw Error::config(text);
  if (in.json) {
    std::cout << nlohmann::ordered_json{{"job", in.argument}, {"ok", true}, {"workspace", job.workspace().string()}}.dump(2) << "\n";
  } else {
    std::cout << in.argument << ": no mistake found; " << job.sources.size() << " sources, " << job.layers.size() << " layers, " << job.datasets.size()
              << " datasets, " << job.runs.size() << " runs\n";
  }
  return 0;
}

}  // namespace tilewright::pipeline
