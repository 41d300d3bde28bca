// SPDX-License-Identifier: Apache-2.0
// What scan decided about the bands of a source, kept in the manifest for all later readers.
#include <algorithm>

#include "learn/config/json.h"
#include "pipeline/io/tile_reader.h"

namespace tilewright::pipeline {
namespace {

using learn::Json;

std::string meta_key(const std::string& source) { return "scan.bands/" + source; }

std::vector<std::string> names_of(const std::vector<TileBand>& bands) {
  std::vector<std::string> out;
  for (const auto& band : bands) out.push_back(band.info.name);
  return out;
}

SourceBands need_source_bands(const index::Manifest& manifest, const std::string& source) {
  auto bands = read_source_bands(manifest, source);
  if (!bands) throw Error::config("the workspace does not know the bands of source " + source + ", because scan has not used a file of it; run: tilewright scan JOB");
  return *bands;
}

constexpr std::string_view kQualityPrefix = "quality:";

}  // namespace

void write_source_bands(index::Manifest& manifest, const std::string& source, const SourceBands& bands) {
  Json all = Json::array();
  for (const auto& band : bands.all) {
    auto item = learn::json_of(band.info);
    item["dtype"] = std::string(shard::name(band.dtype));
    all.push_back(std::move(item));
  }
  index::set_meta(manifest, meta_key(source), Json{{"bands", std::move(all)}, {"left_out", bands.left_out}}.dump());
}

std::optional<SourceBands> read_source_bands(const index::Manifest& manifest, const std::string& source) {
  const auto text = index::meta(manifest, meta_key(source));
  if (!text) return std::nullopt;
  auto json = Json::parse(*text, nullptr, false);
  if (json.is_discarded() || !json.contains("bands") || !json.contains("left_out"))
    throw Error::failed("the manifest's entry " + meta_key(source) + " is damaged; run: tilewright scan JOB --force scan");
  SourceBands out;
  for (auto& item : json["bands"]) {
    auto& band = out.all.emplace_back();
    band.dtype = shard::dtype_from_name(item.value("dtype", "uint8")).value_or(shard::DType::u8);
    item.erase("dtype");
    learn::read_json(item, band.info, meta_key(source));
  }
  learn::read_json(json["left_out"], out.left_out, meta_key(source));
  return out;
}

TileReader open_tile(const Job& job, const index::Manifest& manifest, const index::TileRow& tile) {
  const auto bands = need_source_bands(manifest, tile.source);
  std::vector<TileFile> files;
  for (const auto& row : index::tile_files(manifest, tile.tile_id)) {
    const bool is_quality = row.band.starts_with(kQualityPrefix);
    files.push_back({row.path, row.band, is_quality});
  }
  if (files.empty()) throw index::ItemError(index::Reason::unreadable, "the manifest lists no file of tile " + tile.tile_id);
  return TileReader(job, tile.source, std::move(files), bands.left_out, names_of(bands.all));
}

std::vector<TileBand> source_bands(const Job& job, const index::Manifest& manifest, const std::string& source) {
  const auto bands = need_source_bands(manifest, source);
  std::vector<TileBand> out;
  for (const auto& channel : job.source(source).channels) {
    out.push_back({{}, shard::DType::f32});
    out.back().info.name = channel;
  }
  if (!out.empty()) return out;
  for (const auto& band : bands.all)
    if (std::find(bands.left_out.begin(), bands.left_out.end(), band.info.name) == bands.left_out.end()) out.push_back(band);
  return out;
}

}  // namespace tilewright::pipeline
