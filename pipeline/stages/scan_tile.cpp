// SPDX-License-Identifier: Apache-2.0
// Looks at one acquisition: what its files say, then its pixels.
#include "pipeline/stages/scan_tile.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <regex>

#include "index/shard/sha256.h"
#include "pipeline/io/granule.h"
#include "pipeline/io/vector_layer.h"
#include "pipeline/stages/scan_footprint.h"
#include "pipeline/stages/scan_pass.h"

namespace tilewright::pipeline {
namespace {

using index::ItemError;
using index::Reason;

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
  for (const auto& granule : reader.granules()) {
    for (const auto& raster : granule.rasters()) {
      tile.side_cars.insert(tile.side_cars.end(), raster.info().side_cars.begin(),
                            raster.info().side_cars.end());
      if (const auto ignored = raster.info().metadata.find("IGNORED_SIDE_CARS");
          ignored != raster.info().metadata.end())
        tile.notes.push_back("untrusted: the side-cars" + (" " + ignored->second) +
                             " are ignored; pixels that a mask hides count as valid");
    }
    if (granule.product()) tile.side_cars.push_back(granule.product()->file.filename().string());
  }
}

bool is_outside_period(const SourceConfig& config, const Acquired& acquired) {
  if (!config.between || !acquired.time) return false;
  const auto day = acquired.time->substr(0, 10);
  return day < (*config.between)[0].substr(0, 10) || day > (*config.between)[1].substr(0, 10);
}

/// Why no pixel counts: nothing at all, or bands that are valid at different places.
[[noreturn]] void fail_empty(const ScannedTile& tile) {
  throw ItemError(Reason::all_nodata, "no pixel is valid in all " + std::to_string(tile.bands.size()) + " required bands");
}

void keep_footprint(const TileReader& reader, const geometry::Bitmask& valid, ScannedTile& tile) {
  auto footprint = footprint_of(valid, reader.affine(), reader.crs());
  tile.row.geom = std::move(footprint.polygons);
  tile.valid_area_m2 = geometry::geodesic_area_m2(tile.row.geom);
  if (footprint.reach_px <= 1) return;
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", footprint.reach_px);
  tile.notes.push_back("the footprint of " + tile.row.path + " is drawn coarser, its outline has too many corners: it reaches at most " + text +
                       " px beyond a valid pixel; valid_frac and windows stay exact");
}

/// Of the products, by the sizes of their granules; nullopt where one does not say it.
std::optional<double> cloud_frac_of_products(const TileReader& reader) {
  double cloudy = 0, all = 0;
  for (const auto& granule : reader.granules()) {
    if (!granule.product() || !granule.product()->cloud_frac) return std::nullopt;
    const double pixels = double(granule.info().width) * double(granule.info().height);
    cloudy += *granule.product()->cloud_frac * pixels;
    all += pixels;
  }
  return cloudy / all;
}

/// Validity, footprint and clouds of an opened acquisition; sets status removed where a filter says so.
void look_at_pixels(const TileReader& reader, const SourceContext& source, std::size_t memory_bytes, ScannedTile& tile) {
  const auto& config = source.job.source(source.source);
  const auto pixels = look_at_all_pixels(reader, memory_bytes);
  tile.band_has_data = pixels.band_has_data;
  tile.content = pixels.fingerprint;
  const auto valid = pixels.valid.count();
  if (valid == 0) fail_empty(tile);
  tile.row.valid_frac = double(valid) / (double(reader.width()) * double(reader.height()));
  keep_footprint(reader, pixels.valid, tile);
  tile.masks.valid = geometry::RunMask::from(pixels.valid).encoded();
  if (pixels.cloud) {
    tile.row.cloud_frac = double((*pixels.cloud & pixels.valid).count()) / double(valid);
    tile.masks.cloud = geometry::RunMask::from(*pixels.cloud).encoded();
  } else {
    tile.row.cloud_frac = cloud_frac_of_products(reader);
  }
  if (!source.area.empty() && geometry::intersection(tile.row.geom, source.area).empty())
    reject(tile, "removed", Reason::outside_area, "the footprint does not touch `area`");
  else if (config.max_cloud_frac && tile.row.cloud_frac && *tile.row.cloud_frac > *config.max_cloud_frac)
    reject(tile, "removed", Reason::too_cloudy, "cloud_frac is " + std::to_string(*tile.row.cloud_frac) + ", more than max_cloud_frac");
}

const Raster& first_raster(const TileReader& reader) {
  return reader.granules().front().rasters().front();
}

void check_date_count(const SourceContext& source, const TileReader& reader) {
  if (source.date_count == 0) return;
  std::size_t bands = 0;
  const auto& raster = first_raster(reader);
  for (const auto& band : raster.info().bands) bands += band.is_alpha ? 0 : 1;
  if (bands != source.date_count)
    throw ItemError(Reason::wrong_band_count,
                    raster.file().filename().string() + " has " + std::to_string(bands) +
                        " bands, the list of dates has " + std::to_string(source.date_count) +
                        "; correct date.bands");
}

/// The job's rule, else the product's own metadata.
Acquired acquired_of(const Granule& granule, const SourceContext& source) {
  const auto& file = granule.files().front();
  const auto given =
      source.dates.acquired(file.path, granule.rasters().front().info().metadata, file.band);
  if (source.dates.is_given() || !granule.product() || !granule.product()->acquired) return given;
  return {granule.product()->acquired, true};
}

/// The first granule's. A pass takes minutes, and may take them at midnight.
Acquired acquired_of(const TileReader& reader, const SourceContext& source) {
  constexpr std::int64_t kDay_s = 86400;
  const auto& granules = reader.granules();
  const auto first = acquired_of(granules.front(), source);
  for (std::size_t i = 1; i < granules.size(); ++i) {
    const auto other = acquired_of(granules[i], source);
    if (first.time && other.time &&
        std::abs(seconds_of(*first.time) - seconds_of(*other.time)) > kDay_s)
      throw ItemError(Reason::granule_mismatch, granules[i].name() + " was acquired " +
                                                    *other.time + ", " + granules.front().name() +
                                                    " " + *first.time +
                                                    "; make the capture of `group` hold the day");
  }
  return first;
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
  SourceContext out{job, source, DateRule(job, source), {}, {}, {}, 0};
  const auto& config = job.source(source);
  if (config.date && config.date->bands) out.date_count = read_date_list(job, *config.date->bands).size();
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
    const auto& granule = reader.granules().front();
    describe_raster(reader, tile.row);
    tile.grid = {tile.row.tile_id, reader.affine(), reader.crs().wkt(), reader.width(), reader.height()};
    tile.bands = reader.bands();
    tile.version = granule.product() ? granule.product()->version : "";
    if (tile.version.empty())
      tile.version = processing_version(first_raster(reader).info().metadata, tile.row.path);
    note_side_cars(reader, tile);
    check_date_count(source, reader);
    const auto acquired = acquired_of(reader, source);
    tile.row.acquired = acquired.time;
    tile.row.time_known = acquired.time_known;
    if (is_outside_period(source.job.source(source.source), acquired))
      reject(tile, "removed", Reason::outside_period, "acquired " + *acquired.time);
    else if (depth == Depth::pixels)
      look_at_pixels(reader, source, memory_bytes, tile);
  } catch (const ItemError& error) {
    tile.row.geom.clear();
    tile.grid.reset();
    reject(tile, "quarantined", error.reason(), error.what());
  }
  return tile;
}

void keep_exact_content(const Acquisition& acquisition, const SourceContext& source, const std::vector<std::string>& left_out, std::size_t memory_bytes,
                        ScannedTile& tile) {
  try {
    tile.content = exact_content(TileReader(source.job, source.source, acquisition.files, left_out, source.names), memory_bytes);
  } catch (const ItemError& error) {
    tile.row.geom.clear();
    tile.grid.reset();
    reject(tile, "quarantined", error.reason(), error.what());
  }
}

}  // namespace tilewright::pipeline
