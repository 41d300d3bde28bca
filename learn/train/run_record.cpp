// SPDX-License-Identifier: Apache-2.0
// Reads, writes and compares config.json of a run.
#include "learn/train/run_record.h"

#include <fstream>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "learn/config/json.h"

namespace tilewright::learn {
namespace {

constexpr int kRecordVersion = 1;
constexpr std::size_t kMostDifferences = 5;

std::string shortened(const std::string& text) {
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

/// Leaves that differ, by path.
void compare(const Json& then, const Json& now, const std::string& path,
             std::vector<std::string>& out) {
  if (then == now) return;
  if (then.is_object() && now.is_object()) {
    for (const auto& [key, value] : now.items())
      compare(then.value(key, Json()), value, path.empty() ? key : path + "." + key, out);
  } else if (then.is_array() && now.is_array() && then.size() == now.size()) {
    for (std::size_t i = 0; i < now.size(); ++i)
      compare(then[i], now[i], path + "[" + std::to_string(i) + "]", out);
  } else {
    out.push_back(path + " (" + shortened(then.dump()) + " then, " + shortened(now.dump()) +
                  " now)");
  }
}

}  // namespace

RunRecord read_run_record(const std::filesystem::path& run_folder) {
  const auto file = run_folder / "config.json";
  std::ifstream in(file, std::ios::binary);
  if (!in)
    throw Error::failed("the run " + run_folder.string() +
                        " has no config.json; run: tilewright train JOB");
  const Json document = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object())
    throw Error::failed(file.string() +
                        " is damaged; train again: tilewright train JOB --force train");
  RunRecord record;
  read_json(document, record, file.string());
  if (record.version != kRecordVersion)
    throw Error::failed(file.string() + " has version " + std::to_string(record.version) +
                        ", this program reads version " + std::to_string(kRecordVersion));
  return record;
}

void write_run_record(const std::filesystem::path& run_folder, const RunRecord& record) {
  shard::publish_file(run_folder / "config.json", json_of(record).dump(2) + "\n");
}

std::string identity_text(const RunRecord& record) {
  auto document = json_of(record);
  document.erase("program");
  return document.dump();
}

std::string describe_difference(const std::string& then, const std::string& now) {
  const auto old_json = Json::parse(then, nullptr, false),
             new_json = Json::parse(now, nullptr, false);
  std::vector<std::string> found;
  compare(old_json, new_json, "", found);
  std::string text;
  for (std::size_t i = 0; i < found.size() && i < kMostDifferences; ++i)
    text += (i ? ", " : "") + found[i];
  if (found.size() > kMostDifferences)
    text += " and " + std::to_string(found.size() - kMostDifferences) + " more";
  return text;
}

std::vector<std::string> band_names(const std::vector<InputInfo>& inputs) {
  std::vector<std::string> names;
  for (const auto& input : inputs)
    for (const auto& band : input.bands) names.push_back(band.name);
  return names;
}

}  // namespace tilewright::learn
