// SPDX-License-Identifier: Apache-2.0
// What a job may say that this version does not do yet: one list, so that it stays true.
#include <algorithm>

#include "pipeline/config/load.h"
#include "pipeline/config/validate.h"

namespace tilewright::pipeline {
namespace {

class List {
 public:
  void add(bool is_used, const std::string& path, const std::string& instead) {
    if (is_used) texts_.push_back(path + ": not in this version; " + instead);
  }
  std::vector<std::string> take() { return std::move(texts_); }

 private:
  std::vector<std::string> texts_;
};

void add_run(const std::string& path, const learn::RunConfig& run, List& list) {
  const std::vector<std::string> built{"segment", "classify", "mae", "maskfeat", "simclr", "dual_simclr", "moco", "dino"};
  const bool is_built = std::find(built.begin(), built.end(), run.recipe) != built.end();
  list.add(!is_built, path + ".recipe: " + run.recipe, "use segment, classify, mae, maskfeat, simclr, dual_simclr, moco or dino");
  const auto& model = run.model.name;
  list.add(model == "deeplabv3plus", path + ".model.name: " + model, "use unet_resnet18, unet_resnet50 or upernet");
}

/// Scores are of one mask a location.
void add_curate(const Job& job, List& list) {
  if (!job.curate) return;
  for (const auto& name : job.curate->layers)
    for (const auto& [layer_name, layer] : job.layers)
      list.add(layer_name == name && layer.valid && layer.valid->field, "curate.layers: " + name + ", which has a mask for each date", "leave it out, or give valid: {from, to} instead of a field");
}

bool has_one_pixel_size(const Job& job, const DatasetConfig& dataset) {
  std::vector<double> sizes;
  for (const auto& input : dataset.inputs)
    for (const auto& [name, source] : job.sources)
      if (name == input.source) sizes.push_back(source.resolution_m.value_or(job.grid.resolution_m));
  return std::all_of(sizes.begin(), sizes.end(), [&](double size) { return size == sizes.front(); });
}

/// Combinations of a dataset and who uses it.
void add_uses(const Job& job, List& list) {
  for (const auto& [name, dataset] : job.datasets) {
    for (const auto& [run_name, run] : job.runs) {
      if (run.dataset != name) continue;
      const bool is_stack = dataset.views == "all";
      list.add(is_stack && run.recipe != "segment" && run.recipe != "classify", "datasets." + name + ".views: all for the run " + run_name + " with recipe " + run.recipe,
               "use each, latest, best or pairs, or recipe: segment or classify");
      const auto names = names_of(job.targets);
      const bool is_value = dataset.target && std::find(names.begin(), names.end(), *dataset.target) != names.end();
      list.add(is_value && run.recipe == "segment", "runs." + run_name + ".recipe: segment on the target " + dataset.target.value_or("") + ", which is one value a location",
               "name a dataset whose target is a layer, or use recipe: classify");
      list.add(dataset.target && !is_value && run.recipe == "classify", "runs." + run_name + ".recipe: classify on the layer " + dataset.target.value_or(""),
               "make a target of it: targets: {NAME: {layer: " + dataset.target.value_or("") + ", rule: majority}}, or use recipe: segment");
      list.add(!has_one_pixel_size(job, dataset), "datasets." + name + ".inputs with several pixel sizes for the run " + run_name,
               "name inputs of one resolution_m; such samples are for other readers");
      const bool predicts = job.predict && job.predict->run == run_name;
      const bool is_derived = predicts && std::any_of(job.sources.begin(), job.sources.end(), [&](const auto& entry) {
        return !entry.second.channels.empty() && std::any_of(dataset.inputs.begin(), dataset.inputs.end(), [&](const auto& input) { return input.source == entry.first; });
      });
      list.add(predicts && is_stack, "predict.run: " + run_name + ", which stacks dates", "name a run on single views");
      list.add(is_derived, "predict.run: " + run_name + ", which reads derived channels", "name a run on the bands of a source");
      list.add(predicts && dataset.inputs.size() > 1, "predict.run: " + run_name + ", which stacks several sources", "name a run on one source");
    }
  }
}

void add_limits(const LimitsConfig& limits, List& list) {
  list.add(limits.isolate, "limits.isolate", "leave it out; files are decoded in this process");
  list.add(limits.network, "limits.network", "copy remote files here first");
  list.add(limits.vrt, "limits.vrt", "name the files behind the VRT");
  list.add(!limits.vsi.empty(), "limits.vsi", "unpack archives first");
}

}  // namespace

std::vector<std::string> not_in_this_version(const Job& job) {
  List list;
  for (const auto& [name, run] : job.runs) add_run("runs." + name, run, list);
  list.add(job.predict && job.predict->polygons, "predict.polygons", "set it to false, and use gdal_polygonize.py on the map");
  add_curate(job, list);
  add_uses(job, list);
  add_limits(job.limits, list);
  return list.take();
}

}  // namespace tilewright::pipeline
