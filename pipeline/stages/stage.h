// SPDX-License-Identifier: Apache-2.0
// The table of stages: what each needs, what its key holds, and the function that does it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/manifest.h"
#include "pipeline/config/job.h"
#include "pipeline/context.h"

namespace tilewright::pipeline {

/// What every stage works on.
struct StageInput {
  const Job& job;
  index::Manifest& manifest;
  std::filesystem::path workspace;
};

struct StageRow {
  std::string_view name;
  std::string_view needs;                     ///< stages that must have run, blank separated
  std::string_view sections;                  ///< job sections in the key, blank separated
  int version;                                ///< raise when outputs change
  bool (*wanted)(const Job&);                 ///< is there anything to do in this job?
  /// Throws what the stage would stop at although no earlier stage could mend it (a missing file,
  /// layer or field): asked before the first stage starts, so that hours of work do not end in a typo.
  void (*foresee)(const Job&);
  std::string (*inputs)(const StageInput&);   ///< content hash of files outside the workspace, "" if none
  StageReport (*run)(const StageInput&, const RunContext&);
};

/// In running order: scan graph views extract label split curate dataset train evaluate predict.
std::span<const StageRow> stages();

// One function a stage; each writes its rows in transactions, publishes files by the commit
// function, and leaves nothing half-written visible.
StageReport run_scan(const StageInput&, const RunContext&);
StageReport run_graph(const StageInput&, const RunContext&);
StageReport run_views(const StageInput&, const RunContext&);
StageReport run_extract(const StageInput&, const RunContext&);
StageReport run_label(const StageInput&, const RunContext&);
StageReport run_split(const StageInput&, const RunContext&);
StageReport run_curate(const StageInput&, const RunContext&);
StageReport run_dataset(const StageInput&, const RunContext&);
StageReport run_train(const StageInput&, const RunContext&);
StageReport run_evaluate(const StageInput&, const RunContext&);
StageReport run_predict(const StageInput&, const RunContext&);

void foresee_scan(const Job&);
void foresee_label(const Job&);

/// Hash over root-relative path and content of every file that `sources` name (stat tuples in the
/// manifest save rehashing); throws Error::config for a missing root or an empty glob.
std::string hash_scan_inputs(const StageInput&);
std::string hash_label_inputs(const StageInput&);

}  // namespace tilewright::pipeline
