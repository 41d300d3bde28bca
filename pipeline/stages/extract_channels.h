// SPDX-License-Identifier: Apache-2.0
// Derived channels of one window: heights in, float32 planes out.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "geometry/terrain.h"
#include "pipeline/config/channel.h"

namespace tilewright::pipeline {

/// What is made of the first band of a tile; no channels: its bands are cut as they are.
struct Derivation {
  std::vector<Channel> channels;
  double pixel_m = 1;                          ///< edge of a pixel, metres
  [[nodiscard]] int halo_px() const;           ///< the largest of its channels
  [[nodiscard]] std::string ground() const;    ///< source of the channel above_<source>, "" if there is none
};
/// `names` have been validated.
Derivation derivation(const std::vector<std::string>& names, double pixel_m);

/// (C, H, W) of `inner`, which is valid throughout; `ground` are its heights in the other source, empty
/// where none is asked for.
void derive(const Derivation& derivation, const geometry::HeightField& field, const geometry::Window& inner, std::span<const double> ground,
            std::vector<std::byte>& out);

}  // namespace tilewright::pipeline
