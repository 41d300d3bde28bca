// SPDX-License-Identifier: Apache-2.0
// Plans that go on: new, changed and gone scenes, and what stays as it was.
#include "tests/pipeline/append_world.h"

namespace tilewright::pipeline {
namespace {

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

}  // namespace
}  // namespace tilewright::pipeline
