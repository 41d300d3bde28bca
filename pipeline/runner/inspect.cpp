// SPDX-License-Identifier: Apache-2.0
// One page about whatever a path leads to: a row a kind, each a list of titled values.
#include "pipeline/runner/inspect.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "geometry/error.h"
#include "index/manifest.h"
#include "index/shard/shard_reader.h"
#include "learn/config/dataset_file.h"
#include "pipeline/runner/safetensors_header.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const auto axis : shape) text += (text.empty() ? "" : "x") + std::to_string(axis);
  return text.empty() ? "scalar" : text;
}

template <class Items, class Key>
Json counted(const Items& items, const Key& key) {
  std::map<std::string, std::int64_t> counts;
  for (const auto& item : items) ++counts[key(item)];
  Json json = Json::object();
  for (const auto& [name, count] : counts) json[name] = count;
  return json;
}

Json stage_list(const index::Manifest& manifest) {
  Json stages = Json::object();
  for (const char* name : {"scan", "graph", "views", "extract", "label", "split", "curate", "dataset", "train", "evaluate", "predict"})
    if (const auto run = index::stage_run(manifest, name)) stages[name] = run->finished;
  return stages;
}

Json inspect_manifest(const fs::path& file) {
  const auto manifest = index::Manifest::open(file, index::Manifest::Mode::read_only);
  const auto tiles = index::tiles(manifest);
  const auto locations = index::locations(manifest);
  const auto views = index::views(manifest);
  const auto masks = index::masks(manifest);
  Json json{{"kind", "manifest"}, {"schema_version", index::meta(manifest, "schema_version").value_or("?")}};
  json["tiles"] = counted(tiles, [](const auto& tile) { return tile.status; });
  json["sources"] = counted(tiles, [](const auto& tile) { return tile.source; });
  json["overlaps"] = index::overlap_count(manifest);
  json["locations"] = locations.size();
  json["parts"] = counted(locations, [](const auto& location) { return location.split.value_or("none"); });
  json["views"] = views.size();
  json["views_extracted"] = std::count_if(views.begin(), views.end(), [](const auto& view) { return view.place.has_value(); });
  json["views_resampled"] = std::count_if(views.begin(), views.end(), [](const auto& view) { return view.resampled; });
  json["masks"] = counted(masks, [](const auto& mask) { return mask.layer; });
  json["rejections"] = counted(index::rejections(manifest), [](const auto& row) { return row.stage + "/" + row.reason; });
  json["stages"] = stage_list(manifest);
  return json;
}

Json inspect_shard(const fs::path& file) {
  const fs::path tar = fs::path(file).replace_extension(".tar");
  const auto entries = file.extension() == ".idx" ? shard::read_index(file) : shard::scan_tar(tar);
  std::set<std::string> keys;
  std::int64_t bytes = 0;
  for (const auto& entry : entries) {
    keys.insert(entry.key);
    bytes += entry.length;
  }
  Json json{{"kind", "shard"}, {"keys", keys.size()}, {"members", entries.size()}, {"bytes_of_members", bytes}};
  json["arrays"] = counted(entries, [](const auto& entry) {
    return entry.dtype ? std::string(shard::descr(*entry.dtype)) + " " + shape_text(entry.shape) : std::string("text");
  });
  if (!entries.empty()) json["first"] = entries.front().member;
  if (!entries.empty()) json["last"] = entries.back().member;
  return json;
}

Json inspect_dataset(const fs::path& file) {
  const auto dataset = learn::read_dataset(file);
  Json json{{"kind", "dataset"}, {"name", dataset.name}, {"sha256", dataset.sha256}, {"views", dataset.views}};
  json["inputs"] = Json::array();
  for (const auto& input : dataset.inputs) {
    Json bands = Json::array();
    for (std::size_t b = 0; b < input.bands.size(); ++b) {
      Json band{{"name", input.bands[b].name}};
      if (b < input.statistics.size()) band["mean"] = input.statistics[b].mean, band["std"] = input.statistics[b].std;
      bands.push_back(band);
    }
    json["inputs"].push_back({{"series", input.series}, {"size_px", input.size_px}, {"dtype", input.dtype}, {"normalize", input.normalize}, {"bands", bands}});
  }
  json["target"] = {{"kind", dataset.target.kind}, {"series", dataset.target.series.value_or(dataset.target.name.value_or("none"))}};
  for (const auto& info : dataset.target.classes) json["target"]["classes"].push_back({{"id", info.id}, {"name", info.name}, {"pixels", info.pixels}});
  for (const auto& [name, part] : dataset.parts) json["parts"][name] = part.samples;
  json["left_out_all_ignore"] = dataset.left_out_all_ignore;
  return json;
}

Json inspect_weights(const fs::path& file) {
  const auto header = read_safetensors_header(file);
  std::int64_t elements = 0;
  Json tensors = Json::array();
  for (const auto& tensor : header.tensors) {
    elements += tensor.elements();
    tensors.push_back(tensor.name + " " + tensor.dtype + " " + shape_text(tensor.shape));
  }
  Json json{{"kind", "weights"}, {"tensors", header.tensors.size()}, {"elements", elements}};
  for (const auto& [key, value] : header.metadata) json["metadata"][key] = value.size() > 300 ? value.substr(0, 300) + "..." : value;
  json["list"] = tensors;
  return json;
}

Json read_json_file(const fs::path& file) {
  std::ifstream in(file);
  Json json = Json::parse(in, nullptr, false);
  if (json.is_discarded()) throw Error::failed("cannot read " + file.string() + ": it is not JSON");
  return json;
}

/// The last whole row of metrics.jsonl for each part.
Json last_metrics(const fs::path& file) {
  Json last = Json::object();
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    Json row = Json::parse(line, nullptr, false);
    if (row.is_object() && row.contains("part") && row["part"].is_string()) last[row["part"].get<std::string>()] = row;
  }
  return last;
}

Json inspect_run(const fs::path& folder) {
  Json json{{"kind", "run"}, {"name", folder.filename().string()}};
  const Json config = read_json_file(folder / "config.json");
  if (config.contains("run")) json["run"] = config["run"];
  if (fs::exists(folder / "metrics.jsonl")) json["last_metrics"] = last_metrics(folder / "metrics.jsonl");
  if (fs::exists(folder / "evaluation.json")) json["evaluation"] = read_json_file(folder / "evaluation.json");
  std::set<std::string> checkpoints;
  if (fs::is_directory(folder / "checkpoints"))
    for (const auto& entry : fs::directory_iterator(folder / "checkpoints"))
      if (!entry.path().filename().string().starts_with(".")) checkpoints.insert(entry.path().filename());
  json["checkpoints"] = checkpoints;
  json["weights"] = fs::exists(folder / "weights.safetensors");
  return json;
}

Json inspect_checkpoint(const fs::path& folder) {
  Json json{{"kind", "checkpoint"}};
  const Json record = read_json_file(folder / "checkpoint.json");
  for (const auto& [key, value] : record.items()) json[key] = value;
  return json;
}

Json inspect_array(const fs::path& file) {
  const shard::MappedFile mapped(file);
  const auto header = shard::parse_npy(mapped.bytes(), file.string());
  return {{"kind", "array"}, {"dtype", shard::name(header.dtype)}, {"shape", header.shape}, {"header_bytes", header.header_bytes}};
}

/// The kinds, asked in order; the first whose test holds describes the path.
struct Kind {
  bool (*is)(const fs::path&);
  Json (*describe)(const fs::path&);
};
constexpr Kind kKinds[] = {
    {[](const fs::path& p) { return fs::is_regular_file(p / "manifest.gpkg"); }, [](const fs::path& p) { return inspect_manifest(p / "manifest.gpkg"); }},
    {[](const fs::path& p) { return p.extension() == ".gpkg"; }, inspect_manifest},
    {[](const fs::path& p) { return p.extension() == ".tar" || p.extension() == ".idx"; }, inspect_shard},
    {[](const fs::path& p) { return fs::is_regular_file(p / "dataset.json"); }, [](const fs::path& p) { return inspect_dataset(p / "dataset.json"); }},
    {[](const fs::path& p) { return p.filename() == "dataset.json"; }, inspect_dataset},
    {[](const fs::path& p) { return fs::is_regular_file(p / "checkpoint.json"); }, inspect_checkpoint},
    {[](const fs::path& p) { return fs::is_regular_file(p / "config.json"); }, inspect_run},
    {[](const fs::path& p) { return p.extension() == ".safetensors"; }, inspect_weights},
    {[](const fs::path& p) { return p.extension() == ".npy"; }, inspect_array},
};

std::string plain(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// Indented lines `key: value`; short lists and objects of numbers stay on one line.
void append_text(std::string& text, const Json& json, const std::string& indent) {
  for (const auto& [key, value] : json.items()) {
    const std::string head = indent + (json.is_array() ? "-" : key + ":");
    if (value.is_structured() && value.dump().size() > 100) {
      text += head + "\n";
      append_text(text, value, indent + "  ");
    } else {
      text += head + " " + plain(value) + "\n";
    }
  }
}

}  // namespace

std::string inspect_path(const fs::path& path, bool json) {
  if (!fs::exists(path)) throw Error::config("there is nothing at " + path.string() + " to inspect");
  for (const Kind& kind : kKinds) {
    if (!kind.is(path)) continue;
    Json page{{"path", path.string()}};
    page.update(kind.describe(path));
    if (json) return page.dump(2) + "\n";
    std::string text;
    append_text(text, page, "");
    return text;
  }
  throw Error::config("cannot inspect " + path.string() +
                      ": expected a workspace, manifest.gpkg, shard (.tar, .idx), dataset, run, checkpoint, .safetensors or .npy file");
}

}  // namespace tilewright::pipeline
