// SPDX-License-Identifier: Apache-2.0
// Numbers and leftovers of shard files.
#include "pipeline/stages/series_files.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <regex>

#include "index/manifest.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

std::string key_of(const std::string& series) { return "shards/next/" + series; }

/// Number behind the last dash of "shards/<series>-000012.tar", -1 for another form.
int shard_number(const std::string& path) {
  const auto dash = path.rfind('-');
  int number = -1;
  if (dash != std::string::npos) std::from_chars(path.data() + dash + 1, path.data() + path.size(), number);
  return number;
}

}  // namespace

int next_shard_number(const index::Manifest& manifest, const std::string& series, const std::vector<std::string>& named) {
  const auto text = index::meta(manifest, key_of(series)).value_or("0");
  int next = 0;
  std::from_chars(text.data(), text.data() + text.size(), next);
  for (const auto& path : named) next = std::max(next, shard_number(path) + 1);
  return next;
}

void take_shard_number(index::Manifest& manifest, const std::string& series, const std::string& path) {
  index::set_meta(manifest, key_of(series), std::to_string(next_shard_number(manifest, series, {path})));
}

void remove_unrecorded(const StageInput& in, const std::string& series, const std::vector<std::string>& named) {
  const int next = next_shard_number(in.manifest, series, named);
  const std::regex ours(series + R"(-\d{6,}\.(tar|idx))");
  std::vector<fs::path> stale;
  for (const auto& entry : fs::directory_iterator(in.workspace / "shards")) {
    const std::string name = entry.path().filename().string();
    if (std::regex_match(name, ours) && shard_number(name) >= next) stale.push_back(entry.path());
  }
  for (const auto& file : stale) fs::remove(file);
}

}  // namespace tilewright::pipeline
