// SPDX-License-Identifier: Apache-2.0
// What `tilewright` asks of `tilewright-learn`: one JSON file, one verb. Paths are absolute or
// relative to the request's folder; the answer is files and the exit code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "geometry/describe.h"
#include "learn/config/run_config.h"

namespace tilewright::learn {

/// `tilewright-learn train|evaluate|predict|embed|folds REQUEST.json`
struct TrainRequest {
  std::string workspace, dataset, run_folder;  ///< dataset: path of dataset.json
  RunConfig run;
  std::optional<std::string> init_folder;      ///< run folder that `init` or `model.encoder` names
  std::optional<std::string> init_file;        ///< safetensors
  bool overwrite = false;                      ///< start anew instead of resuming
  bool renew = false;                          ///< start anew only what was begun otherwise
};
template <class V>
void describe(V&& v, TrainRequest& c) {
  v("workspace", c.workspace, "workspace folder"); v("dataset", c.dataset, "dataset.json");
  v("run_folder", c.run_folder, "runs/<name>"); v("run", c.run, "resolved run");
  v("init_folder", c.init_folder, "run folder to start from"); v("init_file", c.init_file, "weights to start from");
  v("overwrite", c.overwrite, "do not resume"); v("renew", c.renew, "do not resume what was begun otherwise");
}

struct EvaluateRequest {
  std::string workspace, dataset, run_folder;
  int threads = 2;
  std::string device = "auto";
  bool overwrite = false;                      ///< also where evaluation.json is of these weights and this dataset
  int worst = 0;                               ///< worst samples of each part whose predictions are kept
};
template <class V>
void describe(V&& v, EvaluateRequest& c) {
  v("workspace", c.workspace, "workspace folder"); v("dataset", c.dataset, "dataset.json");
  v("run_folder", c.run_folder, "runs/<name>"); v("threads", c.threads, "CPU threads"); v("device", c.device, "device");
  v("overwrite", c.overwrite, "evaluate again"); v("worst", c.worst, "predictions to keep");
}

/// Features of samples, one row each in the order of the part file: `output`, npy float32 (N, D).
/// Of the run's own weights, or, with `run`, of those that it starts from.
struct EmbedRequest {
  std::string workspace, dataset, samples, output;
  std::string run_folder;
  std::optional<RunConfig> run;
  std::optional<std::string> init_folder, init_file;
  std::string pool = "own";
  std::optional<int> tap;
  int threads = 2, batch = 32;
  std::string device = "auto";
};
template <class V>
void describe(V&& v, EmbedRequest& c) {
  v("workspace", c.workspace, "workspace folder"); v("dataset", c.dataset, "dataset.json of the run");
  v("samples", c.samples, "part file of the samples"); v("output", c.output, "npy file");
  v("run_folder", c.run_folder, "runs/<name>"); v("run", c.run, "resolved run, to use the weights that it starts from");
  v("init_folder", c.init_folder, "run folder to start from"); v("init_file", c.init_file, "weights to start from");
  v("pool", c.pool, "own, cls or mean"); v("tap", c.tap, "block or level; none = the end");
  v("threads", c.threads, "CPU threads"); v("batch", c.batch, "samples at once"); v("device", c.device, "device");
}

/// Input shard: per key `<key>.image.npy` (C,H,W source dtype, bands of the run's dataset in order)
/// and `<key>.valid.npy` (1,H,W uint8). Output shard: per key `<key>.prob.npy`, float32 (K,H,W)
/// softmax, in the same order. Invalid pixels are fed as the band's mean.
struct PredictRequest {
  std::string run_folder, dataset, input_shard, output_shard;
  int threads = 2, batch = 8;
  std::string device = "auto";
};
template <class V>
void describe(V&& v, PredictRequest& c) {
  v("run_folder", c.run_folder, "runs/<name>"); v("dataset", c.dataset, "dataset.json of the run");
  v("input_shard", c.input_shard, "windows to predict"); v("output_shard", c.output_shard, "probabilities");
  v("threads", c.threads, "CPU threads"); v("batch", c.batch, "windows at once"); v("device", c.device, "device");
}

/// Out-of-fold predictions for curation: models trained on the samples of all folds but one predict that
/// one's. Samples: `part` file as in dataset.json plus a fold per location; locations of fold
/// `fold_count` train every model and are asked of none.
/// Output: a shard for each fold F and seed S (of 0.. each) that has samples, `fold_<F>_<S>.tar` in `output_folder`:
/// `<location_id>.<view>.prob.npy` float32 (K,H,W) for every sample of the fold. Those that are there already stay.
struct FoldsRequest {
  std::string workspace, dataset, samples, folds;  ///< folds: TSV `location<TAB>fold`
  std::string output_folder;
  RunConfig run;                                   ///< recipe segment; its seed is that of S = 0
  int fold_count = 4, seeds = 1;
  int crop_px = 0;                                 ///< training sees random windows of at most this size; 0 = whole samples
};

inline std::string fold_shard(int fold, int seed) { return "fold_" + std::to_string(fold) + "_" + std::to_string(seed) + ".tar"; }

template <class V>
void describe(V&& v, FoldsRequest& c) {
  v("workspace", c.workspace, "workspace folder"); v("dataset", c.dataset, "dataset.json (statistics, classes)");
  v("samples", c.samples, "part file of all samples"); v("folds", c.folds, "TSV: location, fold");
  v("output_folder", c.output_folder, "probabilities"); v("seeds", c.seeds, "models of a fold"); v("crop_px", c.crop_px, "window of training");
  v("run", c.run, "how each fold's model is trained"); v("fold_count", c.fold_count, "number of folds");
}

}  // namespace tilewright::learn
