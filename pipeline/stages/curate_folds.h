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
  int fold_count = 1;
  learn::RunConfig run;
  std::string key;                   ///< hash of all that the answers depend on; "" = nobody keeps them
};

/// All locations of train, val and test that have a mask and a view of the model's source; a location's fold is that
/// of its block of the split, so that a model never saw the neighbourhood it judges. `masks` replace those of the
/// manifest. Pixels are scaled as the job's dataset of this source and layer says; without one, floats of one band
/// (elevation) per sample, other sources by their statistics.
FoldPlan plan_folds(const StageInput& in, const CurateConfig& config, const std::string& layer, const MaskPlaces& masks);

/// One network: trained on the locations of `train`, asked of those of the split's test that `test` has a mask of.
/// Throws Error::config where there is none.
FoldPlan plan_network(const StageInput& in, const CurateConfig& config, const std::string& layer, const MaskPlaces& train, const MaskPlaces& test);

/// Answers of trained models, read in place from the shard that `tilewright-learn` wrote.
class FoldAnswers {
 public:
  FoldAnswers(const FoldPlan& plan, const std::vector<learn::ClassInfo>& classes, const std::filesystem::path& shard);
  [[nodiscard]] std::span<const std::uint8_t> class_ids() const { return class_ids_; }
  [[nodiscard]] const std::vector<learn::ClassInfo>& classes() const { return classes_; }
  /// Mean over the views of the location, (K,H,W); nullopt if no model was asked. Throws Error::failed for values
  /// that are not finite. Safe in several threads.
  [[nodiscard]] std::optional<std::vector<float>> of(const std::string& location_id) const;

 private:
  std::vector<std::uint8_t> class_ids_;
  std::vector<learn::ClassInfo> classes_;
  std::filesystem::path file_;
  shard::MappedFile answers_;
  std::map<std::string, std::vector<std::pair<std::int64_t, std::int64_t>>> places_;   ///< offset, length
};

/// Trains the plan's models in `folder` and opens their answers.
FoldAnswers answer_folds(const StageInput& in, const FoldPlan& plan, const std::filesystem::path& folder, const RunContext& context);

/// `normalize` of the job's first dataset that has just this source and this target.
std::optional<std::string> curate_normalize(const Job& job, const std::string& layer, const std::string& source);

/// Source of the scores, and of the models.
std::string curate_source(const Job& job);
std::string curate_model_source(const Job& job);

}  // namespace tilewright::pipeline
