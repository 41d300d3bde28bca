// SPDX-License-Identifier: Apache-2.0
// One job for the whole line, from scan to predict, sized to the region.
#include "pipeline/synth/job_text.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tilewright::pipeline {
namespace {

constexpr const char* kTemplate = R"yaml(# A synthetic region: two areas on either side of the border of UTM zones 32 and 33.
#   tilewright run job.yaml        all stages (exit code 3: one scene is truncated on purpose)
#   tilewright report job.yaml     one HTML file
workspace: work

sources:
  optical:                                   # dates that overlap; one file is a duplicate, one is broken
    files: 'optical/*.tif'
    date: {name: '_(\d{8})', format: '%Y%m%d'}
    nodata: declared                         # 0 outside the turned footprint
    quality: {files: 'quality/*.tif', match: '(optical_[we]_\d{8})', reject_values: [1]}   # 1 = cloud
  elevation:                                 # surface model, 1 m, float32
    files: 'elevation/*.tif'
    date: {fixed: 2023-05-01}
    nodata: none

grid: {resolution_m: 1, zone: auto, origin_m: [0, 0]}

views:
  patch_px: @patch@
  placement: lattice                         # with this origin, patches are the cells of truth/ledger.csv
  sources: [optical, elevation]
  min_views: 1
  max_cloud_frac: 0.1

layers:
  buildings:                                 # damaged on purpose: truth/buildings.gpkg holds the true ones
    vector: 'labels/buildings.gpkg'
    draw: polygons
    class: 1
    classes: {1: {name: building, color: '#c0392b'}}
    extent: 'labels/extent.gpkg'             # complete inside, 255 outside
  true_buildings:                            # what val and test are measured against: see judge below
    vector: 'truth/buildings.gpkg'
    draw: polygons
    class: 1
    classes: {1: {name: building, color: '#1e8449'}}
    extent: 'labels/extent.gpkg'
  roads:
    vector: 'labels/roads.gpkg'
    draw: lines
    class: 1
    classes: {1: {name: road, color: '#2c6fbb'}}
    width: {attribute: width, lanes: lanes, classes: {field: class, table: osm}, constant_m: 5}
    extent: all

split: {unit: block, block_m: @block@, guard_m: 0, fractions: {train: 0.7, val: 0.15, test: 0.15}, seed: 8}

curate:
  layers: [buildings]
  source: elevation
  scores: [edge_agreement, height_step, shift_edges_px, clipped_frac, model_iou, softmin, confident_frac, log_likelihood, missing_objects, false_objects, completeness, shift_model_px]
  model: {width: @curate_width@, epochs: @curate_epochs@}
  folds: @folds@
  weights: {model_iou: 1, edge_agreement: 0.5}
  repair: {shift: true, add: true, remove: true}   # the layer buildings_repaired; buildings stay as they are
  subsets:
    clean: {where: 'combined >= 0.4'}
    best: {top: @top@, by: combined}
    few: {draw: [@few@], seed: 1}            # few_10 within few_50 and so on: how many labels are enough?

datasets:
  corpus: {inputs: [optical], views: each}
  pairs: {inputs: [optical], views: pairs}   # two dates of one place
  town: {inputs: [elevation], target: buildings, judge: true_buildings, subset: clean, normalize: minmax_local}
  town_noisy: {inputs: [elevation], target: buildings, judge: true_buildings, normalize: minmax_local}
  town_repaired: {inputs: [elevation], target: buildings_repaired, judge: true_buildings, normalize: minmax_local}

runs:
  pretrain:                                  # masked autoencoder on all optical views
    dataset: corpus
    recipe: mae
    model: {name: vit, patch_px: 8, dim: 96, depth: 4, heads: 4, decoder_dim: 48, decoder_depth: 1, decoder_heads: 4}
    optimizer: {name: adamw, lr: 1.0e-3, weight_decay: 0.05}
    schedule: {name: cosine, warmup_epochs: 1}
    augment: [flip]
    epochs: @mae_epochs@
    batch: 32
  contrast:                                  # two dates of one place attract each other
    dataset: pairs
    recipe: simclr
    model: {name: unet, width: 8}
    augment: [crop, flip]
    epochs: @mae_epochs@
    batch: 16
  unet:                                      # buildings from elevation, on the curated labels
    dataset: town
    recipe: segment
    model: {name: unet, width: @unet_width@}
    augment: [flip]
    epochs: @unet_epochs@
    max_steps: @unet_steps@
    batch: 8
  unet_noisy:                                # the same with every label as it came: what curation gains
    dataset: town_noisy
    recipe: segment
    model: {name: unet, width: @unet_width@}
    augment: [flip]
    epochs: @unet_epochs@
    max_steps: @unet_steps@                  # as many as the run on the curated labels
    batch: 8
  unet_repaired:
    dataset: town_repaired
    recipe: segment
    model: {name: unet, width: @unet_width@}
    augment: [flip]
    epochs: @unet_epochs@
    max_steps: @unet_steps@
    batch: 8

predict: {run: unet, source: elevation, overlap_px: 16, polygons: false}
)yaml";

void replace(std::string& text, const std::string& name, const std::string& value) {
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size()) text.replace(at, name.size(), value);
}

/// Nested draws that the locations of train allow: seven tenths of twice `cells` squared, give or take a few blocks.
std::string few_of(int cells) {
  std::string text = cells < 6 ? "2, 4" : "10";
  for (const int count : {50, 150})
    if (count <= cells * cells) text += ", " + std::to_string(count);
  return text;
}

}  // namespace

std::string job_text(const SynthOptions& options) {
  const int cells = options.size_px / options.patch_px;
  const bool is_small = cells < 6;
  const int block = std::clamp(cells / 4, 1, 3) * options.patch_px;
  const std::pair<const char*, int> values[] = {
      {"@patch@", options.patch_px}, {"@block@", block},
      {"@curate_width@", is_small ? 4 : 8}, {"@curate_epochs@", is_small ? 2 : 12}, {"@folds@", is_small ? 2 : 4},
      {"@top@", std::max(1, cells * cells / 3)},
      {"@mae_epochs@", is_small ? 1 : 3}, {"@unet_width@", is_small ? 4 : 12}, {"@unet_epochs@", is_small ? 1 : 12}, {"@unet_steps@", is_small ? 4 : 200}};
  std::string text = kTemplate;
  replace(text, "@few@", few_of(cells));
  for (const auto& [name, value] : values) replace(text, name, std::to_string(value));
  return text;
}

}  // namespace tilewright::pipeline
