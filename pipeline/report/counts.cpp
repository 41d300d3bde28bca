// SPDX-License-Identifier: Apache-2.0
// Numbers that add up, and everything that was left out, by name and reason.
#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "index/reason.h"
#include "pipeline/report/section.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kMostNames = 200;

std::string meaning_of(const std::string& code) {
  for (const auto& row : index::reasons())
    if (row.code == code) return std::string(row.meaning);
  return "";
}

ReportJson source_row(const index::Manifest& manifest, const std::string& source) {
  std::map<std::string, std::int64_t> by_status;
  std::set<std::string> files;
  for (const auto& tile : index::tiles(manifest, source)) {
    ++by_status[tile.status];
    for (const auto& file : index::tile_files(manifest, tile.tile_id)) files.insert(file.path);
  }
  const auto total = by_status["ok"] + by_status["duplicate"] + by_status["quarantined"] + by_status["removed"];
  return {{"source", source}, {"files", files.size()}, {"tiles", total}, {"ok", by_status["ok"]}, {"duplicate", by_status["duplicate"]},
          {"quarantined", by_status["quarantined"]}, {"removed", by_status["removed"]}};
}

ReportJson card(const std::string& name, std::int64_t value, const std::string& detail) {
  return {{"name", name}, {"value", grouped(value)}, {"detail", detail}};
}

ReportJson view_card(const index::Manifest& manifest) {
  const auto views = index::views(manifest);
  const auto resampled = std::count_if(views.begin(), views.end(), [](const auto& v) { return v.resampled; });
  return card("views", static_cast<std::int64_t>(views.size()), grouped(static_cast<std::int64_t>(views.size()) - resampled) + " copied bit for bit, " + grouped(resampled) + " resampled");
}

ReportJson location_card(const index::Manifest& manifest) {
  std::map<std::string, std::int64_t> parts;
  const auto locations = index::locations(manifest);
  for (const auto& location : locations) ++parts[location.split.value_or("no part")];
  std::string detail;
  for (const char* part : {"train", "val", "test", "guard", "no part"})
    if (parts.contains(part)) detail += (detail.empty() ? "" : ", ") + grouped(parts[part]) + " " + part;
  return card("locations", static_cast<std::int64_t>(locations.size()), detail);
}

}  // namespace

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number < 0 ? -number : number), out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += "\xE2\x80\xAF";  // narrow no-break space
    out += digits[i];
  }
  return (number < 0 ? "-" : "") + out;
}

ReportJson count_section(const ReportInput& input) {
  ReportJson sources = ReportJson::array(), cards = ReportJson::array();
  std::int64_t files = 0, tiles = 0, ok = 0;
  for (const auto& [name, config] : input.job.sources) {
    sources.push_back(source_row(input.manifest, name));
    files += sources.back()["files"].get<std::int64_t>();
    tiles += sources.back()["tiles"].get<std::int64_t>();
    ok += sources.back()["ok"].get<std::int64_t>();
  }
  const auto rejections = index::rejections(input.manifest, "scan");
  const auto ungrouped = std::count_if(rejections.begin(), rejections.end(), [](const auto& r) { return r.reason == "ungrouped_file"; });
  const auto overlaps = index::overlap_count(input.manifest);
  std::set<int> components;
  for (const auto& tile : index::tiles(input.manifest, "", "ok"))
    if (tile.component_id) components.insert(*tile.component_id);
  cards.push_back(card("files", files + ungrouped, grouped(files) + " in tiles, " + grouped(ungrouped) + " in no group"));
  cards.push_back(card("tiles", tiles, grouped(ok) + " used"));
  cards.push_back(card("overlaps", overlaps, grouped(static_cast<std::int64_t>(components.size())) + " connected components"));
  cards.push_back(location_card(input.manifest));
  cards.push_back(view_card(input.manifest));
  for (const auto& [name, layer] : input.job.layers) {
    const auto masks = index::masks(input.manifest, name);
    const auto objects = index::label_objects(input.manifest, name);
    cards.push_back(card("masks of " + name, static_cast<std::int64_t>(masks.size()), grouped(static_cast<std::int64_t>(objects.size())) + " objects read"));
  }
  return {{"cards", cards}, {"sources", sources}, {"files", files}, {"ungrouped", ungrouped}, {"tiles", tiles}};
}

ReportJson rejection_section(const ReportInput& input) {
  std::map<std::pair<std::string, std::string>, std::int64_t> by_reason;
  for (const auto& rejection : index::rejections(input.manifest)) ++by_reason[{rejection.stage, rejection.reason}];
  ReportJson reasons = ReportJson::array(), quarantined = ReportJson::array(), duplicates = ReportJson::array();
  for (const auto& [key, number] : by_reason)
    reasons.push_back({{"stage", key.first}, {"reason", key.second}, {"number", number}, {"meaning", meaning_of(key.second)}});
  std::map<std::string, std::string> details, path_of;
  for (const auto& rejection : index::rejections(input.manifest, "scan")) details[rejection.subject] = rejection.detail;
  const auto tiles = index::tiles(input.manifest);
  for (const auto& tile : tiles) path_of[tile.tile_id] = tile.path;
  for (const auto& tile : tiles) {
    if (tile.status == "quarantined" && quarantined.size() < kMostNames)
      quarantined.push_back({{"path", tile.path}, {"reason", tile.reason.value_or("")}, {"meaning", meaning_of(tile.reason.value_or(""))}, {"detail", details[tile.tile_id]}});
    if (tile.status == "duplicate" && duplicates.size() < kMostNames)
      duplicates.push_back({{"path", tile.path}, {"of", path_of[tile.duplicate_of.value_or("")]}});
  }
  if (reasons.empty() && quarantined.empty() && duplicates.empty()) return nullptr;
  return {{"reasons", reasons}, {"quarantined", quarantined}, {"duplicates", duplicates}, {"has_quarantined", !quarantined.empty()}, {"has_duplicates", !duplicates.empty()}};
}

}  // namespace tilewright::pipeline
