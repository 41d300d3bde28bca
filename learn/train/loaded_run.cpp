// SPDX-License-Identifier: Apache-2.0
// Loads a finished run.
#include "learn/train/loaded_run.h"

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "learn/models/named_tensors.h"
#include "learn/train/device.h"
#include "learn/train/safetensors.h"

namespace tilewright::learn {

LoadedRun load_run(const std::filesystem::path& run_folder, const DatasetFile& dataset,
                   const std::string& device, int threads) {
  auto record = read_run_record(run_folder);
  if (record.dataset_sha256 != dataset.sha256)
    throw Error::config("the run " + run_folder.filename().string() +
                        " was trained on another state of the dataset " + record.run.dataset +
                        " (" + record.dataset_sha256.substr(0, 12) + " then, " +
                        dataset.sha256.substr(0, 12) +
                        " now); train again: tilewright train JOB --force train");
  const auto weights = run_folder / "weights.safetensors";
  if (!std::filesystem::exists(weights))
    throw Error::config("the run " + run_folder.filename().string() +
                        " has no weights yet; finish it first: tilewright train JOB");
  const auto where = prepare_device(device, threads, record.run.repro);
  auto run = record.run;
  run.model.encoder.reset();  // its weights are part of the run's own by now
  run.init.reset();
  auto recipe = make_recipe(run, dataset);
  assign_state(recipe->module(), read_safetensors(weights).tensors, weights.string());
  recipe->module().to(where);
  set_training(*recipe, run, false);
  return {std::move(record), std::move(recipe), where, shard::sha256_file(weights)};
}

}  // namespace tilewright::learn
