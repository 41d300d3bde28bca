// SPDX-License-Identifier: Apache-2.0
// Which samples a dataset has: views chosen, inputs stacked, masks joined, parts assigned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "index/manifest.h"
#include "learn/config/dataset_file.h"
#include "pipeline/config/job.h"

namespace tilewright::pipeline {

/// A sample of one location: a row for each of its views, in order (input, acquired, tile_id).
struct Sample {
  std::string part;  ///< train | val | test; with Scope::all also guard, or "" without a part
  std::vector<learn::SampleRow> rows;
  int width_px = 0;  ///< of the location; whole chips need not be square
};

struct LeftOut {
  std::string location_id, reason, detail;  ///< reason as in index/reason.h; of a view: `location/tile`
};

struct SampleSet {
  std::string target_kind;                ///< class, classes, scalar, vector; "" for masks and without a target
  std::vector<std::string> class_names;   ///< of class and classes, in the order of ids; empty for layer targets
  std::vector<Sample> samples;  ///< by sample name
  std::int64_t guard = 0, without_part = 0, outside_subset = 0, without_mask = 0, without_input = 0,
               all_ignore = 0;
  std::int64_t views_without_label = 0;  ///< views whose date fits no label
  std::vector<LeftOut> left_out;  ///< without_mask, without_input, all_ignore and those views, one by one
};

/// Those that a dataset may use, or every location with pixels (the subset does not count then).
enum class Scope { dataset, all };

/// Views of each location by `config.views`:
///   each    every view of the first input is a sample `<location_id>.<view>`
///   latest  the newest view; best: the least cloudy, then the newest; sample `<location_id>`
///   all, pairs  every view is a row of the one sample `<location_id>`
/// Further inputs give the view nearest in time to that of the first (all and pairs: all of
/// theirs); a location that lacks an input is left out, but for `all`, which marks it with a row whose
/// shard is "-", and with periods each period that no view of an input shows. Views of the first input whose date fits no
/// label (see DatasetLabels) are taken out before any is chosen. A location without a part is left out if
/// any location has one, else all is train. `subset` filters train only.
/// Throws Error::config for what the job asks and the workspace does not have.
SampleSet choose_samples(const Job& job, const index::Manifest& manifest,
                         const DatasetConfig& config, Scope scope = Scope::dataset);

}  // namespace tilewright::pipeline
