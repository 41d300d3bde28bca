// SPDX-License-Identifier: Apache-2.0
// Workspaces that cannot be used and disks that are full: nothing half-written, and the good job goes on.
#include "index/manifest.h"
#include "index/manifest_schema.h"
#include "tests/hostile/hostile.h"

namespace tilewright {
namespace {

namespace fs = std::filesystem;
using tests::Hostile;
using tests::kConfig;
using tests::kFailed;
using tests::read_text;
using tests::write_text;

using BadWorkspace = Hostile;
using FullDisk = Hostile;

TEST_F(BadWorkspace, OfANewerVersionIsRefusedWithBothVersions) {
  const auto manifest = region() / "work/manifest.gpkg";
  const auto whole = read_text(manifest);
  {
    auto opened = index::Manifest::open(manifest, index::Manifest::Mode::create_or_write);
    opened.in_transaction([&] { index::set_meta(opened, "schema_version", "99"); });
  }
  const auto newer = read_text(manifest);
  const std::vector<std::string> fragments{manifest.string(), "schema version is 99", "versions up to " + std::to_string(index::kSchemaVersion), "use a newer Tilewright"};
  expect_refused(run(), kFailed, fragments);
  expect_refused(tests::run_tilewright({"status", (region() / "job.yaml").string()}), kFailed, fragments);
  const auto verify = tests::run_tilewright({"verify", region().work().string()});
  EXPECT_EQ(verify.code, kFailed) << verify;
  EXPECT_EQ(read_text(manifest), newer);
  write_text(manifest, whole);
  expect_good_job_goes_on();
}

TEST_F(BadWorkspace, AFileInItsPlaceIsNamedAndKept) {
  write_text(region() / "notes.txt", "keep me");
  expect_refused(run_with("workspace=notes.txt"), kConfig, {"the workspace " + (region() / "notes.txt").string() + " is a file", "name a folder"});
  EXPECT_EQ(read_text(region() / "notes.txt"), "keep me");
  expect_good_job_goes_on();
}

TEST_F(BadWorkspace, AFolderThatCannotBeMadeIsNamed) {
  expect_refused(run_with("workspace=/proc/tilewright/work"), kFailed, {"/proc/tilewright"});
  expect_good_job_goes_on();
}

TEST_F(BadWorkspace, AManifestThatIsNoneIsRefusedAndKept) {
  const auto manifest = region() / "work/manifest.gpkg";
  const auto whole = read_text(manifest);
  for (const std::string& other : {std::string("no database\n"), whole.substr(0, whole.size() / 2), whole.substr(0, 50)}) {
    write_text(manifest, other);
    expect_refused(run(), kFailed, {manifest.string()});
    EXPECT_EQ(read_text(manifest).substr(0, 20), other.substr(0, 20));
  }
  write_text(manifest, whole);
  expect_good_job_goes_on();
}

TEST_F(BadWorkspace, ADamagedShardIsFoundNamedAndMadeAnew) {
  const auto shard = region() / "work/shards/optical-000000.tar";
  auto bytes = read_text(shard);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  write_text(shard, bytes);
  const auto verify = tests::run_tilewright({"verify", region().work().string()});
  EXPECT_EQ(verify.code, kFailed) << verify;
  EXPECT_THAT(verify.out + verify.err, testing::HasSubstr("shards/optical-000000.tar"));
  EXPECT_THAT(verify.out + verify.err, testing::HasSubstr("tilewright repair"));
  EXPECT_EQ(run({"--force", "extract"}).code, 0);
  expect_good_job_goes_on();
}

TEST_F(FullDisk, AtTheFirstWriteIsNamedAndTheSameCommandGoesOn) {
  for (const char* order : {"commit.write@1:enospc", "shard.put@1:enospc", "manifest.before_commit@3:enospc"}) {
    region().start_anew();
    const auto answer = region().run({}, "job.yaml", {.environment = {{"TILEWRIGHT_FAILPOINT", order}}, .largest_file_bytes = {}});
    expect_refused(answer, kFailed, {region().work().string()});
    expect_good_job_goes_on();
  }
}

TEST_F(FullDisk, ARealLimitOfFileSizeIsAnErrorNotASignal) {
  for (const rlim_t limit : {rlim_t{20} << 10, rlim_t{150} << 10, rlim_t{300} << 10}) {
    region().start_anew();
    const auto answer = region().run({}, "job.yaml", {.environment = {}, .largest_file_bytes = limit});
    expect_refused(answer, kFailed, {region().work().string()});
    expect_good_job_goes_on();
  }
}

TEST_F(FullDisk, ARealSmallDiskIsNamedAndOnceItIsLargerTheJobGoesOn) {
  if (tests::run_command({"unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"}).code != 0)
    GTEST_SKIP() << "no disk of its own: unshare and mount are not permitted here";
  region().start_anew();
  fs::create_directories(region().work());
  const std::string script = R"(mount -t tmpfs -o size=$1 none "$2/work" || exit 90
"$3" run "$2/job.yaml" --to split -q; echo "first: $?"
mount -o remount,size=64m "$2/work"
"$3" run "$2/job.yaml" --to split -q; echo "second: $?"
"$3" verify "$2/work")";
  for (const char* size : {"100k", "500k", "900k"}) {
    const auto answer = tests::run_command({"unshare", "-rm", "sh", "-c", script, "sh", size, region().path().string(), tests::program().string()});
    EXPECT_EQ(answer.code, 0) << size << ": " << answer;
    EXPECT_THAT(answer.out, testing::AllOf(testing::HasSubstr("first: 1"), testing::HasSubstr("second: 0"))) << size << ": " << answer;
    EXPECT_THAT(answer.err, testing::AllOf(testing::HasSubstr(region().work().string()), testing::HasSubstr("space"))) << size;
  }
}

}  // namespace
}  // namespace tilewright
