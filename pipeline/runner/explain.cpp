// SPDX-License-Identifier: Apache-2.0
// Gathers what the manifest knows of one item.
#include "pipeline/runner/explain.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "geometry/error.h"
#include "index/reason.h"
#include "pipeline/config/load.h"
#include "pipeline/runner/status.h"
#include "pipeline/stages/plan_history.h"

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string meaning_of(const std::string& reason) {
  for (const auto& row : index::reasons())
    if (row.code == reason) return std::string(row.meaning);
  return "";
}

Json rejection_json(const index::RejectionRow& row) {
  return {{"stage", row.stage}, {"subject", row.subject}, {"reason", row.reason}, {"meaning", meaning_of(row.reason)}, {"detail", row.detail}};
}

/// Rejections whose subject is the item, or has it as a part.
Json rejections_of(const index::Manifest& manifest, const std::string& item) {
  auto out = Json::array();
  for (const auto& row : index::rejections(manifest)) {
    const bool is_part = row.subject.starts_with(item + "/") || row.subject.ends_with("/" + item);
    if (row.subject == item || is_part) out.push_back(rejection_json(row));
  }
  return out;
}

/// What later plans did to the item; an item without a line is from the plan that began.
Json history_of(const index::Manifest& manifest, const std::string& subject) {
  const int plan = plan_number(manifest);
  auto out = Json::array();
  int last = plan > 0 ? 1 : 0;
  for (const auto& row : index::plan_changes(manifest, subject)) {
    Json line{{"plan", row.plan}, {"change", row.change}};
    if (!row.detail.empty()) line["why"] = row.detail;
    out.push_back(std::move(line));
    last = row.plan;
  }
  if (plan == 0) return out;
  if (out.empty()) out.push_back({{"plan", 1}, {"change", "planned"}});
  if (last < plan) out.push_back({{"plan", plan}, {"change", "kept"}, {"why", "no new, changed or gone scene concerns it"}});
  return out;
}

/// A view that came with its location has no line of its own.
Json history_of_view(const index::Manifest& manifest, const std::string& location_id, const std::string& tile_id) {
  const auto subject = location_id + "/" + tile_id;
  return history_of(manifest, index::plan_changes(manifest, subject).empty() ? location_id : subject);
}

Json view_json(const index::ViewRow& view) {
  Json out{{"location_id", view.location_id}, {"tile_id", view.tile_id}, {"acquired", or_null(view.acquired)}};
  out["how"] = view.resampled ? "resampled" : "copied";
  out["shift_px"] = or_null(view.shift_px);
  out["valid_frac"] = view.valid_frac;
  out["cloud_frac"] = or_null(view.cloud_frac);
  out["shard"] = view.place ? Json(view.place->shard + " at " + std::to_string(view.place->byte_offset)) : Json("not extracted yet");
  return out;
}

Json explain_tile(const index::Manifest& manifest, const index::TileRow& tile) {
  Json out{{"kind", "tile"}, {"tile_id", tile.tile_id}, {"source", tile.source}, {"path", tile.path}, {"status", tile.status}};
  out["reason"] = or_null(tile.reason);
  if (tile.reason) out["meaning"] = meaning_of(*tile.reason);
  out["duplicate_of"] = or_null(tile.duplicate_of);
  out["acquired"] = or_null(tile.acquired);
  out["crs"] = tile.epsg ? Json("EPSG:" + std::to_string(tile.epsg)) : Json(nullptr);
  out["size"] = std::to_string(tile.width_px) + " x " + std::to_string(tile.height_px) + " x " + std::to_string(tile.band_count) + " " + tile.dtype;
  out["valid_frac"] = tile.valid_frac;
  out["cloud_frac"] = or_null(tile.cloud_frac);
  out["component_id"] = or_null(tile.component_id);
  out["files"] = Json::array();
  for (const auto& file : index::tile_files(manifest, tile.tile_id)) out["files"].push_back(file.path);
  std::int64_t views = 0;
  for (const auto& row : index::views(manifest)) views += row.tile_id == tile.tile_id ? 1 : 0;
  out["overlaps"] = index::overlap_count(manifest, tile.tile_id);
  out["views"] = views;
  out["history"] = history_of(manifest, tile.tile_id);
  out["rejections"] = rejections_of(manifest, tile.tile_id);
  return out;
}

Json explain_location(const index::Manifest& manifest, const index::LocationRow& location) {
  Json out{{"kind", "location"}, {"location_id", location.location_id}, {"crs", location.epsg != 0 ? Json("EPSG:" + std::to_string(location.epsg)) : Json(nullptr)}};
  out["upper_left"] = {location.ulx, location.uly};
  out["size_px"] = location.size_px;
  out["split"] = or_null(location.split);
  out["views"] = Json::array();
  for (const auto& view : index::views(manifest, location.location_id)) out["views"].push_back(view_json(view));
  out["history"] = history_of(manifest, location.location_id);
  out["masks"] = Json::array();
  for (const auto& mask : index::masks(manifest))
    if (mask.location_id == location.location_id)
      out["masks"].push_back({{"layer", mask.layer}, {"positive_frac", mask.positive_frac}, {"ignore_frac", mask.ignore_frac}, {"object_count", mask.object_count}});
  out["targets"] = Json::array();
  for (const auto& target : index::targets(manifest))
    if (target.location_id == location.location_id)
      out["targets"].push_back({{"name", target.name}, {"value", target.value}, {"valid_from", or_null(target.valid_from)}, {"valid_to", or_null(target.valid_to)}});
  out["scores"] = Json::array();
  for (const auto& score : index::scores(manifest))
    if (score.location_id == location.location_id)
      out["scores"].push_back({{"layer", or_null(score.layer)}, {"metric", score.metric}, {"value", score.value}});
  out["rejections"] = rejections_of(manifest, location.location_id);
  return out;
}

/// "plan 2": {"tile added": 3, "location dropped": 1, ...}
Json changes_by_kind(const index::Manifest& manifest) {
  auto out = Json::object();
  for (const auto& row : index::plan_changes(manifest)) {
    auto& count = out["plan " + std::to_string(row.plan)][kind_of(row.subject) + " " + row.change];
    count = count.is_null() ? 1 : count.get<int>() + 1;
  }
  return out;
}

Json explain_stage(const StageInput& in, const std::string& name) {
  const auto all = status_of_all(in, 0);
  const auto& status = *std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.stage == name; });
  Json out{{"kind", "stage"}, {"stage", name}, {"state", std::string(text_of(status.state))}, {"why", status.why}};
  if (status.last) {
    out["started"] = status.last->started;
    out["finished"] = status.last->finished;
    out["result"] = Json::parse(status.last->counts_json, nullptr, false);
  }
  if (name == "views" && plan_number(in.manifest) > 0) {
    out["plan"] = plan_number(in.manifest);
    out["plan_changes"] = changes_by_kind(in.manifest);
  }
  const auto before = status.last ? parts_from_json(status.last->config_json) : std::vector<KeyPart>{};
  out["key"] = Json::array();
  for (const auto& part : status.key.parts) {
    const auto same = std::any_of(before.begin(), before.end(), [&](const auto& old) { return old.name == part.name && old.value == part.value; });
    out["key"].push_back({{"part", part.name}, {"changed", !same}, {"value", part.value}});
  }
  out["rejections"] = Json::object();
  for (const auto& row : index::rejections(in.manifest, name)) {
    auto& count = out["rejections"][row.reason];
    count = count.is_null() ? 1 : count.get<int>() + 1;
  }
  return out;
}

std::string state_of_run(const StageInput& in, const std::string& name) {
  const auto folder = in.workspace / "runs" / name;
  if (std::filesystem::exists(folder / "evaluation.json")) return "trained and evaluated";
  if (std::filesystem::exists(folder / "weights.safetensors")) return "trained";
  return std::filesystem::exists(folder / "checkpoints") ? "begun" : "not begun";
}

/// "seed": "1", ... of a member of a grid.
Json axes_json(const Experiment& experiment, const ExperimentMember& member) {
  auto out = Json::object();
  for (std::size_t i = 0; i < experiment.axes.size(); ++i) out[experiment.axes[i]] = member.values[i];
  return out;
}

/// A run, or a run with a grid and its members.
std::optional<Json> explain_run(const StageInput& in, const std::string& item) {
  for (const auto& experiment : in.job.experiments) {
    if (experiment.name != item) continue;
    Json out{{"kind", "experiment"}, {"experiment", item}, {"members", Json::array()}};
    for (const auto& member : experiment.members) {
      auto row = axes_json(experiment, member);
      row["run"] = member.run;
      row["state"] = state_of_run(in, member.run);
      out["members"].push_back(std::move(row));
    }
    return out;
  }
  for (const auto& [name, run] : in.job.runs) {
    if (name != item) continue;
    Json out{{"kind", "run"}, {"run", name}, {"recipe", run.recipe}, {"model", run.model.name}, {"dataset", run.dataset}, {"state", state_of_run(in, name)}};
    for (const auto& experiment : in.job.experiments)
      for (const auto& member : experiment.members)
        if (member.run == name) out["experiment"] = experiment.name, out["grid"] = axes_json(experiment, member);
    return out;
  }
  return std::nullopt;
}

std::optional<Json> explain_object(const index::Manifest& manifest, const std::string& item) {
  auto found = Json::array();
  for (const auto& object : index::label_objects(manifest)) {
    if (object.object_id != item && object.layer + "/" + object.object_id != item) continue;
    Json row{{"layer", object.layer}, {"object_id", object.object_id}, {"class", or_null(object.object_class)}, {"status", object.status},
             {"rule", or_null(object.rule)}, {"width_m", or_null(object.width_m)}, {"width_sigma_m", or_null(object.width_sigma_m)},
             {"offset_m", or_null(object.offset_m)}, {"source", or_null(object.source)}, {"lon", or_null(object.lon_deg)}, {"lat", or_null(object.lat_deg)},
             {"reason", or_null(object.reason)}};
    if (object.reason) row["meaning"] = meaning_of(*object.reason);
    found.push_back(std::move(row));
  }
  if (found.empty()) return std::nullopt;
  return Json{{"kind", "object"}, {"objects", found}};
}

/// A view or location that a later plan took away.
std::optional<Json> explain_former(const index::Manifest& manifest, const std::string& item) {
  if (index::plan_changes(manifest, item).empty()) return std::nullopt;
  auto history = Json::array();
  for (const auto& row : index::plan_changes(manifest, item)) history.push_back({{"plan", row.plan}, {"change", row.change}, {"why", row.detail}});
  return Json{{"kind", kind_of(item)}, {"item", item}, {"state", "not in the plan any more"}, {"history", history},
              {"rejections", rejections_of(manifest, item)}};
}

std::optional<Json> explain_view(const index::Manifest& manifest, const std::string& item) {
  const auto slash = item.find('/');
  if (slash == std::string::npos) return std::nullopt;
  for (const auto& view : index::views(manifest, item.substr(0, slash)))
    if (view.tile_id == item.substr(slash + 1))
      return Json{{"kind", "view"}, {"view", view_json(view)}, {"history", history_of_view(manifest, view.location_id, view.tile_id)},
                  {"rejections", rejections_of(manifest, item)}};
  return explain_former(manifest, item);
}

/// A tile by the path of one of its files, or by the path's end.
std::optional<index::TileRow> tile_of_path(const index::Manifest& manifest, const std::string& item) {
  for (const auto& file : index::tile_files(manifest))
    if (file.path == item || file.path.ends_with("/" + item) || file.path.ends_with(":" + item)) return index::tile(manifest, file.tile_id);
  for (const auto& tile : index::tiles(manifest))
    if (tile.path == item || tile.path.ends_with("/" + item) || tile.path.ends_with(":" + item)) return tile;
  return std::nullopt;
}

[[noreturn]] void throw_unknown(const Job& job, const index::Manifest& manifest, const std::string& item) {
  auto known = stage_names();
  for (const auto& [name, run] : job.runs) known.push_back(name);
  for (const auto& tile : index::tiles(manifest)) known.push_back(tile.tile_id);
  for (const auto& location : index::locations(manifest)) known.push_back(location.location_id);
  const auto near = nearest_name(item, known);
  throw Error::config("the manifest knows no stage, run, tile, location, view, object or file '" + item + "'" + (near.empty() ? "" : "; did you mean " + near + "?"));
}

Json explanation(const StageInput& in, const std::string& item) {
  const auto& manifest = in.manifest;
  const auto names = stage_names();
  if (std::find(names.begin(), names.end(), item) != names.end()) return explain_stage(in, item);
  if (auto run = explain_run(in, item)) return *run;
  if (const auto tile = index::tile(manifest, item)) return explain_tile(manifest, *tile);
  if (const auto location = index::location(manifest, item)) return explain_location(manifest, *location);
  if (auto view = explain_view(manifest, item)) return *view;
  if (auto former = explain_former(manifest, item)) return *former;
  if (auto object = explain_object(manifest, item)) return *object;
  if (const auto tile = tile_of_path(manifest, item)) return explain_tile(manifest, *tile);
  const auto rejections = rejections_of(manifest, item);
  if (rejections.empty()) throw_unknown(in.job, manifest, item);
  return {{"kind", "rejection"}, {"subject", item}, {"rejections", rejections}};
}

std::string leaf_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.is_null() ? "-" : value.dump(); }

/// `key: value` lines, lists indented.
void render(const Json& value, const std::string& indent, std::string& out) {
  for (const auto& [key, item] : value.items()) {
    const auto label = value.is_array() ? indent + "- " : indent + key + ": ";
    if (!item.is_structured()) {
      out += label + leaf_text(item) + "\n";
    } else if (item.empty()) {
      out += label + "none\n";
    } else if (value.is_array()) {
      std::string inner;
      render(item, indent + "  ", inner);
      out += label + inner.substr(indent.size() + 2);
    } else {
      out += indent + key + ":\n";
      render(item, indent + "  ", out);
    }
  }
}

}  // namespace

std::string explain_item(const StageInput& in, const std::string& item, bool json) {
  const auto found = explanation(in, item);
  if (json) return found.dump(2) + "\n";
  std::string out;
  render(found, "", out);
  return out;
}

}  // namespace tilewright::pipeline
