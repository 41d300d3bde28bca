// SPDX-License-Identifier: Apache-2.0
// The choice of views of one window.
#include "index/view_choice.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>
#include <tuple>

#include "index/timestamp.h"

namespace tilewright::index {
namespace {

std::size_t rank_of(const Seen& seen) { return seen.rank; }
std::size_t rank_of(std::uint32_t rank) { return rank; }

std::string days_text(double days) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g days", days);
  return text;
}

}  // namespace

ViewChooser::ViewChooser(const CoverageSet& tiles, const PlannerConfig& config) : tiles_(tiles), config_(config), facts_(tiles.size()) {
  std::set<std::string> names(config.sources.begin(), config.sources.end());
  for (std::size_t rank = 0; rank < tiles.size(); ++rank) names.insert(tiles.tile(rank).source);
  sources_.assign(names.begin(), names.end());
  for (std::size_t rank = 0; rank < tiles.size(); ++rank) {
    const auto& tile = tiles.tile(rank);
    auto& facts = facts_[rank];
    facts.source = static_cast<std::size_t>(std::ranges::lower_bound(sources_, tile.source) - sources_.begin());
    facts.is_anchor = config.pairs.empty() || config.pairs.front().anchor == tile.source;
    if (!tile.acquired) continue;
    if (const auto seconds = seconds_of(*tile.acquired)) facts.day = *seconds / 86400;
    for (std::size_t n = 0; n < config.periods.size() && !facts.period; ++n)
      if (const auto days = days_from_middle(config.periods[n], *tile.acquired)) facts.period = n, facts.from_middle = *days;
  }
}

bool ViewChooser::is_earlier(std::size_t a, std::size_t b) const {
  const auto &first = tiles_.tile(a), &second = tiles_.tile(b);
  return first.acquired != second.acquired ? first.acquired < second.acquired : a < b;
}

bool ViewChooser::is_clearer(const Seen& a, const Seen& b) const {
  const auto first = a.cloud_frac.value_or(0), second = b.cloud_frac.value_or(0);
  return first != second ? first < second : is_earlier(a.rank, b.rank);
}

std::optional<double> ViewChooser::days_between(std::size_t a, std::size_t b) const {
  if (!facts_[a].day || !facts_[b].day) return std::nullopt;
  return std::abs(*facts_[a].day - *facts_[b].day);
}

/// Index in `views` of the nearest in time; equally near ones by cloud if known, date, id.
template <class Views>
std::optional<std::size_t> ViewChooser::partner(std::size_t anchor, const PairRule& rule, const Views& views) const {
  std::optional<std::size_t> best;
  double least = rule.max_days;
  for (std::size_t n = 0; n < views.size(); ++n) {
    const auto rank = rank_of(views[n]);
    if (tiles_.tile(rank).source != rule.partner) continue;
    const auto days = days_between(anchor, rank);
    if (!days || *days > least) continue;
    bool is_better = !best || *days < least;
    if constexpr (std::is_same_v<typename Views::value_type, Seen>) is_better = is_better || is_clearer(views[n], views[*best]);
    if (is_better) best = n;
    least = *days;
  }
  return best;
}

template <class Views>
bool ViewChooser::is_paired(std::size_t rank, const Views& views) const {
  return std::ranges::any_of(config_.pairs, [&](const PairRule& rule) { return partner(rank, rule, views).has_value(); });
}

/// Does min_views count a view of the anchor?
bool ViewChooser::counts(std::uint32_t rank, std::span<const std::uint32_t> ranks) const {
  return config_.pairs.empty() || std::ranges::any_of(config_.pairs, [](const PairRule& rule) { return !rule.required; }) || is_paired(rank, ranks);
}

std::size_t ViewChooser::count(std::span<const std::uint32_t> ranks) const {
  std::vector<std::uint32_t> counted;
  for (const auto rank : ranks)
    if (facts_[rank].is_anchor && counts(rank, ranks)) counted.push_back(rank);
  if (!config_.periods.empty()) {
    std::set<std::size_t> filled;
    for (const auto rank : counted)
      if (facts_[rank].period) filled.insert(*facts_[rank].period);
    return filled.size();
  }
  if (config_.min_days_apart <= 0) return counted.size();
  std::ranges::sort(counted, [&](auto a, auto b) { return is_earlier(a, b); });
  std::vector<std::optional<double>> last(sources_.size());
  std::size_t count = 0;
  for (const auto rank : counted) {
    const auto& facts = facts_[rank];
    auto& before = last[facts.source];
    if (!facts.day || (before && *facts.day - *before < config_.min_days_apart)) continue;
    before = facts.day;
    ++count;
  }
  return count;
}

/// One view a period and source: with a partner if there are pairs, the least cloudy, the nearest to
/// the middle, the earliest.
void ViewChooser::keep_periods(std::vector<Seen>& views, const std::vector<Seen>& seen, ViewChoice& choice) const {
  const auto order = [&](const Seen& view) {
    return std::tuple(!view.stays, !config_.pairs.empty() && !is_paired(view.rank, seen), view.cloud_frac.value_or(0), facts_[view.rank].from_middle);
  };
  std::vector<std::optional<Seen>> best(sources_.size() * config_.periods.size());
  const auto slot = [&](const Facts& facts) -> std::optional<Seen>& { return best[facts.source * config_.periods.size() + *facts.period]; };
  for (const auto& view : views) {
    if (!facts_[view.rank].period) continue;
    auto& kept = slot(facts_[view.rank]);
    if (!kept || order(view) < order(*kept) || (order(view) == order(*kept) && is_earlier(view.rank, kept->rank))) kept = view;
  }
  std::vector<Seen> left;
  for (const auto& view : views) {
    const auto& facts = facts_[view.rank];
    if (view.stays) {
      left.push_back(view);
    } else if (!facts.period) {
      choice.left_out.push_back({view.rank, Reason::view_outside_periods, tiles_.tile(view.rank).acquired ? "its date lies in no period" : "its date is not known"});
    } else if (slot(facts)->rank == view.rank) {
      left.push_back(view);
    } else {
      choice.left_out.push_back({view.rank, Reason::view_period, config_.periods[*facts.period].name + " is shown by " + tiles_.tile(slot(facts)->rank).tile_id});
    }
  }
  for (std::size_t source = 0; source < sources_.size(); ++source) {
    if (!config_.pairs.empty() && sources_[source] != config_.pairs.front().anchor) continue;
    for (std::size_t n = 0; n < config_.periods.size(); ++n)
      if (!best[source * config_.periods.size() + n])
        choice.left_out.push_back({std::nullopt, Reason::period_gap, config_.periods[n].name + ": no usable view of " + sources_[source]});
  }
  views = std::move(left);
}

/// From the earliest on, each view of a source that lies far enough from the last kept one: no other
/// choice has more. Views with a partner come before those without.
void ViewChooser::keep_apart(std::vector<Seen>& views, const std::vector<Seen>& seen, ViewChoice& choice) const {
  std::ranges::sort(views, [&](const Seen& a, const Seen& b) { return is_earlier(a.rank, b.rank); });
  std::ranges::stable_partition(views, [&](const Seen& view) { return config_.pairs.empty() || is_paired(view.rank, seen); });
  std::ranges::stable_partition(views, &Seen::stays);
  std::vector<Seen> left;
  std::vector<std::size_t> out;
  for (const auto& view : views) {
    const auto near = std::ranges::find_if(left, [&](const Seen& kept) {
      return facts_[kept.rank].source == facts_[view.rank].source && days_between(kept.rank, view.rank).value_or(0) < config_.min_days_apart;
    });
    if (view.stays || (facts_[view.rank].day && near == left.end()))
      left.push_back(view);
    else
      out.push_back(view.rank);
  }
  // The nearest of all kept views is named: it is the same however the series came together.
  for (const auto rank : out) {
    const Seen* nearest = nullptr;
    for (const auto& kept : left) {
      const auto days = facts_[kept.rank].source == facts_[rank].source
                            ? days_between(kept.rank, rank)
                            : std::nullopt;
      if (!days) continue;
      const auto least =
          nearest ? *days_between(nearest->rank, rank) : std::numeric_limits<double>::infinity();
      if (*days < least || (*days == least && is_earlier(kept.rank, nearest->rank)))
        nearest = &kept;
    }
    choice.left_out.push_back({rank, Reason::view_near_date,
                               nearest ? days_text(*days_between(nearest->rank, rank)) + " from " +
                                             tiles_.tile(nearest->rank).tile_id
                                       : "its date is not known"});
  }
  views = std::move(left);
}

/// The least cloudy if one is wanted; else the two ends of the series, then always the view whose
/// nearest kept one is farthest. Ties: the least cloudy, the earliest, the smaller id. Undated last.
void ViewChooser::keep_farthest(std::vector<Seen>& views, ViewChoice& choice) const {
  const auto most = static_cast<std::size_t>(config_.max_views);
  if (most == 0 || views.size() <= most) return;
  const auto total = views.size();
  std::ranges::sort(views, [&](const Seen& a, const Seen& b) { return is_clearer(a, b); });
  std::vector<double> distance(total, std::numeric_limits<double>::infinity());  // to the nearest kept one
  double last = -std::numeric_limits<double>::infinity(), first = -last;
  for (const auto& view : views)
    if (const auto day = facts_[view.rank].day) first = std::min(first, *day), last = std::max(last, *day);
  std::vector<Seen> kept;
  std::vector<bool> is_kept(total, false);
  const auto keep = [&](std::size_t k) {
    is_kept[k] = true;
    kept.push_back(views[k]);
    for (std::size_t n = 0; n < total; ++n) distance[n] = std::min(distance[n], days_between(views[n].rank, views[k].rank).value_or(-1));
  };
  const auto keep_best = [&](const auto& value) {
    std::optional<std::size_t> best;
    for (std::size_t n = 0; n < total; ++n)
      if (!is_kept[n] && (!best || value(n) > value(*best))) best = n;
    keep(*best);
  };
  for (std::size_t n = 0; n < total; ++n)
    if (views[n].stays) keep(n);
  if (kept.empty() && most == 1) keep_best([](std::size_t) { return 0.0; });
  else if (kept.empty()) keep_best([&](std::size_t n) { return facts_[views[n].rank].day == first ? 1.0 : 0.0; });
  while (kept.size() < most) keep_best([&](std::size_t n) { return distance[n]; });
  for (std::size_t n = 0; n < total; ++n)
    if (!is_kept[n]) choice.left_out.push_back({views[n].rank, Reason::view_limit, std::to_string(most) + " of " + std::to_string(total) + " views are kept"});
  views = std::move(kept);
}

void ViewChooser::add_partners(std::vector<Seen>& views, const std::vector<Seen>& seen, ViewChoice& choice) const {
  std::vector<Seen> all = views;
  std::set<std::size_t> used;
  for (const auto& view : views)
    for (const auto& rule : config_.pairs) {
      const auto found = partner(view.rank, rule, seen);
      if (!found) choice.left_out.push_back({view.rank, Reason::view_unpaired, "no view of " + rule.partner + " within " + days_text(rule.max_days)});
      else if (used.insert(seen[*found].rank).second) all.push_back(seen[*found]);
    }
  for (const auto& view : seen) {
    if (facts_[view.rank].is_anchor || used.contains(view.rank)) continue;
    if (view.stays) all.push_back(view);
    else choice.left_out.push_back({view.rank, Reason::no_partner, "it is the nearest view of no kept view of " + config_.pairs.front().anchor});
  }
  views = std::move(all);
}

ViewChoice ViewChooser::choose(std::vector<Seen> seen) const {
  ViewChoice choice;
  std::vector<Seen> views;
  std::ranges::copy_if(seen, std::back_inserter(views), [&](const Seen& view) { return facts_[view.rank].is_anchor; });
  if (!config_.periods.empty()) keep_periods(views, seen, choice);
  else if (config_.min_days_apart > 0) keep_apart(views, seen, choice);
  keep_farthest(views, choice);
  if (!config_.pairs.empty()) add_partners(views, seen, choice);
  std::ranges::sort(views, [&](const Seen& a, const Seen& b) { return is_earlier(a.rank, b.rank); });
  choice.kept = std::move(views);
  return choice;
}

}  // namespace tilewright::index
