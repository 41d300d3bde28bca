// SPDX-License-Identifier: Apache-2.0
// An archive of 12,000 tiles of 1000 x 1000 pixels: planned within ten minutes and two GiB.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>

#include "tests/pipeline/archive_masks.h"

namespace tilewright::pipeline {
namespace {

/// Most memory that this process ever held, MiB.
double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

TEST(ArchiveSlow, TwelveThousandTilesArePlannedInMinutes) {
  const auto zones = archive_masks(plan_archive({.seed = 1, .tiles = 12'000, .size_px = 1000, .patch_px = 128}));
  const auto start = std::chrono::steady_clock::now();
  const auto plan = plan_zones(zones, {.patch_px = 128, .placement = index::Placement::shelf});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%ld locations in %.1f s and %.0f MiB; %.1f %% have more than one date (published: 17.6 %%), %.2f views each (2.70)\n", static_cast<long>(plan.locations), seconds, peak_mib(),
              100.0 * static_cast<double>(plan.several) / static_cast<double>(plan.locations), static_cast<double>(plan.views_of_several) / static_cast<double>(plan.several));
  EXPECT_LT(seconds, 600);
  EXPECT_LT(peak_mib(), 2048);
  EXPECT_GT(plan.several, 0);
}

}  // namespace
}  // namespace tilewright::pipeline
