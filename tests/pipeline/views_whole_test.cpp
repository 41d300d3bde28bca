// SPDX-License-Identifier: Apache-2.0
// Placement `whole`: chips keep their grid and their pixels; dates on one grid share a location.
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_reader.h"
#include "learn/config/dataset_file.h"
#include "pipeline/stages/split_locations.h"
#include "pipeline/stages/whole_grid.h"
#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {
namespace {

using ::testing::HasSubstr;

/// Chips named c_<date>.tif; values differ from pixel to pixel and by `salt`, 0 is nodata. Equal ones on one
/// grid would be duplicates.
TinyRaster chip(double x, double y, int width = 12, int height = 12, int salt = 0) {
  TinyRaster raster;
  raster.width = width;
  raster.height = height;
  raster.bands = 2;
  raster.type = GDT_UInt16;
  raster.transform = {x, 10.5, 0, y, 0, -9.75};
  raster.nodata = 0;
  raster.pixel = [x, salt](int band, int col, int row) { return 1 + salt + std::fmod(x, 1000) + 1000 * band + 37 * col + row; };
  return raster;
}

class WholeTest : public ::testing::Test {
 protected:
  WholeTest() {
    bench_.job.sources[0].second.date = DateConfig{.name = "_(\\d{8})", .format = "%Y%m%d"};
    bench_.job.views = ViewsConfig{.placement = index::Placement::whole};
  }
  StageReport views(index::Manifest& m, int threads = 1) const {
    bench_.run(run_scan, m, threads);
    bench_.run(run_graph, m, threads);
    return bench_.run(run_views, m, threads);
  }
  [[nodiscard]] std::filesystem::path workspace(const index::Manifest& m) const { return m.file().parent_path(); }
  static std::string path_of(index::Manifest& m, const std::string& tile_id) { return index::tile(m, tile_id)->path; }
  StageBench bench_;
};

/// The pixels of a member as uint16, and its shape.
std::pair<std::vector<std::uint16_t>, std::vector<std::int64_t>> array_of(const std::filesystem::path& workspace, const index::MemberPlace& place) {
  const shard::MappedFile file(workspace / place.shard);
  const auto array = shard::array_at(file, place.byte_offset, place.byte_length);
  std::vector<std::uint16_t> pixels(array.data.size() / 2);
  std::memcpy(pixels.data(), array.data.data(), array.data.size());
  return {pixels, array.header.shape};
}

nlohmann::json json_of(const std::filesystem::path& workspace, const index::MemberPlace& place, const std::string& id) {
  const auto tar = workspace / place.shard;
  const shard::MappedFile file(tar);
  for (const auto& entry : shard::read_index(shard::index_file(tar))) {
    if (entry.member != id + ".json") continue;
    const auto bytes = file.range(entry.offset, entry.length);
    return nlohmann::json::parse(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  return nullptr;
}

TEST_F(WholeTest, DatesOnOneGridShareALocationAndOthersDoNot) {
  for (int n = 1; n <= 3; ++n) bench_.write("c_20200" + std::to_string(n) + "01.tif", chip(500003, 5000007, 12, 12, n));
  bench_.write("f_20200101.tif", chip(500003, 5000007, 12, 11));
  auto m = bench_.manifest();
  const auto report = views(m);
  EXPECT_EQ(count_of(report, "locations"), 2);
  EXPECT_EQ(count_of(report, "views"), 4);
  EXPECT_EQ(count_of(report, "views_resampled"), 0);
  EXPECT_EQ(count_of(report, "tiles_without_view"), 0);
  const auto id = "w_" + shard::sha256_hex("EPSG:32633\n10.5 0 500003 0 -9.75 5000007\n12 12").substr(0, 12);
  const auto shared = index::location(m, id);
  ASSERT_TRUE(shared) << "the id is the hash of the text that the manual gives";
  EXPECT_EQ(shared->view_count, 3);
  EXPECT_EQ(shared->ulx, 500003);
  EXPECT_EQ(shared->uly, 5000007);
  EXPECT_EQ(shared->res_m, 10.5);
  EXPECT_EQ(shared->size_px, 12);
  std::string before;
  for (const auto& view : index::views(m, id)) {
    EXPECT_LT(before, *view.acquired);
    before = *view.acquired;
  }
}

TEST_F(WholeTest, OtherChipsAndThreadsChangeNoLocation) {
  bench_.write("c_20200101.tif", chip(500003, 5000007));
  auto one = bench_.manifest("one.gpkg");
  views(one);
  const auto before = index::locations(one);
  for (int n = 0; n < 5; ++n) bench_.write("b_2020010" + std::to_string(n + 1) + ".tif", chip(490000 + 300 * n, 5000007));
  auto many = bench_.manifest("many.gpkg"), again = bench_.manifest("again.gpkg");
  views(many);
  views(again, 4);
  ASSERT_TRUE(index::location(many, before[0].location_id));
  EXPECT_EQ(index::location(many, before[0].location_id)->ulx, before[0].ulx);
  EXPECT_EQ(index::canonical_dump(many), index::canonical_dump(again));
}

TEST_F(WholeTest, NewChipsLeaveOldViewsWhereTheyLie) {
  bench_.write("c_20200101.tif", chip(500003, 5000007));
  bench_.write("d_20200101.tif", chip(400000, 5000007));
  auto m = bench_.manifest();
  views(m);
  bench_.run(run_extract, m);
  const auto before = index::views(m);
  bench_.write("e_20200201.tif", chip(500003, 5000007, 12, 12, 5));   // another date of the first
  bench_.write("f_20200101.tif", chip(300000, 5000007));
  views(m);
  bench_.run(run_extract, m);
  const auto after = index::views(m);
  ASSERT_EQ(after.size(), 4U);
  for (const auto& old : before) {
    const auto now = std::ranges::find(after, old.tile_id, &index::ViewRow::tile_id);
    ASSERT_NE(now, after.end());
    EXPECT_EQ(now->location_id, old.location_id);
    EXPECT_EQ(now->place->shard, old.place->shard);
    EXPECT_EQ(now->place->byte_offset, old.place->byte_offset);
    EXPECT_EQ(now->place->sha256, old.place->sha256);
  }
  EXPECT_EQ(index::locations(m).size(), 3U);
}

TEST_F(WholeTest, PixelsAreThoseOfTheFileWhateverTheShape) {
  bench_.write("c_20200101.tif", chip(500003, 5000007, 20, 9));
  bench_.write("d_20200201.tif", chip(500003, 5000007, 20, 9, 7));
  bench_.write("e_20200101.tif", chip(400000, 5000007, 7, 16));
  auto m = bench_.manifest();
  views(m);
  bench_.run(run_extract, m);
  ASSERT_EQ(index::views(m).size(), 3U);
  for (const auto& view : index::views(m)) {
    const auto tile = index::tile(m, view.tile_id);
    const auto raster = chip(path_of(m, view.tile_id) == "data:e_20200101.tif" ? 400000 : 500003, 0, 1, 1, path_of(m, view.tile_id) == "data:d_20200201.tif" ? 7 : 0);
    const auto [pixels, shape] = array_of(workspace(m), *view.place);
    ASSERT_EQ(shape, (std::vector<std::int64_t>{2, tile->height_px, tile->width_px}));
    std::size_t k = 0;
    for (int band = 0; band < 2; ++band)
      for (int row = 0; row < tile->height_px; ++row)
        for (int col = 0; col < tile->width_px; ++col) ASSERT_EQ(pixels[k++], raster.pixel(band, col, row)) << col << " " << row;
    const auto json = json_of(workspace(m), *view.place, view.location_id);
    EXPECT_EQ(json["size"], (std::vector<std::int64_t>{tile->height_px, tile->width_px}));
    EXPECT_EQ(json["affine"], (std::vector<double>{10.5, 0, tile->path == "data:e_20200101.tif" ? 400000.0 : 500003.0, 0, -9.75, 5000007}));
  }
}

TEST_F(WholeTest, EachTileIsSeenOrHasOneReason) {
  auto hole = chip(500003, 5000007);
  const auto pixel = hole.pixel;
  hole.pixel = [pixel](int band, int col, int row) { return col == 3 && row == 4 ? 0 : pixel(band, col, row); };
  bench_.write("c_20200101.tif", hole);                       // one pixel is nodata
  for (int n = 1; n <= 4; ++n) bench_.write("d_2020020" + std::to_string(n) + ".tif", chip(500003, 5000007, 12, 12, n));
  bench_.write("e_20200101.tif", chip(400000, 5000007));      // alone: too few views
  auto other_hole = chip(300000, 5000007);
  other_hole.pixel = hole.pixel;
  bench_.write("f_20200101.tif", other_hole);
  bench_.job.views->min_views = 2;
  bench_.job.views->max_views = 3;
  auto m = bench_.manifest();
  const auto report = views(m);
  EXPECT_EQ(count_of(report, "tiles"), 7);
  EXPECT_EQ(count_of(report, "locations"), 1);
  EXPECT_EQ(count_of(report, "views"), 3);
  EXPECT_EQ(count_of(report, "tiles_without_view"), 4);
  std::map<std::string, std::string> reasons;
  for (const auto& rejection : index::rejections(m, "views")) {
    const auto tile = rejection.subject.substr(rejection.subject.find('/') + 1);
    EXPECT_TRUE(reasons.emplace(path_of(m, tile), rejection.reason).second) << "two reasons for " << rejection.subject;
  }
  const std::map<std::string, std::string> expected = {
      {"data:c_20200101.tif", "view_invalid"}, {"data:d_20200203.tif", "view_limit"}, {"data:e_20200101.tif", "too_few_views"}, {"data:f_20200101.tif", "view_invalid"}};
  EXPECT_EQ(reasons, expected);
}

TEST_F(WholeTest, CloudyChipsAreLeftOutByTheirShare) {
  for (int n = 1; n <= 3; ++n) {
    auto raster = chip(500003, 5000007, 12, 12, n);
    const auto pixel = raster.pixel;
    raster.pixel = [pixel, n](int band, int col, int row) { return band == 1 ? (row < 3 * (n - 1) ? 2 : 1) : pixel(band, col, row); };
    raster.descriptions = {"red", "qa"};
    bench_.write("c_2020010" + std::to_string(n) + ".tif", raster);
  }
  bench_.job.sources[0].second.quality = {QualityConfig{.band = "qa", .reject_values = {2}}};
  bench_.job.views->max_cloud_frac = 0.25;
  auto m = bench_.manifest();
  EXPECT_EQ(count_of(views(m), "rejected_view_cloudy"), 1);
  const auto seen = index::views(m);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].cloud_frac, 0);
  EXPECT_EQ(seen[1].cloud_frac, 0.25);
}

TEST_F(WholeTest, NothingFoundIsAnErrorThatNamesTheReason) {
  auto hole = chip(500003, 5000007);
  hole.pixel = [](int, int col, int) { return col; };
  bench_.write("c_20200101.tif", hole);
  auto m = bench_.manifest();
  try {
    views(m);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("1 view_invalid"));
    EXPECT_THAT(error.what(), HasSubstr("nodata"));
  }
}

/// A chip that does not lie north-up in a projected CRS with a code.
struct OddGrid {
  const char* name;
  int epsg;
  std::vector<double> transform;
};
class OddGridTest : public WholeTest, public testing::WithParamInterface<OddGrid> {};

TEST_P(OddGridTest, OutlinePixelsAndMasksLieOnTheChipsOwnGrid) {
  auto raster = chip(500003, 5000007, 14, 10);
  raster.epsg = GetParam().epsg;
  raster.transform = GetParam().transform;
  bench_.write("c_20200101.tif", raster);
  auto label = raster;                                        // the same grid: each pixel has its own class
  label.bands = 1;
  label.type = GDT_Byte;
  label.nodata.reset();
  label.pixel = [](int, int col, int row) { return 1 + col + 14 * row; };
  bench_.write("labels/l.tif", label);
  bench_.job.layers = {{"l", LayerConfig{.raster = "data:labels/l.tif"}}};
  auto m = bench_.manifest();
  views(m);
  bench_.run(run_extract, m);
  bench_.run(run_label, m);
  const auto locations = index::locations(m);
  ASSERT_EQ(locations.size(), 1U);

  const auto& t = GetParam().transform;
  const geometry::Affine affine{t[1], t[2], t[0], t[4], t[5], t[3]};
  const auto crs = geometry::Crs::from_epsg(GetParam().epsg);
  std::vector<geometry::LonLat> vertices;
  for (const auto& polygon : locations[0].geom) vertices.insert(vertices.end(), polygon.outer.begin(), polygon.outer.end());
  for (const geometry::PixelXY at : {geometry::PixelXY{0, 0}, {14, 0}, {14, 10}, {0, 10}}) {
    const auto corner = geometry::geographic(affine.map_from_pixel(at), crs);
    double nearest = 1e9;
    for (const auto& v : vertices) nearest = std::min(nearest, std::hypot(std::remainder(v.lon_deg - corner->lon_deg, 360.0), v.lat_deg - corner->lat_deg));
    EXPECT_LT(nearest, 1e-9) << "the outline has the corner " << at.col << " " << at.row;
  }
  const auto json = json_of(workspace(m), *index::views(m)[0].place, locations[0].location_id);
  EXPECT_EQ(json["affine"], (std::vector<double>{affine.a, affine.b, affine.c, affine.d, affine.e, affine.f}));
  EXPECT_EQ(json["epsg"], GetParam().epsg);
  EXPECT_EQ(array_of(workspace(m), *index::views(m)[0].place).first[14], raster.pixel(0, 0, 1));

  const auto masks = index::masks(m, "l");
  ASSERT_EQ(masks.size(), 1U);
  const shard::MappedFile file(workspace(m) / masks[0].place->shard);
  const auto mask = shard::array_at(file, masks[0].place->byte_offset, masks[0].place->byte_length);
  ASSERT_EQ(mask.header.shape, (std::vector<std::int64_t>{1, 10, 14}));
  for (int k = 0; k < 140; ++k) ASSERT_EQ(static_cast<int>(mask.data[static_cast<std::size_t>(k)]), 1 + k) << "pixel " << k;
}

INSTANTIATE_TEST_SUITE_P(Grids, OddGridTest,
                         testing::Values(OddGrid{"rotated", 32633, {500000, 8, 6, 5000000, 6, -8}}, OddGrid{"south_up", 32633, {500000, 10, 0, 5000000, 0, 10}},
                                         OddGrid{"date_line", 4326, {179.9990, 1e-4, 0, -17, 0, -1e-4}}, OddGrid{"degrees", 4326, {-0.75, 1e-4, 0, 38.1, 0, -1e-4}}, OddGrid{"feet", 2263, {980000, 30, 0, 200000, 0, -30}}),
                         [](const auto& each) { return each.param.name; });

TEST_F(WholeTest, VectorMasksOfRotatedChipsAreTheSquaresDrawn) {
  auto raster = chip(0, 0, 14, 10);
  raster.transform = {500000, 8, 6, 5000000, 6, -8};
  bench_.write("c_20200101.tif", raster);
  const geometry::Affine affine{8, 6, 500000, 6, -8, 5000000};
  std::string ring;
  for (const geometry::PixelXY at : {geometry::PixelXY{3, 2}, {9, 2}, {9, 7}, {3, 7}, {3, 2}}) {
    const auto p = affine.map_from_pixel(at);
    ring += (ring.empty() ? "[" : ",[") + std::to_string(p.x) + "," + std::to_string(p.y) + "]";
  }
  bench_.write_text("data/l.geojson", R"({"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::32633"}},"features":[)"
                                      R"({"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[[)" + ring + "]]}}]}");
  bench_.job.layers = {{"l", LayerConfig{.vector = "data:l.geojson", .extent = {ExtentKind::all, ""}}}};
  auto m = bench_.manifest();
  views(m);
  bench_.run(run_label, m);
  const auto masks = index::masks(m, "l");
  ASSERT_EQ(masks.size(), 1U);
  const shard::MappedFile file(workspace(m) / masks[0].place->shard);
  const auto mask = shard::array_at(file, masks[0].place->byte_offset, masks[0].place->byte_length);
  for (int row = 0; row < 10; ++row)
    for (int col = 0; col < 14; ++col)
      ASSERT_EQ(static_cast<int>(mask.data[static_cast<std::size_t>(14 * row + col)]), col >= 3 && col < 9 && row >= 2 && row < 7 ? 1 : 0) << col << " " << row;
}

TEST_F(WholeTest, SplitMeasuresGroundInMetresWhateverTheCrs) {
  auto degrees = chip(0, 0, 14, 10);
  degrees.epsg = 4326;
  degrees.transform = {-0.75, 1e-4, 0, 38.1, 0, -1e-4};
  bench_.write("c_20200101.tif", degrees);
  bench_.write("d_20200101.tif", chip(500003, 5000007, 20, 9));
  auto m = bench_.manifest();
  views(m);
  for (const auto& location : split_locations_of(m)) {
    if (location.epsg == 32633) {
      EXPECT_NEAR(location.box.min_x, 500003, 1e-6);
      EXPECT_NEAR(location.box.max_x, 500003 + 20 * 10.5, 1e-6);
      EXPECT_NEAR(location.box.max_y, 5000007, 1e-6);
      EXPECT_NEAR(location.box.min_y, 5000007 - 9 * 9.75, 1e-6);
      continue;
    }
    EXPECT_EQ(location.epsg, 32630) << "the UTM zone of 0.75 W";
    const geometry::Transform utm(geometry::wgs84(), geometry::Crs::from_epsg(32630));
    const auto corner = utm({-0.75, 38.1});
    EXPECT_NEAR(location.box.max_y - location.box.min_y, 111, 8);
    EXPECT_NEAR(location.box.max_x - location.box.min_x, 14e-4 * 87600, 8);
    EXPECT_NEAR(location.box.min_x, corner->x, 8);
  }
  EXPECT_EQ(index::locations(m).size(), 2U);
}

TEST_F(WholeTest, SplitMeasuresChipsOnTheDateLineInOneZone) {
  auto raster = chip(0, 0, 14, 10);
  raster.epsg = 4326;
  raster.transform = {179.9990, 1e-4, 0, -17, 0, -1e-4};
  bench_.write("c_20200101.tif", raster);
  auto m = bench_.manifest();
  views(m);
  const auto locations = split_locations_of(m);
  ASSERT_EQ(locations.size(), 1U);
  EXPECT_EQ(locations[0].geom.size(), 2U) << "split at 180 degrees";
  EXPECT_EQ(locations[0].epsg, 32760);
  EXPECT_NEAR(locations[0].box.max_x - locations[0].box.min_x, 14e-4 * 106500, 8);
}

TEST_F(WholeTest, DatasetKnowsTheLargestEdgeOfChipsOfSeveralShapes) {
  bench_.write("c_20200101.tif", chip(500003, 5000007, 20, 9));
  bench_.write("d_20200101.tif", chip(400000, 5000007, 7, 16));
  bench_.job.datasets = {{"all", DatasetConfig{.inputs = {{"s", {}}}}}};
  auto m = bench_.manifest();
  views(m);
  bench_.run(run_extract, m);
  bench_.run(run_dataset, m);
  EXPECT_EQ(learn::read_dataset(workspace(m) / "datasets/all/dataset.json").inputs[0].size_px, 20);
}

}  // namespace
}  // namespace tilewright::pipeline
