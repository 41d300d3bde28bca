// SPDX-License-Identifier: Apache-2.0
// `tilewright synth region|archive DIR`: a world with known truth and a job on it.
#include <iostream>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "pipeline/commands/command.h"
#include "pipeline/synth/archive.h"
#include "pipeline/synth/region.h"

namespace tilewright::pipeline {

namespace {

SynthReport region(const Invocation& in) {
  if (in.tiles) throw Error::config("synth region has no --tiles; give --scenes for its dates, or make an archive");
  auto options = in.tiny ? SynthOptions::tiny() : SynthOptions{};
  options.seed = in.seed;
  options.size_px = in.size_px.value_or(options.size_px);
  options.patch_px = in.patch_px.value_or(options.patch_px);
  options.scenes = in.scenes.value_or(options.scenes);
  options.noisy_frac = in.noisy_frac.value_or(options.noisy_frac);
  return make_region(in.second, options);
}

SynthReport archive(const Invocation& in) {
  if (in.scenes || in.noisy_frac) throw Error::config("synth archive has no --scenes and no --noisy; give --tiles for the number of its acquisitions");
  ArchiveOptions options;
  options.seed = in.seed;
  options.tiles = in.tiles.value_or(in.tiny ? 12 : options.tiles);
  options.size_px = in.size_px.value_or(in.tiny ? 96 : options.size_px);
  options.patch_px = in.patch_px;
  return make_archive(in.second, options);
}

}  // namespace

int run_synth(const Invocation& in) {
  if (in.argument != "region" && in.argument != "archive") throw Error::config("synth knows no world '" + in.argument + "'; known: region, archive");
  const auto report = in.argument == "region" ? region(in) : archive(in);
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
