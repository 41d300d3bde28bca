// SPDX-License-Identifier: Apache-2.0
// Labels as files really are: every object is drawn right or rejected with a reason, and the counts add up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ogrsf_frmts.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numbers>

#include "geometry/error.h"
#include "geometry/rasterize.h"
#include "pipeline/io/open_policy.h"
#include "tests/pipeline/label_world.h"

namespace tilewright::pipeline {
namespace {

using testing::HasSubstr;
using geometry::MapXY;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const std::string kPlace = "e32633_r1000000_s200_x500000_y5000200";

std::unique_ptr<OGRLineString> line_of(const std::vector<MapXY>& points) {
  auto line = std::make_unique<OGRLineString>();
  for (const auto& p : points) line->addPoint(500000 + p.x, 5000000 + p.y);
  return line;
}
std::unique_ptr<OGRPolygon> polygon_of(const std::vector<std::vector<MapXY>>& rings) {
  auto polygon = std::make_unique<OGRPolygon>();
  for (const auto& points : rings) {
    OGRLinearRing ring;
    for (const auto& p : points) ring.addPoint(500000 + p.x, 5000000 + p.y);
    polygon->addRing(&ring);
  }
  return polygon;
}
std::vector<MapXY> box(double x, double y, double size) { return {{x, y}, {x + size, y}, {x + size, y + size}, {x, y + size}, {x, y}}; }

/// A GeoPackage in zone 33, or without a CRS, with one field of text.
class Package {
 public:
  explicit Package(const std::filesystem::path& file, bool has_crs = true) {
    set_up_gdal(kDefaultCacheBytes);
    dataset_.reset(GetGDALDriverManager()->GetDriverByName("GPKG")->Create(file.c_str(), 0, 0, 0, GDT_Unknown, nullptr));
    OGRSpatialReference crs;
    crs.importFromEPSG(32633);
    layer_ = dataset_->CreateLayer("things", has_crs ? &crs : nullptr, wkbUnknown, nullptr);
    OGRFieldDefn text("text", OFTString);
    layer_->CreateField(&text);
  }
  void add(const OGRGeometry* geometry, const std::string& text = "a") {
    OGRFeature feature(layer_->GetLayerDefn());
    feature.SetField("text", text.c_str());
    if (geometry) feature.SetGeometry(geometry);
    EXPECT_EQ(layer_->CreateFeature(&feature), OGRERR_NONE);
    ++count_;
  }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  DatasetHandle dataset_;
  OGRLayer* layer_ = nullptr;
  std::size_t count_ = 0;
};

class BadLabels : public testing::Test {
 protected:
  /// Rows of the layer after a run on what `fill` writes.
  std::vector<index::LabelObjectRow> drawn(LayerConfig layer, const std::function<void(Package&)>& fill) {
    std::size_t count = 0;
    {
      Package package(world_.path("f.gpkg"));
      fill(package);
      count = package.count();
    }
    world_.job.layers = {{"things", std::move(layer)}};
    const auto report = world_.run();
    const std::map<std::string, std::int64_t> counts(report.counts.begin(), report.counts.end());
    EXPECT_EQ(counts.at("objects"), static_cast<std::int64_t>(count));
    EXPECT_EQ(counts.at("drawn") + counts.at("repaired") + counts.at("rejected"), counts.at("objects"));
    auto rows = index::label_objects(world_.manifest(), "things");
    EXPECT_EQ(rows.size(), count);
    std::ranges::sort(rows, {}, [](const auto& row) { return std::stoi(row.object_id); });
    EXPECT_EQ(index::rejections(world_.manifest(), "label").size(), static_cast<std::size_t>(counts.at("rejected")));
    return rows;
  }
  int at(int x, int y) { return world_.mask("things", kPlace).at(static_cast<std::size_t>((199 - y) * 200 + x)); }
  std::int64_t count(int value) {
    const Bytes mask = world_.mask("things", kPlace);
    return std::count(mask.begin(), mask.end(), value);
  }
  static LayerConfig lines() {
    LayerConfig layer = lines_of("f.gpkg");
    layer.width->attribute = "text";
    return layer;
  }

  World world_{{32633, 1, {0, 0}}, {{500000, 5000200, 200}}};
};

TEST_F(BadLabels, PolygonsAreRightRepairedOrRejected) {
  const auto rows = drawn(polygons_of("f.gpkg"), [](Package& p) {
    p.add(polygon_of({box(10, 10, 20)}).get());
    p.add(polygon_of({{{40, 10}, {60, 30}, {60, 10}, {40, 30}, {40, 10}}}).get());               // self-intersecting
    p.add(polygon_of({box(70, 10, 20), box(100, 10, 10)}).get());                                // a hole outside
    p.add(polygon_of({{{10, 60}, {30, 60}, {kNan, 80}, {10, 80}, {10, 60}}}).get());             // NaN
    p.add(polygon_of({{{40, 60}, {60, 60}, {1e300, 80}, {40, 80}, {40, 60}}}).get());            // 1e300
    p.add(polygon_of({{{70, 60}, {90, 60}, {70, 60}}}).get());                                   // no area
    p.add(polygon_of({box(100, 60, 20), box(100, 60, 20)}).get());                               // a hole that is the shell
    p.add(nullptr);
    OGRPolygon empty;
    p.add(&empty);
    p.add(line_of({{130, 60}, {150, 80}}).get());                                                // another type
    OGRGeometryCollection both;
    both.addGeometry(polygon_of({box(130, 10, 20)}).get());
    both.addGeometry(line_of({{0, 0}, {199, 199}}).get());
    p.add(&both);
  });
  const std::vector<std::string> expected{"drawn", "repaired", "repaired", "bad_geometry", "bad_geometry", "empty_geometry", "empty_geometry", "null_geometry", "null_geometry", "bad_geometry", "drawn"};
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const auto outcome = rows[k].status == "rejected" ? rows[k].reason.value() : rows[k].status;
    EXPECT_EQ(outcome, expected[k]) << "object " << rows[k].object_id;
  }
  EXPECT_EQ(at(20, 20), 1);
  EXPECT_EQ(at(80, 20), 1);
  EXPECT_EQ(at(15, 65), 255) << "the points that can be used";
  EXPECT_EQ(at(45, 65), 255);
  EXPECT_EQ(at(110, 70), 0);
  EXPECT_EQ(at(140, 20), 1);
  EXPECT_EQ(at(199, 0), 0) << "the line of a mixed object is none of a layer of polygons";
}

TEST_F(BadLabels, LinesAndWidthsAreRightOrRejected) {
  const std::vector<std::pair<std::string, std::string>> widths{{"4", "drawn"}, {"-4", "no_width"}, {"0", "no_width"}, {"1e9", "no_width"}, {"4000", "no_width"}, {"wide", "no_width"}, {"", "no_width"}, {"nan", "no_width"}, {"inf", "no_width"}};
  const auto rows = drawn(lines(), [&](Package& p) {
    double y = 10;
    for (const auto& [width, outcome] : widths) p.add(line_of({{20, y}, {180, y}}).get(), width), y += 15;
    p.add(line_of({{20, 150}, {20, 150}}).get(), "4");                                          // no length
    p.add(line_of({{20, 160}}).get(), "4");                                                     // one point
    p.add(line_of({{20, 180}, {60, 180}, {kNan, 180}, {140, 180}, {180, 180}}).get(), "4");      // NaN between
    p.add(line_of({{20, 195}, {1e300, 195}}).get(), "4");
    p.add(polygon_of({box(150, 150, 9)}).get(), "4");
  });
  for (std::size_t k = 0; k < widths.size(); ++k) EXPECT_EQ(rows[k].status == "rejected" ? rows[k].reason.value() : rows[k].status, widths[k].second) << widths[k].first;
  EXPECT_EQ(rows[9].reason, "empty_geometry");
  for (std::size_t k = 10; k < 14; ++k) EXPECT_EQ(rows[k].reason, "bad_geometry") << k;
  EXPECT_EQ(at(100, 10), 1);
  EXPECT_EQ(at(100, 25), 255) << "a road is there, but not how wide";
  EXPECT_EQ(at(40, 180), 255);
  EXPECT_EQ(at(100, 180), 0) << "nothing is known of the points between";
  EXPECT_EQ(at(160, 180), 255);
  EXPECT_EQ(at(155, 155), 0);
}

TEST_F(BadLabels, FilesThatCannotBeUsedAreOneErrorEach) {
  { const Package none(world_.path("f.gpkg")); }
  world_.job.layers = {{"things", polygons_of("f.gpkg")}};
  world_.run();
  EXPECT_EQ(count(0), 40000) << "an empty layer with extent: all has no objects";
  LayerConfig bounds = polygons_of("f.gpkg");
  bounds.extent.kind = ExtentKind::bounds;
  world_.job.layers = {{"things", bounds}};
  world_.run();
  EXPECT_EQ(count(255), 40000) << "an empty layer does not say where it is complete";
  {
    Package nowhere(world_.path("n.gpkg"), false);
    nowhere.add(polygon_of({box(10, 10, 20)}).get());
  }
  world_.job.layers = {{"things", polygons_of("n.gpkg")}};
  EXPECT_THAT(world_.error_of_run(), AllOf(HasSubstr("layer things"), HasSubstr("does not say its CRS"), HasSubstr("EPSG")));
  world_.write("broken.osm.pbf", std::string("\0\0\0\x0d\x0a\x09OSMHeader\x18\xff\xff\xff\x7f", 19) + std::string(500, '\x7f'));
  LayerConfig osm = lines_of("broken.osm.pbf");
  osm.layer = "lines";
  world_.job.layers = {{"things", osm}};
  EXPECT_THAT(world_.error_of_run(), AllOf(HasSubstr("layer things"), HasSubstr("broken.osm.pbf")));
}

TEST_F(BadLabels, ObjectsWithOneIdAreTwoObjects) {
  world_.write("f.geojson", R"({"type":"FeatureCollection","features":[
    {"type":"Feature","id":7,"properties":{"n":1},"geometry":{"type":"Polygon","coordinates":[[[15.0001,45.154],[15.0003,45.154],[15.0003,45.1542],[15.0001,45.154]]]}},
    {"type":"Feature","id":7,"properties":{"n":2},"geometry":{"type":"Polygon","coordinates":[[[15.001,45.154],[15.0013,45.154],[15.0013,45.1543],[15.001,45.154]]]}}]})");
  world_.job.layers = {{"things", polygons_of("f.geojson")}};
  world_.run();
  const auto rows = index::label_objects(world_.manifest(), "things");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_NE(rows[0].lon_deg, rows[1].lon_deg);
  for (const auto& row : rows) EXPECT_EQ(row.status, "drawn");
  EXPECT_EQ(index::masks(world_.manifest(), "things").at(0).object_count, 2);
}

TEST_F(BadLabels, TenThousandValuesAreLookedUpNotSearched) {
  LayerConfig layer = polygons_of("f.gpkg");
  auto& values = layer.class_rule.by_field.emplace(FieldClasses{"text", {}}).values;
  for (int k = 0; k < 10'000; ++k) values.emplace_back("value " + std::to_string(k), 1 + k % 254);
  const auto rows = drawn(layer, [](Package& p) {
    for (int k = 0; k < 10'000; ++k) p.add(polygon_of({box(k % 100 * 2, k / 100 * 2, 2)}).get(), "value " + std::to_string(k == 5 ? 99'999 : k));
  });
  for (const auto& row : rows) {
    if (row.object_id == "6") {
      EXPECT_EQ(row.reason, "no_class");
    } else {
      EXPECT_EQ(row.object_class, 1 + (std::stoi(row.object_id) - 1) % 254);
    }
  }
  EXPECT_EQ(at(11, 1), 255);
  EXPECT_EQ(at(13, 1), 7);
}

/// A star of `count` corners around the middle of a 200 m tile.
std::vector<MapXY> star(int count, double inner) {
  std::vector<MapXY> points;
  for (int k = 0; k < count; ++k) {
    const double angle = 2 * std::numbers::pi * k / count, radius = k % 2 == 0 ? 95 : inner;
    points.push_back({500100 + radius * std::cos(angle), 5000100 + radius * std::sin(angle)});
  }
  points.push_back(points.front());
  return points;
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(Star, IsDrawnInTimeThatGrowsWithItsCorners) {
  const geometry::RasterFrame frame{{1, 0, 500000, 0, -1, 5000200}, {0, 0, 200, 200}};
  std::map<int, double> used;
  for (const int corners : {125'000, 1'000'000}) {
    const geometry::MapMultiPolygon polygons{geometry::MapPolygon{star(corners, 60), {}}};
    Bytes pixels(40000);
    used[corners] = seconds([&] { geometry::fill_polygons({frame, pixels}, polygons, std::uint8_t{1}); });
    std::cout << corners << " corners drawn in " << used[corners] << " s\n";
    EXPECT_EQ(pixels[100 * 200 + 100], 1);
    EXPECT_EQ(pixels[0], 0);
  }
  EXPECT_LT(used[1'000'000], 20 * used[125'000] + 0.05) << "8 times the corners";
}

TEST_F(BadLabels, AMillionCornersAreDrawnOrRejectedInTime) {
  for (const int corners : {999'998, 1'200'000}) {
    double used = 0;
    std::vector<index::LabelObjectRow> rows;
    used = seconds([&] {
      rows = drawn(polygons_of("f.gpkg"), [&](Package& p) {
        auto points = star(corners, 60);
        for (auto& q : points) q.x -= 500000, q.y -= 5000000;
        p.add(polygon_of({points}).get());
        p.add(polygon_of({box(1, 1, 5)}).get());
      });
    });
    std::cout << corners << " corners: " << rows[0].status << " " << rows[0].reason.value_or("") << " in " << used << " s\n";
    EXPECT_LT(used, 60);
    EXPECT_EQ(rows[1].status, "drawn");
    EXPECT_EQ(at(100, 100), rows[0].status == "rejected" ? 255 : 1);
    EXPECT_EQ(at(3, 3), 1);
  }
}

}  // namespace
}  // namespace tilewright::pipeline
