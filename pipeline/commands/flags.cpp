// SPDX-License-Identifier: Apache-2.0
// Flags by group, and the job keys that they stand for.
#include "pipeline/commands/flags.h"

#include <CLI/CLI.hpp>

#include "geometry/error.h"

namespace tilewright::pipeline {
namespace {

void add_job_flags(CLI::App& app, Invocation& in) {
  app.add_option("--set", in.sets, "override one key of the job; repeatable")->type_name("KEY.PATH=VALUE")->allow_extra_args(false);
  app.add_option("--root", in.roots, "folder of a named root; repeatable")->type_name("NAME=DIR")->allow_extra_args(false);
  app.add_flag("--untrusted", in.untrusted, "inputs may be hostile: ignore side-car files (limits.untrusted)");
}

void add_machine_flags(CLI::App& app, Invocation& in) {
  app.add_option("-j,--threads", in.threads, "threads (limits.threads); default: all cores")->type_name("N");
  app.add_option("--memory", in.memory, "most memory, such as 4G (limits.memory); default: half of RAM")->type_name("SIZE");
  app.add_option("--tmpdir", in.tmpdir, "folder for scratch files (limits.tmpdir); default: <workspace>/.tmp")->type_name("DIR");
}

void add_stage_flags(CLI::App& app, Invocation& in) {
  app.add_option("--max-bad", in.max_bad, "fail if more inputs are bad, such as 5% or 12 (limits.max_bad)")->type_name("N|N%");
  app.add_option("--force", in.force, "do this stage even if it is up to date; repeatable")->type_name("STAGE")->allow_extra_args(false);
  app.add_option("--limit", in.limit, "only the first N items, to try a job")->type_name("N")->check(CLI::Validator(CLI::PositiveNumber).description(""));
  app.add_flag("--dry-run", in.dry_run, "say what would be done, and why; write nothing");
  app.add_flag("--overwrite", in.overwrite, "start runs anew instead of resuming them");
}

void add_synth_flags(CLI::App& app, Invocation& in) {
  app.add_option("--seed", in.seed, "seed; the same options give the same bytes")->type_name("N");
  app.add_option("--size", in.size_px, "edge of each area of a region, or of each raster of an archive, pixels")->type_name("PX");
  app.add_option("--patch", in.patch_px, "edge of a patch, pixels")->type_name("PX");
  app.add_option("--scenes", in.scenes, "region: dates of each area")->type_name("N");
  app.add_option("--noisy", in.noisy_frac, "region: share of patches with damaged labels, 0 to 1")->type_name("SHARE");
  app.add_flag("--tiny", in.tiny, "a small world for a quick look");
  app.add_option("--tiles", in.tiles, "archive: number of acquisitions")->type_name("N");
}

void add_audit_flags(CLI::App& app, Invocation& in) {
  app.add_option("--max-leak", in.max_leak, "end with exit code 1 if more of a part leaks, such as 5%")->type_name("SHARE");
  app.add_option("--scene", in.scene, "regular expression whose group finds the scene in a sample's name")->type_name("PATTERN");
  app.add_option("--map", in.map, "write the samples and what they share as GeoJSON")->type_name("FILE");
}

void add_embed_flags(CLI::App& app, Invocation& in) {
  app.add_option("--subset", in.subset, "only the locations of this subset")->type_name("NAME");
  app.add_option("--pool", in.pool, "what stands for an image: cls (class token), mean (of its map), own (cls where there is one, else mean)")
      ->type_name("own|cls|mean")
      ->check(CLI::Validator(CLI::IsMember({"own", "cls", "mean"})).description(""));
  app.add_option("--tap", in.tap, "a block of a ViT or a level of another network, from 0, instead of its end")->type_name("N")->check(CLI::Validator(CLI::NonNegativeNumber).description(""));
  app.add_flag("--start", in.start, "the weights that the run starts from (model.encoder or init), instead of its own");
}

}  // namespace

void add_flags(CLI::App& app, unsigned groups, Invocation& in) {
  if (groups & kRangeFlags) {
    app.add_option("--from", in.from, "first stage")->type_name("STAGE");
    app.add_option("--to", in.to, "last stage")->type_name("STAGE");
  }
  if (groups & kReplanFlag) app.add_flag("--replan", in.replan, "plan the views from scratch; locations may move");
  if (groups & kEvaluateFlag) app.add_flag("--evaluate", in.evaluate, "put noise into the labels and say how well it is found; the workspace stays as it is");
  if (groups & kJobFlags) add_job_flags(app, in);
  if (groups & kMachineFlags) add_machine_flags(app, in);
  if (groups & kStageFlags) add_stage_flags(app, in);
  if (groups & kDryRunFlag) app.add_flag("--dry-run", in.dry_run, "say what would be removed; write nothing");
  if (groups & kSynthFlags) add_synth_flags(app, in);
  if (groups & kExportFlags) {
    app.add_option("--to", in.export_to, "what to write: subsets, or labels to correct by hand")->type_name("FORMAT");
    app.add_option("--subset", in.subsets, "only this subset; repeatable; of two, also what differs between them")->type_name("NAME")->allow_extra_args(false);
    app.add_option("--layer", in.layer, "labels: the layer; default: the first curated one")->type_name("NAME");
    app.add_option("--verdict", in.verdict, "labels: only tiles with this verdict: open, accept, reject or skip")->type_name("VERDICT");
  }
  if (groups & kAuditFlags) add_audit_flags(app, in);
  if (groups & kEmbedFlags) add_embed_flags(app, in);
  if (groups & kReviewFlags) app.add_option("--port", in.port, "port of the page on 127.0.0.1; default: a free one")->type_name("N")->check(CLI::Validator(CLI::Range(1, 65535)).description(""));
  if (groups & kOverwriteFlag) app.add_flag("--overwrite", in.overwrite, "replace a file that is there");
  if (groups & kDoctorFlags) app.add_flag("--list-failpoints", in.list_failpoints, "print the places where tests break this build");
  if (groups & kJsonFlag) app.add_flag("--json", in.json, "one JSON document on stdout");
  if (groups & kProgressFlags) {
    app.add_flag("-v,--verbose", in.verbose, "also say why each stage is done");
    app.add_flag("-q,--quiet", in.quiet, "no progress, only results and errors");
    app.add_flag("--no-color", in.no_color, "no colours (NO_COLOR does the same)");
  }
}

JobOptions job_options(const Invocation& in) {
  JobOptions options{.sets = in.sets, .roots = {}, .flags = {}};
  for (const auto& root : in.roots) {
    const auto equals = root.find('=');
    if (equals == std::string::npos || equals == 0) throw Error::config("--root " + root + ": expected NAME=DIR, such as --root data=/data/town");
    options.roots.emplace_back(root.substr(0, equals), root.substr(equals + 1));
  }
  if (in.threads) options.flags.push_back({"-j", "limits.threads", std::to_string(*in.threads)});
  if (in.memory) options.flags.push_back({"--memory", "limits.memory", *in.memory});
  if (in.tmpdir) options.flags.push_back({"--tmpdir", "limits.tmpdir", *in.tmpdir});
  if (in.max_bad) options.flags.push_back({"--max-bad", "limits.max_bad", *in.max_bad});
  if (in.untrusted) options.flags.push_back({"--untrusted", "limits.untrusted", "true"});
  return options;
}

}  // namespace tilewright::pipeline
