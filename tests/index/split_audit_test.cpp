// SPDX-License-Identifier: Apache-2.0
// What a split leaks, against all pairs.
#include "index/split_audit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "geometry/crs.h"

namespace tilewright::index {
namespace {

AuditedSample sample_at(double x, double y, double size, const std::string& part, int epsg = 32632) {
  AuditedSample sample;
  sample.where.location_id = part + "_" + std::to_string(x) + "_" + std::to_string(y);
  sample.where.epsg = epsg;
  sample.where.box = {x, y, x + size, y + size};
  sample.where.geom = *geometry::geographic({{{{x, y}, {x + size, y}, {x + size, y + size}, {x, y + size}, {x, y}}, {}}}, geometry::Crs::from_epsg(epsg));
  sample.part = part;
  return sample;
}

double gap(const geometry::Box& a, const geometry::Box& b) {
  return std::hypot(std::max({0.0, a.min_x - b.max_x, b.min_x - a.max_x}), std::max({0.0, a.min_y - b.max_y, b.min_y - a.max_y}));
}

bool share_ground(const geometry::Box& a, const geometry::Box& b) {
  return std::min(a.max_x, b.max_x) > std::max(a.min_x, b.min_x) && std::min(a.max_y, b.max_y) > std::max(a.min_y, b.min_y);
}

TEST(SplitAudit, RandomWorldsEqualAllPairs) {
  std::mt19937 random(7);
  std::int64_t leaks = 0;
  for (int world = 0; world < 200; ++world) {
    std::vector<AuditedSample> samples;
    const int count = 3 + static_cast<int>(random() % 40);
    for (int n = 0; n < count; ++n) {
      const char* parts[] = {"train", "val", "test", "guard"};
      auto& sample = samples.emplace_back(sample_at(500000 + 50.0 * (random() % 60), 5000000 + 50.0 * (random() % 60), 100.0 * (1 + random() % 3), parts[random() % 4]));
      sample.where.tile_ids = {"s" + std::to_string(random() % 15)};
      sample.location = random() % 3 ? "" : "l" + std::to_string(random() % 15);
      sample.contents = {"c" + std::to_string(random() % 30)};
    }
    const auto audit = audit_samples(samples);
    for (std::size_t n = 0; n < samples.size(); ++n) {
      const auto& one = samples[n];
      Leakage wanted;
      double nearest = std::numeric_limits<double>::infinity();
      for (const auto& other : samples) {
        if (other.part != "train" || one.part == "train" || one.part == "guard") continue;
        wanted.scene |= one.where.tile_ids == other.where.tile_ids;
        wanted.location |= !one.location.empty() && one.location == other.location;
        wanted.content |= one.contents == other.contents;
        wanted.ground |= share_ground(one.where.box, other.where.box);
        nearest = std::min(nearest, gap(one.where.box, other.where.box));
      }
      const auto& found = audit.of[n];
      ASSERT_EQ(std::tuple(found.scene, found.location, found.content, found.ground), std::tuple(wanted.scene, wanted.location, wanted.content, wanted.ground)) << world << " " << n;
      ASSERT_EQ(found.nearest_m.value_or(std::numeric_limits<double>::infinity()), nearest) << world << " " << n;
      leaks += found.any();
    }
    double worst = 0;
    for (const auto& part : audit.parts) {
      std::int64_t any = 0, members = 0;
      for (std::size_t n = 0; n < samples.size(); ++n)
        if (samples[n].part == part.part) any += audit.of[n].any(), ++members;
      EXPECT_EQ(part.any, any);
      EXPECT_EQ(part.samples, members);
      worst = std::max(worst, static_cast<double>(any) / static_cast<double>(members));
    }
    EXPECT_EQ(audit.worst_frac(), worst);
  }
  EXPECT_GT(leaks, 500);
}

TEST(SplitAudit, GroundIsSharedAcrossZones) {
  const auto here = geometry::geographic(geometry::MapXY{833000, 5000500}, geometry::Crs::from_epsg(32632));
  const auto there = *geometry::Transform(geometry::wgs84(), geometry::Crs::from_epsg(32633))({here->lon_deg, here->lat_deg});
  const std::vector<AuditedSample> samples{sample_at(832500, 5000000, 1000, "train"), sample_at(there.x - 100, there.y - 100, 200, "test", 32633),
                                           sample_at(there.x + 20000, there.y, 200, "test", 32633)};
  const auto audit = audit_samples(samples);
  EXPECT_TRUE(audit.of[1].ground);
  EXPECT_EQ(audit.of[1].nearest_m, 0.0);
  EXPECT_FALSE(audit.of[2].ground);
  EXPECT_NEAR(*audit.of[2].nearest_m, 19500, 300);
}

TEST(SplitAudit, WhatIsNotKnownIsNotCalledZero) {
  std::vector<AuditedSample> samples(2);
  samples[0].part = "train";
  samples[1].part = "test";
  samples[1].where.tile_ids = {"a"};
  const auto audit = audit_samples(samples);
  EXPECT_FALSE(audit.knows_scenes || audit.knows_locations || audit.knows_contents || audit.knows_places);
  EXPECT_EQ(audit.without_place, 2);
  EXPECT_FALSE(audit.parts.at(0).least_m);
}

}  // namespace
}  // namespace tilewright::index
