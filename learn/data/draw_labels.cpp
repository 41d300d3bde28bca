// SPDX-License-Identifier: Apache-2.0
// Few labels: which locations of train are kept, and what is counted of them.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "learn/data/corpus.h"

namespace tilewright::learn {
namespace {

/// Hashes of locations by class, "" where a location has none or several.
using ByClass = std::map<std::string, std::vector<std::pair<std::string, std::string>>>;

ByClass locations_by_class(const std::vector<CorpusSample>& samples, std::uint64_t seed) {
  ByClass out;
  std::set<std::string> seen;
  for (const auto& sample : samples) {
    if (!seen.insert(sample.location).second) continue;
    const auto name = sample.classes.size() == 1 ? std::to_string(sample.classes.front()) : "";
    out[name].emplace_back(shard::sha256_hex(std::to_string(seed) + " " + sample.location),
                           sample.location);
  }
  return out;
}

/// In the order in which they are drawn: at its share of the way through its class.
std::vector<std::string> drawn_order(ByClass by_class) {
  std::vector<std::tuple<double, std::string, std::string>> order;
  for (auto& [name, members] : by_class) {
    std::sort(members.begin(), members.end());
    for (std::size_t n = 0; n < members.size(); ++n)
      order.emplace_back((static_cast<double>(n) + 0.5) / static_cast<double>(members.size()),
                         members[n].first, members[n].second);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::string> out;
  for (auto& [place, hash, location] : order) out.push_back(std::move(location));
  return out;
}

}  // namespace

LabelDraw draw_of(const RunConfig& run) {
  return {.locations = run.n_labels, .seed = run.label_draw};
}

void Corpus::keep_drawn(LabelDraw draw) {
  auto& train = parts_["train"];
  const bool is_class = dataset_.target.kind == "class";
  auto by_class = locations_by_class(train, draw.seed);
  if (!is_class && by_class.size() > 1) {  // of a list of classes: no strata
    ByClass joined;
    for (auto& [name, members] : by_class)
      joined[""].insert(joined[""].end(), members.begin(), members.end());
    by_class = std::move(joined);
  }
  const auto order = drawn_order(std::move(by_class));
  const auto count = static_cast<std::size_t>(draw.locations);
  if (count > order.size())
    throw Error::config("n_labels " + std::to_string(draw.locations) + ": dataset " +
                        dataset_.name + " has " + std::to_string(order.size()) +
                        " locations in train; draw at most so many");
  const std::set<std::string> kept(order.begin(),
                                   order.begin() + static_cast<std::ptrdiff_t>(count));
  std::erase_if(train, [&](const auto& sample) { return !kept.contains(sample.location); });
  count_classes();
}

void Corpus::count_classes() {
  auto& classes = dataset_.target.classes;
  for (auto& entry : classes) entry.pixels = entry.samples = 0;
  const auto class_of = class_of_value();
  for (const auto& sample : part("train")) {
    for (const auto k : sample.classes) ++classes[k].samples;
    const auto& row = sample.rows.front();
    if (dataset_.target.kind != "mask" || row.mask_shard == "-") continue;
    for (const auto value : array(row.mask_shard, row.mask_offset, row.mask_length).data)
      if (const auto k = class_of[std::to_integer<std::size_t>(value)]; k < classes.size())
        ++classes[k].pixels;
  }
}

}  // namespace tilewright::learn
