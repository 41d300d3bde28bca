// SPDX-License-Identifier: Apache-2.0
// One small network a kind of labels and budget.
#include "pipeline/stages/curate_effect.h"

#include <algorithm>
#include <array>
#include <mutex>

#include "geometry/error.h"
#include "index/sample.h"

namespace tilewright::pipeline {
namespace {

constexpr std::uint8_t kIgnore = 255;

MaskPlaces places_at(const std::vector<std::string>& ids, const MaskPlaces& of) {
  MaskPlaces out;
  for (const auto& id : ids)
    if (const auto found = of.find(id); found != of.end()) out.insert(*found);
  return out;
}

std::vector<std::string> first(std::vector<std::string> ids, std::size_t count) {
  ids.resize(std::min(count, ids.size()));
  return ids;
}

/// Of an epoch.
std::int64_t batches_of(const FoldPlan& plan) {
  const auto trains = std::count_if(plan.samples.samples.begin(), plan.samples.samples.end(), [&](const Sample& sample) { return plan.fold_of.at(sample.rows.front().location) == plan.fold_count; });
  return (trains + plan.run.batch - 1) / plan.run.batch;
}

/// Pixels of each class in both, in either.
class IouCounts {
 public:
  void add(const LabelView& label, const std::vector<std::uint8_t>& decided) {
    std::map<int, std::array<std::int64_t, 2>> own;
    for (std::size_t i = 0; i < decided.size(); ++i) {
      if (label.pixels[i] == kIgnore) continue;
      ++own[label.pixels[i]][1];
      if (decided[i] == label.pixels[i]) ++own[label.pixels[i]][0];
      else ++own[decided[i]][1];
    }
    const std::lock_guard lock(mutex_);
    for (const auto pixel : label.pixels)
      if (pixel != kIgnore) has_.insert(pixel);
    for (const auto& [id, counts] : own)
      for (std::size_t k = 0; k < 2; ++k) counts_[id][k] += counts[k];
  }

  [[nodiscard]] double mean() const {
    double sum = 0;
    int classes = 0;
    for (const auto id : has_) {
      if (id == 0) continue;
      const auto& [both, either] = counts_.at(id);
      sum += static_cast<double>(both) / static_cast<double>(either);
      ++classes;
    }
    return classes == 0 ? 0 : sum / classes;
  }

 private:
  std::mutex mutex_;
  std::set<int> has_;                                         ///< classes of the labels
  std::map<int, std::array<std::int64_t, 2>> counts_;
};

}  // namespace

std::vector<LabelArm> label_arms(const std::set<std::string>& train, const MaskPlaces& noisy, const MaskPlaces& clean, const MaskPlaces& repaired, const MetricValues& ranks,
                                 std::int64_t few, std::uint64_t seed) {
  const std::vector<std::string> all(train.begin(), train.end());
  auto random = all, best = all;
  std::sort(random.begin(), random.end(), [&](const auto& a, const auto& b) { return index::sample_hash(a, seed) < index::sample_hash(b, seed); });
  const auto rank = [&](const std::string& id) {
    const auto found = ranks.find(id);
    return found == ranks.end() ? -1.0 : found->second;
  };
  std::stable_sort(best.begin(), best.end(), [&](const auto& a, const auto& b) { return rank(a) > rank(b); });
  const auto count = static_cast<std::size_t>(few);
  const auto number = std::to_string(few);
  const std::string noisy_arm = "all_noisy", random_arm = "random_" + number;
  std::vector<LabelArm> arms{{noisy_arm, "", places_at(all, noisy)}};
  const bool has_few = count < all.size();
  if (has_few) arms.push_back({random_arm, noisy_arm, places_at(first(random, count), noisy)});
  if (has_few) arms.push_back({"curated_" + number, random_arm, places_at(first(best, count), noisy)});
  arms.push_back({"curated_half", noisy_arm, places_at(first(best, (all.size() + 1) / 2), noisy)});
  if (!repaired.empty()) arms.push_back({"repaired", noisy_arm, places_at(all, repaired)});
  if (has_few) arms.push_back({"clean_" + number, noisy_arm, places_at(first(random, count), clean)});
  arms.push_back({"all_clean", noisy_arm, places_at(all, clean)});
  return arms;
}

ArmScores arm_scores(const StageInput& in, const CurateConfig& config, const std::string& layer, const std::vector<LabelArm>& arms, const LabelledViews& clean,
                     const MaskPlaces& clean_places, std::uint64_t seed, const ScratchFolder& scratch, const RunContext& context) {
  const auto& network = *config.evaluate.network;
  ArmScores out;
  for (const auto& arm : arms) {
    auto plan = plan_network(in, config, layer, arm.labels, clean_places);
    plan.run.seed = seed;
    for (const std::string budget : {"steps", "epochs"}) {
      const bool is_steps = budget == "steps";
      plan.run.epochs = static_cast<int>(is_steps ? network.steps : network.epochs);   // of steps: at least one an epoch
      plan.run.max_steps = is_steps ? network.steps : network.epochs * batches_of(plan);
      const ScratchFolder folder(scratch.path() / ("network-" + arm.name + "-" + budget));
      const auto answers = answer_folds(in, plan, folder.path(), context);
      IouCounts counts;
      each_answered(clean, answers, context, [&](std::size_t, const LabelView& label, const Probabilities& model) { counts.add(label, decided(model)); });
      out[budget][arm.name] = counts.mean();
    }
  }
  return out;
}

}  // namespace tilewright::pipeline
