// SPDX-License-Identifier: Apache-2.0
// Up to date means content: the key of a stage, its parts, and what changed since the last run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

/// One thing that a stage's result depends on. Never a place, a clock, threads or memory.
struct KeyPart {
  std::string name;   ///< "program", "stage", "section views", "needs scan", "inputs", "limit"
  std::string value;
};
struct StageKey {
  std::vector<KeyPart> parts;
  std::string digest;  ///< SHA-256 over names and values
};

/// Reads the keys of needed stages from the manifest; hashes inputs. Throws what `row.inputs` throws.
StageKey stage_key(const StageRow& row, const StageInput& in, std::int64_t limit);

/// Stages that `row` needs and that this job wants, in running order.
std::vector<std::string> needed_stages(const StageRow& row, const Job& job);
/// Stages whose result rests on `stage`, directly or not, in running order.
std::vector<std::string> dependent_stages(const std::string& stage);

const StageRow& stage_row(const std::string& name);  ///< throws Error::config with the nearest name
std::vector<std::string> stage_names();
std::vector<std::string> split_words(std::string_view text);

/// For stage_run.config_json, and back.
std::string parts_json(const StageKey& key);
std::vector<KeyPart> parts_from_json(const std::string& json);

/// One sentence a difference: "section views: patch_px 128 -> 256", "inputs changed".
std::vector<std::string> changes(const std::vector<KeyPart>& before, const std::vector<KeyPart>& now);

}  // namespace tilewright::pipeline
