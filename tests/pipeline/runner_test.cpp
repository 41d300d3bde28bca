// SPDX-License-Identifier: Apache-2.0
// The runner on a synthetic region: up to date by content, stops, locks, plans, logs.
#include "pipeline/runner/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "pipeline/runner/explain.h"
#include "pipeline/runner/progress.h"
#include "pipeline/runner/stage_key.h"
#include "pipeline/runner/verify.h"
#include "pipeline/runner/workspace.h"
#include "pipeline/synth/region.h"
#include "tests/pipeline/job_text.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Action = StageOutcome::Action;

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

RunOptions range(const std::string& from, const std::string& to, std::vector<std::string> force = {}, bool dry_run = false) {
  return {.from = from, .to = to, .is_one_stage = false, .force = std::move(force), .dry_run = dry_run};
}

/// A copy of one tiny region for each test.
class Runner : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<JobFolder>();
    make_region(world_->path() / "region", SynthOptions::tiny());
  }
  static void TearDownTestSuite() { world_.reset(); }
  void SetUp() override { fs::copy(world_->path() / "region", region(), fs::copy_options::recursive); }

  [[nodiscard]] fs::path region() const { return folder_.path() / "region"; }
  [[nodiscard]] Job job(std::vector<std::string> sets = {}) const { return load_job(region() / "job.yaml", {.sets = std::move(sets), .roots = {}, .flags = {}}); }

  /// "scan done, graph up to date": what each stage of the range did.
  static std::vector<std::string> run(const Job& job, RunOptions options = range("", "split"), std::stop_token stop = {}) {
    std::vector<std::string> out;
    auto context = make_context(job, std::move(stop));
    const auto report = run_stages(job, options, context, [&](const StageOutcome& outcome) { out.push_back(outcome.stage + " " + std::string(text_of(outcome.action))); });
    EXPECT_EQ(report.exit_code(), options.dry_run || options.from > "a" ? 0 : 3) << "the region has one bad tile, and scan is what found it";
    return out;
  }
  static std::vector<std::string> stages_done(const Job& job, RunOptions options = range("", "split")) {
    std::vector<std::string> out;
    for (const auto& line : run(job, std::move(options)))
      if (line.ends_with(" done")) out.push_back(line.substr(0, line.find(' ')));
    return out;
  }
  static std::string error_of(const std::function<void()>& work, ErrorKind kind) {
    try {
      work();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  static inline std::unique_ptr<JobFolder> world_;
  JobFolder folder_;
};

TEST_F(Runner, DoesEachStageOnceAndThenNothing) {
  EXPECT_THAT(stages_done(job()), ElementsAre("scan", "graph", "views", "extract", "label", "split"));
  const auto before = read_text(region() / "work/manifest.gpkg");
  EXPECT_THAT(stages_done(job()), IsEmpty());
  EXPECT_EQ(read_text(region() / "work/manifest.gpkg"), before) << "a run that does nothing writes nothing";
}

TEST_F(Runner, LooksAtContentNotAtTimes) {
  run(job());
  for (const auto& entry : fs::directory_iterator(region() / "optical")) fs::last_write_time(entry, fs::file_time_type::clock::now());
  EXPECT_THAT(stages_done(job()), IsEmpty());
  fs::copy_file(region() / "truth/buildings.gpkg", region() / "labels/buildings.gpkg", fs::copy_options::overwrite_existing);
  EXPECT_THAT(stages_done(job()), ElementsAre("label"));
}

TEST_F(Runner, RedoesWhatAChangedKeyTouches) {
  run(job());
  EXPECT_THAT(stages_done(job({"split.seed=4711"})), ElementsAre("split"));
  EXPECT_THAT(stages_done(job({"split.seed=4711", "limits.threads=1", "limits.memory=1G"})), IsEmpty());
  EXPECT_THAT(stages_done(job({"split.seed=4711", "views.max_views=2"})), ElementsAre("views", "extract", "label", "split"));
}

TEST_F(Runner, MakesAShardAnewThatIsGone) {
  run(job());
  const auto golden = tree_hash(region() / "work");
  fs::remove(region() / "work/shards/optical-000000.tar");
  fs::remove(region() / "work/shards/roads-000000.idx");
  EXPECT_THAT(stages_done(job()), ElementsAre("extract", "label"));
  EXPECT_EQ(tree_hash(region() / "work"), golden);
}

TEST_F(Runner, ForceRedoesTheStageAndWhatRestsOnIt) {
  run(job());
  const auto before = tree_hash(region() / "work");
  EXPECT_THAT(stages_done(job(), range("", "split", {"views"})), ElementsAre("views", "extract", "label", "split"));
  EXPECT_EQ(tree_hash(region() / "work"), before);
  EXPECT_THAT(error_of([&] { run(job(), range("", "", {"vews"})); }, ErrorKind::config), HasSubstr("did you mean views?"));
}

TEST_F(Runner, OneStageNamesTheStageThatItLacks) {
  const auto one = [](const char* stage) { auto options = range(stage, stage); options.is_one_stage = true; return options; };
  EXPECT_THAT(error_of([&] { run(job(), one("extract")); }, ErrorKind::config), HasSubstr("`extract` needs `views`, which has not run"));
  run(job(), range("", "views"));
  EXPECT_THAT(run(job(), one("extract")), ElementsAre("extract done"));
  EXPECT_THAT(run(job(), one("extract")), ElementsAre("extract up to date"));
  EXPECT_THAT(error_of([&] { run(job({"views.min_views=2"}), one("extract")); }, ErrorKind::config),
              HasSubstr("`extract` needs `views`, which is out of date (section views: min_views 1 -> 2)"));
  auto without = job();
  without.split.reset();
  EXPECT_THAT(error_of([&] { run(without, one("split")); }, ErrorKind::config), HasSubstr("nothing to do for `split`"));
  EXPECT_THAT(error_of([&] { run(job(), range("split", "scan")); }, ErrorKind::config), HasSubstr("stands after"));
}

TEST_F(Runner, GivesTheSameTreeForAnyThreadsAndMemory) {
  run(job({"limits.threads=1", "limits.memory=256M"}));
  const auto one = tree_hash(region() / "work");
  fs::remove_all(region() / "work");
  run(job({"limits.threads=4"}));
  EXPECT_EQ(tree_hash(region() / "work"), one);
}

TEST_F(Runner, AStoppedRunGoesOnToTheSameTree) {
  run(job());
  const auto whole = tree_hash(region() / "work");
  for (const std::string where : {"scan", "extract", "label"}) {
    fs::remove_all(region() / "work");
    std::stop_source source;
    auto context = make_context(job(), source.get_token());
    context.on_progress = [&](const Progress& progress) {
      if (progress.stage == where) source.request_stop();
    };
    const auto text = error_of([&] { run_stages(job(), range("", "split"), context, [&](const StageOutcome& o) { if (o.stage == where) source.request_stop(); }); },
                               ErrorKind::stopped);
    EXPECT_THAT(text, HasSubstr("the same command"));
    run(job());
    EXPECT_EQ(tree_hash(region() / "work"), whole) << where;
  }
}

TEST_F(Runner, RefusesASecondRunWithPidAndHost) {
  const auto lock = enter_workspace(job());
  EXPECT_THAT(error_of([&] { run(job()); }, ErrorKind::failed), HasSubstr("is in use by pid " + std::to_string(::getpid()) + " on host "));
  EXPECT_THAT(lock_holder(region() / "work"), HasSubstr("pid " + std::to_string(::getpid())));
}

TEST_F(Runner, ReleasesTheLockAtTheEnd) {
  { const auto lock = enter_workspace(job()); }
  EXPECT_EQ(lock_holder(region() / "work"), "");
  EXPECT_EQ(lock_holder(region() / "no_such_folder"), "");
}

TEST_F(Runner, FailsWhenMoreIsBadThanAllowed) {
  EXPECT_THAT(error_of([&] { run(job({"limits.max_bad=5%"})); }, ErrorKind::failed), HasSubstr("1 of 9 inputs are quarantined, more than max_bad 5% allows"));
  EXPECT_THAT(error_of([&] { run(job({"limits.max_bad=0"})); }, ErrorKind::failed), HasSubstr("max_bad 0"));
  EXPECT_FALSE(run(job({"limits.max_bad=1"})).empty());
  EXPECT_FALSE(run(job({"limits.max_bad=20%"})).empty());
}

TEST_F(Runner, FindsMissingRootsAndEmptyGlobsBeforeAnyStage) {
  const auto glob = error_of([&] { run(job({"sources.optical.files=optical/*.jp2"})); }, ErrorKind::config);
  EXPECT_THAT(glob, HasSubstr("optical/*.jp2"));
  const auto root = error_of([&] { run(job({"roots.data=no/such/folder", "sources.optical.files=data:*.tif"})); }, ErrorKind::config);
  EXPECT_THAT(root, HasSubstr("no/such/folder"));
}

TEST_F(Runner, APlanWritesNothing) {
  const auto plan = range("", "split", {}, true);
  EXPECT_THAT(run(job(), plan), ElementsAre("scan would run", "graph would run", "views would run", "extract would run", "label would run", "split would run"));
  EXPECT_FALSE(fs::exists(region() / "work"));
  run(job());
  const auto before = tree_hash(region() / "work");
  EXPECT_THAT(run(job({"views.patch_px=32"}), plan),
              ElementsAre("scan up to date", "graph up to date", "views would run", "extract may run", "label may run", "split may run"));
  EXPECT_EQ(tree_hash(region() / "work"), before);
  EXPECT_THAT(stages_done(job()), IsEmpty());
}

TEST_F(Runner, AMovedRegionIsStillUpToDate) {
  run(job());
  fs::rename(region(), folder_.path() / "elsewhere");
  const auto moved = load_job_or_workspace(folder_.path() / "elsewhere/work", {});
  EXPECT_EQ(moved.workspace(), folder_.path() / "elsewhere/work");
  EXPECT_THAT(stages_done(moved), IsEmpty());
  EXPECT_THAT(error_of([&] { load_job_or_workspace(folder_.path() / "elsewhere/optical", {}); }, ErrorKind::config), HasSubstr("is not a workspace"));
}

TEST_F(Runner, SweepsWhatAKilledRunLeft) {
  run(job());
  std::ofstream(region() / "work/shards/.tmp-optical-000000.tar-12ab") << "half";
  run(job());
  EXPECT_FALSE(fs::exists(region() / "work/shards/.tmp-optical-000000.tar-12ab"));
}

TEST_F(Runner, TheLogNamesStageCodeAndReason) {
  run(job({}), range("", "graph"));
  auto broken = job();
  broken.layers[0].second.vector = "labels/none.gpkg";
  EXPECT_THROW(run(broken), Error);
  broken = job({"layers.roads.width={attribute: no_such_field}"});
  EXPECT_THAT(error_of([&] { run(broken); }, ErrorKind::config), HasSubstr("no_such_field")) << "seen before any stage starts";
  broken = job({"split.fractions={train: 0.98, val: 0.01, test: 0.01}"});
  EXPECT_THAT(error_of([&] { run(broken); }, ErrorKind::failed), HasSubstr("split: "));
  std::istringstream lines(read_text(region() / "work/log.jsonl"));
  std::set<std::string> events;
  nlohmann::json last;
  for (std::string line; std::getline(lines, line);) {
    last = nlohmann::json::parse(line);
    for (const char* key : {"time", "level", "event", "stage"}) EXPECT_TRUE(last.contains(key)) << line;
    events.insert(last["event"]);
  }
  EXPECT_THAT(events, ElementsAre("stage done", "stage failed", "stage started"));
  EXPECT_EQ(last["stage"], "split");
  EXPECT_EQ(last["code"], "1");
  EXPECT_THAT(last["reason"].get<std::string>(), HasSubstr("no location is left"));
}

TEST_F(Runner, ExplainsStagesTilesAndFiles) {
  run(job());
  const auto changed = job({"views.min_views=2"});
  auto manifest = index::Manifest::open(region() / "work/manifest.gpkg", index::Manifest::Mode::create_or_write);
  const StageInput in{changed, manifest, region() / "work"};
  const auto views = nlohmann::json::parse(explain_item(in, "views", true));
  EXPECT_EQ(views["state"], "stale");
  EXPECT_EQ(views["why"][0], "section views: min_views 1 -> 2");
  for (const auto& part : views["key"]) EXPECT_EQ(part["changed"].get<bool>(), part["part"] == "section views") << part;
  const auto bad = index::tiles(manifest, "", "quarantined").at(0);
  const auto tile = nlohmann::json::parse(explain_item(in, bad.tile_id, true));
  EXPECT_EQ(tile["status"], "quarantined");
  EXPECT_NE(tile["meaning"], "");
  EXPECT_EQ(explain_item(in, bad.path, true), tile.dump(2).empty() ? "" : explain_item(in, bad.tile_id, true));
  const auto location = index::locations(manifest).at(0).location_id;
  EXPECT_THAT(explain_item(in, location, false), HasSubstr("location_id: " + location));
  EXPECT_THAT(error_of([&] { explain_item(in, location + "x", true); }, ErrorKind::config), HasSubstr("did you mean " + location));
}

TEST_F(Runner, ATermSignalEndsWithCode4AndTheSameCommandGoesOn) {
  run(job());
  const auto whole = tree_hash(region() / "work");
  fs::remove_all(region() / "work");
  const std::string program = TILEWRIGHT_BIN_DIR "/tilewright", file = (region() / "job.yaml").string();
  std::vector<std::string> words{program, "run", file, "--to", "split", "-q"};
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> delays{"TILEWRIGHT_FAILPOINT=commit.open@1:delay"};
  std::vector<char*> environment;
  for (auto& text : delays) environment.push_back(text.data());
  environment.push_back(nullptr);
  pid_t child = 0;
  ASSERT_EQ(::posix_spawn(&child, program.c_str(), nullptr, nullptr, argv.data(), environment.data()), 0);
  const auto log = region() / "work/log.jsonl";
  for (int i = 0; i < 2000 && read_text(log).find("stage started") == std::string::npos; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ::kill(child, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 4);
  run(job());
  EXPECT_EQ(tree_hash(region() / "work"), whole);
}

TEST(StageKey, EveryChangeHasWords) {
  const std::vector<KeyPart> before{{"section runs", R"({"a":{"n":1},"b":{"n":2}})"}, {"inputs", "00"}};
  EXPECT_TRUE(changes(before, before).empty());
  EXPECT_EQ(changes(before, {{"section runs", R"({"a":{"n":1},"b":{"n":3}})"}, {"inputs", "00"}}), std::vector<std::string>{"section runs: b.n 2 -> 3"});
  EXPECT_EQ(changes(before, {{"section runs", R"({"b":{"n":2},"a":{"n":1}})"}, {"inputs", "00"}}),
            std::vector<std::string>{"section runs: its entries stand in another order"});
}

TEST(MaxBad, IsAShareOrANumber) {
  EXPECT_NO_THROW(check_max_bad("5%", 5, 100));
  EXPECT_THROW(check_max_bad("5%", 6, 100), Error);
  EXPECT_NO_THROW(check_max_bad("3", 3, 4));
  EXPECT_THROW(check_max_bad("3", 4, 4), Error);
  EXPECT_NO_THROW(check_max_bad("0", 0, 0));
}

TEST(ProgressBar, WritesALineNowAndThenWithoutATerminal) {
  std::ostringstream out;
  ProgressBar bar(out, {.is_terminal = false, .has_color = false});
  const auto start = ProgressBar::Clock::now();
  for (int second = 0; second <= 25; ++second) bar.show({"scan", "files", second * 10, 1000}, start + std::chrono::seconds(second));
  EXPECT_EQ(out.str(), "scan  100/1000 files  10 %  10 files/s  90 s left\nscan  200/1000 files  20 %  10 files/s  80 s left\n");
}

TEST(ProgressBar, RedrawsOneLineOnATerminalAndClearsIt) {
  std::ostringstream out;
  ProgressBar bar(out, {.is_terminal = true, .has_color = false});
  const auto start = ProgressBar::Clock::now();
  bar.show({"scan", "files", 0, 10}, start);
  bar.show({"scan", "files", 1, 10}, start + std::chrono::milliseconds(5));
  bar.show({"scan", "files", 10, 10}, start + std::chrono::milliseconds(10));
  EXPECT_THAT(out.str(), HasSubstr("10/10 files"));
  EXPECT_EQ(out.str().find('\n'), std::string::npos);
  EXPECT_EQ(out.str().find("1/10"), std::string::npos);
  bar.clear();
  EXPECT_TRUE(out.str().ends_with("\r\x1b[K"));
}

}  // namespace
}  // namespace tilewright::pipeline
