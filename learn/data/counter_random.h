// SPDX-License-Identifier: Apache-2.0
// Random numbers as a pure function of what they are for: no state to save, no order to keep.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace tilewright::learn {

/// A short stream of numbers that depends on `parts` only (seed, epoch, sample, purpose ...).
/// Equal on every platform: no standard distributions. Splitmix64 over a hashed counter.
class CounterRandom {
 public:
  CounterRandom(std::initializer_list<std::uint64_t> parts);
  std::uint64_t next();
  double uniform();                         ///< [0, 1)
  double uniform(double low, double high);  ///< [low, high)
  std::int64_t below(std::int64_t count);   ///< 0 .. count - 1; count >= 1
  double normal();                          ///< mean 0, variance 1 (Box-Muller)

 private:
  std::uint64_t state_;
};

/// The order of `count` samples in one epoch: each exactly once, a pure function of its arguments.
std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::int64_t epoch);

}  // namespace tilewright::learn
