// SPDX-License-Identifier: Apache-2.0
// `tilewright status JOB|WORKSPACE`: stages, reasons, counts and sizes.
#include "pipeline/runner/status.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "pipeline/commands/command.h"
#include "pipeline/runner/workspace.h"

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::ordered_json;

/// While another run writes, or where nothing can be written, only what was recorded is told.
std::vector<StageStatus> recorded_only(const StageInput& in, const std::string& why) {
  std::vector<StageStatus> out;
  for (const auto& row : stages()) {
    StageStatus status;
    status.stage = row.name;
    status.last = index::stage_run(in.manifest, status.stage);
    status.state = !row.wanted(in.job) ? StageState::not_wanted : !status.last ? StageState::never_run
                   : status.last->key.empty() ? StageState::stale : StageState::up_to_date;
    if (status.state == StageState::up_to_date) status.why.push_back("as recorded; not compared with the inputs: " + why);
    out.push_back(std::move(status));
  }
  return out;
}

Json status_json(const Job& job, const std::vector<StageStatus>& all, const WorkspaceCounts& counts, const std::string& holder) {
  Json out{{"workspace", job.workspace().string()}, {"in_use_by", holder.empty() ? Json(nullptr) : Json(holder)}, {"stages", Json::array()}};
  for (const auto& status : all)
    out["stages"].push_back({{"stage", status.stage}, {"state", std::string(text_of(status.state))}, {"why", status.why},
                             {"finished", status.last ? Json(status.last->finished) : Json(nullptr)}});
  for (const auto& [name, value] : counts.counts) out["counts"][name] = value;
  for (const auto& [name, value] : counts.bytes) out["bytes"][name] = value;
  return out;
}

std::string status_text(const Job& job, const std::vector<StageStatus>& all, const WorkspaceCounts& counts, const std::string& holder) {
  std::string out = job.workspace().string() + (holder.empty() ? "\n" : " (in use by " + holder + ")\n");
  for (const auto& status : all) {
    std::array<char, 96> line{};
    std::snprintf(line.data(), line.size(), "%-9s %-14s %s\n", status.stage.c_str(), std::string(text_of(status.state)).c_str(),
                  status.last ? status.last->finished.c_str() : "");
    out += line.data();
    for (const auto& why : status.why) out += "          " + why + "\n";
  }
  for (const auto& [name, value] : counts.counts) out += name + ": " + std::to_string(value) + "\n";
  for (const auto& [name, value] : counts.bytes) out += name + ": " + bytes_text(value) + "\n";
  return out;
}

}  // namespace

int run_status(const Invocation& in) {
  const auto job = load_job_or_workspace(in.argument, job_options(in));
  const auto workspace = job.workspace();
  const auto file = workspace / "manifest.gpkg";
  if (!std::filesystem::exists(file))
    throw Error::config("the workspace " + workspace.string() + " has no manifest yet; run: tilewright run " + in.argument);
  const bool is_writable = ::access(workspace.c_str(), W_OK) == 0 && ::access(file.c_str(), W_OK) == 0;
  const auto lock = is_writable ? WorkspaceLock::try_take(workspace) : std::nullopt;
  const auto holder = lock ? "" : lock_holder(workspace);
  const bool can_compare = lock.has_value();  // comparing keeps hashes of inputs in the manifest
  auto manifest = index::Manifest::open(file, can_compare ? index::Manifest::Mode::create_or_write : index::Manifest::Mode::read_only);
  const StageInput input{job, manifest, workspace};
  const auto all = can_compare ? status_of_all(input, 0) : recorded_only(input, holder.empty() ? "the workspace is read-only" : "a run is going on");
  const auto counts = workspace_counts(manifest, workspace);
  if (in.json) std::cout << status_json(job, all, counts, holder).dump(2) << "\n";
  else std::cout << status_text(job, all, counts, holder);
  return 0;
}

}  // namespace tilewright::pipeline
