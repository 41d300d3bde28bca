// SPDX-License-Identifier: Apache-2.0
// The synthetic archive: repeatable, turned, visited several times, and planned as its truth says.
#include "pipeline/synth/archive.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "geometry/error.h"
#include "index/manifest.h"
#include "index/shard/sha256.h"
#include "pipeline/config/load.h"
#include "pipeline/runner/runner.h"
#include "tests/pipeline/archive_masks.h"
#include "tests/pipeline/job_text.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> hashes(const fs::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) out[fs::relative(entry.path(), folder)] = shard::sha256_file(entry.path());
  return out;
}

TEST(Archive, SameOptionsGiveTheSameBytes) {
  const JobFolder a, b, c;
  make_archive(a.path(), {.seed = 3, .tiles = 12, .size_px = 96, .patch_px = {}});
  make_archive(b.path(), {.seed = 3, .tiles = 12, .size_px = 96, .patch_px = {}});
  make_archive(c.path(), {.seed = 4, .tiles = 12, .size_px = 96, .patch_px = {}});
  EXPECT_EQ(hashes(a.path()), hashes(b.path()));
  EXPECT_NE(hashes(a.path()), hashes(c.path()));
  EXPECT_EQ(hashes(a.path()).size(), 25U);
}

TEST(Archive, HasHotSpotsSeamsCopiesCloudsAndZones) {
  const auto tiles = plan_archive({.seed = 1, .tiles = 4000, .size_px = 100, .patch_px = {}});
  ASSERT_EQ(tiles.size(), 4000U);
  std::set<std::string> names;
  std::map<int, int> zones;
  int copies = 0, cloudy = 0;
  for (const auto& tile : tiles) {
    names.insert(tile.name);
    ++zones[tile.epsg];
    copies += tile.copy_of ? 1 : 0;
    cloudy += tile.clouds.empty() ? 0 : 1;
    EXPECT_EQ(std::fmod(tile.affine.c, 30), 0);
  }
  EXPECT_EQ(names.size(), tiles.size());
  EXPECT_EQ(zones.size(), 11U);
  EXPECT_GT(copies, 20);
  EXPECT_LT(copies, 120);
  EXPECT_NEAR(cloudy, 2400, 200);
}

TEST(Archive, ValidPixelsAreATurnedSquareInsideItsBox) {
  ArchiveTile tile{.name = "t", .epsg = 32611, .affine = {}, .size_px = 200, .turn = 0.2, .inset_px = 0, .clouds = {}, .copy_of = {}};
  const auto mask = valid_pixels(tile);
  const double half = 100, reach = half / (std::cos(0.2) + std::sin(0.2));
  EXPECT_NEAR(static_cast<double>(mask.count()), 4 * reach * reach, 200);
  for (int row = 0; row < 200; ++row)
    for (int col = 0; col < 200; ++col) {
      const double x = col + 0.5 - half, y = row + 0.5 - half;
      const bool inside = std::abs(std::cos(0.2) * x + std::sin(0.2) * y) <= reach && std::abs(std::cos(0.2) * y - std::sin(0.2) * x) <= reach;
      EXPECT_EQ(mask.get(col, row), inside) << col << ", " << row;
    }
}

/// What the files say is what the masks say: the stages on the files, the planner on the drawn masks.
TEST(Archive, StagesPlanWhatTheMasksSay) {
  const JobFolder folder;
  const ArchiveOptions options{.seed = 2, .tiles = 40, .size_px = 96, .patch_px = 12};
  const auto job = load_job(make_archive(folder.path(), options).job, {});
  const auto context = make_context(job, {});
  run_stages(job, {.from = "", .to = "views", .is_one_stage = false, .force = {}, .dry_run = false}, context, [](const StageOutcome&) {});
  const auto tiles = plan_archive(options);
  const auto manifest = index::Manifest::open(job.workspace() / "manifest.gpkg", index::Manifest::Mode::read_only);
  EXPECT_EQ(static_cast<std::ptrdiff_t>(index::tiles(manifest, "archive", "duplicate").size()), std::ranges::count_if(tiles, [](const auto& tile) { return tile.copy_of.has_value(); }));
  std::set<std::string> expected, found;
  for (const auto& [epsg, coverages] : archive_masks(tiles))
    for (const auto& location : index::plan_views(coverages, {.patch_px = 12, .placement = index::Placement::shelf}).locations)
      expected.insert(geometry::location_id({.epsg = epsg, .resolution_m = 30, .origin = {0, 0}}, location.window) + " " + std::to_string(location.views.size()));
  for (const auto& location : index::locations(manifest)) found.insert(location.location_id + " " + std::to_string(location.view_count));
  EXPECT_EQ(found, expected);
}

TEST(Archive, ManyPlacesHaveSeveralDates) {
  const auto plan = plan_zones(archive_masks(plan_archive({.seed = 1, .tiles = 300, .size_px = 200, .patch_px = 25})), {.patch_px = 25, .placement = index::Placement::shelf});
  const double share = static_cast<double>(plan.several) / static_cast<double>(plan.locations);
  EXPECT_GT(share, 0.1);
  EXPECT_LT(share, 0.35);
}

TEST(Archive, RefusesSizesThatMakeNoSense) {
  const JobFolder folder;
  EXPECT_THROW(make_archive(folder.path(), {.seed = 1, .tiles = 0, .size_px = 96, .patch_px = {}}), Error);
  EXPECT_THROW(make_archive(folder.path(), {.seed = 1, .tiles = 1, .size_px = 20, .patch_px = {}}), Error);
  EXPECT_THROW(make_archive(folder.path(), {.seed = 1, .tiles = 1, .size_px = 96, .patch_px = 200}), Error);
}

}  // namespace
}  // namespace tilewright::pipeline
