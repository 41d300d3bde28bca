// SPDX-License-Identifier: Apache-2.0
// The trainer: load, forward, loss, backward, step, report.
#include "learn/train/trainer.h"

#include <algorithm>
#include <filesystem>

#include "geometry/error.h"
#include "geometry/version.h"
#include "index/shard/commit.h"
#include "index/shard/sha256.h"
#include "learn/config/json.h"
#include "learn/train/batch.h"
#include "learn/train/checkpoint.h"
#include "learn/train/device.h"
#include "learn/train/evaluator.h"
#include "learn/train/feature_spread.h"
#include "learn/train/published_weights.h"
#include "learn/train/run_log.h"
#include "learn/train/start_weights.h"
#include "learn/train/stepper.h"

namespace tilewright::learn {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t kStepsPerRow =
    50;  ///< most steps that one train row of metrics.jsonl sums up

/// The run as it will be trained, with everything that resume compares.
RunRecord record_of(const TrainRequest& request, const DatasetFile& dataset,
                    const std::optional<StartWeights>& start) {
  RunRecord record;
  record.program = std::string("tilewright-learn ") + kVersion;
  record.run = request.run;
  record.run.model = with_encoder_shape(record.run.model, start, dataset);
  record.dataset_sha256 = dataset.sha256;
  record.inputs = inputs_of_start(dataset.inputs, start);
  record.classes = dataset.target.classes;
  for (const auto& input : dataset.inputs) record.size_px = std::max(record.size_px, input.size_px);
  if (start) record.init_sha256 = start->sha256;
  if (start && start->record) record.statistics_from = start->what;
  return record;
}

Metadata metadata_of(const RunRecord& record, std::int64_t step) {
  return {{"format", "pt"},
          {"tilewright", kVersion},
          {"torch", TORCH_VERSION},
          {"recipe", record.run.recipe},
          {"model", json_of(record.run.model).dump()},
          {"bands", json_of(band_names(record.inputs)).dump()},
          {"normalization", json_of(record.inputs).dump()},
          {"classes", json_of(record.classes).dump()},
          {"dataset_sha256", record.dataset_sha256},
          {"run_sha256", shard::sha256_hex(identity_text(record))},
          {"step", std::to_string(step)}};
}

/// Removes what an earlier run of this name left.
void clear_run(const fs::path& folder) {
  if (!fs::exists(folder)) return;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    const bool is_ours = name == "checkpoints" || name == "metrics.jsonl" || name == kWeights ||
                         name == kWeightSums || name == "config.json" ||
                         name == "evaluation.json" || name == "samples.csv" ||
                         name.starts_with("worst-") || name.starts_with("reconstructions-") ||
                         name.starts_with("events.out.tfevents.");
    if (is_ours) fs::remove_all(entry.path());
  }
}

/// Mean loss of the steps since the last row.
struct LossWindow {
  double sum = 0, started_s = 0;
  std::int64_t steps = 0, samples = 0;
};

class Trainer {
 public:
  Trainer(const TrainRequest& request, const LearnContext& context);
  void run();

 private:
  [[nodiscard]] bool is_finished() const {
    if (state_.sample_in_epoch != 0) return false;
    return state_.step >= length_.total_steps || is_stuck();
  }
  /// Validation has not become better for `patience` epochs.
  [[nodiscard]] bool is_stuck() const {
    return run_.patience > 0 && state_.best_step >= 0 &&
           state_.step - state_.best_step >= run_.patience * length_.steps_per_epoch;
  }
  void resume();
  void train_epoch(Loader& loader);
  void take(const RawBatch& raw);
  [[noreturn]] void stop();
  void finish_epoch();
  [[nodiscard]] bool is_validation_due() const;
  bool validate();
  void write_train_row();
  void save();
  void publish_weights();

  const LearnContext& context_;
  torch::Device device_;  ///< before any tensor exists
  fs::path folder_;
  bool is_renewed_;
  Corpus corpus_;
  const std::vector<CorpusSample>& samples_;
  std::optional<StartWeights> start_;
  RunRecord record_;
  const RunConfig& run_;
  std::unique_ptr<Recipe> recipe_;
  LoaderConfig loading_;
  RunLength length_;
  std::unique_ptr<Stepper> stepper_;
  std::unique_ptr<RunLog> log_;
  TrainState state_;
  LossWindow window_;
};

Trainer::Trainer(const TrainRequest& request, const LearnContext& context)
    : context_(context),
      device_(prepare_device(request.run.device, request.run.threads, request.run.repro)),
      folder_(request.run_folder),
      is_renewed_(request.renew),
      corpus_(request.workspace, request.dataset, draw_of(request.run)),
      samples_(corpus_.part("train")),
      start_(read_start(request, corpus_.dataset().inputs)),
      record_(record_of(request, corpus_.dataset(), start_)),
      run_(record_.run),
      recipe_(make_recipe(run_, corpus_.dataset())),
      loading_(loader_config(run_, record_.inputs, corpus_.dataset().views, recipe_->delivery(),
                             static_cast<std::int64_t>(samples_.size()), true)) {
  if (samples_.empty())
    throw Error::failed("dataset " + corpus_.dataset().name +
                        " has no sample in train; loosen its subset or change the split");
  const auto count = static_cast<std::int64_t>(samples_.size());
  length_ =
      length_of(run_, count / run_.batch + (count % run_.batch >= loading_.smallest_batch ? 1 : 0));
  state_.seed = run_.seed;
  state_.threads = run_.threads;
  state_.run_json = identity_text(record_);
  state_.dataset_sha256 = record_.dataset_sha256;
}

/// Continues at the newest checkpoint that holds, if there is one of this very run.
void Trainer::resume() {
  const auto found = find_checkpoint(folder_ / "checkpoints");
  for (const auto& text : found.damaged) context_.say("damaged checkpoint passed over: " + text);
  if (!found.newest) return;
  const auto& state = found.newest->state;
  if (state.run_json != state_.run_json) {
    const auto what = "the run " + folder_.filename().string() + " was begun otherwise: " +
                      describe_difference(state.run_json, state_.run_json);
    if (!is_renewed_)
      throw Error::config(what +
                          "; put it back, give the run another name, or start it anew: tilewright "
                          "train JOB --force train");
    context_.say(what + "; it starts anew");
    clear_run(folder_);
    return;
  }
  if (!state.isa.empty() && state.isa != current_isa())
    context_.say("the checkpoint was made with " + state.isa + ", this machine has " +
                 current_isa() + ": the run goes on, but not bit by bit");
  restore(*found.newest, recipe_->module(), stepper_->optimizer());
  state_ = state;
  if (is_finished()) return;
  context_.say("resumed at step " + std::to_string(state_.step) + " of " +
               std::to_string(length_.total_steps));
}

void Trainer::run() {
  recipe_->module().to(device_);
  if (start_) load_start(*recipe_, *start_, record_.inputs, context_);
  stepper_ = std::make_unique<Stepper>(*recipe_, run_, length_, device_);
  resume();
  if (state_.step == 0) write_run_record(folder_, record_);
  if (!is_finished()) {
    log_ = std::make_unique<RunLog>(folder_, state_.step);
    Loader loader(corpus_, samples_, loading_);
    while (!is_finished()) {
      train_epoch(loader);
      finish_epoch();
      if (context_.stop.stop_requested() && !is_finished()) stop();
    }
  }
  publish_weights();
}

void Trainer::train_epoch(Loader& loader) {
  set_training(*recipe_, run_, true);
  window_ = {.started_s = log_->seconds()};
  loader.start(state_.epoch, state_.sample_in_epoch / run_.batch);
  while (state_.step < length_.total_steps) {
    auto raw = loader.next();
    if (!raw) break;
    take(*raw);
    const bool is_end = raw->number + 1 == loader.batches() || state_.step == length_.total_steps;
    loader.give_back(std::move(*raw));
    if (is_end || !context_.stop.stop_requested()) continue;
    write_train_row();
    save();
    stop();
  }
}

void Trainer::stop() {
  throw Error::stopped("stopped after step " + std::to_string(state_.step) + " of " +
                       std::to_string(length_.total_steps) + "; the same command resumes");
}

void Trainer::take(const RawBatch& raw) {
  const auto outcome = stepper_->step(
      raw, samples_,
      {.seed = run_.seed,
       .epoch = state_.epoch,
       .step = state_.step,
       .progress = static_cast<double>(state_.step) /
                   static_cast<double>(std::max<std::int64_t>(length_.total_steps, 1))});
  ++state_.step;
  state_.sample_in_epoch = (raw.number + 1) * run_.batch;
  if (outcome.problem.empty()) {
    window_.sum += outcome.loss;
    window_.samples += raw.count;
    ++window_.steps;
  } else {
    context_.say("skipped " + outcome.problem);
  }
  if (state_.step % kStepsPerRow == 0) write_train_row();
  context_.on_progress(state_.step, length_.total_steps, "steps");
}

void Trainer::write_train_row() {
  if (window_.steps == 0) return;
  const double now = log_->seconds();
  log_->row(state_.step, state_.epoch, "train",
            {{"samples_per_s",
              static_cast<double>(window_.samples) / std::max(now - window_.started_s, 1e-9)},
             {"lr", learning_rate(run_.optimizer.lr, run_.schedule, length_, state_.step - 1)},
             {"loss", window_.sum / static_cast<double>(window_.steps)}});
  window_ = {.started_s = now};
}

/// True at the end of an epoch in which another `validate_steps` were done, and at the end.
bool Trainer::is_validation_due() const {
  if (run_.validate_steps == 0 || state_.step >= length_.total_steps) return true;
  const auto before = state_.epoch * length_.steps_per_epoch;
  return state_.step / run_.validate_steps != before / run_.validate_steps;
}

/// True if this is the best state so far, by the headline of the score.
bool Trainer::validate() {
  if (corpus_.part("val").empty() || !is_validation_due()) return false;
  LearnContext quiet;
  const double before = log_->seconds();
  stepper_->optimizer().swap_average();
  const auto score =
      evaluate_part(*recipe_, run_, record_.inputs, corpus_, "val", {device_, false}, quiet);
  stepper_->optimizer().swap_average();
  auto values = score.values(record_.classes);
  values.insert(values.begin(), {"samples_per_s", static_cast<double>(score.samples) /
                                                      std::max(log_->seconds() - before, 1e-9)});
  log_->row(state_.step, state_.epoch, "val", values);
  if (score.feature_spread && *score.feature_spread < kCollapsed)
    context_.say("warning: the encoder gives all images nearly one vector (feature_spread " +
                 std::to_string(*score.feature_spread) +
                 " of 1): the run has collapsed; lower optimizer.lr, or take a larger batch");
  const double metric = score.headline();
  if (state_.best_metric && !(metric > *state_.best_metric)) return false;
  state_.best_metric = metric;
  state_.best_step = state_.step;
  return true;
}

void Trainer::finish_epoch() {
  write_train_row();
  const bool is_best = validate();
  ++state_.epoch;
  state_.sample_in_epoch = 0;
  if (is_best || is_finished() || context_.stop.stop_requested() ||
      state_.epoch % run_.checkpoint_epochs == 0)
    save();
}

void Trainer::save() {
  log_->flush();
  save_checkpoint(folder_ / "checkpoints", recipe_->module(), stepper_->optimizer(), state_,
                  metadata_of(record_, state_.step));
  prune_checkpoints(folder_ / "checkpoints", run_.keep_checkpoints, state_.best_step);
}

void Trainer::publish_weights() {
  const auto step = state_.best_step >= 0 ? state_.best_step : state_.step;
  const auto metadata = metadata_of(record_, step);
  if (has_published_weights(folder_, metadata))
    return context_.say("the run " + folder_.filename().string() + " is finished: nothing to do");
  if (step != state_.step)
    restore(read_checkpoint(folder_ / "checkpoints", step), recipe_->module(),
            stepper_->optimizer());
  stepper_->optimizer().swap_average();
  learn::publish_weights(folder_, state_of(recipe_->module()), metadata);
  context_.say("weights of step " + std::to_string(step) +
               (state_.best_metric ? " (best on val)" : " (last)") +
               (stepper_->optimizer().has_average() ? ", averaged," : "") + " in " + kWeights);
}

}  // namespace

void run_train(const TrainRequest& request, const LearnContext& context) {
  const fs::path folder = request.run_folder;
  shard::make_folders(folder);
  shard::sweep_temporaries(folder);
  if (request.overwrite) clear_run(folder);
  Trainer(request, context).run();
}

}  // namespace tilewright::learn
