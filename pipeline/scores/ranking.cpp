// SPDX-License-Identifier: Apache-2.0
// Measures of a ranking, each in n log n.
#include "pipeline/scores/ranking.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace tilewright::pipeline {
namespace {

/// Bad and good ones at one score.
struct Step {
  std::int64_t bad = 0, good = 0;
};

/// Lowest score first.
std::vector<Step> steps_of(std::vector<Judged> judged, double bad_below) {
  std::sort(judged.begin(), judged.end(), [](const auto& a, const auto& b) { return a.score < b.score; });
  std::vector<Step> steps;
  for (std::size_t i = 0; i < judged.size(); ++i) {
    if (i == 0 || judged[i].score != judged[i - 1].score) steps.emplace_back();
    ++(judged[i].truth < bad_below ? steps.back().bad : steps.back().good);
  }
  return steps;
}

double pairs(std::int64_t n) { return static_cast<double>(n) * static_cast<double>(n - 1) / 2; }

/// Sorts by truth and counts the pairs that were in strictly descending order.
std::int64_t sort_and_count(std::vector<double>& values, std::vector<double>& scratch, std::size_t begin, std::size_t end) {
  if (end - begin < 2) return 0;
  const auto middle = begin + (end - begin) / 2;
  std::int64_t swaps = sort_and_count(values, scratch, begin, middle) + sort_and_count(values, scratch, middle, end);
  std::size_t left = begin, right = middle, out = begin;
  while (left < middle || right < end) {
    if (right == end || (left < middle && values[left] <= values[right])) {
      scratch[out++] = values[left++];
    } else {
      swaps += static_cast<std::int64_t>(middle - left);
      scratch[out++] = values[right++];
    }
  }
  std::copy(scratch.begin() + static_cast<std::ptrdiff_t>(begin), scratch.begin() + static_cast<std::ptrdiff_t>(end), values.begin() + static_cast<std::ptrdiff_t>(begin));
  return swaps;
}

/// Pairs that are equal under `same`, of neighbours in a sorted list.
template <class Same>
double tied_pairs(const std::vector<Judged>& sorted, Same same) {
  double tied = 0;
  for (std::size_t begin = 0; begin < sorted.size();) {
    std::size_t end = begin + 1;
    while (end < sorted.size() && same(sorted[begin], sorted[end])) ++end;
    tied += pairs(static_cast<std::int64_t>(end - begin));
    begin = end;
  }
  return tied;
}

}  // namespace

std::optional<double> auroc(const std::vector<Judged>& judged, double bad_below) {
  double wins = 0;
  std::int64_t bad = 0, good = 0;
  for (const auto& step : steps_of(judged, bad_below)) {
    wins += static_cast<double>(step.good) * (static_cast<double>(bad) + 0.5 * static_cast<double>(step.bad));
    bad += step.bad;
    good += step.good;
  }
  if (bad == 0 || good == 0) return std::nullopt;
  return wins / (static_cast<double>(bad) * static_cast<double>(good));
}

std::optional<double> average_precision(const std::vector<Judged>& judged, double bad_below) {
  double sum = 0;
  std::int64_t bad = 0, all = 0;
  for (const auto& step : steps_of(judged, bad_below)) {
    bad += step.bad;
    all += step.bad + step.good;
    sum += static_cast<double>(step.bad) * static_cast<double>(bad) / static_cast<double>(all);
  }
  if (bad == 0) return std::nullopt;
  return sum / static_cast<double>(bad);
}

std::optional<double> precision_at(const std::vector<Judged>& judged, double bad_below, std::size_t k) {
  if (k == 0 || k > judged.size()) return std::nullopt;
  double found = 0;
  auto left = static_cast<double>(k);
  for (const auto& step : steps_of(judged, bad_below)) {
    const auto size = static_cast<double>(step.bad + step.good), taken = std::min(left, size);
    found += static_cast<double>(step.bad) * taken / size;
    left -= taken;
  }
  return found / static_cast<double>(k);
}

std::optional<double> kendall_tau(const std::vector<Judged>& judged) {
  auto sorted = judged;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return std::pair(a.score, a.truth) < std::pair(b.score, b.truth); });
  const double tied_score = tied_pairs(sorted, [](const auto& a, const auto& b) { return a.score == b.score; });
  const double tied_both = tied_pairs(sorted, [](const auto& a, const auto& b) { return a.score == b.score && a.truth == b.truth; });
  std::vector<double> truth, scratch(sorted.size());
  for (const auto& one : sorted) truth.push_back(one.truth);
  const auto discordant = static_cast<double>(sort_and_count(truth, scratch, 0, truth.size()));
  for (std::size_t i = 0; i < sorted.size(); ++i) sorted[i].truth = truth[i];
  const double tied_truth = tied_pairs(sorted, [](const auto& a, const auto& b) { return a.truth == b.truth; });
  const double all = pairs(static_cast<std::int64_t>(judged.size()));
  const double scale = std::sqrt((all - tied_score) * (all - tied_truth));
  if (!(scale > 0)) return std::nullopt;
  return (all - tied_score - tied_truth + tied_both - 2 * discordant) / scale;
}

}  // namespace tilewright::pipeline
