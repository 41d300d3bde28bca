// SPDX-License-Identifier: Apache-2.0
// Compares the keys of stages with what the manifest remembers.
#include "pipeline/runner/status.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>

#include "geometry/error.h"
#include "pipeline/runner/gc.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

bool counts(const StageState state) { return state == StageState::up_to_date || state == StageState::not_wanted; }

std::int64_t bytes_below(const fs::path& folder) {
  std::int64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error), end; !error && it != end; it.increment(error))
    if (std::error_code ignored; it->is_regular_file(ignored)) bytes += static_cast<std::int64_t>(it->file_size(ignored));
  return bytes;
}

/// status_of, with inputs that cannot be found as a reason.
StageStatus status_or_reason(const StageRow& row, const StageInput& in, std::int64_t limit) {
  try {
    return status_of(row, in, limit);
  } catch (const Error& error) {  // around one stage: the other stages still have a status
    StageStatus status;
    status.stage = row.name;
    status.last = index::stage_run(in.manifest, status.stage);
    status.state = status.last ? StageState::stale : StageState::never_run;
    status.why.emplace_back(error.what());
    return status;
  }
}

/// Files that a finished stage has published and that are gone now. Only `verify` looks inside.
std::vector<std::string> missing_files(const StageRow& row, const StageInput& in) {
  std::vector<std::string> wanted;
  const auto add_shards = [&](const std::string& table) {
    for (const auto& shard : index::shard_files(in.manifest, table)) {
      wanted.push_back(shard);
      wanted.push_back(fs::path(shard).replace_extension(".idx").string());
    }
  };
  if (row.name == "extract") add_shards("view");
  if (row.name == "label") add_shards("mask");
  if (row.name == "dataset")
    for (const auto& [name, dataset] : in.job.datasets) wanted.push_back("datasets/" + name + "/dataset.json");
  if (row.name == "train")
    for (const auto& [name, run] : in.job.runs) wanted.push_back("runs/" + name + "/weights.safetensors");
  if (row.name == "evaluate")
    for (const auto& experiment : in.job.experiments) wanted.push_back("experiments/" + experiment.name + ".csv");
  std::erase_if(wanted, [&](const auto& file) { return fs::exists(in.workspace / file); });
  return wanted;
}

}  // namespace

std::string_view text_of(StageState state) {
  switch (state) {
    case StageState::not_wanted: return "not in the job";
    case StageState::up_to_date: return "up to date";
    case StageState::stale: return "stale";
    case StageState::never_run: break;
  }
  return "never run";
}

StageStatus status_of(const StageRow& row, const StageInput& in, std::int64_t limit) {
  StageStatus status;
  status.stage = row.name;
  if (!row.wanted(in.job)) {
    status.state = StageState::not_wanted;
    return status;
  }
  status.last = index::stage_run(in.manifest, status.stage);
  status.key = stage_key(row, in, limit);
  if (!status.last) return status;
  status.state = status.last->key == status.key.digest ? StageState::up_to_date : StageState::stale;
  if (status.state == StageState::up_to_date) {
    for (const auto& file : missing_files(row, in)) status.why.push_back(file + " is missing");
    if (!status.why.empty()) status.state = StageState::stale;
    return status;
  }
  status.why = changes(parts_from_json(status.last->config_json), status.key.parts);
  if (status.last->key.empty()) status.why.insert(status.why.begin(), "it did not finish, or an earlier stage was done anew");
  return status;
}

std::vector<StageStatus> status_of_all(const StageInput& in, std::int64_t limit) {
  std::vector<StageStatus> out;
  std::map<std::string, StageState> states;
  for (const auto& row : stages()) {
    auto status = row.wanted(in.job) ? status_or_reason(row, in, limit) : StageStatus{std::string(row.name), StageState::not_wanted, {}, {}, {}};
    for (const auto& need : needed_stages(row, in.job)) {
      if (status.state == StageState::not_wanted || counts(states[need])) continue;
      status.why.push_back(need + " is " + std::string(text_of(states[need])));
      if (status.state == StageState::up_to_date) status.state = StageState::stale;
    }
    states[status.stage] = status.state;
    out.push_back(std::move(status));
  }
  return out;
}

void mark_stale(index::Manifest& manifest, const std::string& stage) {
  auto row = index::stage_run(manifest, stage);
  if (!row || row->key.empty()) return;
  row->key.clear();
  index::insert(manifest, *row);
}

WorkspaceCounts workspace_counts(const index::Manifest& manifest, const fs::path& workspace) {
  WorkspaceCounts out;
  std::map<std::string, std::int64_t> by_status;
  for (const auto& tile : index::tiles(manifest)) ++by_status[tile.status];
  for (const auto& [status, number] : by_status) out.counts.emplace_back("tiles " + status, number);
  std::int64_t extracted = 0;
  const auto views = index::views(manifest);
  for (const auto& view : views) extracted += view.place ? 1 : 0;
  std::map<std::string, std::int64_t> masks;
  for (const auto& mask : index::masks(manifest)) ++masks[mask.layer];
  std::map<std::string, std::int64_t> rejections;
  for (const auto& row : index::rejections(manifest)) ++rejections[row.stage + " " + row.reason];
  out.counts.emplace_back("overlaps", index::overlap_count(manifest));
  out.counts.emplace_back("locations", static_cast<std::int64_t>(index::locations(manifest).size()));
  out.counts.emplace_back("views", static_cast<std::int64_t>(views.size()));
  out.counts.emplace_back("views extracted", extracted);
  for (const auto& [layer, number] : masks) out.counts.emplace_back("masks " + layer, number);
  for (const auto& [reason, number] : rejections) out.counts.emplace_back("rejections " + reason, number);
  for (const char* name : {"shards", "datasets", "runs", "experiments", "predictions"}) out.bytes.emplace_back(name, bytes_below(workspace / name));
  std::error_code error;
  const auto size = fs::file_size(manifest.file(), error);
  out.bytes.emplace_back("manifest.gpkg", error ? 0 : static_cast<std::int64_t>(size));
  if (const auto dead = dead_bytes(manifest, workspace); dead.bytes + dead.shard_bytes > 0) {
    out.bytes.emplace_back("shards, dead files", dead.shard_bytes);
    out.bytes.emplace_back("shards, dead members", dead.bytes);
  }
  return out;
}

std::int64_t quarantined_tiles(const index::Manifest& manifest, const std::vector<std::string>& stages) {
  const auto tiles = index::tiles(manifest, "", "quarantined");
  if (tiles.empty()) return 0;
  std::map<std::string, std::set<std::string>> stages_of;
  for (const auto& row : index::rejections(manifest)) stages_of[row.subject].insert(row.stage);
  return std::count_if(tiles.begin(), tiles.end(), [&](const auto& tile) {
    auto& by = stages_of[tile.tile_id];
    if (by.empty()) by.insert("scan");
    return std::any_of(by.begin(), by.end(), [&](const auto& stage) { return std::find(stages.begin(), stages.end(), stage) != stages.end(); });
  });
}

std::string bytes_text(std::int64_t bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return buffer.data();
}

}  // namespace tilewright::pipeline
