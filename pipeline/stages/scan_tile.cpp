// SPDX-License-Identifier: Apache-2.0
// Scans one acquisition in block rows: validity, content hash and footprint in one pass.
#include "pipeline/stages/scan_tile.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <regex>

#include "index/shard/sha256.h"
#include "pipeline/io/vector_layer.h"

namespace tilewright::pipeline {
namespace {

using geometry::Bitmask;
using geometry::Window;
using index::ItemError;
using index::Reason;

/// More corners than this make a footprint too heavy for the graph: it is drawn coarser, and says so.
constexpr std::int64_t kMostCorners = 200'000;

std::span<const std::byte> bytes_of(const auto& value) { return std::as_bytes(std::span(&value, 1)); }

/// Corners of the outline: 2 x 2 neighbourhoods with one, three or two diagonal pixels set.
std::int64_t corner_count(const Bitmask& mask) {
  std::int64_t count = 0;
  const auto words = mask.words_per_row();
  const std::vector<std::uint64_t> none(static_cast<std::size_t>(words), 0);
  for (std::int64_t row = 0; row <= mask.height(); ++row) {
    const auto* above = row > 0 ? mask.row_words(row - 1) : none.data();
    const auto* below = row < mask.height() ? mask.row_words(row) : none.data();
    std::uint64_t last_above = 0, last_below = 0;
    for (std::int64_t w = 0; w < words; ++w) {
      const auto left_above = (above[w] << 1) | last_above, left_below = (below[w] << 1) | last_below;
      // A corner is where the step from row to row differs between two neighbouring columns.
      const auto edge = above[w] ^ below[w], left_edge = left_above ^ left_below;
      const auto diagonal = (above[w] ^ left_above) & edge & left_edge;
      count += std::popcount(edge ^ left_edge) + 2 * std::popcount(diagonal);
      last_above = above[w] >> 63;
      last_below = below[w] >> 63;
    }
    count += std::int64_t((last_above ^ last_below) & 1U);
  }
  return count;
}

/// Half as many pixels each way; a pixel is set if at least half of its four are.
Bitmask halved(const Bitmask& mask) {
  Bitmask out((mask.width() + 1) / 2, (mask.height() + 1) / 2);
  const auto get = [&](std::int64_t col, std::int64_t row) { return col < mask.width() && row < mask.height() && mask.get(col, row) ? 1 : 0; };
  for (std::int64_t row = 0; row < out.height(); ++row)
    for (std::int64_t col = 0; col < out.width(); ++col)
      if (get(2 * col, 2 * row) + get(2 * col + 1, 2 * row) + get(2 * col, 2 * row + 1) + get(2 * col + 1, 2 * row + 1) >= 2) out.set(col, row, true);
  return out;
}

geometry::GeoMultiPolygon footprint(const TileReader& reader, Bitmask mask, ScannedTile& tile) {
  double factor = 1;
  while (corner_count(mask) > kMostCorners) {
    auto next = halved(mask);
    if (next.count() == 0) break;
    mask = std::move(next);
    factor *= 2;
  }
  const auto affine = reader.affine();
  const geometry::Affine coarse{affine.a * factor, affine.b * factor, affine.c, affine.d * factor, affine.e * factor, affine.f};
  if (factor > 1)
    tile.notes.push_back("the footprint of " + tile.row.path + " is drawn at 1/" + std::to_string(int(factor)) + " of its resolution: its outline has more than " +
                         std::to_string(kMostCorners) + " corners; valid_frac and windows stay exact");
  const auto outline = geometry::map_from_pixel(coarse, geometry::outline(mask));
  std::optional<geometry::GeoMultiPolygon> out;
  try {
    out = geometry::geographic(outline, reader.crs());
  } catch (const Error& error) {
    throw ItemError(Reason::not_mappable, std::string("its outline cannot be brought to longitude and latitude: ") + error.what());
  }
  if (!out || out->empty())
    throw ItemError(Reason::not_mappable, "its outline cannot be brought to longitude and latitude: the corners lie outside the area of " +
                                              (reader.crs().name().empty() ? "its CRS" : reader.crs().name()));
  return *out;
}

/// Reads all pixels once, in bands of rows that fit the budget.
class Pass {
 public:
  Pass(const TileReader& reader, std::size_t memory_bytes) : reader_(reader), mask_(reader.width(), reader.height()), band_has_data_(reader.bands().size(), false) {
    const auto row_bytes = static_cast<std::size_t>(reader.width()) * (shard::byte_size(reader.dtype()) + 2) * reader.bands().size();
    const auto fitting = static_cast<std::int64_t>(std::clamp<std::size_t>(memory_bytes, std::size_t{1} << 20, std::size_t{64} << 20) / row_bytes);
    const auto block = std::max<std::int64_t>(1, reader.block_height());
    rows_ = std::clamp<std::int64_t>(fitting >= block ? fitting / block * block : fitting, 1, reader.height());
    hash_.update(reader.crs().wkt());
    hash_.update(bytes_of(reader.affine()));
    const std::int64_t shape[4] = {static_cast<std::int64_t>(reader.bands().size()), reader.height(), reader.width(), static_cast<std::int64_t>(reader.dtype())};
    hash_.update(bytes_of(shape));
  }

  void run() {
    for (std::int64_t row = 0; row < reader_.height(); row += rows_) take({0, row, reader_.width(), std::min(rows_, reader_.height() - row)});
  }

  [[nodiscard]] const Bitmask& mask() const { return mask_; }
  [[nodiscard]] const std::vector<bool>& band_has_data() const { return band_has_data_; }
  std::string content() { return shard::hex(hash_.finish()); }

 private:
  void take(const Window& window) {
    const auto pixels = reader_.read(window);
    const auto row_px = static_cast<std::size_t>(window.width), row_bytes = row_px * shard::byte_size(reader_.dtype());
    const auto plane_bytes = row_bytes * static_cast<std::size_t>(window.height);
    for (std::size_t b = 0; b < band_has_data_.size(); ++b) band_has_data_[b] = band_has_data_[b] || pixels.band_has_data[b];
    for (std::size_t y = 0; y < static_cast<std::size_t>(window.height); ++y) {
      // Row by row, so that the hash does not depend on how many rows are read at once.
      for (std::size_t b = 0; b < band_has_data_.size(); ++b) hash_.update(std::span(pixels.data).subspan(b * plane_bytes + y * row_bytes, row_bytes));
      const auto valid = std::span(pixels.valid).subspan(y * row_px, row_px);
      hash_.update(std::as_bytes(valid));
      set_runs(valid, window.row + static_cast<std::int64_t>(y));
    }
  }

  void set_runs(std::span<const std::uint8_t> valid, std::int64_t row) {
    for (std::size_t col = 0; col < valid.size();) {
      const auto begin = std::find_if(valid.begin() + std::ptrdiff_t(col), valid.end(), [](auto v) { return v != 0; });
      const auto end = std::find(begin, valid.end(), std::uint8_t{0});
      if (begin != end) mask_.set_run(begin - valid.begin(), end - valid.begin(), row, true);
      col = static_cast<std::size_t>(end - valid.begin());
    }
  }

  const TileReader& reader_;
  Bitmask mask_;
  std::vector<bool> band_has_data_;
  shard::Sha256 hash_;
  std::int64_t rows_ = 1;
};

/// Sentinel-2 baseline (N0204) or Landsat processing day, from metadata or name.
std::string processing_version(const std::map<std::string, std::string>& metadata, const std::string& path) {
  for (const auto* key : {"PROCESSING_BASELINE", "PROCESSING_VERSION", "processing_version", "PROCESSING_SOFTWARE_VERSION"})
    if (const auto found = metadata.find(key); found != metadata.end()) return found->second;
  static const std::regex sentinel(R"re(_N(\d{4})_)re"), landsat(R"re(_\d{8}_(\d{8})_\d{2}_(?:T1|T2|RT))re");
  std::smatch match;
  if (std::regex_search(path, match, sentinel) || std::regex_search(path, match, landsat)) return match[1];
  return "";
}

void describe_raster(const TileReader& reader, index::TileRow& row) {
  const auto affine = reader.affine();
  row.epsg = reader.crs().epsg();
  row.width_px = reader.width();
  row.height_px = reader.height();
  row.res_x = std::hypot(affine.a, affine.d);
  row.res_y = std::hypot(affine.b, affine.e);
  row.band_count = static_cast<int>(reader.bands().size());
  row.dtype = shard::name(reader.dtype());
}

void note_side_cars(const TileReader& reader, ScannedTile& tile) {
  for (const auto& raster : reader.rasters()) tile.side_cars.insert(tile.side_cars.end(), raster.info().side_cars.begin(), raster.info().side_cars.end());
  for (const auto& raster : reader.rasters())
    if (const auto ignored = raster.info().metadata.find("IGNORED_SIDE_CARS"); ignored != raster.info().metadata.end())
      tile.notes.push_back("untrusted: the side-cars" + (" " + ignored->second) + " are ignored; pixels that a mask hides count as valid");
}

bool is_outside_period(const SourceConfig& config, const Acquired& acquired) {
  if (!config.between || !acquired.time) return false;
  const auto day = acquired.time->substr(0, 10);
  return day < (*config.between)[0].substr(0, 10) || day > (*config.between)[1].substr(0, 10);
}

/// Validity, footprint and clouds of an opened acquisition; sets status removed where a filter says so.
void look_at_pixels(const TileReader& reader, const SourceContext& source, std::size_t memory_bytes, ScannedTile& tile) {
  const auto& config = source.job.source(source.source);
  Pass pass(reader, memory_bytes);
  pass.run();
  tile.band_has_data = pass.band_has_data();
  tile.content = pass.content();
  const auto valid = pass.mask().count();
  if (valid == 0) {
    const bool some = std::find(tile.band_has_data.begin(), tile.band_has_data.end(), true) != tile.band_has_data.end();
    const auto none = std::find(tile.band_has_data.begin(), tile.band_has_data.end(), false);
    if (some && none != tile.band_has_data.end())
      throw ItemError(Reason::band_all_nodata, "band " + tile.bands[static_cast<std::size_t>(none - tile.band_has_data.begin())].info.name + " has no valid pixel");
    throw ItemError(Reason::all_nodata, "no pixel is valid in all " + std::to_string(tile.bands.size()) + " required bands");
  }
  tile.row.valid_frac = double(valid) / (double(reader.width()) * double(reader.height()));
  tile.row.geom = footprint(reader, pass.mask(), tile);
  tile.valid_area_m2 = geometry::geodesic_area_m2(tile.row.geom);
  tile.grid = {tile.row.tile_id, reader.affine(), reader.crs().wkt(), reader.width(), reader.height()};
  tile.masks.valid = geometry::RunMask::from(pass.mask()).encoded();
  if (const auto clouds = reader.cloud_mask()) {
    tile.row.cloud_frac = double((*clouds & pass.mask()).count()) / double(valid);
    tile.masks.cloud = geometry::RunMask::from(*clouds).encoded();
  }
  if (!source.area.empty() && geometry::intersection(tile.row.geom, source.area).empty())
    reject(tile, "removed", Reason::outside_area, "the footprint does not touch `area`");
  else if (config.max_cloud_frac && tile.row.cloud_frac && *tile.row.cloud_frac > *config.max_cloud_frac)
    reject(tile, "removed", Reason::too_cloudy, "cloud_frac is " + std::to_string(*tile.row.cloud_frac) + ", more than max_cloud_frac");
}

/// Of the band files alone: quality rasters in files of their own do not change what a tile is.
std::string hash_of_files(const Acquisition& acquisition, const std::map<std::string, FileHash>& hashes) {
  const auto& files = acquisition.files;
  const auto is_band = [](const TileFile& file) { return !file.is_quality; };
  if (std::count_if(files.begin(), files.end(), is_band) == 1) return hashes.at(std::find_if(files.begin(), files.end(), is_band)->path).sha256;
  shard::Sha256 hash;
  for (const auto& file : files) {
    if (!is_band(file)) continue;
    const auto& hex = hashes.at(file.path).sha256;
    shard::Digest digest;
    for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::byte>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
    hash.update(std::as_bytes(std::span(digest)));
  }
  return shard::hex(hash.finish());
}

ScannedTile start(const Acquisition& acquisition, const std::map<std::string, FileHash>& hashes) {
  ScannedTile tile;
  tile.row.tile_id = acquisition.tile_id;
  tile.row.source = acquisition.source;
  tile.row.path = acquisition.files.front().path;
  tile.row.sha256 = hash_of_files(acquisition, hashes);
  tile.row.status = "ok";
  for (const auto& file : acquisition.files) tile.files.push_back({acquisition.tile_id, file.band, file.path, hashes.at(file.path).sha256, hashes.at(file.path).bytes});
  return tile;
}

geometry::GeoMultiPolygon box_of_degrees(double west, double south, double east, double north) {
  const auto box = [&](double w, double e) {
    return geometry::GeoPolygon{{{w, south}, {e, south}, {e, north}, {w, north}, {w, south}}, {}};
  };
  if (west <= east) return {box(west, east)};
  return {box(west, 180), box(-180, east)};
}

}  // namespace

SourceContext source_context(const Job& job, const std::string& source) {
  SourceContext out{job, source, DateRule(job, source), {}, {}, {}};
  const auto& config = job.source(source);
  if (!config.area) return out;
  if (config.area->bounds) {
    const auto& [west, south, east, north] = *config.area->bounds;
    out.area = box_of_degrees(west, south, east, north);
    return out;
  }
  const auto layer = read_vector_layer(job.resolve(*config.area->file), "", {}, open_policy_of(job, source));
  std::vector<geometry::GeoMultiPolygon> parts;
  for (const auto& feature : layer.features) {
    const auto gated = geometry::gate(feature.polygons);
    if (auto part = geometry::geographic(gated.polygons, layer.crs); part && !part->empty()) parts.push_back(std::move(*part));
  }
  out.area = geometry::unite(parts);
  if (out.area.empty()) throw Error::config("sources." + source + ".area: " + *config.area->file + " has no polygon that can be used");
  return out;
}

void reject(ScannedTile& tile, const std::string& status, index::Reason reason, const std::string& detail) {
  tile.row.status = status;
  tile.row.reason = std::string(index::code(reason));
  tile.rejection = {"scan", tile.row.tile_id, *tile.row.reason, tile.row.path + ": " + detail};
}

ScannedTile scan_tile(const Acquisition& acquisition, const SourceContext& source, Depth depth, const std::map<std::string, FileHash>& hashes,
                      std::size_t memory_bytes) {
  auto tile = start(acquisition, hashes);
  try {
    if (acquisition.problem) throw ItemError(*acquisition.problem);
    const TileReader reader(source.job, source.source, acquisition.files, source.left_out, source.names);
    const auto& metadata = reader.rasters().front().info().metadata;
    describe_raster(reader, tile.row);
    tile.bands = reader.bands();
    tile.version = processing_version(metadata, tile.row.path);
    note_side_cars(reader, tile);
    const auto acquired = source.dates.acquired(tile.row.path, metadata);
    tile.row.acquired = acquired.time;
    tile.row.time_known = acquired.time_known;
    if (is_outside_period(source.job.source(source.source), acquired))
      reject(tile, "removed", Reason::outside_period, "acquired " + *acquired.time);
    else if (depth == Depth::pixels)
      look_at_pixels(reader, source, memory_bytes, tile);
  } catch (const ItemError& error) {
    tile.row.geom.clear();
    reject(tile, "quarantined", error.reason(), error.what());
  }
  return tile;
}

}  // namespace tilewright::pipeline
