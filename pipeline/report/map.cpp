// SPDX-License-Identifier: Apache-2.0
// The map of the report: footprints as outlines, locations coloured by part, as one SVG.
#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "pipeline/report/section.h"

namespace tilewright::pipeline {
namespace {

constexpr double kWidth = 960, kMostHeight = 720, kMargin = 12;
constexpr std::size_t kMostLocations = 20000, kMostVertices = 400;
constexpr const char* kSourceColors[] = {"#1f6f8b", "#8b5a1f", "#6a3d9a", "#33691e", "#ad1457"};

void extend(geometry::Box& box, const geometry::GeoMultiPolygon& geom) {
  if (geom.empty()) return;
  const auto more = geometry::bounds(geom);
  if (box.empty()) {
    box = more;
    return;
  }
  box = {std::min(box.min_x, more.min_x), std::min(box.min_y, more.min_y), std::max(box.max_x, more.max_x), std::max(box.max_y, more.max_y)};
}

/// Degrees to SVG units: equirectangular at the middle latitude.
class Projection {
 public:
  explicit Projection(const geometry::Box& box) : box_(box) {
    x_scale_ = std::max(0.05, std::cos((box.min_y + box.max_y) / 2 * std::numbers::pi / 180));
    const double width = std::max(1e-9, (box.max_x - box.min_x) * x_scale_), height = std::max(1e-9, box.max_y - box.min_y);
    scale_ = std::min((kWidth - 2 * kMargin) / width, (kMostHeight - 2 * kMargin) / height);
    height_ = height * scale_ + 2 * kMargin;
  }
  [[nodiscard]] double height() const { return height_; }

  [[nodiscard]] std::string dot(double lon_deg, double lat_deg) const {
    return "M" + fixed(kMargin + (lon_deg - box_.min_x) * x_scale_ * scale_, 1) + " " + fixed(kMargin + (box_.max_y - lat_deg) * scale_, 1) + "h0";
  }

  /// `M x y L ... Z` of all rings; large outlines are thinned for the eye.
  [[nodiscard]] std::string path(const geometry::GeoMultiPolygon& geom) const {
    std::string out;
    for (const auto& polygon : geom) {
      ring(out, polygon.outer);
      for (const auto& hole : polygon.holes) ring(out, hole);
    }
    return out;
  }

 private:
  void ring(std::string& out, const std::vector<geometry::LonLat>& points) const {
    const std::size_t step = std::max<std::size_t>(1, points.size() / kMostVertices);
    for (std::size_t i = 0; i + 1 < points.size(); i += step) {
      out += i == 0 ? "M" : "L";
      out += fixed(kMargin + (points[i].lon_deg - box_.min_x) * x_scale_ * scale_, 1) + " " + fixed(kMargin + (box_.max_y - points[i].lat_deg) * scale_, 1);
    }
    out += "Z";
  }

  geometry::Box box_;
  double x_scale_ = 1, scale_ = 1, height_ = 0;
};

std::string part_color(const std::string& part) {
  static const std::map<std::string, std::string> kColors = {{"train", "#4c9f70"}, {"val", "#e0a030"}, {"test", "#c2453d"}, {"guard", "#9e9e9e"}};
  const auto found = kColors.find(part);
  return found == kColors.end() ? "#7f9bb3" : found->second;
}

/// Label objects that were rejected inside the map, as dots; what touches no location is no news.
void add_rejected(const ReportInput& input, const geometry::Box& box, const Projection& projection, std::string& svg, ReportJson& legend) {
  std::string dots;
  std::int64_t count = 0;
  for (const auto& object : index::label_objects(input.manifest)) {
    if (object.status != "rejected" || object.reason == "outside_rasters" || !object.lon_deg || !object.lat_deg) continue;
    if (*object.lon_deg < box.min_x || *object.lon_deg > box.max_x || *object.lat_deg < box.min_y || *object.lat_deg > box.max_y) continue;
    if (++count <= static_cast<std::int64_t>(kMostLocations)) dots += projection.dot(*object.lon_deg, *object.lat_deg);
  }
  if (count == 0) return;
  svg += "<path d=\"" + dots + "\" stroke=\"#b00020\" stroke-width=\"5\" stroke-linecap=\"round\"/>";
  legend.push_back({{"color", "#b00020"}, {"text", grouped(count) + " rejected label objects"}});
}

}  // namespace

ReportJson map_section(const ReportInput& input) {
  geometry::Box box;
  const auto tiles = index::tiles(input.manifest, "", "ok");
  const auto locations = index::locations(input.manifest);
  for (const auto& tile : tiles) extend(box, tile.geom);
  for (const auto& location : locations) extend(box, location.geom);
  if (box.empty()) return nullptr;
  const Projection projection(box);
  std::map<std::string, std::string> by_part;
  std::map<std::string, std::int64_t> part_counts;
  const std::size_t step = std::max<std::size_t>(1, locations.size() / kMostLocations);
  for (std::size_t i = 0; i < locations.size(); ++i) {
    const auto part = locations[i].split.value_or("location");
    ++part_counts[part];
    if (i % step == 0) by_part[part] += projection.path(locations[i].geom);
  }
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + fixed(kWidth, 0) + " " + fixed(projection.height(), 0) + "\" role=\"img\">";
  ReportJson legend = ReportJson::array();
  for (const auto& [part, path] : by_part) {
    svg += "<path d=\"" + path + "\" fill=\"" + part_color(part) + "\" fill-opacity=\"0.55\" stroke=\"#fff\" stroke-width=\"0.6\"/>";
    legend.push_back({{"color", part_color(part)}, {"text", part + ": " + grouped(part_counts[part])}});
  }
  for (std::size_t s = 0; s < input.job.sources.size(); ++s) {
    const std::string color = kSourceColors[s % std::size(kSourceColors)];
    std::int64_t count = 0;
    for (const auto& tile : tiles) {
      if (tile.source != input.job.sources[s].first) continue;
      ++count;
      svg += "<path d=\"" + projection.path(tile.geom) + "\" fill=\"none\" stroke=\"" + color + "\" stroke-width=\"1.2\"/>";
    }
    legend.push_back({{"color", color}, {"text", input.job.sources[s].first + ": " + grouped(count) + " footprints"}});
  }
  add_rejected(input, box, projection, svg, legend);
  const auto degrees = fixed(box.min_x, 4) + " to " + fixed(box.max_x, 4) + " E, " + fixed(box.min_y, 4) + " to " + fixed(box.max_y, 4) + " N";
  return {{"svg", svg + "</svg>"}, {"legend", legend}, {"bounds", degrees}, {"is_thinned", step > 1}};
}

}  // namespace tilewright::pipeline
