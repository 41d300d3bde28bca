// SPDX-License-Identifier: Apache-2.0
// `tilewright import JOB DIR`: labels that were corrected by hand become the next version of their
// layer.
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "pipeline/commands/command.h"
#include "pipeline/review/corrections.h"
#include "pipeline/runner/workspace.h"

namespace tilewright::pipeline {
namespace {

nlohmann::ordered_json json_of(const CorrectionReport& report) {
  auto changes = nlohmann::ordered_json::array(), files = nlohmann::ordered_json::array();
  for (const auto& c : report.changes)
    changes.push_back({{"location_id", c.location_id},
                       {"object", c.object},
                       {"change", name(c.kind)},
                       {"class_before", c.class_before},
                       {"class_after", c.class_after},
                       {"pixels_before", c.pixels_before},
                       {"pixels_after", c.pixels_after},
                       {"pixels_shared", c.pixels_shared}});
  for (const auto& file : report.files) files.push_back(file.string());
  return {{"layer", report.layer},
          {"version", report.version},
          {"tiles", report.tiles},
          {"tiles_changed", report.tiles_changed},
          {"objects", report.objects},
          {"changes", changes},
          {"files", files},
          {"job_lines", report.job_lines}};
}

std::string text_of(const CorrectionReport& report) {
  std::map<std::string, int> kinds;
  for (const auto& change : report.changes) ++kinds[std::string(name(change.kind))];
  std::string counts;
  for (const auto& [kind, count] : kinds) counts += ", " + std::to_string(count) + " " + kind;
  return report.version + ": " + std::to_string(report.tiles) + " tiles, " +
         std::to_string(report.tiles_changed) + " changed; " + std::to_string(report.objects) +
         " objects" + counts + "\n" + report.files[0].string() + "\n" + report.files[1].string() +
         "\n\nAdd it under layers: of the job, and name it as the target of a dataset:\n\n" +
         report.job_lines;
}

}  // namespace

int run_import(const Invocation& in) {
  const auto job = load_job_or_workspace(in.argument, job_options(in));
  const auto file = job.workspace() / "manifest.gpkg";
  if (!std::filesystem::exists(file))
    throw Error::config("the workspace " + job.workspace().string() +
                        " has no manifest yet; run: tilewright run " + in.argument + " --to label");
  const WorkspaceLock lock(job.workspace());
  const auto manifest = index::Manifest::open(file, index::Manifest::Mode::read_only);
  const auto report = import_labels(job, manifest, in.second);
  if (in.json)
    std::cout << json_of(report).dump(2) << "\n";
  else
    std::cout << text_of(report);
  return 0;
}

}  // namespace tilewright::pipeline
