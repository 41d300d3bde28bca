// SPDX-License-Identifier: Apache-2.0
// Keeps some of many places: by hash, far enough from each other, evenly over strata.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "geometry/grid.h"

namespace tilewright::index {

struct SamplePlace {
  std::string id;
  geometry::LonLat centre;
  std::string stratum;             ///< equal text = one stratum
  bool is_kept = false;            ///< picked by an earlier plan
};

struct SampleRule {
  std::int64_t count = 0;
  std::uint64_t seed = 1;
  double min_distance_m = 0;       ///< on the ellipsoid, between centres
};

/// Which places are kept, parallel to `places`; a pure function of their set, whatever their order.
/// Places that an earlier plan picked come first and all stay if `count` allows it (else those with the
/// smallest hashes). Then, one after the other, the stratum with the fewest picks (ties by name) gives
/// its place with the smallest hash of (seed, id) that is at least `min_distance_m` from every pick,
/// until there are `count` or no place is left. So new places never remove a pick that is passed on as
/// kept, and without kept ones they remove a pick only by taking its turn or its ground.
std::vector<bool> sample_places(std::span<const SamplePlace> places, const SampleRule& rule);

/// First 8 bytes of SHA-256 of "<seed>/<id>": the order in which places are picked.
std::uint64_t sample_hash(const std::string& id, std::uint64_t seed);

}  // namespace tilewright::index
