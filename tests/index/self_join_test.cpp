// SPDX-License-Identifier: Apache-2.0
// The self-join equals brute force and an R-tree, for every ISA and number of threads.
#include "index/self_join.h"

#include <gtest/gtest.h>

#include <boost/geometry.hpp>
#include <boost/geometry/index/rtree.hpp>
#include <cmath>
#include <limits>
#include <random>

namespace tilewright::index {
namespace {

using geometry::Box;
using geometry::Isa;
using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

#if defined(TILEWRIGHT_EMULATED_ISA)  // another variant stands in for AVX-512: see CMakeLists.txt
constexpr Isa kVariants[] = {Isa::avx512};
bool runs_here(Isa) { return geometry::is_supported(Isa::avx2); }  // it maps boxes with the AVX2 code
#else
constexpr Isa kVariants[] = {Isa::avx2, Isa::avx512};
bool runs_here(Isa isa) { return geometry::is_supported(isa); }
#endif

bool touch(const Box& a, const Box& b) {
  return a.min_x <= b.max_x && b.min_x <= a.max_x && a.min_y <= b.max_y && b.min_y <= a.max_y;
}
bool finite(const Box& b) { return std::isfinite(b.min_x) && std::isfinite(b.min_y) && std::isfinite(b.max_x) && std::isfinite(b.max_y); }

Pairs brute_force(const std::vector<Box>& boxes) {
  Pairs pairs;
  for (std::uint32_t a = 0; a < boxes.size(); ++a)
    for (std::uint32_t b = a + 1; b < boxes.size(); ++b)
      if (!boxes[a].empty() && !boxes[b].empty() && finite(boxes[a]) && finite(boxes[b]) && touch(boxes[a], boxes[b])) pairs.emplace_back(a, b);
  return pairs;
}

/// Everything that the runs say, in their order.
std::vector<std::uint32_t> transcript(const std::vector<Box>& boxes, int threads, Isa isa) {
  std::vector<std::uint32_t> text;
  SelfJoin(threads, isa).each_run(boxes, [&](const TouchingRun& run) {
    text.insert(text.end(), run.box.begin(), run.box.end());
    text.insert(text.end(), run.end.begin(), run.end.end());
    text.insert(text.end(), run.partner.begin(), run.partner.end());
  });
  return text;
}

Pairs pairs_of(const std::vector<Box>& boxes, Isa isa) {
  Pairs pairs;
  SelfJoin(1, isa).each_run(boxes, [&](const TouchingRun& run) {
    for (std::uint32_t k = 0, p = 0; k < run.box.size(); ++k)
      for (; p < run.end[k]; ++p) pairs.emplace_back(std::min(run.box[k], run.partner[p]), std::max(run.box[k], run.partner[p]));
  });
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

std::vector<Box> random_boxes(std::size_t count, unsigned seed, double side_from, double side_to, double extent, bool on_lattice) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> place(0, extent), size(std::log(side_from), std::log(side_to));
  const auto rounded = [&](double v) { return on_lattice ? std::round(v) : v; };
  std::vector<Box> boxes(count);
  for (auto& box : boxes) {
    const double x = rounded(place(random)), y = rounded(place(random));
    box = {x, y, x + rounded(std::exp(size(random))), y + rounded(std::exp(size(random)))};
  }
  return boxes;
}

TEST(SelfJoin, EveryVariantEqualsBruteForceAroundTheNumberOfLanes) {
  std::vector<Isa> variants = {Isa::scalar};
  for (const Isa isa : kVariants)
    if (runs_here(isa)) variants.push_back(isa);
  for (std::size_t count = 0; count <= 70; ++count) {
    for (const bool on_lattice : {false, true}) {
      const auto boxes = random_boxes(count, static_cast<unsigned>(count), 1, 3, 10, on_lattice);
      for (const Isa isa : variants) ASSERT_EQ(pairs_of(boxes, isa), brute_force(boxes)) << count << " boxes, variant " << static_cast<int>(isa);
    }
    const std::vector<Box> equal(count, Box{5, 5, 6, 6});
    for (const Isa isa : variants) ASSERT_EQ(pairs_of(equal, isa).size(), count * (count - std::min<std::size_t>(count, 1)) / 2);
  }
}

TEST(SelfJoin, EveryVariantAndThreadCountGivesTheSameRuns) {
  int compared = 0;
  for (const auto& boxes : {random_boxes(30'000, 1, 0.5, 8, 500, false), random_boxes(30'000, 2, 0.01, 60, 500, false),
                            random_boxes(20'000, 3, 1, 4, 200, true), random_boxes(1500, 4, 1, 4, 0, true)}) {
    const auto expected = transcript(boxes, 1, Isa::scalar);
    EXPECT_EQ(transcript(boxes, 3, Isa::scalar), expected);
    for (const Isa isa : kVariants) {
      if (!runs_here(isa)) continue;
      EXPECT_EQ(transcript(boxes, 1, isa), expected);
      EXPECT_EQ(transcript(boxes, 2, isa), expected);
      ++compared;
    }
  }
  RecordProperty("variants_compared", compared);
}

TEST(SelfJoin, EqualsAnRTreeForMixedSizesAndClusters) {
  namespace bg = boost::geometry;
  using Point = bg::model::point<double, 2, bg::cs::cartesian>;
  using Entry = std::pair<bg::model::box<Point>, std::uint32_t>;
  auto boxes = random_boxes(20'000, 5, 0.001, 300, 2000, false);
  for (std::size_t n = 0; n < boxes.size(); n += 3) {  // a third of them in one hot-spot
    auto& b = boxes[n];
    b = {b.min_x / 500, b.min_y / 500, b.min_x / 500 + (b.max_x - b.min_x) / 500, b.min_y / 500 + (b.max_y - b.min_y) / 500};
  }
  boxes[7] = {-1e6, -1e6, -1e6 + 1, -1e6 + 1};  // far away
  std::vector<Entry> entries;
  const auto box_of = [&](std::uint32_t n) { return bg::model::box<Point>({boxes[n].min_x, boxes[n].min_y}, {boxes[n].max_x, boxes[n].max_y}); };
  for (std::uint32_t n = 0; n < boxes.size(); ++n) entries.emplace_back(box_of(n), n);
  const bg::index::rtree<Entry, bg::index::rstar<16>> tree(entries);
  Pairs expected;
  for (std::uint32_t n = 0; n < boxes.size(); ++n) {
    std::vector<Entry> hits;
    tree.query(bg::index::intersects(box_of(n)), std::back_inserter(hits));
    for (const auto& hit : hits)
      if (hit.second > n) expected.emplace_back(n, hit.second);
  }
  std::sort(expected.begin(), expected.end());
  ASSERT_GT(expected.size(), 50'000U);
  EXPECT_EQ(touching_pairs(boxes, 2), expected);
  EXPECT_EQ(count_touching_pairs(boxes, 2), static_cast<std::int64_t>(expected.size()));
}

TEST(SelfJoin, DoublesDecideWhereTheLatticeCannot) {
  std::mt19937 random(6);
  std::vector<Box> boxes = {{-1e9, -1e9, -1e9 + 1, -1e9 + 1}, {1e9, 1e9, 1e9 + 1, 1e9 + 1}};  // a lattice cell is almost 1
  std::uniform_real_distribution<double> place(0, 3), size(0.01, 0.3);
  for (int n = 0; n < 300; ++n) {
    const double x = place(random), y = place(random);
    boxes.push_back({x, y, x + size(random), y + size(random)});
  }
  for (const Isa isa : kVariants) {
    if (!runs_here(isa)) continue;
    EXPECT_EQ(pairs_of(boxes, isa), brute_force(boxes));
  }
  EXPECT_EQ(pairs_of(boxes, Isa::scalar), brute_force(boxes));
}

TEST(SelfJoin, HugeTinyAndMissingNumbersDoNoHarm) {
  const double infinity = std::numeric_limits<double>::infinity(), most = std::numeric_limits<double>::max(), nan = std::nan("");
  const double least = std::numeric_limits<double>::denorm_min();
  const std::vector<Box> boxes = {{-most, -most, most, most}, {0, 0, least, least}, {least, least, 1, 1}, {nan, 0, 1, 1}, {0, 0, 1, nan}, {},
                                  {0, 0, infinity, 1}, {2, 2, 1, 1}, {most, most, most, most}, {-0.0, -0.0, 0.0, 0.0}};
  EXPECT_EQ(touching_pairs(boxes), brute_force(boxes));
  EXPECT_EQ(brute_force(boxes).size(), 6U);
  EXPECT_TRUE(touching_pairs(std::vector<Box>(3, Box{nan, nan, nan, nan})).empty());
}

TEST(SelfJoin, ADenseStackIsPassedOnInPieces) {
  const auto boxes = random_boxes(6000, 8, 50, 60, 10, false);
  std::size_t runs = 0, largest = 0, pairs = 0;
  SelfJoin(2).each_run(boxes, [&](const TouchingRun& run) {
    ++runs;
    pairs += run.partner.size();
    largest = std::max(largest, run.partner.size());
  });
  EXPECT_EQ(pairs, 6000U * 5999U / 2);
  EXPECT_LT(largest, 3'000'000U);
  EXPECT_GT(runs, 8U);
}

}  // namespace
}  // namespace tilewright::index
