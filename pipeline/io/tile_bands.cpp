// SPDX-License-Identifier: Apache-2.0
// From files to bands: names, quality bands, ground, pixel type and nodata rule of each.
#include "pipeline/io/tile_bands.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <sstream>

#include "pipeline/io/gdal_crs.h"

namespace tilewright::pipeline {
namespace {

using geometry::Affine;
using index::ItemError;
using index::Reason;

struct Candidate {
  BandPlace place;
  std::string name;
};

std::string base(const std::string& path) { return path.substr(path.find_last_of("/:") + 1); }

/// Bands of one file without alpha.
std::vector<int> colour_bands(const Raster& raster) {
  std::vector<int> out;
  for (std::size_t i = 0; i < raster.info().bands.size(); ++i)
    if (!raster.info().bands[i].is_alpha) out.push_back(static_cast<int>(i));
  return out;
}

std::vector<std::string> own_names(const Raster& raster, const std::vector<int>& bands, const std::optional<DataManifest>& manifest) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const int band : bands) {
    const auto& text = raster.info().bands[static_cast<std::size_t>(band)].description;
    if (text.empty() || !seen.insert(text).second) break;
    names.push_back(text);
  }
  if (names.size() == bands.size()) return names;
  names.clear();
  const bool by_manifest = manifest && manifest->bands.size() == bands.size();
  for (std::size_t i = 0; i < bands.size(); ++i) names.push_back(by_manifest ? manifest->bands[i].name : "b" + std::to_string(i + 1));
  return names;
}

/// All bands in one file: names by the job, else as scan decided, else the file's own.
std::vector<Candidate> bands_of_one_file(const SourceConfig& config, const std::optional<DataManifest>& manifest, const TileFile& file,
                                         const Raster& raster, const std::vector<std::string>& decided) {
  const auto bands = colour_bands(raster);
  std::vector<std::string> names;
  for (const auto& rule : config.bands) names.push_back(rule.name);
  if (names.empty() && decided.size() == bands.size()) names = decided;
  if (names.empty()) names = own_names(raster, bands, manifest);
  if (names.size() != bands.size())
    throw ItemError(Reason::wrong_band_count, base(file.path) + " has " + std::to_string(bands.size()) + " bands without alpha, the source lists " +
                                                  std::to_string(names.size()) + "; correct `bands:` or exclude the file");
  std::vector<Candidate> out;
  for (std::size_t i = 0; i < bands.size(); ++i) out.push_back({{0, bands[i], {}}, names[i]});
  return out;
}

/// The one band of a file whose bands are dates.
std::vector<Candidate> band_of_one_date(const SourceConfig& config, const TileFile& file, const Raster& raster) {
  const auto bands = colour_bands(raster);
  const auto number = static_cast<std::size_t>(std::atoll(file.band.c_str()));
  if (number < 1 || number > bands.size())
    throw ItemError(Reason::wrong_band_count, base(file.path) + " has " + std::to_string(bands.size()) + " bands, the list of dates names band " + file.band);
  return {{{0, bands[number - 1], {}}, config.bands.empty() ? "b1" : config.bands[0].name}};
}

/// ENVI's list of good (1) and bad (0) bands, or a band's own item.
bool is_bad(const Raster& raster, int band) {
  const auto& own = raster.info().bands[static_cast<std::size_t>(band)].metadata;
  if (const auto found = own.find("bbl"); found != own.end()) return found->second == "0";
  const auto list = raster.info().metadata.find("bbl");
  if (list == raster.info().metadata.end()) return false;
  std::string text = list->second;
  for (auto& c : text)
    if (c == '{' || c == '}' || c == ',') c = ' ';
  std::istringstream values(text);
  double good = 1;
  for (int i = 0; i <= band; ++i)
    if (!(values >> good)) return false;
  return good == 0;
}

/// A file a band; a file with several gets a number behind its name.
std::vector<Candidate> bands_of_files(const std::vector<TileFile>& files, const std::vector<Raster>& rasters) {
  std::vector<Candidate> out;
  std::set<std::string> seen;
  for (std::size_t f = 0; f < files.size(); ++f) {
    if (files[f].is_quality) continue;
    const auto bands = colour_bands(rasters[f]);
    for (std::size_t i = 0; i < bands.size(); ++i) {
      const auto name = bands.size() == 1 ? files[f].band : files[f].band + "_" + std::to_string(i + 1);
      if (!seen.insert(name).second)
        throw ItemError(Reason::inconsistent_files, "the acquisition has two files of band '" + name + "', one is " + base(files[f].path) + "; make `group` capture more");
      out.push_back({{f, bands[i], {}}, name});
    }
  }
  return out;
}

/// Rules of the job; else those of the data manifest whose band is there.
std::vector<QualityConfig> quality_rules(const SourceConfig& config, const std::optional<DataManifest>& manifest) {
  if (!config.quality.empty() || !manifest) return config.quality;
  return manifest->quality;
}

std::vector<QualityBand> take_quality(const SourceConfig& config, const std::optional<DataManifest>& manifest, const std::vector<TileFile>& files,
                                      std::vector<Candidate>& candidates) {
  std::vector<QualityBand> out;
  const auto rules = quality_rules(config, manifest);
  for (std::size_t r = 0; r < rules.size(); ++r) {
    const auto& rule = rules[r];
    std::optional<BandPlace> place;
    const auto tag = rule.band ? *rule.band : "quality:" + std::to_string(r);
    for (std::size_t f = 0; f < files.size(); ++f)
      if (files[f].is_quality && (rule.band ? is_quality_name(files[f].band, tag) : files[f].band == tag)) place = BandPlace{f, 0, {}};
    const auto found = std::find_if(candidates.begin(), candidates.end(), [&](const auto& c) { return rule.band && is_quality_name(c.name, tag); });
    if (!place && found != candidates.end()) {
      place = found->place;
      candidates.erase(found);
    }
    if (!place && config.quality.empty()) continue;
    if (!place) throw ItemError(Reason::missing_quality, "the acquisition has no quality data '" + tag + "'; correct `quality:` of the source");
    out.push_back({*place, rule.reject_bits, rule.reject_values});
  }
  return out;
}

double pixel_size(const Affine& a) { return std::max(std::hypot(a.a, a.d), std::hypot(a.b, a.e)); }

/// Files of one acquisition cover the same ground to one of their larger pixels.
void check_ground(const Raster& first, const Raster& other) {
  const auto &a = first.info(), &b = other.info();
  const double tolerance = std::max(pixel_size(a.affine), pixel_size(b.affine));
  const double corners[4][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};
  for (const auto& [u, v] : corners) {
    const auto p = a.affine.map_from_pixel({u * double(a.width), v * double(a.height)});
    const auto q = b.affine.map_from_pixel({u * double(b.width), v * double(b.height)});
    const double apart = std::max(std::abs(p.x - q.x), std::abs(p.y - q.y));
    if (apart > tolerance)
      throw ItemError(Reason::inconsistent_files, other.file().filename().string() + " covers other ground than " + first.file().filename().string() +
                                                      ": a corner lies " + std::to_string(apart) + " map units away");
  }
}

void check_georeference(const Raster& raster) {
  if (raster.info().has_georeference) return;
  const auto gcps = raster.info().metadata.find("GCP_COUNT");
  throw ItemError(Reason::no_georeference, raster.file().filename().string() +
                                               (gcps == raster.info().metadata.end() ? " has no affine transform and no world file beside it"
                                                                                     : " is placed by " + gcps->second + " ground control points only; warp it first (gdalwarp)"));
}

geometry::Crs crs_of_raster(const SourceConfig& config, const Raster& raster) {
  if (raster.info().crs.known()) return raster.info().crs;
  if (config.assume_crs) return crs_of_text(*config.assume_crs, "assume_crs");
  throw ItemError(Reason::no_crs, raster.file().filename().string() + " has no CRS; give the source assume_crs: EPSG:n if you know it");
}

/// Where the tile's pixels lie in a band's own raster; empty if both are the same grid.
std::optional<Affine> grid_change(const Raster& tile, const Raster& own) {
  const auto &a = tile.info(), &b = own.info();
  if (a.affine == b.affine && a.width == b.width && a.height == b.height) return std::nullopt;
  const auto to_own = *geometry::inverse(b.affine);
  const auto place = [&](double col, double row) { return geometry::pixel_from_map(to_own, a.affine.map_from_pixel({col, row})); };
  const auto o = place(0, 0), c = place(1, 0), r = place(0, 1);
  return Affine{c.col - o.col, r.col - o.col, o.col, c.row - o.row, r.row - o.row, o.row};
}

/// Quality data may reach beyond the tile: every corner of the tile lies inside, to one larger pixel.
void check_covers(const Raster& tile, const Raster& quality) {
  const auto &a = tile.info(), &b = quality.info();
  const auto own_from_map = geometry::inverse(b.affine);
  const double tolerance = std::max(1.0, pixel_size(a.affine) / pixel_size(b.affine));
  const double corners[4][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};
  for (const auto& [u, v] : corners) {
    const auto p = geometry::pixel_from_map(*own_from_map, a.affine.map_from_pixel({u * double(a.width), v * double(a.height)}));
    if (!(p.col >= -tolerance && p.row >= -tolerance && p.col <= double(b.width) + tolerance && p.row <= double(b.height) + tolerance))
      throw ItemError(Reason::inconsistent_files, quality.file().filename().string() + " does not cover " + tile.file().filename().string() +
                                                      ": a corner of it lies at column " + std::to_string(p.col) + ", row " + std::to_string(p.row));
  }
}

void place_on_tile(BandPlace& place, const std::vector<Raster>& rasters, std::size_t grid, bool is_quality) {
  if (place.raster == grid) return;
  if (is_quality) check_covers(rasters[grid], rasters[place.raster]);
  else check_ground(rasters[grid], rasters[place.raster]);
  place.pixel_from_pixel = grid_change(rasters[grid], rasters[place.raster]);
}

double to_nm(double value, const std::string& unit) {
  const bool micro = unit.starts_with("Micro") || unit.starts_with("micro") || unit == "um" || unit == "µm";
  return micro ? value * 1000 : value;
}

std::optional<double> number(const std::map<std::string, std::string>& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(found->second.c_str(), &end);
  return end == found->second.c_str() || !std::isfinite(value) ? std::nullopt : std::optional(value);
}

void take_given(const std::optional<double>& from, std::optional<double>& to) {
  if (from) to = from;
}

learn::BandInfo info_of(const RasterBand& band, const std::string& name, const learn::BandInfo* known, const learn::BandInfo* product) {
  learn::BandInfo info = known ? *known : learn::BandInfo{};
  info.name = name;
  if (product) {
    take_given(product->wavelength_nm, info.wavelength_nm);
    take_given(product->fwhm_nm, info.fwhm_nm);
    take_given(product->scale, info.scale);
    take_given(product->offset, info.offset);
  }
  const auto unit = band.metadata.find("wavelength_units");
  const auto units = unit == band.metadata.end() ? std::string() : unit->second;
  if (const auto value = number(band.metadata, "wavelength")) info.wavelength_nm = to_nm(*value, units);
  if (const auto value = number(band.metadata, "fwhm")) info.fwhm_nm = to_nm(*value, units);
  if (band.scale != 1 || band.offset != 0) {
    info.scale = band.scale;
    info.offset = band.offset;
  }
  return info;
}

RequiredBand required_band(const SourceConfig& config, const std::optional<DataManifest>& manifest, const ProductMetadata* product,
                           const Candidate& candidate, const std::vector<Raster>& rasters, std::size_t index, std::size_t count) {
  const auto& raster = rasters[candidate.place.raster];
  const auto& band = raster.info().bands[static_cast<std::size_t>(candidate.place.band)];
  const auto* of_product = product ? find_product_band(*product, candidate.name, index, count) : nullptr;
  const auto* known = manifest ? find_band(*manifest, candidate.name, index, count) : nullptr;
  auto declared = band.nodata;
  if (!declared && of_product) declared = of_product->nodata;
  if (!declared && known) declared = known->nodata;
  if (!declared && manifest) declared = manifest->nodata;
  RequiredBand out{candidate.place, {info_of(band, candidate.name, known, of_product), band.dtype, is_bad(raster, candidate.place.band)},
                   nodata_test(config.nodata, candidate.name, declared)};
  out.band.info.nodata = out.nodata.value && !std::isnan(*out.nodata.value) ? out.nodata.value : std::nullopt;
  return out;
}

void check_dtypes(const std::vector<RequiredBand>& bands) {
  for (const auto& band : bands)
    if (band.band.dtype != bands[0].band.dtype)
      throw ItemError(Reason::mixed_dtype, "band " + bands[0].band.info.name + " is " + std::string(shard::name(bands[0].band.dtype)) + ", band " +
                                               band.band.info.name + " is " + std::string(shard::name(band.band.dtype)) + "; make two sources of them");
}

}  // namespace

bool is_quality_name(const std::string& band, const std::string& wanted) { return band == wanted || (!wanted.empty() && band.ends_with(wanted)); }

TileBands choose_bands(const SourceConfig& config, const std::optional<DataManifest>& manifest, const std::vector<TileFile>& files,
                       const std::vector<Raster>& rasters, const std::vector<std::string>& left_out, const std::vector<std::string>& names,
                       const ProductMetadata* product) {
  const bool is_one_file = !files.empty() && files[0].band.empty();
  const bool is_one_date = config.date && config.date->bands;
  auto candidates = is_one_date   ? band_of_one_date(config, files[0], rasters[0])
                    : is_one_file ? bands_of_one_file(config, manifest, files[0], rasters[0], names)
                                  : bands_of_files(files, rasters);
  TileBands out;
  out.quality = take_quality(config, manifest, files, candidates);
  const auto count = candidates.size();
  const auto is_used = [&](const std::string& name) { return config.only.empty() || std::find(config.only.begin(), config.only.end(), name) != config.only.end(); };
  for (const auto& name : config.only)
    if (std::none_of(candidates.begin(), candidates.end(), [&](const auto& c) { return c.name == name; }))
      throw ItemError(Reason::missing_band, "the acquisition has no band '" + name + "', which the source asks for; correct `only:` or `groups:`");
  for (std::size_t i = 0; i < count; ++i)
    if (is_used(candidates[i].name) && std::find(left_out.begin(), left_out.end(), candidates[i].name) == left_out.end())
      out.required.push_back(required_band(config, manifest, product, candidates[i], rasters, i, count));
  if (out.required.empty()) throw ItemError(Reason::missing_band, "no band is left besides quality data");
  const auto grid = out.required[0].place.raster;
  for (const auto& raster : rasters) check_georeference(raster);
  out.crs = crs_of_raster(config, rasters[grid]);
  for (const auto& raster : rasters)
    if (raster.info().crs.known() && !raster.info().crs.same_as(out.crs) && rasters[grid].info().crs.known())
      throw ItemError(Reason::inconsistent_files, raster.file().filename().string() + " is in another CRS than " + rasters[grid].file().filename().string());
  for (auto& band : out.required) place_on_tile(band.place, rasters, grid, false);
  for (auto& band : out.quality) place_on_tile(band.place, rasters, grid, true);
  check_dtypes(out.required);
  out.dtype = out.required[0].band.dtype;
  return out;
}

}  // namespace tilewright::pipeline
