// SPDX-License-Identifier: Apache-2.0
// Content hashes of input files, and the hash over all that decides whether scan is up to date.
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include <cerrno>
#include <cstring>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "pipeline/io/band_manifest.h"
#include "pipeline/io/product_metadata.h"
#include "pipeline/stages/scan_inputs.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {
namespace {

index::FileStat stat_of(const std::filesystem::path& file, const std::string& path) {
  struct stat s {};
  if (::stat(file.c_str(), &s) != 0)
    throw Error::failed("cannot look at the input " + file.string() + ": " + std::strerror(errno) + "; restore it or leave it out of `files`");
  return {path, s.st_size, s.st_mtim.tv_sec * 1000000000LL + s.st_mtim.tv_nsec, s.st_ctim.tv_sec * 1000000000LL + s.st_ctim.tv_nsec,
          static_cast<std::int64_t>(s.st_ino), ""};
}

bool same_tuple(const index::FileStat& a, const index::FileStat& b) {
  return a.size == b.size && a.mtime_ns == b.mtime_ns && a.ctime_ns == b.ctime_ns && a.inode == b.inode;
}

bool can_write(const index::Manifest& manifest) { return sqlite3_db_readonly(manifest.database().getHandle(), "main") == 0; }

/// Hashed between two looks at the stat tuple: a file that changes meanwhile is read again.
void hash_one(const std::filesystem::path& file, index::FileStat& stat) {
  constexpr int kTries = 3;
  for (int i = 0; i < kTries; ++i) {
    stat.sha256 = shard::sha256_file(file);
    auto after = stat_of(file, stat.path);
    if (same_tuple(stat, after)) return;
    after.sha256.clear();
    stat = after;
  }
  throw Error::failed("the input " + file.string() + " changes while it is read; run again when its writer is done");
}

}  // namespace

std::map<std::string, FileHash> hash_files(const Job& job, index::Manifest& manifest, const std::vector<std::string>& paths, int threads) {
  std::vector<index::FileStat> stats;
  std::vector<std::size_t> missing;
  for (const auto& path : paths) {
    auto stat = stat_of(job.resolve(path), path);
    const auto known = index::file_stat(manifest, path);
    if (known && same_tuple(*known, stat)) stat.sha256 = known->sha256;
    else missing.push_back(stats.size());
    stats.push_back(std::move(stat));
  }
  tbb::task_arena arena(threads > 0 ? threads : tbb::task_arena::automatic);
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, missing.size(), [&](std::size_t i) { hash_one(job.resolve(stats[missing[i]].path), stats[missing[i]]); });
  });
  if (!missing.empty() && can_write(manifest))
    manifest.in_transaction([&] {
      for (const auto i : missing) index::upsert(manifest, stats[i]);
    });
  std::map<std::string, FileHash> out;
  for (const auto& stat : stats) out[stat.path] = {stat.sha256, stat.size};
  return out;
}

std::vector<std::string> changed_files(const Job& job, const index::Manifest& manifest, const std::vector<std::string>& paths) {
  std::vector<std::string> changed;
  for (const auto& path : paths) {
    const auto known = index::file_stat(manifest, path);
    const auto file = job.resolve(path);
    const bool is_same = !known || (std::filesystem::exists(file) && (same_tuple(*known, stat_of(file, path)) || shard::sha256_file(file) == known->sha256));
    if (!is_same) changed.push_back(path);
  }
  return changed;
}

namespace {

/// Files beside the rasters that a source names: tables of dates, areas, side-cars of each file.
void add_side_inputs(const Job& job, const SourceConfig& config, std::vector<std::string>& paths) {
  const auto add = [&](const std::string& path) {
    const auto rooted = split_root(path);
    if (!std::filesystem::is_regular_file(job.resolve(path)))
      throw Error::config("the job names " + path + ", but " + job.resolve(path).string() + " is no file; correct the path");
    paths.push_back(rooted.text());
  };
  if (config.date && config.date->table) add(*config.date->table);
  if (config.date && config.date->bands) add(*config.date->bands);
  if (config.area && config.area->file) add(*config.area->file);
}

void add_side_cars(const Job& job, std::vector<std::string>& paths) {
  const auto count = paths.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto stem = paths[i].substr(0, paths[i].rfind('.'));
    const auto extension = paths[i].substr(std::min(paths[i].size(), stem.size() + 1));
    const auto short_world = extension.size() >= 2 ? std::string{extension.front(), extension.back(), 'w'} : std::string("wld");
    for (const auto& candidate : {paths[i] + ".msk", paths[i] + ".aux.xml", stem + "." + short_world, stem + "." + extension + "w", stem + ".wld", stem + ".hdr"})
      if (std::filesystem::is_regular_file(job.resolve(candidate))) paths.push_back(candidate);
    const auto root = split_root(paths[i]).root;
    const auto folder = job.resolve(root + ":");
    if (const auto product = find_product_metadata(job.resolve(paths[i]), folder)) paths.push_back(root + ":" + product->lexically_relative(folder).generic_string());
  }
}

}  // namespace

void foresee_scan(const Job& job) {
  for (const auto& [name, config] : job.sources) {
    auto paths = paths_of(find_inputs(job, name));
    add_side_inputs(job, config, paths);
  }
}

std::string hash_scan_inputs(const StageInput& in) {
  std::vector<std::string> paths;
  shard::Sha256 hash;
  for (const auto& [name, config] : in.job.sources) {
    if (config.describe_as) hash.update(*config.describe_as + "\n" + shard::sha256_file(find_data_manifest(*config.describe_as)) + "\n");
    auto own = paths_of(find_inputs(in.job, name));
    add_side_cars(in.job, own);
    add_side_inputs(in.job, config, own);
    paths.insert(paths.end(), own.begin(), own.end());
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  for (const auto& [path, file] : hash_files(in.job, in.manifest, paths, in.job.limits.threads)) hash.update(path + "\n" + file.sha256 + "\n");
  return shard::hex(hash.finish());
}

}  // namespace tilewright::pipeline
