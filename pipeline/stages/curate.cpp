// SPDX-License-Identifier: Apache-2.0
// The curate stage: scores of labels by location, repairs, their combination, and subsets.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "learn/config/json.h"
#include "pipeline/stages/block_advice.h"
#include "pipeline/stages/curate_memory.h"
#include "pipeline/stages/curate_metrics.h"
#include "pipeline/stages/curate_predicted.h"
#include "pipeline/stages/curate_ranks.h"
#include "pipeline/stages/curate_repair.h"
#include "pipeline/stages/curate_silence.h"
#include "pipeline/stages/curate_subsets.h"
#include "pipeline/stages/curate_unsure.h"
#include "pipeline/stages/scratch_folder.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kKeyLength = 16;   ///< of a hash: enough to see a change

/// What a layer adds to the manifest.
struct CuratedLayer {
  Metrics metrics;
  std::optional<RepairedLayer> repaired;       ///< nullopt: none wanted, or as it was
  std::optional<PredictedLayer> predicted;     ///< nullopt: no models were asked
  std::map<std::string, Metrics> more;         ///< scores of the repaired layer
};

/// Names and versions: a changed score is computed anew.
std::string text_of(const std::vector<const ScoreRow*>& scores) {
  std::string out;
  for (const auto* row : scores) out += std::string(row->name) + " " + std::to_string(row->version) + "\n";
  return out;
}

std::string views_key(const LabelledViews::Item& item) {
  std::string text;
  for (const auto& view : item.views) text += view.sha256 + "\n";
  return shard::sha256_hex(text).substr(0, kKeyLength);
}

class LayerCurator {
 public:
  LayerCurator(const StageInput& in, const std::string& layer, const RunContext& context, StageReport& report)
      : in_(in), config_(*in.job.curate), layer_(layer), context_(context), report_(report), memory_(in.manifest, layer), masks_(mask_places(in.manifest, layer)),
        views_(in, masks_, curate_source(in.job), config_.compare.value_or("")) {
    if (views_.items().empty()) throw Error::config("curate: the layer " + layer + " has no masks in the workspace; run: tilewright label JOB");
    facts_.reach_px = config_.reach_px;
  }

  CuratedLayer run() {
    const auto masks = index::masks(in_.manifest, layer_);
    check_is_labelled(masks);
    warn_of_dates(masks);
    const auto plain = wanted_scores(config_, false), by_model = wanted_scores(config_, true);
    if (config_.repair || std::any_of(plain.begin(), plain.end(), [](const auto* row) { return row->needs == ScoreNeeds::image; })) find_edge_scale();
    score_plain(plain);
    if (!by_model.empty() || config_.repair) score_models(by_model);
    for (const auto& [metric, values] : out_.metrics) report_.counts.emplace_back(layer_ + "." + metric, static_cast<std::int64_t>(values.size()));
    if (const auto iou = out_.metrics.find("model_iou"); iou != out_.metrics.end())
      if (const auto advice = block_advice(in_.job, in_.manifest, iou->second, layer_ + ": model_iou")) report_.notes.push_back(*advice);
    for (auto* metrics : {&out_.metrics, out_.more.empty() ? nullptr : &out_.more.begin()->second}) {
      if (!metrics) continue;
      if (auto combined = combined_ranks(*metrics, weights_of(config_)); !combined.empty()) (*metrics)["combined"] = std::move(combined);
    }
    return std::move(out_);
  }

  void remember(index::Manifest& manifest) const { memory_.write(manifest); }

 private:
  void check_is_labelled(const std::vector<index::MaskRow>& masks) const {
    if (std::any_of(masks.begin(), masks.end(), [](const auto& mask) { return mask.positive_frac > 0; })) return;
    throw Error::failed("curate: no mask of layer " + layer_ + " has a labelled pixel, in " + std::to_string(masks.size()) +
                        " masks: there is nothing to score; look at where, class, classes and extent of layers." + layer_ + " and at the table label_object, then run: tilewright label JOB");
  }

  /// Scores are one a location: of a dated layer the latest period counts, and that is told.
  void warn_of_dates(const std::vector<index::MaskRow>& masks) {
    std::map<std::string, int> count;
    for (const auto& mask : masks)
      if (mask.place) ++count[mask.location_id];
    const auto several = std::count_if(count.begin(), count.end(), [](const auto& entry) { return entry.second > 1; });
    if (several == 0) return;
    warn({kWarning + layer_ + ": " + std::to_string(several) + " of " + std::to_string(count.size()) +
          " locations have masks of several periods; scores, repairs and predictions are those of the latest. To curate each period, make it a layer of its own (where: of the layer)"});
  }

  void find_edge_scale() {
    std::vector<std::size_t> unknown;
    std::vector<double> all;
    for (std::size_t n = 0; n < views_.items().size(); ++n) {
      const auto& item = views_.items()[n];
      if (const auto known = memory_.percentiles(item.location_id, views_key(item))) all.insert(all.end(), known->begin(), known->end());
      else unknown.push_back(n);
    }
    const auto found = edge_percentiles(views_, unknown, context_);
    for (std::size_t n = 0; n < unknown.size(); ++n) {
      const auto& item = views_.items()[unknown[n]];
      memory_.remember_percentiles(item.location_id, views_key(item), found[n]);
      all.insert(all.end(), found[n].begin(), found[n].end());
    }
    facts_.edge_scale = edge_scale(std::move(all));
  }

  /// Of scores that need no model: all that decides the values of one location.
  [[nodiscard]] std::string key_of(const LabelledViews::Item& item, const std::string& scores) const {
    char facts[64];
    std::snprintf(facts, sizeof facts, "%.17g %d\n", facts_.edge_scale, facts_.reach_px);
    return shard::sha256_hex(scores + facts + item.mask.sha256 + "\n" + (item.other ? item.other->sha256 : "") + "\n" + views_key(item)).substr(0, kKeyLength);
  }

  void score_plain(const std::vector<const ScoreRow*>& scores) {
    if (scores.empty()) return;
    const auto names = text_of(scores);
    std::vector<std::size_t> stale;
    for (const auto* row : scores) out_.metrics[std::string(row->name)];
    for (std::size_t n = 0; n < views_.items().size(); ++n) {
      const auto& id = views_.items()[n].location_id;
      if (const auto known = memory_.values(id, scores, key_of(views_.items()[n], names)))
        for (const auto& [metric, value] : *known) out_.metrics[metric][id] = value;
      else stale.push_back(n);
    }
    for (auto& [metric, values] : score_without_model(views_, scores, facts_, stale, context_)) out_.metrics[metric].merge(values);
    for (const auto n : stale) {
      const auto& item = views_.items()[n];
      const auto has = [&](const ScoreRow* row) { return out_.metrics.at(std::string(row->name)).contains(item.location_id); };
      memory_.remember(item.location_id, key_of(item, names), static_cast<std::size_t>(std::count_if(scores.begin(), scores.end(), has)));
    }
    report_.counts.emplace_back(layer_ + ".scored_again", static_cast<std::int64_t>(stale.size()));
  }

  void score_models(const std::vector<const ScoreRow*>& scores) {
    const auto plan = plan_folds(in_, config_, layer_, masks_);
    const auto key = shard::sha256_hex(plan.key + text_of(scores) + std::to_string(facts_.reach_px) + "\nunsure 1\n" + repair_text()).substr(0, kKeyLength);
    if (auto known = memory_.model_scores(scores, key); known && repaired_is_there() && predicted_is_whole()) {
      out_.metrics.merge(*known);
      if (config_.repair) keep_repaired();
      report_.notes.push_back(layer_ + ": labels, pixels and models are as they were; their scores stay");
      warn(memory_.warnings());
      return;
    }
    const KeptFolder models(in_.job.scratch() / ("curate-" + layer_), plan.key);
    auto answers = answer_folds(in_, plan, models.path(), context_);
    auto told = raise_unsure(answers, plan, views_, context_);
    auto found = score_by_model(views_, answers, scores, facts_, context_);
    std::size_t count = 0;
    for (const auto& [metric, values] : found) count += values.size();
    memory_.remember_models(key, count);
    if (const auto iou = found.find("model_iou"); iou != found.end()) {
      std::set<std::string> asked;
      for (const auto& sample : plan.samples.samples) asked.insert(sample.rows.front().location);
      if (const auto silent = asked.size() - iou->second.size(); silent > 0) report_.counts.emplace_back(layer_ + ".nothing_labelled_nor_predicted", static_cast<std::int64_t>(silent));
    }
    if (const auto spread = found.find("model_spread"); spread != found.end() && !spread->second.empty()) report_.notes.push_back(spread_text(plan.seeds, spread->second));
    const auto silent = silent_folds(plan, views_, answers, context_);
    told.insert(told.end(), silent.begin(), silent.end());
    memory_.remember_warnings(told);
    warn(told);
    out_.metrics.merge(found);
    out_.predicted = write_predicted(in_, layer_, views_, answers, context_);
    if (config_.repair) repair(answers);
    models.remove();
  }

  [[nodiscard]] std::string spread_text(int seeds, const MetricValues& spread) const {
    std::vector<double> values;
    for (const auto& [id, value] : spread) values.push_back(value);
    std::sort(values.begin(), values.end());
    char text[120];
    std::snprintf(text, sizeof text, ": %d models a fold; their probabilities differ by %.3f (standard deviation, median location; %.3f at most)", seeds, values[values.size() / 2], values.back());
    return layer_ + text;
  }

  void warn(const std::vector<std::string>& warnings) { report_.notes.insert(report_.notes.end(), warnings.begin(), warnings.end()); }

  [[nodiscard]] std::string repair_text() const {
    if (!config_.repair) return "";
    char edges[40];
    std::snprintf(edges, sizeof edges, " %.17g", facts_.edge_scale);
    return learn::json_of(*config_.repair).dump() + edges + " repair 2";
  }

  [[nodiscard]] std::string repaired_layer() const { return layer_ + "_repaired"; }

  [[nodiscard]] bool repaired_is_there() const {
    if (!config_.repair) return true;
    const auto rows = index::masks(in_.manifest, repaired_layer());
    return !rows.empty() && std::all_of(rows.begin(), rows.end(), [](const auto& mask) { return mask.place.has_value(); }) && !index::scores(in_.manifest, repaired_layer()).empty();
  }

  /// None at all is no reason to train again: the label stage has moved on, scores stay.
  [[nodiscard]] bool predicted_is_whole() const {
    const auto rows = index::masks(in_.manifest, predicted_layer(layer_));
    return std::all_of(rows.begin(), rows.end(), [](const auto& mask) { return mask.place.has_value(); });
  }

  void keep_repaired() {
    auto& metrics = out_.more[repaired_layer()];
    for (const auto& score : index::scores(in_.manifest, repaired_layer())) metrics[score.metric][score.location_id] = score.value;
    metrics.erase("combined");
  }

  void repair(const FoldAnswers& answers) {
    const auto items = repair_items(views_, answers, *config_.repair, facts_, context_);
    out_.repaired = write_repaired(in_, layer_, items);
    std::map<std::string, std::int64_t> kinds;
    for (const auto& object : out_.repaired->objects) ++kinds[*object.rule];
    for (const auto& [kind, count] : kinds) report_.counts.emplace_back(repaired_layer() + "." + kind, count);
    MaskPlaces places;
    for (const auto& row : out_.repaired->masks) places[row.location_id] = *row.place;
    const LabelledViews after(in_, places, curate_source(in_.job), config_.compare.value_or(""));
    std::vector<std::size_t> all;
    for (std::size_t n = 0; n < after.items().size(); ++n) all.push_back(n);
    auto& metrics = out_.more[repaired_layer()];
    metrics = score_without_model(after, wanted_scores(config_, false), facts_, all, context_);
    auto facts = facts_;
    metrics.merge(score_by_model(after, answers, wanted_scores(config_, true), facts, context_));
  }

  const StageInput& in_;
  const CurateConfig& config_;
  std::string layer_;
  const RunContext& context_;
  StageReport& report_;
  CurateMemory memory_;
  MaskPlaces masks_;
  LabelledViews views_;
  LayerFacts facts_;
  CuratedLayer out_;
};

void write_scores(index::Manifest& manifest, const std::string& layer, const Metrics& metrics) {
  for (const auto& [metric, values] : metrics)
    for (const auto& [id, value] : values) {
      index::ScoreRow row;
      row.location_id = id;
      row.layer = layer;
      row.metric = metric;
      row.value = value;
      index::insert(manifest, row);
    }
}

/// Repaired and predicted layers that the job does not ask for any more go.
void drop_unwanted(index::Manifest& manifest, const Job& job) {
  const auto is_own = [&](const std::string& name) { return std::any_of(job.layers.begin(), job.layers.end(), [&](const auto& own) { return own.first == name; }); };
  const auto drop = [&](const std::string& name) {
    if (is_own(name)) return;
    index::remove_masks(manifest, name);
    index::remove_label_objects(manifest, name);
  };
  const bool asks_models = job.curate->repair || !wanted_scores(*job.curate, true).empty();
  for (const auto& layer : job.curate->layers) {
    if (!job.curate->repair) drop(layer + "_repaired");
    if (!asks_models) drop(predicted_layer(layer));
  }
}

}  // namespace

StageReport run_curate(const StageInput& in, const RunContext& context) {
  if (!in.job.curate) throw Error::config("curate: the job has no curate: section; add one with layers and scores");
  const auto& config = *in.job.curate;
  if (config.layers.empty()) throw Error::config("curate: layers is empty; name at least one layer whose labels are scored");
  StageReport report;
  std::vector<std::unique_ptr<LayerCurator>> curators;
  std::map<std::string, CuratedLayer> by_layer;
  for (const auto& layer : config.layers) {
    curators.push_back(std::make_unique<LayerCurator>(in, layer, context, report));
    by_layer[layer] = curators.back()->run();
  }
  in.manifest.in_transaction([&] {
    index::clear_stage(in.manifest, "curate");
    drop_unwanted(in.manifest, in.job);
    for (const auto& [layer, curated] : by_layer) {
      write_scores(in.manifest, layer, curated.metrics);
      for (const auto& [name, metrics] : curated.more) write_scores(in.manifest, name, metrics);
      if (curated.repaired) record_repaired(in.manifest, *curated.repaired);
      if (curated.predicted) record_predicted(in.manifest, *curated.predicted);
    }
    for (const auto& curator : curators) curator->remember(in.manifest);
    write_subsets(in.manifest, config, report);
  });
  return report;
}

}  // namespace tilewright::pipeline
