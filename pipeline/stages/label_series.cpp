// SPDX-License-Identifier: Apache-2.0
// Members of a label series: a mask and a json for each location.
#include "pipeline/stages/label_series.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <span>

#include "index/shard/shard_writer.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

std::string json_text(const LabelWindow& window, int epsg, const std::string& layer) {
  const auto& a = window.affine;
  nlohmann::ordered_json json;
  json["location_id"] = window.location_id;
  json["epsg"] = epsg;
  json["affine"] = {a.a, a.b, a.c, a.d, a.e, a.f};
  json["size"] = {window.frame.window.height, window.frame.window.width};
  json["dates"] = nlohmann::ordered_json::array();
  json["tile_ids"] = nlohmann::ordered_json::array();
  json["bands"] = {layer};
  return json.dump() + "\n";
}

std::vector<shard::MemberSpec> members_of(const LabelGround& ground, const std::string& layer) {
  std::vector<shard::MemberSpec> members;
  members.reserve(ground.windows.size() * 2);
  for (const LabelWindow& window : ground.windows) {
    const auto& size = window.frame.window;
    const std::string& key = window.location_id;
    members.push_back({.key = key, .name = key + "." + layer + ".npy", .dtype = shard::DType::u8, .shape = {1, size.height, size.width}, .text = {}});
    members.push_back({.key = key, .name = key + ".json", .dtype = {}, .shape = {}, .text = json_text(window, ground.zones[window.zone].epsg(), layer)});
  }
  return members;
}

void count_pixels(const LocationMask& mask, index::MaskRow& row) {
  const auto all = static_cast<double>(mask.pixels.size());
  const auto ignored = static_cast<double>(std::count(mask.pixels.begin(), mask.pixels.end(), 255));
  const auto background = static_cast<double>(std::count(mask.pixels.begin(), mask.pixels.end(), 0));
  row.ignore_frac = ignored / all;
  row.positive_frac = ignored < all ? (all - ignored - background) / (all - ignored) : 0;
  row.object_count = mask.object_count;
}

}  // namespace

WrittenSeries write_masks(const StageInput& in, const RunContext& context, const std::string& layer,
                          const LabelGround& ground, const std::function<LocationMask(std::size_t)>& draw) {
  WrittenSeries series;
  series.rows.resize(ground.windows.size());
  const auto members = members_of(ground, layer);
  const auto total = static_cast<std::int64_t>(ground.windows.size());
  for (const auto& [begin, end] : shard::cut_into_shards(members, std::int64_t{in.job.extract.shard_mb} << 20)) {
    const std::string path = "shards/" + shard::shard_file_name(layer, static_cast<int>(series.shards++));
    shard::ShardWriter writer(in.workspace / path, {members.begin() + static_cast<std::ptrdiff_t>(begin), members.begin() + static_cast<std::ptrdiff_t>(end)});
    const std::size_t first = begin / 2, last = end / 2;
    const auto block = static_cast<std::size_t>(std::max(context.threads, 1)) * 32;
    for (std::size_t from = first; from < last; from += block) {
      tbb::parallel_for(from, std::min(from + block, last), [&](std::size_t w) {
        context.check_stop();
        const LocationMask mask = draw(w);
        writer.put(2 * (w - first), std::as_bytes(std::span(mask.pixels)));
        count_pixels(mask, series.rows[w]);
      });
      context.on_progress({.stage = "label", .unit = layer + " masks", .done = static_cast<std::int64_t>(std::min(from + block, last)), .total = total});
    }
    const shard::WrittenShard written = writer.publish();
    for (std::size_t w = first; w < last; ++w) {
      const auto& member = written.members[2 * (w - first)];
      series.rows[w].location_id = ground.windows[w].location_id;
      series.rows[w].layer = layer;
      series.rows[w].place = index::MemberPlace{path, member.name, member.offset, member.length, member.sha256};
      series.bytes += member.length;
    }
  }
  return series;
}

void remove_series(const StageInput& in, const std::string& layer) {
  const std::regex ours(layer + R"(-\d{6,}\.(tar|idx))");
  std::vector<fs::path> stale;
  for (const auto& entry : fs::directory_iterator(in.workspace / "shards"))
    if (std::regex_match(entry.path().filename().string(), ours)) stale.push_back(entry.path());
  for (const auto& file : stale) fs::remove(file);
}

}  // namespace tilewright::pipeline
