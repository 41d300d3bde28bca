// SPDX-License-Identifier: Apache-2.0
// The table of scores: what each needs, which way it ranks, and its function.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/scores/label_scores.h"

namespace tilewright::pipeline {

/// What scores look at beside one location: facts of the whole layer.
struct LayerFacts {
  double edge_scale = 0;               ///< gradient of a strong edge
  std::vector<double> thresholds;      ///< of confident learning, by plane
  int reach_px = 8;                    ///< longest shift that is looked for
};

/// One location's label with one view, or with what the model thinks of the location.
struct ScoreInput {
  LabelView label;
  std::span<const float> band;         ///< first band of the view; for needs image
  std::span<const float> gradient;     ///< of that band
  const Probabilities* model = nullptr;        ///< for needs model
  std::span<const std::uint8_t> other; ///< mask of the layer to compare with; for needs other
  const LayerFacts& facts;
  std::optional<double> spread = {};   ///< between models of several seeds; for needs model
};

/// image: once a view, and the mean of the views; the others once a location.
enum class ScoreNeeds { label, image, model, other };

struct ScoreRow {
  std::string_view name;
  ScoreNeeds needs;
  bool smaller_is_better;
  int version;                                     ///< raise when values change
  std::optional<double> (*score)(const ScoreInput&);   ///< nullopt: says nothing of this label
  std::string_view meaning;                        ///< for people, in half a sentence
};

std::span<const ScoreRow> score_table();
/// nullptr if there is none of this name.
const ScoreRow* find_score(std::string_view name);
std::vector<std::string> score_names();

}  // namespace tilewright::pipeline
