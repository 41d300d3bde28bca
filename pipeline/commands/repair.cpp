// SPDX-License-Identifier: Apache-2.0
// `tilewright repair JOB|WORKSPACE`: makes anew what verify finds damaged, in its old place.
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "geometry/error.h"
#include "pipeline/commands/command.h"
#include "pipeline/runner/progress.h"
#include "pipeline/runner/runner.h"
#include "pipeline/runner/signals.h"
#include "pipeline/runner/verify.h"
#include "pipeline/runner/workspace.h"

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::ordered_json;

/// Shards (tar files, also where the index is damaged), vectors, and whether a dataset is damaged.
struct Plan {
  std::set<std::string> shards;
  std::set<std::string> vectors;
  bool has_dataset = false;
  std::vector<Damage> beyond;  ///< what the stages up to dataset cannot make anew
};

Plan plan_of(const VerifyReport& report) {
  Plan plan;
  for (const auto& damage : report.damages) {
    if (damage.file.starts_with("shards/")) plan.shards.insert(std::filesystem::path(damage.file).replace_extension(".tar").generic_string());
    else if (damage.file.starts_with("vectors/")) plan.vectors.insert(damage.file);
    else if (damage.file.starts_with("datasets/")) plan.has_dataset = true;
    else plan.beyond.push_back(damage);
  }
  return plan;
}

using Places = std::map<std::string, std::string>;

/// Where each view and mask of the shards lies, with its hash.
Places places_of(const index::Manifest& manifest, const std::set<std::string>& shards) {
  Places places;
  const auto add = [&](const std::string& row, const std::optional<index::MemberPlace>& place) {
    if (place && shards.contains(place->shard)) places[row] = place->shard + " " + std::to_string(place->byte_offset) + " " + place->sha256;
  };
  for (const auto& view : index::views(manifest)) add(view.location_id + "/" + view.tile_id, view.place);
  for (const auto& mask : index::masks(manifest)) add(mask.layer + " " + mask.location_id + " " + mask.valid_from.value_or(""), mask.place);
  return places;
}

/// Runs one stage on what was marked; it counts as done as before. What rests on it is stale only
/// if something lies elsewhere now. A kill leaves the stage stale: the next run finishes it.
void make_anew(const StageInput& in, const std::string& stage, const std::set<std::string>& shards, const RunContext& context) {
  const auto before = places_of(in.manifest, shards);
  const auto row = index::stage_run(in.manifest, stage);
  if (!row) throw Error::failed("repair: " + stage + " has not run in this workspace, so its shards cannot be made anew; run: tilewright run JOB");
  in.manifest.in_transaction([&] {
    for (const auto& shard : shards) index::redo_shard(in.manifest, shard);
    mark_stale(in.manifest, stage);
  });
  stage_row(stage).run(in, context);
  in.manifest.in_transaction([&] {
    index::insert(in.manifest, *row);
    if (places_of(in.manifest, shards) == before) return;
    for (const auto& dependent : dependent_stages(stage)) mark_stale(in.manifest, dependent);
  });
}

void repair_stages(const Job& job, const Plan& plan, const RunContext& context) {
  const auto lock = enter_workspace(job);
  auto manifest = index::Manifest::open(job.workspace() / "manifest.gpkg", index::Manifest::Mode::create_or_write);
  const StageInput in{job, manifest, job.workspace()};
  for (const auto& [stage, table] : {std::pair("extract", "view"), {"label", "mask"}}) {
    std::set<std::string> of_stage;
    for (const auto& shard : index::shard_files(manifest, table))
      if (plan.shards.contains(shard)) of_stage.insert(shard);
    if (!of_stage.empty() || (table == std::string_view("mask") && !plan.vectors.empty())) make_anew(in, stage, of_stage, context);
  }
}

std::string answer_of(const Invocation& in, const Plan& plan, const VerifyReport& after) {
  if (in.json)
    return Json{{"repaired_shards", plan.shards}, {"repaired_vectors", plan.vectors}, {"repaired_datasets", plan.has_dataset}, {"sound", after.is_sound()}, {"tree_hash", after.tree_hash}}.dump(2) + "\n";
  std::string text;
  for (const auto& shard : plan.shards) text += shard + " was made anew\n";
  for (const auto& file : plan.vectors) text += file + " was made anew\n";
  if (plan.has_dataset) text += "the datasets were made anew\n";
  for (const auto& damage : plan.beyond)
    text += damage.file + ": " + damage.found + "; not repaired here: runs by `tilewright run JOB --force train`, the manifest from a copy\n";
  return text + verify_text(after);
}

}  // namespace

int run_repair(const Invocation& in) {
  const auto job = load_job_or_workspace(in.argument, job_options(in));
  const StopOnSignal signals;
  auto context = make_context(job, signals.token());
  ProgressBar bar(std::cerr, stderr_style(in.no_color));
  if (!in.quiet) context.on_progress = [&](const Progress& progress) { bar.show(progress); };
  const auto plan = plan_of(verify_workspace(job.workspace(), context));
  if (!plan.shards.empty() || !plan.vectors.empty()) repair_stages(job, plan, context);
  if (plan.has_dataset)
    run_stages(job, {.from = "dataset", .to = "dataset", .is_one_stage = true, .force = {"dataset"}, .dry_run = false}, context,
               [&](const StageOutcome&) { bar.clear(); });
  const auto after = verify_workspace(job.workspace(), context);
  bar.clear();
  std::cout << answer_of(in, plan, after);
  return after.is_sound() ? 0 : static_cast<int>(ErrorKind::failed);
}

}  // namespace tilewright::pipeline
