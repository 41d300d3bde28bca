// SPDX-License-Identifier: Apache-2.0
// Two sensors of one place, and dates of one place, from files to features: the jobs of the tree.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "index/manifest.h"
#include "index/shard/shard_reader.h"
#include "tests/support/program.h"

namespace tilewright::tests {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kSource = TILEWRIGHT_SOURCE_DIR;

/// Losses on val, in order of the steps.
std::vector<double> val_losses(const fs::path& run) {
  std::vector<double> losses;
  std::ifstream in(run / "metrics.jsonl");
  for (std::string line; std::getline(in, line);)
    if (const auto row = Json::parse(line); row["part"] == "val") losses.push_back(row["loss"]);
  return losses;
}

std::vector<std::vector<std::string>> read_csv(const fs::path& file) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    auto& row = rows.emplace_back();
    std::stringstream cells(line + ",");
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
  }
  return rows;
}

/// Features of a run by `embed`, and the rows that its table says they are.
struct Embedded {
  std::vector<std::vector<std::string>> table;  ///< without the header
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

class Contrast : public ::testing::Test {
 protected:
  void run(const std::string& job, const std::string& set) {
    if (!fs::exists(kSource / "../shared/data" / set)) GTEST_SKIP() << "needs the sample data at ../shared/data";
    job_ = kSource / "configs" / (job + ".yaml");
    workspace_ = scratch_.path() / job;
    const auto answer = run_command({program(), "run", job_, "--set", "workspace=" + workspace_.string(), "-q"});
    ASSERT_EQ(answer.code, 0) << answer;
  }
  Embedded embed(const std::string& name, std::vector<std::string> flags = {}) {
    std::vector<std::string> command{program(), "embed", job_, name, "--set", "workspace=" + workspace_.string(), "-q", "--json"};
    command.insert(command.end(), flags.begin(), flags.end());
    const auto answer = run_command(command);
    EXPECT_EQ(answer.code, 0) << answer;
    const auto said = Json::parse(answer.out);
    Embedded out;
    out.table = read_csv(said["index"].get<std::string>());
    EXPECT_EQ(out.table.front(), (std::vector<std::string>{"row", "sample", "location_id", "tile_id", "acquired", "part", "lon", "lat"}));
    out.table.erase(out.table.begin());
    const shard::MappedFile file(said["features"].get<std::string>());
    const auto header = shard::parse_npy(file.bytes(), "features.npy");
    out.shape = header.shape;
    const auto* first = reinterpret_cast<const float*>(file.bytes().data() + header.header_bytes);
    out.values.assign(first, first + header.elements());
    EXPECT_EQ(said["samples"], out.shape[0]);
    return out;
  }
  ScratchFolder scratch_;
  fs::path job_, workspace_;
};

TEST_F(Contrast, SensorsOfPunjabLearnToAgree) {
  run("ssl4eo_dual", "C-ssl4eo-s12-punjab");
  if (IsSkipped()) return;
  const auto losses = val_losses(workspace_ / "runs/vectors");
  ASSERT_EQ(losses.size(), 6U);
  std::cout << "NT-Xent on val: " << losses.front() << " after one epoch, at best " << *std::min_element(losses.begin(), losses.end()) << "\n";
  EXPECT_LT(*std::min_element(losses.begin(), losses.end()), losses.front());
  for (const auto loss : val_losses(workspace_ / "runs/maps")) EXPECT_TRUE(std::isfinite(loss));
  const auto record = Json::parse(std::ifstream(workspace_ / "runs/vectors/config.json"));
  EXPECT_EQ(record["inputs"][0]["bands"].size(), 2U);
  EXPECT_EQ(record["inputs"][1]["bands"].size(), 13U);

  const auto both = embed("vectors");
  const auto manifest = index::Manifest::open(workspace_ / "manifest.gpkg", index::Manifest::Mode::read_only);
  std::set<std::string> radar;
  for (const auto& view : index::views(manifest))
    if (view.tile_id.starts_with("s1-")) radar.insert(view.location_id + "/" + view.tile_id);
  std::set<std::string> rows;
  for (const auto& row : both.table) rows.insert(row[2] + "/" + row[3]);
  EXPECT_EQ(rows, radar) << "every radar view is a row";
  EXPECT_EQ(both.shape, (std::vector<std::int64_t>{static_cast<std::int64_t>(radar.size()), 1024}));
  for (const auto& row : both.table) {
    EXPECT_NEAR(std::stod(row[6]), 73.306, 0.03);
    EXPECT_NEAR(std::stod(row[7]), 30.464, 0.03);
  }
}

TEST_F(Contrast, DatesOfDakotaAreViewsOfEachOther) {
  run("naip_nd_dates", "A-naip-nd-multidate");
  if (IsSkipped()) return;
  for (const char* name : {"simclr", "dino"}) {
    const auto losses = val_losses(workspace_ / "runs" / name);
    ASSERT_EQ(losses.size(), 6U) << name;
    std::cout << name << " on val: " << losses.front() << " after one epoch, " << losses.back() << " after the last\n";
    EXPECT_TRUE(std::isfinite(losses.back()));
  }
  EXPECT_LT(val_losses(workspace_ / "runs/simclr").back(), std::log(2 * 24 - 1)) << "chance";
  EXPECT_LT(val_losses(workspace_ / "runs/dino").back(), std::log(256)) << "an untrained head";

  // Two dates of a place are nearer than two places of a date.
  const auto features = embed("simclr");
  const auto dim = features.shape[1];
  EXPECT_EQ(dim, 96);
  const auto cosine = [&](std::size_t a, std::size_t b) {
    double ab = 0, aa = 0, bb = 0;
    for (std::int64_t i = 0; i < dim; ++i) {
      const double x = features.values[a * dim + i], y = features.values[b * dim + i];
      ab += x * y, aa += x * x, bb += y * y;
    }
    return ab / std::sqrt(aa * bb);
  };
  double same = 0, other = 0;
  int same_count = 0, other_count = 0;
  for (std::size_t a = 0; a < features.table.size(); ++a)
    for (std::size_t b = 0; b < a; ++b) {
      const bool is_place = features.table[a][2] == features.table[b][2], is_date = features.table[a][4] == features.table[b][4];
      if (is_place && !is_date) same += cosine(a, b), ++same_count;
      if (!is_place && is_date) other += cosine(a, b), ++other_count;
    }
  ASSERT_GT(same_count, 0);
  ASSERT_GT(other_count, 0);
  std::cout << "mean cosine: dates of a place " << same / same_count << ", places of a date " << other / other_count << "\n";
  EXPECT_GT(same / same_count, other / other_count);
  EXPECT_EQ(embed("dino", {"--pool", "mean", "--tap", "1"}).shape[1], 96);
}

}  // namespace
}  // namespace tilewright::tests
