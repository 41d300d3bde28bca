// SPDX-License-Identifier: Apache-2.0
// What most tiles of a source have decides; bands without data or marked as bad are left out.
#include "pipeline/stages/scan_bands.h"

#include <algorithm>
#include <map>
#include <set>

namespace tilewright::pipeline {
namespace {

using index::Reason;

std::vector<std::string> names_of(const std::vector<TileBand>& bands) {
  std::vector<std::string> out;
  for (const auto& band : bands) out.push_back(band.info.name);
  return out;
}

/// Most tiles decide over the number of bands, then the pixel type, then the names; at a tie the
/// least. Bands of one file go by their place, so that other names of equal number are the same.
template <class Key>
std::optional<Key> most_frequent(const std::vector<ScannedTile>& tiles, const auto& key_of) {
  std::map<Key, int> counts;
  for (const auto& tile : tiles)
    if (const auto key = key_of(tile)) ++counts[*key];
  std::optional<Key> best;
  for (const auto& [key, count] : counts)
    if (!best || count > counts[*best]) best = key;
  return best;
}

bool is_grouped(const ScannedTile& tile) { return !tile.files.empty() && !tile.files.front().band.empty(); }

}  // namespace

bool holds(const std::vector<std::string>& list, const std::string& name) { return std::find(list.begin(), list.end(), name) != list.end(); }

std::optional<Kind> agreed_kind(const std::vector<ScannedTile>& tiles) {
  const auto usable = [](const ScannedTile& tile) { return !tile.bands.empty() && tile.row.status == "ok"; };
  const auto count = most_frequent<std::size_t>(tiles, [&](const auto& t) { return usable(t) ? std::optional(t.bands.size()) : std::nullopt; });
  if (!count) return std::nullopt;
  const auto dtype = most_frequent<shard::DType>(
      tiles, [&](const auto& t) { return usable(t) && t.bands.size() == *count ? std::optional(t.bands[0].dtype) : std::nullopt; });
  const auto names = most_frequent<std::vector<std::string>>(tiles, [&](const auto& t) {
    return usable(t) && t.bands.size() == *count && t.bands[0].dtype == *dtype ? std::optional(names_of(t.bands)) : std::nullopt;
  });
  return Kind{*names, *dtype};
}

/// Quarantines tiles whose bands are not those of the source.
void require_kind(std::vector<ScannedTile>& tiles, const Kind& kind) {
  for (auto& tile : tiles) {
    if (tile.bands.empty() || tile.row.status != "ok") continue;
    const auto names = names_of(tile.bands);
    const auto missing = std::find_if(kind.names.begin(), kind.names.end(), [&](const auto& n) { return std::find(names.begin(), names.end(), n) == names.end(); });
    std::string text;
    auto reason = Reason::wrong_band_count;
    if (is_grouped(tile) && missing != kind.names.end()) {
      reason = Reason::missing_band;
      text = "has no file of band " + *missing;
    } else if (names.size() != kind.names.size()) {
      text = "has " + std::to_string(names.size()) + " bands, most of the source have " + std::to_string(kind.names.size()) + "; put it into a source of its own";
    } else if (tile.bands[0].dtype != kind.dtype) {
      reason = Reason::mixed_dtype;
      text = "is " + std::string(shard::name(tile.bands[0].dtype)) + ", most of the source are " + std::string(shard::name(kind.dtype)) + "; put it into a source of its own";
    }
    if (text.empty()) continue;
    tile.row.geom.clear();
    tile.bands.clear();
    reject(tile, "quarantined", reason, text);
  }
}

bool was_looked_at(const ScannedTile& tile) { return !tile.bands.empty() && tile.band_has_data.size() == tile.bands.size(); }

/// Bands without a valid pixel in any tile. None if no band has any.
std::vector<std::string> empty_bands(const std::vector<ScannedTile>& tiles) {
  std::vector<bool> has_data;
  std::vector<std::string> names;
  for (const auto& tile : tiles) {
    if (!was_looked_at(tile)) continue;
    names = names_of(tile.bands);
    has_data.resize(names.size(), false);
    for (std::size_t b = 0; b < names.size(); ++b) has_data[b] = has_data[b] || tile.band_has_data[b];
  }
  std::vector<std::string> out;
  for (std::size_t b = 0; b < has_data.size(); ++b)
    if (!has_data[b]) out.push_back(names[b]);
  return out.size() == has_data.size() ? std::vector<std::string>() : out;
}

/// Bands that some tile's file marks as bad. None if that would be all.
std::vector<std::string> bad_bands(const std::vector<ScannedTile>& tiles, const Kind& kind) {
  std::set<std::string> bad;
  for (const auto& tile : tiles)
    for (const auto& band : tile.bands)
      if (tile.row.status == "ok" && band.is_bad) bad.insert(band.info.name);
  std::vector<std::string> out;
  for (const auto& name : kind.names)
    if (bad.contains(name)) out.push_back(name);
  return out.size() == kind.names.size() ? std::vector<std::string>() : out;
}

/// Validity was found over the bands that have data in the tile: it is that of the source's bands
/// where no other band is empty, and a tile with one is no tile of this source.
void settle_bands(ScannedTile& tile, const std::vector<std::string>& empty) {
  if (!was_looked_at(tile)) return;
  for (std::size_t b = 0; b < tile.bands.size(); ++b) {
    if (tile.band_has_data[b] || holds(empty, tile.bands[b].info.name)) continue;
    const bool has_some = std::find(tile.band_has_data.begin(), tile.band_has_data.end(), true) != tile.band_has_data.end();
    if (!has_some) return;  // all_nodata already
    tile.row.geom.clear();
    tile.grid.reset();
    return reject(tile, "quarantined", Reason::band_all_nodata, "band " + tile.bands[b].info.name + " has no valid pixel");
  }
  std::erase_if(tile.bands, [&](const auto& band) { return holds(empty, band.info.name); });
  tile.row.band_count = static_cast<int>(tile.bands.size());
}

/// Nodata differs between files, wavelengths hardly: the first tile with the agreed names speaks.
std::vector<TileBand> describe_bands(const std::vector<ScannedTile>& tiles, const Kind& kind) {
  for (const auto& tile : tiles)
    if (!tile.bands.empty() && names_of(tile.bands) == kind.names && tile.bands[0].dtype == kind.dtype) return tile.bands;
  return {};
}

/// The pixel grid is that of the first band: without it, that of another file.
bool is_other_grid(const std::vector<ScannedTile>& tiles, const Kind& kind, const std::vector<std::string>& bad, const std::vector<std::string>& left_out) {
  const bool by_files = std::any_of(tiles.begin(), tiles.end(), [](const auto& tile) { return is_grouped(tile); });
  return by_files && holds(left_out, kind.names.front()) && !holds(bad, kind.names.front());
}

}  // namespace tilewright::pipeline
