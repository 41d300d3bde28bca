// SPDX-License-Identifier: Apache-2.0
// The child process against stand-ins: version, progress, errors, stops, a killed parent.
#include "pipeline/runner/learn_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "geometry/error.h"
#include "geometry/version.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using tests::ScratchFolder;
using tests::write_text;

/// PATH begins with a folder that holds a stand-in for tilewright-learn.
class LearnProcess : public testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("PATH");
    old_path = path ? path : "";
    ::setenv("PATH", (folder.path().string() + ":" + old_path).c_str(), 1);
  }
  void TearDown() override { ::setenv("PATH", old_path.c_str(), 1); }

  void stand_in(const std::string& body, const std::string& version = kVersion) {
    const auto file = folder.path() / "tilewright-learn";
    write_text(file, "#!/bin/bash\nif [ \"$1\" = --version ]; then echo \"tilewright-learn " +
                         version + "\"; exit 0; fi\n" + body + "\n");
    fs::permissions(file, fs::perms::owner_all);
  }

  /// Kind and text of the error, nullopt if there is none.
  std::optional<std::pair<ErrorKind, std::string>> outcome(const RunContext& context = {}) {
    try {
      run_learn("train", "{}", folder.path() / "run", "train", context);
      return std::nullopt;
    } catch (const Error& error) {
      return std::pair{error.kind(), std::string(error.what())};
    }
  }

  ScratchFolder folder;
  std::string old_path;
};

TEST_F(LearnProcess, HandsOverTheRequestAndRemovesItAfterwards) {
  stand_in("[ \"$1\" = train ] && [ \"$(cat $2)\" = '{}' ] && [ \"$TILEWRIGHT_PARENT\" = $PPID ]");
  EXPECT_FALSE(outcome());
  EXPECT_FALSE(fs::exists(folder.path() / "run/.request-train.json"));
}

TEST_F(LearnProcess, RefusesAnotherVersion) {
  stand_in("exit 0", "9.9.9");
  const auto error = outcome();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->first, ErrorKind::config);
  EXPECT_THAT(error->second, HasSubstr("9.9.9"));
}

TEST_F(LearnProcess, KeepsKindAndTextOfTheError) {
  stand_in("echo hello >&2; echo 'error: no such class' >&2; echo 'second line' >&2; exit 2");
  const auto error = outcome();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->first, ErrorKind::config);
  EXPECT_EQ(error->second, "no such class\nsecond line");
  stand_in("exit 1");
  EXPECT_EQ(outcome()->first, ErrorKind::failed);
  stand_in("kill -9 $$");
  EXPECT_THAT(outcome()->second, HasSubstr("signal 9"));
}

TEST_F(LearnProcess, PassesProgressOn) {
  stand_in("echo '@progress 3 10 steps' >&2; printf '@progress 10 10 steps' >&2");
  std::vector<std::string> seen;
  RunContext context;
  context.on_progress = [&](const Progress& p) {
    seen.push_back(p.stage + " " + std::to_string(p.done) + "/" + std::to_string(p.total) + " " +
                   p.unit);
  };
  EXPECT_FALSE(outcome(context));
  EXPECT_EQ(seen, (std::vector<std::string>{"train 3/10 steps", "train 10/10 steps"}));
}

TEST_F(LearnProcess, PassesAStopOnAndReportsIt) {
  stand_in(
      "trap \"echo 'error: stopped after step 7' >&2; exit 4\" TERM; echo '@progress 1 10 steps' "
      ">&2; while :; do sleep 0.05; done");
  std::stop_source source;
  RunContext context;
  context.stop = source.get_token();
  context.on_progress = [&](const Progress&) { source.request_stop(); };
  const auto error = outcome(context);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->first, ErrorKind::stopped);
  EXPECT_EQ(error->second, "stopped after step 7");
}

TEST_F(LearnProcess, AChildThatCannotYetListenIsStoppedToo) {
  stand_in("echo '@progress 1 10 steps' >&2; sleep 20 & wait $!");
  std::stop_source source;
  RunContext context;
  context.stop = source.get_token();
  context.on_progress = [&](const Progress&) { source.request_stop(); };
  const auto error = outcome(context);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->first, ErrorKind::stopped) << error->second;
  stand_in("kill -TERM $$");
  EXPECT_EQ(outcome()->first, ErrorKind::failed) << "nobody asked for a stop";
}

TEST_F(LearnProcess, IsFoundOnThePath) {
  stand_in("exit 0");
  EXPECT_EQ(find_learn(), folder.path() / "tilewright-learn");
}

}  // namespace
}  // namespace tilewright::pipeline
