// SPDX-License-Identifier: Apache-2.0
// Builds keys of stages and tells two of them apart.
#include "pipeline/runner/stage_key.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "geometry/version.h"
#include "index/shard/sha256.h"
#include "pipeline/config/load.h"
#include "pipeline/stages/curate_subsets.h"

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::ordered_json;

std::string shortened(const std::string& text) { return text.size() <= 60 ? text : text.substr(0, 57) + "..."; }

/// Differences of two JSON values, by key path.
void compare(const std::string& path, const Json& before, const Json& now, std::vector<std::string>& out) {
  if (before == now) return;
  if (before.is_object() && now.is_object()) {
    for (const auto& [key, item] : now.items())
      compare(path.empty() ? key : path + "." + key, before.value(key, Json(nullptr)), item, out);
    for (const auto& [key, item] : before.items())
      if (!now.contains(key)) out.push_back((path.empty() ? key : path + "." + key) + " removed (was " + shortened(item.dump()) + ")");
    return;
  }
  out.push_back((path.empty() ? "" : path + " ") + shortened(before.dump()) + " -> " + shortened(now.dump()));
}

std::string value_of(const std::vector<KeyPart>& parts, const std::string& name) {
  for (const auto& part : parts)
    if (part.name == name) return part.value;
  return "";
}

/// The part of a key's inputs that stands for verdicts, cut out of `inputs`; "" if there is none.
std::string take_verdicts(std::string& inputs) {
  const auto at = inputs.find("\n" + std::string(kVerdictInput));
  if (at == std::string::npos) return "";
  auto verdicts = inputs.substr(at);
  inputs.resize(at);
  return verdicts;
}

void describe_inputs(std::string now, std::string before, std::vector<std::string>& out) {
  if (take_verdicts(now) != take_verdicts(before)) out.emplace_back("people gave verdicts or took some back");
  if (now != before) out.emplace_back("the content of the input files changed");
}

void describe_change(const KeyPart& now, const std::string& before, std::vector<std::string>& out) {
  if (now.name.starts_with("section ")) {
    const auto old_json = Json::parse(before, nullptr, false), new_json = Json::parse(now.value, nullptr, false);
    const auto first = out.size();
    compare("", old_json, new_json, out);
    if (out.size() == first) out.emplace_back("its entries stand in another order");
    for (auto i = first; i < out.size(); ++i) out[i] = now.name + ": " + out[i];
  } else if (now.name.starts_with("needs ")) {
    out.push_back(now.name.substr(6) + " has a new result");
  } else if (now.name == "inputs") {
    describe_inputs(now.value, before, out);
  } else {
    out.push_back(now.name + " " + (before.empty() ? "-" : before) + " -> " + (now.value.empty() ? "-" : now.value));
  }
}

}  // namespace

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(' ', begin), text.size());
    if (end > begin) out.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::vector<std::string> stage_names() {
  std::vector<std::string> out;
  for (const auto& row : stages()) out.emplace_back(row.name);
  return out;
}

const StageRow& stage_row(const std::string& name) {
  for (const auto& row : stages())
    if (row.name == name) return row;
  const auto near = nearest_name(name, stage_names());
  std::string all;
  for (const auto& stage : stage_names()) all += (all.empty() ? "" : ", ") + stage;
  throw Error::config("there is no stage '" + name + "'; " + (near.empty() ? "stages: " + all : "did you mean " + near + "?"));
}

std::vector<std::string> needed_stages(const StageRow& row, const Job& job) {
  std::vector<std::string> out;
  for (const auto& name : split_words(row.needs))
    if (stage_row(name).wanted(job)) out.push_back(name);
  return out;
}

std::vector<std::string> dependent_stages(const std::string& stage) {
  std::vector<std::string> out;
  for (const auto& row : stages()) {
    const auto needs = split_words(row.needs);
    const bool rests = std::any_of(needs.begin(), needs.end(), [&](const auto& need) {
      return need == stage || std::find(out.begin(), out.end(), need) != out.end();
    });
    if (rests) out.emplace_back(row.name);
  }
  return out;
}

StageKey stage_key(const StageRow& row, const StageInput& in, std::int64_t limit) {
  StageKey key;
  key.parts.push_back({"program", kVersion});
  key.parts.push_back({"stage", std::string(row.name) + " " + std::to_string(row.version)});
  for (const auto& section : split_words(row.sections)) key.parts.push_back({"section " + section, section_json(in.job, section)});
  for (const auto& need : needed_stages(row, in.job)) {
    const auto run = index::stage_run(in.manifest, need);
    key.parts.push_back({"needs " + need, run ? run->key : ""});
  }
  key.parts.push_back({"inputs", row.inputs(in)});
  if (limit > 0) key.parts.push_back({"limit", std::to_string(limit)});
  shard::Sha256 hash;
  for (const auto& part : key.parts) hash.update(part.name + "\n" + std::to_string(part.value.size()) + "\n" + part.value + "\n");
  key.digest = shard::hex(hash.finish());
  return key;
}

std::string parts_json(const StageKey& key) {
  auto out = Json::object();
  for (const auto& part : key.parts) out[part.name] = part.value;
  return out.dump();
}

std::vector<KeyPart> parts_from_json(const std::string& json) {
  std::vector<KeyPart> out;
  const auto parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) return out;
  for (const auto& [name, value] : parsed.items())
    if (value.is_string()) out.push_back({name, value.get<std::string>()});
  return out;
}

std::vector<std::string> changes(const std::vector<KeyPart>& before, const std::vector<KeyPart>& now) {
  std::vector<std::string> out;
  for (const auto& part : now) {
    const auto old_value = value_of(before, part.name);
    if (old_value != part.value) describe_change(part, old_value, out);
  }
  for (const auto& part : before)
    if (std::none_of(now.begin(), now.end(), [&](const auto& other) { return other.name == part.name; }))
      out.push_back(part.name + " " + shortened(part.value) + " no longer counts");
  return out;
}

}  // namespace tilewright::pipeline
