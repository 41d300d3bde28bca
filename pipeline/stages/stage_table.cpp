// SPDX-License-Identifier: Apache-2.0
// The table of stages, in running order.
#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <utility>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "pipeline/stages/curate_folds.h"
#include "pipeline/stages/curate_subsets.h"
#include "pipeline/stages/stage.h"
#include "pipeline/stages/views_sample.h"

namespace tilewright::pipeline {
namespace {

bool always(const Job&) { return true; }
bool has_views(const Job& job) { return job.views.has_value(); }
bool has_labels(const Job& job) { return !job.layers.empty() || !job.targets.empty(); }
bool has_split(const Job& job) { return job.split.has_value(); }
bool has_curate(const Job& job) { return job.curate.has_value(); }
bool has_datasets(const Job& job) { return !job.datasets.empty(); }
bool has_runs(const Job& job) { return !job.runs.empty(); }
bool has_predict(const Job& job) { return job.predict.has_value(); }

std::string nothing(const StageInput&) { return ""; }

std::filesystem::path named_file(const Job& job, const std::string& key, const std::string& path) {
  const auto file = job.resolve(path);
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) throw Error::config(key + ": " + path + " is not a file (" + file.string() + "); correct the path");
  return file;
}

/// Calls each(key, path) for the weights that runs start from.
void each_weight_file(const Job& job, const auto& each) {
  for (const auto& [name, run] : job.runs) {
    if (run.init && run.init->file) each("runs." + name + ".init.file", *run.init->file);
    if (run.model.encoder && run.model.encoder->file) each("runs." + name + ".model.encoder.file", *run.model.encoder->file);
  }
}

void nothing_foreseen(const Job&) {}

void foresee_split(const Job& job) {
  if (job.split->table) named_file(job, "split.table.file", job.split->table->file);
}

void foresee_views(const Job& job) {
  if (job.views->points) named_file(job, "views.points.file", job.views->points->file);
}

void foresee_train(const Job& job) {
  each_weight_file(job, [&](const std::string& key, const std::string& path) { named_file(job, key, path); });
}

std::string hash_named_file(const StageInput& in, const std::string& key, const std::string& path) {
  return path + " " + shard::sha256_file(named_file(in.job, key, path)) + "\n";
}

/// A sample's strata, and the points that windows lie around.
std::string hash_view_inputs(const StageInput& in) {
  const auto& points = in.job.views->points;
  return hash_sample_inputs(in) + (points ? hash_named_file(in, "views.points.file", points->file) : "");
}

/// A person's own split list.
std::string hash_split_inputs(const StageInput& in) {
  const auto& table = in.job.split->table;
  return table ? hash_named_file(in, "split.table.file", table->file) : "";
}

/// Verdicts that decide who is in a subset: the last accept or reject of each location and curated layer. Skips, names,
/// times and notes decide nothing; without subsets nothing does.
std::string deciding_verdicts(const StageInput& in) {
  const auto& config = *in.job.curate;
  if (config.subsets.empty()) return "";
  std::map<std::pair<std::string, std::string>, std::string> last;
  for (const auto& verdict : index::verdicts(in.manifest))
    if (verdict.verdict != "skip" && std::find(config.layers.begin(), config.layers.end(), verdict.layer) != config.layers.end()) last[{verdict.layer, verdict.location_id}] = verdict.verdict;
  if (last.empty()) return "";
  shard::Sha256 hash;
  for (const auto& [place, verdict] : last) hash.update(place.first + "\n" + place.second + "\n" + verdict + "\n");
  return "\n" + std::string(kVerdictInput) + shard::hex(hash.finish());
}

/// What scores depend on outside their section: the source where the job leaves it to the order of
/// sources, how the job's datasets scale its pixels, and what people decided.
std::string curate_inputs(const StageInput& in) {
  const auto source = curate_model_source(in.job);
  std::string out = in.job.curate->source ? "" : curate_source(in.job);
  for (const auto& layer : in.job.curate->layers)
    if (const auto normalize = curate_normalize(in.job, layer, source)) out += "\n" + layer + ": " + *normalize;
  out += curate_run_text(in.job);
  return out + deciding_verdicts(in);
}

std::string hash_run_inputs(const StageInput& in) {
  std::string out;
  each_weight_file(in.job, [&](const std::string& key, const std::string& path) { out += hash_named_file(in, key, path); });
  return out;
}

/// name, needs, sections, version, wanted, foresee, inputs, run
constexpr std::array kStages{
    StageRow{"scan", "", "sources limits.untrusted", 3, always, foresee_scan, hash_scan_inputs, run_scan},
    StageRow{"graph", "scan", "", 2, always, nothing_foreseen, nothing, run_graph},
    StageRow{"views", "scan graph", "grid views extract.resampling", 2, has_views, foresee_views, hash_view_inputs, run_views},
    StageRow{"extract", "views", "extract", 1, has_views, nothing_foreseen, nothing, run_extract},
    StageRow{"label", "views", "layers targets", 2, has_labels, foresee_label, hash_label_inputs, run_label},
    StageRow{"split", "views", "split curate.folds curate.scores", 1, has_split, foresee_split, hash_split_inputs, run_split},
    StageRow{"curate", "extract label split", "curate", 2, has_curate, nothing_foreseen, curate_inputs, run_curate},
    StageRow{"dataset", "extract label split curate", "datasets", 1, has_datasets, nothing_foreseen, nothing, run_dataset},
    StageRow{"train", "dataset", "runs", 1, has_runs, foresee_train, hash_run_inputs, run_train},
    StageRow{"evaluate", "train", "evaluate", 2, has_runs, nothing_foreseen, nothing, run_evaluate},
    StageRow{"predict", "scan train", "predict", 1, has_predict, nothing_foreseen, nothing, run_predict},
};

}  // namespace

std::span<const StageRow> stages() { return kStages; }

}  // namespace tilewright::pipeline
