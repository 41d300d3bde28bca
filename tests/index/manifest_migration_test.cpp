// SPDX-License-Identifier: Apache-2.0
// Manifests of older versions are taken to the present one, whatever happens meanwhile.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "geometry/bitmask.h"
#include "geometry/error.h"
#include "index/manifest.h"
#include "index/manifest_schema.h"
#include "index/tile_grids.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::index {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

/// A manifest as version 1 wrote it, with a row.
void make_version_1(const fs::path& file) {
  SQLite::Database database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  register_st_functions(database);
  SQLite::Transaction transaction(database);
  create_schema(database, 1);
  database.exec("INSERT INTO rejection(stage, subject, reason, detail) VALUES ('scan', 'old', 'unreadable', 'kept')");
  transaction.commit();
}

std::string version_of(const fs::path& file) {
  SQLite::Database database(file.string(), SQLite::OPEN_READONLY);
  return database.execAndGet("SELECT value FROM meta WHERE \"key\" = 'schema_version'").getString();
}

std::string dump_of(const fs::path& file) { return canonical_dump(Manifest::open(file, Manifest::Mode::create_or_write)); }

class Migration : public ::testing::Test {
 protected:
  tests::ScratchFolder folder_;
  const fs::path old_ = folder_ / "old.gpkg", new_ = folder_ / "new.gpkg";
};

TEST_F(Migration, OldFileBecomesWhatANewOneIs) {
  make_version_1(old_);
  ASSERT_EQ(version_of(old_), "1");
  {
    auto m = Manifest::open(new_, Manifest::Mode::create_or_write);
    m.in_transaction([&] { insert(m, RejectionRow{"scan", "old", "unreadable", "kept"}); });
  }
  EXPECT_EQ(dump_of(old_), dump_of(new_));
  EXPECT_EQ(version_of(old_), std::to_string(kSchemaVersion));
  const auto schema = [](const fs::path& file) {
    SQLite::Database database(file.string(), SQLite::OPEN_READONLY);
    SQLite::Statement rows(database, "SELECT name || ifnull(sql, '') FROM sqlite_master UNION ALL SELECT table_name || data_type FROM gpkg_contents ORDER BY 1");
    std::vector<std::string> out;
    while (rows.executeStep()) out.push_back(rows.getColumn(0).getString());
    return out;
  };
  EXPECT_EQ(schema(old_), schema(new_));
}

TEST_F(Migration, ReadingLeavesAnOldFileAlone) {
  make_version_1(old_);
  const auto m = Manifest::open(old_, Manifest::Mode::read_only);
  EXPECT_TRUE(tile_grids(m).empty());
  EXPECT_EQ(tile_grid(m, "a"), std::nullopt);
  EXPECT_THROW(tile_masks(m, "a"), Error);
  EXPECT_THAT(canonical_dump(m), HasSubstr("kept"));
  EXPECT_THAT(canonical_dump(m), Not(HasSubstr("tile_grid")));
  EXPECT_EQ(version_of(old_), "1");
}

TEST(MigrationChild, OpensAFileForTheTestBelow) {
  const char* file = std::getenv("MIGRATION_TEST_FILE");
  if (file == nullptr) GTEST_SKIP() << "only runs as a child of this program";
  int code = 0;
  try {
    (void)Manifest::open(file, Manifest::Mode::create_or_write);
  } catch (const Error&) {
    code = 7;
  }
  ::_exit(code);
}

/// Opens the file in a fresh process, because the failpoint is read once a process.
int open_with_failpoint(const fs::path& file, const std::string& order) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("TILEWRIGHT_FAILPOINT", order.c_str(), 1);
    ::setenv("MIGRATION_TEST_FILE", file.c_str(), 1);
    ::execl("/proc/self/exe", "manifest_migration_test", "--gtest_filter=MigrationChild.*", "--gtest_brief=1", nullptr);
    ::_exit(99);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_F(Migration, AKillInTheMiddleLeavesTheOldVersionToBeginAgain) {
#ifndef TILEWRIGHT_FAILPOINTS
  GTEST_SKIP() << "this build has no failpoints";
#endif
  make_version_1(old_);
  const int status = open_with_failpoint(old_, "manifest.before_migration@1:kill");
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(version_of(old_), "1");
  const int full = open_with_failpoint(old_, "manifest.before_migration@1:enospc");
  ASSERT_TRUE(WIFEXITED(full));
  EXPECT_EQ(WEXITSTATUS(full), 7);
  EXPECT_EQ(version_of(old_), "1");
  make_version_1(new_);
  EXPECT_EQ(dump_of(old_), dump_of(new_));
}

/// One tile and its grid.
TileGridRow add_tile(Manifest& m, const std::string& id, const EncodedMasks& masks) {
  const TileGridRow grid{id, {10, 0.5, 500000, 0.25, -10, 5e6}, "PROJCRS[...]", 5, 3};
  m.in_transaction([&] {
    TileRow row;
    row.tile_id = id;
    row.source = id.substr(0, id.find('-'));
    row.path = "data:x.tif";
    row.status = "ok";
    insert(m, row);
    insert(m, grid, masks);
  });
  return grid;
}

TEST_F(Migration, GridsAndMasksComeBackAsTheyWentIn) {
  const auto valid = geometry::RunMask::from(geometry::bitmask_from_ascii("##.##\n.....\n#...#"));
  const auto cloud = geometry::RunMask::from(geometry::bitmask_from_ascii("#....\n.....\n....#"));
  auto m = Manifest::open(new_, Manifest::Mode::create_or_write);
  const auto grid = add_tile(m, "b-1", {valid.encoded(), cloud.encoded()});
  add_tile(m, "a-1", {valid.encoded(), std::nullopt});
  ASSERT_EQ(tile_grids(m).size(), 2U);
  EXPECT_EQ(tile_grids(m)[0].tile_id, "a-1");
  const auto of_source = tile_grids(m, "b");
  ASSERT_EQ(of_source.size(), 1U);
  EXPECT_EQ(of_source[0], grid);
  EXPECT_EQ(tile_grid(m, "b-1"), grid);
  EXPECT_EQ(tile_masks(m, "b-1").valid, valid);
  EXPECT_EQ(tile_masks(m, "b-1").cloud, cloud);
  EXPECT_EQ(tile_masks(m, "a-1").cloud, std::nullopt);
  m.in_transaction([&] { clear_stage(m, "scan"); });
  EXPECT_TRUE(tile_grids(m).empty());
}

TEST_F(Migration, DamagedMasksAreAnErrorThatNamesTheTile) {
  auto encoded = geometry::RunMask::from(geometry::bitmask_from_ascii("##.##\n.....\n#...#")).encoded();
  encoded.pop_back();
  auto m = Manifest::open(new_, Manifest::Mode::create_or_write);
  add_tile(m, "b-1", {encoded, std::nullopt});
  for (const auto* id : {"b-1", "nowhere"}) {
    try {
      tile_masks(m, id);
      ADD_FAILURE() << id;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(id));
      EXPECT_THAT(error.what(), HasSubstr("--force scan"));
    }
  }
}

}  // namespace
}  // namespace tilewright::index
