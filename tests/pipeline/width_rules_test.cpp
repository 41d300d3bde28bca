// SPDX-License-Identifier: Apache-2.0
// Widths as people write them, and the order of the rules.
#include "pipeline/stages/width_rules.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "geometry/error.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

using Attributes = std::map<std::string, std::string>;

TEST(ParseWidth, ReadsMetresFeetAndCommas) {
  EXPECT_DOUBLE_EQ(*parse_width_m("7"), 7);
  EXPECT_DOUBLE_EQ(*parse_width_m(" 7.5 m "), 7.5);
  EXPECT_DOUBLE_EQ(*parse_width_m("7,5"), 7.5);
  EXPECT_DOUBLE_EQ(*parse_width_m("7,5m"), 7.5);
  EXPECT_DOUBLE_EQ(*parse_width_m("3 metres"), 3);
  EXPECT_DOUBLE_EQ(*parse_width_m("23'"), 23 * 0.3048);
  EXPECT_DOUBLE_EQ(*parse_width_m("23 ft"), 23 * 0.3048);
  EXPECT_DOUBLE_EQ(*parse_width_m("12'6\""), 12 * 0.3048 + 6 * 0.0254);
  EXPECT_DOUBLE_EQ(*parse_width_m("12' 6\""), 12 * 0.3048 + 6 * 0.0254);
}

TEST(ParseWidth, RefusesWhatIsNotOneWidth) {
  for (const char* text : {"", " ", "0", "0.0 m", "-3", "+3", "1.2 km", "7;8", "7-8", "~7", "wide", "1e3", "7 m 5", "1.234,5", "nan",
                           "inf", ".", "5.", ".5", "12'15\"", "12'6", "7\"", "0x10", "7 mm", "99999999999999999999"})
    EXPECT_FALSE(parse_width_m(text)) << text;
}

WidthConfig all_rules() {
  WidthConfig config;
  config.attribute = "width";
  config.lanes = "lanes";
  config.shoulder_m = 1;
  config.classes = WidthClasses{"highway", "osm"};
  config.constant_m = 6;
  return config;
}

TEST(WidthRules, TakeTheFirstThatApplies) {
  const WidthRules rules(all_rules(), "");
    const auto check = [&](const Attributes& attributes, double metres, std::string_view rule) {
    const auto width = rules.width_of({attributes, {}});
    ASSERT_TRUE(width);
    EXPECT_DOUBLE_EQ(width->metres, metres);
    EXPECT_EQ(width->rule, rule);
  };
  check({{"width", "8"}, {"lanes", "2"}, {"highway", "primary"}}, 8, "attribute");
  check({{"width", "0"}, {"lanes", "2"}, {"highway", "primary"}}, 8.5, "lanes");  // a lane of 3.75 m
  check({{"width", "250"}, {"lanes", "2"}}, 8, "lanes");   // not believed
  check({{"width", "0.2"}, {"lanes", "2.0"}}, 8, "lanes");
  check({{"width", "?"}, {"lanes", "1;2"}, {"highway", "Residential"}}, 7, "classes");
  check({{"lanes", "0"}, {"highway", "primary"}}, 15, "classes");
  check({{"highway", "imaginary"}}, 6, "constant");
  check({}, 6, "constant");
  EXPECT_EQ(rules.fields(), (std::vector<std::string>{"width", "lanes", "highway"}));
}

TEST(ParseWidths, SeveralAreTheirMeanAndHalfTheirDifference) {
  EXPECT_DOUBLE_EQ(parse_widths_m("2.5;3")->metres, 2.75);
  EXPECT_DOUBLE_EQ(parse_widths_m("2.5;3")->spread_m, 0.25);
  EXPECT_DOUBLE_EQ(parse_widths_m("7 m; 23'")->metres, (7 + 23 * 0.3048) / 2);
  EXPECT_DOUBLE_EQ(parse_widths_m("7,5")->metres, 7.5);
  EXPECT_EQ(parse_widths_m("7,5")->spread_m, 0);
  for (const char* text : {"7;", ";7", "7;wide", "", "7-8"}) EXPECT_FALSE(parse_widths_m(text)) << text;
}

TEST(WidthRules, BelieveWhatTheClassMayHave) {
  const WidthRules rules(all_rules(), "");
  const auto width = [&](const char* highway, const char* metres) { return *rules.width_of({Attributes{{"highway", highway}, {"width", metres}}, {}}); };
  EXPECT_EQ(width("footway", "0.7").rule, "attribute");
  EXPECT_DOUBLE_EQ(width("footway", "0.7").metres, 0.7);
  EXPECT_EQ(width("motorway", "0.7").rule, "classes");
  EXPECT_EQ(width("footway", "64").rule, "classes");
  EXPECT_EQ(width("pedestrian", "50").rule, "attribute");
  EXPECT_EQ(width("nobody knows", "0.7").rule, "attribute") << "min_m of the job is 0.5";
}

TEST(WidthRules, OneWayLinesAreOneDirection) {
  WidthConfig config = all_rules();
  config.oneway = "oneway";
  const auto metres = [&](const Attributes& attributes) { return WidthRules(config, "").width_of({attributes, {}})->metres; };
  for (const char* yes : {"yes", "true", "1", "-1", "reverse"}) EXPECT_DOUBLE_EQ(metres({{"highway", "primary"}, {"oneway", yes}}), 7.5) << yes;
  for (const char* no : {"no", "None", "0", ""}) EXPECT_DOUBLE_EQ(metres({{"highway", "primary"}, {"oneway", no}}), 15) << no;
  EXPECT_DOUBLE_EQ(metres({{"highway", "motorway"}, {"oneway", "yes"}}), 15) << "one line a carriageway";
  EXPECT_DOUBLE_EQ(metres({{"highway", "residential"}, {"lanes", "2"}, {"oneway", "yes"}}), 8);
  config.lanes_per_direction = true;
  EXPECT_DOUBLE_EQ(metres({{"highway", "residential"}, {"lanes", "2"}}), 15);
  EXPECT_DOUBLE_EQ(metres({{"highway", "residential"}, {"lanes", "2"}, {"oneway", "yes"}}), 8);
  config.lane_m = 3;
  EXPECT_DOUBLE_EQ(metres({{"highway", "residential"}, {"lanes", "2"}}), 13);
}

TEST(WidthRules, SayWhatTheyReadAndHowSureTheyAre) {
  const WidthRules rules(all_rules(), "");
  const auto of = [&](const Attributes& attributes) { return *rules.width_of({attributes, {}}); };
  EXPECT_EQ(of({{"width", "7 m"}}).source, "width = 7 m");
  EXPECT_EQ(of({{"lanes", "2"}, {"highway", "primary"}}).source, "lanes = 2 x 3.75 m + 1 m");
  EXPECT_EQ(of({{"highway", "Residential"}}).source, "highway = Residential (osm)");
  EXPECT_EQ(of({}).source, "constant_m");
  EXPECT_LT(of({{"width", "7"}}).sigma_m, of({{"lanes", "2"}}).sigma_m);
  EXPECT_LT(of({{"lanes", "2"}}).sigma_m / 8, of({}).sigma_m / 6);
  EXPECT_DOUBLE_EQ(of({{"width", "3;9"}}).sigma_m, 3);
}

TEST(WidthRules, MayChangeAlongTheLineAndStandInAnotherOrder) {
  WidthConfig config = all_rules();
  config.attribute_end = "to";
  EXPECT_DOUBLE_EQ(*WidthRules(config, "").width_of({Attributes{{"width", "4"}, {"to", "9"}}, {}})->end_m, 9);
  EXPECT_FALSE(WidthRules(config, "").width_of({Attributes{{"width", "4"}, {"to", "0"}}, {}})->end_m);
  config.order = {"classes", "attribute", "lanes", "areas", "constant"};
  EXPECT_EQ(WidthRules(config, "").width_of({Attributes{{"width", "4"}, {"highway", "primary"}}, {}})->rule, "classes");
}

TEST(WidthRules, HoldInsideTheirAreas) {
  const TemporaryFolder folder;
  folder.write("towns.geojson", R"({"type":"FeatureCollection","features":[
    {"type":"Feature","properties":{"w":"9 m","class":null},"geometry":{"type":"Polygon","coordinates":[[[0,0],[2,0],[2,2],[0,2],[0,0]]]}},
    {"type":"Feature","properties":{"w":"4","class":"Residential"},"geometry":{"type":"Polygon","coordinates":[[[0,0],[2,0],[2,2],[0,2],[0,0]]]}},
    {"type":"Feature","properties":{"w":"wide","class":null},"geometry":{"type":"Polygon","coordinates":[[[5,5],[6,5],[6,6],[5,5]]]}}]})");
  WidthConfig config;
  config.classes = WidthClasses{"highway", "osm"};
  config.areas = WidthAreaConfig{"towns.geojson", "w", {}, "class"};
  config.constant_m = 6;
  config.order = {"attribute", "lanes", "areas", "classes", "constant"};
  const WidthAreas areas("roads", *config.areas, folder / "towns.geojson", geometry::wgs84(), {});
  WidthRules rules(config, "");
  rules.set_areas(&areas);
  const auto of = [&](const char* highway, geometry::MapXY place) { return *rules.width_of({Attributes{{"highway", highway}}, place}); };
  EXPECT_DOUBLE_EQ(of("residential", {1, 1}).metres, 4);
  EXPECT_EQ(of("residential", {1, 1}).source, "w of area 1");
  EXPECT_DOUBLE_EQ(of("primary", {1, 1}).metres, 9);
  EXPECT_EQ(of("primary", {3, 1}).rule, "classes");
  EXPECT_EQ(of("nothing", {5.8, 5.2}).rule, "constant") << "its polygon has no width";
  folder.write("none.geojson", R"({"type":"FeatureCollection","features":[]})");
  EXPECT_THROW(WidthAreas("roads", WidthAreaConfig{"none.geojson", "w", {}, {}}, folder / "none.geojson", geometry::wgs84(), {}), Error);
}

TEST(WidthRules, WithoutConstantMayHaveNone) {
  WidthConfig config = all_rules();
  config.constant_m.reset();
  EXPECT_FALSE(WidthRules(config, "").width_of({Attributes{{"highway", "imaginary"}}, {}}));
}

TEST(WidthRules, KnowTheBuiltInTables) {
  WidthConfig config;
  config.classes = WidthClasses{"nature", "france"};
  EXPECT_DOUBLE_EQ(WidthRules(config, "").width_of({Attributes{{"nature", "Route à 1 chaussée"}}, {}})->metres, 5);
  config.classes = WidthClasses{"importance", "france"};
  EXPECT_DOUBLE_EQ(WidthRules(config, "").width_of({Attributes{{"importance", "5"}}, {}})->metres, 3.5);
  config.classes = WidthClasses{"road_type", "spacenet"};
  EXPECT_DOUBLE_EQ(WidthRules(config, "").width_of({Attributes{{"road_type", "5"}}, {}})->metres, 7);
  EXPECT_TRUE(is_width_table("osm"));
  EXPECT_FALSE(is_width_table("table.csv"));
}

TEST(WidthRules, ReadATableFile) {
  const TemporaryFolder folder;
  folder.write("widths.csv", "class,metres\r\nHighway,11.5\r\n\"forest road\",3,5\n");
  WidthConfig config;
  config.classes = WidthClasses{"kind", "widths.csv"};
  EXPECT_DOUBLE_EQ(WidthRules(config, folder / "widths.csv").width_of({Attributes{{"kind", "highway"}}, {}})->metres, 11.5);
  folder.write("bad.csv", "class,metres\nhighway,wide\n");
  try {
    WidthRules(config, folder / "bad.csv");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos) << error.what();
  }
  EXPECT_THROW(WidthRules(config, folder / "missing.csv"), Error);
}

TEST(WidthTable, HasColumnsByNameAndComments) {
  const TemporaryFolder folder;
  folder.write("w.csv", "# a source\nclass;metres;lane_m;min_m;max_m;sigma_m\nAllee;6;2,75;3;12;0.5\nPfad;1;;;;\n");
  const auto table = read_width_table(folder / "w.csv");
  EXPECT_DOUBLE_EQ(*table.at("allee").lane_m, 2.75);
  EXPECT_DOUBLE_EQ(*table.at("allee").sigma_m, 0.5);
  EXPECT_FALSE(table.at("pfad").max_m);
  for (const char* bad : {"class,metres,colour\na,3,red\n", "class,lane_m\na,3\n", "class,metres,min_m\na,3,4\n", "class,metres\na,3,4,5\n", "a,-3\n", "# nothing\n", ""}) {
    folder.write("bad.csv", bad);
    EXPECT_THROW(read_width_table(folder / "bad.csv"), Error) << bad;
  }
}

class WidthTables : public testing::TestWithParam<std::string> {};
TEST_P(WidthTables, NameTheirSourceAndHoldTogether) {
  const auto file = *find_width_table(GetParam());
  std::ifstream in(file);
  std::string text(std::istreambuf_iterator<char>(in), {});
  EXPECT_NE(text.find("Source"), std::string::npos) << file;
  for (const auto& [name, width] : read_width_table(file)) {
    EXPECT_LE(width.oneway_m.value_or(0), width.metres) << name;
    EXPECT_LT(width.min_m.value(), width.max_m.value()) << name;
    EXPECT_LE(width.min_m.value(), width.oneway_m.value_or(width.metres)) << name;
  }
}
INSTANTIATE_TEST_SUITE_P(All, WidthTables, testing::ValuesIn(width_table_names()), [](const auto& each) { return each.param; });

}  // namespace
}  // namespace tilewright::pipeline
