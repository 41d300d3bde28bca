// SPDX-License-Identifier: Apache-2.0
// Targets: one value a location from names, tables and masks, or a reason; and datasets that use them by date.
#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "geometry/error.h"
#include "index/shard/shard_reader.h"
#include "learn/config/dataset_file.h"
#include "pipeline/config/target_rule.h"
#include "pipeline/config/valid_period.h"
#include "pipeline/report/report.h"
#include "pipeline/stages/target_value.h"
#include "tests/pipeline/job_text.h"
#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {
namespace {

using ::testing::HasSubstr;

TEST(ValidPeriod, ReadsDaysAndYears) {
  EXPECT_EQ(period_of("2018"), (ValidPeriod{"2018-01-01T00:00:00.000Z", "2018-12-31T00:00:00.000Z"}));
  for (const char* text : {"2018-05-07", "20180507", "2018/05/07", "2018-05-07T10:11:12", " 2018/05/07 00:00:00 "})
    EXPECT_EQ(period_of(text), (ValidPeriod{"2018-05-07T00:00:00.000Z", "2018-05-07T00:00:00.000Z"})) << text;
  for (const char* text : {"", "18", "2018-13-01", "2018-02-30", "07.05.2018", "2018-0507", "x2018"}) EXPECT_FALSE(period_of(text)) << text;
  EXPECT_EQ(period_of("2017", "2018-03-01")->to, "2018-03-01T00:00:00.000Z");
  EXPECT_FALSE(period_of("2018", "2017"));
}

TEST(ValidPeriod, MeasuresDaysToItsFirstAndLastDay) {
  const auto period = *period_of("2018-05-07", "2018-05-09");
  EXPECT_EQ(days_from(period, "2018-05-07T00:00:00.000Z"), 0);
  EXPECT_EQ(days_from(period, "2018-05-09T23:59:59.000Z"), 0) << "the last day belongs to it";
  EXPECT_EQ(days_from(period, "2018-05-05T00:00:00.000Z"), 2);
  EXPECT_EQ(days_from(period, "2018-05-11T00:00:00.000Z"), 2);
  EXPECT_TRUE(std::isinf(days_from(period, std::nullopt)));
  EXPECT_EQ(days_from({}, "2018-05-11T00:00:00.000Z"), 0);
  EXPECT_TRUE(shares_year(period, "2018-12-31T00:00:00.000Z"));
  EXPECT_FALSE(shares_year(period, "2019-01-01T00:00:00.000Z"));
  EXPECT_FALSE(shares_year(period, std::nullopt));
}

TEST(TargetRule, IsMajorityOrAShare) {
  EXPECT_FALSE(parse_target_rule("majority")->share);
  EXPECT_EQ(parse_target_rule("share >= 0.1")->share, 0.1);
  EXPECT_EQ(parse_target_rule("share>=1")->share, 1);
  for (const char* text : {"", "Majority", "share > 0.1", "share >= 0", "share >= 1.1", "share >= x"}) EXPECT_FALSE(parse_target_rule(text)) << text;
}

TEST(TargetOfMask, CountsOnlyPixelsThatAreNotIgnored) {
  std::array<std::int64_t, 256> pixels{};
  pixels[2] = 40, pixels[3] = 40, pixels[7] = 9, pixels[8] = 11, pixels[255] = 1000;
  EXPECT_EQ(target_of_mask(pixels, "majority"), "2") << "of equals the smaller";
  EXPECT_EQ(target_of_mask(pixels, "share >= 0.1"), "[2,3,8]") << "a share that is equal counts";
  EXPECT_EQ(target_of_mask(pixels, "share >= 0.9"), "[]");
  pixels = {};
  pixels[255] = 5;
  EXPECT_THROW(target_of_mask(pixels, "majority"), index::ItemError);
}

TEST(TargetReader, WritesEachKindInOneWay) {
  const auto read = [](TargetConfig config, const std::vector<std::string>& cells) { return TargetReader(config).read(cells); };
  EXPECT_EQ(read({}, {" River \r"}), "River");
  EXPECT_EQ(read({.kind = "classes"}, {"b; a;b"}), R"(["a","b"])");
  EXPECT_EQ(read({.kind = "classes"}, {""}), "[]");
  EXPECT_EQ(read({.value = {"x", "y"}, .kind = "classes"}, {"0", "1"}), R"(["y"])");
  EXPECT_EQ(read({.kind = "scalar"}, {"1.50"}), "1.5");
  EXPECT_EQ(read({.kind = "scalar"}, {"-0"}), "0.0");
  EXPECT_EQ(read({.value = {"x", "y"}, .kind = "vector"}, {"1", "2.5"}), "[1.0,2.5]");
  const auto reason = [&](const TargetConfig& config, const std::vector<std::string>& cells) {
    try {
      read(config, cells);
    } catch (const index::ItemError& error) {
      return std::string(index::code(error.reason()));
    }
    return std::string("read");
  };
  EXPECT_EQ(reason({}, {"  "}), "no_class");
  EXPECT_EQ(reason({.classes = {"a"}}, {"b"}), "no_class");
  EXPECT_EQ(reason({.kind = "scalar"}, {"nan"}), "bad_value");
  EXPECT_EQ(reason({.kind = "scalar"}, {"3 m"}), "bad_value");
  EXPECT_EQ(reason({.value = {"x", "y"}, .kind = "classes"}, {"0", "maybe"}), "bad_value");
}

TEST(TargetConfigs, MistakesAreFoundAllAtOnce) {
  const auto problems = problems_of(kSmallJob + R"(views: {placement: whole}
layers: {lc: {raster: lc.tif, valid: {field: date}}, v: {vector: v.gpkg, valid: {from: 2019, to: 2018}}}
targets:
  a: {name: 'x', table: t.csv}
  b: {table: t.csv, value: [x, y]}
  c: {layer: lc, rule: 'share > 0.1'}
  d: {layer: lc, rule: majority, kind: scalar}
  e: {name: '(x)', rule: majority, unit: m, to: last}
  f: {field: height}
)");
  for (const char* text : {"targets.a: needs exactly one of name, field, table or layer, found 2", "captures nothing", "table needs key", "kind class has one column",
                           "expected majority, or 'share >= 0.1'", "targets.d.kind", "targets.e.rule: is used only with layer", "targets.e.unit", "belong to table:",
                           "targets.f.field: is used only with views", "layers.lc.valid.field: is used only with vector", "layers.v.valid.to: lies before from"})
    EXPECT_THAT(problems, HasSubstr(text));
}

/// Chips <class>_<number>_<date>.tif, each with a mask layer of its own pixels.
class TargetsTest : public ::testing::Test {
 protected:
  TargetsTest() {
    bench_.job.sources[0].second.date = DateConfig{.name = "_(\\d{8})", .format = "%Y%m%d"};
    bench_.job.views = ViewsConfig{.placement = index::Placement::whole};
  }
  void chip(const std::string& name, int place, int value = 1) const {
    TinyRaster raster;
    raster.transform = {500000.0 + 200 * place, 10, 0, 5000000, 0, -10};
    raster.pixel = [value](int, int col, int row) { return value + col + 8 * row; };
    bench_.write(name, raster);
  }
  index::Manifest views() const {
    auto m = bench_.manifest();
    bench_.run(run_scan, m);
    bench_.run(run_graph, m);
    bench_.run(run_views, m);
    return m;
  }
  /// Values of a target by the path of the location's first tile.
  static std::map<std::string, std::string> values(index::Manifest& m, const std::string& name) {
    std::map<std::string, std::string> out;
    for (const auto& row : index::targets(m, name)) {
      const auto path = index::tile(m, index::views(m, row.location_id)[0].tile_id)->path.substr(5);
      out[path + (row.valid_from ? "@" + row.valid_from->substr(0, 10) + "/" + row.valid_to->substr(0, 10) : "")] = row.value;
    }
    return out;
  }
  static std::map<std::string, int> reasons(index::Manifest& m, const std::string& stage = "label") {
    std::map<std::string, int> out;
    for (const auto& row : index::rejections(m, stage)) ++out[row.subject.substr(0, row.subject.find('/')) + " " + row.reason];
    return out;
  }
  StageBench bench_;
};

TEST_F(TargetsTest, NamesGiveClassesAndContradictionsNone) {
  chip("River_1_20200101.tif", 0);
  chip("River_2_20200201.tif", 0, 2);
  chip("Forest_3_20200101.tif", 1);
  chip("Forest_4_20200101.tif", 2);
  chip("River_5_20200201.tif", 2, 5);   // the same place as Forest_4
  chip("9_20200101.tif", 3);
  bench_.job.targets = {{"scene", TargetConfig{.name = "^([A-Za-z]+)_"}}};
  auto m = views();
  const auto report = bench_.run(run_label, m);
  EXPECT_EQ(values(m, "scene"), (std::map<std::string, std::string>{{"River_1_20200101.tif", "River"}, {"Forest_3_20200101.tif", "Forest"}}));
  EXPECT_EQ(reasons(m), (std::map<std::string, int>{{"scene contradiction", 1}, {"scene no_class", 1}}));
  EXPECT_EQ(count_of(report, "scene.with_value") + count_of(report, "scene.contradiction") + count_of(report, "scene.no_class"),
            static_cast<std::int64_t>(index::locations(m).size()));
  const auto row = index::targets(m)[0];
  EXPECT_EQ(row.kind, "class");
  EXPECT_EQ(row.source, "name");
}

TEST_F(TargetsTest, TablesNameFilesAndLocationsAndEveryRowCounts) {
  for (int n = 0; n < 5; ++n) chip("c" + std::to_string(n) + "_20200101.tif", n);
  auto m = views();
  const auto id = index::locations(m)[0].location_id;
  const auto named = index::tile(m, index::views(m, id)[0].tile_id)->path.substr(5);
  std::string table = "id,height,note\n" + id + ",12.5,\n";
  std::vector<std::string> files;
  for (const auto& tile : index::tiles(m))
    if (tile.path.substr(5) != named) files.push_back(tile.path.substr(5));
  table += files[0] + ",7,\"a, b\"\n" + files[1].substr(0, files[1].size() - 4) + ",high,\nnowhere.tif,3,\n" + files[2] + ",1,\n" + files[2] + ",2,\n";
  bench_.write_text("data/heights.csv", table);
  bench_.job.targets = {{"height", TargetConfig{.table = "data:heights.csv", .key = "id", .value = {"height"}, .kind = "scalar", .unit = "m"}}};
  const auto report = bench_.run(run_label, m);
  EXPECT_EQ(values(m, "height"), (std::map<std::string, std::string>{{named, "12.5"}, {files[0], "7.0"}}));
  EXPECT_EQ(reasons(m), (std::map<std::string, int>{{"height bad_value", 1}, {"height no_partner", 2}, {"height contradiction", 1}}));
  EXPECT_EQ(index::targets(m)[0].unit, "m");
  EXPECT_EQ(count_of(report, "height.with_value"), 2);
}

TEST_F(TargetsTest, NothingThatFitsIsAnError) {
  chip("c_20200101.tif", 0);
  bench_.job.targets = {{"scene", TargetConfig{.name = "^(River)_"}}};
  auto m = views();
  try {
    bench_.run(run_label, m);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("none of 1 locations"));
    EXPECT_THAT(error.what(), HasSubstr("does not match '^(River)_'"));
  }
  bench_.write_text("data/t.csv", "file,class\n");
  bench_.job.targets = {{"scene", TargetConfig{.table = "data:t.csv", .key = "fil", .value = {"class"}}}};
  try {
    bench_.run(run_label, m);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'file'"));
  }
}

TEST_F(TargetsTest, MasksGiveTheClassOfMostPixelsOrAllThatCoverEnough) {
  chip("c_20200101.tif", 0);
  chip("d_20200101.tif", 1);
  TinyRaster label;                                              // 28 x 6 pixels over both chips
  label.width = 28;
  label.transform = {500000, 10, 0, 5000000, 0, -10};
  label.pixel = [](int, int col, int row) { return col >= 20 ? 255 : row < 3 ? 4 : col < 4 ? 9 : row == 3 ? 0 : 255; };  // d lies at col 20
  label.nodata = 255;
  bench_.write("labels/l.tif", label);
  bench_.job.layers = {{"l", LayerConfig{.raster = "data:labels/l.tif"}}};
  bench_.job.targets = {{"main", TargetConfig{.layer = "l", .rule = "majority"}}, {"many", TargetConfig{.layer = "l", .rule = "share >= 0.2"}}};
  auto m = views();
  bench_.run(run_label, m);
  // c: rows 0-2 class 4 (24 pixels); rows 3-5: 12 of class 9 and 4 of class 0; the rest is not known
  EXPECT_EQ(values(m, "main"), (std::map<std::string, std::string>{{"c_20200101.tif", "4"}}));
  EXPECT_EQ(values(m, "many"), (std::map<std::string, std::string>{{"c_20200101.tif", "[4,9]"}}));
  EXPECT_EQ(reasons(m), (std::map<std::string, int>{{"main all_ignore", 1}, {"many all_ignore", 1}}));
}

TEST_F(TargetsTest, ThreadsAndRepetitionsChangeNothing) {
  for (int n = 0; n < 6; ++n) chip(std::string(n % 2 == 0 ? "A" : "B") + "_" + std::to_string(n) + "_20200101.tif", n);
  bench_.job.targets = {{"scene", TargetConfig{.name = "^([A-Z])_"}}};
  auto m = views();
  bench_.run(run_label, m, 1);
  const auto once = index::canonical_dump(m);
  bench_.run(run_label, m, 4);
  EXPECT_EQ(index::canonical_dump(m), once);
}

/// Three dates of one place, values of a table with periods.
class DatedTest : public TargetsTest {
 protected:
  DatedTest() {
    for (const char* date : {"20180601", "20190601", "20200601"}) chip("c_" + std::string(date) + ".tif", 0, date[3]);
    bench_.write_text("data/t.csv", "file,v,from,to\nc_20180601,1,2018,\nc_20180601,2,2019-05-01,2019-05-20\nc_20180601,4,2021-01-01,2021-03-01\n");
    bench_.job.targets = {{"v", TargetConfig{.table = "data:t.csv", .key = "file", .value = {"v"}, .kind = "scalar", .from = "from", .to = "to"}}};
    dataset_.target = "v";
  }
  /// Target of each date's sample.
  std::map<std::string, std::string> made() {
    auto m = views();
    bench_.run(run_extract, m);
    bench_.run(run_label, m);
    bench_.job.datasets = {{"d", dataset_}};
    report_ = bench_.run(run_dataset, m);
    std::map<std::string, std::string> out;
    for (const auto& row : learn::read_part(m.file().parent_path() / "datasets/d/train.tsv")) out[row.acquired.substr(0, 4)] = row.target;
    file_ = learn::read_dataset(m.file().parent_path() / "datasets/d/dataset.json");
    rejected_ = reasons(m, "dataset");
    return out;
  }
  using Values = std::map<std::string, std::string>;
  DatasetConfig dataset_{.inputs = {{"s", {}}}};
  StageReport report_;
  learn::DatasetFile file_;
  std::map<std::string, int> rejected_;
};

TEST_F(DatedTest, WithoutAWordTheViewMustLieInThePeriod) {
  EXPECT_EQ(made(), (Values{{"2018", "1.0"}}));
  EXPECT_EQ(rejected_, (std::map<std::string, int>{{"d no_partner", 2}}));
  EXPECT_EQ(count_of(report_, "d.views_without_label"), 2);
  EXPECT_EQ(file_.target.kind, "scalar");
  EXPECT_EQ(file_.target.name, "v");
  ASSERT_EQ(file_.target.statistics.size(), 1U);
  EXPECT_EQ(file_.target.statistics[0].count, 1);
}

TEST_F(DatedTest, TheSameYearIsEnoughIfTheJobSaysSo) {
  dataset_.match = "same_year";
  EXPECT_EQ(made(), (Values{{"2018", "1.0"}, {"2019", "2.0"}}));
}

TEST_F(DatedTest, TheNearestDateIsTakenWithinItsDays) {
  dataset_.match = "nearest_date";
  EXPECT_EQ(made(), (Values{{"2018", "1.0"}, {"2019", "2.0"}, {"2020", "4.0"}})) << "2020-06-01 is 214 days from 2021-01-01 and 378 from 2019-05-20";
  dataset_.match_days = 12;
  EXPECT_EQ(made(), (Values{{"2018", "1.0"}, {"2019", "2.0"}})) << "2019-06-01 is 12 days from 2019-05-20";
  dataset_.match_days = 11;
  EXPECT_EQ(made(), (Values{{"2018", "1.0"}}));
}

TEST_F(DatedTest, MeansAreOfAllValuesOrOfThoseWithinTheDays) {
  dataset_.match = "mean";
  EXPECT_EQ(made(), (Values{{"2018", "2.3333333333333335"}, {"2019", "2.3333333333333335"}, {"2020", "2.3333333333333335"}}));
  dataset_.match_days = 300;
  EXPECT_EQ(made(), (Values{{"2018", "1.0"}, {"2019", "1.5"}, {"2020", "4.0"}}));
  bench_.job.targets[0].second.kind = "class";
  EXPECT_THROW(made(), Error) << "classes have no mean";
}

TEST_F(DatedTest, AnyTakesTheFirstWhateverTheDate) {
  dataset_.match = "any";
  EXPECT_EQ(made(), (Values{{"2018", "1.0"}, {"2019", "1.0"}, {"2020", "1.0"}}));
}

TEST_F(DatedTest, LatestIsTheNewestViewThatHasALabel) {
  dataset_.match = "same_year";
  dataset_.views = "latest";
  EXPECT_EQ(made(), (Values{{"2019", "2.0"}}));
}

TEST_F(DatedTest, ObjectsWithDatesMakeAMaskADate) {
  const auto box = [](double x0, double x1, const std::string& day) {
    const auto point = [](double x, double y) { return "[" + std::to_string(x) + "," + std::to_string(y) + "]"; };
    return R"({"type":"Feature","properties":{"day":)" + day + R"(},"geometry":{"type":"Polygon","coordinates":[[)" + point(x0, 4999940) + "," + point(x1, 4999940) + "," +
           point(x1, 5000000) + "," + point(x0, 5000000) + "," + point(x0, 4999940) + "]]}}";
  };
  bench_.write_text("data/l.geojson", R"({"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::32633"}},"features":[)" +
                                          box(500000, 500020, "\"2018-06-01\"") + "," + box(500000, 500040, "\"2019-06-01\"") + "," + box(500060, 500080, "\"soon\"") + "," +
                                          box(700000, 700060, "\"2020-06-01\"") + "]}");
  bench_.job.layers = {{"l", LayerConfig{.vector = "data:l.geojson", .valid = ValidConfig{.field = "day"}}}};
  bench_.job.targets.clear();
  dataset_.target = "l";
  dataset_.match = "nearest_date";
  made();
  auto m = bench_.manifest();
  const auto masks = index::masks(m, "l");
  ASSERT_EQ(masks.size(), 2U) << "nobody looked here in 2020";
  EXPECT_EQ(masks[0].place->member, masks[0].location_id + ".l-20180601.npy");
  EXPECT_EQ(masks[0].valid_to, "2018-06-01T00:00:00.000Z");
  EXPECT_EQ(masks[0].ignore_frac, 0.75) << "the survey of 2018 covers two of eight columns";
  EXPECT_EQ(masks[1].ignore_frac, 0.5);
  EXPECT_EQ(masks[1].valid_from, "2019-06-01T00:00:00.000Z");
  EXPECT_EQ(reasons(m), (std::map<std::string, int>{{"l bad_date", 1}, {"l outside_rasters", 1}}));
  std::map<std::string, std::int64_t> offsets;
  for (const auto& row : learn::read_part(m.file().parent_path() / "datasets/d/train.tsv")) offsets[row.acquired.substr(0, 4)] = row.mask_offset;
  EXPECT_EQ(offsets, (std::map<std::string, std::int64_t>{{"2018", masks[0].place->byte_offset}, {"2019", masks[1].place->byte_offset}, {"2020", masks[1].place->byte_offset}}));
}

TEST_F(DatedTest, LayerWithAPeriodIsForViewsOfThatPeriod) {
  TinyRaster label;
  label.transform = {500000, 10, 0, 5000000, 0, -10};
  label.pixel = [](int, int, int) { return 1; };
  bench_.write("labels/l.tif", label);
  bench_.job.layers = {{"l", LayerConfig{.raster = "data:labels/l.tif", .valid = ValidConfig{.from = "2019", .to = "2020-01-31"}}}};
  bench_.job.targets.clear();
  dataset_.target = "l";
  EXPECT_EQ(made(), (Values{{"2019", "-"}}));
  auto m = bench_.manifest();
  EXPECT_EQ(index::masks(m, "l")[0].valid_to, "2020-01-31T00:00:00.000Z");
  EXPECT_THAT(index::masks(m, "l")[0].place->member, HasSubstr(".l-20190101.npy"));
}

TEST_F(TargetsTest, DatasetsCarryClassIdsAndTheirNames) {
  for (int n = 0; n < 6; ++n) chip(std::string(n % 3 == 0 ? "Rock" : "Forest") + "_" + std::to_string(n) + "_20200101.tif", n);
  bench_.job.targets = {{"scene", TargetConfig{.name = "^([A-Za-z]+)_"}}};
  bench_.job.datasets = {{"d", DatasetConfig{.inputs = {{"s", {}}}, .target = "scene"}}};
  auto m = views();
  bench_.run(run_extract, m);
  bench_.run(run_label, m);
  bench_.run(run_dataset, m);
  const auto file = learn::read_dataset(m.file().parent_path() / "datasets/d/dataset.json");
  EXPECT_EQ(file.target.kind, "class");
  ASSERT_EQ(file.target.classes.size(), 2U);
  EXPECT_EQ(file.target.classes[0].name, "Forest");
  EXPECT_EQ(file.target.classes[0].samples, 4);
  EXPECT_EQ(file.target.classes[1].name, "Rock");
  EXPECT_EQ(file.target.classes[1].id, 1);
  std::map<std::string, int> counts;
  for (const auto& row : learn::read_part(m.file().parent_path() / "datasets/d/train.tsv")) ++counts[row.target];
  EXPECT_EQ(counts, (std::map<std::string, int>{{"0", 4}, {"1", 2}}));
}

TEST_F(TargetsTest, ReportShowsHowTheValuesAreSpread) {
  for (int n = 0; n < 6; ++n) chip(std::string(n % 3 == 0 ? "Rock" : "Forest") + "_" + std::to_string(n) + "_20200101.tif", n);
  bench_.job.targets = {{"scene", TargetConfig{.name = "^([A-Za-z]+)_"}}, {"number", TargetConfig{.name = "_(\\d)_", .kind = "scalar", .unit = "m"}}};
  {
    auto m = views();
    bench_.run(run_label, m);
    m.in_transaction([&] { index::set_location_split(m, index::locations(m)[0].location_id, "train"); });
  }
  const auto workspace = bench_.manifest().file().parent_path();
  std::ifstream page(write_report(bench_.job, workspace));
  const std::string html{std::istreambuf_iterator<char>(page), {}}, open = "id=\"report-data\">";
  const auto begin = html.find(open) + open.size();
  const auto targets = nlohmann::json::parse(html.substr(begin, html.find("</script>", begin) - begin))["targets"];
  ASSERT_EQ(targets.size(), 2U);
  EXPECT_EQ(targets[0]["charts"][0]["labels"], (std::vector<std::string>{"Forest", "Rock"})) << "the most frequent first";
  std::int64_t locations = 0;
  for (const auto& target : targets)
    for (const auto& series : target["charts"][0]["series"])
      for (const auto& number : series["data"]) locations += number.get<std::int64_t>();
  EXPECT_EQ(locations, 12) << "each location once in each target";
  EXPECT_EQ(targets[0]["charts"][0]["series"].size(), 2U) << "train, and those without a part";
  EXPECT_EQ(targets[1]["charts"][0]["x"], "m");
  EXPECT_NE(html.find("6 of 6 locations have a value"), std::string::npos);
}

TEST_F(TargetsTest, SampleIsEvenOverClassesOfAName) {
  for (int n = 0; n < 20; ++n) chip(std::string(n < 4 ? "Rare" : "Often") + "_" + std::to_string(n) + "_20200101.tif", n);
  bench_.job.targets = {{"scene", TargetConfig{.name = "^([A-Za-z]+)_"}}};
  bench_.job.views->sample = SampleConfig{.count = 6, .stratify = {"scene"}};
  auto m = views();
  ASSERT_EQ(index::locations(m).size(), 6U);
  bench_.run(run_label, m);
  std::map<std::string, int> counts;
  for (const auto& [path, value] : values(m, "scene")) ++counts[value];
  EXPECT_EQ(counts, (std::map<std::string, int>{{"Often", 3}, {"Rare", 3}}));
  EXPECT_EQ(reasons(m, "views").size(), 14U) << "each tile that nothing shows says so";

  std::set<std::string> before, after;
  for (const auto& row : index::locations(m)) before.insert(row.location_id);
  for (int n = 20; n < 40; ++n) chip("New_" + std::to_string(n) + "_20200101.tif", n);
  bench_.job.views->sample->count = 9;
  bench_.run(run_scan, m);
  bench_.run(run_graph, m);
  bench_.run(run_views, m);
  for (const auto& row : index::locations(m)) after.insert(row.location_id);
  EXPECT_EQ(after.size(), 9U);
  EXPECT_TRUE(std::ranges::includes(after, before)) << "old picks stay";
}

}  // namespace
}  // namespace tilewright::pipeline
