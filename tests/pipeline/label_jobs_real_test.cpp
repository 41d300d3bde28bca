// SPDX-License-Identifier: Apache-2.0
// The jobs of the tree on label sets without imagery, as a user runs them: counts, widths, agreement.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "index/manifest.h"
#include "index/shard/shard_reader.h"
#include "pipeline/io/raster.h"
#include "pipeline/io/vector_layer.h"
#include "tests/pipeline/tiny_raster.h"
#include "tests/support/program.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using Mask = std::vector<std::uint8_t>;

const fs::path kJobs = fs::path(TILEWRIGHT_SOURCE_DIR) / "configs";

/// A job of the tree, run to its masks in a folder of its own.
class JobRun {
 public:
  explicit JobRun(const std::string& name) {
    const auto ground = tests::run_command({"bash", (kJobs / "ground.sh").string(), (scratch_.path() / "ground").string()});
    EXPECT_EQ(ground.code, 0) << ground;
    const std::string root = "ground=" + (scratch_.path() / "ground").string(), job = (kJobs / (name + ".yaml")).string();
    std::vector<std::string> command{"run", job, "--set", "workspace=" + workspace().string(), "-q", "-j", "2", "--to", "label"};
    if (name != "vegas_mask") command.insert(command.end(), {"--root", root});
    const auto answer = tests::run_tilewright(command);
    EXPECT_EQ(answer.code, 0) << answer;
    manifest_.emplace(index::Manifest::open(workspace() / "manifest.gpkg", index::Manifest::Mode::read_only));
  }
  [[nodiscard]] fs::path workspace() const { return scratch_.path() / "work"; }
  [[nodiscard]] const index::Manifest& manifest() const { return *manifest_; }
  [[nodiscard]] std::vector<index::LabelObjectRow> objects(const std::string& layer) const { return index::label_objects(manifest(), layer); }
  [[nodiscard]] std::map<std::string, int> rules(const std::string& layer) const {
    std::map<std::string, int> rules;
    for (const auto& row : objects(layer)) ++rules[row.status == "rejected" ? "rejected" : row.rule.value_or("none")];
    return rules;
  }
  [[nodiscard]] Mask mask(const index::MaskRow& row) const {
    const shard::MappedFile file(workspace() / row.place->shard);
    const auto array = shard::array_at(file, row.place->byte_offset, row.place->byte_length);
    const auto* first = reinterpret_cast<const std::uint8_t*>(array.data.data());
    return {first, first + array.data.size()};
  }
  [[nodiscard]] std::int64_t pixels(const std::string& layer, int value) const {
    std::int64_t sum = 0;
    for (const auto& row : index::masks(manifest(), layer)) {
      const Mask m = mask(row);
      sum += std::count(m.begin(), m.end(), value);
    }
    return sum;
  }

 private:
  tests::ScratchFolder scratch_;
  std::optional<index::Manifest> manifest_;
};

TEST(JobsReal, RoadsOfOlempsAreCountedByTheRuleOfTheirWidth) {
  TILEWRIGHT_NEEDS_DATA("B-olemps-bdtopo-road-widths");
  const JobRun run("olemps_roads");
  auto rules = run.rules("roads");
  const int tunnels = rules["rejected"];
  EXPECT_EQ(rules["attribute"] + rules["lanes"] + rules["classes"] + tunnels, 4981);
  std::map<std::string, int> all;
  std::map<double, int> widths;
  for (const auto& row : run.objects("roads")) {
    ++all[row.rule.value_or("none")];
    if (row.rule == "attribute") ++widths[*row.width_m];
    EXPECT_TRUE(row.source && row.width_sigma_m && row.lon_deg) << row.object_id;
    if (row.status == "rejected") {
      EXPECT_EQ(row.reason, "structure_dropped");
    }
  }
  EXPECT_EQ(all, (std::map<std::string, int>{{"attribute", 4981 - 918}, {"lanes", 32}, {"classes", 886}}));
  EXPECT_EQ(tunnels, 3);
  EXPECT_EQ(widths[3.5], 1744);
  EXPECT_EQ(widths[10.5], 9);
  const auto answer = tests::run_tilewright({"explain", (kJobs / "olemps_roads.yaml").string(), "roads/1", "--set", "workspace=" + run.workspace().string()});
  EXPECT_EQ(answer.code, 0) << answer;
  EXPECT_NE(answer.out.find("source: "), std::string::npos) << answer;
}

TEST(JobsReal, TwoVintagesOfBuildingsAgreeInsideTheCommune) {
  TILEWRIGHT_NEEDS_DATA("B-olemps-bdtopo-road-widths");
  const JobRun run("olemps_roads");
  std::map<std::string, index::MaskRow> older;
  for (const auto& row : index::masks(run.manifest(), "buildings_v2")) older[row.location_id] = row;
  std::int64_t both = 0, any = 0, known = 0, only_old = 0, only_new = 0;
  for (const auto& row : index::masks(run.manifest(), "buildings_v3")) {
    const Mask now = run.mask(row), before = run.mask(older.at(row.location_id));
    for (std::size_t k = 0; k < now.size(); ++k) {
      if (now[k] == 255 || before[k] == 255) continue;
      ++known;
      both += now[k] & before[k];
      any += now[k] | before[k];
      only_old += before[k] & ~now[k] & 1;
      only_new += now[k] & ~before[k] & 1;
    }
  }
  const double iou = static_cast<double>(both) / static_cast<double>(any);
  std::cout << "two vintages inside the commune: IoU " << iou << " on " << known << " pixels; only older " << only_old << ", only newer " << only_new << "\n";
  EXPECT_EQ(both + only_old + only_new, any);
  EXPECT_GT(iou, 0.6);
  EXPECT_LT(iou, 1) << "they are different vintages";
  EXPECT_NEAR(static_cast<double>(known) * 4 / 1e6, 11.3, 3) << "square kilometres of a commune";
}

TEST(JobsReal, StreetsOfHelsinkiAreCountedByTheRuleOfTheirWidth) {
  TILEWRIGHT_NEEDS_DATA("B-osm-helsinki-portoalegre");
  const JobRun run("helsinki_osm");
  const auto raw = read_vector_layer(real_data() / "B-osm-helsinki-portoalegre/helsinki.osm.pbf", "lines", {"highway", "width", "lanes", "tunnel", "layer"}, {});
  std::map<std::string, std::map<std::string, std::string>> tags;
  int with_width = 0, outside = 0, with_lanes = 0;
  for (const auto& feature : raw.features) {
    if (!feature.attributes.contains("highway")) continue;
    tags[feature.id] = feature.attributes;
    with_lanes += feature.attributes.contains("lanes");
    if (const auto width = feature.attributes.find("width"); width != feature.attributes.end()) {
      ++with_width;
      outside += std::stod(width->second) < 1.5 || std::stod(width->second) > 60;
    }
  }
  EXPECT_EQ(tags.size(), 2504U);
  EXPECT_EQ(with_width, 49);
  EXPECT_EQ(outside, 12);
  EXPECT_EQ(with_lanes, 564);
  const auto objects = run.objects("streets");
  ASSERT_EQ(objects.size(), tags.size());
  std::map<std::string, int> rules;
  int narrow_ways = 0, doubted = 0;
  for (const auto& row : objects) {
    ++rules[row.rule.value_or("none")];
    const auto& own = tags.at(row.object_id);
    const bool has_lanes = own.contains("lanes");
    if (row.rule == "attribute") {
      EXPECT_DOUBLE_EQ(*row.width_m, std::stod(own.at("width"))) << row.object_id;
    }
    if (row.rule == "attribute" && *row.width_m < 1.5) ++narrow_ways;
    if (has_lanes && row.rule != "lanes" && row.rule != "attribute") {
      ++doubted;
      EXPECT_GT(3.5 * std::stod(own.at("lanes")), 10) << row.object_id << ": a cycleway of three lanes is not believed";
    }
    const bool under = own.contains("tunnel") || (own.contains("layer") && own.at("layer").front() == '-');
    EXPECT_EQ(row.object_class == 255, under) << row.object_id;
  }
  for (const auto& [rule, count] : rules) std::cout << "streets by " << rule << ": " << count << "\n";
  EXPECT_EQ(rules["attribute"] + rules["lanes"] + rules["classes"] + rules["constant"] + rules["none"], 2504);
  EXPECT_EQ(doubted, 3);
  EXPECT_EQ(narrow_ways, 10) << "footways of 0.7 and 1 m are believed";
  EXPECT_EQ(rules["none"], 0);
  EXPECT_GT(run.pixels("streets", 255), 0);
  EXPECT_GT(run.pixels("buildings", 1), 100000);
}

/// Pixels of `a` that have one of `b` within `reach`, and how many pixels `a` has.
std::pair<std::int64_t, std::int64_t> near_pixels(const Mask& a, const Mask& b, std::int64_t width, std::int64_t reach) {
  const auto height = static_cast<std::int64_t>(a.size()) / width;
  std::vector<std::int32_t> sums(static_cast<std::size_t>((width + 1) * (height + 1)), 0);  // of b, integrated
  const auto sum_at = [&](std::int64_t row, std::int64_t col) -> std::int32_t& { return sums[static_cast<std::size_t>(row * (width + 1) + col)]; };
  for (std::int64_t row = 0; row < height; ++row)
    for (std::int64_t col = 0; col < width; ++col)
      sum_at(row + 1, col + 1) = sum_at(row, col + 1) + sum_at(row + 1, col) - sum_at(row, col) + (b[static_cast<std::size_t>(row * width + col)] == 1);
  std::int64_t hits = 0, all = 0;
  for (std::int64_t row = 0; row < height; ++row)
    for (std::int64_t col = 0; col < width; ++col) {
      if (a[static_cast<std::size_t>(row * width + col)] != 1) continue;
      const auto r0 = std::max<std::int64_t>(0, row - reach), r1 = std::min(height, row + reach + 1), c0 = std::max<std::int64_t>(0, col - reach), c1 = std::min(width, col + reach + 1);
      ++all;
      hits += sum_at(r1, c1) - sum_at(r0, c1) - sum_at(r1, c0) + sum_at(r0, c0) > 0;
    }
  return {hits, all};
}

TEST(JobsReal, TwoSourcesOfRoadsInSevenTilesAgreeMoreThanStrangersDo) {
  TILEWRIGHT_NEEDS_DATA("B-vegas-spacenet-roads");
  const JobRun run("vegas_two_sources");
  std::map<std::string, Mask> hand;
  for (const auto& row : index::masks(run.manifest(), "hand")) hand[row.location_id] = run.mask(row);
  ASSERT_EQ(hand.size(), 7U);
  int better = 0;
  for (const auto& row : index::masks(run.manifest(), "osm")) {
    const Mask osm = run.mask(row), &own = hand.at(row.location_id);
    const auto [found, of_osm] = near_pixels(osm, own, 1300, 10);
    const auto [drawn, of_hand] = near_pixels(own, osm, 1300, 10);
    Mask turned(own.rbegin(), own.rend());  // the same roads elsewhere
    const auto [by_chance, same] = near_pixels(osm, turned, 1300, 10);
    std::cout << row.location_id << ": " << 100 * found / std::max<std::int64_t>(1, of_osm) << " % of OpenStreetMap within 3 m of a hand label, "
              << 100 * drawn / std::max<std::int64_t>(1, of_hand) << " % the other way; by chance " << 100 * by_chance / std::max<std::int64_t>(1, same) << " %\n";
    EXPECT_GT(of_osm, 0) << row.location_id;
    better += found > by_chance;
  }
  EXPECT_EQ(better, 7);
}

TEST(JobsReal, RoadsOfConstantWidthEqualTheMaskOfAnotherTool) {
  TILEWRIGHT_NEEDS_DATA("B-vegas-spacenet-roads");
  const JobRun run("vegas_mask");
  const auto masks = index::masks(run.manifest(), "roads");
  ASSERT_EQ(masks.size(), 1U);
  const Mask own = run.mask(masks.front());
  const Raster raster = Raster::open(real_data() / "B-vegas-spacenet-roads/pan/reference_road_mask.tif", {});
  Mask other(static_cast<std::size_t>(raster.info().width * raster.info().height));
  raster.read(0, {0, 0, raster.info().width, raster.info().height}, std::as_writable_bytes(std::span(other)));
  ASSERT_EQ(own.size(), other.size());
  std::int64_t both = 0, any = 0;
  for (std::size_t k = 0; k < own.size(); ++k) {
    both += own[k] == 1 && other[k] != 0;
    any += own[k] == 1 || other[k] != 0;
  }
  const double iou = static_cast<double>(both) / static_cast<double>(any);
  std::cout << "IoU with the mask of another tool: " << iou << " (" << both << " of " << any << " pixels)\n";
  EXPECT_GE(iou, 0.99);
}

TEST(JobsReal, ImagesWithoutAPlaceAreSegmentedOnMadeUpGround) {
  TILEWRIGHT_NEEDS_DATA("E-cloudmask-3-sensors");
  const JobRun run("cloudmask");
  EXPECT_EQ(index::locations(run.manifest()).size(), 128U);
  std::map<std::string, int> views;
  for (const auto& view : index::views(run.manifest())) {
    ++views[view.tile_id.substr(0, 2)];
    EXPECT_FALSE(view.resampled);
  }
  EXPECT_EQ(views["s2"], 64);
  EXPECT_EQ(views["l7"], 64);
  // Land, shadow, water, snow, cloud: the counts of the set's description, both sensors together.
  const std::int64_t expected[] = {183124 + 118023, 28583 + 43494, 840 + 6176, 0, 49597 + 94451};
  for (int id = 0; id < 5; ++id) EXPECT_EQ(run.pixels("clouds", id), expected[id]) << id;
}

}  // namespace
}  // namespace tilewright::pipeline
