// SPDX-License-Identifier: Apache-2.0
// The manifest keeps what it is given, opens where it should and refuses what it must.
#include "index/manifest.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>

#include "geometry/error.h"
#include "index/manifest_schema.h"

namespace tilewright::index {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ManifestTest : public ::testing::Test {
 protected:
  ManifestTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ManifestTest() override { fs::remove_all(folder_); }
  [[nodiscard]] fs::path file() const { return folder_ / "manifest.gpkg"; }
  [[nodiscard]] Manifest create() const { return Manifest::open(file(), Manifest::Mode::create_or_write); }
  [[nodiscard]] std::string error_of_opening(Manifest::Mode mode = Manifest::Mode::create_or_write) const {
    try {
      (void)Manifest::open(file(), mode);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  const fs::path folder_ = fs::path(::testing::TempDir()) / ("manifest test " + std::to_string(getpid()));
};

geometry::GeoMultiPolygon square(double west, double south, double size) {
  return {{{{west, south}, {west + size, south}, {west + size, south + size}, {west, south + size}, {west, south}}, {}}};
}

TileRow tile_row(const std::string& id, geometry::GeoMultiPolygon geom = square(8, 50, 1)) {
  TileRow t;
  t.tile_id = id;
  t.source = id.substr(0, id.find('-'));
  t.path = "data:" + id + ".tif";
  t.sha256 = "00ff";
  t.geom = std::move(geom);
  t.acquired = "2020-06-01T10:00:00.000Z";
  t.time_known = true;
  t.epsg = 32632;
  t.width_px = 100;
  t.height_px = 200;
  t.res_x = t.res_y = 10;
  t.band_count = 4;
  t.dtype = "<u2";
  t.valid_frac = 0.75;
  t.status = "ok";
  return t;
}

LocationRow location_row(const std::string& id, geometry::GeoMultiPolygon geom = square(8, 50, 0.1)) {
  return {id, std::move(geom), 32632, 500000, 5500000, 10, 64, 2, std::nullopt};
}

TEST_F(ManifestTest, TileComesBackAsItWentIn) {
  auto m = create();
  auto row = tile_row("a-1");
  row.cloud_frac = 0.125;
  auto quarantined = tile_row("a-2", {});
  quarantined.acquired.reset();
  quarantined.status = "quarantined";
  quarantined.reason = "no_crs";
  m.in_transaction([&] {
    insert(m, quarantined);
    insert(m, row);
  });
  const auto rows = tiles(m);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].tile_id, "a-1");
  EXPECT_EQ(rows[0].geom, row.geom);
  EXPECT_EQ(rows[0].acquired, row.acquired);
  EXPECT_EQ(rows[0].cloud_frac, 0.125);
  EXPECT_EQ(rows[0].height_px, 200);
  EXPECT_TRUE(rows[0].time_known);
  EXPECT_FALSE(rows[0].component_id);
  EXPECT_TRUE(rows[1].geom.empty());
  EXPECT_EQ(rows[1].reason, "no_crs");
  EXPECT_FALSE(rows[1].acquired);
  EXPECT_EQ(tiles(m, "a", "ok").size(), 1U);
  EXPECT_EQ(tiles(m, "b").size(), 0U);
  EXPECT_TRUE(tile(m, "a-2"));
  EXPECT_FALSE(tile(m, "a-3"));
}

TEST_F(ManifestTest, WhatIsNotKnownOfATileIsNull) {
  auto m = create();
  m.in_transaction([&] {
    insert(m, tile_row("a-1"));
    insert(m, TileRow{.tile_id = "a-2", .source = "a", .path = "data:a-2.tif", .sha256 = "00ff", .status = "quarantined", .reason = "unreadable"});
  });
  SQLite::Statement row(m.database(), "SELECT epsg, width_px, height_px, res_x, res_y, band_count, dtype, valid_frac, geom FROM tile WHERE tile_id = ?1");
  for (const auto* id : {"a-1", "a-2"}) {
    row.bind(1, id);
    ASSERT_TRUE(row.executeStep());
    for (int i = 0; i < row.getColumnCount(); ++i) EXPECT_EQ(row.getColumn(i).isNull(), id == std::string("a-2")) << row.getColumnName(i);
    row.reset();
  }
  const auto unknown = tile(m, "a-2");
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->epsg, 0);
  EXPECT_EQ(unknown->valid_frac, 0);
  EXPECT_EQ(unknown->dtype, "");
}

TEST_F(ManifestTest, EveryTableHasAnIntegerKey) {
  const auto m = create();
  SQLite::Statement table(m.database(),
                          "SELECT m.name, (SELECT group_concat(c.type) FROM pragma_table_info(m.name) c WHERE c.pk > 0) FROM sqlite_master m "
                          "WHERE m.type = 'table' AND m.name NOT LIKE 'gpkg_%' AND m.name NOT LIKE 'rtree_%' AND m.name NOT LIKE 'sqlite_%'");
  int count = 0;
  for (; table.executeStep(); ++count) EXPECT_EQ(table.getColumn(1).getString(), "INTEGER") << table.getColumn(0).getString();
  EXPECT_GT(count, 10);
}

TEST_F(ManifestTest, ViewsMasksAndScoresComeBackInOrder) {
  auto m = create();
  m.in_transaction([&] {
    insert(m, ViewRow{.location_id = "l1", .tile_id = "a-2", .acquired = "2021-01-01T00:00:00.000Z", .col_off = 3.5, .resampled = true, .shift_px = 0.5});
    insert(m, ViewRow{.location_id = "l1", .tile_id = "a-1", .acquired = "2020-01-01T00:00:00.000Z"});
    insert(m, MaskRow{.location_id = "l1", .layer = "roads", .place = MemberPlace{"shards/roads-000000.tar", "l1.roads.npy", 512, 4224, "ab"}, .positive_frac = 0.25});
    insert(m, ScoreRow{"l1", std::nullopt, "roads", std::nullopt, "clipped_frac", 0.5});
  });
  const auto rows = views(m, "l1");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].tile_id, "a-1");
  EXPECT_FALSE(rows[0].place);
  EXPECT_EQ(rows[1].col_off, 3.5);
  EXPECT_TRUE(rows[1].resampled);
  m.in_transaction([&] { set_view_place(m, "l1", "a-2", {"shards/a-000000.tar", "l1.2.npy", 1024, 8320, "cd"}); });
  EXPECT_EQ(views(m)[1].place->byte_offset, 1024);
  EXPECT_EQ(masks(m, "roads")[0].place->member, "l1.roads.npy");
  EXPECT_EQ(scores(m, "roads", "clipped_frac")[0].value, 0.5);
  m.in_transaction([&] { clear_stage(m, "extract"); });
  EXPECT_FALSE(views(m)[1].place);
  EXPECT_EQ(views(m).size(), 2U);
}

TEST_F(ManifestTest, BoxQueryEqualsBruteForceAlsoAfterUpdates) {
  auto m = create();
  std::mt19937 random(3);
  std::uniform_real_distribution<double> lon(-170, 160), lat(-80, 70), size(0.01, 8);
  std::map<std::string, geometry::Box> boxes;
  m.in_transaction([&] {
    for (int n = 0; n < 500; ++n) {
      const auto geom = square(lon(random), lat(random), size(random));
      const auto id = "t-" + std::to_string(n);
      insert(m, tile_row(id, geom));
      boxes[id] = geometry::bounds(geom);
    }
    insert(m, tile_row("t-split", {square(178, 10, 2)[0], square(-180, 10, 2)[0]}));  // across 180 degrees
    for (int n = 0; n < 500; n += 3) set_component(m, "t-" + std::to_string(n), 1);   // an update of a plain column
  });
  for (int n = 0; n < 200; ++n) {
    const double x = lon(random), y = lat(random);
    const geometry::Box query{x, y, x + size(random), y + size(random)};
    std::set<std::string> expected;
    for (const auto& [id, box] : boxes)
      if (box.min_x <= query.max_x && query.min_x <= box.max_x && box.min_y <= query.max_y && query.min_y <= box.max_y) expected.insert(id);
    const auto found = ids_in_box(m, "tile", query);
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), expected);
  }
  EXPECT_THAT(ids_in_box(m, "tile", {179, 10, 179.5, 11}), ::testing::Contains("t-split"));
  EXPECT_THAT(ids_in_box(m, "tile", {0, 10, 1, 11}), ::testing::Not(::testing::Contains("t-split")));
  EXPECT_THAT(integrity_problems(m), ElementsAre());
}

TEST_F(ManifestTest, NewerSchemaIsRefusedWithBothVersions) {
  {
    auto m = create();
    m.in_transaction([&] { set_meta(m, "schema_version", "7"); });
  }
  for (const auto mode : {Manifest::Mode::create_or_write, Manifest::Mode::read_only}) {
    const auto text = error_of_opening(mode);
    EXPECT_THAT(text, HasSubstr("schema version is 7"));
    EXPECT_THAT(text, HasSubstr("up to " + std::to_string(kSchemaVersion)));
    EXPECT_THAT(text, HasSubstr("manifest.gpkg"));
  }
}

TEST_F(ManifestTest, ForeignFilesAreRefusedAndLeftAlone) {
  {
    SQLite::Database other(file().string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    other.exec("CREATE TABLE mine(a)");
  }
  const auto size = fs::file_size(file());
  EXPECT_THAT(error_of_opening(), HasSubstr("not a manifest"));
  EXPECT_EQ(fs::file_size(file()), size);
  std::ofstream(file(), std::ios::trunc) << std::string(5000, 'x');
  EXPECT_THAT(error_of_opening(), HasSubstr("not a database"));
  EXPECT_THAT(error_of_opening(Manifest::Mode::read_only), HasSubstr("not a database"));
}

TEST_F(ManifestTest, ReadingWhatIsNotThereNamesTheFile) {
  EXPECT_THAT(error_of_opening(Manifest::Mode::read_only), HasSubstr(file().string()));
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(ManifestTest, StageLeavesOneFileThatOpensReadOnly) {
  {
    auto m = create();
    m.begin_stage();
    m.in_transaction([&] { insert(m, tile_row("a-1", square(8, 50, 1))); });
    EXPECT_EQ(m.database().execAndGet("PRAGMA journal_mode").getString(), "wal");
    m.end_stage();
    EXPECT_EQ(m.database().execAndGet("PRAGMA journal_mode").getString(), "delete");
    EXPECT_EQ(m.database().execAndGet("SELECT min_x || ' ' || max_y FROM gpkg_contents WHERE table_name = 'tile'").getString(), "8.0 51.0");
  }
  const auto count = std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  EXPECT_EQ(count, 1);
  fs::permissions(file(), fs::perms::owner_read);
  const auto m = Manifest::open(file(), Manifest::Mode::read_only);
  EXPECT_EQ(tiles(m).size(), 1U);
  EXPECT_THROW(insert(const_cast<Manifest&>(m), tile_row("a-2")), Error);
}

TEST_F(ManifestTest, DestructorLeavesWal) {
  {
    auto m = create();
    m.begin_stage();
    m.in_transaction([&] { insert(m, tile_row("a-1")); });
  }
  EXPECT_FALSE(fs::exists(file().string() + "-wal"));
  EXPECT_EQ(tiles(Manifest::open(file(), Manifest::Mode::read_only)).size(), 1U);
}

TEST_F(ManifestTest, ThrowingRollsBackTheTransaction) {
  auto m = create();
  EXPECT_THROW(m.in_transaction([&] {
    insert(m, tile_row("a-1"));
    throw Error::failed("stop here");
  }), Error);
  EXPECT_EQ(tiles(m).size(), 0U);
  m.in_transaction([&] { insert(m, tile_row("a-1")); });
  try {
    m.in_transaction([&] { insert(m, tile_row("a-1")); });
    FAIL() << "the same tile twice";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("adding a tile"));
    EXPECT_THAT(error.what(), HasSubstr(file().string()));
  }
}

TEST_F(ManifestTest, ClearingAStageKeepsTheRest) {
  auto m = create();
  m.in_transaction([&] {
    insert(m, tile_row("a-1"));
    insert(m, location_row("l1"));
    insert(m, RejectionRow{"scan", "data:x.tif", "no_crs", ""});
    insert(m, RejectionRow{"views", "l1/a-1", "view_cloudy", ""});
    insert(m, SplitRow{"split", "l1", "train", 2});
    set_location_split(m, "l1", "train");
    insert(m, VerdictRow{"l1", "roads", "reject", "me", "2020-01-01T00:00:00.000Z", ""});
    insert(m, StageRunRow{"views", "k", "", "", "{}", "{}", "{}"});
  });
  m.in_transaction([&] { clear_stage(m, "split"); });
  EXPECT_FALSE(locations(m)[0].split);
  EXPECT_EQ(splits(m, "split").size(), 0U);
  m.in_transaction([&] {
    clear_stage(m, "views");
    clear_stage(m, "curate");
  });
  EXPECT_EQ(locations(m).size(), 0U);
  EXPECT_EQ(ids_in_box(m, "location", {-180, -90, 180, 90}).size(), 0U);
  EXPECT_FALSE(stage_run(m, "views"));
  EXPECT_EQ(rejections(m).size(), 1U);
  EXPECT_EQ(tiles(m).size(), 1U);
  EXPECT_EQ(verdicts(m).size(), 1U);
}

/// The same rows in another order, with other clocks and model scores.
std::string dump_of(const fs::path& file, bool reversed, double value = 0.25) {
  fs::remove(file);
  auto m = Manifest::open(file, Manifest::Mode::create_or_write);
  m.in_transaction([&] {
    for (int n = 0; n < 4; ++n) {
      const auto id = std::to_string(reversed ? 3 - n : n);
      insert(m, tile_row("a-" + id));
      insert(m, location_row("l" + id));
      insert(m, ViewRow{.location_id = "l" + id, .tile_id = "a-" + id, .acquired = "2020-01-01T00:00:00.000Z"});
      insert(m, ScoreRow{"l" + id, std::nullopt, "roads", std::nullopt, "edge_agreement", value});
      insert(m, ScoreRow{"l" + id, std::nullopt, "roads", std::nullopt, "model_iou", reversed ? 0.1 : 0.9});
    }
    insert(m, StageRunRow{"scan", "key", reversed ? "2020" : "2021", "x", "{}", reversed ? "{}" : "{1}", "{}"});
    insert(m, VerdictRow{"l1", "roads", "accept", "me", reversed ? "2020" : "2021", ""});
    set_meta(m, "local/host", reversed ? "a" : "b");
    upsert(m, FileStat{"data:x", 1, reversed ? 2 : 3, 4, 5, "aa"});
  });
  return canonical_dump(m);
}

TEST_F(ManifestTest, DumpDoesNotSeeOrderClocksAndModelScores) {
  const auto a = dump_of(file(), false), b = dump_of(file(), true);
  EXPECT_EQ(a, b);
  EXPECT_THAT(a, HasSubstr("x'4750"));
  EXPECT_NE(a, dump_of(file(), false, 0.26));
}

TEST_F(ManifestTest, HundredThousandRowsAreWrittenInSeconds) {
  auto m = create();
  m.begin_stage();
  const auto start = std::chrono::steady_clock::now();
  m.in_transaction([&] {
    for (int n = 0; n < 100'000; ++n) insert(m, location_row("l" + std::to_string(n), square(n % 300 - 150, n / 1000.0 - 50, 0.01)));
  });
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  m.end_stage();
  RecordProperty("insert_s", std::to_string(taken.count()));
  EXPECT_LT(taken.count(), 10) << "goal is 3 s on a quiet machine";
  EXPECT_EQ(locations(m).size(), 100'000U);
}

TEST_F(ManifestTest, EditsByOtherProgramsKeepTheRtreeByTriggers) {
  {
    auto m = create();
    m.in_transaction([&] {
      insert(m, tile_row("a-1", square(8, 50, 1)));
      insert(m, tile_row("a-2", square(20, 50, 1)));
    });
  }
  {
    SQLite::Database other(file().string(), SQLite::OPEN_READWRITE);  // as GDAL and QGIS do: functions registered, triggers on
    register_st_functions(other);
    other.exec("DELETE FROM tile WHERE tile_id = 'a-1'");
    other.exec("UPDATE tile SET geom = NULL WHERE tile_id = 'a-2'");
    EXPECT_EQ(other.execAndGet("SELECT count(*) FROM rtree_tile_geom").getInt(), 0);
    other.exec("UPDATE tile SET fid = 77, source = 'b' WHERE tile_id = 'a-2'");
  }
  const auto m = create();
  EXPECT_THAT(ids_in_box(m, "tile", {-180, -90, 180, 90}), ElementsAre());
  EXPECT_THAT(integrity_problems(m), ElementsAre());
}

TEST_F(ManifestTest, GdalOpensEveryTableWithoutAWarning) {
  if (std::system("ogrinfo --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "ogrinfo is not installed";
  {
    auto m = create();
    m.begin_stage();
    m.in_transaction([&] {
      insert(m, tile_row("a-1", square(8, 50, 1)));
      insert(m, tile_row("a-2", square(20, 50, 1)));
      insert(m, ViewRow{.location_id = "l1", .tile_id = "a-1", .acquired = "2020-01-01T00:00:00.000Z"});
    });
    m.end_stage();
  }
  const auto out = folder_ / "out.txt";
  const auto run = [&](const std::string& arguments) {
    const auto command = "ogrinfo -ro " + arguments + " > '" + out.string() + "' 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    std::ifstream in(out);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const auto name = "'" + file().string() + "'";
  for (const auto& table : tables()) {
    const auto text = run("-so " + name + " \"" + std::string(table.name) + "\"");
    EXPECT_THAT(text, HasSubstr("Feature Count")) << table.name;
    EXPECT_THAT(text, ::testing::Not(HasSubstr("Warning"))) << text;
    EXPECT_THAT(text, ::testing::Not(HasSubstr("ERROR"))) << text;
  }
  EXPECT_THAT(run("-spat 7 49 9 52 " + name + " tile"), ::testing::AllOf(HasSubstr("a-1"), ::testing::Not(HasSubstr("a-2"))));
}

}  // namespace
}  // namespace tilewright::index
