// SPDX-License-Identifier: Apache-2.0
// `tilewright review` as a process: killed after an answer, on a full disk, twice, on a taken port,
// without rights.
#include "tests/support/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <signal.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "index/manifest.h"
#include "tests/review/review_world.h"

namespace tilewright::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::json;
using World = ReviewWorld;

/// The program with its page; killed at the end if it still runs.
class Review {
 public:
  explicit Review(const std::filesystem::path& job, const std::vector<std::string>& more = {},
                  const Surroundings& around = {}) {
    std::vector<std::string> command{program().string(), "review", job.string()};
    command.insert(command.end(), more.begin(), more.end());
    child_ = ::fork();
    if (child_ == 0) become(command, outputs_.path(), around);
    for (int tries = 0; tries < 500 && address_.empty(); ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      const auto text = read_text(outputs_ / "out");
      if (text.ends_with('\n')) address_ = text.substr(0, text.find('\n'));
      if (::waitpid(child_, &status_, WNOHANG) == child_) {
        child_ = 0;
        break;
      }
    }
  }
  Review(const Review&) = delete;
  Review& operator=(const Review&) = delete;
  ~Review() { end(SIGKILL); }

  int end(int signal) {
    if (child_ > 0) {
      ::kill(child_, signal);
      ::waitpid(child_, &status_, 0);
      child_ = 0;
    }
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  }
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] std::string errors() const { return read_text(outputs_ / "err"); }
  /// Processor time that it has used so far.
  [[nodiscard]] double cpu_seconds() const {
    const auto stat = read_text("/proc/" + std::to_string(child_) + "/stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string field;
    for (int n = 3; n < 14; ++n) fields >> field;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  [[nodiscard]] int port() const { return std::stoi(address_.substr(address_.rfind(':') + 1)); }
  [[nodiscard]] std::string path() const { return address_.substr(address_.find('/', 8)); }

  /// Status of the answer, 0 if there was none.
  int give(int n, const std::string& word, std::string* body = nullptr) const {
    httplib::Client client("127.0.0.1", port());
    const Json verdict{
        {"layer", "buildings"}, {"location", World::id(n)}, {"verdict", word}, {"who", "ann"}};
    const auto answer = client.Post(path() + "api/verdict",
                                    {{"Origin", "http://127.0.0.1:" + std::to_string(port())}},
                                    verdict.dump(), "application/json");
    if (answer && body) *body = answer->body;
    return answer ? answer->status : 0;
  }

 private:
  ScratchFolder outputs_;
  pid_t child_ = 0;
  int status_ = 0;
  std::string address_;
};

std::vector<index::VerdictRow> kept(const World& world) {
  return index::verdicts(index::Manifest::open(world.work() / "manifest.gpkg",
                                               index::Manifest::Mode::create_or_write));
}

TEST(ReviewProgram, PrintsItsAddressAndEndsOnRequest) {
  const ScratchFolder folder;
  const World world(folder.path(), 20);
  Review review(world.job());
  ASSERT_THAT(review.address(), StartsWith("http://127.0.0.1:")) << review.errors();
  EXPECT_EQ(review.give(1, "accept"), 200);
  EXPECT_EQ(review.end(SIGTERM), 0) << review.errors();
  EXPECT_EQ(kept(world).size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(world.work() / "manifest.gpkg-wal"));  // one file again
}

TEST(ReviewProgram, AKillAfterTheAnswerLosesNoVerdict) {
  const ScratchFolder folder;
  const World world(folder.path(), 100);
  int given = 0;
  for (int round = 0; round < 5; ++round) {
    Review review(world.job());
    ASSERT_NE(review.address(), "") << review.errors();
    for (int n = 0; n < 7; ++n, ++given)
      ASSERT_EQ(review.give(given, given % 3 == 0 ? "reject" : "accept"), 200);
    review.end(SIGKILL);
  }
  const auto rows = kept(world);
  ASSERT_EQ(rows.size(), 35U);
  for (int n = 0; n < given; ++n) {
    const auto found = std::find_if(
        rows.begin(), rows.end(), [&](const auto& row) { return row.location_id == World::id(n); });
    ASSERT_NE(found, rows.end()) << n;
    EXPECT_EQ(found->verdict, n % 3 == 0 ? "reject" : "accept");
  }
  EXPECT_EQ(run_tilewright({"verify", world.work().string()}).out.find("verdict"),
            std::string::npos);
}

TEST(ReviewProgram, AFullDiskIsToldAndWhatWasAnsweredStays) {
  const ScratchFolder folder;
  const World world(folder.path(), 200);
  Surroundings small;
  small.largest_file_bytes = 300'000;  // of the write-ahead log, too
  int answered = 0;
  std::string body;
  {
    Review review(world.job(), {}, small);
    ASSERT_NE(review.address(), "") << review.errors();
    int status = 200;
    for (int n = 0; n < 200 && status == 200; ++n) {
      status = review.give(n, "accept", &body);
      answered += status == 200 ? 1 : 0;
    }
    EXPECT_EQ(status, 500) << body;
    EXPECT_THAT(body, HasSubstr("disk"));
    EXPECT_EQ(review.give(0, "accept", &body), 200)
        << "what is kept is answered all the same: " << body;
  }
  EXPECT_GT(answered, 0);
  EXPECT_EQ(kept(world).size(), static_cast<std::size_t>(answered));
}

TEST(ReviewProgram, ASecondOneAndARunAreToldWhoHoldsTheWorkspace) {
  const ScratchFolder folder;
  const World world(folder.path(), 20);
  const Review first(world.job());
  ASSERT_NE(first.address(), "") << first.errors();
  for (const auto& command : {std::vector<std::string>{"review", world.job().string()},
                              {"review", world.work().string()},
                              {"gc", world.job().string()}}) {
    const auto answer = run_tilewright(command);
    if (command[1] == world.work().string()) {
      EXPECT_EQ(answer.code, 2) << answer;  // no run has written job.resolved.yaml there
      continue;
    }
    EXPECT_EQ(answer.code, 1) << answer;
    EXPECT_THAT(answer.err, HasSubstr("is in use by pid"));
    EXPECT_EQ(answer.out, "");
  }
}

TEST(ReviewProgram, APortInUseEndsWithTheRemedy) {
  const ScratchFolder folder, other;
  const World world(folder.path(), 5), second(other.path(), 5);
  const Review first(world.job());
  ASSERT_NE(first.address(), "") << first.errors();
  const auto answer =
      run_tilewright({"review", second.job().string(), "--port", std::to_string(first.port())});
  EXPECT_EQ(answer.code, 1) << answer;
  EXPECT_THAT(answer.err, HasSubstr(std::to_string(first.port())));
  EXPECT_THAT(answer.err, HasSubstr("leave --port out"));
  EXPECT_EQ(run_tilewright({"review", second.job().string(), "--port", "70000"}).code, 2);
}

TEST(ReviewProgram, WithoutAManifestOrLayersItNamesTheStageThatIsMissing) {
  const ScratchFolder folder;
  const World world(folder.path(), 0);
  const auto no_masks = run_tilewright({"review", world.job().string()});
  EXPECT_EQ(no_masks.code, 2) << no_masks;
  EXPECT_THAT(no_masks.err, HasSubstr("run: tilewright label"));
  std::filesystem::remove(world.work() / "manifest.gpkg");
  const auto nothing = run_tilewright({"review", world.job().string()});
  EXPECT_EQ(nothing.code, 2) << nothing;
  EXPECT_THAT(nothing.err, HasSubstr("has no manifest yet"));
}

TEST(ReviewProgram, AWorkspaceThatCannotBeWrittenIsRefusedAtOnce) {
  if (::geteuid() == 0 && run_command({"setpriv", "--reuid", "65534", "--regid", "65534",
                                       "--clear-groups", "test", "-x", program().string()})
                                  .code != 0)
    GTEST_SKIP() << "root may write everything, and another user cannot run the program from here";
  const ScratchFolder folder;
  const World world(folder.path(), 5);
  namespace fs = std::filesystem;
  fs::permissions(folder.path(), fs::perms::owner_all | fs::perms::group_read |
                                     fs::perms::group_exec | fs::perms::others_read |
                                     fs::perms::others_exec);
  fs::permissions(world.work(), fs::perms::owner_read | fs::perms::owner_exec |
                                    fs::perms::others_read | fs::perms::others_exec);
  std::vector<std::string> command{program().string(), "review", world.job().string()};
  if (::geteuid() == 0)
    command.insert(command.begin(),
                   {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"});
  const auto answer = run_command(command);
  fs::permissions(world.work(), fs::perms::owner_all);
  EXPECT_EQ(answer.code, 1) << answer;
  EXPECT_THAT(answer.err, HasSubstr("must be writable"));
}

TEST(ReviewProgram, OpensFastWithAHundredThousandLocations) {
  const ScratchFolder folder;
  const World world(folder.path(), 100'000);
  const auto begin = std::chrono::steady_clock::now();
  const Review review(world.job());
  ASSERT_NE(review.address(), "") << review.errors();
  httplib::Client client("127.0.0.1", review.port());
  client.set_keep_alive(true);
  client.set_read_timeout(60);
  for (const char* path : {"", "review.js", "review.css", "api/state",
                           "api/list?layer=buildings&sort=combined&verdict=open&count=100"}) {
    const auto answer = client.Get(review.path() + path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 200) << answer->body;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("from the command to the first page of 100,000 locations: %.2f s, %.2f s of a core\n",
              seconds.count(), review.cpu_seconds());
  EXPECT_LT(review.cpu_seconds(), 2.0);  // of a core: wall time would tell how busy the machine is
}

}  // namespace
}  // namespace tilewright::tests
