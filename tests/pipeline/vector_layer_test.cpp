// SPDX-License-Identifier: Apache-2.0
// Vector layers as plain rings, lines and points.
#include "pipeline/io/vector_layer.h"

#include <ogrsf_frmts.h>

#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

constexpr const char* kMixed = R"({"type":"FeatureCollection","features":[
 {"type":"Feature","properties":{"name":"a","width":7.5},"geometry":{"type":"Polygon","coordinates":[[[0,0,5],[4,0,5],[4,4,5],[0,4,5],[0,0,5]],[[1,1],[2,1],[2,2],[1,1]]]}},
 {"type":"Feature","properties":{"name":null},"geometry":{"type":"MultiLineString","coordinates":[[[0,0],[1,1]],[[2,2],[3,3]]]}},
 {"type":"Feature","properties":{},"geometry":{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]},{"type":"GeometryCollection","geometries":[{"type":"LineString","coordinates":[[0,0],[5,5]]}]}]}},
 {"type":"Feature","properties":{},"geometry":null}]})";

TEST(VectorLayer, FlattensWhatItFinds) {
  const TemporaryFolder folder;
  folder.write("a.geojson", kMixed);
  const auto layer = read_vector_layer(folder / "a.geojson", "", {"name", "width"}, {});
  EXPECT_EQ(layer.crs.epsg(), 4326);
  ASSERT_EQ(layer.features.size(), 4U);
  ASSERT_EQ(layer.features[0].polygons.size(), 1U);
  EXPECT_EQ(layer.features[0].polygons[0].outer.size(), 5U);
  EXPECT_EQ(layer.features[0].polygons[0].outer[1], (geometry::MapXY{4, 0}));
  EXPECT_EQ(layer.features[0].polygons[0].holes.size(), 1U);
  EXPECT_EQ(layer.features[0].attributes.at("width"), "7.5");
  EXPECT_EQ(layer.features[1].lines.size(), 2U);
  EXPECT_FALSE(layer.features[1].attributes.contains("name"));
  EXPECT_EQ(layer.features[2].lines.size(), 1U);
  EXPECT_TRUE(layer.features[2].points.empty()) << "only the highest dimension is kept";
  EXPECT_TRUE(layer.features[3].polygons.empty() && layer.features[3].lines.empty() && layer.features[3].points.empty());
}

TEST(VectorLayer, NumbersReadBackToTheSameNumber) {
  const TemporaryFolder folder;
  std::string features;
  const std::vector<std::string> texts{"0.4699999988079071", "7", "100000", "7.5", "-2.25", "1e+300", "0.1"};
  for (const auto& text : texts)
    features += (features.empty() ? "" : ",") + (R"({"type":"Feature","properties":{"v":)" + text + R"(},"geometry":{"type":"Point","coordinates":[1,2]}})");
  folder.write("a.geojson", R"({"type":"FeatureCollection","features":[)" + features + "]}");
  const auto layer = read_vector_layer(folder / "a.geojson", "", {"v"}, {});
  ASSERT_EQ(layer.features.size(), texts.size());
  for (std::size_t n = 0; n < texts.size(); ++n) EXPECT_EQ(layer.features[n].attributes.at("v"), texts[n]);
}

TEST(VectorLayer, AMissingFieldNamesTheNearestOne) {
  const TemporaryFolder folder;
  folder.write("a.geojson", kMixed);
  try {
    read_vector_layer(folder / "a.geojson", "", {"widht"}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("'width'"), std::string::npos) << error.what();
  }
}

TEST(VectorLayer, SeveralLayersNeedAName) {
  TILEWRIGHT_NEEDS_DATA("B-olemps-bdtopo-road-widths");
  const auto file = real_data() / "B-olemps-bdtopo-road-widths/olemps_bdtopo.gpkg";
  EXPECT_THROW(read_vector_layer(file, "", {}, {}), Error);
  EXPECT_THROW(read_vector_layer(file, "no_such_layer", {}, {}), Error);
}

TEST(VectorLayer, AgreesWithOgrOnARealGeoPackage) {
  TILEWRIGHT_NEEDS_DATA("A-s2-slovenia-series");
  const auto file = real_data() / "A-s2-slovenia-series/LULC.gpkg";
  const auto layer = read_vector_layer(file, "", {}, {});
  auto dataset = open_vector_dataset(file, {});
  auto* oracle = dataset->GetLayer(0);
  EXPECT_EQ(static_cast<GIntBig>(layer.features.size()), oracle->GetFeatureCount());
  double area = 0, expected = 0;
  for (const auto& feature : layer.features) {
    for (const auto& polygon : feature.polygons) {
      const auto ring_area = [](const std::vector<geometry::MapXY>& ring) {
        double sum = 0;
        for (std::size_t i = 1; i < ring.size(); ++i) sum += ring[i - 1].x * ring[i].y - ring[i].x * ring[i - 1].y;
        return std::abs(sum) / 2;
      };
      area += ring_area(polygon.outer);
      for (const auto& hole : polygon.holes) area -= ring_area(hole);
    }
  }
  oracle->ResetReading();
  for (auto& feature : *oracle)
    if (const auto* surface = feature->GetGeometryRef()) expected += OGR_G_Area(OGRGeometry::ToHandle(const_cast<OGRGeometry*>(surface)));
  EXPECT_NEAR(area, expected, 1e-6 * expected);
}

TEST(VectorLayer, ReadsWaysAndTagsOfOsm) {
  TILEWRIGHT_NEEDS_DATA("B-osm-helsinki-portoalegre");
  std::filesystem::path file;
  for (const auto& entry : std::filesystem::directory_iterator(real_data() / "B-osm-helsinki-portoalegre"))
    if (entry.path().string().find("elsinki") != std::string::npos && entry.path().extension() == ".pbf") file = entry.path();
  if (file.empty()) GTEST_SKIP() << "no Helsinki extract";
  const auto layer = read_vector_layer(file, "lines", {"highway", "lanes", "maxspeed"}, {});
  EXPECT_EQ(layer.crs.epsg(), 4326);
  const auto with = [&](const std::string& key) {
    return std::count_if(layer.features.begin(), layer.features.end(), [&](const auto& f) { return f.attributes.contains(key); });
  };
  EXPECT_GT(with("highway"), 100);
  EXPECT_GT(with("lanes"), 10) << "lanes is in other_tags";
  EXPECT_GT(with("highway"), with("lanes"));
}

}  // namespace
}  // namespace tilewright::pipeline
