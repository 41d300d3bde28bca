// SPDX-License-Identifier: Apache-2.0
// Plans that go on: new, changed and gone scenes, and what stays as it was.
#include <cmath>
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
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

TinyRaster at(double x, double y, int seed, int width = 40, int height = 40) {
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

TEST_F(Append, LocationsStayAndTheirViewsGrow) {
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  bench_.write("b_20200201.tif", at(500160, 5000000, 2));
  auto m = bench_.manifest();
  step(m);
  const auto before = views_of(m);
  const auto places = locations_of(m);
  const auto files = shards();
  bench_.write("c_20200301.tif", at(500080, 4999920, 3, 80, 80));
  const auto report = step(m);
  const auto now = views_of(m);
  EXPECT_THAT(locations_of(m), IsSupersetOf(places));
  EXPECT_GT(locations_of(m).size(), places.size());
  for (const auto& [id, view] : before) {
    ASSERT_TRUE(now.contains(id)) << id.first;
    EXPECT_TRUE(same_place(view, now.at(id))) << id.first;
  }
  for (const auto& [name, hash] : files) EXPECT_EQ(shards().at(name), hash) << name << " was written again";
  EXPECT_GT(shards().size(), files.size());
  const auto c = id_of(m, "c_20200301.tif");
  std::int64_t grown = 0;
  for (const auto& [id, view] : now) {
    if (before.contains(id)) continue;
    grown += places.contains(id.first) ? 1 : 0;
    if (places.contains(id.first)) { EXPECT_EQ(id.second, c) << "an old location can only have got the new tile"; }
  }
  EXPECT_GT(grown, 0);
  EXPECT_EQ(count_of(report, "views_added"), grown);
  EXPECT_EQ(count_of(report, "locations"), static_cast<std::int64_t>(locations_of(m).size()));
  EXPECT_EQ(index::masks(m).size(), locations_of(m).size());
  EXPECT_EQ(index::splits(m, "split").size(), locations_of(m).size());
}

TEST_F(Append, NothingNewIsNothingDone) {
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  bench_.write("b_20200201.tif", at(500160, 5000000, 2));
  auto m = bench_.manifest();
  step(m);
  bench_.write("c_20200301.tif", at(500080, 4999920, 3, 80, 80));
  const auto first = step(m);
  const auto dump = index::canonical_dump(m);
  const auto again = step(m);
  EXPECT_EQ(again.counts, first.counts);
  EXPECT_EQ(again.notes, first.notes);
  EXPECT_EQ(index::canonical_dump(m), dump);
}

TEST_F(Append, AGoneSceneIsMarkedAndItsViewsLeave) {
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  bench_.write("b_20200201.tif", at(500160, 5000000, 2));
  bench_.write("c_20200301.tif", at(501000, 5000000, 3));
  auto m = bench_.manifest();
  step(m);
  const auto before = views_of(m);
  const auto files = shards();
  const auto c = id_of(m, "c_20200301.tif"), b = id_of(m, "b_20200201.tif");
  remove("c_20200301.tif");
  remove("b_20200201.tif");
  const auto report = step(m);
  EXPECT_EQ(index::tile(m, c)->status, "removed");
  EXPECT_EQ(index::tile(m, c)->reason, "gone");
  EXPECT_FALSE(index::tile(m, c)->geom.empty());
  EXPECT_EQ(count_of(report, "tiles_removed"), 2);
  for (const auto& [id, view] : before) {
    const bool stays = id.second != b && id.second != c;
    EXPECT_EQ(views_of(m).contains(id), stays);
    if (stays) { EXPECT_TRUE(same_place(view, views_of(m).at(id))); }
  }
  for (const auto& location : index::locations(m)) EXPECT_GE(location.view_count, 1);
  EXPECT_EQ(index::masks(m).size(), locations_of(m).size());
  EXPECT_EQ(shards(), files) << "bytes stay until gc";
  EXPECT_EQ(changes_of(m, 2).at(c), "removed");
  const auto plain = index::rejections(m, "scan");
  EXPECT_EQ(std::ranges::count_if(plain, [](const auto& row) { return row.reason == "gone"; }), 2);
}

TEST_F(Append, ASceneThatComesBackIsSeenAgain) {
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  bench_.write("b_20200201.tif", at(500000, 5000000, 2));
  auto m = bench_.manifest();
  step(m);
  const auto ids = views_of(m).size();
  const auto b = id_of(m, "b_20200201.tif");
  remove("b_20200201.tif");
  step(m);
  EXPECT_EQ(views_of(m).size() * 2, ids);
  bench_.write("b_20200201.tif", at(500000, 5000000, 2));
  step(m);
  EXPECT_EQ(views_of(m).size(), ids);
  EXPECT_EQ(index::tile(m, b)->status, "ok");
  EXPECT_EQ(changes_of(m, 3).at(b), "added");
}

TEST_F(Append, AChangedSceneRedoesItsViewsAndNoOthers) {
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  bench_.write("b_20200201.tif", at(500000, 5000000, 2));
  auto m = bench_.manifest();
  step(m);
  const auto before = views_of(m);
  bench_.write("b_20200201.tif", at(500000, 5000000, 77));
  const auto b = id_of(m, "b_20200201.tif");
  const auto report = step(m);
  const auto now = views_of(m);
  ASSERT_EQ(now.size(), before.size());
  std::int64_t redone = 0;
  for (const auto& [id, view] : before) {
    EXPECT_EQ(same_place(view, now.at(id)), id.second != b);
    redone += id.second == b ? 1 : 0;
    if (id.second == b) { EXPECT_NE(view.place->sha256, now.at(id).place->sha256); }
  }
  EXPECT_EQ(count_of(report, "views_redone"), redone);
  EXPECT_EQ(changes_of(m, 2).at(b), "changed");
}

TEST_F(Append, TheTwinTakesThePlaceOfAGoneScene) {
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  bench_.write("b1_20200201.tif", at(500000, 5000000, 2));
  fs::copy_file(bench_.folder() / "data/b1_20200201.tif", bench_.folder() / "data/b2_20200201.tif");
  auto m = bench_.manifest();
  step(m);
  const bool first_is_kept = index::tile(m, id_of(m, "b1_20200201.tif"))->status == "ok";
  const std::string kept = first_is_kept ? "b1_20200201.tif" : "b2_20200201.tif", twin = first_is_kept ? "b2_20200201.tif" : "b1_20200201.tif";
  EXPECT_EQ(index::tile(m, id_of(m, twin))->status, "duplicate");
  const auto places = locations_of(m);
  remove(kept);
  step(m);
  EXPECT_EQ(index::tile(m, id_of(m, twin))->status, "ok");
  EXPECT_EQ(locations_of(m), places);
  for (const auto& id : places) EXPECT_TRUE(views_of(m).contains(Id(id, id_of(m, twin))));
}

TEST_F(Append, OtherSettingsPlanAnewAndSayWhy) {
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  auto m = bench_.manifest();
  step(m);
  bench_.job.views->patch_px = 8;
  const auto report = step(m);
  EXPECT_EQ(count_of(report, "locations"), 25);
  ASSERT_FALSE(report.notes.empty());
  EXPECT_THAT(report.notes.back(), HasSubstr("patch_px 16 -> 8"));
  EXPECT_EQ(index::masks(m).size(), 25U);
}

TEST_F(Append, ADroppedLocationFreesItsGround) {
  bench_.job.views->min_views = 2;
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  bench_.write("b_20200201.tif", at(500000, 5000000, 2));
  auto m = bench_.manifest();
  step(m);
  const auto first = locations_of(m);
  ASSERT_EQ(first.size(), 4U);
  remove("b_20200201.tif");
  bench_.write("c_20200301.tif", at(500160, 5000000, 3));
  step(m);
  for (const auto& location : index::locations(m)) EXPECT_GE(location.view_count, 2);
  std::set<std::string> dropped;
  for (const auto& [subject, change] : changes_of(m, 2))
    if (change == "dropped") dropped.insert(subject);
  EXPECT_FALSE(dropped.empty());
  EXPECT_EQ(index::masks(m).size(), locations_of(m).size());
}

TEST_F(Append, NoLocationLeftIsAnError) {
  bench_.job.views->min_views = 2;
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  bench_.write("b_20200201.tif", at(500000, 5000000, 2));
  auto m = bench_.manifest();
  step(m);
  const auto dump = index::locations(m).size();
  remove("b_20200201.tif");
  try {
    step(m);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::failed);
    EXPECT_THAT(error.what(), HasSubstr("min_views is 2"));
  }
  EXPECT_EQ(index::locations(m).size(), dump) << "the earlier plan stays";
}

TEST_F(Append, ALayerThatIsDrawnDifferentlyIsDrawnAnewAlone) {
  auto other = bench_.job.layers[0].second;
  bench_.job.layers.emplace_back("more", other);
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  auto m = bench_.manifest();
  step(m);
  const auto before = index::masks(m, "fields");
  bench_.job.layers[1].second.class_rule.constant = 9;
  const auto time = fs::last_write_time(bench_.folder() / "work/shards/fields-000000.tar");
  const auto hash = shards().at("more-000000.tar");
  bench_.run(run_label, m);
  EXPECT_EQ(fs::last_write_time(bench_.folder() / "work/shards/fields-000000.tar"), time);
  EXPECT_NE(shards().at("more-000000.tar"), hash);
  bench_.job.layers.pop_back();
  bench_.run(run_label, m);
  EXPECT_TRUE(index::masks(m, "more").empty());
  EXPECT_EQ(index::masks(m, "fields").size(), before.size());
}

TEST_F(Append, ForcedExtractAndLabelGiveTheSameBytes) {
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  auto m = bench_.manifest();
  step(m);
  bench_.write("b_20200201.tif", at(500080, 5000000, 2));
  step(m);
  const auto files = shards();
  ASSERT_GE(files.size(), 8U) << "two generations of images and masks";
  const auto dump = index::canonical_dump(m);
  m.in_transaction([&] {
    index::clear_stage(m, "extract");
    index::clear_stage(m, "label");
  });
  step(m);
  EXPECT_EQ(shards(), files);
  EXPECT_EQ(index::canonical_dump(m), dump);
}

TEST_F(Append, ChipsGrowByTheirGrid) {
  bench_.job.views->placement = index::Placement::whole;
  bench_.write("a_20200101.tif", at(500000, 5000000, 1, 24, 24));
  bench_.write("b_20200101.tif", at(500500, 5000000, 2, 24, 24));
  auto m = bench_.manifest();
  step(m);
  const auto before = views_of(m);
  ASSERT_EQ(before.size(), 2U);
  const auto files = shards();
  bench_.write("a_20200201.tif", at(500000, 5000000, 3, 24, 24));
  bench_.write("c_20200101.tif", at(501000, 5000000, 4, 24, 24));
  step(m);
  EXPECT_EQ(locations_of(m).size(), 3U);
  EXPECT_EQ(views_of(m).size(), 4U);
  for (const auto& [id, view] : before) EXPECT_TRUE(same_place(view, views_of(m).at(id)));
  for (const auto& [name, hash] : files) EXPECT_EQ(shards().at(name), hash);
  remove("b_20200101.tif");
  const auto report = step(m);
  EXPECT_EQ(locations_of(m).size(), 2U);
  EXPECT_EQ(count_of(report, "locations_dropped"), 1);
  EXPECT_EQ(index::masks(m).size(), 2U);
}

TEST_F(Append, ChipsKeepTheirViewsWhereALaterOneLiesFartherInTime) {
  bench_.job.views->placement = index::Placement::whole;
  bench_.job.views->max_views = 2;
  bench_.write("a_20200101.tif", at(500000, 5000000, 1, 24, 24));
  bench_.write("a_20200201.tif", at(500000, 5000000, 2, 24, 24));
  auto m = bench_.manifest();
  views(m);
  const auto before = views_of(m);
  ASSERT_EQ(before.size(), 2U);
  bench_.write("a_20201201.tif", at(500000, 5000000, 3, 24, 24));
  views(m);
  for (const auto& [id, view] : before) EXPECT_TRUE(views_of(m).contains(id)) << id.second;
  EXPECT_EQ(views_of(m).size(), 2U);
}

TEST_F(Append, AFileThatIsReplacedWhileItIsReadIsReadAgain) {
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  bench_.write("b_20200201.tif", at(500000, 5000000, 2));
  bench_.write("later.tiff", at(500000, 5000000, 99));
  auto m = bench_.manifest();
  RunContext context;
  bool is_swapped = false;
  context.on_progress = [&](const Progress& progress) {
    if (progress.stage != "scan" || progress.done < 2 || is_swapped) return;
    is_swapped = true;
    fs::rename(bench_.folder() / "data/later.tiff", bench_.folder() / "data/a_20200101.tif");
  };
  run_scan({bench_.job, m, bench_.folder() / "work"}, context);
  ASSERT_TRUE(is_swapped);
  const auto row = index::tile(m, id_of(m, "a_20200101.tif"));
  EXPECT_EQ(row->sha256, shard::sha256_file(bench_.folder() / "data/a_20200101.tif"));
  auto other = bench_.manifest("other.gpkg");
  bench_.run(run_scan, other);
  EXPECT_EQ(index::canonical_dump(m), index::canonical_dump(other));
}

TEST_F(Append, AFileThatIsReplacedAfterScanIsNotCut) {
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  auto m = bench_.manifest();
  views(m);
  bench_.write("a_20200101.tif", at(500000, 5000000, 2));
  try {
    bench_.run(run_extract, m);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("data:a_20200101.tif was replaced since scan"));
    EXPECT_THAT(error.what(), HasSubstr("--from scan"));
  }
  for (const auto& view : index::views(m)) EXPECT_FALSE(view.place);
  step(m);
  EXPECT_FALSE(index::views(m).empty());
  for (const auto& view : index::views(m)) EXPECT_TRUE(view.place);
}

TEST_F(Append, ExplainTellsWhatLaterPlansDid) {
  bench_.write("a_20200101.tif", at(500000, 5000000, 1));
  bench_.write("b_20200201.tif", at(500000, 5000000, 2));
  bench_.write("c_20200301.tif", at(501000, 5000000, 3));
  auto m = bench_.manifest();
  step(m);
  const auto first = *locations_of(m).begin();
  std::string lonely;
  const auto a = id_of(m, "a_20200101.tif"), b = id_of(m, "b_20200201.tif"), c = id_of(m, "c_20200301.tif");
  for (const auto& [id, view] : views_of(m))
    if (id.second == c) lonely = id.first;
  bench_.write("b_20200201.tif", at(500000, 5000000, 7));
  remove("c_20200301.tif");
  step(m);
  const StageInput in{bench_.job, m, bench_.folder() / "work"};
  EXPECT_THAT(explain_item(in, a, false), HasSubstr("change: kept"));
  EXPECT_THAT(explain_item(in, b, false), HasSubstr("why: the content or date of the scene changed"));
  EXPECT_THAT(explain_item(in, c, false), HasSubstr("why: the scene is removed (gone)"));
  EXPECT_THAT(explain_item(in, first, false), HasSubstr("change: planned"));
  EXPECT_THAT(explain_item(in, first + "/" + b, false), HasSubstr("change: redone"));
  EXPECT_THAT(explain_item(in, lonely, false), HasSubstr("state: not in the plan any more"));
  EXPECT_THAT(explain_item(in, lonely + "/" + c, false), HasSubstr("change: removed"));
  EXPECT_THAT(explain_item(in, "views", false), HasSubstr("view redone: 4"));
}

/// Clouds of nodata, so that windows are valid in some tiles and not in others.
TinyRaster speckled(std::mt19937& random) {
  const auto step = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  auto raster = at(500000 + 10 * step(40), 5000000 - 10 * step(40), step(1000), 20 + step(30), 20 + step(30));
  const int hole_col = step(40), hole_row = step(40), hole = step(12), seed = step(1000);
  raster.pixel = [=](int, int col, int row) {
    const bool is_hole = std::abs(col - hole_col) < hole && std::abs(row - hole_row) < hole;
    return is_hole ? 0 : 1 + (seed + col * 7 + row * 13) % 250;
  };
  return raster;
}

/// What holds of any plan, found by looking at every tile and every window.
void expect_sound(const StageBench& bench, index::Manifest& m) {
  std::map<std::string, geometry::Bitmask> valid;
  std::map<std::string, geometry::Affine> affine;
  for (const auto& row : index::tiles(m, "", "ok")) {
    const auto reader = open_tile(bench.job, m, row);
    valid[row.tile_id] = reader.valid_mask();
    affine[row.tile_id] = reader.affine();
  }
  const auto locations = index::locations(m);
  for (const auto& location : locations) {
    std::set<std::string> seen;
    for (const auto& view : index::views(m, location.location_id)) seen.insert(view.tile_id);
    EXPECT_EQ(static_cast<int>(seen.size()), location.view_count);
    EXPECT_GE(location.view_count, bench.job.views->min_views);
    std::set<std::string> covering;
    for (const auto& [tile_id, mask] : valid) {
      const auto col = std::llround((location.ulx - affine[tile_id].c) / 10), row = std::llround((affine[tile_id].f - location.uly) / 10);
      bool is_covered = true;
      for (int y = 0; y < location.size_px && is_covered; ++y)
        for (int x = 0; x < location.size_px && is_covered; ++x)
          is_covered = col + x >= 0 && row + y >= 0 && col + x < mask.width() && row + y < mask.height() && mask.get(col + x, row + y);
      if (is_covered) covering.insert(tile_id);
    }
    EXPECT_EQ(seen, covering) << location.location_id;
  }
  for (std::size_t a = 0; a < locations.size(); ++a)
    for (std::size_t b = a + 1; b < locations.size(); ++b) {
      const double size = 10 * locations[a].size_px;
      const bool apart = std::abs(locations[a].ulx - locations[b].ulx) >= size || std::abs(locations[a].uly - locations[b].uly) >= size;
      EXPECT_TRUE(apart) << locations[a].location_id << " " << locations[b].location_id;
    }
}

TEST_F(Append, AnyHistoryGivesASoundPlanThatLookingEverywhereConfirms) {
  int plans = 0;
  for (unsigned seed = 1; seed <= 18; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    bench_.job.views->patch_px = 8;
    bench_.job.views->placement = seed <= 12   ? index::Placement::best_phase
                                  : seed <= 15 ? index::Placement::shelf
                                               : index::Placement::lattice;
    bench_.job.views->min_views = 1 + static_cast<int>(seed % 3 == 0);
    fs::remove_all(bench_.folder() / "data");
    std::vector<std::string> names;
    auto m = bench_.manifest("h" + std::to_string(seed) + ".gpkg");
    auto threaded = bench_.manifest("t" + std::to_string(seed) + ".gpkg");
    for (int day = 1; day <= 4; ++day) {
      const auto earlier = locations_of(m);
      if (day > 2) remove(names[random() % names.size()]);
      if (day > 1) bench_.write(names[random() % names.size()], speckled(random));
      for (int n = 0; n < 3; ++n) {
        names.push_back("t_2020" + std::string(day < 10 ? "0" : "") + std::to_string(day) + "0" + std::to_string(n + 1) + ".tif");
        bench_.write(names.back(), speckled(random));
      }
      try {
        views(m, 1);
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("no location results"));
        break;
      }
      expect_sound(bench_, m);
      const auto changes = changes_of(m, day);
      for (const auto& id : earlier)
        if (!locations_of(m).contains(id)) { EXPECT_EQ(changes.at(id), "dropped"); }
      const auto dump = index::canonical_dump(m);
      bench_.run_forced(run_views, m);
      EXPECT_EQ(index::canonical_dump(m), dump) << "day " << day;
      views(threaded, 3);
      EXPECT_EQ(index::canonical_dump(threaded), dump) << "day " << day;
      ++plans;
    }
  }
  EXPECT_GE(plans, 54);
}

/// A line of `a` that is another in `b`, "" if there is none.
std::string first_difference(const std::string& a, const std::string& b) {
  std::istringstream one(a), other(b);
  for (std::string line, its; std::getline(one, line);)
    if (!std::getline(other, its) || line != its) return line + " | " + its;
  return a.size() < b.size() ? "fewer lines" : "";
}

/// Rules on the views of a location, and what holds of a plan under them.
struct Rule {
  const char* name;
  std::function<void(ViewsConfig&)> set;
  std::function<void(index::Manifest&)> expect;
};

std::string source_of(const index::ViewRow& view) {
  return view.tile_id.substr(0, view.tile_id.rfind('-'));
}
double day_of(const index::ViewRow& view) { return double(seconds_of(*view.acquired)) / 86400; }
int half_of(const index::ViewRow& view) { return view.acquired->substr(5, 2) < "07" ? 0 : 1; }

/// Rejections of a location by reason, those of its views as location/tile.
std::set<std::pair<std::string, std::string>> reasons_of(index::Manifest& m) {
  std::set<std::pair<std::string, std::string>> out;
  for (const auto& row : index::rejections(m, "views")) out.emplace(row.subject, row.reason);
  return out;
}

void expect_one_a_period(index::Manifest& m) {
  const auto reasons = reasons_of(m);
  for (const auto& location : index::locations(m)) {
    std::set<std::pair<std::string, int>> filled;
    for (const auto& view : index::views(m, location.location_id))
      EXPECT_TRUE(filled.emplace(source_of(view), half_of(view)).second) << location.location_id;
    EXPECT_EQ(reasons.contains({location.location_id, "period_gap"}), filled.size() < 4)
        << location.location_id;
  }
}

void expect_pairs(index::Manifest& m) {
  const auto reasons = reasons_of(m);
  for (const auto& location : index::locations(m)) {
    const auto views = index::views(m, location.location_id);
    int pairs = 0;
    for (const auto& anchor : views) {
      if (source_of(anchor) != "s") continue;
      const bool is_paired = std::ranges::any_of(views, [&](const auto& view) {
        return source_of(view) == "t" && std::abs(day_of(view) - day_of(anchor)) <= 40;
      });
      pairs += is_paired ? 1 : 0;
      EXPECT_EQ(reasons.contains({location.location_id + "/" + anchor.tile_id, "view_unpaired"}),
                !is_paired)
          << location.location_id;
    }
    EXPECT_GE(pairs, 1) << location.location_id;
  }
}

void expect_at_most_two(index::Manifest& m) {
  for (const auto& location : index::locations(m))
    EXPECT_LE(location.view_count, 2) << location.location_id;
}

void expect_days_apart(index::Manifest& m) {
  for (const auto& location : index::locations(m)) {
    const auto views = index::views(m, location.location_id);
    for (const auto& a : views)
      for (const auto& b : views)
        if (a.tile_id < b.tile_id && source_of(a) == source_of(b)) {
          EXPECT_GE(std::abs(day_of(a) - day_of(b)), 50);
        }
  }
}

void expect_five(index::Manifest& m) {
  EXPECT_LE(index::locations(m).size(), 5U);
  for (const auto& [subject, reason] : reasons_of(m))
    if (const auto slash = subject.find('/'); slash != std::string::npos) {
      EXPECT_TRUE(index::location(m, subject.substr(0, slash))) << subject << " " << reason;
    }
}

const Rule kRules[] = {
    {"no rule", [](auto&) {}, [](auto&) {}},
    {"periods",
     [](auto& v) {
       v.periods = {{"first", "01-01", "06-30"}, {"second", "07-01", "12-31"}};
     },
     expect_one_a_period},
    {"pairs",
     [](auto& v) {
       v.pairs = {{"s", "t", 40}};
     },
     expect_pairs},
    {"max_views", [](auto& v) { v.max_views = 2; }, expect_at_most_two},
    {"min_days_apart", [](auto& v) { v.min_days_apart = 50; }, expect_days_apart},
    {"sample", [](auto& v) { v.sample = SampleConfig{.count = 5}; }, expect_five},
};

class AppendByRule : public Append,
                     public ::testing::WithParamInterface<std::tuple<int, index::Placement>> {
 protected:
  [[nodiscard]] static const Rule& rule() { return kRules[std::get<0>(GetParam())]; }
  AppendByRule() {
    auto& sources = bench_.job.sources;
    sources.emplace_back("t", sources[0].second);
    sources[0].second.files = {"data:s_*.tif"};
    sources[1].second.files = {"data:t_*.tif"};
    bench_.job.layers.clear();
    bench_.job.views->patch_px = 8;
    bench_.job.views->placement = std::get<1>(GetParam());
    rule().set(*bench_.job.views);
    if (std::get<1>(GetParam()) != index::Placement::points) return;
    std::string features;
    for (int n = 0; n < 40; ++n)
      features +=
          std::string(n == 0 ? "" : ",") +
          R"({"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[)" +
          std::to_string(500045 + 90 * (n % 8)) + "," + std::to_string(4999955 - 90 * (n / 8)) +
          "]}}";
    bench_.write_text(
        "p.geojson",
        R"({"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::32633"}},"features":[)" +
            features + "]}");
    bench_.job.views->points = PointsConfig{.file = "p.geojson"};
  }
  std::string write_scene(const char* source, std::mt19937& random) const {
    const auto two = [](unsigned n) { return (n < 10 ? "0" : "") + std::to_string(n); };
    const auto month = 1 + random() % 12, day = 1 + random() % 28;
    const auto name = std::string(source) + "_2020" + two(month) + two(day) + "_" +
                      std::to_string(random() % 100000) + ".tif";
    bench_.write(name, speckled(random));
    return name;
  }
};

TEST_P(AppendByRule, EarlierViewsStayAndTheRuleHoldsWhateverComesAndGoes) {
  std::int64_t grown = 0, plans = 0;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(std::string(rule().name) + " " + std::to_string(seed));
    std::mt19937 random(seed);
    fs::remove_all(bench_.folder() / "data");
    std::vector<std::string> names;
    auto m = bench_.manifest("h" + std::to_string(seed) + ".gpkg");
    for (int step = 1; step <= 5; ++step) {
      const auto before = views_of(m);
      const bool takes_away = step == 4;
      for (int n = 0; n < 2; ++n)
        for (const char* source : {"s", "t"}) names.push_back(write_scene(source, random));
      if (takes_away) remove(names[random() % 8]);
      try {
        views(m, 1);
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("no location results"));
        continue;
      }
      const auto now = views_of(m);
      for (const auto& [id, view] : before)
        EXPECT_TRUE(takes_away || now.contains(id))
            << step << ": " << id.first << " lost " << id.second;
      grown += before.empty() ? 0 : std::int64_t(now.size()) - std::int64_t(before.size());
      rule().expect(m);
      const auto dump = index::canonical_dump(m);
      bench_.run_forced(run_views, m);
      EXPECT_EQ(first_difference(index::canonical_dump(m), dump), "")
          << "step " << step << ", looking everywhere";
      ++plans;
    }
  }
  EXPECT_GE(plans, 11);
  EXPECT_GT(grown, 0);
}

INSTANTIATE_TEST_SUITE_P(Rules, AppendByRule,
                         ::testing::Combine(::testing::Range(0, int(std::size(kRules))),
                                            ::testing::Values(index::Placement::best_phase,
                                                              index::Placement::shelf,
                                                              index::Placement::points)));

}  // namespace
}  // namespace tilewright::pipeline
