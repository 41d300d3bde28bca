// SPDX-License-Identifier: Apache-2.0
// A small seeded generator: the same numbers on every machine, streams told apart by name.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace tilewright::pipeline {

/// splitmix64's finalizer: a good hash of 64 bits.
constexpr std::uint64_t mixed(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}
constexpr std::uint64_t mixed(std::uint64_t a, std::uint64_t b) { return mixed(a ^ mixed(b)); }
/// [0, 1)
constexpr double unit_of(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }

class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t stream) : state_(mixed(seed, stream)) {}
  double uniform() { return unit_of(mixed(state_++)); }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// low to high, both included
  int integer(int low, int high) { return low + static_cast<int>(uniform() * (high - low + 1)); }
  bool chance(double p) { return uniform() < p; }
  double normal() {
    const double r = std::sqrt(-2 * std::log(1 - uniform()));
    return r * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

}  // namespace tilewright::pipeline
