// SPDX-License-Identifier: Apache-2.0
// Block bootstrap.
#include "learn/train/bootstrap.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

#include "learn/data/counter_random.h"

namespace tilewright::learn {
namespace {

constexpr std::int64_t kWindowsABlock = 8;

/// The number after `key` in "..._s64_x12_ym3"; `m` is minus.
std::optional<std::int64_t> number_after(const std::string& id, const std::string& key) {
  const auto found = id.find(key);
  if (found == std::string::npos) return std::nullopt;
  auto text = id.substr(found + key.size());
  const bool is_minus = text.starts_with("m");
  if (is_minus) text.erase(0, 1);
  std::int64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
    return std::nullopt;
  return is_minus ? -value : value;
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

Interval points(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(
        std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  return {at(0.025), at(0.975)};
}

}  // namespace

std::string block_of(const std::string& location) {
  const auto size = number_after(location, "_s"), x = number_after(location, "_x"),
             y = number_after(location, "_y");
  if (!size || !x || !y || *size <= 0) return location;
  const auto edge = *size * kWindowsABlock;
  return location.substr(0, location.find("_x")) + "_b" + std::to_string(floor_div(*x, edge)) +
         "_" + std::to_string(floor_div(*y, edge));
}

MetricIntervals bootstrap(const std::map<std::string, Confusion>& blocks, int draws,
                          std::uint64_t seed) {
  MetricIntervals out{.blocks = static_cast<int>(blocks.size()), .draws = draws};
  if (blocks.empty()) return out;
  std::vector<const Confusion*> list;
  for (const auto& [name, confusion] : blocks) list.push_back(&confusion);
  std::vector<double> accuracy, micro, macro;
  for (int draw = 0; draw < draws; ++draw) {
    CounterRandom random{seed, static_cast<std::uint64_t>(draw)};
    Confusion sum(list.front()->classes());
    for (std::size_t i = 0; i < list.size(); ++i)
      sum.add(
          *list[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(list.size())))]);
    const auto m = metrics_of(sum);
    accuracy.push_back(m.overall_accuracy);
    micro.push_back(m.iou_micro);
    macro.push_back(m.iou_macro);
  }
  out.overall_accuracy = points(std::move(accuracy));
  out.iou_micro = points(std::move(micro));
  out.iou_macro = points(std::move(macro));
  return out;
}

}  // namespace tilewright::learn
