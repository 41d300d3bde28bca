// SPDX-License-Identifier: Apache-2.0
// The inner loops of the fills: every instruction set of this processor gives the numbers of the
// scalar loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "geometry/scan_columns.h"

namespace tilewright::geometry {
namespace {

struct Variant {
  std::string name;
  const ScanKernels* kernels;
};
std::vector<Variant> variants() {
  std::vector<Variant> all;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) all.push_back({"avx2", &kAvx2Scan});
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
    all.push_back({"avx512", &kAvx512Scan});
#endif
  return all;
}

constexpr std::size_t kRows = 70;
using Column = std::array<std::int32_t, kRows + kScanPadding>;

class Random {
 public:
  double of(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(engine_);
  }
  std::int32_t below(std::uint32_t count) { return static_cast<std::int32_t>(engine_() % count); }
  bool one_in(std::uint32_t count) { return below(count) == 0; }

 private:
  std::mt19937 engine_{7};
};

EdgeScan random_edge(Random& random) {
  const double slope = random.one_in(4) ? random.below(5) - 2 : random.of(-40, 40);
  const double first = random.one_in(3)   ? random.below(60)
                       : random.one_in(9) ? random.of(-1e12, 1e12)
                                          : random.of(-20, 80);
  return {.first = first,
          .step = slope,
          .doubt = random.one_in(3) ? 0.05 : 1e-9,
          .width = random.below(70),
          .rows = 1 + random.below(kRows)};
}

TEST(ScanKernels, ColumnsOfEdgesAreThoseOfTheScalarLoop) {
  Random random;
  std::int64_t doubtful = 0;
  for (int k = 0; k < 20'000; ++k) {
    const EdgeScan edge = random_edge(random);
    Column expected{};
    const bool any = kScalarScan.columns(edge, expected.data());
    doubtful += any ? 1 : 0;
    for (const auto& [name, kernels] : variants()) {
      Column cols{};
      ASSERT_EQ(kernels->columns(edge, cols.data()), any) << name << " " << k;
      for (std::int32_t row = 0; row < edge.rows; ++row)
        ASSERT_EQ(cols.at(static_cast<std::size_t>(row)),
                  expected.at(static_cast<std::size_t>(row)))
            << name << " " << k << " row " << row;
    }
  }
  EXPECT_GT(doubtful, 1000);
}

struct Spans {
  Column low, high, crossings, unsure{};
  explicit Spans(Random& random) {
    low.fill(0x7fffffff), high.fill(0), crossings.fill(0);
    for (std::size_t row = 0; row < low.size(); ++row)
      if (random.one_in(2))
        low.at(row) = random.below(70), high.at(row) = low.at(row) + random.below(20),
        crossings.at(row) = 1 + random.below(3);
  }
  [[nodiscard]] RowSpans rows() { return {low.data(), high.data(), crossings.data()}; }
};

TEST(ScanKernels, EdgesAreTakenInTheirRowsOnly) {
  Random random;
  for (int k = 0; k < 20'000; ++k) {
    const EdgeScan edge = random_edge(random);
    const Spans before(random);
    Spans expected = before;
    const bool any = kScalarScan.edge(edge, expected.rows(), expected.unsure.data());
    for (const auto& [name, kernels] : variants()) {
      Spans spans = before;
      ASSERT_EQ(kernels->edge(edge, spans.rows(), spans.unsure.data()), any) << name << " " << k;
      ASSERT_EQ(spans.low, expected.low) << name << " " << k << ", rows behind the edge included";
      ASSERT_EQ(spans.high, expected.high) << name << " " << k;
      ASSERT_EQ(spans.crossings, expected.crossings) << name << " " << k;
      for (std::int32_t row = 0; row < edge.rows; ++row)
        ASSERT_EQ(spans.unsure.at(static_cast<std::size_t>(row)) != 0,
                  expected.unsure.at(static_cast<std::size_t>(row)) != 0)
            << name << " " << k;
    }
  }
}

TEST(ScanKernels, SpansOfAnyLengthAreFilledAndNothingElse) {
  Random random;
  constexpr std::int32_t kWidth = 200;
  for (int k = 0; k < 3000; ++k) {
    Column a{}, b{}, unused{};
    const auto rows = 1 + random.below(kRows);
    std::vector<std::uint8_t> expected(static_cast<std::size_t>(rows * kWidth), 3);
    std::int64_t count = 0;
    for (std::int32_t row = 0; row < rows; ++row) {
      const auto col = random.below(kWidth),
                 end = std::min(kWidth, col + random.below(k % 3 == 0 ? 140 : 40));
      const bool is_turned = random.one_in(2);
      a.at(static_cast<std::size_t>(row)) = is_turned ? end : col,
      b.at(static_cast<std::size_t>(row)) = is_turned ? col : end;
      std::fill(expected.begin() + row * kWidth + col, expected.begin() + row * kWidth + end,
                std::uint8_t{9});
      count += end - col;
    }
    auto all = variants();
    all.push_back({"scalar", &kScalarScan});
    for (const auto& [name, kernels] : all) {
      std::vector<std::uint8_t> pixels(expected.size(), 3);
      ASSERT_EQ(kernels->fill(pixels.data(), kWidth, {a.data(), b.data(), unused.data()}, rows, 9),
                count)
          << name << " " << k;
      ASSERT_EQ(pixels, expected) << name << " " << k;
    }
  }
}

RowLine random_line(Random& random, double size) {
  RowLine line{random.of(-size, size), random.of(-1, 1),
               random.one_in(5) ? random.of(-1e-6, 1e-6) : random.of(-1, 1), 0};
  if (std::abs(line.slope) > kLeastSlope) line.inverse = 1 / line.slope;
  return line;
}

TEST(ScanKernels, CapsulesAreThoseOfTheScalarLoop) {
  Random random;
  std::int64_t inside = 0, doubtful = 0;
  for (int k = 0; k < 20'000; ++k) {
    CapsuleScan scan;
    scan.across = random_line(random, 30), scan.along = random_line(random, 30);
    scan.half = random.of(0.1, 20), scan.length = random.one_in(6) ? 0 : random.of(0.01, 50);
    scan.start = {random.of(-20, 80), random.of(-1, 1), random.of(-30, 30), random.of(-1, 1)};
    scan.end = {random.of(-20, 80), random.of(-1, 1), random.of(-30, 30), random.of(-1, 1)};
    if (random.one_in(8))
      scan.half = 1 + random.below(20), scan.length = 0,
      scan.start = {static_cast<double>(random.below(60)), 0, 0, 0};  // its border lies on centres
    scan.has_end_disc = random.one_in(2);
    scan.end_count = random.below(3);
    for (RowLine& line : scan.ends) line = random_line(random, 60);
    scan.width = random.below(70), scan.rows = 1 + random.below(kRows);
    Column first{}, end{}, doubt{};
    kScalarScan.capsule(scan, {first.data(), end.data(), doubt.data()});
    for (const auto& [name, kernels] : variants()) {
      Column f{}, e{}, d{};
      kernels->capsule(scan, {f.data(), e.data(), d.data()});
      for (std::size_t row = 0; row < static_cast<std::size_t>(scan.rows); ++row) {
        ASSERT_EQ(d.at(row) != 0, doubt.at(row) != 0) << name << " " << k << " row " << row;
        if (d.at(row) != 0) continue;
        ASSERT_EQ(f.at(row) < e.at(row), first.at(row) < end.at(row))
            << name << " " << k << " row " << row;
        if (f.at(row) >= e.at(row)) continue;
        ASSERT_EQ(f.at(row), first.at(row)) << name << " " << k << " row " << row;
        ASSERT_EQ(e.at(row), end.at(row)) << name << " " << k << " row " << row;
      }
    }
    for (std::size_t row = 0; row < static_cast<std::size_t>(scan.rows); ++row) {
      doubtful += doubt.at(row) != 0 ? 1 : 0;
      inside += doubt.at(row) == 0 && first.at(row) < end.at(row) ? 1 : 0;
    }
  }
  EXPECT_GT(inside, 10'000);
  EXPECT_GT(doubtful, 100);
}

}  // namespace
}  // namespace tilewright::geometry
