// SPDX-License-Identifier: Apache-2.0
// Samples: the same for any order, far enough apart, even over strata; growth keeps what was picked.
#include "index/sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "geometry/polygon.h"

namespace tilewright::index {
namespace {

std::vector<SamplePlace> some_places(std::size_t count, unsigned seed, double degrees = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<SamplePlace> places;
  for (std::size_t n = 0; n < count; ++n)
    places.push_back({"p" + std::to_string(n), {10 + degrees * uniform(random), 50 + degrees * uniform(random)}, n % 7 == 0 ? "rare" : n % 2 == 0 ? "even" : "odd"});
  return places;
}

std::set<std::string> picks_of(const std::vector<SamplePlace>& places, const SampleRule& rule) {
  const auto picked = sample_places(places, rule);
  std::set<std::string> ids;
  for (std::size_t n = 0; n < places.size(); ++n)
    if (picked[n]) ids.insert(places[n].id);
  return ids;
}

/// The rule in its plainest form: strata in turn, every pair measured.
std::set<std::string> brute_force(const std::vector<SamplePlace>& places, const SampleRule& rule) {
  std::vector<const SamplePlace*> left, picks;
  for (const auto& place : places) left.push_back(&place);
  const auto before = [&](const auto* a, const auto* b) { return std::pair(sample_hash(a->id, rule.seed), a->id) < std::pair(sample_hash(b->id, rule.seed), b->id); };
  std::ranges::sort(left, before);
  for (const auto* place : left)
    if (place->is_kept && static_cast<std::int64_t>(picks.size()) < rule.count) picks.push_back(place);
  std::erase_if(left, [](const auto* place) { return place->is_kept; });
  while (static_cast<std::int64_t>(picks.size()) < rule.count) {
    std::erase_if(left, [&](const auto* place) {
      return std::ranges::any_of(picks, [&](const auto* pick) { return geometry::geodesic_distance_m(pick->centre, place->centre) < rule.min_distance_m; });
    });
    if (left.empty()) break;
    std::map<std::string, std::int64_t> counts;
    for (const auto* place : left) counts[place->stratum] = 0;
    for (auto& [stratum, count] : counts) count = std::ranges::count_if(picks, [&](const auto* pick) { return pick->stratum == stratum; });
    const auto turn = std::ranges::min_element(counts, {}, [](const auto& entry) { return std::pair(entry.second, entry.first); });
    const auto next = std::ranges::find_if(left, [&](const auto* place) { return place->stratum == turn->first; });
    picks.push_back(*next);
    left.erase(next);
  }
  std::set<std::string> ids;
  for (const auto* pick : picks) ids.insert(pick->id);
  return ids;
}

TEST(Sample, EqualsTheRuleInItsPlainestForm) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    auto places = some_places(20 + seed * 3, seed, seed % 3 == 0 ? 0.02 : 0.5);
    if (seed % 4 == 0)
      for (auto& place : places) place.stratum = "";
    for (std::size_t n = 0; n < places.size(); n += 11) places[n].is_kept = seed % 5 == 0;
    const SampleRule rule{.count = 5 + seed % 40, .seed = seed, .min_distance_m = seed % 2 == 0 ? 0.0 : 900.0};
    EXPECT_EQ(picks_of(places, rule), brute_force(places, rule)) << "draw " << seed;
  }
}

TEST(Sample, OrderOfThePlacesChangesNothing) {
  auto places = some_places(500, 1);
  const SampleRule rule{.count = 100, .seed = 3, .min_distance_m = 2000};
  const auto picks = picks_of(places, rule);
  std::mt19937 random(2);
  for (int n = 0; n < 5; ++n) {
    std::ranges::shuffle(places, random);
    EXPECT_EQ(picks_of(places, rule), picks);
  }
}

TEST(Sample, GrowthKeepsWhatWasPickedAndFillsUp) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    const auto all = some_places(300, 100 + seed, 0.3);
    const SampleRule rule{.count = 60, .seed = seed, .min_distance_m = seed % 2 == 0 ? 0.0 : 1500.0};
    std::vector<SamplePlace> few(all.begin(), all.begin() + 40 + seed), more = all;
    const auto first = picks_of(few, rule);
    for (auto& place : more) place.is_kept = first.contains(place.id);
    const auto second = picks_of(more, rule);
    EXPECT_TRUE(std::ranges::includes(second, first)) << "draw " << seed;
    EXPECT_GE(second.size(), first.size());
    EXPECT_LE(second.size(), 60U);
  }
}

TEST(Sample, WithoutALimitNewPlacesRemoveAPickOnlyByDistance) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    const auto all = some_places(200, 200 + seed, 0.3);
    const std::vector<SamplePlace> few(all.begin(), all.begin() + 120);
    const SampleRule all_of_them{.count = 1000, .seed = seed}, apart{.count = 1000, .seed = seed, .min_distance_m = 1500};
    EXPECT_TRUE(std::ranges::includes(picks_of(all, all_of_them), picks_of(few, all_of_them)));
    const auto before = picks_of(few, apart), after = picks_of(all, apart);
    for (const auto& id : before) {
      if (after.contains(id)) continue;
      const auto gone = std::ranges::find(all, id, &SamplePlace::id);
      const bool is_near = std::ranges::any_of(all, [&](const auto& place) {
        return after.contains(place.id) && geometry::geodesic_distance_m(place.centre, gone->centre) < 1500;
      });
      EXPECT_TRUE(is_near) << id << " went without a pick near it";
    }
  }
}

TEST(Sample, PicksKeepTheirDistanceAlsoAcrossTheDateLineAndAtThePole) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<SamplePlace> places;
  for (int n = 0; n < 400; ++n) {
    double lon = 179.9 + 0.2 * uniform(random);
    if (lon > 180) lon -= 360;
    places.push_back({"d" + std::to_string(n), {lon, -17 + 0.1 * uniform(random)}, ""});
    places.push_back({"n" + std::to_string(n), {360 * uniform(random) - 180, 89.9 + 0.1 * uniform(random)}, ""});
  }
  const SampleRule rule{.count = 10000, .seed = 1, .min_distance_m = 3000};
  const auto picked = sample_places(places, rule);
  for (std::size_t a = 0; a < places.size(); ++a) {
    bool is_free = true;
    for (std::size_t b = 0; b < places.size(); ++b) {
      if (a == b || !picked[b]) continue;
      is_free = is_free && geometry::geodesic_distance_m(places[a].centre, places[b].centre) >= 3000;
    }
    EXPECT_EQ(picked[a], is_free) << "picks are apart, and what is not picked has one near it";
  }
}

TEST(Sample, StrataHaveEqualSharesUntilOneIsUsedUp) {
  const auto places = some_places(210, 9);   // 30 rare, 90 each of the others
  const auto picks = picks_of(places, {.count = 120, .seed = 1});
  std::map<std::string, int> counts;
  for (const auto& place : places) counts[place.stratum] += picks.contains(place.id) ? 1 : 0;
  EXPECT_EQ(counts["rare"], 30);
  EXPECT_EQ(counts["even"], 45);
  EXPECT_EQ(counts["odd"], 45);
}

TEST(Sample, SmallerCountKeepsTheSmallestHashesOfWhatWasPicked) {
  auto places = some_places(100, 4);
  for (auto& place : places) place.stratum = "";
  const auto many = picks_of(places, {.count = 40, .seed = 1});
  for (auto& place : places) place.is_kept = many.contains(place.id);
  const auto few = picks_of(places, {.count = 10, .seed = 1});
  EXPECT_EQ(few.size(), 10U);
  EXPECT_TRUE(std::ranges::includes(many, few));
}

}  // namespace
}  // namespace tilewright::index
