// SPDX-License-Identifier: Apache-2.0
// The table of scores. A new one is a file, its CMake line and a row; one that needs a model also stands among the
// volatile rows of the manifest (index/manifest_schema.cpp).
#include "pipeline/scores/score.h"

#include <algorithm>
#include <array>

#include "pipeline/scores/rows.h"

namespace tilewright::pipeline {
namespace {

using enum ScoreNeeds;

/// name, needs, smaller is better, version, function, meaning
constexpr std::array kScores{
    ScoreRow{"edge_agreement", image, false, 2, edge_agreement_of, "label edges lie on edges of image or elevation, [0, 2]"},
    ScoreRow{"height_step", image, false, 1, height_step_of, "the lowest object stands above its ring, in the band's unit"},
    ScoreRow{"shift_edges_px", image, true, 2, shift_edges_of, "length of the shift that brings the label onto edges, pixels"},
    ScoreRow{"clipped_frac", label, true, 1, clipped_frac_of, "share of labelled area in objects that the window or the extent cuts"},
    ScoreRow{"model_iou", model, false, 2, model_iou_of, "IoU with the out-of-fold prediction"},
    ScoreRow{"softmin", model, false, 2, softmin_of, "soft minimum of the probability of the label"},
    ScoreRow{"confident_frac", model, false, 1, confident_of, "share of pixels that confident learning does not flag"},
    ScoreRow{"log_likelihood", model, false, 2, log_likelihood_of, "mean logarithm of the label's probability"},
    ScoreRow{"missing_objects", model, true, 1, missing_objects_of, "predicted objects that the label lacks"},
    ScoreRow{"false_objects", model, true, 1, false_objects_of, "labelled objects that the model does not see"},
    ScoreRow{"completeness", model, false, 1, completeness_of, "share of the area of predicted objects that is labelled"},
    ScoreRow{"shift_model_px", model, true, 1, shift_model_of, "length of the shift that brings the label onto the prediction, pixels"},
    ScoreRow{"model_spread", model, true, 1, model_spread_of, "standard deviation, between the models' seeds, of the probability of the class they decide"},
    ScoreRow{"label_agreement", other, false, 2, label_agreement_of, "IoU with another layer (curate.compare)"},
};

}  // namespace

std::span<const ScoreRow> score_table() { return kScores; }

const ScoreRow* find_score(std::string_view name) {
  const auto found = std::find_if(kScores.begin(), kScores.end(), [&](const auto& row) { return row.name == name; });
  return found == kScores.end() ? nullptr : &*found;
}

std::vector<std::string> score_names() {
  std::vector<std::string> names;
  for (const auto& row : kScores) names.emplace_back(row.name);
  return names;
}

}  // namespace tilewright::pipeline
