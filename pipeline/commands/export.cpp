// SPDX-License-Identifier: Apache-2.0
// `tilewright export JOB DIR --to subsets|labels`: what other tools read, and what people correct.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "index/review.h"
#include "pipeline/commands/command.h"
#include "pipeline/review/label_tiles.h"
#include "pipeline/runner/workspace.h"
#include "pipeline/stages/subset_files.h"

namespace tilewright::pipeline {
namespace {

using Files = std::vector<std::filesystem::path>;

std::string first_curated(const Job& job) {
  return job.curate && !job.curate->layers.empty() ? job.curate->layers.front() : std::string();
}

Files write_subset_files(const Invocation& in, const Job& job, const index::Manifest& manifest) {
  auto names = in.subsets;
  if (names.empty())
    for (const auto& subset : index::subsets(manifest)) names.push_back(subset.name);
  if (names.empty())
    throw Error::config(
        "export: the workspace has no subsets; name some under curate.subsets and run: tilewright "
        "curate " +
        in.argument);
  return export_subsets(manifest, first_curated(job), names, in.second, in.overwrite);
}

Files write_label_files(const Invocation& in, const Job& job, const index::Manifest& manifest) {
  TileChoice choice{in.layer.empty() ? first_curated(job) : in.layer, in.verdict, in.subsets,
                    in.overwrite};
  if (choice.layer.empty() && !job.layers.empty()) choice.layer = job.layers.front().first;
  const auto there = index::mask_layers(manifest);
  if (std::find(there.begin(), there.end(), choice.layer) == there.end())
    throw Error::config("export: the workspace has no labels of the layer '" + choice.layer +
                        "'; name one with --layer, or run: tilewright label " + in.argument);
  for (const auto& subset : choice.subsets) {
    const auto known = index::subsets(manifest);
    if (std::none_of(known.begin(), known.end(),
                     [&](const auto& row) { return row.name == subset; }))
      throw Error::config("export: there is no subset '" + subset +
                          "'; name some under curate.subsets and run: tilewright curate " +
                          in.argument);
  }
  if (choice.verdict.empty() && choice.subsets.empty())
    throw Error::config(
        "export: which tiles? Choose them with --verdict, such as --verdict reject, or with "
        "--subset");
  return export_labels(job, manifest, choice, in.second);
}

}  // namespace

int run_export(const Invocation& in) {
  const auto job = load_job_or_workspace(in.argument, job_options(in));
  if (in.export_to != "subsets" && in.export_to != "labels")
    throw Error::config(
        "--to: " +
        (in.export_to.empty() ? std::string("is missing") : "'" + in.export_to + "' is not known") +
        "; this version writes subsets and labels");
  const auto file = job.workspace() / "manifest.gpkg";
  if (!std::filesystem::exists(file))
    throw Error::config("the workspace " + job.workspace().string() +
                        " has no manifest yet; run: tilewright run " + in.argument +
                        " --to curate");
  const auto manifest = index::Manifest::open(file, index::Manifest::Mode::read_only);
  const auto files = in.export_to == "labels" ? write_label_files(in, job, manifest)
                                              : write_subset_files(in, job, manifest);
  auto json = nlohmann::ordered_json::array();
  for (const auto& path : files) {
    if (!in.json) std::cout << path.string() << "\n";
    json.push_back(path.string());
  }
  if (in.json) std::cout << nlohmann::ordered_json{{"files", json}}.dump(2) << "\n";
  return 0;
}

}  // namespace tilewright::pipeline
