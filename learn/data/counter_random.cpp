// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers and the order of an epoch.
#include "learn/data/counter_random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace tilewright::learn {
namespace {

constexpr std::uint64_t kOrderPurpose = 0x6f72646572;  // "order": apart from every augmentation

std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

CounterRandom::CounterRandom(std::initializer_list<std::uint64_t> parts)
    : state_(0x9e3779b97f4a7c15ULL) {
  for (const auto part : parts)
    state_ = mixed(state_ ^ mixed(part + 0x9e3779b97f4a7c15ULL)) + 0x9e3779b97f4a7c15ULL;
}

std::uint64_t CounterRandom::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  return mixed(state_);
}

double CounterRandom::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
double CounterRandom::uniform(double low, double high) { return low + (high - low) * uniform(); }

std::int64_t CounterRandom::below(std::int64_t count) {
  // The bias of the remainder is below count / 2^64.
  return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(count));
}

double CounterRandom::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  CounterRandom random{seed, static_cast<std::uint64_t>(epoch), kOrderPurpose};
  for (auto left = count; left > 1; --left)
    std::swap(order[static_cast<std::size_t>(left - 1)],
              order[static_cast<std::size_t>(random.below(left))]);
  return order;
}

}  // namespace tilewright::learn
