// SPDX-License-Identifier: Apache-2.0
// Statistics of bands and class counts of masks over members of shards, equal for any thread count.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "index/shard/npy.h"
#include "learn/config/dataset_file.h"

namespace tilewright::pipeline {

/// One npy member: `shard` relative to the workspace, offset and length of the npy file.
struct MemberRef {
  std::string shard;
  std::int64_t offset = 0, length = 0;
  auto operator<=>(const MemberRef&) const = default;
};

struct StatisticsResult {
  std::vector<learn::BandStatistics> bands;  ///< parallel to band_indices
  std::string method;  ///< "exact counts" or "65536-bin histogram over [lo, hi]"
};

/// Of the bands `band_indices` of (C,H,W) members, every pixel counted but NaN and infinity.
/// Integers up to 16 bits: exact by counts. Others: mean and std exact (per member, combined in the
/// order given), percentiles by a 65,536-bin histogram over [min, max] (error at most one bin).
/// Percentiles interpolate linearly between order statistics, as numpy's default does.
/// `each` is called once a member read (twice for floats): it may throw to stop.
StatisticsResult band_statistics(
    const std::filesystem::path& workspace, std::span<const MemberRef> members, shard::DType dtype,
    std::span<const int> band_indices, const std::function<void()>& each = [] {});

/// Pixels by value of uint8 masks (1,H,W).
std::array<std::int64_t, 256> count_mask_values(const std::filesystem::path& workspace,
                                                std::span<const MemberRef> members);

}  // namespace tilewright::pipeline
