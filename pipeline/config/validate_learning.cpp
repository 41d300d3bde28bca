// SPDX-License-Identifier: Apache-2.0
// Checks of `curate`, `datasets`, `runs` and `predict`.
#include <algorithm>
#include <set>

#include "geometry/error.h"
#include "index/where.h"
#include "pipeline/config/load.h"
#include "pipeline/config/validate.h"
#include "pipeline/scores/damage_label.h"
#include "pipeline/scores/score.h"
#include "pipeline/stages/run_groups.h"

namespace tilewright::pipeline {
namespace {

const std::vector<std::string> kRecipes{"mae", "maskfeat", "simclr", "dual_simclr", "moco", "dino", "segment", "classify", "regress", "multitask"};
const std::vector<std::string> kSegmenters{"unet", "unet_resnet18", "unet_resnet50", "upernet", "upconv", "spectral_upconv", "deeplabv3plus"};
const std::vector<std::string> kEncoders{"vit", "vit_tiny", "vit_small", "vit_base", "vit_large", "vit_huge", "resnet18", "resnet50", "unet", "unet_resnet18", "unet_resnet50", "spectral_vit", "spectral_resnet50"};
/// Models of masks that join an encoder for each input.
const std::vector<std::string> kJoinable{"unet", "unet_resnet18", "unet_resnet50", "upernet", "upconv"};
const std::vector<std::string> kOfImages{"classify", "simclr", "dual_simclr", "moco", "dino"};
const std::vector<std::string> kAugmentations{"crop", "flip", "rotate", "brightness", "noise"};

bool is_among(const std::string& name, const std::vector<std::string>& names) { return std::find(names.begin(), names.end(), name) != names.end(); }

std::vector<std::string> model_names() {
  auto names = kSegmenters;
  for (const auto& name : kEncoders)
    if (!is_among(name, names)) names.push_back(name);
  return names;
}

void check_all_known(const std::string& path, const std::string& what, const std::vector<std::string>& names, const std::vector<std::string>& known,
                     Findings& findings) {
  for (std::size_t i = 0; i < names.size(); ++i) findings.need_known(path + "." + std::to_string(i), what, names[i], known);
}

/// `metrics`: those that `curate` will have made when it chooses.
void check_subset(const std::string& path, const SubsetConfig& subset, const std::vector<std::string>& metrics, Findings& findings) {
  if (subset.draw.empty() && !subset.where && !subset.top) findings.add(path, "needs where: RULE, top: NUMBER or draw: [NUMBERS]");
  if (!subset.draw.empty() && subset.top) findings.add(path + ".top", "cannot be drawn from; give draw a where: rule, or leave out one of the two");
  for (std::size_t n = 0; n < subset.draw.size(); ++n)
    if (subset.draw[n] < 1 || (n > 0 && subset.draw[n] <= subset.draw[n - 1]))
      findings.add(path + ".draw." + std::to_string(n), "is " + std::to_string(subset.draw[n]) + "; numbers of locations must be 1 or more and grow, such as draw: [10, 50, 200]");
  if (subset.stratify && !subset.top && subset.draw.empty()) findings.add(path + ".stratify", "is used only with top or draw");
  if (subset.by && !subset.top) findings.add(path + ".by", "is used only with top");
  if (subset.by) findings.need_known(path + ".by", "score in curate.scores", *subset.by, metrics);
  if (subset.stratify) {
    auto known = metrics;
    known.insert(known.end(), {"zone", "positive_frac", "object_count", "view_count"});
    findings.need_known(path + ".stratify", "score in curate.scores or column", *subset.stratify, known);
  }
  if (!subset.where) return;
  auto known = index::where_columns();
  known.insert(known.begin(), metrics.begin(), metrics.end());
  try {
    for (const auto& metric : index::check_where(*subset.where)) findings.need_known(path + ".where", "score in curate.scores or column", metric, known);
  } catch (const Error& error) {  // around one rule: all errors come at once
    findings.add(path + ".where", error.what());
  }
}

/// The folds begin at random weights and see the labels that they judge.
void check_fold_run(const Job& job, const std::string& name, Findings& findings) {
  const std::string path = "curate.model.run";
  const auto run = std::find_if(job.runs.begin(), job.runs.end(), [&](const auto& each) { return each.first == name; });
  if (run == job.runs.end()) return findings.need_known(path, "run", name, names_of(job.runs));
  if (run->second.recipe != "segment") findings.add(path, name + " has the recipe " + run->second.recipe + ", but folds need one that decides pixels: segment");
  if (run->second.init || run->second.model.encoder) findings.add(path, name + " starts from other weights, but folds begin at random ones, before any run is trained; name a run without init and model.encoder");
  if (job.curate->model.source) findings.add("curate.model.source", "is that of the dataset of the run " + name + "; leave it out");
  const auto dataset = std::find_if(job.datasets.begin(), job.datasets.end(), [&](const auto& each) { return each.first == run->second.dataset; });
  if (dataset == job.datasets.end()) return;  // told at the run
  for (const auto& layer : job.curate->layers)
    if (dataset->second.target != layer) findings.add(path, name + " learns " + dataset->second.target.value_or("no target") + ", but curate.layers has " + layer + "; name a run of that layer, or curate only the run's");
}

/// What the models of curation need: a split and free names.
void check_models(const Job& job, Findings& findings) {
  const auto& curate = *job.curate;
  const auto is_by_model = [](const std::string& name) {
    const auto* row = find_score(name);
    return row && row->needs == ScoreNeeds::model;
  };
  const auto by_model = std::find_if(curate.scores.begin(), curate.scores.end(), is_by_model);
  if (!job.split && by_model != curate.scores.end())
    findings.add("curate.scores", *by_model + " takes its folds from blocks of the split, but the job has no split: section");
  if (!job.split && curate.repair) findings.add("curate.repair", "takes its folds from blocks of the split, but the job has no split: section");
  if (curate.model.source) findings.need_known("curate.model.source", "source of views", *curate.model.source, job.view_sources());
  if (curate.model.run) check_fold_run(job, *curate.model.run, findings);
  if (curate.model.seeds < 2 && is_among("model_spread", curate.scores)) findings.add("curate.scores", "model_spread compares models of several seeds; set curate.model.seeds to 2 or more");
  for (const auto& layer : curate.layers)
    if ((curate.repair || by_model != curate.scores.end()) && (is_among(layer + "_predicted", names_of(job.layers)) || is_among(layer + "_predicted", names_of(job.sources))))
      findings.add("curate.scores", "keeps what the models see as the layer " + layer + "_predicted, but a layer or source has this name; rename one");
  if (!curate.repair) return;
  for (const auto& layer : curate.layers)
    if (is_among(layer + "_repaired", names_of(job.layers)) || is_among(layer + "_repaired", names_of(job.sources)))
      findings.add("curate.repair", "makes the layer " + layer + "_repaired, but a layer or source has this name; rename one");
}

void check_curate(const Job& job, Findings& findings) {
  if (!job.curate) return;
  const auto& curate = *job.curate;
  if (job.layers.empty()) findings.add("curate", "scores labels, but the job has no layers: section");
  else if (curate.layers.empty()) findings.add("curate", "layers is missing; name those whose labels are scored: " + listed(names_of(job.layers)));
  check_all_known("curate.layers", "layer", curate.layers, names_of(job.layers), findings);
  check_all_known("curate.scores", "score", curate.scores, score_names(), findings);
  if (curate.source) findings.need_known("curate.source", "source of views", *curate.source, job.view_sources());
  if (curate.compare) findings.need_known("curate.compare", "layer", *curate.compare, names_of(job.layers));
  if (!curate.compare && is_among("label_agreement", curate.scores)) findings.add("curate.scores", "label_agreement needs a second layer of the same objects; add compare: LAYER");
  for (const auto& [metric, weight] : curate.weights) {
    findings.need_known("curate.weights." + metric, "score", metric, score_names());
    if (weight < 0) findings.add("curate.weights." + metric, "is negative, expected 0 or more");
  }
  check_models(job, findings);
  check_all_known("curate.evaluate.kinds", "kind of noise", curate.evaluate.kinds, damage_names(), findings);
  auto metrics = curate.scores;
  metrics.emplace_back("combined");
  for (const auto& [name, subset] : curate.subsets) check_subset("curate.subsets." + name, subset, metrics, findings);
}

void check_input(const Job& job, const std::string& path, const DatasetInput& input, Findings& findings) {
  findings.need_known(path, "source of views", input.source, job.view_sources());
  for (const auto& [name, source] : job.sources) {
    if (name != input.source || source.bands.empty()) continue;
    std::vector<std::string> known;
    for (const auto& band : source.bands) known.push_back(band.name);
    check_all_known(path + ".bands", "band of " + name, input.bands, known, findings);
  }
}

void check_dataset(const Job& job, const std::string& path, const DatasetConfig& dataset, Findings& findings) {
  if (dataset.inputs.empty()) findings.add(path, "inputs is missing; name at least one source, such as inputs: [" + (job.sources.empty() ? "naip" : job.sources[0].first) + "]");
  for (std::size_t i = 0; i < dataset.inputs.size(); ++i) check_input(job, path + ".inputs." + std::to_string(i), dataset.inputs[i], findings);
  auto targets = names_of(job.layers);
  for (const auto& name : names_of(job.targets)) targets.push_back(name);
  if (job.curate && job.curate->repair)
    for (const auto& layer : job.curate->layers) targets.push_back(layer + "_repaired");
  if (dataset.judge) {
    findings.need_known(path + ".judge", "layer", *dataset.judge, names_of(job.layers));
    if (!dataset.target || is_among(*dataset.target, names_of(job.targets))) findings.add(path + ".judge", "is used only with a layer as target");
  }
  if (dataset.target) findings.need_known(path + ".target", "layer or target", *dataset.target, targets);
  if (dataset.subset) findings.need_known(path + ".subset", "subset under curate.subsets", *dataset.subset, job.curate ? subset_names(*job.curate) : std::vector<std::string>{});
  if (dataset.match_days && dataset.match != "nearest_date" && dataset.match != "mean") findings.add(path + ".match_days", "is used only with match: nearest_date or mean");
}

/// `run` must stand before the run that uses it; `earlier` are those before.
void check_start(const Job& job, const std::string& path, const learn::EncoderSource& start, const std::vector<std::string>& earlier, Findings& findings) {
  if (start.run.has_value() == start.file.has_value()) findings.add(path, "needs exactly one of run: NAME or file: PATH");
  if (start.file) validate_path(job, path + ".file", *start.file, findings);
  if (!start.run) return;
  const auto all = names_of(job.runs);
  const bool is_later = std::find(all.begin(), all.end(), *start.run) != all.end() && std::find(earlier.begin(), earlier.end(), *start.run) == earlier.end();
  if (is_later) findings.add(path + ".run", "the run '" + *start.run + "' does not stand before this one; move it up, runs are done in order");
  else findings.need_known(path + ".run", "earlier run", *start.run, earlier);
}

void check_model(const std::string& path, const learn::RunConfig& run, Findings& findings) {
  const auto& model = run.model;
  findings.need_known(path + ".model.name", "model", model.name, model_names());
  if (!is_among(model.name, model_names())) return;
  const bool is_free_vit = model.name == "vit" || model.name == "upernet" || model.name == "upconv" || model.name == "spectral_vit" || model.name == "spectral_upconv";
  if (is_free_vit && model.dim % model.heads != 0)
    findings.add(path + ".model.heads", std::to_string(model.heads) + " heads do not divide dim " + std::to_string(model.dim));
  if ((run.recipe == "mae" || run.recipe == "maskfeat") && !model.name.starts_with("vit") && model.name != "spectral_vit")
    findings.add(path + ".model.name", "recipe " + run.recipe + " needs a vit model, such as model: {name: vit_tiny, patch_px: 8}, or spectral_vit");
  if (run.recipe == "segment" && !is_among(model.name, kSegmenters))
    findings.add(path + ".model.name", "recipe segment needs a model with one output a pixel, such as unet");
  if (is_among(run.recipe, kOfImages) && !is_among(model.name, kEncoders))
    findings.add(path + ".model.name", "recipe " + run.recipe + " needs a model of whole images, such as resnet18 or vit_tiny");
}

/// What recipe, protocol and loss cannot do together.
void check_protocol(const std::string& path, const learn::RunConfig& run, Findings& findings) {
  const auto& protocol = run.protocol;
  const bool has_start = run.model.encoder || run.init, is_linear = protocol == "linear" || protocol == "frozen_random";
  if ((protocol == "frozen" || protocol == "adapter" || protocol == "linear") && !has_start)
    findings.add(path + ".protocol", protocol + " needs weights to start from: model: {encoder: {run: NAME}} or init:");
  if ((protocol == "scratch" || protocol == "frozen_random") && has_start)
    findings.add(path + ".protocol", protocol + " starts from random weights; leave out init and model.encoder");
  if (protocol == "adapter" && !run.model.name.starts_with("spectral_"))
    findings.add(path + ".protocol", "adapter is for models with a spectral adapter (spectral_vit, spectral_resnet50, spectral_upconv), not for " + run.model.name + "; use frozen");
  if (run.model.positions == "learned" && (run.recipe == "mae" || run.recipe == "maskfeat"))
    findings.add(path + ".model.positions", "recipe " + run.recipe + " has fixed positions; leave it out");
  if (is_linear && run.recipe != "classify") findings.add(path + ".protocol", protocol + " is for recipe classify; use frozen");
  if (run.recipe == "classify" && run.loss.name != "cross_entropy" && run.loss.name != "focal")
    findings.add(path + ".loss.name", run.loss.name + " is a loss of pixels; recipe classify takes cross_entropy or focal");
  if (run.accumulate > 1 && is_among(run.recipe, kOfImages) && run.recipe != "classify")
    findings.add(path + ".accumulate", "recipe " + run.recipe + " needs its whole batch at once; use accumulate: 1");
  if (run.schedule.name == "step" && run.schedule.milestones.empty())
    findings.add(path + ".schedule", "milestones is missing; name epochs, such as milestones: [60, 80]");
}

/// Limits of fields that may be left out, and of pairs of fields.
void check_ends(const std::string& path, const learn::RunConfig& run, Findings& findings) {
  if (run.loss.momentum_end && (*run.loss.momentum_end < 0 || *run.loss.momentum_end > 1)) findings.add(path + ".loss.momentum_end", "is outside 0 to 1, expected a share such as 1");
  if (run.optimizer.weight_decay_end && *run.optimizer.weight_decay_end < 0) findings.add(path + ".optimizer.weight_decay_end", "is negative, expected 0 or more");
  if (run.crops.least_area > run.crops.large_area) findings.add(path + ".crops.least_area", "is above large_area; small crops lie between the two");
}

/// Recipes and models that take a certain number of inputs.
void check_inputs(const Job& job, const std::string& path, const learn::RunConfig& run, Findings& findings) {
  for (const auto& [name, dataset] : job.datasets) {
    if (name != run.dataset) continue;
    const auto count = dataset.inputs.size();
    if (run.recipe == "dual_simclr" && count != 2)
      findings.add(path + ".dataset", "recipe dual_simclr contrasts two sensors, but dataset '" + name + "' has " + std::to_string(count) + " inputs; name two, such as inputs: [s1, s2]");
    const bool is_joinable = run.recipe == "classify" || (run.recipe == "segment" && is_among(run.model.name, kJoinable));
    if (run.model.fusion == "late" && (!is_joinable || count < 2))
      findings.add(path + ".model.fusion", "late is for several inputs in recipe classify, or in recipe segment with model unet, unet_resnet18, unet_resnet50, upernet or upconv; use early");
  }
}

void check_run(const Job& job, std::size_t number, Findings& findings) {
  const auto& [name, run] = job.runs[number];
  const auto path = "runs." + name;
  std::vector<std::string> earlier;
  for (std::size_t i = 0; i < number; ++i) earlier.push_back(job.runs[i].first);
  if (run.dataset.empty()) findings.add(path, "dataset is missing; name one of: " + listed(names_of(job.datasets)));
  else findings.need_known(path + ".dataset", "dataset", run.dataset, names_of(job.datasets));
  findings.need_known(path + ".recipe", "recipe", run.recipe, kRecipes);
  check_model(path, run, findings);
  check_all_known(path + ".augment", "augmentation", run.augment, kAugmentations, findings);
  if (run.model.encoder) check_start(job, path + ".model.encoder", *run.model.encoder, earlier, findings);
  if (run.init) check_start(job, path + ".init", *run.init, earlier, findings);
  check_protocol(path, run, findings);
  check_inputs(job, path, run, findings);
  check_ends(path, run, findings);
  for (const auto& [dataset_name, dataset] : job.datasets)
    if (dataset_name == run.dataset && (run.recipe == "segment" || run.recipe == "classify") && !dataset.target)
      findings.add(path + ".dataset", "recipe " + run.recipe + " needs " + (run.recipe == "segment" ? "masks" : "classes") + ", but dataset '" + run.dataset + "' has no target; add target: " + (run.recipe == "segment" ? "LAYER" : "TARGET") + " to it");
}

void check_predict(const Job& job, Findings& findings) {
  if (!job.predict) return;
  if (job.predict->run.empty()) findings.add("predict", "run is missing; name one of: " + listed(names_of(job.runs)));
  else findings.need_known("predict.run", "run", job.predict->run, names_of(job.runs));
  if (job.predict->source) findings.need_known("predict.source", "source", *job.predict->source, names_of(job.sources));
  for (const auto& [name, run] : job.runs)
    if (name == job.predict->run && run.recipe != "segment")
      findings.add("predict.run", "the run '" + name + "' has recipe " + run.recipe + ", which makes no map; name a run with recipe segment");
}

void check_evaluate(const Job& job, Findings& findings) {
  if (!job.evaluate) return;
  if (job.runs.empty()) findings.add("evaluate", "is about runs, but the job has no runs: section");
  for (std::size_t i = 0; i < job.evaluate->by.size(); ++i)
    if (!job.evaluate->by[i].starts_with("share_")) findings.need_known("evaluate.by." + std::to_string(i), "column", job.evaluate->by[i], group_columns(job));
}

}  // namespace

void validate_learning(const Job& job, Findings& findings) {
  check_curate(job, findings);
  for (const auto& [name, dataset] : job.datasets) check_dataset(job, "datasets." + name, dataset, findings);
  for (std::size_t i = 0; i < job.runs.size(); ++i) check_run(job, i, findings);
  check_evaluate(job, findings);
  check_predict(job, findings);
}

}  // namespace tilewright::pipeline
