// SPDX-License-Identifier: Apache-2.0
// Counts what folds decide beside what their labels say.
#include "pipeline/stages/curate_silence.h"

#include <cstdio>
#include <mutex>

namespace tilewright::pipeline {
namespace {

constexpr std::uint8_t kIgnore = 255;
constexpr double kLeastShare = 0.01;   ///< of the labelled pixels: where models decide several classes, a rarer one may be missed

std::string class_text(int id, const std::map<int, std::string>& names) {
  const auto found = names.find(id);
  return std::to_string(id) + (found == names.end() || found->second.empty() ? "" : " (" + found->second + ")");
}

std::string percent(std::int64_t part, std::int64_t whole) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * static_cast<double>(part) / static_cast<double>(whole));
  return text;
}

/// "" if the fold's models decide every class that is common in its labels.
std::string silence_text(const FoldPixels& fold, const std::map<int, std::string>& names) {
  std::int64_t pixels = 0;
  for (const auto& [id, count] : fold.labelled) pixels += count;
  const bool decides_one = fold.decided.size() == 1;
  const double least = decides_one ? 0 : kLeastShare * static_cast<double>(pixels);
  std::string never;
  for (const auto& [id, count] : fold.labelled)
    if (!fold.decided.contains(id) && static_cast<double>(count) >= least)
      never += (never.empty() ? "" : ", ") + class_text(id, names) + " with " + percent(count, pixels);
  if (never.empty()) return "";
  if (decides_one)
    return "decide class " + class_text(fold.decided.begin()->first, names) + " at every pixel of " + std::to_string(fold.locations) + " locations; of the labelled pixels there are " + never;
  return "never decide, in " + std::to_string(fold.locations) + " locations, class " + never + " of the labelled pixels";
}

}  // namespace

std::vector<std::string> silence_of(const std::string& layer, const std::vector<FoldPixels>& folds, const std::map<int, std::string>& names) {
  std::vector<std::string> out;
  for (std::size_t n = 0; n < folds.size(); ++n)
    if (const auto text = silence_text(folds[n], names); !text.empty())
      out.push_back(kWarning + layer + ": fold " + std::to_string(n + 1) + " of " + std::to_string(folds.size()) + ": its models " + text +
                    ". Scores and repairs by models mean little there; raise curate.model.epochs or width, or name another curate.model.source or normalize of its dataset");
  return out;
}

std::vector<std::string> silent_folds(const FoldPlan& plan, const LabelledViews& views, const FoldAnswers& answers, const RunContext& context) {
  std::vector<FoldPixels> counts(static_cast<std::size_t>(plan.fold_count));
  std::mutex mutex;
  each_answered(views, answers, context, [&](std::size_t n, const LabelView& label, const Probabilities& model) {
    const auto classes = decided(model);
    std::map<int, std::int64_t> own, models;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if (label.pixels[i] == kIgnore) continue;
      ++own[label.pixels[i]];
      ++models[classes[i]];
    }
    const std::lock_guard lock(mutex);
    auto& fold = counts.at(static_cast<std::size_t>(plan.fold_of.at(views.items()[n].location_id)));
    ++fold.locations;
    for (const auto& [id, count] : own) fold.labelled[id] += count;
    for (const auto& [id, count] : models) fold.decided[id] += count;
  });
  std::map<int, std::string> names;
  for (const auto& info : answers.classes()) names[info.id] = info.name;
  return silence_of(plan.layer, counts, names);
}

}  // namespace tilewright::pipeline
