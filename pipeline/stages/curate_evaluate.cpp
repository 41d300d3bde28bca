// SPDX-License-Identifier: Apache-2.0
// Draws of noise, each scored by models of its own.
#include "pipeline/stages/curate_evaluate.h"

#include <algorithm>
#include <array>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <set>

#include "geometry/error.h"
#include "index/sample.h"
#include "index/shard/shard_writer.h"
#include "pipeline/scores/repair_label.h"
#include "pipeline/stages/curate_effect.h"
#include "pipeline/stages/curate_metrics.h"
#include "pipeline/stages/curate_ranks.h"
#include "pipeline/stages/curate_repair.h"
#include "pipeline/stages/curate_silence.h"
#include "pipeline/stages/curate_unsure.h"
#include "pipeline/stages/scratch_folder.h"
#include "pipeline/synth/random.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kMostDonors = 4096;

std::vector<LabelDamage> kinds_of(const EvaluateNoise& config, bool has_classes) {
  std::vector<LabelDamage> out;
  const auto names = damage_names();
  for (std::size_t k = 0; k < names.size(); ++k) {
    const bool is_named = std::find(config.kinds.begin(), config.kinds.end(), names[k]) != config.kinds.end();
    const auto kind = static_cast<LabelDamage>(k);
    if (kind == LabelDamage::swap && !has_classes) {
      if (is_named) throw Error::config("curate: evaluate.kinds names swap, but the layer has one class only; leave it out");
      continue;
    }
    if (is_named || config.kinds.empty()) out.push_back(kind);
  }
  return out;
}

/// Damaged masks of one draw in a shard of their own.
struct NoisyLabels {
  MaskPlaces places;
  std::map<std::string, NoiseRow> rows;
};

class LayerEvaluator {
 public:
  LayerEvaluator(const StageInput& in, const std::string& layer, const RunContext& context)
      : in_(in), config_(*in.job.curate), context_(context), clean_places_(mask_places(in.manifest, layer)),
        clean_(in, clean_places_, curate_source(in.job), config_.compare.value_or("")) {
    out_.layer = layer;
    if (clean_.items().empty()) throw Error::config("curate: the layer " + layer + " has no masks in the workspace; run: tilewright label JOB");
    all_.resize(clean_.items().size());
    std::iota(all_.begin(), all_.end(), std::size_t{0});
    facts_.reach_px = config_.reach_px;
    std::vector<double> percentiles;
    for (const auto& one : edge_percentiles(clean_, all_, context)) percentiles.insert(percentiles.end(), one.begin(), one.end());
    facts_.edge_scale = edge_scale(std::move(percentiles));
    if (config_.evaluate.network) check_network();
    collect_classes();
  }

  LayerEvaluation run() {
    for (int draw = 0; draw < config_.evaluate.draws; ++draw) run_draw(draw);
    return std::move(out_);
  }

 private:
  /// Before any model is trained.
  void check_network() const {
    plan_network(in_, config_, out_.layer, {}, clean_places_);   // throws without labels of test
    const auto weights = weights_of(config_);
    const bool has_rank = std::any_of(config_.scores.begin(), config_.scores.end(), [&](const auto& name) { return weights.contains(name) && weights.at(name) > 0; });
    if (!has_rank) throw Error::config("curate: evaluate.network takes the best labels by combined, but no score with a weight is computed; add model_iou or edge_agreement to curate.scores");
  }

  void collect_classes() {
    std::set<std::uint8_t> classes;
    for (const auto& item : clean_.items()) {
      const auto label = clean_.label(item.mask);
      for (const auto& part : geometry::mask_parts(label).parts) classes.insert(part.value);
      if (donors_.size() >= kMostDonors) continue;
      for (auto& donor : donors_of(label)) donors_.push_back(std::move(donor));
    }
    classes_.assign(classes.begin(), classes.end());
    if (classes_.empty()) throw Error::failed("curate: no location of " + out_.layer + " has a labelled pixel, so there is nothing to damage; check the layer");
    kinds_ = kinds_of(config_.evaluate, classes_.size() > 1);
  }

  NoisyLabels damage(int draw, const std::filesystem::path& folder) {
    NoisyLabels out;
    out.places = write_masks(folder / "noisy-000000.tar", all_, [&](std::size_t n) {
      const auto& item = clean_.items()[n];
      const auto label = clean_.label(item.mask);
      const auto seed = index::sample_hash(item.location_id, config_.evaluate.seed + static_cast<std::uint64_t>(draw));
      Random random(seed, 1);
      NoiseRow row{.draw = draw, .location_id = item.location_id, .kind = "", .objects = 0, .shift = {}, .amount = 0, .iou_noisy = 1, .iou_repaired = 1};
      DamagedMask damaged{{label.pixels.begin(), label.pixels.end()}, 0, {}, 0};
      if (random.chance(config_.evaluate.noisy_frac)) {
        const auto kind = kinds_[static_cast<std::size_t>(random.integer(0, static_cast<int>(kinds_.size()) - 1))];
        damaged = damage_label(label, kind, donors_, classes_, seed);
        if (damaged.objects > 0) row.kind = name(kind);
      }
      row.objects = damaged.objects;
      row.shift = damaged.shift;
      row.amount = damaged.amount;
      row.iou_noisy = label_iou(damaged.pixels, label.pixels).value_or(1);
      out.rows.emplace(item.location_id, row);
      return std::move(damaged.pixels);
    });
    return out;
  }

  /// Masks of `items` (numbers into those of clean_) in a shard of their own.
  MaskPlaces write_masks(const std::filesystem::path& file, const std::vector<std::size_t>& items, const std::function<std::vector<std::uint8_t>(std::size_t)>& pixels) const {
    std::vector<shard::MemberSpec> members;
    for (const auto n : items) {
      const auto& item = clean_.items()[n];
      const auto label = clean_.label(item.mask);
      members.push_back({item.location_id, item.location_id + "." + out_.layer + ".npy", shard::DType::u8, {1, label.height, label.width}, ""});
    }
    shard::ShardWriter writer(file, members);
    for (std::size_t m = 0; m < items.size(); ++m) {
      context_.check_stop();
      const auto mask = pixels(items[m]);
      writer.put(m, std::as_bytes(std::span(mask)));
    }
    const auto written = writer.publish();
    MaskPlaces places;
    for (std::size_t m = 0; m < items.size(); ++m) {
      const auto& member = written.members[m];
      places[clean_.items()[items[m]].location_id] = {file.string(), member.name, member.offset, member.length, member.sha256};
    }
    return places;
  }

  void run_draw(int draw) {
    const ScratchFolder scratch(in_.job.scratch() / ("evaluate-" + out_.layer));
    auto noisy = damage(draw, scratch.path());
    const LabelledViews views(in_, noisy.places, curate_source(in_.job), config_.compare.value_or(""));
    auto metrics = score_without_model(views, wanted_scores(config_, false), facts_, all_, context_);
    const auto by_model = wanted_scores(config_, true);
    auto facts = facts_;
    MaskPlaces repaired;
    const auto seed = config_.model.seed + static_cast<std::uint64_t>(draw) * static_cast<std::uint64_t>(config_.model.seeds);
    if (!by_model.empty() || config_.repair) {
      auto plan = plan_folds(in_, config_, out_.layer, noisy.places);
      plan.run.seed = seed;
      auto answers = answer_folds(in_, plan, scratch.path(), context_);
      for (const auto& text : raise_unsure(answers, plan, views, context_)) out_.warnings.push_back(text + " (draw " + std::to_string(draw + 1) + ")");
      metrics.merge(score_by_model(views, answers, by_model, facts, context_));
      for (const auto& text : silent_folds(plan, views, answers, context_)) out_.warnings.push_back(text + " (draw " + std::to_string(draw + 1) + ")");
      if (config_.repair) repaired = judge_repairs(views, answers, noisy, scratch.path());
    }
    const auto weights = weights_of(config_);
    auto of_models = weights;
    std::erase_if(of_models, [](const auto& entry) {
      const auto* row = find_score(entry.first);
      return !row || row->needs != ScoreNeeds::model;
    });
    auto combined = combined_ranks(metrics, weights), combined_models = combined_ranks(metrics, of_models);
    if (!combined.empty()) metrics["combined"] = std::move(combined);
    if (!combined_models.empty()) metrics["combined_models"] = std::move(combined_models);
    for (const auto& [metric, values] : metrics) judge(metric, values, noisy);
    if (config_.evaluate.network) judge_network(noisy, repaired, metrics, seed, scratch);
    finish_draw(noisy);
  }

  void judge(const std::string& metric, const MetricValues& values, const NoisyLabels& noisy) {
    std::vector<Judged> judged;
    std::map<std::string, std::vector<Judged>> by_kind;
    std::size_t bad = 0;
    for (const auto& [id, value] : values) {
      const auto& row = noisy.rows.at(id);
      const Judged one{smaller_is_better(metric) ? -value : value, row.iou_noisy};
      judged.push_back(one);
      bad += row.iou_noisy < kBadBelow;
      if (row.iou_noisy < kBadBelow) by_kind[row.kind].push_back(one);
    }
    auto& quality = out_.scores[metric];
    const auto add = [](DrawStatistic& to, const std::optional<double>& value) {
      if (value) to.values.push_back(*value);
    };
    add(quality.auroc, auroc(judged, kBadBelow));
    add(quality.average_precision, average_precision(judged, kBadBelow));
    add(quality.tau, kendall_tau(judged));
    add(quality.precision_at_bad, precision_at(judged, kBadBelow, bad));
    add(quality.precision_at_5_percent, precision_at(judged, kBadBelow, (judged.size() + 19) / 20));
    for (auto& [kind, ones] : by_kind) {
      for (const auto& one : judged)
        if (one.truth >= kBadBelow) ones.push_back(one);
      add(quality.auroc_by_kind[kind], auroc(ones, kBadBelow));
    }
  }

  /// Places of all labels after repair, those without a proposal as they were.
  MaskPlaces judge_repairs(const LabelledViews& views, const FoldAnswers& answers, NoisyLabels& noisy, const std::filesystem::path& folder) {
    std::vector<double> residuals;
    for (auto& [id, row] : noisy.rows) row.iou_repaired = row.iou_noisy;
    std::map<std::string, std::vector<std::uint8_t>> repaired;
    for (auto& item : repair_items(views, answers, *config_.repair, facts_, context_)) {
      auto& row = noisy.rows.at(item.location_id);
      row.iou_repaired = label_iou(item.label.pixels, clean_.label(clean_places_.at(item.location_id)).pixels).value_or(1);
      if (row.kind == name(LabelDamage::shift)) add_residuals(views.label(noisy.places.at(item.location_id)), item.label, row.shift, residuals);
      if (config_.evaluate.network) repaired.emplace(item.location_id, std::move(item.label.pixels));
    }
    std::sort(residuals.begin(), residuals.end());
    if (!residuals.empty()) out_.shift_residual_px.values.push_back(residuals[residuals.size() / 2]);
    if (repaired.empty()) return {};
    std::vector<std::size_t> items;
    for (const auto n : all_)
      if (repaired.contains(clean_.items()[n].location_id)) items.push_back(n);
    auto places = write_masks(folder / "repaired-000000.tar", items, [&](std::size_t n) { return std::move(repaired.at(clean_.items()[n].location_id)); });
    places.insert(noisy.places.begin(), noisy.places.end());
    return places;
  }

  void judge_network(const NoisyLabels& noisy, const MaskPlaces& repaired, const Metrics& metrics, std::uint64_t seed, const ScratchFolder& scratch) {
    std::set<std::string> train;
    for (const auto& location : index::locations(in_.manifest))
      if (location.split.value_or("") == "train" && noisy.places.contains(location.location_id)) train.insert(location.location_id);
    const auto ranks = metrics.find("combined");
    if (ranks == metrics.end()) throw Error::failed("curate: evaluate.network takes the best labels by combined, but no location of " + out_.layer + " has a score with a weight");
    const auto arms = label_arms(train, noisy.places, clean_places_, repaired, ranks->second, config_.evaluate.network->few, seed);
    for (const auto& [budget, scores] : arm_scores(in_, config_, out_.layer, arms, clean_, clean_places_, seed, scratch, context_)) {
      auto& rows = out_.network[budget];
      if (rows.empty())
        for (const auto& arm : arms) rows.push_back({arm.name, {.iou = {}, .gain = {}, .rival = arm.rival}});
      for (auto& [arm, quality] : rows) {
        quality.iou.values.push_back(scores.at(arm));
        if (!quality.rival.empty()) quality.gain.values.push_back(scores.at(arm) - scores.at(quality.rival));
      }
    }
  }

  /// How far each object still lies beside its place; what no proposal moves keeps its whole shift.
  static void add_residuals(const LabelView& label, const RepairedLabel& repaired, geometry::PixelShift shift, std::vector<double>& residuals) {
    for (const auto& part : geometry::mask_parts(label).parts) {
      geometry::PixelShift found;
      for (const auto& proposal : repaired.proposals)
        if (proposal.kind == RepairKind::shift && proposal.col == part.first_col && proposal.row == part.first_row) found = proposal.shift;
      residuals.push_back(std::hypot(found.dx + shift.dx, found.dy + shift.dy));
    }
  }

  /// Of the last draw, if both have a value of it: a constant score has no tau.
  static void add_gain(const DrawStatistic& both, const DrawStatistic& models, DrawStatistic& gain) {
    if (both.values.size() == models.values.size() && both.values.size() > gain.values.size()) gain.values.push_back(both.values.back() - models.values.back());
  }

  void finish_draw(const NoisyLabels& noisy) {
    double bad = 0, before = 0, after = 0;
    std::map<std::string, std::array<double, 3>> kinds;
    for (const auto& [id, row] : noisy.rows) {
      bad += row.iou_noisy < kBadBelow;
      before += row.iou_noisy;
      after += row.iou_repaired;
      auto& sums = kinds[row.kind.empty() ? "clean" : row.kind];
      sums[0] += row.iou_noisy;
      sums[1] += row.iou_repaired;
      ++sums[2];
      out_.ledger.push_back(row);
    }
    const auto n = static_cast<double>(noisy.rows.size());
    out_.locations = static_cast<std::int64_t>(noisy.rows.size());
    out_.bad_frac.values.push_back(bad / n);
    out_.iou_noisy.values.push_back(before / n);
    if (config_.repair) {
      out_.iou_repaired.values.push_back(after / n);
      for (const auto& [kind, sums] : kinds) {
        out_.repair_by_kind[kind].first.values.push_back(sums[0] / sums[2]);
        out_.repair_by_kind[kind].second.values.push_back(sums[1] / sums[2]);
      }
    }
    const auto both = out_.scores.find("combined"), models = out_.scores.find("combined_models");
    if (both == out_.scores.end() || models == out_.scores.end()) return;
    add_gain(both->second.auroc, models->second.auroc, out_.auroc_gain);
    add_gain(both->second.tau, models->second.tau, out_.tau_gain);
  }

  const StageInput& in_;
  const CurateConfig& config_;
  const RunContext& context_;
  MaskPlaces clean_places_;
  LabelledViews clean_;
  std::vector<std::size_t> all_;
  LayerFacts facts_;
  std::vector<Donor> donors_;
  std::vector<std::uint8_t> classes_;
  std::vector<LabelDamage> kinds_;
  LayerEvaluation out_;
};

}  // namespace

double DrawStatistic::mean() const { return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()); }

double DrawStatistic::half_width() const {
  if (values.size() < 2) return 0;
  double squares = 0;
  for (const double value : values) squares += (value - mean()) * (value - mean());
  const auto n = static_cast<double>(values.size());
  return boost::math::quantile(boost::math::students_t(n - 1), 0.975) * std::sqrt(squares / (n - 1) / n);
}

std::vector<LayerEvaluation> evaluate_curation(const StageInput& in, const RunContext& context) {
  if (!in.job.curate) throw Error::config("curate: the job has no curate: section; add one with layers and scores");
  std::vector<LayerEvaluation> out;
  for (const auto& layer : in.job.curate->layers) out.push_back(LayerEvaluator(in, layer, context).run());
  return out;
}

std::string ledger_csv(const std::vector<LayerEvaluation>& layers) {
  std::string out = "layer,draw,location_id,kind,objects,dx_px,dy_px,amount,iou_noisy,iou_repaired\n";
  for (const auto& layer : layers)
    for (const auto& row : layer.ledger) {
      char line[160];
      std::snprintf(line, sizeof line, ",%lld,%d,%d,%.4f,%.6f,%.6f\n", static_cast<long long>(row.objects), row.shift.dx, row.shift.dy, row.amount, row.iou_noisy, row.iou_repaired);
      out += layer.layer + "," + std::to_string(row.draw) + "," + row.location_id + "," + (row.kind.empty() ? "clean" : row.kind) + line;
    }
  return out;
}

}  // namespace tilewright::pipeline
