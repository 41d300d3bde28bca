// SPDX-License-Identifier: Apache-2.0
// The range of a variogram against the blocks of the job.
#include "pipeline/stages/block_advice.h"

#include <cmath>
#include <cstdio>
#include <vector>

#include "index/plan_rows.h"
#include "index/variogram.h"
#include "pipeline/stages/split_plane.h"

namespace tilewright::pipeline {
namespace {

/// Two leading digits: a range is known no better.
std::string about(double metres) {
  const double unit = std::pow(10, std::floor(std::log10(metres)) - 1);
  char text[32];
  std::snprintf(text, sizeof text, "%.12g m", std::ceil(metres / unit - 1e-9) * unit);
  return text;
}

}  // namespace

std::optional<std::string> block_advice(const Job& job, const index::Manifest& manifest, const std::map<std::string, double>& of_location, const std::string& what) {
  if (!job.split || job.split->unit != index::SplitUnit::block || job.split->table) return std::nullopt;
  std::vector<index::PlacedValue> values;
  SplitPlanes planes;
  index::each_location(manifest, [&](const index::LocationRow& row) {
    const auto found = of_location.find(row.location_id);
    if (found == of_location.end()) return;
    const auto place = planes.place_of(row);
    values.push_back({place.epsg, {(place.box.min_x + place.box.max_x) / 2, (place.box.min_y + place.box.max_y) / 2}, found->second});
  });
  const auto found = index::variogram(values);
  if (!found) return std::nullopt;
  char block[32];
  std::snprintf(block, sizeof block, "%.12g m", job.split->block_m);
  const std::string alike = what + " is alike up to " + (found->is_longer ? "more than " : "about ") + about(found->range_m) + " (variogram of " + std::to_string(values.size()) + " locations); split.block_m is " + block;
  return alike + (job.split->block_m < found->range_m ? ": blocks of at least " + about(found->range_m) + " are suggested" : ", which is larger");
}

}  // namespace tilewright::pipeline
