// SPDX-License-Identifier: Apache-2.0
// Objects of vector layers against windows, zone by zone.
#include "pipeline/stages/split_objects.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "geometry/error.h"
#include "pipeline/config/load.h"
#include "pipeline/stages/label_objects.h"
#include "pipeline/stages/width_rules.h"

namespace tilewright::pipeline {
namespace {

using geometry::Box;

bool overlap(const Box& a, const Box& b) { return a.min_x < b.max_x && b.min_x < a.max_x && a.min_y < b.max_y && b.min_y < a.max_y; }

Box grown(const Box& box, double by) { return {box.min_x - by, box.min_y - by, box.max_x + by, box.max_y + by}; }

geometry::MapMultiPolygon polygon_of(const Box& b) {
  return {{{{b.min_x, b.min_y}, {b.max_x, b.min_y}, {b.max_x, b.max_y}, {b.min_x, b.max_y}, {b.min_x, b.min_y}}, {}}};
}

/// Windows of one zone, by their west edge.
class Windows {
 public:
  void add(const Box& box, std::size_t sample) {
    boxes_.emplace_back(box, sample);
    widest_ = std::max(widest_, box.max_x - box.min_x);
  }
  void sort() {
    std::sort(boxes_.begin(), boxes_.end(), [](const auto& a, const auto& b) { return std::pair(a.first.min_x, a.second) < std::pair(b.first.min_x, b.second); });
  }
  /// Calls use(box, sample) for windows whose box meets `box`.
  template <class Use>
  void each_near(const Box& box, Use use) const {
    auto at = std::lower_bound(boxes_.begin(), boxes_.end(), box.min_x - widest_, [](const auto& one, double x) { return one.first.min_x < x; });
    for (; at != boxes_.end() && at->first.min_x <= box.max_x; ++at)
      if (overlap(grown(at->first, 1e-9), box)) use(at->first, at->second);
  }

 private:
  std::vector<std::pair<Box, std::size_t>> boxes_;
  double widest_ = 0;
};

bool shows_polygons(const Box& window, const geometry::MapMultiPolygon& polygons) {
  return geometry::planar_area(geometry::intersection(polygons, polygon_of(window))) > 0;
}

bool shows_line(const Box& window, const geometry::MapLine& line, double half_width_m) {
  const auto reach = grown(window, half_width_m);
  if (line.size() == 1) return touches(reach, line.front(), line.front());
  for (std::size_t k = 1; k < line.size(); ++k)
    if (touches(reach, line[k - 1], line[k])) return true;
  return false;
}

LabelFiles files_of(const Job& job, const LayerConfig& layer) {
  LabelFiles files;
  files.vector = job.resolve(*layer.vector);
  if (layer.width && layer.width->classes && !is_width_table(layer.width->classes->table)) files.width_table = job.resolve(layer.width->classes->table);
  if (layer.extent.kind == ExtentKind::file) files.extent = job.resolve(layer.extent.file);
  return files;
}

class ObjectFinder {
 public:
  explicit ObjectFinder(SplitList& list) : list_(list) {
    for (std::size_t n = 0; n < list.samples.size(); ++n)
      if (const auto& where = list.samples[n].where; where.epsg != 0) windows_[where.epsg].add(where.box, n);
    for (auto& [epsg, windows] : windows_) windows.sort();
  }

  void add(const std::string& layer, const LabelObjects& objects) {
    for (const auto& [epsg, windows] : windows_) {
      const auto zone = geometry::Crs::from_epsg(epsg);
      for (const auto& object : objects.objects) {
        const auto name = layer + "/" + objects.rows[object.feature].object_id;
        if (!object.polygons.empty()) add_polygons(windows, name, geometry::projected(object.polygons, objects.crs, zone, 0));
        for (const auto& line : object.lines) add_line(windows, name, geometry::projected(line.line, objects.crs, zone, 0), object.half_width_m);
      }
    }
  }

 private:
  void show(std::size_t sample, const std::string& name) {
    auto& objects = list_.samples[sample].objects;
    if (objects.empty() || objects.back() != name) objects.push_back(name);
  }
  void add_polygons(const Windows& windows, const std::string& name, const std::optional<geometry::MapMultiPolygon>& polygons) {
    if (!polygons) return;
    windows.each_near(geometry::bounds(*polygons), [&](const Box& box, std::size_t sample) {
      if (shows_polygons(box, *polygons)) show(sample, name);
    });
  }
  void add_line(const Windows& windows, const std::string& name, const std::optional<geometry::MapLine>& line, double half_width_m) {
    if (!line || line->empty()) return;
    windows.each_near(grown(geometry::bounds(*line), half_width_m), [&](const Box& box, std::size_t sample) {
      if (shows_line(box, *line, half_width_m)) show(sample, name);
    });
  }

  SplitList& list_;
  std::map<int, Windows> windows_;
};

}  // namespace

bool touches(const Box& box, geometry::MapXY from, geometry::MapXY to) {
  // Liang and Barsky: the part of the segment between the box's lines.
  double begin = 0, end = 1;
  const double dx = to.x - from.x, dy = to.y - from.y;
  const std::pair<double, double> sides[] = {{-dx, from.x - box.min_x}, {dx, box.max_x - from.x}, {-dy, from.y - box.min_y}, {dy, box.max_y - from.y}};
  for (const auto& [step, room] : sides) {
    if (step == 0) {
      if (room < 0) return false;
      continue;
    }
    if (step < 0) begin = std::max(begin, room / step);
    else end = std::min(end, room / step);
  }
  return begin <= end;
}

void add_label_objects(SplitList& list, const Job& job) {
  ObjectFinder finder(list);
  for (const auto& [name, layer] : job.layers) {
    if (!layer.vector) continue;
    OpenPolicy policy;
    policy.more_drivers = layer.drivers;
    policy.untrusted = job.limits.untrusted;
    try {
      finder.add(name, read_label_objects(name, layer, files_of(job, layer), policy));
    } catch (const Error& error) {  // around one layer: the rest of the audit stands without it
      list.notes.push_back("objects of layer " + name + " are not compared: " + error.what());
    }
  }
}

}  // namespace tilewright::pipeline
