// SPDX-License-Identifier: Apache-2.0
// `tilewright export JOB DIR --to subsets`: what other tools read.
#include <iostream>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "pipeline/commands/command.h"
#include "pipeline/runner/workspace.h"
#include "pipeline/stages/subset_files.h"

namespace tilewright::pipeline {

int run_export(const Invocation& in) {
  const auto job = load_job_or_workspace(in.argument, job_options(in));
  if (in.export_to != "subsets") throw Error::config("--to: " + (in.export_to.empty() ? std::string("is missing") : "'" + in.export_to + "' is not known") + "; this version writes subsets");
  const auto file = job.workspace() / "manifest.gpkg";
  if (!std::filesystem::exists(file)) throw Error::config("the workspace " + job.workspace().string() + " has no manifest yet; run: tilewright run " + in.argument + " --to curate");
  const auto manifest = index::Manifest::open(file, index::Manifest::Mode::read_only);
  auto names = in.subsets;
  if (names.empty())
    for (const auto& subset : index::subsets(manifest)) names.push_back(subset.name);
  if (names.empty()) throw Error::config("export: the workspace has no subsets; name some under curate.subsets and run: tilewright curate " + in.argument);
  const auto layer = job.curate && !job.curate->layers.empty() ? job.curate->layers.front() : std::string();
  const auto files = export_subsets(manifest, layer, names, in.second, in.overwrite);
  auto json = nlohmann::ordered_json::array();
  for (const auto& path : files) {
    if (!in.json) std::cout << path.string() << "\n";
    json.push_back(path.string());
  }
  if (in.json) std::cout << nlohmann::ordered_json{{"files", json}}.dump(2) << "\n";
  return 0;
}

}  // namespace tilewright::pipeline
