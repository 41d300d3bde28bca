// SPDX-License-Identifier: Apache-2.0
// The report of a synthetic region: complete, closed in itself, and right in its numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "index/manifest.h"
#include "pipeline/config/load.h"
#include "pipeline/report/noise_ledger.h"
#include "pipeline/report/picture.h"
#include "pipeline/report/report.h"
#include "pipeline/report/section.h"
#include "pipeline/stages/stage.h"
#include "pipeline/synth/region.h"

namespace {

namespace fs = std::filesystem;
using namespace tilewright;
using namespace tilewright::pipeline;

/// A tiny region with all stages up to curate (scores without a model) and its page.
struct World {
  Job job;
  std::string html;
  nlohmann::json data;
};
const World& world() {
  static const World made = [] {
    const auto folder = fs::path(testing::TempDir()) / "tilewright_report";
    fs::remove_all(folder);
    auto options = SynthOptions::tiny();
    options.size_px = 384;
    World out{load_job(make_region(folder, options).job), "", {}};
    out.job.curate->scores = {"edge_agreement", "clipped_frac"};
    out.job.curate->repair.reset();  // needs models
    fs::create_directories(out.job.workspace());
    auto manifest = index::Manifest::open(out.job.workspace() / "manifest.gpkg", index::Manifest::Mode::create_or_write);
    const StageInput in{out.job, manifest, out.job.workspace()};
    for (auto* stage : {run_scan, run_graph, run_views, run_extract, run_label, run_split, run_curate}) stage(in, RunContext{});
    manifest.in_transaction([&] { index::insert(manifest, index::RejectionRow{"label", "roads/<script>alert(1)</script>", "no_width", "x"}); });
    manifest.end_stage();
    std::ifstream page(write_report(out.job, out.job.workspace()));
    std::stringstream text;
    text << page.rdbuf();
    out.html = text.str();
    const std::string open = "id=\"report-data\">";
    const auto begin = out.html.find(open) + open.size();
    out.data = nlohmann::json::parse(out.html.substr(begin, out.html.find("</script>", begin) - begin));
    return out;
  }();
  return made;
}

TEST(Report, NeedsNoNetworkAndNamesTheLicenceOfItsCharts) {
  const std::regex loads(R"re((src|href)="(https?:)?//|@import|<link)re");
  const auto& html = world().html;
  const auto body = html.substr(0, html.find("<script type=\"application/json\""));
  EXPECT_FALSE(std::regex_search(html.substr(0, html.find("<main")), loads));
  EXPECT_EQ(body.find("src=\"http"), std::string::npos);
  EXPECT_NE(html.find("Chart.js v3"), std::string::npos);
  EXPECT_NE(html.find("MIT licence"), std::string::npos);
}

TEST(Report, LabelsAreCountedByRuleAndReason) {
  const auto manifest = index::Manifest::open(world().job.workspace() / "manifest.gpkg", index::Manifest::Mode::read_only);
  ASSERT_EQ(world().data["labels"].size(), world().job.layers.size());
  for (const auto& layer : world().data["labels"]) {
    const auto objects = index::label_objects(manifest, layer["layer"].get<std::string>());
    ASSERT_FALSE(objects.empty());
    EXPECT_EQ(layer["objects"], objects.size());
    EXPECT_EQ(layer["drawn"].get<std::size_t>() + layer["repaired"].get<std::size_t>() + layer["rejected"].get<std::size_t>(), objects.size());
    std::size_t by_rule = 0;
    for (const auto& rule : layer["rules"]) by_rule += rule["objects"].get<std::size_t>();
    EXPECT_EQ(by_rule + layer["rejected"].get<std::size_t>(), objects.size());
    const bool has_widths = std::ranges::any_of(objects, [](const auto& object) { return object.status != "rejected" && object.width_m.has_value(); });
    EXPECT_EQ(layer["has_widths"], has_widths) << "a layer of polygons has no table of widths";
  }
  EXPECT_NE(world().html.find("width by rule"), std::string::npos);
}

TEST(Report, CountsAddUpAndAgreeWithTheManifest) {
  const auto& counts = world().data["counts"];
  std::int64_t tiles = 0, files = 0;
  for (const auto& source : counts["sources"]) {
    const auto sum = source["ok"].get<int>() + source["duplicate"].get<int>() + source["quarantined"].get<int>() + source["removed"].get<int>();
    EXPECT_EQ(source["tiles"], sum);
    tiles += sum;
    files += source["files"].get<int>();
  }
  EXPECT_EQ(counts["tiles"], tiles);
  EXPECT_EQ(counts["files"], files);
  EXPECT_EQ(counts["sources"][0]["duplicate"], 1);
  EXPECT_EQ(counts["sources"][0]["quarantined"], 1);
  EXPECT_EQ(counts["sources"][1]["ok"], 2);
}

TEST(Report, NamesWhatWasLeftOutWithItsMeaning) {
  const auto& html = world().html;
  EXPECT_NE(html.find("optical/optical_e_"), std::string::npos);
  EXPECT_NE(html.find("_again.tif"), std::string::npos);
  bool has_meaning = !world().data["reasons"].empty();
  for (const auto& reason : world().data["reasons"]) has_meaning = has_meaning && !reason["meaning"].get<std::string>().empty();
  EXPECT_TRUE(has_meaning);
  EXPECT_EQ(html.find("<script>alert"), std::string::npos);
}

TEST(Report, ShowsChipsMapAndAChartForEveryScore) {
  const auto& html = world().html;
  int pictures = 0;
  for (std::size_t at = 0; (at = html.find("data:image/png;base64,iVBOR", at)) != std::string::npos; ++at) ++pictures;
  EXPECT_GE(pictures, 20);
  EXPECT_NE(html.find("<svg"), std::string::npos);
  std::set<std::string> titles;
  const auto& charts = world().data["charts"];
  for (std::size_t i = 0; i < charts.size(); ++i) {
    titles.insert(charts[i]["title"].get<std::string>());
    EXPECT_NE(html.find("id=\"chart-" + std::to_string(i) + "\""), std::string::npos);
  }
  for (const char* metric : {"edge_agreement", "clipped_frac", "combined"}) EXPECT_TRUE(titles.contains(metric)) << metric;
}

TEST(Report, FindsTheLabelNoiseOfTheLedger) {
  ASSERT_EQ(world().data["noise"].size(), 1U);
  const auto& noise = world().data["noise"][0];
  EXPECT_EQ(noise["locations"], 72);
  EXPECT_GT(noise["noisy"].get<int>(), 20);
  EXPECT_GE(noise["share"].get<double>(), 0.7);
}

TEST(Report, CleanCellsHaveATrueIouOfExactlyOne) {
  const auto manifest = index::Manifest::open(world().job.workspace() / "manifest.gpkg", index::Manifest::Mode::read_only);
  const auto judged = judge_locations({world().job, manifest, world().job.workspace()}, "buildings");
  std::int64_t clean = 0, exact = 0;
  for (const auto& location : judged)
    if (location.damage.empty()) {
      ++clean;
      exact += location.true_iou == 1;
      EXPECT_GT(location.true_iou, 0.8) << location.location_id;  // a neighbour's building may reach in
    }
  EXPECT_GT(clean, 20);
  EXPECT_GE(exact, clean * 3 / 4);
}

TEST(NoiseFound, CountsNoisyOnesAmongAsManyWorstRanked) {
  std::vector<JudgedLocation> judged;
  for (const double iou : {0.2, 0.9, 0.5, 0.95, 0.7, 1.0}) judged.push_back({"", static_cast<double>(judged.size()), iou, iou < 0.8 ? "drop" : "", {}});
  const auto found = noise_found(judged);
  EXPECT_EQ(found.noisy, 3);
  EXPECT_EQ(found.found, 2);
  EXPECT_EQ(found.by_damage.at("drop"), std::make_pair(std::int64_t{3}, std::int64_t{2}));
  EXPECT_DOUBLE_EQ(found.auroc, 6.0 / 9);
  EXPECT_NEAR(found.kendall_tau, (12.0 - 3) / 15, 1e-12);
}

TEST(Picture, BandsAreChosenByNameAndColoursParsed) {
  EXPECT_EQ(shown_bands({"blue", "green", "red", "nir"}), (std::array<int, 3>{2, 1, 0}));
  EXPECT_EQ(shown_bands({"height"}), (std::array<int, 3>{0, 0, 0}));
  EXPECT_EQ(rgb_from_hex("#c33"), (Rgb{0xcc, 0x33, 0x33}));
  EXPECT_EQ(rgb_from_hex("#1F6f8b"), (Rgb{0x1f, 0x6f, 0x8b}));
  EXPECT_EQ(rgb_from_hex("nonsense"), (Rgb{128, 128, 128}));
}

TEST(Picture, OutlinesColourOnlyPixelsThatHaveAnotherBesideThem) {
  Picture picture{5, 5, std::vector<std::uint8_t>(75, 0)};
  std::vector<std::uint8_t> mask(25, 0);
  for (int r = 1; r < 4; ++r)
    for (int c = 1; c < 4; ++c) mask[static_cast<std::size_t>(r * 5 + c)] = 1;
  draw_outline(picture, mask, {{1, {9, 9, 9}}});
  for (int i = 0; i < 25; ++i) {
    const int r = i / 5, c = i % 5;
    const bool is_edge = r >= 1 && r <= 3 && c >= 1 && c <= 3 && !(r == 2 && c == 2);
    EXPECT_EQ(picture.rgb[static_cast<std::size_t>(3 * i)], is_edge ? 9 : 0) << i;
  }
}

}  // namespace
