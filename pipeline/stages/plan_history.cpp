// SPDX-License-Identifier: Apache-2.0
// Compares scenes and settings with those of the plan that is there.
#include "pipeline/stages/plan_history.h"

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>

#include "index/plan_rows.h"
#include "index/shard/sha256.h"
#include "pipeline/config/load.h"
#include "pipeline/runner/stage_key.h"
#include "pipeline/stages/whole_grid.h"

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kPlan = "views/plan";
constexpr const char* kPlanner = "1";  ///< raised when an earlier plan cannot be continued

void add(shard::Sha256& hash, const std::string& text) { hash.update(std::to_string(text.size()) + "\n" + text + "\n"); }

std::string bits(double value) { return std::to_string(std::bit_cast<std::uint64_t>(value)); }

void add(shard::Sha256& hash, const geometry::GeoMultiPolygon& geom) {
  const auto ring = [&](const auto& points) {
    add(hash, std::to_string(points.size()));
    for (const auto& point : points) hash.update(std::as_bytes(std::span(&point, 1)));
  };
  for (const auto& polygon : geom) {
    ring(polygon.outer);
    for (const auto& hole : polygon.holes) ring(hole);
  }
}

/// Files, date and valid ground of a tile: what its views are made of.
std::string content_of(const index::TileRow& row, std::span<const index::TileFileRow> files) {
  shard::Sha256 hash;
  for (const auto& file : files) add(hash, file.band + "\n" + file.sha256);
  for (const auto& text : {row.sha256, row.acquired.value_or("-"), std::to_string(row.time_known), std::to_string(row.epsg), std::to_string(row.width_px),
                           std::to_string(row.height_px), bits(row.res_x), bits(row.res_y), bits(row.valid_frac),
                           row.cloud_frac ? bits(*row.cloud_frac) : std::string("-")})
    add(hash, text);
  add(hash, row.geom);
  return shard::hex(hash.finish()).substr(0, 32);
}

std::map<std::string, std::string> contents_of(const StageInput& in) {
  std::map<std::string, std::string> contents;
  for (const auto& source : in.job.view_sources())
    index::each_tile(in.manifest, source, "ok", [&](const index::TileRow& row) {
      contents[row.tile_id] = content_of(row, index::tile_files(in.manifest, row.tile_id));
    });
  return contents;
}

/// What a plan has to agree on with the one that it continues. Which sources are seen is not among
/// it: another source is new scenes.
StageKey settings_of(const Job& job) {
  StageKey key;
  auto views = Json::parse(section_json(job, "views"));
  views.erase("sources");
  key.parts.push_back({"planner", kPlanner});
  key.parts.push_back({"section grid", section_json(job, "grid")});
  key.parts.push_back({"section views", views.dump()});
  key.parts.push_back({"section extract.resampling", section_json(job, "extract.resampling")});
  return key;
}

StageReport report_of(const Json& json) {
  StageReport report;
  for (const auto& [name, value] : json.at("counts").items()) report.counts.emplace_back(name, value.get<std::int64_t>());
  report.notes = json.at("notes").get<std::vector<std::string>>();
  return report;
}

Json json_of(const StageReport& report) {
  Json counts = Json::object();
  for (const auto& [name, value] : report.counts) counts[name] = value;
  return {{"counts", counts}, {"notes", report.notes}};
}

Json plan_of(const index::Manifest& manifest) {
  const auto text = index::meta(manifest, kPlan);
  auto plan = text ? Json::parse(*text, nullptr, false) : Json();
  return plan.is_object() && plan.contains("number") ? plan : Json();
}

void compare_tiles(const index::Manifest& manifest, PlanHistory& history) {
  for (const auto& known : index::plan_tiles(manifest)) {
    const auto now = history.contents.find(known.tile_id);
    if (now == history.contents.end()) history.removed.insert(known.tile_id);
    else if (now->second != known.content) history.changed.insert(known.tile_id);
  }
  std::set<std::string> known;
  for (const auto& tile : index::plan_tiles(manifest)) known.insert(tile.tile_id);
  for (const auto& [tile_id, content] : history.contents)
    if (!known.contains(tile_id)) history.added.insert(tile_id);
}

}  // namespace

PlanHistory plan_history(const StageInput& in) {
  PlanHistory history;
  history.contents = contents_of(in);
  const auto key = settings_of(in.job);
  history.settings = parts_json(key);
  shard::Sha256 hash;
  add(hash, history.settings);
  for (const auto& [tile_id, content] : history.contents) add(hash, tile_id + " " + content);
  add(hash, stage_row("views").inputs(in));  // points and tables of samples
  history.digest = shard::hex(hash.finish());
  const auto plan = plan_of(in.manifest);
  if (plan.is_null()) return history;
  history.why_anew = changes(parts_from_json(plan.at("settings").dump()), key.parts);
  if (!history.why_anew.empty()) return history;
  history.appends = true;
  history.number = plan.at("number").get<int>();
  compare_tiles(in.manifest, history);
  if (plan.at("digest") == history.digest) history.same = report_of(plan.at("report"));
  else ++history.number;
  return history;
}

void record_plan(index::Manifest& manifest, const PlanHistory& history, const StageReport& report) {
  for (const auto& tile_id : history.removed) index::remove_plan_tile(manifest, tile_id);
  for (const auto& [tile_id, content] : history.contents)
    if (!history.appends || history.is_new(tile_id)) index::insert(manifest, index::PlanTileRow{tile_id, content});
  const Json plan{{"number", history.number}, {"digest", history.digest}, {"settings", Json::parse(history.settings)}, {"report", json_of(report)}};
  index::set_meta(manifest, kPlan, plan.dump());
}

std::string kind_of(const std::string& subject) {
  if (subject.find('/') != std::string::npos) return "view";
  return geometry::parse_location_id(subject) || is_whole(subject) ? "location" : "tile";
}

int plan_number(const index::Manifest& manifest) {
  const auto plan = plan_of(manifest);
  return plan.is_null() ? 0 : plan.at("number").get<int>();
}

}  // namespace tilewright::pipeline
