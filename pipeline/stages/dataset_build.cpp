// SPDX-License-Identifier: Apache-2.0
// What dataset.json says of inputs and target, found in shards and masks.
#include "pipeline/stages/dataset_build.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "geometry/error.h"
#include "index/shard/npy.h"
#include "pipeline/config/load.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/stages/band_statistics.h"
#include "pipeline/stages/source_lattice.h"
#include "pipeline/stages/dataset_values.h"

namespace tilewright::pipeline {
namespace {

/// The largest edge of an input's arrays, in its own pixels: chips need not be square; the length gives
/// the height.
int largest_edge(const SampleSet& set, int input, PixelRatio ratio, std::size_t pixel_bytes) {
  std::int64_t edge = 0;
  for (const auto& sample : set.samples)
    for (const auto& row : sample.rows) {
      const std::int64_t width = std::int64_t{sample.width_px} * ratio.fine / ratio.coarse;
      if (row.input == input && row.shard != "-" && width > 0)
        edge = std::max({edge, width, (row.length - shard::kNpyHeaderBytes) / static_cast<std::int64_t>(pixel_bytes) / width});
    }
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
  input.size_px = largest_edge(set, number, pixel_ratio(in.job, config.source), bands.size() * shard::byte_size(bands.front().dtype));
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
      else if (row.input == input && row.shard != "-") members.insert({row.shard, row.offset, row.length});
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
    else if (!layer.class_rule.by_condition.empty())
      for (const auto& [where, id] : layer.class_rule.by_condition) add(id, where);
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

}  // namespace

learn::InputInfo dataset_input(const StageInput& in, const DatasetConfig& config, int number, const SampleSet& set,
                               const std::string& part, const std::function<void()>& each) {
  auto input = input_of(in, config, number, set);
  const auto dtype = shard::dtype_from_name(input.dtype);
  if (!dtype) throw Error::failed("source " + input.series + " has the element type " + input.dtype + ", which shards do not know");
  const auto result = band_statistics(in.workspace, members_of(set, number, part), *dtype, input.band_indices, each);
  input.statistics = result.bands;
  input.statistics_method = result.method;
  return input;
}

learn::TargetInfo dataset_target(const StageInput& in, const DatasetConfig& config, const SampleSet& set, const std::string& part) {
  if (!config.target) return {.kind = "none"};
  const auto layer_named = [&](const std::string& name) {
    return std::find_if(in.job.layers.begin(), in.job.layers.end(), [&](const auto& l) { return l.first == name; });
  };
  if (!set.target_kind.empty()) {
    const auto target = std::find_if(in.job.targets.begin(), in.job.targets.end(), [&](const auto& t) { return t.first == *config.target; });
    std::vector<learn::ClassInfo> known;
    if (target->second.layer)
      for (const auto& [id, info] : configured_classes(layer_named(*target->second.layer)->second)) known.push_back(info);
    return value_target(target->first, target->second, set, part, std::move(known));
  }
  learn::TargetInfo target{.kind = "mask", .series = *config.target};
  auto classes = configured_classes(layer_named(repaired_from(in.job, *config.target).value_or(*config.target))->second);
  const auto everywhere = count_mask_values(in.workspace, members_of(set, -1, ""));
  const auto in_part = count_mask_values(in.workspace, members_of(set, -1, part));
  for (int id = 0; id < 255; ++id) {
    const auto index = static_cast<std::size_t>(id);
    if (everywhere[index] > 0 && !classes.contains(id))
      classes[id] = {.id = id, .name = id == 0 ? "background" : "class_" + std::to_string(id), .color = id == 0 ? "#000000" : "#cc3333"};
  }
  for (auto& [id, info] : classes) {
    info.pixels = in_part[static_cast<std::size_t>(id)];
    target.classes.push_back(info);
  }
  return target;
}

}  // namespace tilewright::pipeline
