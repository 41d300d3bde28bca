// SPDX-License-Identifier: Apache-2.0
// GeoJSON written line by line, coordinates with ten digits behind the point.
#include "pipeline/stages/label_export.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>

#include "geometry/buffer.h"
#include "geometry/crs.h"
#include "index/shard/commit.h"
#include "pipeline/stages/line_network.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using geometry::LonLat;
using Json = nlohmann::ordered_json;

std::string number(double value, int digits) {
  std::array<char, 64> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits).ptr};
}

std::string text_of(const std::vector<LonLat>& points) {
  std::string out = "[";
  for (const LonLat& p : points) out += (out.size() > 1 ? ",[" : "[") + number(p.lon_deg, 10) + "," + number(p.lat_deg, 10) + "]";
  return out + "]";
}

std::string text_of(const geometry::GeoMultiPolygon& polygons) {
  std::string out = "[";
  for (const auto& polygon : polygons) {
    out += (out.size() > 1 ? ",[" : "[") + text_of(polygon.outer);
    for (const auto& hole : polygon.holes) out += "," + text_of(hole);
    out += "]";
  }
  return out + "]";
}

/// One file of features, written as they come.
class Collection {
 public:
  explicit Collection(const fs::path& file) : file_(file) { file_.append("{\"type\":\"FeatureCollection\",\"features\":["); }
  void add(const index::LabelObjectRow& row, const std::string& type, const std::string& coordinates, const std::optional<double>& contrast) {
    const auto or_null = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
    const auto rounded = [](const std::optional<double>& value) { return value ? Json(std::stod(number(*value, 4))) : Json(nullptr); };
    Json properties{{"object_id", row.object_id}, {"class", or_null(row.object_class)}, {"rule", or_null(row.rule)}, {"width_m", rounded(row.width_m)},
                    {"width_sigma_m", rounded(row.width_sigma_m)}, {"offset_m", rounded(row.offset_m)}, {"source", or_null(row.source)}};
    if (contrast) properties["contrast"] = rounded(contrast);
    file_.append((is_empty_ ? "\n" : ",\n") + ("{\"type\":\"Feature\",\"properties\":" + properties.dump() + ",\"geometry\":{\"type\":\"" + type + "\",\"coordinates\":" + coordinates + "}}"));
    is_empty_ = false;
  }
  shard::Published publish() {
    file_.append("\n]}\n");
    return file_.publish();
  }

 private:
  shard::PendingFile file_;
  bool is_empty_ = true;
};

/// The outline of an object in degrees, by way of the UTM zone of its middle; nullopt if it cannot be mapped.
std::optional<geometry::GeoMultiPolygon> outline_of(const LabelObject& object, const geometry::Crs& crs) {
  const auto middle = geometry::geographic(middle_of(object.lines.front().line), crs);
  if (!middle) return std::nullopt;
  const auto zone = geometry::Crs::from_epsg(geometry::utm_epsg(*middle));
  std::vector<geometry::MapMultiPolygon> parts;
  for (const ObjectLine& line : object.lines) {
    auto mapped = geometry::projected(line.line, crs, zone, 500);
    if (!mapped) return std::nullopt;
    const auto scale = geometry::ground_scale(middle_of(*mapped), zone);
    geometry::WideLine wide{std::move(*mapped), object.half_width_m, line.round_start, line.round_end, scale, {}};
    wide.half_widths_m = tapered(wide.line, object.half_width_m, object.half_width_end_m);
    parts.push_back(geometry::buffer(wide));
  }
  return geometry::geographic(parts.size() == 1 ? parts.front() : geometry::unite(parts), zone);
}

bool asks_for(const LayerConfig& config, const std::string& what) { return std::ranges::find(config.exports, what) != config.exports.end(); }

}  // namespace

std::string vector_file(const std::string& layer, const std::string& what) { return layer + "_" + what + ".geojson"; }

VectorFacts export_vectors(const fs::path& workspace, const LayerConfig& config, const LabelObjects& objects, const std::vector<FittedLine>& centres) {
  VectorFacts facts;
  const fs::path folder = workspace / "vectors";
  std::error_code error;
  for (const char* what : kExports)
    if (!asks_for(config, what)) fs::remove(folder / vector_file(objects.layer, what), error);
  if (config.exports.empty()) return facts;
  shard::make_folders(folder);
  shard::sweep_temporaries(folder);
  const auto publish = [&](const char* what, const auto& fill) {
    if (!asks_for(config, what)) return;
    Collection features(folder / vector_file(objects.layer, what));
    fill(features);
    const auto file = features.publish();
    facts[vector_file(objects.layer, what)] = Json{{"bytes", file.bytes}, {"sha256", file.sha256}}.dump();
  };
  publish("buffer", [&](Collection& outlines) {
    for (const LabelObject& object : objects.objects) {
      const auto& row = objects.rows[object.feature];
      if (object.lines.empty() || row.status == "rejected") continue;
      if (const auto outline = outline_of(object, objects.crs)) outlines.add(row, "MultiPolygon", text_of(*outline), {});
    }
  });
  publish("centre", [&](Collection& lines) {
    for (const FittedLine& line : centres) lines.add(objects.rows[line.feature], "LineString", text_of(line.centre), line.contrast);
  });
  return facts;
}

}  // namespace tilewright::pipeline
