// SPDX-License-Identifier: Apache-2.0
// Sources with pixel sizes of their own on one ground, and channels derived from elevation.
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "index/shard/shard_reader.h"
#include "pipeline/config/channel.h"
#include "pipeline/stages/source_lattice.h"
#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {
namespace {

constexpr double kWest = 500003, kNorth = 5600007;

template <class T>
std::vector<T> array_of(const StageBench& bench, const index::ViewRow& view) {
  const shard::MappedFile tar(bench.folder() / "work" / view.place->shard);
  const auto array = shard::array_at(tar, view.place->byte_offset, view.place->byte_length);
  std::vector<T> values(array.data.size() / sizeof(T));
  std::memcpy(values.data(), array.data.data(), array.data.size());
  return values;
}

double value_at(int band, int col, int row) { return 1 + (band * 7919 + col * 31 + row * 17) % 5000; }

/// A fine and a coarse band file of each acquisition, corners on one point.
void write_acquisition(const StageBench& bench, const std::string& date) {
  for (const auto& [band, step] : {std::pair<std::string, double>{"F1", 10}, {"F2", 10}, {"C1", 20}, {"L1", 60}}) {
    TinyRaster r;
    r.type = GDT_UInt16;
    r.width = static_cast<int>(1200 / step), r.height = static_cast<int>(960 / step);
    r.transform = std::vector<double>{kWest, step, 0, kNorth, 0, -step};
    r.nodata = 0;
    const int number = band[0] * 3 + band[1] + date.back();
    r.pixel = [number](int, int col, int row) { return value_at(number, col, row); };
    bench.write(date + "/" + band + ".tif", r);
  }
}

std::string job_text(const std::string& more) {
  return "workspace: work\nroots: {data: data}\nsources:\n  s:\n    files: 'data:*/*.tif'\n    group: '^(.*/)[FCL]\\d\\.tif$'\n"
         "    date: {name: '^(\\d{8})/', format: '%Y%m%d'}\n"
         "    groups: {fine: [F1, F2], coarse: {bands: [C1], resolution_m: 20}, large: {bands: [L1], resolution_m: 60}}\n"
         "grid: {resolution_m: 10}\nviews: {patch_px: 24, min_views: 2}\n" + more;
}

class PixelSizes : public testing::Test {
 protected:
  void load(const std::string& text) {
    bench.write_text("job.yaml", text);
    bench.job = load_job(bench.folder() / "job.yaml");
  }
  StageBench bench;
};

TEST_F(PixelSizes, GroupsOfBandsShareWindowsAndAreCopied) {
  for (const char* date : {"20200101", "20200202"}) write_acquisition(bench, date);
  load(job_text(""));
  auto m = bench.manifest();
  for (const auto stage : {run_scan, run_views, run_extract}) bench.run(stage, m, 2);
  const auto locations = index::locations(m);
  ASSERT_EQ(locations.size(), 20U) << "120 x 96 pixels hold 5 x 4 windows of 24";
  const auto views = index::views(m);
  ASSERT_EQ(views.size(), locations.size() * 2 * 3);
  for (const auto& location : locations) EXPECT_EQ(location.view_count, 2) << "acquisitions are counted, not groups";
  for (const auto& view : views) {
    ASSERT_FALSE(view.resampled) << view.tile_id;
    const auto location = index::location(m, view.location_id);
    const std::string source = view.tile_id.substr(0, view.tile_id.rfind('-'));
    const double step = source == "s_fine" ? 10 : source == "s_coarse" ? 20 : 60;
    const int edge = static_cast<int>(240 / step), col = static_cast<int>(std::llround((location->ulx - kWest) / step)), row = static_cast<int>(std::llround((kNorth - location->uly) / step));
    EXPECT_NEAR(location->ulx, kWest + col * step, 1e-6);
    const auto values = array_of<std::uint16_t>(bench, view);
    ASSERT_EQ(values.size(), static_cast<std::size_t>(edge * edge) * (source == "s_fine" ? 2 : 1));
    const std::string band = source == "s_fine" ? "F1" : source == "s_coarse" ? "C1" : "L1";
    const int number = band[0] * 3 + band[1] + (view.acquired->starts_with("2020-01") ? '1' : '2');
    for (int y = 0; y < edge; ++y)
      for (int x = 0; x < edge; ++x) ASSERT_EQ(values[static_cast<std::size_t>(y * edge + x)], value_at(number, col + x, row + y)) << source;
  }
  EXPECT_EQ(views[0].tile_id.substr(views[0].tile_id.rfind('-')), views[1].tile_id.substr(views[1].tile_id.rfind('-'))) << "one acquisition, one name";
}

TEST_F(PixelSizes, WhatDoesNotDivideTheWindowIsAnError) {
  try {
    load("workspace: work\nroots: {data: data}\nsources: {s: {files: 'data:*.tif', resolution_m: 60}, t: {files: 'data:*.tif', resolution_m: 15}}\n"
         "grid: {resolution_m: 10}\nviews: {patch_px: 32}\nextract: {derived: [{source: s, name: x, channels: [bumps, relief_900]}]}\n");
    FAIL();
  } catch (const Error& error) {
    for (const char* part : {"do not divide", "no whole multiple", "no channel 'bumps'", "no channel 'relief_900'"}) EXPECT_THAT(error.what(), testing::HasSubstr(part));
  }
}

TEST_F(PixelSizes, MasksOfCoarseAndFinePixelsAgreeWithTheirCells) {
  LatticeMasks coarse{.i = -1, .j = 1, .valid = {3, 2}, .cloud = {}, .copied = true};
  coarse.valid.set(1, 1, true);
  const auto cells = masks_on_zone(coarse, {.coarse = 3, .fine = 1});
  EXPECT_EQ(cells.i, -3);
  EXPECT_EQ(cells.j, 3);
  EXPECT_EQ(cells.valid.count(), 9);
  EXPECT_TRUE(cells.valid.get(3, 3) && cells.valid.get(5, 5) && !cells.valid.get(2, 3));
  LatticeMasks fine{.i = 1, .j = 0, .valid = {5, 4}, .cloud = {}, .copied = true};
  for (int row = 0; row < 4; ++row)
    for (int col = 0; col < 5; ++col) fine.valid.set(col, row, true);
  const auto whole = masks_on_zone(fine, {.coarse = 1, .fine = 2});
  EXPECT_EQ(whole.i, 0);
  EXPECT_EQ(whole.valid.count(), 4) << "the half-covered column does not count";
  EXPECT_FALSE(whole.valid.get(0, 0));
}

/// Heights with holes outside the windows' ground; channels of a source beside its own pixels.
TEST_F(PixelSizes, DerivedChannelsAreNamedAndAbutAcrossWindowsOfAnySize) {
  TinyRaster dem;
  dem.type = GDT_Float32;
  dem.width = 200, dem.height = 160;
  dem.transform = std::vector<double>{kWest, 1, 0, kNorth, 0, -1};
  dem.nodata = -9999;
  dem.pixel = [](int, int col, int row) { return col > 185 || row < 3 ? -9999 : 50 + 0.3 * col + 5 * std::sin(col * 0.2) * std::cos(row * 0.13) + (col * 7 + row * 13) % 5 * 0.1; };
  bench.write("dem_20200101.tif", dem);
  auto ground = dem;
  ground.pixel = [](int, int col, int) { return 50 + 0.3 * col; };
  bench.write("dtm_20200101.tif", ground);
  const auto text = [](int patch) {
    return "workspace: work\nroots: {data: data}\nsources: {dem: {files: 'data:dem_*.tif'}, dtm: {files: 'data:dtm_*.tif'}}\n"
           "grid: {resolution_m: 1}\nviews: {patch_px: " + std::to_string(patch) + ", placement: lattice}\n"
           "extract: {derived: [{source: dem, name: terrain, channels: [minmax, relief_2, relief_8, slope, hillshade, above_dtm]}]}\n";
  };
  std::map<std::pair<long, long>, std::array<float, 5>> by_place;
  int compared = 0;
  for (const int patch : {64, 16}) {
    load(text(patch));
    auto m = bench.manifest(std::to_string(patch) + ".gpkg");
    std::filesystem::remove_all(bench.folder() / "work/shards");
    for (const auto stage : {run_scan, run_views, run_extract}) bench.run(stage, m, 2);
    int seen = 0;
    for (const auto& view : index::views(m)) {
      if (!view.tile_id.starts_with("dem_terrain-")) continue;
      ++seen;
      const auto location = index::location(m, view.location_id);
      const auto values = array_of<float>(bench, view);
      const auto plane = static_cast<std::size_t>(patch * patch);
      ASSERT_EQ(values.size(), 6 * plane);
      for (std::size_t k = 0; k < plane; ++k) {
        std::array<float, 5> found{};
        for (std::size_t c = 1; c < 6; ++c) found[c - 1] = values[c * plane + k];
        const auto place = std::pair(std::lround(location->ulx) + static_cast<long>(k) % patch, std::lround(location->uly) - static_cast<long>(k) / patch);
        const auto [entry, is_new] = by_place.emplace(place, found);
        if (is_new) continue;
        ASSERT_EQ(entry->second, found) << place.first << " " << place.second;
        ++compared;
      }
      ASSERT_TRUE(std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }));
    }
    EXPECT_GT(seen, 1);
    const auto bands = source_bands(bench.job, m, "dem_terrain");
    ASSERT_EQ(bands.size(), 6U);
    EXPECT_EQ(bands[5].info.name, "above_dtm");
  }
  EXPECT_GT(compared, 64 * 64);
}

TEST(Channel, TheTableIsTheGrammar) {
  EXPECT_EQ(halo_px(*parse_channel("relief_8")), 24);
  EXPECT_EQ(parse_channel("above_dtm")->source, "dtm");
  for (const char* bad : {"", "relief", "relief_", "relief_0", "relief_65", "relief_8x", "slope_2", "minmaxx", "above", "above_"}) EXPECT_FALSE(parse_channel(bad)) << bad;
}

const std::filesystem::path kData = std::filesystem::path(TILEWRIGHT_SOURCE_DIR) / "../shared/data";

/// Views a source after scan, views and extract of a job of configs/.
std::map<std::string, std::size_t> views_of(const StageBench& bench, index::Manifest& m, bool are_copied) {
  for (const auto stage : {run_scan, run_views, run_extract}) bench.run(stage, m, 2);
  std::map<std::string, std::size_t> out;
  for (const auto& view : index::views(m)) {
    EXPECT_NE(view.resampled, are_copied) << view.tile_id;
    EXPECT_TRUE(view.place.has_value());
    ++out[view.tile_id.substr(0, view.tile_id.rfind('-'))];
  }
  return out;
}

TEST(PixelSizesReal, ThailandsBandsOfThreeSizesAreCopiedOnOneGround) {
  if (!std::filesystem::is_directory(kData / "S2-majortom-thailand")) GTEST_SKIP() << kData << " is not here";
  const StageBench bench("majortom_thailand.yaml");
  auto m = bench.manifest();
  EXPECT_EQ(views_of(bench, m, true), (std::map<std::string, std::size_t>{{"s2_r10", 121}, {"s2_r20", 121}, {"s2_r60", 121}}));
}

TEST(PixelSizesReal, PunjabsRadarAndThreeOpticalGridsArePairedOnOneFootprint) {
  if (!std::filesystem::is_directory(kData / "C-ssl4eo-s12-punjab")) GTEST_SKIP() << kData << " is not here";
  const StageBench bench("ssl4eo_punjab.yaml");
  auto m = bench.manifest();
  EXPECT_EQ(views_of(bench, m, false), (std::map<std::string, std::size_t>{{"s1", 2}, {"s2c_r10", 2}, {"s2c_r20", 2}, {"s2c_r60", 2}}));
  EXPECT_EQ(index::locations(m).size(), 1U);
}

}  // namespace
}  // namespace tilewright::pipeline
