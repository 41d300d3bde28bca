// SPDX-License-Identifier: Apache-2.0
// Out-of-fold predictions for curation: what the learning program is asked, and its answers.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "index/shard/shard_reader.h"
#include "learn/config/dataset_file.h"
#include "pipeline/stages/curate_views.h"
#include "pipeline/stages/dataset_samples.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

/// What the models of a layer are trained on: known before any is trained.
struct FoldPlan {
  std::string layer, source;
  DatasetConfig dataset;
  SampleSet samples;                 ///< of all parts, with the masks to be scored
  std::map<std::string, int> fold_of;   ///< fold_count: trains every model, asked of none
  int fold_count = 1, seeds = 1, crop_px = 0;
  learn::RunConfig run;
  std::string key;                   ///< hash of all that the answers depend on; "" = nobody keeps them
};

/// All locations of train, val and test that have a mask and a view of the model's source; a location's fold is that
/// of its block of the split, so that a model never saw the neighbourhood it judges. `masks` replace those of the
/// manifest. With `curate.model.run` network, inputs and pixels are those of the run and its dataset; else a small UNet sees
/// one source, trained briefly (enough to know buildings from ground, not enough to learn wrong labels by heart) with Dice beside
/// the cross-entropy, without which some seeds never leave the background on noisy labels. Its pixels are scaled as the job's
/// dataset of this source and layer says; without one, floats of one band (elevation) per sample, other sources by their statistics.
FoldPlan plan_folds(const StageInput& in, const CurateConfig& config, const std::string& layer, const MaskPlaces& masks);

/// One network: trained on the locations of `train`, asked of those of the split's test that `test` has a mask of.
/// Throws Error::config where there is none.
FoldPlan plan_network(const StageInput& in, const CurateConfig& config, const std::string& layer, const MaskPlaces& train, const MaskPlaces& test);

/// Answers of trained models, read in place from the shards that `tilewright-learn` wrote in `folder`.
class FoldAnswers {
 public:
  FoldAnswers(const FoldPlan& plan, const std::vector<learn::ClassInfo>& classes, const std::filesystem::path& folder);
  [[nodiscard]] std::span<const std::uint8_t> class_ids() const { return class_ids_; }
  [[nodiscard]] const std::vector<learn::ClassInfo>& classes() const { return classes_; }
  /// Mean over the seeds and the views of the location, (K,H,W); nullopt if no model was asked. Throws Error::failed for values
  /// that are not finite. Safe in several threads.
  [[nodiscard]] std::optional<std::vector<float>> of(const std::string& location_id) const;
  /// Mean over the views, of one seed; of() without the mean over the seeds.
  [[nodiscard]] std::vector<float> of_seed(const std::string& location_id, std::size_t seed) const;
  /// Numbers of the models that were asked of the location, by seed.
  [[nodiscard]] std::vector<std::size_t> models_of(const std::string& location_id) const;
  /// From now on the odds of each plane in this model's answers are multiplied by its factor.
  void raise(std::size_t model, std::vector<double> factors) { factors_[model] = std::move(factors); }
  /// Standard deviation, between the seeds, of the probability of the class that `mean` (what `of` gave) decides; mean
  /// over the pixels, [0, .5]. nullopt with one seed.
  [[nodiscard]] std::optional<double> spread(const std::string& location_id, std::span<const float> mean) const;

 private:
  struct Place {
    std::size_t shard;
    std::int64_t offset, length;
  };
  std::vector<std::uint8_t> class_ids_;
  std::vector<learn::ClassInfo> classes_;
  std::vector<std::filesystem::path> files_;
  std::vector<shard::MappedFile> shards_;
  std::map<std::string, std::vector<std::vector<Place>>> places_;   ///< by seed, by view
  std::map<std::size_t, std::vector<double>> factors_;              ///< by model, which is the number of its shard
};

/// Trains those of the plan's models whose answers are not in `folder` yet, and opens the answers of all.
FoldAnswers answer_folds(const StageInput& in, const FoldPlan& plan, const std::filesystem::path& folder, const RunContext& context);

/// `normalize` of the job's first dataset that has just this source and this target.
std::optional<std::string> curate_normalize(const Job& job, const std::string& layer, const std::string& source);

/// Network and dataset of `curate.model.run`; "" without one.
std::string curate_run_text(const Job& job);

/// Source of the scores, and of the models (the first of theirs).
std::string curate_source(const Job& job);
std::string curate_model_source(const Job& job);

}  // namespace tilewright::pipeline
