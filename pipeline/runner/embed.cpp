// SPDX-License-Identifier: Apache-2.0
// Chooses the rows, has their features made, and writes the table beside them.
#include "pipeline/runner/embed.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "geometry/error.h"
#include "index/manifest.h"
#include "index/shard/commit.h"
#include "index/shard/shard_reader.h"
#include "learn/config/json.h"
#include "learn/config/request.h"
#include "pipeline/config/validate.h"
#include "pipeline/runner/learn_process.h"
#include "pipeline/runner/workspace.h"
#include "pipeline/stages/dataset_samples.h"
#include "pipeline/stages/scratch_folder.h"
#include "pipeline/stages/split_plane.h"
#include "pipeline/stages/start_place.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

template <class T>
const T& named(const NamedList<T>& list, const std::string& name, const std::string& what) {
  for (const auto& [key, value] : list)
    if (key == name) return value;
  throw Error::config("embed: there is no " + what + " '" + name + "'; there are " + listed(names_of(list)));
}

/// Every view of the first input is a sample, whatever the dataset makes of them.
SampleSet rows_to_embed(const StageInput& in, const std::string& dataset, const EmbedOptions& options) {
  DatasetConfig config;
  config.inputs = named(in.job.datasets, dataset, "dataset").inputs;
  auto set = choose_samples(in.job, in.manifest, config, Scope::all);
  if (!options.subset) return set;
  const auto members = index::subset_members(in.manifest, *options.subset);
  const std::set<std::string> wanted(members.begin(), members.end());
  if (wanted.empty()) throw Error::config("embed: the subset " + *options.subset + " has no member in this workspace; see curate.subsets, and run: tilewright curate JOB");
  std::erase_if(set.samples, [&](const Sample& sample) { return !wanted.contains(sample.rows.front().location); });
  return set;
}

std::string part_text(const SampleSet& set) {
  std::string text = std::string(learn::kPartHeader) + "\n";
  for (const auto& sample : set.samples)
    for (const auto& row : sample.rows) text += learn::format_row(row) + "\n";
  return text;
}

/// Middle of each location.
std::map<std::string, geometry::LonLat> places_of(const index::Manifest& manifest) {
  std::map<std::string, geometry::LonLat> places;
  for (const auto& location : index::locations(manifest)) places.emplace(location.location_id, centre_of(location.geom));
  return places;
}

std::string degrees(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.7f", value);
  return text.data();
}

std::string table_text(const SampleSet& set, const index::Manifest& manifest, const std::string& source) {
  const auto places = places_of(manifest);
  std::string text = "row,sample,location_id,tile_id,acquired,part,lon,lat\n";
  std::int64_t number = 0;
  for (const auto& sample : set.samples) {
    const auto& row = sample.rows.front();
    const auto& place = places.at(row.location);
    text += std::to_string(number++) + "," + row.sample + "," + row.location + "," + source + "-" + row.view + "," + (row.acquired == "-" ? "" : row.acquired) + "," + sample.part + "," +
            degrees(place.lon_deg) + "," + degrees(place.lat_deg) + "\n";
  }
  return text;
}

learn::EmbedRequest request_of(const StageInput& in, const learn::RunConfig& run, const EmbedOptions& options, const fs::path& samples, const fs::path& output) {
  learn::EmbedRequest request;
  request.workspace = in.workspace.string();
  request.dataset = (in.workspace / "datasets" / run.dataset / "dataset.json").string();
  request.run_folder = (in.workspace / "runs" / options.run).string();
  request.samples = samples.string();
  request.output = output.string();
  request.pool = options.pool;
  request.tap = options.tap;
  request.threads = run.threads;
  request.device = run.device;
  if (!fs::exists(request.dataset)) throw Error::config("embed: the dataset " + run.dataset + " of the run is not in the workspace; run: tilewright dataset JOB");
  if (options.is_start) {
    const auto start = start_of(in, run);
    request.run = run;
    request.init_folder = start.folder;
    request.init_file = start.file;
  } else if (!fs::exists(fs::path(request.run_folder) / "weights.safetensors")) {
    throw Error::config("embed: the run " + options.run + " has no weights in the workspace yet; run: tilewright train JOB, or embed what it starts from: --start");
  }
  return request;
}

std::int64_t count_locations(const SampleSet& set) {
  std::set<std::string> locations;
  for (const auto& sample : set.samples) locations.insert(sample.rows.front().location);
  return static_cast<std::int64_t>(locations.size());
}

std::int64_t width_of(const fs::path& npy) {
  const shard::MappedFile file(npy);
  return shard::parse_npy(file.bytes(), npy.string()).shape.at(1);
}

}  // namespace

EmbedReport embed(const Job& job, const EmbedOptions& options, const RunContext& context) {
  const auto& run = named(job.runs, options.run, "run");
  if (!fs::exists(job.workspace() / "manifest.gpkg"))
    throw Error::config("embed: the workspace " + job.workspace().string() + " has no manifest yet; run: tilewright run JOB");
  const auto lock = enter_workspace(job);
  auto manifest = index::Manifest::open(job.workspace() / "manifest.gpkg", index::Manifest::Mode::read_only);
  const StageInput in{job, manifest, job.workspace()};
  const auto set = rows_to_embed(in, run.dataset, options);
  const auto folder = in.workspace / "embeddings" / options.run;
  EmbedReport report{folder / "features.npy", folder / "index.csv", static_cast<std::int64_t>(set.samples.size()), count_locations(set), 0};
  const ScratchFolder scratch(job.scratch() / "embed");
  const auto samples = scratch.path() / "all.tsv";
  shard::publish_file(samples, part_text(set));
  const auto request = request_of(in, run, options, samples, report.features);
  shard::make_folders(folder);
  fs::remove(report.table);  // a table never stands beside features that it does not describe
  run_learn("embed", learn::json_of(request).dump(2) + "\n", scratch.path(), "embed", context);
  shard::publish_file(report.table, table_text(set, manifest, named(job.datasets, run.dataset, "dataset").inputs.front().source));
  report.dim = width_of(report.features);
  return report;
}

}  // namespace tilewright::pipeline
