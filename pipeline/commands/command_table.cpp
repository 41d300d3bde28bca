// SPDX-License-Identifier: Apache-2.0
// The table of commands.
#include <array>

#include "pipeline/commands/command.h"

namespace tilewright::pipeline {
namespace {

constexpr unsigned kStage = kJobFlags | kMachineFlags | kStageFlags | kJsonFlag | kProgressFlags;
constexpr std::string_view kJob = "JOB", kJobHelp = "job file (YAML)";
constexpr std::string_view kPlaceHelp = "job file, or workspace folder";

constexpr CommandRow stage(std::string_view name, std::string_view summary, unsigned more = kNoFlags) {
  return {name, summary, kJob, kJobHelp, "", "", kStage | more, run_stage};
}

constexpr std::array kCommands{
    CommandRow{"init", "write a commented job file to start from", "FILE", "file to write, such as town.yaml", "", "", kOverwriteFlag, run_init},
    CommandRow{"check", "find every mistake in a job file at once; needs no data", kJob, kJobHelp, "", "", kJobFlags | kJsonFlag, run_check},
    CommandRow{"schema", "print the JSON Schema of job files, for editors", "", "", "", "", kNoFlags, run_schema},
    stage("scan", "read what rasters say of themselves; footprints of valid pixels"),
    stage("graph", "overlaps of footprints on the ellipsoid, connected components"),
    stage("views", "plan locations and who sees them", kReplanFlag),
    stage("extract", "cut the views' pixels into shards"),
    stage("label", "draw the masks of every layer into shards"),
    stage("split", "train, val and test without leakage"),
    CommandRow{"curate", "score labels, propose repairs, make subsets by rule", kJob, kJobHelp, "", "", kStage | kEvaluateFlag, run_curate_command},
    stage("dataset", "write datasets: samples, statistics, classes"),
    stage("train", "train the runs, in order"),
    stage("evaluate", "measure every supervised run on val and test"),
    stage("predict", "map whole scenes with a run's weights"),
    CommandRow{"run", "all stages that are not up to date, in order", kJob, kJobHelp, "", "", kStage | kRangeFlags | kReplanFlag, run_run},
    CommandRow{"status", "which stages are up to date, which are not and why; counts and sizes", "JOB", kPlaceHelp, "", "", kJobFlags | kJsonFlag, run_status},
    CommandRow{"gc", "remove what nothing refers to: dead shards, predictions of gone scenes, leftovers", "JOB", kPlaceHelp, "", "",
               kJobFlags | kDryRunFlag | kJsonFlag, run_gc},
    CommandRow{"inspect", "summary of a manifest, shard, dataset, run or weight file", "PATH", "what to look at", "", "", kJsonFlag, run_inspect},
    CommandRow{"explain", "why a tile, location, view, object or stage is as it is", "JOB", kPlaceHelp, "ITEM",
               "stage, tile_id, location_id, location_id/tile_id, object_id or path of a file", kJobFlags | kJsonFlag, run_explain},
    CommandRow{"verify", "rehash everything and compare with the manifest", "JOB", kPlaceHelp, "", "", kJobFlags | kMachineFlags | kJsonFlag | kProgressFlags,
               run_verify},
    CommandRow{"repair", "make anew what verify finds damaged, in its old place", "JOB", kPlaceHelp, "", "",
               kJobFlags | kMachineFlags | kJsonFlag | kProgressFlags, run_repair},
    CommandRow{"report", "write report.html: one file, no network", kJob, kPlaceHelp, "", "", kJobFlags | kJsonFlag, run_report},
    CommandRow{"review", "a page on this machine where people accept or reject labels, tile by tile", kJob, kPlaceHelp, "", "", kJobFlags | kReviewFlags | kJsonFlag, run_review},
    CommandRow{"audit", "what the parts of a split share: scenes, locations, ground, pixels", "JOB", "job file, workspace, or a split list of another tool: CSV, GeoJSON, folder", "", "",
               kJobFlags | kAuditFlags | kOverwriteFlag | kJsonFlag, run_audit},
    CommandRow{"export", "write subsets for other tools, or labels of tiles to correct by hand", "JOB", kPlaceHelp, "DIR", "folder to write into",
               kJobFlags | kExportFlags | kOverwriteFlag | kJsonFlag, run_export},
    CommandRow{"import", "read labels that were corrected by hand: the next version of the layer", kJob, kPlaceHelp, "DIR", "folder that export --to labels wrote", kJobFlags | kJsonFlag, run_import},
    CommandRow{"embed", "features of every location and view as one array", kJob, kPlaceHelp, "RUN", "run whose encoder makes them", kJobFlags | kMachineFlags | kEmbedFlags | kJsonFlag | kProgressFlags, run_embed},
    CommandRow{"synth", "make a test world with known truth", "KIND", "region or archive", "DIR", "folder to write into", kSynthFlags | kJsonFlag, run_synth},
    CommandRow{"doctor", "versions, libraries, memory, training devices", "", "", "", "", kDoctorFlags | kJsonFlag, run_doctor},
};

}  // namespace

std::span<const CommandRow> commands() { return kCommands; }

}  // namespace tilewright::pipeline
