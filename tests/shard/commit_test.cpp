// SPDX-License-Identifier: Apache-2.0
// The commit function: nothing half-written is visible, whatever call fails.
#include "index/shard/commit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>
#include <vector>

#include "geometry/error.h"
#include "index/shard/failpoint.h"
#include "index/shard/sha256.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::shard {
namespace {

namespace fs = std::filesystem;
using tests::read_text;
using tests::ScratchFolder;
using tests::write_text;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

void publish_new(const fs::path& folder) { publish_file(folder / "x", "new"); }

void publish_three(const fs::path& folder) {
  for (int i = 0; i < 3; ++i) {
    try {
      publish_file(folder / std::to_string(i), "x");
    } catch (const Error&) {
    }
  }
}

void publish_folder(const fs::path& folder) {
  PendingFolder pending(folder / "2");
  write_text(pending.temporary_path() / "w", "2");
  pending.publish();
}

struct Work {
  const char* name;
  void (*run)(const fs::path& folder);
};
constexpr Work kWorks[] = {{"new", publish_new}, {"three", publish_three}, {"folder", publish_folder}};

/// Runs one of kWorks in a fresh process, because the failpoint is read once a process; returns its
/// wait status. Exit code 7: an Error was thrown.
int run_with_failpoint(const std::string& order, const char* work, const fs::path& folder) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("TILEWRIGHT_FAILPOINT", order.c_str(), 1);
    ::setenv("COMMIT_TEST_WORK", work, 1);
    ::setenv("COMMIT_TEST_FOLDER", folder.c_str(), 1);
    ::execl("/proc/self/exe", "commit_test", "--gtest_filter=ChildProcess.*", "--gtest_brief=1", nullptr);
    ::_exit(99);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(ChildProcess, DoesOneWorkForTheTestsBelow) {
  const char* name = std::getenv("COMMIT_TEST_WORK");
  if (name == nullptr) GTEST_SKIP() << "only runs as a child of this program";
  int code = 0;
  try {
    for (const Work& work : kWorks)
      if (std::string(work.name) == name) work.run(std::getenv("COMMIT_TEST_FOLDER"));
  } catch (const Error&) {
    code = 7;
  }
  ::_exit(code);
}

TEST(PendingFile, PublishesLengthAndHashOfWhatWasAppended) {
  const ScratchFolder folder;
  PendingFile file(folder / "a/b/c.txt");
  file.append("hello ");
  file.append("world");
  EXPECT_FALSE(fs::exists(folder / "a/b/c.txt"));
  const Published published = file.publish();
  EXPECT_EQ(read_text(folder / "a/b/c.txt"), "hello world");
  EXPECT_EQ(published.bytes, 11);
  EXPECT_EQ(published.sha256, sha256_hex(std::string_view("hello world")));
  EXPECT_EQ(names_in(folder / "a/b").size(), 1U);
}

TEST(PendingFile, ReplacesTheOldFileOnlyWhenPublished) {
  const ScratchFolder folder;
  publish_file(folder / "x", "old");
  {
    PendingFile dropped(folder / "x");
    dropped.append("new");
  }
  EXPECT_EQ(read_text(folder / "x"), "old");
  EXPECT_EQ(names_in(folder.path()).size(), 1U);
  publish_file(folder / "x", "new");
  EXPECT_EQ(read_text(folder / "x"), "new");
}

TEST(PendingFile, RandomWritesFromThreadsHashLikeTheFile) {
  const ScratchFolder folder;
  PendingFile file(folder / "x");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&file, t] {
      const std::string block(1000, static_cast<char>('a' + t));
      for (int i = 99; i >= 0; --i) file.write_at((i * 4 + t) * 1000, std::as_bytes(std::span(block)));
    });
  for (auto& thread : threads) thread.join();
  const Published published = file.publish();
  const std::string text = read_text(folder / "x");
  ASSERT_EQ(published.bytes, 400000);
  EXPECT_EQ(published.sha256, sha256_hex(std::string_view(text)));
  EXPECT_EQ(text.substr(399000, 1000), std::string(1000, 'd'));
}

TEST(PendingFile, TakesAFileThatALibraryPutInItsPlace) {
  const ScratchFolder folder;
  PendingFile file(folder / "x");
  fs::remove(file.temporary_path());
  write_text(file.temporary_path(), "by path");
  const Published published = file.publish();
  EXPECT_EQ(read_text(folder / "x"), "by path");
  EXPECT_EQ(published.sha256, sha256_hex(std::string_view("by path")));
}

TEST(PendingFile, LongNamesStillFitBesideTheTarget) {
  const ScratchFolder folder;
  const std::string name(250, 'n');
  publish_file(folder / name, "x");
  EXPECT_EQ(read_text(folder / name), "x");
}

TEST(PendingFile, EveryFailingCallIsAnErrorAndLeavesTheOldFile) {
  for (const char* place : {"commit.open", "commit.write", "commit.before_fsync", "commit.after_fsync"})
    for (const char* action : {"eio", "enospc", "throw"}) {
      const ScratchFolder folder;
      write_text(folder / "x", "old");
      const int status = run_with_failpoint(std::string(place) + ":" + action, "new", folder.path());
      ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << place << action;
      EXPECT_EQ(read_text(folder / "x"), "old") << place;
      EXPECT_EQ(names_in(folder.path()).size(), 1U) << place << ": a leftover stays";
    }
}

TEST(PendingFile, AKillLeavesTheOldFileOrTheWholeNewOneAndSweepCleansUp) {
  for (const char* place : {"commit.open", "commit.write", "commit.before_fsync", "commit.after_fsync",
                            "commit.after_rename", "commit.after_folder_fsync"}) {
    const ScratchFolder folder;
    write_text(folder / "x", "old");
    const int status = run_with_failpoint(std::string(place) + ":kill", "new", folder.path());
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << place;
    const bool is_after = std::string(place).starts_with("commit.after_r") || std::string(place).ends_with("folder_fsync");
    EXPECT_EQ(read_text(folder / "x"), is_after ? "new" : "old") << place;
    sweep_temporaries(folder.path());
    EXPECT_EQ(names_in(folder.path()).size(), 1U) << place;
  }
}

TEST(PendingFile, AFileSizeLimitIsAnErrorThatNamesPathAndBytes) {
  const ScratchFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      publish_file(folder / "x", std::string(5000, 'x'));
    } catch (const Error& error) {
      const std::string text = error.what();
      ::_exit(text.find((folder / "x").string()) != std::string::npos &&
                      text.find("5000 bytes are needed") != std::string::npos ? 7 : 8);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_TRUE(names_in(folder.path()).empty());
}

TEST(PendingFolder, AppearsWholeOrNotAtAll) {
  const ScratchFolder folder;
  {
    PendingFolder dropped(folder / "checkpoints/1");
    write_text(dropped.temporary_path() / "w", "1");
  }
  EXPECT_TRUE(names_in(folder / "checkpoints").empty());
  PendingFolder pending(folder / "checkpoints/2");
  write_text(pending.temporary_path() / "w", "2");
  EXPECT_FALSE(fs::exists(folder / "checkpoints/2"));
  pending.publish();
  EXPECT_EQ(read_text(folder / "checkpoints/2/w"), "2");
  EXPECT_EQ(names_in(folder / "checkpoints").size(), 1U);
}

TEST(PendingFolder, AKillBeforeTheRenameLeavesNothingVisible) {
  for (const char* place : {"checkpoint.written", "checkpoint.before_rename", "checkpoint.after_rename"}) {
    const ScratchFolder folder;
    run_with_failpoint(std::string(place) + ":kill", "folder", folder.path());
    sweep_temporaries(folder.path());
    EXPECT_EQ(fs::exists(folder / "2/w"), std::string(place) == "checkpoint.after_rename") << place;
  }
}

TEST(SweepTemporaries, RemovesLeftoversAtAnyDepthAndNothingElse) {
  const ScratchFolder folder;
  make_folders(folder / "a/.tmp-folder/deep");
  make_folders(folder / "b");
  write_text(folder / "a/.tmp-folder/deep/x", "x");
  write_text(folder / "b/.tmp-x-1", "x");
  write_text(folder / "b/keep", "x");
  const ScratchFolder other;
  write_text(other / ".tmp-foreign", "x");
  fs::create_directory_symlink(other.path(), folder / "link");
  sweep_temporaries(folder.path());
  EXPECT_TRUE(names_in(folder / "a").empty());
  EXPECT_EQ(names_in(folder / "b"), std::vector<std::string>{"keep"});
  EXPECT_TRUE(fs::exists(other / ".tmp-foreign")) << "a link was followed";
  sweep_temporaries(folder / "missing");
}

TEST(MakeFolders, AFileInTheWayIsNamed) {
  const ScratchFolder folder;
  write_text(folder / "x", "x");
  EXPECT_THROW(make_folders(folder / "x/y"), Error);
  make_folders(folder / "p/q/r/");
  EXPECT_TRUE(fs::is_directory(folder / "p/q/r"));
}

TEST(Failpoint, ActsOnTheChosenVisitOnly) {
  const auto writes_until_error = [](const char* order) {
    const ScratchFolder folder;
    const int status = run_with_failpoint(order, "three", folder.path());
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    auto names = names_in(folder.path());
    std::sort(names.begin(), names.end());
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(writes_until_error("commit.write@2:eio"), (Names{"0", "2"}));
  EXPECT_EQ(writes_until_error("commit.write@2+:eio"), (Names{"0"}));
  EXPECT_EQ(writes_until_error("commit.write@1:eio,commit.open@3:enospc"), (Names{"1"}));
}

TEST(Failpoint, AWrongOrderIsAnErrorNotSilence) {
  for (const char* order : {"commit.wirte:kill", "commit.write", "commit.write@0:kill", "commit.write:explode"}) {
    const ScratchFolder folder;
    const int status = run_with_failpoint(order, "new", folder.path());
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << order;
  }
}

TEST(Failpoint, EveryPlaceInTheSourcesIsInTheTable) {
  const auto& known = failpoint_names();
  for (const char* room : {"index", "pipeline", "learn"})
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(TILEWRIGHT_SOURCE_DIR) / room)) {
      if (entry.path().extension() != ".cpp") continue;
      const std::string text = read_text(entry.path());
      const std::string mark = "TW_FAILPOINT(\"";
      for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
        const auto begin = at + mark.size();
        const std::string name = text.substr(begin, text.find('"', begin) - begin);
        EXPECT_NE(std::find(known.begin(), known.end(), name), known.end()) << name << " in " << entry.path();
      }
    }
}

}  // namespace
}  // namespace tilewright::shard
