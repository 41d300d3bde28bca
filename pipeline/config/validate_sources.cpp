// SPDX-License-Identifier: Apache-2.0
// Checks of `sources`: files, dates, bands, nodata, quality and area.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <regex>
#include <set>

#include "pipeline/config/load.h"
#include "pipeline/config/validate.h"

namespace tilewright::pipeline {
namespace {

/// YYYY-MM-DD, perhaps with a time, that the calendar has.
bool is_iso_date(const std::string& text) {
  static const std::regex form(R"re((\d{4})-(\d{2})-(\d{2})([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?)re");
  std::smatch match;
  if (!std::regex_match(text, match, form)) return false;
  return std::chrono::year_month_day(std::chrono::year(std::stoi(match[1])), std::chrono::month(static_cast<unsigned>(std::stoul(match[2]))),
                                     std::chrono::day(static_cast<unsigned>(std::stoul(match[3])))).ok();
}

void check_date(const Job& job, const std::string& path, const DateConfig& date, Findings& findings) {
  const std::pair<const char*, bool> ways[] = {{"name", date.name.has_value()}, {"metadata", date.metadata.has_value()},
                                               {"table", date.table.has_value()}, {"fixed", date.fixed.has_value()}, {"bands", date.bands.has_value()}};
  std::string given;
  for (const auto& [way, is_given] : ways)
    if (is_given) given += (given.empty() ? "" : " and ") + std::string(way);
  if (given.empty()) findings.add(path, "says no way to the date; give one of name, metadata, table, fixed or bands");
  if (given.find(' ') != std::string::npos) findings.add(path, "has " + given + "; keep exactly one way to the date");
  if (date.name) validate_pattern(path + ".name", *date.name, findings);
  if (date.table) validate_path(job, path + ".table", *date.table, findings);
  if (date.bands) validate_path(job, path + ".bands", *date.bands, findings);
  if (date.fixed && date.format == DateConfig{}.format && !is_iso_date(*date.fixed))
    findings.add(path + ".fixed", "is '" + *date.fixed + "', expected a day such as 2016-06-20");
  if (date.format.find('%') == std::string::npos)
    findings.add(path + ".format", "is '" + date.format + "', expected a strptime format such as %Y%m%d");
}

void check_quality(const Job& job, const std::string& path, const QualityConfig& quality, Findings& findings) {
  if (quality.band.has_value() == quality.files.has_value())
    findings.add(path, quality.band ? "has band and files; keep one" : "says no place of the quality data; give band: or files: with match:");
  if (quality.files) validate_path(job, path + ".files", *quality.files, findings);
  if (quality.files && !quality.match)
    findings.add(path, "files: needs match:, a pattern that captures the same text in an acquisition and its quality file");
  if (quality.match) validate_pattern(path + ".match", *quality.match, findings);
  if (quality.reject_bits.empty() && quality.reject_values.empty())
    findings.add(path, "rejects nothing; give reject_bits or reject_values");
  for (const int bit : quality.reject_bits)
    if (bit < 0 || bit > 31) findings.add(path + ".reject_bits", "bit " + std::to_string(bit) + " does not exist, expected 0 to 31");
}

void check_bands(const std::string& path, const SourceConfig& source, Findings& findings) {
  std::set<std::string> names;
  for (const auto& band : source.bands) {
    if (band.name.empty()) findings.add(path + ".bands", "a band has an empty name");
    else if (!names.insert(band.name).second) findings.add(path + ".bands", "the band '" + band.name + "' is listed twice");
  }
  if (names.empty()) return;
  for (const auto& [band, rule] : source.nodata.per_band)
    findings.need_known(path + ".nodata." + band, "band", band, {names.begin(), names.end()});
}

void check_area(const Job& job, const std::string& path, const AreaConfig& area, Findings& findings) {
  if (area.file) validate_path(job, path, *area.file, findings);
  if (!area.bounds) return;
  const auto& [west, south, east, north] = *area.bounds;
  if (std::abs(west) > 180 || std::abs(east) > 180 || std::abs(south) > 90 || std::abs(north) > 90)
    findings.add(path, "is outside the globe, expected [west, south, east, north] in degrees");
  else if (south >= north) findings.add(path, "south is not south of north, expected [west, south, east, north] in degrees");
}

void check_between(const std::string& path, const std::array<std::string, 2>& period, Findings& findings) {
  bool are_dates = true;
  for (std::size_t i = 0; i < 2; ++i) {
    if (is_iso_date(period[i])) continue;
    are_dates = false;
    findings.add(path + "." + std::to_string(i), "is '" + period[i] + "', expected a day such as 2016-06-20");
  }
  if (are_dates && period[1] < period[0]) findings.add(path, "ends before it begins; swap the two days");
}

/// Each band of a file is a tile of one band.
void check_date_bands(const std::string& path, const SourceConfig& source, Findings& findings) {
  if (!source.date || !source.date->bands) return;
  if (source.group) findings.add(path + ".date.bands", "goes with one file for all dates; leave out group");
  if (source.bands.size() > 1) findings.add(path + ".bands", "names " + std::to_string(source.bands.size()) + " bands, but the bands of the file are dates; give one name");
  for (const auto& quality : source.quality)
    if (quality.band) findings.add(path + ".quality.band", "cannot be a band of a file whose bands are dates; give files: and match:");
}

void check_source(const Job& job, const std::string& path, const SourceConfig& source, Findings& findings) {
  if (source.files.empty()) findings.add(path, "files is missing; give a glob such as files: data:naip/*.tif");
  for (std::size_t i = 0; i < source.files.size(); ++i)
    validate_path(job, path + ".files" + (source.files.size() > 1 ? "." + std::to_string(i) : ""), source.files[i], findings);
  if (source.group) validate_pattern(path + ".group", *source.group, findings);
  if (source.mosaic && !source.group)
    findings.add(
        path + ".mosaic",
        "needs group, a pattern whose capture is the same in all granules of an acquisition");
  if (source.date) check_date(job, path + ".date", *source.date, findings);
  check_date_bands(path, source, findings);
  for (std::size_t i = 0; i < source.quality.size(); ++i)
    check_quality(job, path + ".quality" + (source.quality.size() > 1 ? "." + std::to_string(i) : ""), source.quality[i], findings);
  check_bands(path, source, findings);
  if (source.area) check_area(job, path + ".area", *source.area, findings);
  if (source.between) check_between(path + ".between", *source.between, findings);
  if (source.assume_crs && source.assume_crs->empty()) findings.add(path + ".assume_crs", "is empty, expected a CRS such as EPSG:3857");
  if (source.describe_as && source.describe_as->find('/') != std::string::npos)
    findings.add(path + ".describe", "is '" + *source.describe_as + "', expected the bare name of a data manifest, such as landsat8");
}

}  // namespace

void validate_sources(const Job& job, Findings& findings) {
  for (const auto& [name, source] : job.sources) check_source(job, "sources." + name, source, findings);
}

}  // namespace tilewright::pipeline
