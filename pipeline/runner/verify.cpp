// SPDX-License-Identifier: Apache-2.0
// Rehashes shards, datasets and runs against manifest, index files and checkpoints.
#include "pipeline/runner/verify.h"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "geometry/error.h"
#include "index/manifest.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_reader.h"
#include "learn/config/dataset_file.h"
#include "pipeline/runner/safetensors_header.h"
#include "pipeline/stages/label_export.h"
#include "pipeline/stages/predict_mosaic.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kManifest = "manifest.gpkg";

/// A member that a row of the manifest names.
struct NamedMember {
  index::MemberPlace place;
  std::string row;  ///< "view <location>/<tile>" or "mask <layer> of <location>"
};
using MembersOfShard = std::map<std::string, std::vector<NamedMember>>;

struct Findings {
  std::int64_t members = 0, bytes = 0;
  std::vector<Damage> damages;
};

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error::failed("cannot open " + file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Regular files below `folder`, relative to the workspace, in order; leftovers of a kill excluded.
std::vector<std::string> files_below(const fs::path& workspace, const std::string& folder) {
  std::vector<std::string> files;
  if (!fs::is_directory(workspace / folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(workspace / folder)) {
    const std::string path = fs::relative(entry.path(), workspace).generic_string();
    if (entry.is_regular_file() && path.find("/.tmp-") == std::string::npos) files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  return files;
}

MembersOfShard named_members(const index::Manifest& manifest) {
  MembersOfShard members;
  for (auto& view : index::views(manifest))
    if (view.place) members[view.place->shard].push_back({*view.place, "view " + view.location_id + "/" + view.tile_id});
  for (auto& mask : index::masks(manifest))
    if (mask.place) members[mask.place->shard].push_back({*mask.place, "mask " + mask.layer + " of " + mask.location_id});
  return members;
}

/// Runs `work`; an Error becomes a damage of `file`.
void guarded(Findings& findings, const std::string& file, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    findings.damages.push_back({.file = file, .object = "", .found = error.what()});
  }
}

void compare_with_index(Findings& findings, const fs::path& workspace, const std::string& shard,
                        const std::vector<shard::IndexEntry>& entries) {
  const std::string idx = shard::index_file(shard).generic_string();
  guarded(findings, idx, [&] {
    const auto listed = shard::read_index(workspace / idx);
    if (listed.size() != entries.size())
      findings.damages.push_back({.file = idx, .object = "", .found = "lists " + std::to_string(listed.size()) + " members, the shard has " + std::to_string(entries.size())});
    for (std::size_t i = 0; i < std::min(listed.size(), entries.size()); ++i)
      if (shard::index_text(std::span(&listed[i], 1)) != shard::index_text(std::span(&entries[i], 1)))
        findings.damages.push_back({.file = shard, .object = entries[i].member, .found = "its index has hash " + listed[i].sha256.substr(0, 12) +
                                    " for " + listed[i].member + ", its bytes " + entries[i].sha256.substr(0, 12)});
  });
}

std::string difference(const index::MemberPlace& row, const shard::IndexEntry& entry) {
  if (row.byte_offset != entry.offset || row.byte_length != entry.length)
    return "the manifest says bytes " + std::to_string(row.byte_offset) + " + " + std::to_string(row.byte_length) +
           ", the shard has it at " + std::to_string(entry.offset) + " + " + std::to_string(entry.length);
  if (row.sha256 != entry.sha256) return "the manifest says hash " + row.sha256.substr(0, 12) + ", its bytes have " + entry.sha256.substr(0, 12);
  return "";
}

/// One shard, every byte: members against rows and index, the rest against the layout.
Findings check_shard(const fs::path& workspace, const std::string& shard, const std::vector<NamedMember>& rows) {
  Findings findings;
  guarded(findings, shard, [&] {
    const auto entries = shard::scan_tar(workspace / shard);
    std::map<std::string, const shard::IndexEntry*> by_name;
    for (const auto& entry : entries) {
      by_name[entry.member] = &entry;
      findings.bytes += entry.length;
    }
    findings.members = static_cast<std::int64_t>(entries.size());
    compare_with_index(findings, workspace, shard, entries);
    if (const auto text = shard::deviation_from_layout(workspace / shard, entries); !text.empty())
      findings.damages.push_back({.file = shard, .object = "", .found = text});
    for (const auto& row : rows) {
      const auto found = by_name.find(row.place.member);
      const std::string text = found == by_name.end() ? "the shard lacks this member" : difference(row.place, *found->second);
      if (!text.empty()) findings.damages.push_back({.file = shard, .object = row.place.member, .found = row.row + ": " + text});
    }
  });
  return findings;
}

void check_dataset(Findings& findings, const fs::path& workspace, const std::string& file) {
  guarded(findings, file, [&] {
    const learn::DatasetFile dataset = learn::read_dataset(workspace / file);
    for (const auto& [name, part] : dataset.parts) {
      const std::string part_file = (fs::path(file).parent_path() / part.file).generic_string();
      guarded(findings, part_file, [&] {
        const std::string hash = shard::sha256_file(workspace / part_file);
        if (hash != part.sha256)
          findings.damages.push_back({.file = part_file, .object = name, .found = "dataset.json says hash " + part.sha256.substr(0, 12) + ", the file has " + hash.substr(0, 12)});
      });
    }
  });
}

/// `file` is a checkpoint.json or weights.json: names and hashes of the files beside it.
void check_listed_files(Findings& findings, const fs::path& workspace, const std::string& file) {
  guarded(findings, file, [&] {
    const Json json = Json::parse(read_text(workspace / file), nullptr, false);
    const auto files = json.is_object() ? json.find("files") : json.end();
    if (json.is_discarded() || files == json.end() || !files->is_object()) throw Error::failed("it does not list its files with their hashes");
    for (const auto& [name, entry] : files->items()) {
      const std::string part = (fs::path(file).parent_path() / name).generic_string();
      const std::string wanted = entry.is_object() ? entry.value("sha256", std::string()) : std::string();
      guarded(findings, part, [&] {
        const std::string hash = shard::sha256_file(workspace / part);
        if (hash != wanted) findings.damages.push_back({.file = part, .object = "", .found = fs::path(file).filename().string() + " says hash " + wanted.substr(0, 12) + ", the file has " + hash.substr(0, 12)});
      });
    }
  });
}

/// Checkpoints and weights, each by the document that lists its files; weights of a version that wrote none by their header.
void check_runs(Findings& findings, const fs::path& workspace) {
  for (const auto& file : files_below(workspace, "runs")) {
    const fs::path path = workspace / file;
    const bool is_listed = fs::exists(path.parent_path() / "checkpoint.json") || fs::exists(path.parent_path() / "weights.json");
    if (path.filename() == "checkpoint.json" || path.filename() == "weights.json") check_listed_files(findings, workspace, file);
    if (path.filename() == "weights.safetensors" && !is_listed) guarded(findings, file, [&] { (void)read_safetensors_header(path); });
  }
}

/// Files of `folder` ("predictions/") that the manifest keeps a hash of, by name.
void check_recorded(Findings& findings, const fs::path& workspace, const std::string& folder, const std::map<std::string, std::string>& recorded) {
  for (const auto& [name, fact] : recorded) {
    const std::string file = folder + name;
    guarded(findings, file, [&] {
      const Json json = Json::parse(fact, nullptr, false);
      const std::string wanted = json.is_object() ? json.value("sha256", std::string()) : std::string();
      const std::string hash = shard::sha256_file(workspace / file);
      if (hash != wanted) findings.damages.push_back({.file = file, .object = "", .found = "the manifest says hash " + wanted.substr(0, 12) + ", the file has " + hash.substr(0, 12)});
    });
  }
}

void check_manifest(Findings& findings, const index::Manifest& manifest) {
  for (const auto& problem : index::integrity_problems(manifest))
    findings.damages.push_back({.file = kManifest, .object = "", .found = problem});
}

std::vector<Findings> check_shards(const fs::path& workspace, const MembersOfShard& members, const RunContext& context) {
  std::set<std::string> all;
  for (const auto& file : files_below(workspace, "shards"))
    if (file.ends_with(".tar")) all.insert(file);
  for (const auto& [file, rows] : members) all.insert(file);
  const std::vector<std::string> order(all.begin(), all.end());
  std::vector<Findings> of(order.size());
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(std::max(context.threads, 1)));
  tbb::task_arena arena(std::max(context.threads, 1));
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, order.size(), [&](std::size_t i) {
      context.check_stop();
      const auto rows = members.find(order[i]);
      of[i] = check_shard(workspace, order[i], rows == members.end() ? std::vector<NamedMember>{} : rows->second);
    });
  });
  return of;
}

}  // namespace

VerifyReport verify_workspace(const fs::path& workspace, const RunContext& context) {
  if (!fs::exists(workspace / kManifest))
    throw Error::config("there is no " + (workspace / kManifest).string() + " to verify; name a workspace, or run its job first");
  VerifyReport report;
  Findings rest;
  MembersOfShard members;
  std::map<std::string, std::string> maps, vectors;
  guarded(rest, kManifest, [&] {
    const auto manifest = index::Manifest::open(workspace / kManifest, index::Manifest::Mode::read_only);
    check_manifest(rest, manifest);
    members = named_members(manifest);
    maps = index::facts(manifest, kMapFact);
    vectors = index::facts(manifest, kVectorFact);
  });
  for (const auto& file : files_below(workspace, "datasets"))
    if (fs::path(file).filename() == "dataset.json") check_dataset(rest, workspace, file);
  check_runs(rest, workspace);
  check_recorded(rest, workspace, "predictions/", maps);
  check_recorded(rest, workspace, "vectors/", vectors);
  for (Findings& findings : check_shards(workspace, members, context)) {
    report.members += findings.members;
    report.bytes += findings.bytes;
    std::move(findings.damages.begin(), findings.damages.end(), std::back_inserter(rest.damages));
  }
  for (const char* folder : {"shards", "vectors", "datasets", "runs", "predictions"}) report.files += static_cast<std::int64_t>(files_below(workspace, folder).size());
  report.damages = std::move(rest.damages);
  std::stable_sort(report.damages.begin(), report.damages.end(),
                   [](const Damage& a, const Damage& b) { return std::tie(a.file, a.object) < std::tie(b.file, b.object); });
  const bool is_readable = std::none_of(report.damages.begin(), report.damages.end(), [](const Damage& d) { return d.file == kManifest; });
  if (is_readable) report.tree_hash = tree_hash(workspace);
  return report;
}

std::string verify_json(const VerifyReport& report) {
  Json json;
  json["sound"] = report.is_sound();
  json["files"] = report.files;
  json["members"] = report.members;
  json["bytes"] = report.bytes;
  json["tree_hash"] = report.tree_hash;
  json["damages"] = Json::array();
  for (const auto& damage : report.damages)
    json["damages"].push_back({{"file", damage.file}, {"object", damage.object}, {"found", damage.found}});
  return json.dump(2) + "\n";
}

std::string verify_text(const VerifyReport& report) {
  std::string text;
  for (const auto& damage : report.damages)
    text += damage.file + (damage.object.empty() ? "" : ", " + damage.object) + ": " + damage.found + "\n";
  text += std::to_string(report.files) + " files, " + std::to_string(report.members) + " members, " + std::to_string(report.bytes) + " bytes looked at: " +
          (report.is_sound() ? "all as recorded" : std::to_string(report.damages.size()) + " damages; shards, vectors and datasets are made anew by: tilewright repair JOB; weights by: tilewright train JOB, or with --force train; maps by: tilewright predict JOB --force predict") + "\n";
  if (!report.tree_hash.empty()) text += "tree hash " + report.tree_hash + "\n";
  return text;
}

std::string tree_hash(const fs::path& workspace) {
  shard::Sha256 hash;
  for (const auto& file : files_below(workspace, "shards"))
    hash.update(file + "\t" + std::to_string(fs::file_size(workspace / file)) + "\t" + shard::sha256_file(workspace / file) + "\n");
  for (const auto& file : files_below(workspace, "runs"))
    if (fs::path(file).filename() == "weights.json") hash.update(file + "\t" + read_text(workspace / file) + "\n");
  const auto manifest = index::Manifest::open(workspace / kManifest, index::Manifest::Mode::read_only);
  hash.update(index::canonical_dump(manifest));
  return shard::hex(hash.finish());
}

}  // namespace tilewright::pipeline
