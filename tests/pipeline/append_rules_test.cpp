// SPDX-License-Identifier: Apache-2.0
// Random histories of an archive, plain and under each rule of the views.
#include <cmath>

#include "tests/pipeline/append_world.h"

namespace tilewright::pipeline {
namespace {

/// Clouds of nodata, so that windows are valid in some tiles and not in others.
TinyRaster speckled(std::mt19937& random) {
  const auto step = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  auto raster = at(500000 + 10 * step(40), 5000000 - 10 * step(40), step(1000), 20 + step(30), 20 + step(30));
  const int hole_col = step(40), hole_row = step(40), hole = step(12), seed = step(1000);
  raster.pixel = [=](int, int col, int row) {
    const bool is_hole = std::abs(col - hole_col) < hole && std::abs(row - hole_row) < hole;
    return is_hole ? 0 : 1 + (seed + col * 7 + row * 13) % 250;
  };
  return raster;
}

/// What holds of any plan, found by looking at every tile and every window.
void expect_sound(const StageBench& bench, index::Manifest& m) {
  std::map<std::string, geometry::Bitmask> valid;
  std::map<std::string, geometry::Affine> affine;
  for (const auto& row : index::tiles(m, "", "ok")) {
    const auto reader = open_tile(bench.job, m, row);
    valid[row.tile_id] = reader.valid_mask();
    affine[row.tile_id] = reader.affine();
  }
  const auto locations = index::locations(m);
  for (const auto& location : locations) {
    std::set<std::string> seen;
    for (const auto& view : index::views(m, location.location_id)) seen.insert(view.tile_id);
    EXPECT_EQ(static_cast<int>(seen.size()), location.view_count);
    EXPECT_GE(location.view_count, bench.job.views->min_views);
    std::set<std::string> covering;
    for (const auto& [tile_id, mask] : valid) {
      const auto col = std::llround((location.ulx - affine[tile_id].c) / 10), row = std::llround((affine[tile_id].f - location.uly) / 10);
      bool is_covered = true;
      for (int y = 0; y < location.size_px && is_covered; ++y)
        for (int x = 0; x < location.size_px && is_covered; ++x)
          is_covered = col + x >= 0 && row + y >= 0 && col + x < mask.width() && row + y < mask.height() && mask.get(col + x, row + y);
      if (is_covered) covering.insert(tile_id);
    }
    EXPECT_EQ(seen, covering) << location.location_id;
  }
  for (std::size_t a = 0; a < locations.size(); ++a)
    for (std::size_t b = a + 1; b < locations.size(); ++b) {
      const double size = 10 * locations[a].size_px;
      const bool apart = std::abs(locations[a].ulx - locations[b].ulx) >= size || std::abs(locations[a].uly - locations[b].uly) >= size;
      EXPECT_TRUE(apart) << locations[a].location_id << " " << locations[b].location_id;
    }
}

TEST_F(Append, AnyHistoryGivesASoundPlanThatLookingEverywhereConfirms) {
  int plans = 0;
  for (unsigned seed = 1; seed <= 18; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    bench_.job.views->patch_px = 8;
    bench_.job.views->placement = seed <= 12   ? index::Placement::best_phase
                                  : seed <= 15 ? index::Placement::shelf
                                               : index::Placement::lattice;
    bench_.job.views->min_views = 1 + static_cast<int>(seed % 3 == 0);
    fs::remove_all(bench_.folder() / "data");
    std::vector<std::string> names;
    auto m = bench_.manifest("h" + std::to_string(seed) + ".gpkg");
    auto threaded = bench_.manifest("t" + std::to_string(seed) + ".gpkg");
    for (int day = 1; day <= 4; ++day) {
      const auto earlier = locations_of(m);
      if (day > 2) remove(names[random() % names.size()]);
      if (day > 1) bench_.write(names[random() % names.size()], speckled(random));
      for (int n = 0; n < 3; ++n) {
        names.push_back("t_2020" + std::string(day < 10 ? "0" : "") + std::to_string(day) + "0" + std::to_string(n + 1) + ".tif");
        bench_.write(names.back(), speckled(random));
      }
      try {
        views(m, 1);
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("no location results"));
        break;
      }
      expect_sound(bench_, m);
      const auto changes = changes_of(m, day);
      for (const auto& id : earlier)
        if (!locations_of(m).contains(id)) { EXPECT_EQ(changes.at(id), "dropped"); }
      const auto dump = index::canonical_dump(m);
      bench_.run_forced(run_views, m);
      EXPECT_EQ(index::canonical_dump(m), dump) << "day " << day;
      views(threaded, 3);
      EXPECT_EQ(index::canonical_dump(threaded), dump) << "day " << day;
      ++plans;
    }
  }
  EXPECT_GE(plans, 54);
}

/// A line of `a` that is another in `b`, "" if there is none.
std::string first_difference(const std::string& a, const std::string& b) {
  std::istringstream one(a), other(b);
  for (std::string line, its; std::getline(one, line);)
    if (!std::getline(other, its) || line != its) return line + " | " + its;
  return a.size() < b.size() ? "fewer lines" : "";
}

/// Rules on the views of a location, and what holds of a plan under them.
struct Rule {
  const char* name;
  std::function<void(ViewsConfig&)> set;
  std::function<void(index::Manifest&)> expect;
};

std::string source_of(const index::ViewRow& view) {
  return view.tile_id.substr(0, view.tile_id.rfind('-'));
}
double day_of(const index::ViewRow& view) { return double(seconds_of(*view.acquired)) / 86400; }
int half_of(const index::ViewRow& view) { return view.acquired->substr(5, 2) < "07" ? 0 : 1; }

/// Rejections of a location by reason, those of its views as location/tile.
std::set<std::pair<std::string, std::string>> reasons_of(index::Manifest& m) {
  std::set<std::pair<std::string, std::string>> out;
  for (const auto& row : index::rejections(m, "views")) out.emplace(row.subject, row.reason);
  return out;
}

void expect_one_a_period(index::Manifest& m) {
  const auto reasons = reasons_of(m);
  for (const auto& location : index::locations(m)) {
    std::set<std::pair<std::string, int>> filled;
    for (const auto& view : index::views(m, location.location_id))
      EXPECT_TRUE(filled.emplace(source_of(view), half_of(view)).second) << location.location_id;
    EXPECT_EQ(reasons.contains({location.location_id, "period_gap"}), filled.size() < 4)
        << location.location_id;
  }
}

void expect_pairs(index::Manifest& m) {
  const auto reasons = reasons_of(m);
  for (const auto& location : index::locations(m)) {
    const auto views = index::views(m, location.location_id);
    int pairs = 0;
    for (const auto& anchor : views) {
      if (source_of(anchor) != "s") continue;
      const bool is_paired = std::ranges::any_of(views, [&](const auto& view) {
        return source_of(view) == "t" && std::abs(day_of(view) - day_of(anchor)) <= 40;
      });
      pairs += is_paired ? 1 : 0;
      EXPECT_EQ(reasons.contains({location.location_id + "/" + anchor.tile_id, "view_unpaired"}),
                !is_paired)
          << location.location_id;
    }
    EXPECT_GE(pairs, 1) << location.location_id;
  }
}

void expect_at_most_two(index::Manifest& m) {
  for (const auto& location : index::locations(m))
    EXPECT_LE(location.view_count, 2) << location.location_id;
}

void expect_days_apart(index::Manifest& m) {
  for (const auto& location : index::locations(m)) {
    const auto views = index::views(m, location.location_id);
    for (const auto& a : views)
      for (const auto& b : views)
        if (a.tile_id < b.tile_id && source_of(a) == source_of(b)) {
          EXPECT_GE(std::abs(day_of(a) - day_of(b)), 50);
        }
  }
}

void expect_five(index::Manifest& m) {
  EXPECT_LE(index::locations(m).size(), 5U);
  for (const auto& [subject, reason] : reasons_of(m))
    if (const auto slash = subject.find('/'); slash != std::string::npos) {
      EXPECT_TRUE(index::location(m, subject.substr(0, slash))) << subject << " " << reason;
    }
}

const Rule kRules[] = {
    {"no rule", [](auto&) {}, [](auto&) {}},
    {"periods",
     [](auto& v) {
       v.periods = {{"first", "01-01", "06-30"}, {"second", "07-01", "12-31"}};
     },
     expect_one_a_period},
    {"pairs",
     [](auto& v) {
       v.pairs = {{"s", "t", 40}};
     },
     expect_pairs},
    {"max_views", [](auto& v) { v.max_views = 2; }, expect_at_most_two},
    {"min_days_apart", [](auto& v) { v.min_days_apart = 50; }, expect_days_apart},
    {"sample", [](auto& v) { v.sample = SampleConfig{.count = 5}; }, expect_five},
};

class AppendByRule : public Append,
                     public ::testing::WithParamInterface<std::tuple<int, index::Placement>> {
 protected:
  [[nodiscard]] static const Rule& rule() { return kRules[std::get<0>(GetParam())]; }
  AppendByRule() {
    auto& sources = bench_.job.sources;
    sources.emplace_back("t", sources[0].second);
    sources[0].second.files = {"data:s_*.tif"};
    sources[1].second.files = {"data:t_*.tif"};
    bench_.job.layers.clear();
    bench_.job.views->patch_px = 8;
    bench_.job.views->placement = std::get<1>(GetParam());
    rule().set(*bench_.job.views);
    if (std::get<1>(GetParam()) != index::Placement::points) return;
    std::string features;
    for (int n = 0; n < 40; ++n)
      features +=
          std::string(n == 0 ? "" : ",") +
          R"({"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[)" +
          std::to_string(500045 + 90 * (n % 8)) + "," + std::to_string(4999955 - 90 * (n / 8)) +
          "]}}";
    bench_.write_text(
        "p.geojson",
        R"({"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::32633"}},"features":[)" +
            features + "]}");
    bench_.job.views->points = PointsConfig{.file = "p.geojson"};
  }
  std::string write_scene(const char* source, std::mt19937& random) const {
    const auto two = [](unsigned n) { return (n < 10 ? "0" : "") + std::to_string(n); };
    const auto month = 1 + random() % 12, day = 1 + random() % 28;
    const auto name = std::string(source) + "_2020" + two(month) + two(day) + "_" +
                      std::to_string(random() % 100000) + ".tif";
    bench_.write(name, speckled(random));
    return name;
  }
};

TEST_P(AppendByRule, EarlierViewsStayAndTheRuleHoldsWhateverComesAndGoes) {
  std::int64_t grown = 0, plans = 0;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(std::string(rule().name) + " " + std::to_string(seed));
    std::mt19937 random(seed);
    fs::remove_all(bench_.folder() / "data");
    std::vector<std::string> names;
    auto m = bench_.manifest("h" + std::to_string(seed) + ".gpkg");
    for (int step = 1; step <= 5; ++step) {
      const auto before = views_of(m);
      const bool takes_away = step == 4;
      for (int n = 0; n < 2; ++n)
        for (const char* source : {"s", "t"}) names.push_back(write_scene(source, random));
      if (takes_away) remove(names[random() % 8]);
      try {
        views(m, 1);
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("no location results"));
        continue;
      }
      const auto now = views_of(m);
      for (const auto& [id, view] : before)
        EXPECT_TRUE(takes_away || now.contains(id))
            << step << ": " << id.first << " lost " << id.second;
      grown += before.empty() ? 0 : std::int64_t(now.size()) - std::int64_t(before.size());
      rule().expect(m);
      const auto dump = index::canonical_dump(m);
      bench_.run_forced(run_views, m);
      EXPECT_EQ(first_difference(index::canonical_dump(m), dump), "")
          << "step " << step << ", looking everywhere";
      ++plans;
    }
  }
  EXPECT_GE(plans, 11);
  EXPECT_GT(grown, 0);
}

INSTANTIATE_TEST_SUITE_P(Rules, AppendByRule,
                         ::testing::Combine(::testing::Range(0, int(std::size(kRules))),
                                            ::testing::Values(index::Placement::best_phase,
                                                              index::Placement::shelf,
                                                              index::Placement::points)));

}  // namespace
}  // namespace tilewright::pipeline
