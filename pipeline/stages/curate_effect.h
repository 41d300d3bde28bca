// SPDX-License-Identifier: Apache-2.0
// What labels are worth to a network: trained on each kind of labels, judged by clean ones; SCIENCE 3.2.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "pipeline/stages/curate_metrics.h"
#include "pipeline/stages/scratch_folder.h"

namespace tilewright::pipeline {

/// Labels that a network is trained on, by location of train.
struct LabelArm {
  std::string name, rival;   ///< rival: the arm that its gain is counted from; "" = none
  MaskPlaces labels;
};

/// Arms of one draw: all_noisy; random_N and curated_N (the best by `ranks`), curated_half; repaired (where there are
/// repaired labels); clean_N (the locations of random_N) and all_clean. Rivals are all_noisy, of curated_N random_N. N is the job's `few`, left out where train has no more.
/// `noisy`, `clean` and `repaired` hold all locations; `ranks`: greater is better.
std::vector<LabelArm> label_arms(const std::set<std::string>& train, const MaskPlaces& noisy, const MaskPlaces& clean, const MaskPlaces& repaired, const MetricValues& ranks,
                                 std::int64_t few, std::uint64_t seed);

/// IoU on the clean labels of test, mean over the classes but 0 that they have, counts of all locations together.
using ArmScores = std::map<std::string, std::map<std::string, double>>;   ///< by budget (steps, epochs), by arm

/// Trains the network of curate.model once an arm and budget, with the same seed, and asks it of all of test.
/// Throws Error::config where test has no clean label.
ArmScores arm_scores(const StageInput& in, const CurateConfig& config, const std::string& layer, const std::vector<LabelArm>& arms, const LabelledViews& clean,
                     const MaskPlaces& clean_places, std::uint64_t seed, const ScratchFolder& scratch, const RunContext& context);

}  // namespace tilewright::pipeline
