// SPDX-License-Identifier: Apache-2.0
// Widths as people write them, and the order of the rules.
#include "pipeline/stages/width_rules.h"

#include <gtest/gtest.h>

#include "geometry/error.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

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
  using Attributes = std::map<std::string, std::string>;
  const auto check = [&](const Attributes& attributes, double metres, std::string_view rule) {
    const auto width = rules.width_of(attributes);
    ASSERT_TRUE(width);
    EXPECT_DOUBLE_EQ(width->metres, metres);
    EXPECT_EQ(width->rule, rule);
  };
  check({{"width", "8"}, {"lanes", "2"}, {"highway", "primary"}}, 8, "attribute");
  check({{"width", "0"}, {"lanes", "2"}, {"highway", "primary"}}, 8, "lanes");
  check({{"width", "250"}, {"lanes", "2"}}, 8, "lanes");   // not believed
  check({{"width", "0.2"}, {"lanes", "2.0"}}, 8, "lanes");
  check({{"width", "?"}, {"lanes", "1;2"}, {"highway", "Residential"}}, 7, "classes");
  check({{"lanes", "0"}, {"highway", "primary"}}, 15, "classes");
  check({{"highway", "imaginary"}}, 6, "constant");
  check({}, 6, "constant");
  EXPECT_EQ(rules.fields(), (std::vector<std::string>{"width", "lanes", "highway"}));
}

TEST(WidthRules, WithoutConstantMayHaveNone) {
  WidthConfig config = all_rules();
  config.constant_m.reset();
  EXPECT_FALSE(WidthRules(config, "").width_of({{"highway", "imaginary"}}));
}

TEST(WidthRules, KnowTheBuiltInTables) {
  WidthConfig config;
  config.classes = WidthClasses{"nature", "france"};
  EXPECT_DOUBLE_EQ(WidthRules(config, "").width_of({{"nature", "Route à 1 chaussée"}})->metres, 5);
  config.classes = WidthClasses{"importance", "france"};
  EXPECT_DOUBLE_EQ(WidthRules(config, "").width_of({{"importance", "5"}})->metres, 3.5);
  config.classes = WidthClasses{"road_type", "spacenet"};
  EXPECT_DOUBLE_EQ(WidthRules(config, "").width_of({{"road_type", "5"}})->metres, 7);
  EXPECT_TRUE(is_width_table("osm"));
  EXPECT_FALSE(is_width_table("table.csv"));
}

TEST(WidthRules, ReadATableFile) {
  const TemporaryFolder folder;
  folder.write("widths.csv", "class,metres\r\nHighway,11.5\r\n\"forest road\",3,5\n");
  WidthConfig config;
  config.classes = WidthClasses{"kind", "widths.csv"};
  EXPECT_DOUBLE_EQ(WidthRules(config, folder / "widths.csv").width_of({{"kind", "highway"}})->metres, 11.5);
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

}  // namespace
}  // namespace tilewright::pipeline
