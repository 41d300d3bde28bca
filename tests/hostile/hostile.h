// SPDX-License-Identifier: Apache-2.0
// A finished workspace for each test, what a refusal must say, and that the good job goes on after it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/tiny_region.h"

namespace tilewright::tests {

inline constexpr int kFailed = 1, kConfig = 2, kQuarantined = 3;

class Hostile : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<TinyRegion>();
    world_->generate();
    const auto answer = world_->run();
    ASSERT_EQ(answer.code, 0) << answer;
    golden_ = verified_tree_hash(world_->work());
    ASSERT_EQ(golden_.size(), 64U);
  }
  static void TearDownTestSuite() { world_.reset(); }
  void SetUp() override { region_ = std::make_unique<TinyRegion>(*world_); }

  [[nodiscard]] const TinyRegion& region() const { return *region_; }
  [[nodiscard]] Answer run(const std::vector<std::string>& more = {}, const std::string& job = "job.yaml") const { return region_->run(more, job); }
  [[nodiscard]] Answer run_with(const std::string& setting) const { return run({"--set", setting}); }

  /// The exit code, and every fragment in what is said.
  static void expect_refused(const Answer& answer, int code, const std::vector<std::string>& fragments) {
    EXPECT_EQ(answer.code, code) << answer;
    for (const auto& fragment : fragments) EXPECT_THAT(answer.err, testing::HasSubstr(fragment));
    EXPECT_EQ(answer.err.find("terminate called"), std::string::npos) << answer;
  }

  /// The job of the world runs in this workspace, whatever happened to it, and makes the same bytes.
  void expect_good_job_goes_on() const {
    const auto answer = run();
    EXPECT_EQ(answer.code, 0) << answer;
    EXPECT_EQ(verified_tree_hash(region_->work()), golden_);
  }

 private:
  static inline std::unique_ptr<TinyRegion> world_;
  static inline std::string golden_;
  std::unique_ptr<TinyRegion> region_;
};

}  // namespace tilewright::tests
