// SPDX-License-Identifier: Apache-2.0
// Verb `evaluate`: evaluation.json and samples.csv.
#include <charconv>
#include <optional>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "learn/config/json.h"
#include "learn/train/evaluator.h"
#include "learn/train/loaded_run.h"

namespace tilewright::learn {
namespace {

std::string shown(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}
std::string shown(const std::optional<double>& value) { return value ? shown(*value) : ""; }

Json json_of_part(const PartScore& score, const std::vector<ClassInfo>& classes) {
  const auto m = metrics_of(*score.confusion);
  Json out = {{"samples", score.samples},
              {"loss", score.loss},
              {"overall_accuracy", m.overall_accuracy},
              {"iou_micro", m.iou_micro},
              {"iou_macro", m.iou_macro},
              {"f1_macro", m.f1_macro},
              {"empty_classes", m.empty_classes},
              {"pixels", m.pixels},
              {"ignored_pixels", m.ignored}};
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

/// A field of a CSV file; quoted where its text needs it.
std::string csv(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string csv_header(const std::vector<ClassInfo>& classes) {
  std::string text = "sample,location,part,loss,overall_accuracy,iou_micro,iou_macro";
  for (const auto& info : classes) text += "," + csv("iou_" + info.name);
  return text + ",pixels,ignored_pixels\n";
}

std::string csv_rows(const std::string& part, const PartScore& score) {
  std::string text;
  for (const auto& s : score.each) {
    text += csv(s.sample) + "," + csv(s.location) + "," + part + "," + shown(s.loss) + "," +
            shown(s.metrics.overall_accuracy) + "," + shown(s.metrics.iou_micro) + "," +
            shown(s.metrics.iou_macro);
    for (const auto& iou : s.metrics.iou) text += "," + shown(iou);
    text += "," + std::to_string(s.metrics.pixels) + "," + std::to_string(s.metrics.ignored) + "\n";
  }
  return text;
}

}  // namespace

void run_evaluate(const EvaluateRequest& request, const LearnContext& context) {
  const Corpus corpus(request.workspace, request.dataset);
  auto loaded = load_run(request.run_folder, corpus.dataset(), request.device, request.threads);
  if (loaded.recipe->delivery() != Delivery::image_and_mask)
    throw Error::config("the run " + request.run_folder + " has the recipe " +
                        loaded.record.run.recipe +
                        ", which has no target to evaluate; name a supervised run");
  const auto& classes = corpus.dataset().target.classes;
  Json document = {{"version", 1},
                   {"dataset", corpus.dataset().name},
                   {"dataset_sha256", corpus.dataset().sha256},
                   {"weights_sha256", loaded.weights_sha256}};
  document["parts"] = Json::object();
  std::string samples = csv_header(classes);
  for (const std::string part : {"val", "test"}) {
    if (corpus.part(part).empty()) continue;
    const auto score = evaluate_part(*loaded.recipe, loaded.record.run, loaded.record.inputs,
                                     corpus, part, {loaded.device, true}, context);
    document["parts"][part] = json_of_part(score, classes);
    samples += csv_rows(part, score);
    const auto m = metrics_of(*score.confusion);
    context.say(part + ": " + std::to_string(score.samples) + " samples, IoU macro " +
                shown(m.iou_macro) + ", micro " + shown(m.iou_micro));
  }
  if (document["parts"].empty())
    context.say("the dataset " + corpus.dataset().name +
                " has neither val nor test: nothing to evaluate");
  const std::filesystem::path folder = request.run_folder;
  shard::publish_file(folder / "samples.csv", samples);
  shard::publish_file(folder / "evaluation.json", document.dump(2) + "\n");
}

}  // namespace tilewright::learn
