// SPDX-License-Identifier: Apache-2.0
// The dataset stage: samples, statistics and classes into datasets/<name>/.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "index/shard/npy.h"
#include "learn/config/dataset_file.h"
#include "pipeline/config/load.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/stages/band_statistics.h"
#include "pipeline/stages/dataset_samples.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {
namespace {

constexpr const char* kParts[] = {"train", "val", "test"};

/// The largest edge of an input's arrays: chips need not be square, and size_px is their width.
int largest_edge(const SampleSet& set, int input, std::size_t pixel_bytes) {
  std::int64_t edge = set.size_px;
  for (const auto& sample : set.samples)
    for (const auto& row : sample.rows)
      if (row.input == input)
        edge = std::max(edge, (row.length - shard::kNpyHeaderBytes) / static_cast<std::int64_t>(pixel_bytes) / std::max(set.size_px, 1));
  return static_cast<int>(edge);
}

/// One input: its bands by name, all if none is named; statistics still missing.
learn::InputInfo input_of(const StageInput& in, const DatasetConfig& dataset, int number, const SampleSet& set) {
  const auto& config = dataset.inputs[static_cast<std::size_t>(number)];
  const auto bands = source_bands(in.job, in.manifest, config.source);
  if (bands.empty())
    throw Error::config("datasets: source " + config.source + " has no bands in the workspace; run: tilewright scan JOB");
  std::vector<std::string> known;
  for (const auto& band : bands) known.push_back(band.info.name);
  learn::InputInfo input;
  input.series = config.source;
  input.size_px = largest_edge(set, number, bands.size() * shard::byte_size(bands.front().dtype));
  input.dtype = shard::name(bands.front().dtype);
  input.normalize = dataset.normalize;
  for (const auto& name : config.bands.empty() ? known : config.bands) {
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end())
      throw Error::config("datasets: source " + config.source + " has no band " + name + "; nearest: " + nearest_name(name, known));
    const auto index = static_cast<std::size_t>(found - known.begin());
    input.bands.push_back(bands[index].info);
    input.band_indices.push_back(static_cast<int>(index));
  }
  return input;
}

/// Members of `input` (or the masks, input -1) that samples of `part` ("" = any) use, each once, in order.
std::vector<MemberRef> members_of(const SampleSet& set, int input, const std::string& part) {
  std::set<MemberRef> members;
  for (const auto& sample : set.samples)
    for (const auto& row : sample.rows) {
      if (!part.empty() && sample.part != part) continue;
      if (input < 0) members.insert({row.mask_shard, row.mask_offset, row.mask_length});
      else if (row.input == input) members.insert({row.shard, row.offset, row.length});
    }
  return {members.begin(), members.end()};
}

/// Classes that the layer's config can draw, with their styles; background first where it is drawn.
std::map<int, learn::ClassInfo> configured_classes(const LayerConfig& layer) {
  std::map<int, learn::ClassInfo> out;
  const auto add = [&](int id, const std::string& name) { out.emplace(id, learn::ClassInfo{.id = id, .name = name, .color = "#cc3333"}); };
  if (layer.vector) {
    out.emplace(0, learn::ClassInfo{.id = 0, .name = "background", .color = "#000000"});
    if (layer.class_rule.by_field)
      for (const auto& [value, id] : layer.class_rule.by_field->values) add(id, value);
    else add(layer.class_rule.constant, "class_" + std::to_string(layer.class_rule.constant));
  }
  for (const auto& [id, style] : layer.classes) {
    auto& info = out[id];
    info.id = id;
    info.color = style.color;
    info.name = style.name.empty() ? "class_" + std::to_string(id) : style.name;
  }
  return out;
}

/// Classes of the config and of the masks; pixels are those of train.
learn::TargetInfo target_of(const StageInput& in, const DatasetConfig& config, const SampleSet& set) {
  if (!config.target) return {.kind = "none"};
  learn::TargetInfo target{.kind = "mask", .series = *config.target};
  const auto layer = std::find_if(in.job.layers.begin(), in.job.layers.end(), [&](const auto& l) { return l.first == *config.target; });
  auto classes = configured_classes(layer->second);
  const auto everywhere = count_mask_values(in.workspace, members_of(set, -1, ""));
  const auto in_train = count_mask_values(in.workspace, members_of(set, -1, "train"));
  for (int id = 0; id < 255; ++id) {
    const auto index = static_cast<std::size_t>(id);
    if (everywhere[index] > 0 && !classes.contains(id))
      classes[id] = {.id = id, .name = id == 0 ? "background" : "class_" + std::to_string(id), .color = id == 0 ? "#000000" : "#cc3333"};
  }
  for (auto& [id, info] : classes) {
    info.pixels = in_train[static_cast<std::size_t>(id)];
    target.classes.push_back(info);
  }
  return target;
}

std::string counts_text(const SampleSet& set) {
  return std::to_string(set.guard) + " locations in the guard, " + std::to_string(set.without_part) + " without a part, " +
         std::to_string(set.outside_subset) + " outside the subset, " + std::to_string(set.without_mask) + " without a mask, " +
         std::to_string(set.all_ignore) + " ignored everywhere, " + std::to_string(set.without_input) + " without an input";
}

std::int64_t samples_in(const SampleSet& set, const std::string& part) {
  return std::count_if(set.samples.begin(), set.samples.end(), [&](const auto& sample) { return sample.part == part; });
}

void check_train(const std::string& name, const SampleSet& set) {
  if (samples_in(set, "train") > 0) return;
  throw Error::failed("dataset " + name + " has no sample in train (" + std::to_string(samples_in(set, "val")) + " in val, " +
                      std::to_string(samples_in(set, "test")) + " in test; " + counts_text(set) +
                      "); change split fractions or block_m, or loosen the subset");
}

learn::PartInfo publish_part(const std::filesystem::path& folder, const SampleSet& set, const std::string& part) {
  learn::PartInfo info;
  info.file = part + ".tsv";
  info.samples = samples_in(set, part);
  shard::PendingFile file(folder / info.file);
  file.append(std::string(learn::kPartHeader) + "\n");
  for (const auto& sample : set.samples)
    if (sample.part == part)
      for (const auto& row : sample.rows) file.append(learn::format_row(row) + "\n");
  info.sha256 = file.publish().sha256;
  return info;
}

void make_dataset(const StageInput& in, const RunContext& context, const std::string& name, const DatasetConfig& config,
                  const SampleSet& set) {
  learn::DatasetFile dataset;
  dataset.name = name;
  dataset.views = config.views;
  dataset.left_out_all_ignore = set.all_ignore;
  std::int64_t done = 0;
  for (std::size_t i = 0; i < config.inputs.size(); ++i) {
    auto input = input_of(in, config, static_cast<int>(i), set);
    const auto members = members_of(set, static_cast<int>(i), "train");
    const auto dtype = shard::dtype_from_name(input.dtype);
    if (!dtype) throw Error::failed("source " + input.series + " has the element type " + input.dtype + ", which shards do not know");
    const auto total = static_cast<std::int64_t>(members.size());
    const auto result = band_statistics(in.workspace, members, *dtype, input.band_indices, [&] {
      context.check_stop();
      if (++done % 256 == 0) context.on_progress({"dataset", "views", std::min(done, total), total});
    });
    input.statistics = result.bands;
    input.statistics_method = result.method;
    dataset.inputs.push_back(std::move(input));
  }
  dataset.target = target_of(in, config, set);
  const auto folder = in.workspace / "datasets" / name;
  shard::make_folders(folder);
  for (const char* part : kParts) dataset.parts.emplace_back(part, publish_part(folder, set, part));
  shard::publish_file(folder / "dataset.json", learn::format_dataset(dataset));
}

void count(StageReport& report, const std::string& name, const SampleSet& set) {
  for (const char* part : kParts) report.counts.emplace_back(name + "." + part, samples_in(set, part));
  const std::pair<const char*, std::int64_t> left_out[] = {
      {"guard", set.guard},           {"without_part", set.without_part}, {"outside_subset", set.outside_subset},
      {"no_mask", set.without_mask},  {"no_input", set.without_input},    {"all_ignore", set.all_ignore}};
  for (const auto& [what, number] : left_out)
    if (number > 0) report.counts.emplace_back(name + "." + what, number);
}

}  // namespace

StageReport run_dataset(const StageInput& in, const RunContext& context) {
  StageReport report;
  std::vector<SampleSet> sets;
  for (const auto& [name, config] : in.job.datasets) {
    context.check_stop();
    sets.push_back(choose_samples(in.job, in.manifest, config));
    check_train(name, sets.back());
  }
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const auto& [name, config] = in.job.datasets[i];
    make_dataset(in, context, name, config, sets[i]);
    count(report, name, sets[i]);
  }
  in.manifest.in_transaction([&] {
    index::clear_stage(in.manifest, "dataset");
    for (std::size_t i = 0; i < sets.size(); ++i)
      for (const auto& left : sets[i].left_out)
        index::insert(in.manifest, index::RejectionRow{"dataset", in.job.datasets[i].first + "/" + left.location_id, left.reason, left.detail});
  });
  return report;
}

}  // namespace tilewright::pipeline
