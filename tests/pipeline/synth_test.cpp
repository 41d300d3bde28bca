// SPDX-License-Identifier: Apache-2.0
// The synthetic region: repeatable, damaged only where its ledger says, and true everywhere else.
#include <cpl_error.h>
#include <gdal_priv.h>
#include <gtest/gtest.h>
#include <ogrsf_frmts.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "pipeline/config/load.h"
#include "pipeline/synth/label_noise.h"
#include "pipeline/synth/region.h"
#include "pipeline/synth/world.h"

namespace {

namespace fs = std::filesystem;
using namespace tilewright;
using namespace tilewright::pipeline;

fs::path fresh_folder(const std::string& name) {
  const auto folder = fs::path(testing::TempDir()) / ("tilewright_synth_" + name);
  fs::remove_all(folder);
  return folder;
}

/// One tiny region for all tests that only look.
const fs::path& region() {
  static const fs::path folder = [] {
    auto dir = fresh_folder("shared");
    make_region(dir, SynthOptions::tiny());
    return dir;
  }();
  return folder;
}

std::map<std::string, std::string> hashes(const fs::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) out[fs::relative(entry.path(), folder)] = shard::sha256_file(entry.path());
  return out;
}

struct Pixels {
  int width = 0, height = 0, bands = 0;
  std::vector<float> values;
  bool is_whole = true;
};
Pixels read(const fs::path& file) {
  GDALAllRegister();
  CPLPushErrorHandler(CPLQuietErrorHandler);
  Pixels out;
  auto* dataset = static_cast<GDALDataset*>(GDALOpen(file.c_str(), GA_ReadOnly));
  if (!dataset) {
    out.is_whole = false;
  } else {
    out.width = dataset->GetRasterXSize();
    out.height = dataset->GetRasterYSize();
    out.bands = dataset->GetRasterCount();
    out.values.resize(static_cast<std::size_t>(out.width) * out.height * out.bands);
    out.is_whole = dataset->RasterIO(GF_Read, 0, 0, out.width, out.height, out.values.data(), out.width, out.height, GDT_Float32, out.bands, nullptr, 0, 0, 0) == CE_None;
    GDALClose(dataset);
  }
  CPLPopErrorHandler();
  return out;
}

std::map<std::string, std::string> polygons_by_id(const fs::path& file) {
  GDALAllRegister();
  std::map<std::string, std::string> out;
  auto* dataset = static_cast<GDALDataset*>(GDALOpenEx(file.c_str(), GDAL_OF_VECTOR, nullptr, nullptr, nullptr));
  for (auto& feature : dataset->GetLayer(0)) out[feature->GetFieldAsString("id")] = feature->GetGeometryRef()->exportToWkt();
  GDALClose(dataset);
  return out;
}

TEST(SynthRegion, SameOptionsGiveTheSameBytes) {
  const auto again = fresh_folder("again"), other = fresh_folder("other");
  make_region(again, SynthOptions::tiny());
  EXPECT_EQ(hashes(again), hashes(region()));
  auto options = SynthOptions::tiny();
  options.seed = 2;
  make_region(other, options);
  const auto a = hashes(region()), b = hashes(other);
  EXPECT_NE(a.at("labels/buildings.gpkg"), b.at("labels/buildings.gpkg"));
  EXPECT_NE(a.at("elevation/dsm_w.tif"), b.at("elevation/dsm_w.tif"));
}

TEST(SynthRegion, LabelsDifferFromTruthOnlyWhereTheLedgerSays) {
  std::ifstream ledger(region() / "truth/ledger.csv");
  std::string line;
  std::getline(ledger, line);
  EXPECT_EQ(line, "object,area,cell_x,cell_y,damage,dx_m,dy_m,grow_m,epsg,ulx,uly");
  std::map<std::string, std::string> damage;
  while (std::getline(ledger, line)) {
    std::vector<std::string> fields;
    std::stringstream row(line);
    for (std::string field; std::getline(row, field, ',');) fields.push_back(field);
    ASSERT_EQ(fields.size(), 11U) << line;
    damage[fields[0]] = fields[4];
  }
  EXPECT_GE(damage.size(), 5U);
  const auto truth = polygons_by_id(region() / "truth/buildings.gpkg"), labels = polygons_by_id(region() / "labels/buildings.gpkg");
  for (const auto& [id, polygon] : truth) {
    if (!damage.contains(id)) EXPECT_EQ(labels.at(id), polygon);
    else if (damage[id] == "drop") EXPECT_FALSE(labels.contains(id));
    else EXPECT_NE(labels.at(id), polygon);
  }
  for (const auto& [id, polygon] : labels)
    if (!truth.contains(id)) { EXPECT_EQ(damage.at(id), "add") << id; }
}

TEST(SynthRegion, TrueMasksAgreeWithTheShapesAndTheElevation) {
  const auto options = SynthOptions::tiny();
  const auto area = place_areas(options)[0];
  const auto world = make_world(area, options.seed);
  const auto mask = read(region() / "truth/buildings_w.tif"), dsm = read(region() / "elevation/dsm_w.tif");
  ASSERT_EQ(mask.width, area.size_px);
  ASSERT_EQ(dsm.width, area.size_px);
  for (int row = 0; row < mask.height; ++row)
    for (int col = 0; col < mask.width; ++col) {
      const auto place = area.affine().map_from_pixel({col + 0.5, row + 0.5});
      const bool is_inside = std::any_of(world.buildings.begin(), world.buildings.end(), [&](const auto& b) { return b.shape.contains(b.shape.local(place)); });
      ASSERT_EQ(mask.values[static_cast<std::size_t>(row * mask.width + col)] > 0, is_inside) << col << " " << row;
    }
  for (const auto& building : world.buildings) {
    // The roof stands at least 2 m above the ground just outside its longer wall.
    const auto height = [&](double u, double v) {
      const double c = std::cos(building.shape.angle), s = std::sin(building.shape.angle);
      const int col = static_cast<int>(building.shape.centre.x + c * u - s * v - area.min_x), row = static_cast<int>(area.max_y - building.shape.centre.y - s * u - c * v);
      if (col < 0 || row < 0 || col >= dsm.width || row >= dsm.height) return -1e9;
      return static_cast<double>(dsm.values[static_cast<std::size_t>(row * dsm.width + col)]);
    };
    EXPECT_GT(height(-2, -1), height(-2, -building.shape.half_width_m - 1.5) + 1.5) << building.id;
  }
}

TEST(SynthRegion, ScenesHaveTurnedFootprintsCloudsADuplicateAndABrokenFile) {
  std::map<std::string, int> copies;
  int broken = 0, cloudy = 0, scenes = 0;
  for (const auto& entry : fs::directory_iterator(region() / "optical")) {
    ++copies[shard::sha256_file(entry.path())];
    const auto scene = read(entry.path());
    if (!scene.is_whole) {
      ++broken;
      continue;
    }
    ++scenes;
    EXPECT_EQ(scene.bands, 4);
    const auto plane = static_cast<std::size_t>(scene.width) * scene.height;
    const auto empty = std::count(scene.values.begin(), scene.values.begin() + static_cast<std::ptrdiff_t>(plane), 0.0F);
    EXPECT_GT(empty, static_cast<std::ptrdiff_t>(plane / 100));
    EXPECT_LT(empty, static_cast<std::ptrdiff_t>(plane / 2));
  }
  for (const auto& entry : fs::directory_iterator(region() / "quality")) {
    const auto quality = read(entry.path());
    cloudy += std::count(quality.values.begin(), quality.values.end(), 1.0F) > 100;
  }
  EXPECT_EQ(scenes, 2 * 3 + 1 - 1);
  EXPECT_EQ(broken, 1);
  EXPECT_EQ(std::count_if(copies.begin(), copies.end(), [](const auto& c) { return c.second == 2; }), 1);
  EXPECT_GE(cloudy, 1);
}

TEST(SynthRegion, RoadWidthsAreWrittenAsMappersWriteThem) {
  const auto options = SynthOptions::tiny();
  auto bigger = options;
  bigger.size_px = 832;
  const auto world = make_world(place_areas(bigger)[0], bigger.seed);
  std::set<std::string> kinds;
  for (const auto& road : world.roads) {
    ASSERT_TRUE(road.width || road.lanes);
    if (!road.width) {
      EXPECT_DOUBLE_EQ(road.width_m, 3.5 * *road.lanes);
      kinds.insert("lanes");
    } else if (road.width->ends_with("'")) {
      EXPECT_DOUBLE_EQ(road.width_m, std::stoi(*road.width) * 0.3048);
      kinds.insert("feet");
    } else {
      kinds.insert(road.width->ends_with(" m") ? "metres" : "comma");
    }
  }
  EXPECT_EQ(kinds.size(), 4U);
}

TEST(SynthRegion, DamageKindsAreMixedAndTheShareIsAsAsked) {
  SynthOptions options;
  options.size_px = 832;
  const auto world = make_world(place_areas(options)[1], 5);
  const auto damaged = damage_labels(world, 0.6);
  EXPECT_NEAR(static_cast<double>(damaged.damaged_cells) / (13 * 13), 0.6, 0.12);
  std::set<std::string_view> kinds;
  for (const auto& row : damaged.ledger) kinds.insert(name(row.damage));
  EXPECT_EQ(kinds.size(), 5U);
  EXPECT_TRUE(damage_labels(world, 0).ledger.empty());
}

TEST(SynthRegion, OptionsOutOfRangeAreRefusedByName) {
  auto options = SynthOptions::tiny();
  options.scenes = 1;
  try {
    make_region(fresh_folder("refused"), options);
    FAIL() << "scenes: 1 was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("scenes is 1"), std::string::npos);
  }
}

TEST(SynthRegion, TheJobLoads) {
  const auto job = load_job(region() / "job.yaml");
  EXPECT_EQ(job.sources.size(), 2U);
  EXPECT_TRUE(not_in_this_version(job).empty());
}

}  // namespace
