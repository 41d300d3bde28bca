// SPDX-License-Identifier: Apache-2.0
// A workspace with locations on one lattice and label files beside it, ready for the label stage.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "geometry/crs.h"
#include "geometry/error.h"
#include "geometry/grid.h"
#include "index/manifest.h"
#include "index/shard/shard_reader.h"
#include "pipeline/stages/stage.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {

using geometry::Lattice;
using geometry::LatticeWindow;
using Bytes = std::vector<std::uint8_t>;

inline const Lattice kLattice{32633, 10, {3, 7}};

/// A workspace with locations, ready for the label stage.
class World {
 public:
  World(const Lattice& lattice, const std::vector<LatticeWindow>& windows)
      : manifest_(open(folder_ / "work")) {
    job.file = folder_ / "job.yaml";
    job.workspace_text = "work";
    manifest_.in_transaction([&] {
      for (const auto& window : windows) {
        const auto ul = geometry::upper_left(lattice, window);
        const double edge = window.size_px * lattice.resolution_m;
        const geometry::MapMultiPolygon box{geometry::MapPolygon{{{ul.x, ul.y - edge},
                                                                  {ul.x + edge, ul.y - edge},
                                                                  {ul.x + edge, ul.y},
                                                                  {ul.x, ul.y},
                                                                  {ul.x, ul.y - edge}},
                                                                 {}}};
        insert(manifest_, {geometry::location_id(lattice, window),
                           *geometry::geographic(box, geometry::Crs::from_epsg(lattice.epsg)),
                           lattice.epsg,
                           ul.x,
                           ul.y,
                           lattice.resolution_m,
                           window.size_px,
                           1,
                           {}});
      }
    });
  }

  void write(const std::string& name, const std::string& text) const { folder_.write(name, text); }
  [[nodiscard]] std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  StageReport run(int threads = 2) {
    RunContext context;
    context.threads = threads;
    return run_label({job, manifest_, folder_ / "work"}, context);
  }
  /// What a run that should fail says.
  std::string error_of_run() {
    try {
      run();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  [[nodiscard]] index::Manifest& manifest() { return manifest_; }
  [[nodiscard]] Bytes mask(const std::string& series, const std::string& location) {
    return array<std::uint8_t>(series, location);
  }
  /// Pixels of a location in a series; empty if there are none.
  template <class T>
  [[nodiscard]] std::vector<T> array(const std::string& series, const std::string& location) {
    for (const auto& row : index::masks(manifest_, series)) {
      if (row.location_id != location) continue;
      const shard::MappedFile file(folder_ / "work" / row.place->shard);
      const auto found = shard::array_at(file, row.place->byte_offset, row.place->byte_length);
      std::vector<T> values(found.data.size() / sizeof(T));
      std::memcpy(values.data(), found.data.data(), found.data.size());
      return values;
    }
    return {};
  }
  Job job;

 private:
  static index::Manifest open(const std::filesystem::path& workspace) {
    std::filesystem::create_directories(workspace);
    return index::Manifest::open(workspace / "manifest.gpkg",
                                 index::Manifest::Mode::create_or_write);
  }
  TemporaryFolder folder_;
  index::Manifest manifest_;
};

/// GeoJSON in degrees from map coordinates of the lattice's zone.
class Features {
 public:
  void add(const std::string& geometry, const std::string& properties) {
    text_ += (text_.empty() ? "" : ",\n") + ("{\"type\":\"Feature\",\"properties\":{" + properties +
                                             "},\"geometry\":" + geometry + "}");
  }
  static std::string ring(const std::vector<geometry::MapXY>& points) {
    std::ostringstream out;
    out.precision(17);
    const geometry::Transform degrees(geometry::Crs::from_epsg(32633), geometry::wgs84());
    for (std::size_t k = 0; k < points.size(); ++k) {
      const auto p = degrees(points[k]);
      out << (k ? "," : "[") << "[" << p->x << "," << p->y << "]";
    }
    return out.str() + "]";
  }
  void polygon(std::vector<geometry::MapXY> points,
               const std::string& properties = "\"kind\":\"a\"") {
    points.push_back(points.front());
    add("{\"type\":\"Polygon\",\"coordinates\":[" + ring(points) + "]}", properties);
  }
  void line(const std::vector<geometry::MapXY>& points, const std::string& properties) {
    add("{\"type\":\"LineString\",\"coordinates\":" + ring(points) + "}", properties);
  }
  [[nodiscard]] std::string text() const {
    return "{\"type\":\"FeatureCollection\",\"features\":[" + text_ + "]}";
  }

 private:
  std::string text_;
};

inline LayerConfig polygons_of(const std::string& file) {
  LayerConfig layer;
  layer.vector = file;
  layer.extent.kind = ExtentKind::all;
  return layer;
}
inline LayerConfig lines_of(const std::string& file) {
  LayerConfig layer = polygons_of(file);
  layer.draw = Draw::lines;
  layer.width.emplace();
  layer.width->attribute = "width";
  return layer;
}
inline std::vector<geometry::MapXY> square(double x, double y, double size) {
  return {{x, y}, {x + size, y}, {x + size, y + size}, {x, y + size}};
}

}  // namespace tilewright::pipeline
