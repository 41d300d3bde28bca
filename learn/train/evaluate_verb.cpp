// SPDX-License-Identifier: Apache-2.0
// Verb `evaluate`: evaluation.json, samples.csv and a few samples to look at.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "learn/config/json.h"
#include "learn/train/bootstrap.h"
#include "learn/train/evaluator.h"
#include "learn/train/examples.h"
#include "learn/train/knn.h"
#include "learn/train/loaded_run.h"
#include "learn/train/part_sums.h"

namespace tilewright::learn {
namespace {

namespace fs = std::filesystem;
constexpr int kEvaluationVersion = 2;

Json shown_interval(const Interval& interval) { return {interval[0], interval[1]}; }

/// How sure the numbers are, if other blocks of locations had been drawn.
Json json_of_intervals(const PartScore& score) {
  const auto drawn = bootstrap(score.blocks);
  return {{"blocks", drawn.blocks},
          {"draws", drawn.draws},
          {"overall_accuracy", shown_interval(drawn.overall_accuracy)},
          {"iou_micro", shown_interval(drawn.iou_micro)},
          {"iou_macro", shown_interval(drawn.iou_macro)}};
}

/// Of edges, within 2 pixels.
Json json_of_boundary(const BoundarySums& sums) {
  Json classes = Json::array();
  for (const auto& entry : sums.classes())
    classes.push_back({{"iou", json_of(entry.iou())}, {"f1", json_of(entry.f1())}});
  return {{"distance_px", kBoundaryPx},
          {"iou_macro", sums.iou_macro()},
          {"f1_macro", sums.f1_macro()},
          {"classes", classes}};
}

Json json_of_confusion(const PartScore& score, const std::vector<ClassInfo>& classes) {
  const auto m = metrics_of(*score.confusion);
  Json out = {{"samples", score.samples},
              {"loss", score.loss},
              {"overall_accuracy", m.overall_accuracy},
              {"iou_micro", m.iou_micro},
              {"iou_macro", m.iou_macro},
              {"f1_macro", m.f1_macro},
              {"ece", json_of(score.ece)},
              {"intervals", json_of_intervals(score)},
              {"empty_classes", m.empty_classes}};
  if (!score.is_of_images) out["pixels"] = m.pixels, out["ignored_pixels"] = m.ignored;
  if (score.boundary) out["boundary"] = json_of_boundary(*score.boundary);
  out["classes"] = Json::array();
  out["confusion"] = Json::array();
  for (int k = 0; k < score.confusion->classes(); ++k) {
    const auto index = static_cast<std::size_t>(k);
    Json row = Json::array();
    for (int other = 0; other < score.confusion->classes(); ++other)
      row.push_back(score.confusion->at(k, other));
    out["confusion"].push_back(row);
    out["classes"].push_back({{"id", classes[index].id},
                              {"name", classes[index].name},
                              {"iou", json_of(m.iou[index])},
                              {"f1", json_of(m.f1[index])}});
  }
  return out;
}

Json json_of_labels(const PartScore& score, const std::vector<ClassInfo>& classes) {
  const auto m = metrics_of(*score.labels);
  Json out = {{"samples", score.samples},     {"loss", score.loss},
              {"f1_micro", m.f1_micro},       {"f1_macro", m.f1_macro},
              {"exact_match", m.exact_match}, {"classes", Json::array()}};
  for (int k = 0; k < score.labels->classes(); ++k) {
    const auto index = static_cast<std::size_t>(k);
    out["classes"].push_back({{"id", classes[index].id},
                              {"name", classes[index].name},
                              {"f1", json_of(m.f1[index])},
                              {"hits", score.labels->hits(k)},
                              {"false_alarms", score.labels->alarms(k)},
                              {"misses", score.labels->misses(k)}});
  }
  return out;
}

/// A field of a CSV file; quoted where its text needs it.
std::string csv(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string csv_header(const PartScore& score) {
  std::string text = "sample,location,part,loss";
  for (const auto& column : score.columns) text += "," + csv(column);
  return text + ",block\n";
}

std::string csv_rows(const std::string& part, const PartScore& score) {
  std::string text;
  for (const auto& s : score.each) {
    text += csv(s.sample) + "," + csv(s.location) + "," + part + "," + shown(s.loss);
    for (const auto& cell : s.cells) text += "," + csv(cell);
    text += "," + csv(block_of(s.location)) + "\n";
  }
  return text;
}

/// Accuracy of the nearest neighbours in train: what the features are worth without the head.
class Neighbours {
 public:
  Neighbours(LoadedRun& loaded, const Corpus& corpus, const LearnContext& context)
      : loaded_(loaded), corpus_(corpus), context_(context) {
    if (corpus.dataset().target.kind != "class" || corpus.part("train").empty()) return;
    known_md_ = features("train");
    known_m_ = classes_of("train");
  }

  [[nodiscard]] Json of(const std::string& part) const {
    if (!known_md_.defined()) return nullptr;
    const KnnSettings settings;
    const auto classes = static_cast<int>(corpus_.dataset().target.classes.size());
    const auto found = knn_classes(known_md_, known_m_, features(part), classes, settings);
    return {{"neighbours", settings.neighbours},
            {"temperature", settings.temperature},
            {"overall_accuracy",
             (found == classes_of(part)).to(torch::kFloat64).mean().item<double>()}};
  }

 private:
  [[nodiscard]] torch::Tensor features(const std::string& part) const {
    return features_of_part(*loaded_.recipe, loaded_.record.run, loaded_.record.inputs, corpus_,
                            part, loaded_.device, context_);
  }
  [[nodiscard]] torch::Tensor classes_of(const std::string& part) const {
    std::vector<std::int64_t> classes;
    for (const auto& sample : corpus_.part(part)) classes.push_back(sample.classes.front());
    return torch::tensor(classes, torch::kInt64);
  }
  LoadedRun& loaded_;
  const Corpus& corpus_;
  const LearnContext& context_;
  torch::Tensor known_md_, known_m_;
};

/// For people: four decimals.
std::string rounded(const std::optional<double>& value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value.value_or(NAN));
  return value ? text : "none";
}

std::string summary_of(const PartScore& score) {
  if (score.labels) return "F1 micro " + rounded(metrics_of(*score.labels).f1_micro);
  const auto m = metrics_of(*score.confusion);
  if (score.is_of_images) return "accuracy " + rounded(m.overall_accuracy);
  return "IoU macro " + rounded(m.iou_macro) + ", micro " + rounded(m.iou_micro);
}

/// What an evaluation depends on: one with the same is not made again.
Json identity_of(const Corpus& corpus, const LoadedRun& loaded, const EvaluateRequest& request) {
  return {{"version", kEvaluationVersion},
          {"dataset", corpus.dataset().name},
          {"dataset_sha256", corpus.dataset().sha256},
          {"weights_sha256", loaded.weights_sha256},
          {"worst", request.worst}};
}

bool is_evaluated(const fs::path& run_folder, const Json& identity, bool has_samples) {
  if (has_samples && !fs::exists(run_folder / "samples.csv")) return false;
  std::ifstream in(run_folder / "evaluation.json", std::ios::binary);
  const auto found = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!found.is_object()) return false;
  for (const auto& [key, value] : identity.items())
    if (found.value(key, Json()) != value) return false;
  return true;
}

/// Counts of val and test, a row a sample, and what the worst of masks look like.
void evaluate_classes(LoadedRun& loaded, const Corpus& corpus, const EvaluateRequest& request,
                      Json& document, const LearnContext& context) {
  const bool is_of_images = loaded.recipe->delivery() == Delivery::image_and_label;
  if (!is_of_images && loaded.recipe->delivery() != Delivery::image_and_mask)
    throw Error::config("the run " + request.run_folder + " has the recipe " +
                        loaded.record.run.recipe +
                        ", which has no target to evaluate; name a supervised run");
  const auto& classes = corpus.dataset().target.classes;
  std::string samples;
  std::vector<WorstSample> worst;
  std::optional<Neighbours> neighbours;
  if (is_of_images) neighbours.emplace(loaded, corpus, context);
  for (const std::string part : {"val", "test"}) {
    if (corpus.part(part).empty()) continue;
    const auto score = evaluate_part(*loaded.recipe, loaded.record.run, loaded.record.inputs,
                                     corpus, part, {loaded.device, true}, context);
    auto& out = document["parts"][part];
    out = score.labels ? json_of_labels(score, classes) : json_of_confusion(score, classes);
    if (neighbours) out["knn"] = neighbours->of(part);
    samples += (samples.empty() ? csv_header(score) : "") + csv_rows(part, score);
    const auto of_part = worst_of(part, score, is_of_images ? 0 : request.worst);
    worst.insert(worst.end(), of_part.begin(), of_part.end());
    context.say(part + ": " + std::to_string(score.samples) + " samples, " + summary_of(score));
  }
  const fs::path folder = request.run_folder;
  write_worst(loaded, corpus, worst, folder);
  shard::publish_file(folder / "samples.csv", samples);
}

/// The loss of recipes that draw hidden pixels, and some of what they draw.
void evaluate_drawing(LoadedRun& loaded, const Corpus& corpus, const EvaluateRequest& request,
                      Json& document, const LearnContext& context) {
  bool is_drawn = false;
  for (const std::string part : {"val", "test"}) {
    if (corpus.part(part).empty()) continue;
    const auto score = evaluate_part(*loaded.recipe, loaded.record.run, loaded.record.inputs,
                                     corpus, part, {loaded.device, false}, context);
    document["parts"][part] = {{"samples", score.samples}, {"loss", score.loss}};
    if (!std::exchange(is_drawn, true))
      write_reconstructions(loaded, corpus, part, request.worst, request.run_folder);
    context.say(part + ": " + std::to_string(score.samples) + " samples, loss " +
                rounded(score.loss));
  }
}

}  // namespace

void run_evaluate(const EvaluateRequest& request, const LearnContext& context) {
  const auto draw = draw_of(read_run_record(request.run_folder).run);
  const Corpus corpus(request.workspace, request.dataset, draw);
  auto loaded = load_run(request.run_folder, corpus.dataset(), request.device, request.threads);
  const auto identity = identity_of(corpus, loaded, request);
  const bool has_classes = loaded.recipe->delivery() != Delivery::image;
  if (!request.overwrite && is_evaluated(request.run_folder, identity, has_classes))
    return context.say("the run " + fs::path(request.run_folder).filename().string() +
                       " is evaluated: nothing to do");
  Json document = identity;
  document["parts"] = Json::object();
  if (has_classes)
    evaluate_classes(loaded, corpus, request, document, context);
  else
    evaluate_drawing(loaded, corpus, request, document, context);
  if (document["parts"].empty())
    context.say("the dataset " + corpus.dataset().name +
                " has neither val nor test: nothing to evaluate");
  shard::publish_file(fs::path(request.run_folder) / "evaluation.json", document.dump(2) + "\n");
}

}  // namespace tilewright::learn
