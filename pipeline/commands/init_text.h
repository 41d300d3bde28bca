// SPDX-License-Identifier: Apache-2.0
// The job that `tilewright init` writes: it loads as it is, and explains itself.
#pragma once

namespace tilewright::pipeline {

inline constexpr const char* kInitText = R"yaml(# A Tilewright job. Paths are relative to this file; `tilewright check` finds every mistake at once,
# `tilewright schema` gives the JSON Schema for your editor. Remove the sections that you do not need.
workspace: work/town                 # everything that the job makes goes here; it can be moved
roots: {data: data}                  # named folders: data:naip/*.tif lies below ./data

sources:                             # one entry a sensor or product
  naip:
    files: data:naip/*.tif           # a glob or a list of globs: * ? [] **
    date: {name: '_(\d{8})\.tif$', format: '%Y%m%d'}   # or {metadata: KEY}, {table: dates.csv}, {fixed: 2016-06-20}
    bands: [red, green, blue, nir]   # in file order; default: the files' band descriptions
    nodata: declared                 # declared | detect | none | nan | a number | a mapping of bands to these
    # Files per band: equal capture = one acquisition, the band is named by what follows it.
    # group: '^(.*)_B(?:\d+|QA)\.TIF$'
    # quality: {band: QA, reject_bits: [4]}            # pixels that are cloudy
    # describe: naip                 # a data manifest with wavelengths, scale and licence

grid: {resolution_m: 1, zone: auto, origin_m: auto}    # zone: auto or EPSG:n

views:
  patch_px: 256                      # edge of a square patch, pixels of the grid
  placement: best_phase              # best_phase (most patches) or lattice (fixed to the origin)
  min_views: 1                       # keep places seen on at least this many dates
  max_views: 0                       # 0 = all
  max_cloud_frac: 0.1

extract: {resampling: bilinear, shard_mb: 512}         # tiles on the grid are copied, never resampled

layers:                              # one mask a location each; outside `extent` is 255 (ignore)
  buildings:
    vector: data:labels/buildings.geojson
    draw: polygons
    class: 1
    classes: {1: {name: building, color: '#cc3333'}}
    extent: hull                     # where the source is complete: bounds | hull | all | a vector file
  roads:
    vector: data:labels/roads.gpkg
    draw: lines
    width: {attribute: width, lanes: lanes, constant_m: 6}   # the first rule that gives a width
    extent: bounds

split: {unit: block, block_m: 1000, guard_m: 100, fractions: {train: 0.7, val: 0.15, test: 0.15}, seed: 7}

curate:                              # scores of labels, and subsets by rule
  layers: [buildings]
  scores: [edge_agreement, clipped_frac]               # model_iou trains small networks out of fold
  subsets: {clean: {where: 'combined >= 0.3'}}

datasets:
  corpus: {inputs: [naip]}           # without labels: for pre-training
  town: {inputs: [{source: naip, bands: [red, green, blue]}], target: buildings, subset: clean, normalize: standard}

runs:                                # in order; a run may start from an earlier one
  unet: {dataset: town, recipe: segment, model: {name: unet, width: 32}, epochs: 20, batch: 8, augment: [flip, rotate]}

predict: {run: unet, overlap_px: 32, polygons: false}  # maps of whole scenes

limits: {threads: 0}                 # 0 = all cores; memory: 4G, max_bad: 5%
)yaml";

}  // namespace tilewright::pipeline
