// SPDX-License-Identifier: Apache-2.0
// Starting from the weights of another run or of a file.
#include "learn/train/start_weights.h"

#include <filesystem>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "learn/config/json.h"
#include "learn/models/load_matching.h"
#include "learn/models/model.h"
#include "learn/models/vit.h"
#include "learn/train/pth.h"
#include "learn/train/start_sensors.h"

namespace tilewright::learn {
namespace {

constexpr std::size_t kMostNames = 4;

/// What our own weight files say of their inputs.
std::vector<InputInfo> inputs_in(const Metadata& metadata) {
  std::vector<InputInfo> inputs;
  const auto found = metadata.find("normalization");
  if (found == metadata.end()) return inputs;
  const auto list = Json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  if (list.is_array()) read_json(list, inputs, "normalization");
  return inputs;
}

/// Bands of the file: of its inputs, else of its metadata, else unknown.
std::vector<std::string> bands_of(const StartWeights& start) {
  if (!start.inputs.empty()) return band_names(start.inputs);
  std::vector<std::string> names;
  const auto found = start.file.metadata.find("bands");
  if (found == start.file.metadata.end()) return names;
  const auto list = Json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array()) return names;
  for (const auto& entry : list)
    if (entry.is_string()) names.push_back(entry.get<std::string>());
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kMostNames; ++i)
    text += (i ? ", " : "") + names[i];
  return names.size() > kMostNames
             ? text + " and " + std::to_string(names.size() - kMostNames) + " more"
             : text;
}

}  // namespace

std::optional<StartWeights> read_start(const TrainRequest& request,
                                       const std::vector<InputInfo>& own) {
  if (!request.init_folder && !request.init_file) return std::nullopt;
  const std::filesystem::path file =
      request.init_folder ? std::filesystem::path(*request.init_folder) / "weights.safetensors"
                          : std::filesystem::path(*request.init_file);
  StartWeights start;
  start.what = request.init_folder
                   ? "run " + std::filesystem::path(*request.init_folder).filename().string()
                   : file.filename().string();
  if (!std::filesystem::exists(file))
    throw Error::config(
        "the weights of " + start.what + " are not there (" + file.string() + "); " +
        (request.init_folder ? "train that run first: it must stand before this one under runs:"
                             : "correct the path of the file"));
  start.sha256 = shard::sha256_file(file);
  if (file.extension() == ".pth" || file.extension() == ".pt")
    start.file.tensors = read_pth(file);
  else
    start.file = read_safetensors(file);
  if (request.init_folder) start.record = read_run_record(*request.init_folder);
  start.inputs = start.record ? start.record->inputs : inputs_in(start.file.metadata);
  if (has_sensors(start.file.tensors) && !takes_sensors(request.run)) {
    const auto& source = request.run.init ? request.run.init : request.run.model.encoder;
    take_sensor(start, source ? source->sensor : std::nullopt, own);
  }
  return start;
}

ModelConfig with_encoder_shape(ModelConfig model, const std::optional<StartWeights>& start,
                               const DatasetFile& dataset) {
  if (!start || !start->record || !model.encoder) return model;
  const auto& theirs = start->record->run.model;
  model.width = theirs.width;
  model.bilinear = theirs.bilinear;
  if (!model_row(theirs.name).is_vit && theirs.name != "spectral_vit") return model;
  int channels = 0;
  for (const auto& input : dataset.inputs) channels += static_cast<int>(input.bands.size());
  const auto shape = vit_shape(theirs, {.channels = channels, .size_px = start->record->size_px});
  model.patch_px = shape.patch_px;
  model.positions = theirs.positions;
  model.dim = shape.dim, model.depth = shape.depth, model.heads = shape.heads;
  return model;
}

std::vector<InputInfo> inputs_of_start(std::vector<InputInfo> inputs,
                                       const std::optional<StartWeights>& start) {
  if (!start || !start->record) return inputs;
  for (auto& input : inputs)
    for (std::size_t b = 0; b < input.bands.size(); ++b)
      for (const auto& theirs : start->record->inputs)
        for (std::size_t k = 0; k < theirs.bands.size(); ++k)
          if (theirs.bands[k].name == input.bands[b].name) {
            input.statistics[b] = theirs.statistics[k];
            input.normalize = theirs.normalize;
          }
  return inputs;
}

void load_start(Recipe& recipe, const StartWeights& start, const std::vector<InputInfo>& inputs,
                const LearnContext& context) {
  const auto report = has_sensors(recipe.module())
                          ? load_sensors(recipe.module(), start, bands_of(start), inputs)
                          : load_matching(recipe.module(), start.file.tensors, bands_of(start),
                                          band_names(inputs), recipe.encoder_prefixes());
  recipe.after_start();
  context.say("started from " + start.what + ": " +
              std::to_string(report.loaded.size() + report.adapted.size()) + " tensors taken, " +
              std::to_string(report.kept.size()) + " new" +
              (report.kept.empty() ? "" : " (" + listed(report.kept) + ")"));
  for (const auto& text : report.adapted) context.say("  adapted " + text);
  if (!report.mismatched.empty())
    context.say("  other shapes, not taken: " + listed(report.mismatched));
  if (start.record) context.say("the input is normalized with the statistics of " + start.what);
}

}  // namespace tilewright::learn
