// SPDX-License-Identifier: Apache-2.0
// Named selections of locations: by rule, by rank, by nested draws, from strata.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "index/manifest.h"
#include "pipeline/config/job.h"
#include "pipeline/context.h"

namespace tilewright::pipeline {

/// Begins the line of the curate stage's inputs that stands for people's verdicts; without any there is no such line.
inline constexpr std::string_view kVerdictInput = "verdicts: ";

using Strata = std::map<std::string, std::string>;   ///< stratum of each location; those without one share ""

/// The first `count` of `best_first`, or as many from each stratum as its share of them (largest remainders, ties to the
/// first stratum by name), each best first. Without strata: just the first.
std::vector<std::string> take_stratified(const std::vector<std::string>& best_first, const Strata& strata, std::size_t count);

/// An order of which every beginning is a fair draw: by a hash of seed and id, strata mixed by their shares. The order
/// of two locations depends on no other location of another stratum, and the first n lie within the first m > n.
std::vector<std::string> draw_order(std::vector<std::string> ids, const Strata& strata, std::uint64_t seed);

/// Writes the subsets of the job into the manifest (inside a transaction): locations that match the rule in
/// every curated layer; accepted ones match any rule, rejected ones none (index/where.h). Draws are of locations of
/// train (of all, without a split). Throws Error::failed if a subset is empty or too small, naming its rule and what
/// was found.
void write_subsets(index::Manifest& manifest, const CurateConfig& config, StageReport& report);

}  // namespace tilewright::pipeline
