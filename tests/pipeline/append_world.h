// SPDX-License-Identifier: Apache-2.0
// A workspace whose scenes come and go, stage by stage.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "geometry/error.h"
#include "geometry/grid.h"
#include "index/manifest.h"
#include "index/shard/sha256.h"
#include "pipeline/io/dates.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/runner/explain.h"
#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

inline TinyRaster at(double x, double y, int seed, int width = 40, int height = 40) {
  TinyRaster raster;
  raster.width = width;
  raster.height = height;
  raster.transform = {x, 10, 0, y, 0, -10};
  raster.nodata = 0;
  raster.pixel = [seed](int, int col, int row) { return 1 + (seed * 37 + col * 7 + row * 13) % 250; };
  return raster;
}

using Id = std::pair<std::string, std::string>;

/// All stages up to split on tiles of data/, one step of a history after the other.
class Append : public ::testing::Test {
 protected:
  Append() {
    bench_.job.sources[0].second.date = DateConfig{.name = "_(\\d{8})", .format = "%Y%m%d"};
    bench_.job.grid.resolution_m = 10;
    bench_.job.views = ViewsConfig{.patch_px = 16};
    bench_.job.extract.shard_mb = 1;
    bench_.job.split = SplitSection{.block_m = 200, .guard_m = 0, .fractions = {.train = 1, .val = 0, .test = 0}};
    bench_.write_text("labels.geojson", R"({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {},
      "geometry": {"type": "Polygon", "coordinates": [[[14.99, 45.13], [15.02, 45.13], [15.02, 45.16], [14.99, 45.16], [14.99, 45.13]]]}}]})");
    LayerConfig layer;
    layer.vector = "labels.geojson";
    layer.draw = Draw::polygons;
    layer.extent.kind = ExtentKind::all;
    bench_.job.layers.emplace_back("fields", layer);
  }

  StageReport views(index::Manifest& m, int threads = 2) const {
    bench_.run(run_scan, m, threads);
    bench_.run(run_graph, m, threads);
    return bench_.run(run_views, m, threads);
  }
  StageReport step(index::Manifest& m, int threads = 2) const {
    const auto report = views(m, threads);
    for (auto* stage : {run_extract, run_label, run_split}) bench_.run(stage, m, threads);
    return report;
  }
  void remove(const std::string& name) const { fs::remove(bench_.folder() / "data" / name); }
  static std::string id_of(index::Manifest& m, const std::string& name) {
    for (const auto& tile : index::tiles(m))
      if (tile.path.ends_with(name)) return tile.tile_id;
    return "not there";
  }
  static std::map<Id, index::ViewRow> views_of(index::Manifest& m) {
    std::map<Id, index::ViewRow> out;
    for (auto& view : index::views(m)) out.emplace(Id(view.location_id, view.tile_id), std::move(view));
    return out;
  }
  static std::set<std::string> locations_of(index::Manifest& m) {
    std::set<std::string> out;
    for (const auto& location : index::locations(m)) out.insert(location.location_id);
    return out;
  }
  /// Path and hash of every shard.
  [[nodiscard]] std::map<std::string, std::string> shards() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::directory_iterator(bench_.folder() / "work/shards")) out[entry.path().filename()] = shard::sha256_file(entry.path());
    return out;
  }
  static std::map<std::string, std::string> changes_of(index::Manifest& m, int plan) {
    std::map<std::string, std::string> out;
    for (const auto& row : index::plan_changes(m))
      if (row.plan == plan) out[row.subject] = row.change;
    return out;
  }
  static bool same_place(const index::ViewRow& a, const index::ViewRow& b) {
    return a.place && b.place && a.place->shard == b.place->shard && a.place->byte_offset == b.place->byte_offset && a.place->sha256 == b.place->sha256;
  }

  StageBench bench_;
};

}  // namespace tilewright::pipeline
