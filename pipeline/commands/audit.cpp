// SPDX-License-Identifier: Apache-2.0
// `tilewright audit JOB|LIST`: what the parts of a split share.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "pipeline/commands/command.h"
#include "pipeline/runner/workspace.h"
#include "pipeline/stages/split_objects.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// "5%" or "0.05" as a share.
double share_of(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const bool is_percent = *end == '%' && end[1] == '\0';
  const double share = is_percent ? value / 100 : value;
  if (end == text.c_str() || (*end != '\0' && !is_percent) || !(share >= 0 && share <= 1))
    throw Error::config("--max-leak: '" + text + "' is no share; write 5% or 0.05");
  return share;
}

/// The job of a job file or workspace: it knows the label objects.
std::optional<Job> job_of(const Invocation& in) {
  const fs::path place = in.argument;
  const bool is_job = place.extension() == ".yaml" || place.extension() == ".yml";
  if (!is_job && !fs::exists(place / "job.resolved.yaml")) return std::nullopt;
  return load_job_or_workspace(place, job_options(in));
}

fs::path place_of(const Invocation& in, const std::optional<Job>& job) {
  if (!job) return in.argument;
  const auto workspace = job->workspace();
  if (!fs::exists(workspace / "manifest.gpkg")) throw Error::config("the workspace " + workspace.string() + " has no manifest yet; run: tilewright run " + in.argument + " --to split");
  return workspace;
}

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json json_of(const SplitList& list, const index::SplitAudit& audit) {
  Json parts = Json::array();
  const auto count = [](bool is_known, std::int64_t value) { return is_known ? Json(value) : Json(nullptr); };
  for (const auto& part : audit.parts)
    parts.push_back({{"part", part.part}, {"samples", part.samples}, {"scene_in_train", count(audit.knows_scenes, part.scene)},
                     {"location_in_train", count(audit.knows_locations, part.location)}, {"ground_in_train", count(audit.knows_places, part.ground)},
                     {"pixels_in_train", count(audit.knows_contents, part.content)}, {"near_equal_pixels_in_train", count(audit.knows_thumbnails, part.near_content)},
                     {"objects_in_train", count(audit.knows_objects, part.object)}, {"any_in_train", part.any}, {"nearest_train_m", {{"least", number_or_null(part.least_m)}, {"median", number_or_null(part.median_m)}}}});
  return {{"kind", list.kind}, {"samples", list.samples.size()}, {"train", audit.train}, {"guard", audit.guard}, {"without_place", audit.without_place},
          {"parts", parts}, {"worst_share", audit.worst_frac()}, {"notes", list.notes}};
}

std::string percent(std::int64_t count, std::int64_t of) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100.0 * static_cast<double>(count) / static_cast<double>(of));
  return text;
}

std::string metres(const std::optional<double>& value) {
  if (!value) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.0f m", *value);
  return text;
}

std::string text_of(const SplitList& list, const index::SplitAudit& audit) {
  std::string out = list.kind + ": " + std::to_string(list.samples.size()) + " samples, " + std::to_string(audit.train) + " of train, " + std::to_string(audit.without_place) + " without a place\n";
  char line[256];
  std::snprintf(line, sizeof line, "%-12s %8s %10s %10s %10s %10s %10s %10s %10s %12s %12s\n", "part", "samples", "scene", "location", "ground", "pixels", "near-equal", "any", "objects", "nearest", "median");
  out += line;
  for (const auto& part : audit.parts) {
    const auto share = [&](std::int64_t count, bool is_known = true) { return is_known ? percent(count, part.samples) : std::string("-"); };
    std::snprintf(line, sizeof line, "%-12.12s %8lld %10s %10s %10s %10s %10s %10s %10s %12s %12s\n", part.part.c_str(), static_cast<long long>(part.samples), share(part.scene, audit.knows_scenes).c_str(),
                  share(part.location, audit.knows_locations).c_str(), share(part.ground, audit.knows_places).c_str(), share(part.content, audit.knows_contents).c_str(), share(part.near_content, audit.knows_thumbnails).c_str(),
                  share(part.any).c_str(), share(part.object, audit.knows_objects).c_str(), metres(part.least_m).c_str(), metres(part.median_m).c_str());
    out += line;
  }
  out += "shares of a part whose scene, location, ground or pixels (equal, or but for compression) are in train too; objects: a label object runs through both, which alone is no leak; distances to the nearest sample of train; - is not known\n";
  for (const auto& note : list.notes) out += note + "\n";
  return out;
}

/// Samples with a place as GeoJSON: what each shares with train.
std::string map_of(const SplitList& list, const index::SplitAudit& audit) {
  const auto ring_of = [](const std::vector<geometry::LonLat>& ring) {
    Json points = Json::array();
    for (const auto& point : ring) points.push_back({point.lon_deg, point.lat_deg});
    return points;
  };
  Json features = Json::array();
  for (std::size_t n = 0; n < list.samples.size(); ++n) {
    const auto& sample = list.samples[n];
    if (sample.where.geom.empty()) continue;
    Json polygons = Json::array();
    for (const auto& polygon : sample.where.geom) {
      Json rings = Json::array({ring_of(polygon.outer)});
      for (const auto& hole : polygon.holes) rings.push_back(ring_of(hole));
      polygons.push_back(rings);
    }
    const auto& leak = audit.of[n];
    features.push_back({{"type", "Feature"}, {"geometry", {{"type", "MultiPolygon"}, {"coordinates", polygons}}},
                        {"properties", {{"id", sample.where.location_id}, {"part", sample.part}, {"scene", leak.scene}, {"location", leak.location}, {"ground", leak.ground},
                                        {"pixels", leak.content}, {"near_equal", leak.near_content}, {"objects", leak.object}, {"nearest_train_m", number_or_null(leak.nearest_m)}}}});
  }
  return Json{{"type", "FeatureCollection"}, {"features", features}}.dump(1) + "\n";
}

}  // namespace

int run_audit(const Invocation& in) {
  const double most = in.max_leak ? share_of(*in.max_leak) : 1;
  if (in.map && fs::exists(*in.map) && !in.overwrite) throw Error::config("--map: " + *in.map + " is there already; name another file, or add --overwrite");
  OpenPolicy policy;
  policy.untrusted = in.untrusted;
  const auto job = job_of(in);
  auto list = read_split_list(place_of(in, job), in.scene, policy);
  if (job) add_label_objects(list, *job);
  const auto audit = index::audit_samples(list.samples);
  if (in.map) shard::publish_file(*in.map, map_of(list, audit));
  std::cout << (in.json ? json_of(list, audit).dump(2) + "\n" : text_of(list, audit));
  if (audit.worst_frac() <= most) return 0;
  std::cerr << "tilewright audit: " << percent(static_cast<std::int64_t>(std::llround(audit.worst_frac() * 1e6)), 1000000) << " of a part leaks, more than --max-leak " << *in.max_leak << "\n";
  return static_cast<int>(ErrorKind::failed);
}

}  // namespace tilewright::pipeline
