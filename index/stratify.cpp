// SPDX-License-Identifier: Apache-2.0
// Rarest class first, to the part that lacks it most.
#include "index/stratify.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

namespace tilewright::index {
namespace {

struct Unit {
  BlockKey key;
  double hash = 0;
  double locations = 0;
  std::map<int, double> showing;  ///< locations that show a class
  bool is_given = false;
};

std::vector<Unit> units_of(std::span<const SplitLocation> locations, std::span<const std::vector<int>> classes, const SplitConfig& config) {
  std::map<BlockKey, Unit> units;
  for (std::size_t n = 0; n < locations.size(); ++n) {
    const auto key = block_key(locations[n], config.block_m);
    auto& unit = units[key];
    unit.key = key;
    ++unit.locations;
    for (const int one : std::set<int>(classes[n].begin(), classes[n].end())) ++unit.showing[one];
  }
  std::vector<Unit> out;
  for (auto& [key, unit] : units) {
    unit.hash = hash_of_block(key, config);
    out.push_back(std::move(unit));
  }
  return out;
}

/// What the parts still lack.
class Shares {
 public:
  Shares(std::span<const Unit> units, const SplitConfig& config) {
    const std::array<std::pair<const char*, double>, 3> parts{{{"train", config.train}, {"val", config.val}, {"test", config.test}}};
    for (const auto& [name, fraction] : parts) {
      if (fraction <= 0) continue;
      auto& part = parts_.emplace_back();
      part.name = name;
      for (const auto& unit : units) {
        part.locations += fraction * unit.locations;
        for (const auto& [one, count] : unit.showing) part.lacks[one] += fraction * count;
      }
    }
  }

  /// The part that lacks most: of the class, then of locations; the first of equals.
  const std::string& give(const Unit& unit, std::optional<int> wanted) {
    auto best = parts_.begin();
    for (auto part = parts_.begin(); part != parts_.end(); ++part)
      if (need(*part, wanted) > need(*best, wanted)) best = part;
    best->locations -= unit.locations;
    for (const auto& [one, count] : unit.showing) best->lacks[one] -= count;
    return best->name;
  }

 private:
  struct Part {
    std::string name;
    double locations = 0;
    std::map<int, double> lacks;
  };
  static std::pair<double, double> need(const Part& part, std::optional<int> wanted) { return {wanted ? part.lacks.at(*wanted) : 0, part.locations}; }
  std::vector<Part> parts_;
};

}  // namespace

BlockParts stratified_blocks(std::span<const SplitLocation> locations, std::span<const std::vector<int>> classes, const SplitConfig& config) {
  auto units = units_of(locations, classes, config);
  std::map<int, std::vector<Unit*>> with;  // largest share of the class first
  for (auto& unit : units)
    for (const auto& [one, count] : unit.showing) with[one].push_back(&unit);
  for (auto& [one, members] : with)
    std::ranges::sort(members, {}, [one = one](const Unit* unit) { return std::tuple(-unit->showing.at(one), unit->hash, unit->key); });
  Shares shares(units, config);
  BlockParts out;
  const auto give = [&](Unit& unit, std::optional<int> wanted) {
    unit.is_given = true;
    out[unit.key] = shares.give(unit, wanted);
  };
  while (!with.empty()) {
    for (auto& [one, members] : with) std::erase_if(members, [](const Unit* unit) { return unit->is_given; });
    const auto rarest = std::ranges::min_element(with, {}, [](const auto& entry) { return entry.second.size(); });
    for (Unit* unit : rarest->second) give(*unit, rarest->first);
    with.erase(rarest);
  }
  std::ranges::sort(units, {}, [](const Unit& unit) { return std::tuple(unit.hash, unit.key); });
  for (auto& unit : units)
    if (!unit.is_given) give(unit, std::nullopt);
  return out;
}

}  // namespace tilewright::index
