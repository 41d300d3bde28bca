// SPDX-License-Identifier: Apache-2.0
// Runs the rows of the score table over the locations of a layer.
#include "pipeline/stages/curate_metrics.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>

#include "geometry/error.h"

namespace tilewright::pipeline {
namespace {

/// Runs use(n) for n in [0, count) in parallel, honours a stop within an item, and reports now and then.
template <class Use>
void each_item(std::size_t count, const std::string& unit, const RunContext& context, Use use) {
  std::mutex mutex;
  std::size_t done = 0;
  tbb::parallel_for(std::size_t{0}, count, [&](std::size_t n) {
    context.check_stop();
    use(n);
    const std::lock_guard lock(mutex);
    if (++done % 64 == 0 || done == count) context.on_progress({"curate", unit, static_cast<std::int64_t>(done), static_cast<std::int64_t>(count)});
  });
}

/// Values by item and score, in the order of items: the same for any number of threads.
using Values = std::vector<std::vector<std::optional<double>>>;

Metrics metrics_of(const LabelledViews& views, const std::vector<std::size_t>& items, const std::vector<const ScoreRow*>& scores, const Values& values) {
  Metrics out;
  for (std::size_t s = 0; s < scores.size(); ++s) {
    auto& metric = out[std::string(scores[s]->name)];
    for (std::size_t n = 0; n < items.size(); ++n)
      if (values[n][s]) metric[views.items()[items[n]].location_id] = *values[n][s];
  }
  return out;
}

/// Mean over the views that a score says something of.
struct Mean {
  double sum = 0;
  int count = 0;
  void add(const std::optional<double>& value) {
    if (!value) return;
    sum += *value;
    ++count;
  }
  [[nodiscard]] std::optional<double> value() const { return count > 0 ? std::optional(sum / count) : std::nullopt; }
};

std::vector<std::optional<double>> score_item(const LabelledViews& views, const LabelledViews::Item& item, const std::vector<const ScoreRow*>& scores, const LayerFacts& facts) {
  const auto label = views.label(item.mask);
  std::vector<Mean> means(scores.size());
  const bool needs_pixels = std::any_of(scores.begin(), scores.end(), [](const auto* row) { return row->needs == ScoreNeeds::image; });
  for (const auto& place : needs_pixels ? item.views : std::vector<index::MemberPlace>{}) {
    const auto band = views.band(place, label);
    thread_local std::vector<float> gradient;
    gradient_magnitude(band, label.width, label.height, gradient);
    for (std::size_t s = 0; s < scores.size(); ++s)
      if (scores[s]->needs == ScoreNeeds::image) means[s].add(scores[s]->score({label, band, gradient, nullptr, {}, facts}));
  }
  for (std::size_t s = 0; s < scores.size(); ++s) {
    if (scores[s]->needs == ScoreNeeds::label) means[s].add(scores[s]->score({label, {}, {}, nullptr, {}, facts}));
    if (scores[s]->needs != ScoreNeeds::other || !item.other) continue;
    const auto other = views.label(*item.other);
    if (other.pixels.size() == label.pixels.size()) means[s].add(scores[s]->score({label, {}, {}, nullptr, other.pixels, facts}));
  }
  std::vector<std::optional<double>> out;
  for (const auto& mean : means) out.push_back(mean.value());
  return out;
}

}  // namespace

std::vector<const ScoreRow*> wanted_scores(const CurateConfig& config, bool with_model) {
  std::vector<const ScoreRow*> out;
  for (const auto& row : score_table())
    if ((row.needs == ScoreNeeds::model) == with_model && std::find(config.scores.begin(), config.scores.end(), row.name) != config.scores.end()) out.push_back(&row);
  return out;
}

std::vector<std::vector<double>> edge_percentiles(const LabelledViews& views, const std::vector<std::size_t>& items, const RunContext& context) {
  std::vector<std::vector<double>> out(items.size());
  each_item(items.size(), "views", context, [&](std::size_t n) {
    const auto& item = views.items()[items[n]];
    const auto label = views.label(item.mask);
    for (const auto& place : item.views) out[n].push_back(percentile_95(gradient_magnitude(views.band(place, label), label.width, label.height)));
  });
  return out;
}

Metrics score_without_model(const LabelledViews& views, const std::vector<const ScoreRow*>& scores, const LayerFacts& facts, const std::vector<std::size_t>& items,
                            const RunContext& context) {
  Values values(items.size());
  each_item(items.size(), "locations", context, [&](std::size_t n) { values[n] = score_item(views, views.items()[items[n]], scores, facts); });
  return metrics_of(views, items, scores, values);
}

void each_answered(const LabelledViews& views, const FoldAnswers& answers, const RunContext& context,
                   const std::function<void(std::size_t, const LabelView&, const Probabilities&)>& use) {
  each_item(views.items().size(), "predictions", context, [&](std::size_t n) {
    const auto& item = views.items()[n];
    const auto khw = answers.of(item.location_id);
    if (!khw) return;
    const auto label = views.label(item.mask);
    const Probabilities model{*khw, answers.class_ids()};
    if (model.pixels() != label.pixels.size())
      throw Error::failed("curate: the prediction of " + item.location_id + " has " + std::to_string(model.pixels()) + " pixels, its mask " + std::to_string(label.pixels.size()) +
                          "; name a source with the grid's resolution in curate.model.source");
    use(n, label, model);
  });
}

Metrics score_by_model(const LabelledViews& views, const FoldAnswers& answers, const std::vector<const ScoreRow*>& scores, LayerFacts& facts, const RunContext& context) {
  std::vector<ClassConfidence> confidence(views.items().size());
  each_answered(views, answers, context, [&](std::size_t n, const LabelView& label, const Probabilities& model) { confidence[n].add(label, model); });
  ClassConfidence all;
  for (const auto& one : confidence) all.add(one);
  facts.thresholds = all.thresholds();
  Values values(views.items().size(), std::vector<std::optional<double>>(scores.size()));
  const bool asks_spread = std::any_of(scores.begin(), scores.end(), [](const auto* row) { return row->name == "model_spread"; });
  each_answered(views, answers, context, [&](std::size_t n, const LabelView& label, const Probabilities& model) {
    const auto spread = asks_spread ? answers.spread(views.items()[n].location_id, model.khw) : std::nullopt;
    for (std::size_t s = 0; s < scores.size(); ++s) values[n][s] = scores[s]->score({label, {}, {}, &model, {}, facts, spread});
  });
  std::vector<std::size_t> items(views.items().size());
  std::iota(items.begin(), items.end(), std::size_t{0});
  return metrics_of(views, items, scores, values);
}

}  // namespace tilewright::pipeline
