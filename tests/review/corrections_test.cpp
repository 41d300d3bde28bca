// SPDX-License-Identifier: Apache-2.0
// Labels given out and read back: nothing changes by itself, every edit is told, what was not given
// out is refused.
#include "pipeline/review/corrections.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ogrsf_frmts.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "geometry/rasterize.h"
#include "index/review.h"
#include "pipeline/config/load.h"
#include "pipeline/io/vector_layer.h"
#include "tests/review/review_world.h"

namespace tilewright::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using World = tests::ReviewWorld;
using Kind = ObjectChange::Kind;

class Corrections : public ::testing::Test {
 protected:
  void SetUp() override {
    auto manifest = open();
    for (const int n : {2, 5, 9})
      index::give_verdict(
          manifest, {World::id(n), "buildings", "reject", "ann", "2024-05-01T10:00:00.000Z", ""});
    index::give_verdict(
        manifest, {World::id(3), "buildings", "accept", "ann", "2024-05-01T10:00:00.000Z", ""});
    give_out();
  }
  [[nodiscard]] index::Manifest open() const {
    return index::Manifest::open(world_.work() / "manifest.gpkg",
                                 index::Manifest::Mode::create_or_write);
  }
  [[nodiscard]] std::filesystem::path dir() const { return folder_ / "tiles"; }
  [[nodiscard]] Job job() const { return load_job(world_.job(), {}); }
  void give_out() const { export_labels(job(), open(), {"buildings", "reject", {}, true}, dir()); }
  [[nodiscard]] CorrectionReport read() const { return import_labels(job(), open(), dir()); }
  [[nodiscard]] std::string refusal() const {
    try {
      static_cast<void>(read());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config) << error.what();
      EXPECT_FALSE(std::filesystem::exists(world_.work() / "corrections"));
      return error.what();
    }
    ADD_FAILURE() << "it was read";
    return "";
  }
  /// What a person does in QGIS.
  void edit(const std::string& layer, const std::function<void(OGRLayer&)>& work) const {
    set_up_gdal(std::size_t{16} << 20);
    const DatasetHandle dataset(
        GDALDataset::Open((dir() / "labels.gpkg").c_str(), GDAL_OF_VECTOR | GDAL_OF_UPDATE));
    ASSERT_TRUE(dataset);
    auto* found = dataset->GetLayerByName(layer.c_str());
    ASSERT_TRUE(found);
    work(*found);
  }
  static void change(OGRLayer& layer, const std::string& object,
                     const std::function<void(OGRFeature&)>& work) {
    layer.SetAttributeFilter(("object = '" + object + "'").c_str());
    layer.ResetReading();
    const OGRFeatureUniquePtr feature(layer.GetNextFeature());
    ASSERT_TRUE(feature) << object;
    work(*feature);
    ASSERT_EQ(layer.SetFeature(feature.get()), OGRERR_NONE);
    layer.SetAttributeFilter(nullptr);
  }
  static void move(OGRFeature& feature, double dx, double dy) {
    auto* ring = feature.GetGeometryRef()->toPolygon()->getExteriorRing();
    for (int n = 0; n < ring->getNumPoints(); ++n)
      ring->setPoint(n, ring->getX(n) + dx, ring->getY(n) + dy);
  }
  static void add_box(OGRLayer& layer, double x, double y, double edge,
                      std::optional<int> object_class) {
    OGRLinearRing ring;
    for (const auto& [dx, dy] : {std::pair{0.0, 0.0}, std::pair{edge, 0.0}, std::pair{edge, -edge},
                                 std::pair{0.0, -edge}, std::pair{0.0, 0.0}})
      ring.addPoint(x + dx, y + dy);
    OGRPolygon polygon;
    polygon.addRing(&ring);
    const OGRFeatureUniquePtr feature(OGRFeature::CreateFeature(layer.GetLayerDefn()));
    feature->SetGeometry(&polygon);
    if (object_class) feature->SetField("class", *object_class);
    ASSERT_EQ(layer.CreateFeature(feature.get()), OGRERR_NONE);
  }
  /// The mask that the label stage would draw for a tile: classes inside `known`, 255 outside.
  static std::vector<std::uint8_t> drawn(const std::filesystem::path& file, int n) {
    std::vector<std::uint8_t> mask(World::kSize * World::kSize, 255);
    const geometry::RasterFrame frame{{1, 0, 500000.0 + n * World::kSize, 0, -1, 5300000},
                                      {0, 0, World::kSize, World::kSize}};
    for (const auto& feature : read_vector_layer(file, "known", {}, {}).features)
      geometry::fill_polygons({frame, mask}, feature.polygons, std::uint8_t{0});
    for (const auto& feature : read_vector_layer(file, "objects", {"class"}, {}).features)
      geometry::fill_polygons({frame, mask}, feature.polygons,
                              static_cast<std::uint8_t>(std::stoi(feature.attributes.at("class"))));
    return mask;
  }

  tests::ScratchFolder folder_;
  World world_{folder_.path(), 12};
};

TEST_F(Corrections, WhatIsGivenOutAreTheChosenTilesAndTheirObjects) {
  const auto given = read_label_export(dir());
  ASSERT_EQ(given.tiles.size(), 3U);
  EXPECT_EQ(given.layer, "buildings");
  EXPECT_EQ(given.epsg, 32632);
  const auto objects =
      read_vector_layer(dir() / "labels.gpkg", "objects", {"class", "object", "location_id"}, {});
  EXPECT_EQ(objects.crs.epsg(), 32632);
  EXPECT_EQ(objects.features.size(), 9U);  // two houses and the unknown row of each tile
  for (const int n : {2, 5, 9})
    EXPECT_TRUE(std::filesystem::exists(dir() / "images" / (World::id(n) + ".tif")));
}

TEST_F(Corrections, UneditedTilesComeBackBitForBit) {
  const auto report = read();
  EXPECT_EQ(report.version, "buildings_v2");
  EXPECT_EQ(report.tiles, 3);
  EXPECT_EQ(report.tiles_changed, 0);
  EXPECT_TRUE(report.changes.empty());
  for (const int n : {2, 5, 9})
    EXPECT_EQ(drawn(report.files[0], n), World::label(World::shift(n))) << n;
  EXPECT_EQ(read().version, "buildings_v3");  // the first is not replaced
}

TEST_F(Corrections, EveryEditIsTold) {
  edit("objects", [&](OGRLayer& layer) {
    change(layer, World::id(2) + "/1", [](OGRFeature& feature) { move(feature, -2, 0); });
    change(layer, World::id(5) + "/2", [](OGRFeature& feature) { feature.SetField("class", 255); });
    layer.SetAttributeFilter(("object = '" + World::id(9) + "/1'").c_str());
    layer.ResetReading();
    const OGRFeatureUniquePtr gone(layer.GetNextFeature());
    ASSERT_TRUE(gone);
    ASSERT_EQ(layer.DeleteFeature(gone->GetFID()), OGRERR_NONE);
    layer.SetAttributeFilter(nullptr);
    add_box(layer, 500000 + 9 * World::kSize + 4, 5300000 - 50, 6,
            std::nullopt);  // one class: it needs no attribute
  });
  const auto report = read();
  EXPECT_EQ(report.tiles_changed, 3);
  ASSERT_EQ(report.changes.size(), 4U);
  const auto& moved = report.changes[0];
  EXPECT_EQ(moved.kind, Kind::moved_or_reshaped);
  EXPECT_EQ(moved.object, World::id(2) + "/1");
  EXPECT_EQ(moved.pixels_before, 256);
  EXPECT_EQ(moved.pixels_after, 256);
  EXPECT_EQ(moved.pixels_shared, 14 * 16);
  EXPECT_EQ(report.changes[1].kind, Kind::reclassified);
  EXPECT_EQ(report.changes[1].class_after, 255);
  EXPECT_EQ(report.changes[2].kind, Kind::added);
  EXPECT_EQ(report.changes[2].pixels_after, 36);
  EXPECT_EQ(report.changes[3].kind, Kind::removed);
  const auto mask = drawn(report.files[0], 9), label = World::label(World::shift(9));
  EXPECT_EQ(std::count(mask.begin(), mask.end(), 1),
            std::count(label.begin(), label.end(), 1) - 256 + 36);
  EXPECT_THAT(tests::read_text(report.files[1]),
              HasSubstr(World::id(2) + "/1,moved_or_reshaped,1,1,256,256,224\n"));
}

TEST_F(Corrections, TheLinesForTheJobLoad) {
  const auto report = read();
  auto text = tests::read_text(world_.job());
  text.replace(text.find("layers:\n") + 8, 0, report.job_lines);
  tests::write_text(folder_ / "next.yaml", text);
  const auto next = load_job(folder_ / "next.yaml", {});
  ASSERT_EQ(next.layers.size(), 2U);
  EXPECT_EQ(next.layers[0].first, "buildings_v2");
  EXPECT_TRUE(std::filesystem::exists(next.resolve(*next.layers[0].second.vector)));
  EXPECT_EQ(next.layers[0].second.extent.layer, "known");
}

TEST_F(Corrections, ALabelThatChangedSinceIsRefused) {
  {
    auto manifest = open();
    const auto other = index::masks_at(manifest, World::id(3))[0].place;
    auto row = index::masks_at(manifest, World::id(5))[0];
    manifest.in_transaction([&] {
      index::remove_mask(manifest, World::id(5), "buildings");
      row.place = other;
      index::insert(manifest, row);
    });
  }
  EXPECT_THAT(refusal(),
              HasSubstr("buildings of " + World::id(5) + " is not the one that was given out"));
}

TEST_F(Corrections, AnotherExportOrPlaceIsRefused) {
  edit("tiles", [&](OGRLayer& layer) {
    const OGRFeatureUniquePtr feature(layer.GetNextFeature());
    move(*feature, 3, 0);
    ASSERT_EQ(layer.SetFeature(feature.get()), OGRERR_NONE);
  });
  EXPECT_THAT(refusal(), HasSubstr("was moved or reshaped"));
  give_out();
  edit("tiles", [&](OGRLayer& layer) { ASSERT_EQ(layer.DeleteFeature(2), OGRERR_NONE); });
  EXPECT_THAT(refusal(), HasSubstr("is not in the layer tiles"));
  give_out();
  {
    auto json = nlohmann::json::parse(tests::read_text(dir() / "export.json"));
    json["tiles"].erase(0);
    tests::write_text(dir() / "export.json", json.dump());
  }
  EXPECT_THAT(refusal(), HasSubstr("was not given out"));
  give_out();
  {
    auto manifest = open();
    manifest.in_transaction([&] { index::remove_location(manifest, World::id(9)); });
  }
  EXPECT_THAT(refusal(), HasSubstr("the location " + World::id(9) + " is not in the workspace"));
  std::filesystem::remove(dir() / "export.json");
  EXPECT_THAT(refusal(), HasSubstr("holds no export of labels"));
}

TEST_F(Corrections, ObjectsThatDoNotFitAreNamed) {
  edit("objects", [&](OGRLayer& layer) { add_box(layer, 400000, 5300000, 10, 1); });
  EXPECT_THAT(refusal(), HasSubstr("fid 10 of"));
  give_out();
  edit("objects", [&](OGRLayer& layer) {
    change(layer, World::id(2) + "/1", [](OGRFeature& feature) { feature.SetField("class", 7); });
  });
  EXPECT_THAT(refusal(), HasSubstr("has the class '7'; classes of the layer are 1, and 255"));
  give_out();
  edit("objects", [&](OGRLayer& layer) {
    change(layer, World::id(2) + "/1", [](OGRFeature& feature) { feature.SetGeometry(nullptr); });
  });
  EXPECT_THAT(refusal(), HasSubstr("is no polygon"));
}

TEST_F(Corrections, TilesOfSeveralZonesAreRefusedWithTheZones) {
  {
    auto manifest = open();
    manifest.in_transaction([&] {
      SQLite::Statement update(manifest.database(), "UPDATE location SET epsg = 32633 WHERE location_id = ?");
      update.bind(1, World::id(9));
      update.exec();
    });
  }
  try {
    give_out();
    FAIL() << "two zones in one file";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("lie in several zones (EPSG:32632 and EPSG:32633); choose a subset of one zone, with epsg = N in its rule"));
  }
}

TEST_F(Corrections, AChoiceWithoutTilesAndAFolderInUseAreRefused) {
  const auto error_of = [&](const TileChoice& choice) -> std::string {
    try {
      export_labels(job(), open(), choice, dir());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(error_of({"buildings", "skip", {}, true}),
              HasSubstr("no tile of layer buildings with the verdict skip"));
  EXPECT_THAT(error_of({"buildings", "reject", {}, false}), HasSubstr("is there already"));
  EXPECT_THAT(error_of({"buildings", "maybe", {}, true}), HasSubstr("'maybe' is none of"));
}

}  // namespace
}  // namespace tilewright::pipeline
