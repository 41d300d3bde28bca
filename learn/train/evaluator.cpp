// SPDX-License-Identifier: Apache-2.0
// Evaluates a model over a part, batch by batch, in the order of the part file.
#include "learn/train/evaluator.h"

#include "geometry/error.h"
#include "learn/train/batch.h"
#include "learn/train/feature_spread.h"
#include "learn/train/part_sums.h"

namespace tilewright::learn {
namespace {

constexpr int kMostClassesInLog = 32;

bool is_supervised(const Recipe& recipe) {
  return recipe.delivery() == Delivery::image_and_mask ||
         recipe.delivery() == Delivery::image_and_label;
}

/// Those can reach a low loss with one vector for all images.
bool compares_images(const Recipe& recipe) {
  return recipe.delivery() == Delivery::pair || recipe.delivery() == Delivery::sensors ||
         recipe.delivery() == Delivery::crops;
}

}  // namespace

NamedValues PartScore::values(const std::vector<ClassInfo>& classes) const {
  NamedValues out = {{"loss", loss}};
  if (feature_spread) out.emplace_back("feature_spread", *feature_spread);
  if (labels) {
    const auto m = metrics_of(*labels);
    out.insert(
        out.end(),
        {{"f1_micro", m.f1_micro}, {"f1_macro", m.f1_macro}, {"exact_match", m.exact_match}});
  }
  if (!confusion) return out;
  const auto m = metrics_of(*confusion);
  out.insert(out.end(), {{"iou_micro", m.iou_micro},
                         {"iou_macro", m.iou_macro},
                         {"f1_macro", m.f1_macro},
                         {"overall_accuracy", m.overall_accuracy}});
  for (std::size_t k = 0; k < classes.size() && k < kMostClassesInLog; ++k)
    if (m.iou[k]) out.emplace_back("iou_" + classes[k].name, *m.iou[k]);
  return out;
}

double PartScore::headline() const {
  if (labels) return metrics_of(*labels).f1_micro;
  if (!confusion) return -loss;
  const auto m = metrics_of(*confusion);
  return is_of_images ? m.overall_accuracy : m.iou_macro;
}

PartScore evaluate_part(Recipe& recipe, const RunConfig& run, const std::vector<InputInfo>& inputs,
                        const Corpus& corpus, const std::string& part,
                        const EvaluateOptions& options, const LearnContext& context) {
  const torch::NoGradGuard no_grad;
  set_training(recipe, run, false);
  const auto& samples = corpus.part(part);
  Loader loader(corpus, samples,
                loader_config(run, inputs, corpus.dataset().views, recipe.delivery(),
                              static_cast<std::int64_t>(samples.size()), false));
  loader.start(0);
  const auto sums =
      is_supervised(recipe) ? make_part_sums(corpus.dataset(), options.keep_samples) : nullptr;
  PartScore score;
  double weighted = 0;
  FeatureSpread spread;
  const bool is_compared = compares_images(recipe);
  while (auto raw = loader.next()) {
    const auto batch = to_batch(*raw, options.device);
    if (sums)
      sums->add(recipe.logits(batch.image_nchw), *raw, batch, samples);
    else
      weighted +=
          recipe.loss(batch, {.seed = run.seed, .epoch = -1, .step = raw->number}).item<double>() *
          raw->count;
    if (is_compared) spread.add(pooled(recipe.encode(batch.image_nchw, std::nullopt)));
    score.samples += raw->count;
    loader.give_back(std::move(*raw));
    context.on_progress(score.samples, static_cast<std::int64_t>(samples.size()), "samples");
    if (options.keep_samples && context.stop.stop_requested())
      throw Error::stopped("evaluation stopped on request; the same command starts it again");
  }
  if (sums)
    sums->finish(score);
  else
    score.loss = score.samples == 0 ? 0 : weighted / static_cast<double>(score.samples);
  if (is_compared && score.samples > 1) score.feature_spread = spread.value();
  return score;
}

}  // namespace tilewright::learn
