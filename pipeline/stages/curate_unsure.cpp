// SPDX-License-Identifier: Apache-2.0
// Confidence of each model over the locations that it was asked of, and what follows from them.
#include "pipeline/stages/curate_unsure.h"

#include <algorithm>
#include <cstdio>

#include "pipeline/scores/unsure_classes.h"

namespace tilewright::pipeline {
namespace {

/// By model and then by item: sums run in the order of the items, the same for any number of threads.
using Confidences = std::map<std::size_t, std::vector<ClassConfidence>>;

Confidences confidences_of(const FoldAnswers& answers, const LabelledViews& views, const RunContext& context) {
  std::vector<std::vector<ClassConfidence>> of_items(views.items().size());
  each_answered(views, answers, context, [&](std::size_t n, const LabelView& label, const Probabilities& model) {
    const auto& id = views.items()[n].location_id;
    const auto models = answers.models_of(id).size();
    if (models == 1) return of_items[n].emplace_back().add(label, model);  // its mean over seeds
    for (std::size_t seed = 0; seed < models; ++seed) {
      const auto khw = answers.of_seed(id, seed);
      of_items[n].emplace_back().add(label, {khw, answers.class_ids()});
    }
  });
  Confidences out;
  for (std::size_t n = 0; n < of_items.size(); ++n)
    for (std::size_t seed = 0; seed < of_items[n].size(); ++seed) out[answers.models_of(views.items()[n].location_id)[seed]].push_back(std::move(of_items[n][seed]));
  return out;
}

/// Of one class, in the models that were unsure of it.
struct Raised {
  int models = 0;
  double least = 1, most = 0;   ///< mean probability where it is labelled
};

std::string note_of(const std::string& layer, const std::string& name, const Raised& raised, std::size_t models) {
  char numbers[120];
  std::snprintf(numbers, sizeof numbers, "a probability of %.2f to %.2f where labels have it", raised.least, raised.most);
  return layer + ": " + std::to_string(raised.models) + " of " + std::to_string(models) + " models give " + name + " " + numbers + "; they decide it from there on, not from a half on";
}

}  // namespace

std::vector<std::string> raise_unsure(FoldAnswers& answers, const FoldPlan& plan, const LabelledViews& views, const RunContext& context) {
  const auto confidences = confidences_of(answers, views, context);
  std::map<std::size_t, Raised> raised;   // by plane
  for (const auto& [model, of_items] : confidences) {
    ClassConfidence all;
    for (const auto& one : of_items) all.add(one);
    auto factors = odds_factors(all);
    const auto thresholds = all.thresholds();
    for (std::size_t k = 0; k < factors.size(); ++k) {
      if (factors[k] == 1) continue;
      auto& one = raised[k];
      ++one.models;
      one.least = std::min(one.least, thresholds[k]);
      one.most = std::max(one.most, thresholds[k]);
    }
    if (std::any_of(factors.begin(), factors.end(), [](double factor) { return factor != 1; })) answers.raise(model, std::move(factors));
  }
  std::vector<std::string> notes;
  for (const auto& [plane, one] : raised) {
    const auto& info = answers.classes()[plane];
    notes.push_back(note_of(plan.layer, info.name.empty() ? "class " + std::to_string(info.id) : info.name, one, confidences.size()));
  }
  return notes;
}

}  // namespace tilewright::pipeline
