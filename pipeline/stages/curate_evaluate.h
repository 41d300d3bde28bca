// SPDX-License-Identifier: Apache-2.0
// How well curation finds and repairs noise that is put into labels which count as clean; SCIENCE 3.2.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipeline/scores/damage_label.h"
#include "pipeline/scores/ranking.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

/// What was done to one location.
struct NoiseRow {
  int draw = 0;
  std::string location_id;
  std::string kind;              ///< "" = left clean
  std::int64_t objects = 0;
  geometry::PixelShift shift;
  double amount = 0;
  double iou_noisy = 1, iou_repaired = 1;   ///< with the clean label
};

/// One number over the draws.
struct DrawStatistic {
  std::vector<double> values;
  [[nodiscard]] double mean() const;
  /// Half of the 95 % interval of the mean by Student's t; 0 for one draw.
  [[nodiscard]] double half_width() const;
};

struct ScoreQuality {
  DrawStatistic auroc, average_precision, tau, precision_at_bad, precision_at_5_percent;
  std::map<std::string, DrawStatistic> auroc_by_kind;   ///< bad ones of the kind against all that are not bad
};

/// Of one kind of labels: the network's IoU on the clean labels of test, and that IoU less what its rival reaches in the same draw.
struct ArmQuality {
  DrawStatistic iou, gain;
  std::string rival;                                     ///< all_noisy, or random_N of curated_N; "" = none
};

struct LayerEvaluation {
  std::string layer;
  std::int64_t locations = 0;
  DrawStatistic bad_frac, iou_noisy, iou_repaired;
  std::map<std::string, ScoreQuality> scores;            ///< rows of the table, `combined`, `combined_models` (rows with a model only)
  std::map<std::string, std::pair<DrawStatistic, DrawStatistic>> repair_by_kind;   ///< IoU of noisy and repaired labels
  DrawStatistic shift_residual_px;                       ///< median over the objects of shifted locations
  DrawStatistic auroc_gain, tau_gain;                    ///< of combined over combined_models: what the model-free signal adds
  std::map<std::string, std::vector<std::pair<std::string, ArmQuality>>> network;   ///< by budget, in the order of arms
  std::vector<NoiseRow> ledger;
  std::vector<std::string> warnings;                     ///< of models that learned nothing, by draw
};

/// Labels whose IoU with the clean ones is below this are bad.
inline constexpr double kBadBelow = 0.8;

/// Of every curated layer: draws noise, scores and repairs as the stage would, and compares. The manifest is only read.
/// Throws Error::config without a split, or for kinds that a layer cannot have (swap with one class).
std::vector<LayerEvaluation> evaluate_curation(const StageInput& in, const RunContext& context);

/// location, kind, objects, shift, amount and IoUs of each draw, as CSV.
std::string ledger_csv(const std::vector<LayerEvaluation>& layers);

}  // namespace tilewright::pipeline
