// SPDX-License-Identifier: Apache-2.0
// Compares what lies in the workspace with what its rows and datasets name.
#include "pipeline/runner/gc.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "index/shard/shard_reader.h"
#include "pipeline/runner/status.h"
#include "pipeline/stages/label_export.h"
#include "pipeline/stages/predict_mosaic.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::int64_t size_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const auto bytes = fs::file_size(path, error);
    return error ? 0 : static_cast<std::int64_t>(bytes);
  }
  std::int64_t bytes = 0;
  for (fs::recursive_directory_iterator it(path, fs::directory_options::skip_permission_denied, error), end; !error && it != end; it.increment(error))
    if (std::error_code ignored; it->is_regular_file(ignored)) bytes += static_cast<std::int64_t>(it->file_size(ignored));
  return bytes;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) entries.push_back(it->path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool is_shard_file(const fs::path& file) { return file.extension() == ".tar" || file.extension() == ".idx"; }

std::string tar_of(const fs::path& file) { return "shards/" + fs::path(file.filename()).replace_extension(".tar").string(); }

std::set<std::string> shards_of_rows(const index::Manifest& manifest) {
  std::set<std::string> named;
  for (const char* table : {"view", "mask"})
    for (auto& shard : index::shard_files(manifest, table)) named.insert(std::move(shard));
  return named;
}

/// Shards by the datasets that read them: columns `shard` and `mask_shard` of the part files.
std::map<std::string, std::string> shards_of_datasets(const fs::path& workspace) {
  std::map<std::string, std::string> named;
  for (const auto& folder : entries_of(workspace / "datasets"))
    for (const auto& file : entries_of(folder)) {
      if (file.extension() != ".tsv") continue;
      std::ifstream in(file, std::ios::binary);
      for (std::string line; std::getline(in, line);)
        for (std::size_t begin = 0; (begin = line.find("shards/", begin)) != std::string::npos;) {
          const auto end = std::min(line.find('\t', begin), line.size());
          named.emplace(line.substr(begin, end - begin), folder.filename().string());
          begin = end;
        }
    }
  return named;
}

/// Tile of a prediction `<run>_<tile_id>.tif` or what lies beside it, if that scene is not used any more.
std::string gone_scene_of(const std::string& name, const std::vector<index::TileRow>& unused) {
  for (const auto& tile : unused) {
    const auto at = name.find("_" + tile.tile_id);
    if (at != std::string::npos && at > 0) return tile.tile_id + " is " + tile.status;
  }
  return "";
}

class Collector {
 public:
  Collector(const Job& job, const index::Manifest& manifest) : job_(job), manifest_(manifest), workspace_(job.workspace()) {}

  GarbageReport find() {
    find_shards();
    find_vectors();
    find_predictions();
    find_runs();
    find_leftovers();
    const auto dead = dead_bytes(manifest_, workspace_);
    report_.dead_members = dead.members;
    report_.dead_bytes = dead.bytes;
    for (const auto& one : report_.removed) report_.removed_bytes += one.bytes;
    return std::move(report_);
  }

 private:
  void add(std::vector<Garbage>& to, const fs::path& file, const std::string& why) {
    to.push_back({file.lexically_relative(workspace_).generic_string(), size_of(file), why});
  }

  void find_shards() {
    const auto rows = shards_of_rows(manifest_);
    const auto datasets = shards_of_datasets(workspace_);
    for (const auto& file : entries_of(workspace_ / "shards")) {
      if (!is_shard_file(file) || rows.contains(tar_of(file))) continue;
      const auto dataset = datasets.find(tar_of(file));
      if (dataset == datasets.end()) add(report_.removed, file, "no view or mask lies in it");
      else add(report_.kept, file, "no view or mask lies in it, but the dataset " + dataset->second + " still reads it: run the job, then gc again");
    }
  }

  /// What label exported for a layer or a key `export` that is gone. Other files are somebody else's.
  void find_vectors() {
    std::set<std::string> named;
    for (const auto& [file, fact] : index::facts(manifest_, kVectorFact)) named.insert(file);
    for (const auto& [layer, config] : job_.layers)
      for (const auto& what : config.exports) named.insert(vector_file(layer, what));
    const auto is_export = [](const std::string& name) { return std::ranges::any_of(kExports, [&](const char* what) { return name.ends_with(vector_file("", what)); }); };
    for (const auto& file : entries_of(workspace_ / "vectors")) {
      const auto name = file.filename().string();
      if (is_export(name) && !name.starts_with(".tmp-") && !named.contains(name)) add(report_.removed, file, "no layer exports it any more");
    }
  }

  void find_predictions() {
    auto unused = index::tiles(manifest_);
    std::erase_if(unused, [](const auto& tile) { return tile.status == "ok"; });
    for (const auto& file : entries_of(workspace_ / "predictions"))
      if (const auto scene = gone_scene_of(file.filename().string(), unused); !scene.empty()) add(report_.removed, file, "its scene " + scene);
  }

  /// Trained weights are never thrown away: another job file may name them.
  void find_runs() {
    for (const auto& folder : entries_of(workspace_ / "runs")) {
      const auto name = folder.filename().string();
      const bool is_named = std::any_of(job_.runs.begin(), job_.runs.end(), [&](const auto& entry) { return entry.first == name; });
      if (!is_named && fs::exists(folder / "config.json")) add(report_.kept, folder, "no run of this job has this name; remove the folder if it is not needed");
    }
  }

  void find_leftovers() {
    for (const auto& folder : {workspace_, workspace_ / "shards", workspace_ / "vectors", workspace_ / "predictions", workspace_ / "datasets", workspace_ / "runs"})
      for (const auto& file : entries_of(folder))
        if (file.filename().string().starts_with(".tmp-")) add(report_.removed, file, "left behind by a killed run");
    for (const char* folder : {"datasets", "runs"})
      for (const auto& inner : entries_of(workspace_ / folder))
        for (const auto& file : entries_of(inner))
          if (file.filename().string().starts_with(".tmp-")) add(report_.removed, file, "left behind by a killed run");
    for (const auto& file : entries_of(workspace_ / ".tmp")) add(report_.removed, file, "scratch of a run that is over");
  }

  const Job& job_;
  const index::Manifest& manifest_;
  fs::path workspace_;
  GarbageReport report_;
};

}  // namespace

DeadBytes dead_bytes(const index::Manifest& manifest, const fs::path& workspace) {
  std::map<std::string, std::set<std::int64_t>> offsets;  // of named members, by shard
  for (const auto& view : index::views(manifest))
    if (view.home) offsets[*view.home].insert(view.place ? view.place->byte_offset : -1);
  for (const auto& mask : index::masks(manifest))
    if (mask.home) offsets[*mask.home].insert(mask.place ? mask.place->byte_offset : -1);
  const auto changes = index::plan_changes(manifest);  // without any, no member of a shard that lives can be dead
  const bool has_dead_members = std::ranges::any_of(changes, [](const auto& row) { return row.change != "added"; });
  DeadBytes dead;
  for (const auto& file : entries_of(workspace / "shards")) {
    if (file.extension() != ".tar") continue;
    const auto named = offsets.find(tar_of(file));
    if (named == offsets.end()) {
      ++dead.shards;
      dead.shard_bytes += size_of(file) + size_of(shard::index_file(file));
      continue;
    }
    if (!has_dead_members || named->second.contains(-1) || !fs::exists(shard::index_file(file))) continue;  // to be made again
    for (const auto& entry : shard::read_index(shard::index_file(file)))
      if (entry.dtype && !named->second.contains(entry.offset)) {
        ++dead.members;
        dead.bytes += entry.length;
      }
  }
  return dead;
}

GarbageReport collect_garbage(const Job& job, index::Manifest& manifest, bool dry_run) {
  auto report = Collector(job, manifest).find();
  if (dry_run) return report;
  manifest.in_transaction([&] {
    for (const auto& one : report.removed)
      if (fs::path(one.file).parent_path() == "predictions") index::forget_facts(manifest, kMapFact + fs::path(one.file).filename().string());
  });
  for (const auto& one : report.removed) fs::remove_all(job.workspace() / one.file);
  return report;
}

std::string garbage_json(const GarbageReport& report, bool dry_run) {
  const auto list = [](const std::vector<Garbage>& all) {
    auto out = Json::array();
    for (const auto& one : all) out.push_back({{"file", one.file}, {"bytes", one.bytes}, {"why", one.why}});
    return out;
  };
  const Json out{{"dry_run", dry_run}, {"removed", list(report.removed)}, {"removed_bytes", report.removed_bytes}, {"kept", list(report.kept)},
                 {"dead_members", report.dead_members}, {"dead_bytes", report.dead_bytes}};
  return out.dump(2) + "\n";
}

std::string garbage_text(const GarbageReport& report, bool dry_run) {
  std::string out;
  for (const auto& one : report.removed) out += one.file + "  " + bytes_text(one.bytes) + "  " + one.why + "\n";
  for (const auto& one : report.kept) out += "kept: " + one.file + "  " + bytes_text(one.bytes) + "  " + one.why + "\n";
  out += std::to_string(report.removed.size()) + (dry_run ? " files would be removed, " : " files removed, ") + bytes_text(report.removed_bytes) + "\n";
  if (report.dead_members > 0)
    out += std::to_string(report.dead_members) + " views or masks that are not used any more stay in shards that are (" + bytes_text(report.dead_bytes) +
           "): datasets refer to places in those shards, so only `tilewright run JOB --replan` writes them again\n";
  return out;
}

}  // namespace tilewright::pipeline
