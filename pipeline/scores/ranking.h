// SPDX-License-Identifier: Apache-2.0
// How well a score finds bad labels: AUROC, average precision, Kendall's tau, precision at k.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace tilewright::pipeline {

/// One location: its score (greater = thought better) and how good its label truly is.
struct Judged {
  double score = 0, truth = 1;
};

/// Probability that one with truth below `bad_below` scores below another; ties count half. nullopt: all are alike.
std::optional<double> auroc(const std::vector<Judged>& judged, double bad_below);

/// Mean precision over the bad ones, worst score first; equal scores form one step (their precision is that of the whole
/// step). nullopt without any bad.
std::optional<double> average_precision(const std::vector<Judged>& judged, double bad_below);

/// Share of bad ones among the k with the lowest scores; ties at the border count by their mean. nullopt: k is 0 or more
/// than there are.
std::optional<double> precision_at(const std::vector<Judged>& judged, double bad_below, std::size_t k);

/// Kendall's tau-b between score and truth, O(n log n). nullopt: one of the two is constant.
/// Source: Knight 1966.
std::optional<double> kendall_tau(const std::vector<Judged>& judged);

}  // namespace tilewright::pipeline
