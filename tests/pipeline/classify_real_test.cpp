// SPDX-License-Identifier: Apache-2.0
// EuroSAT chips from files to classes: the job of the tree, as a user runs it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/program.h"

namespace tilewright::tests {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kSource = TILEWRIGHT_SOURCE_DIR;

Json read_json(const fs::path& file) {
  std::ifstream in(file);
  return Json::parse(in);
}

TEST(EurosatClasses, AreLearnedProbedAndEvaluated) {
  const fs::path data = kSource / "../shared/data";
  if (!fs::exists(data / "E-eurosat-ms")) GTEST_SKIP() << "needs the sample data at ../shared/data";
  const ScratchFolder scratch;
  const auto workspace = scratch.path() / "eurosat";
  const auto answer = run_command({program(), "run", kSource / "configs/eurosat_classes.yaml",
                                   "--set", "workspace=" + workspace.string(), "-q"});
  ASSERT_EQ(answer.code, 0) << answer;
  for (const char* run : {"supervised", "probe", "finetuned"}) {
    const auto parts = read_json(workspace / "runs" / run / "evaluation.json")["parts"];
    const auto& scores = parts["val"];  // labels.csv names no other part
    std::int64_t counted = 0;
    for (const auto& row : scores["confusion"])
      for (const auto& cell : row) counted += cell.get<std::int64_t>();
    EXPECT_EQ(counted, scores["samples"]) << run;
    EXPECT_EQ(scores["classes"].size(), 10U) << run;
    const double accuracy = scores["overall_accuracy"], knn = scores["knn"]["overall_accuracy"];
    std::cout << run << ": accuracy " << accuracy << ", nearest neighbours " << knn << ", of "
              << counted << "\n";
    EXPECT_GT(accuracy, 0.2) << run << ", chance is 0.1";
    const auto& interval = scores["intervals"]["overall_accuracy"];
    EXPECT_LE(interval[0], accuracy);
    EXPECT_GE(interval[1], accuracy);
    std::ifstream csv(workspace / "runs" / run / "samples.csv");
    std::int64_t lines = 0;
    for (std::string line; std::getline(csv, line);) ++lines;
    EXPECT_EQ(lines, 1 + counted) << run;
  }
  EXPECT_FALSE(fs::exists(workspace / "runs/gradients/evaluation.json"));
}

}  // namespace
}  // namespace tilewright::tests
