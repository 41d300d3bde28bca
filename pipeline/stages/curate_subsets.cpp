// SPDX-License-Identifier: Apache-2.0
// Rules, ranks and draws become rows of subset_member.
#include "pipeline/stages/curate_subsets.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "index/where.h"
#include "pipeline/stages/curate_ranks.h"

namespace tilewright::pipeline {
namespace {

using Names = std::set<std::string>;

constexpr const char* kEveryLocation = "positive_frac >= 0";   ///< true wherever the layer has a mask

std::string rule_text(const SubsetConfig& subset) {
  std::string text;
  if (subset.top) text = "top " + std::to_string(*subset.top) + " by " + subset.by.value_or("combined");
  if (!subset.draw.empty()) text = "draw, seed " + std::to_string(subset.seed);
  if (subset.where) text += (text.empty() ? "" : ", where ") + *subset.where;
  return text + (subset.stratify ? ", stratified by " + *subset.stratify : "");
}

/// "combined: 338 locations, best 0.982 ..." of the layer's metrics, for the error of an empty subset.
std::string values_found(const index::Manifest& manifest, const std::string& layer) {
  std::map<std::string, std::vector<double>> by_metric;
  for (const auto& score : index::scores(manifest, layer)) by_metric[score.metric].push_back(score.value);
  if (by_metric.empty()) return "no location of layer " + layer + " has a score";
  std::string text;
  for (const auto& [metric, values] : by_metric) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    char line[160];
    std::snprintf(line, sizeof line, "%s%s of %zu locations, best %.4g, worst %.4g", text.empty() ? "" : "; ", metric.c_str(), values.size(),
                  smaller_is_better(metric) ? *low : *high, smaller_is_better(metric) ? *high : *low);
    text += line;
  }
  return text;
}

/// Values of a metric, or of a column of masks and locations.
std::map<std::string, double> values_of(const index::Manifest& manifest, const std::string& layer, const std::string& name) {
  std::map<std::string, double> out;
  for (const auto& score : index::scores(manifest, layer, name)) out[score.location_id] = score.value;
  if (!out.empty()) return out;
  for (const auto& mask : index::masks(manifest, layer)) {
    if (name == "positive_frac") out[mask.location_id] = mask.positive_frac;
    if (name == "object_count") out[mask.location_id] = static_cast<double>(mask.object_count);
  }
  if (name == "view_count")
    for (const auto& location : index::locations(manifest)) out[location.location_id] = location.view_count;
  if (out.empty()) throw Error::config("curate: stratify: layer " + layer + " has no score named " + name + "; use zone, positive_frac, object_count, view_count or a score of curate.scores");
  return out;
}

/// zone: the EPSG code; else four ranges with equally many locations.
Strata strata_of(const index::Manifest& manifest, const std::string& layer, const std::string& by) {
  Strata out;
  if (by == "zone") {
    for (const auto& location : index::locations(manifest)) out[location.location_id] = std::to_string(location.epsg);
    return out;
  }
  const auto ranks = fractional_ranks(values_of(manifest, layer, by), false);
  for (const auto& [id, rank] : ranks) out[id] = std::to_string(std::min(3, static_cast<int>(rank * 4)));
  return out;
}

/// Locations of `layer` that match, best first where there is a rank.
std::vector<std::string> matches(const index::Manifest& manifest, const std::string& layer, const SubsetConfig& subset) {
  if (!subset.top) return index::select_where(manifest, layer, subset.where.value_or(kEveryLocation));
  const auto by = subset.by.value_or("combined");
  auto all = index::select_top(manifest, layer, by, smaller_is_better(by), std::int64_t{1} << 40);
  if (subset.where) {
    const auto allowed = index::select_where(manifest, layer, *subset.where);
    std::erase_if(all, [&](const auto& id) { return !std::binary_search(allowed.begin(), allowed.end(), id); });
  }
  return take_stratified(all, subset.stratify ? strata_of(manifest, layer, *subset.stratify) : Strata{}, static_cast<std::size_t>(*subset.top));
}

/// Those that match in every curated layer; verdicts win over the rule inside the selection.
Names members_of(const index::Manifest& manifest, const CurateConfig& config, const SubsetConfig& subset) {
  std::optional<Names> members;
  for (const auto& layer : config.layers) {
    const auto found = matches(manifest, layer, subset);
    Names here(found.begin(), found.end());
    if (members) std::erase_if(here, [&](const auto& id) { return !members->contains(id); });
    members = std::move(here);
  }
  return members.value_or(Names{});
}

/// Locations that no draw is made of: validation and test stay as they are.
void keep_train(const index::Manifest& manifest, Names& members) {
  std::map<std::string, std::string> part;
  for (const auto& location : index::locations(manifest))
    if (location.split) part[location.location_id] = *location.split;
  if (part.empty()) return;
  std::erase_if(members, [&](const auto& id) { return !part.contains(id) || part.at(id) != "train"; });
}

void write_draws(index::Manifest& manifest, const CurateConfig& config, const std::string& name, const SubsetConfig& subset, StageReport& report) {
  auto members = members_of(manifest, config, subset);
  keep_train(manifest, members);
  const auto strata = subset.stratify ? strata_of(manifest, config.layers.front(), *subset.stratify) : Strata{};
  const auto order = draw_order({members.begin(), members.end()}, strata, subset.seed);
  for (const auto count : subset.draw) {
    if (static_cast<std::size_t>(count) > order.size())
      throw Error::failed("curate: subset " + name + " asks for a draw of " + std::to_string(count) + ", but only " + std::to_string(order.size()) +
                          " locations of train can be drawn (rule: " + rule_text(subset) + "); draw fewer, or loosen the rule");
    auto chosen = std::vector<std::string>(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
    std::sort(chosen.begin(), chosen.end());
    const auto full = name + "_" + std::to_string(count);
    index::write_subset(manifest, full, rule_text(subset), chosen);
    report.counts.emplace_back("subset." + full, count);
  }
}

std::string hash_of(std::uint64_t seed, const std::string& id) { return shard::sha256_hex(std::to_string(seed) + " " + id); }

}  // namespace

std::vector<std::string> take_stratified(const std::vector<std::string>& best_first, const Strata& strata, std::size_t count) {
  if (count >= best_first.size()) return best_first;
  const auto stratum_of = [&](const std::string& id) {
    const auto found = strata.find(id);
    return found == strata.end() ? std::string() : found->second;
  };
  std::map<std::string, std::size_t> sizes, quota;
  for (const auto& id : best_first) ++sizes[stratum_of(id)];
  std::vector<std::pair<double, std::string>> remainders;
  std::size_t given = 0;
  for (const auto& [stratum, size] : sizes) {
    const double share = static_cast<double>(count) * static_cast<double>(size) / static_cast<double>(best_first.size());
    quota[stratum] = static_cast<std::size_t>(share);
    given += quota[stratum];
    remainders.emplace_back(-(share - static_cast<double>(quota[stratum])), stratum);
  }
  std::sort(remainders.begin(), remainders.end());
  for (std::size_t n = 0; given < count; ++n, ++given) ++quota[remainders[n % remainders.size()].second];
  std::vector<std::string> out;
  for (const auto& id : best_first)
    if (auto& left = quota[stratum_of(id)]; left > 0) {
      out.push_back(id);
      --left;
    }
  return out;
}

std::vector<std::string> draw_order(std::vector<std::string> ids, const Strata& strata, std::uint64_t seed) {
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> by_stratum;
  for (auto& id : ids) {
    const auto found = strata.find(id);
    by_stratum[found == strata.end() ? "" : found->second].emplace_back(hash_of(seed, id), std::move(id));
  }
  std::vector<std::tuple<double, std::string, std::string>> order;
  for (auto& [stratum, members] : by_stratum) {
    std::sort(members.begin(), members.end());
    for (std::size_t n = 0; n < members.size(); ++n)
      order.emplace_back((static_cast<double>(n) + 0.5) / static_cast<double>(members.size()), members[n].first, members[n].second);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::string> out;
  for (auto& [place, hash, id] : order) out.push_back(std::move(id));
  return out;
}

void write_subsets(index::Manifest& manifest, const CurateConfig& config, StageReport& report) {
  for (const auto& [name, subset] : config.subsets) {
    if (!subset.draw.empty()) {
      write_draws(manifest, config, name, subset, report);
      continue;
    }
    const auto members = members_of(manifest, config, subset);
    if (members.empty())
      throw Error::failed("curate: no location is in subset " + name + " (rule: " + rule_text(subset) + "); found " +
                          values_found(manifest, config.layers.front()) + "; loosen the rule");
    index::write_subset(manifest, name, rule_text(subset), {members.begin(), members.end()});
    report.counts.emplace_back("subset." + name, static_cast<std::int64_t>(members.size()));
  }
}

}  // namespace tilewright::pipeline
