// SPDX-License-Identifier: Apache-2.0
// `tilewright synth region DIR`: a world with known truth and a job on it.
#include <iostream>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "pipeline/commands/command.h"
#include "pipeline/synth/region.h"

namespace tilewright::pipeline {

int run_synth(const Invocation& in) {
  if (in.argument != "region") throw Error::config("synth knows no world '" + in.argument + "'; known: region");
  auto options = in.tiny ? SynthOptions::tiny() : SynthOptions{};
  options.seed = in.seed;
  options.size_px = in.size_px.value_or(options.size_px);
  options.patch_px = in.patch_px.value_or(options.patch_px);
  options.scenes = in.scenes.value_or(options.scenes);
  options.noisy_frac = in.noisy_frac.value_or(options.noisy_frac);
  const auto report = make_region(in.second, options);
  if (in.json) {
    nlohmann::ordered_json out{{"job", report.job.string()}};
    for (const auto& [name, value] : report.counts) out["counts"][name] = value;
    std::cout << out.dump(2) << "\n";
    return 0;
  }
  for (const auto& [name, value] : report.counts) std::cout << name << ": " << value << "\n";
  std::cout << "job: " << report.job.string() << "\n";
  return 0;
}

}  // namespace tilewright::pipeline
