// SPDX-License-Identifier: Apache-2.0
// config.json of a run folder: all that is needed to use its weights again.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "learn/config/dataset_file.h"
#include "learn/config/run_config.h"

namespace tilewright::learn {

struct RunRecord {
  int version = 1;
  std::string program;  ///< "tilewright-learn 0.1.0"
  RunConfig run;
  std::string dataset_sha256;
  std::vector<InputInfo> inputs;  ///< bands, statistics and normalization as the network sees them
  std::vector<ClassInfo> classes;
  int size_px = 0;
  std::string statistics_from = "train";   ///< or the run that gave them
  std::optional<std::string> init_sha256;  ///< weights that the run started from
};
template <class V>
void describe(V&& v, RunRecord& c) {
  v("version", c.version, "1");
  v("program", c.program, "program and version");
  v("run", c.run, "resolved run");
  v("dataset_sha256", c.dataset_sha256, "identity of the dataset");
  v("inputs", c.inputs, "inputs as the network sees them");
  v("classes", c.classes, "classes");
  v("size_px", c.size_px, "edge of a sample, pixels");
  v("statistics_from", c.statistics_from, "whose statistics normalize: train, or an earlier run");
  v("init_sha256", c.init_sha256, "hash of the weights that the run started from");
}

/// Throws Error::failed if the folder has none, or a damaged or newer one.
RunRecord read_run_record(const std::filesystem::path& run_folder);
void write_run_record(const std::filesystem::path& run_folder, const RunRecord& record);
/// One line without the program version; resume compares it.
std::string identity_text(const RunRecord& record);
/// What differs between two identities, in words of the job file: "run.epochs (20 then, 30 now)".
std::string describe_difference(const std::string& then, const std::string& now);
/// Names of all bands in channel order.
std::vector<std::string> band_names(const std::vector<InputInfo>& inputs);

}  // namespace tilewright::learn
