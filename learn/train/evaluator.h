// SPDX-License-Identifier: Apache-2.0
// Loss and metrics of a model over one part of a dataset.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "learn/config/request.h"
#include "learn/data/corpus.h"
#include "learn/recipes/recipe.h"
#include "learn/train/boundary_metrics.h"
#include "learn/train/label_metrics.h"
#include "learn/train/learn_context.h"
#include "learn/train/metrics.h"
#include "learn/train/run_log.h"

namespace tilewright::learn {

struct SampleScore {
  std::string sample, location;
  double loss = 0;                 ///< mean cross-entropy of its counted pixels, or of its classes
  std::int64_t counted = 1;        ///< pixels that count; 1 of images
  std::vector<std::string> cells;  ///< texts for PartScore::columns
};

struct PartScore {
  std::int64_t samples = 0;
  double loss =
      0;  ///< supervised: mean cross-entropy a counted pixel, unweighted; else the recipe's own
  std::optional<double> feature_spread;  ///< recipes that compare images: see FeatureSpread
  std::optional<Confusion> confusion;  ///< supervised: pixels, or images with one class each
  std::optional<LabelCounts> labels;   ///< supervised: images with any number of classes
  bool is_of_images = false;           ///< the confusion counts images
  std::optional<double> ece;         ///< expected calibration error of the confusion's predictions
  std::vector<std::string> columns;  ///< of samples.csv beside sample, location, part and loss
  std::vector<SampleScore> each;     ///< if asked for
  std::map<std::string, Confusion> blocks;  ///< if asked for: by block_of(location)
  std::optional<BoundarySums> boundary;     ///< if asked for: pixels
  /// What the best checkpoint is chosen by: macro IoU of pixels, accuracy of images, micro F1 of
  /// several classes, else minus the loss.
  [[nodiscard]] double headline() const;
  [[nodiscard]] NamedValues values(
      const std::vector<ClassInfo>& classes) const;  ///< for metrics.jsonl
};

struct EvaluateOptions {
  torch::Device device = torch::kCPU;
  bool keep_samples = false;
};

/// The recipe is left in evaluation mode. Randomness of self-supervised losses is equal at every
/// call.
PartScore evaluate_part(Recipe& recipe, const RunConfig& run, const std::vector<InputInfo>& inputs,
                        const Corpus& corpus, const std::string& part,
                        const EvaluateOptions& options, const LearnContext& context);

/// Verb `evaluate`: evaluation.json and samples.csv of a supervised run, over val and test.
void run_evaluate(const EvaluateRequest& request, const LearnContext& context);

}  // namespace tilewright::learn
