// SPDX-License-Identifier: Apache-2.0
// The dataset stage: statistics against brute force, views, parts, subsets and what is left out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>
#include <set>

#include "geometry/error.h"
#include "index/manifest.h"
#include "index/shard/commit.h"
#include "index/shard/shard_writer.h"
#include "learn/config/dataset_file.h"
#include "pipeline/config/load.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/stages/band_statistics.h"
#include "pipeline/stages/stage.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using tests::ScratchFolder;
using tests::write_text;

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

/// numpy.percentile with its default linear interpolation.
double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double place = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const double high = values[std::min(below + 1, values.size() - 1)];
  return values[below] + (high - values[below]) * (place - static_cast<double>(below));
}

/// Members of one shard with `values[member]` as (2, 8, 8) arrays.
template <class T>
std::vector<MemberRef> write_members(const fs::path& workspace, shard::DType type,
                                     const std::vector<std::vector<T>>& values) {
  std::vector<shard::MemberSpec> specs;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto key = "k" + std::to_string(100 + i);
    specs.push_back({key, key + ".v.npy", type, {2, 8, 8}, ""});
  }
  shard::ShardWriter writer(workspace / "a-000000.tar", specs);
  for (std::size_t i = 0; i < values.size(); ++i) writer.put(i, bytes_of(values[i]));
  std::vector<MemberRef> members;
  for (const auto& member : writer.publish().members)
    members.push_back({"a-000000.tar", member.offset, member.length});
  return members;
}

template <class T, class Draw>
std::vector<std::vector<T>> draw_members(std::size_t count, const Draw& draw) {
  std::vector<std::vector<T>> out(count);
  for (auto& values : out)
    for (int i = 0; i < 128; ++i) values.push_back(draw());
  return out;
}

/// All values of band 1 that are finite.
template <class T>
std::vector<double> band_one(const std::vector<std::vector<T>>& members) {
  std::vector<double> out;
  for (const auto& values : members)
    for (std::size_t i = 64; i < 128; ++i)
      if (std::isfinite(static_cast<double>(values[i])))
        out.push_back(static_cast<double>(values[i]));
  return out;
}

void expect_moments(const learn::BandStatistics& s, const std::vector<double>& values,
                    double tolerance) {
  double mean = 0, variance = 0;
  for (const double v : values) mean += v / static_cast<double>(values.size());
  for (const double v : values)
    variance += (v - mean) * (v - mean) / static_cast<double>(values.size());
  EXPECT_EQ(s.count, static_cast<std::int64_t>(values.size()));
  EXPECT_NEAR(s.mean, mean, tolerance * std::abs(mean));
  EXPECT_NEAR(s.std, std::sqrt(variance), tolerance * std::sqrt(variance));
  EXPECT_EQ(s.min, *std::min_element(values.begin(), values.end()));
  EXPECT_EQ(s.max, *std::max_element(values.begin(), values.end()));
}

TEST(BandStatistics, OfIntegersAreExact) {
  const ScratchFolder folder;
  std::mt19937 random(1);
  const auto values =
      draw_members<std::uint16_t>(40, [&] { return static_cast<std::uint16_t>(random() % 65536); });
  const auto members = write_members(folder.path(), shard::DType::u16, values);
  const auto result =
      band_statistics(folder.path(), members, shard::DType::u16, std::vector<int>{1});
  const auto flat = band_one(values);
  expect_moments(result.bands[0], flat, 1e-12);
  EXPECT_EQ(result.method, "exact counts");
  EXPECT_DOUBLE_EQ(result.bands[0].p2, percentile(flat, 0.02));
  EXPECT_DOUBLE_EQ(result.bands[0].p50, percentile(flat, 0.5));
  EXPECT_DOUBLE_EQ(result.bands[0].p99, percentile(flat, 0.99));
}

TEST(BandStatistics, KnowNegativeIntegers) {
  const ScratchFolder folder;
  std::mt19937 random(2);
  const auto values = draw_members<std::int16_t>(
      5, [&] { return static_cast<std::int16_t>(static_cast<int>(random() % 65536) - 32768); });
  const auto members = write_members(folder.path(), shard::DType::i16, values);
  expect_moments(
      band_statistics(folder.path(), members, shard::DType::i16, std::vector<int>{1}).bands[0],
      band_one(values), 1e-9);
}

TEST(BandStatistics, OfFloatsSkipNaNAndStayWithinABin) {
  const ScratchFolder folder;
  std::mt19937 random(3);
  std::normal_distribution<float> normal(300, 25);
  const auto values = draw_members<float>(30, [&] {
    return random() % 20 == 0 ? std::numeric_limits<float>::quiet_NaN() : normal(random);
  });
  const auto members = write_members(folder.path(), shard::DType::f32, values);
  const auto s =
      band_statistics(folder.path(), members, shard::DType::f32, std::vector<int>{1}).bands[0];
  const auto flat = band_one(values);
  expect_moments(s, flat, 1e-10);
  const double bin = (s.max - s.min) / 65536;
  for (const auto& [found, share] :
       {std::pair{s.p1, 0.01}, {s.p2, 0.02}, {s.p50, 0.5}, {s.p98, 0.98}, {s.p99, 0.99}})
    EXPECT_NEAR(found, percentile(flat, share), bin);
}

TEST(BandStatistics, DoNotDependOnTheNumberOfThreads) {
  const ScratchFolder folder;
  std::mt19937 random(4);
  std::normal_distribution<float> normal(0, 1e3F);
  const auto members = write_members(folder.path(), shard::DType::f32,
                                     draw_members<float>(300, [&] { return normal(random); }));
  std::vector<learn::BandStatistics> results;
  for (const std::size_t threads : {1, 4}) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    results.push_back(
        band_statistics(folder.path(), members, shard::DType::f32, std::vector<int>{1}).bands[0]);
  }
  EXPECT_EQ(results[0].mean, results[1].mean);
  EXPECT_EQ(results[0].std, results[1].std);
  EXPECT_EQ(results[0].p50, results[1].p50);
}

constexpr const char* kJob = R"(
workspace: work
sources:
  sat: {files: 'in/*.tif'}
  dem: {files: 'dem/*.tif'}
grid: {resolution_m: 10}
views: {patch_px: 8}
layers:
  houses: {vector: houses.geojson, draw: polygons, class: 1, classes: {1: {name: house, color: '#c33'}}}
  survey: {vector: survey.geojson, draw: polygons, class: 1}
split: {unit: block, block_m: 500}
curate:
  layers: [houses]
  scores: [clipped_frac]
  repair: {}
  subsets: {good: {where: 'combined >= 0.6'}}
datasets:
  town: {inputs: [{source: sat, bands: [nir, red]}], target: houses}
)";

/// A workspace as the stages before would have left it: 8 locations in order 0..7, with
/// parts train train train train val test guard train; two views of sat (one in location 3), one of
/// dem; the mask of location 7 is all ignore.
class DatasetStage : public testing::Test {
 protected:
  static constexpr int kCount = 8, kPixels = 64;

  void SetUp() override {
    fs::create_directories(workspace() / "shards");
    manifest.emplace(index::Manifest::open(workspace() / "manifest.gpkg",
                                           index::Manifest::Mode::create_or_write));
    manifest->in_transaction([&] { write_rows(); });
  }

  [[nodiscard]] fs::path workspace() const { return folder.path() / "work"; }
  static std::string location(int i) { return "loc" + std::to_string(i); }
  static std::string part(int i) {
    constexpr const char* parts[] = {"train", "train", "train", "train",
                                     "val",   "test",  "guard", "train"};
    return parts[i];
  }
  static std::uint16_t pixel(int i, int view, int band, int p) {
    return static_cast<std::uint16_t>(i * 1000 + view * 100 + band * 10000 + p);
  }

  void write_rows() {
    write_source_bands(*manifest, "sat",
                       {{{{"red", 665.0, {}, {}, {}, {}}, shard::DType::u16},
                         {{"nir", 842.0, {}, 0.0001, -0.1, {}}, shard::DType::u16}},
                        {}});
    write_source_bands(*manifest, "dem",
                       {{{{"height", {}, {}, {}, {}, {}}, shard::DType::f32}}, {}});
    write_locations();
    write_views("sat", {"aaaaaaaaaaaa", "bbbbbbbbbbbb"},
                {"2020-05-01T00:00:00.000Z", "2021-05-01T00:00:00.000Z"}, {0.0, 0.08});
    write_views("dem", {"cccccccccccc"}, {"2020-12-31T00:00:00.000Z"}, {{}});
    write_masks();
  }

  void write_locations() {
    for (int i = 0; i < kCount; ++i) {
      index::LocationRow row;
      row.location_id = location(i), row.epsg = 32633, row.ulx = 500000 + 80.0 * i,
      row.uly = 5600000, row.res_m = 10;
      row.size_px = 8, row.view_count = 3, row.split = part(i);
      row.geom = {{.outer = {{15, 50}, {16, 50}, {16, 51}, {15, 51}, {15, 50}}, .holes = {}}};
      index::insert(*manifest, row);
    }
  }

  void write_views(const std::string& source, const std::vector<std::string>& tiles,
                   const std::vector<std::string>& dates,
                   const std::vector<std::optional<double>>& clouds) {
    const bool is_sat = source == "sat";
    std::vector<shard::MemberSpec> specs;
    std::vector<index::ViewRow> rows;
    std::vector<std::vector<std::byte>> data;
    for (int i = 0; i < kCount; ++i)
      for (std::size_t v = 0; v < tiles.size(); ++v) {
        if (i == 3 && v == 1) continue;
        index::ViewRow row;
        row.location_id = location(i), row.tile_id = source + "-" + tiles[v],
        row.acquired = dates[v], row.cloud_frac = clouds[v];
        rows.push_back(row);
        const std::vector<std::int64_t> shape = {is_sat ? 2 : 1, 8, 8};
        specs.push_back({location(i), location(i) + "." + tiles[v] + ".npy",
                         is_sat ? shard::DType::u16 : shard::DType::f32, shape, ""});
        std::vector<std::uint16_t> sat;
        std::vector<float> dem;
        for (int b = 0; b < 2; ++b)
          for (int p = 0; p < kPixels; ++p)
            sat.push_back(pixel(i, static_cast<int>(v), b, p)),
                dem.push_back(static_cast<float>(i + p));
        dem.resize(kPixels);
        const auto raw = is_sat ? bytes_of(sat) : bytes_of(dem);
        data.emplace_back(raw.begin(), raw.end());
      }
    shard::ShardWriter writer(workspace() / "shards" / (source + "-000000.tar"), specs);
    for (std::size_t i = 0; i < data.size(); ++i) writer.put(i, data[i]);
    const auto written = writer.publish();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& member = written.members[i];
      rows[i].place = index::MemberPlace{"shards/" + source + "-000000.tar", member.name,
                                         member.offset, member.length, member.sha256};
      index::insert(*manifest, rows[i]);
    }
  }

  void write_masks() {
    std::vector<shard::MemberSpec> specs;
    for (int i = 0; i < kCount; ++i)
      specs.push_back({location(i), location(i) + ".houses.npy", shard::DType::u8, {1, 8, 8}, ""});
    shard::ShardWriter writer(workspace() / "shards/houses-000000.tar", specs);
    for (int i = 0; i < kCount; ++i) {
      std::vector<std::uint8_t> mask(kPixels, i == 7 ? 255 : 0);
      if (i < 7) std::fill(mask.begin(), mask.begin() + 4 + i, 1), mask[63] = 255;
      writer.put(static_cast<std::size_t>(i), bytes_of(mask));
    }
    const auto written = writer.publish();
    for (int i = 0; i < kCount; ++i) {
      const auto& member = written.members[static_cast<std::size_t>(i)];
      index::MaskRow row;
      row.location_id = location(i), row.layer = "houses", row.ignore_frac = i == 7 ? 1 : 1 / 64.0;
      row.place = index::MemberPlace{"shards/houses-000000.tar", member.name, member.offset,
                                     member.length, member.sha256};
      index::insert(*manifest, row);
    }
  }

  /// The job of kJob with the dataset line `dataset`.
  Job job_with(const std::string& dataset) {
    std::string text = kJob;
    const auto begin = text.find("  town:");
    text.replace(begin, text.find('\n', begin) - begin, "  town: " + dataset);
    write_text(folder.path() / "job.yaml", text);
    return load_job(folder.path() / "job.yaml");
  }

  StageReport make(const std::string& dataset) {
    const auto job = job_with(dataset);
    return run_dataset({job, *manifest, workspace()}, {});
  }

  std::string error_of(const std::string& dataset, ErrorKind kind) {
    try {
      make(dataset);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  [[nodiscard]] fs::path town() const { return workspace() / "datasets/town"; }
  [[nodiscard]] std::vector<learn::SampleRow> rows(const std::string& name) const {
    return learn::read_part(town() / (name + ".tsv"));
  }
  [[nodiscard]] std::vector<std::string> samples(const std::string& name) const {
    std::vector<std::string> out;
    for (const auto& row : rows(name))
      if (out.empty() || out.back() != row.sample) out.push_back(row.sample);
    return out;
  }

  ScratchFolder folder;
  std::optional<index::Manifest> manifest;
};

TEST_F(DatasetStage, TrainsOnRepairedLabelsAndIsMeasuredAgainstTheJudge) {
  EXPECT_THAT(error_of("{inputs: [dem], target: houses_repaired}", ErrorKind::config), testing::HasSubstr("houses_repaired has no masks"));
  manifest->in_transaction([&] {
    for (auto mask : index::masks(*manifest, "houses")) {
      mask.layer = "houses_repaired";
      mask.place->shard = "shards/houses_repaired-000000.tar";
      if (mask.location_id != "loc1") index::insert(*manifest, mask);
      mask.layer = "survey";
      mask.place->shard = "shards/survey-000000.tar";
      index::insert(*manifest, mask);
    }
  });
  for (const char* name : {"houses_repaired", "survey"}) fs::copy_file(workspace() / "shards/houses-000000.tar", workspace() / "shards" / (std::string(name) + "-000000.tar"));
  make("{inputs: [dem], target: houses_repaired, judge: survey}");
  EXPECT_EQ(samples("train"), (std::vector<std::string>{"loc0.cccccccccccc", "loc2.cccccccccccc", "loc3.cccccccccccc"}));
  for (const auto& row : rows("train")) EXPECT_EQ(row.mask_shard, "shards/houses_repaired-000000.tar");
  ASSERT_FALSE(rows("val").empty());
  for (const auto& row : rows("val")) EXPECT_EQ(row.mask_shard, "shards/survey-000000.tar");
  for (const auto& row : rows("test")) EXPECT_EQ(row.mask_shard, "shards/survey-000000.tar");
  const auto target = learn::read_dataset(town() / "dataset.json").target;
  EXPECT_EQ(target.series, "houses_repaired");
  ASSERT_EQ(target.classes.size(), 2U);
  EXPECT_EQ(target.classes[1].name, "house");
}

TEST_F(DatasetStage, EveryViewIsASampleAndTheGuardIsLeftOut) {
  const auto report = make("{inputs: [{source: sat, bands: [nir, red]}], target: houses}");
  EXPECT_EQ(samples("train").size(), 7U);
  EXPECT_EQ(samples("val"), (std::vector<std::string>{"loc4.aaaaaaaaaaaa", "loc4.bbbbbbbbbbbb"}));
  EXPECT_EQ(samples("test").size(), 2U);
  const auto dataset = learn::read_dataset(town() / "dataset.json");
  EXPECT_EQ(dataset.left_out_all_ignore, 1);
  EXPECT_EQ(dataset.inputs[0].band_indices, (std::vector<int>{1, 0}));
  EXPECT_EQ(dataset.inputs[0].bands[0].scale, 0.0001);
  EXPECT_EQ(dataset.inputs[0].dtype, "uint16");
  EXPECT_EQ(dataset.inputs[0].size_px, 8);
  std::map<std::string, std::int64_t> counts(report.counts.begin(), report.counts.end());
  EXPECT_EQ(counts["town.guard"], 1);
  EXPECT_EQ(counts["town.all_ignore"], 1);
  const auto rejections = index::rejections(*manifest, "dataset");
  ASSERT_EQ(rejections.size(), 1U);
  EXPECT_EQ(rejections[0].subject, "town/loc7");
  EXPECT_EQ(rejections[0].reason, "all_ignore");
}

TEST_F(DatasetStage, StatisticsAndClassesAreOfTrainOnly) {
  make("{inputs: [sat], target: houses}");
  const auto dataset = learn::read_dataset(town() / "dataset.json");
  const auto& red = dataset.inputs[0].statistics[0];
  EXPECT_EQ(red.count, 7 * 64);
  EXPECT_EQ(red.min, 0);
  EXPECT_EQ(red.max, 3000 + 63);  // location 3 has one view; 4 to 7 are not in train or left out
  ASSERT_EQ(dataset.target.classes.size(), 2U);
  EXPECT_EQ(dataset.target.classes[1].name, "house");
  EXPECT_EQ(dataset.target.classes[1].pixels, 4 + 5 + 6 + 7);
  EXPECT_EQ(dataset.target.classes[0].pixels, 4 * 63 - 22);
}

TEST_F(DatasetStage, LatestAndBestChooseOneView) {
  make("{inputs: [sat], target: houses, views: latest}");
  EXPECT_EQ(samples("val"), std::vector<std::string>{"loc4"});
  EXPECT_EQ(rows("val")[0].view, "bbbbbbbbbbbb");
  make("{inputs: [sat], target: houses, views: best}");
  EXPECT_EQ(rows("val")[0].view, "aaaaaaaaaaaa");
}

TEST_F(DatasetStage, PairsKeepAllViewsOfALocation) {
  make("{inputs: [sat], views: pairs}");
  EXPECT_EQ(samples("train").size(),
            5U);  // without a target the mask of location 7 does not matter
  EXPECT_EQ(rows("val").size(), 2U);
  EXPECT_EQ(rows("val")[0].mask_shard, "-");
}

TEST_F(DatasetStage, SeveralInputsMeetNearestInTime) {
  make("{inputs: [dem, sat], target: houses}");
  const auto found = rows("val");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].input, 0);
  EXPECT_EQ(found[1].input, 1);
  EXPECT_EQ(found[1].view, "bbbbbbbbbbbb");  // 121 days away, the other 244
}

TEST_F(DatasetStage, PairsThatLieTooFarApartAreNoSample) {
  auto job = job_with("{inputs: [sat, dem], views: each}");
  const auto samples_with = [&](double max_days) {
    job.views->pairs = {{"sat", "dem", max_days}};
    run_dataset({job, *manifest, workspace()}, {});
    return rows("val");
  };
  EXPECT_EQ(samples_with(400).size(), 4U);
  const auto near = samples_with(121);
  ASSERT_EQ(near.size(), 2U);
  EXPECT_EQ(near[0].view, "bbbbbbbbbbbb");  // 121 days from the height, the other 244
}

TEST_F(DatasetStage, AllMarksTheInputThatALocationLacks) {
  index::remove_view(*manifest, location(4), "dem-cccccccccccc");
  const auto report = make("{inputs: [sat, dem], target: houses, views: all}");
  const auto found = rows("val");
  ASSERT_EQ(found.size(), 3U) << "both dates of sat, and a mark where the height would be";
  EXPECT_EQ(found[1].view, "bbbbbbbbbbbb");
  EXPECT_EQ(found[2].input, 1);
  EXPECT_EQ(found[2].location, location(4));
  EXPECT_THAT(learn::format_row(found[2]), testing::StartsWith("loc4\tloc4\t1\t-\t-\t-\t-\t-\tshards/houses"));
  EXPECT_EQ(found[2].length, 0);
  EXPECT_EQ(found[2].mask_shard, found[0].mask_shard) << "the label is the sample's";
  EXPECT_EQ(rows("test").size(), 3U);
  EXPECT_NE(rows("test")[2].shard, "-");
  EXPECT_THAT(report.counts, testing::Contains(testing::Pair("town.missing_views", 1)));
  make("{inputs: [sat, dem], target: houses, views: each}");
  EXPECT_TRUE(rows("val").empty()) << "a sample of one date needs all of its inputs";
}

TEST_F(DatasetStage, AllHasARowForEachPeriodWhetherItIsSeenOrNot) {
  auto job = job_with("{inputs: [sat, dem], views: all}");
  job.views->periods = {{"first", "2020-01-01", "2020-12-31"}, {"second", "2021-01-01", "2021-12-31"}, {"third", "2022-01-01", "2022-12-31"}};
  run_dataset({job, *manifest, workspace()}, {});
  std::vector<std::string> views;
  for (const auto& row : rows("val")) views.push_back(std::to_string(row.input) + row.view.substr(0, 1));
  EXPECT_EQ(views, (std::vector<std::string>{"0a", "0b", "0-", "1c", "1-", "1-"}));
  for (const auto& row : rows("train"))
    if (row.location == location(3)) views.push_back(row.view.substr(0, 1));
  EXPECT_EQ(std::vector<std::string>(views.begin() + 6, views.end()), (std::vector<std::string>{"a", "-", "-", "c", "-", "-"}));
}

TEST_F(DatasetStage, ASubsetFiltersTrainOnly) {
  manifest->in_transaction([&] {
    index::write_subset(*manifest, "good", "combined >= 0.6", {"loc1", "loc5"});
  });
  make("{inputs: [sat], target: houses, subset: good}");
  EXPECT_EQ(samples("train"), (std::vector<std::string>{"loc1.aaaaaaaaaaaa", "loc1.bbbbbbbbbbbb"}));
  EXPECT_EQ(samples("val").size(), 2U);
}

TEST_F(DatasetStage, SaysWhyASubsetOrTrainIsEmpty) {
  EXPECT_THAT(error_of("{inputs: [sat], target: houses, subset: good}", ErrorKind::config),
              HasSubstr("combined >= 0.6"));
  manifest->in_transaction(
      [&] { index::write_subset(*manifest, "good", "combined >= 0.6", {"loc5"}); });
  EXPECT_THAT(error_of("{inputs: [sat], target: houses, subset: good}", ErrorKind::failed),
              HasSubstr("5 outside the subset"));
  EXPECT_THAT(
      error_of("{inputs: [{source: sat, bands: [nri]}], target: houses}", ErrorKind::config),
      HasSubstr("nir"));
}

TEST_F(DatasetStage, GivesTheSameBytesAgain) {
  const auto hash = [&] { return learn::read_dataset(town() / "dataset.json").sha256; };
  make("{inputs: [sat, dem], target: houses}");
  const auto first = hash();
  make("{inputs: [sat, dem], target: houses}");
  EXPECT_EQ(hash(), first);
}

}  // namespace
}  // namespace tilewright::pipeline
