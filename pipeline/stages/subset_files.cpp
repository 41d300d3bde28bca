// SPDX-License-Identifier: Apache-2.0
// Writes subsets for QGIS, geopandas and audit.
#include "pipeline/stages/subset_files.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <set>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "pipeline/config/load.h"
#include "pipeline/stages/split_plane.h"
#include "pipeline/synth/gdal_files.h"

namespace tilewright::pipeline {
namespace {

std::vector<index::LocationRow> rows_of(const index::Manifest& manifest, const std::vector<std::string>& members) {
  const std::set<std::string> wanted(members.begin(), members.end());
  auto rows = index::locations(manifest);
  std::erase_if(rows, [&](const auto& row) { return !wanted.contains(row.location_id); });
  return rows;
}

std::vector<geometry::MapXY> degrees(const std::vector<geometry::LonLat>& ring) {
  std::vector<geometry::MapXY> out;
  for (const auto& point : ring) out.push_back({point.lon_deg, point.lat_deg});
  return out;
}

std::vector<FeatureToWrite> features_of(const index::Manifest& manifest, const std::string& layer, const std::vector<std::string>& members) {
  std::map<std::string, std::map<std::string, double>> scores;
  if (!layer.empty())
    for (const auto& score : index::scores(manifest, layer))
      if (!score.tile_id && !score.object_id) scores[score.location_id][score.metric] = score.value;
  std::vector<FeatureToWrite> out;
  for (const auto& row : rows_of(manifest, members))
    for (const auto& polygon : row.geom) {  // windows across 180 degrees are two features
      FeatureToWrite feature;
      feature.polygon = geometry::MapPolygon{degrees(polygon.outer), {}};
      feature.texts = {{"location_id", row.location_id}, {"split", row.split}};
      feature.reals = scores[row.location_id];
      out.push_back(std::move(feature));
    }
  return out;
}

void check_names(const index::Manifest& manifest, const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const auto& subset : index::subsets(manifest)) known.push_back(subset.name);
  for (const auto& name : names)
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw Error::config("export: there is no subset '" + name + "'" + (known.empty() ? "; name some under curate.subsets and run: tilewright curate JOB" : "; did you mean " + nearest_name(name, known) + "?"));
}

}  // namespace

std::string split_list_csv(const index::Manifest& manifest, const std::vector<std::string>& members) {
  std::string out = "location_id,split,lon,lat\n";
  for (const auto& row : rows_of(manifest, members)) {
    const auto centre = centre_of(row.geom);
    char place[64];
    std::snprintf(place, sizeof place, ",%.8f,%.8f\n", centre.lon_deg, centre.lat_deg);
    out += row.location_id + "," + row.split.value_or("train") + place;
  }
  return out;
}

std::string comparison_csv(const index::Manifest& manifest, const std::vector<std::string>& names) {
  std::string pairs = "a,b,both,only_a,only_b\n";
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t j = i + 1; j < names.size(); ++j) {
      const auto a = index::subset_members(manifest, names[i]), b = index::subset_members(manifest, names[j]);
      std::vector<std::string> both;
      std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
      pairs += names[i] + "," + names[j] + "," + std::to_string(both.size()) + "," + std::to_string(a.size() - both.size()) + "," + std::to_string(b.size() - both.size()) + "\n";
    }
  return pairs;
}

std::string differences_csv(const index::Manifest& manifest, const std::string& a, const std::string& b) {
  const auto in_a = index::subset_members(manifest, a), in_b = index::subset_members(manifest, b);
  std::vector<std::string> either;
  std::set_symmetric_difference(in_a.begin(), in_a.end(), in_b.begin(), in_b.end(), std::back_inserter(either));
  std::string out = "location_id,only_in\n";
  for (const auto& id : either) out += id + "," + (std::binary_search(in_a.begin(), in_a.end(), id) ? a : b) + "\n";
  return out;
}

std::vector<std::filesystem::path> export_subsets(const index::Manifest& manifest, const std::string& layer, const std::vector<std::string>& names, const std::filesystem::path& dir, bool overwrite) {
  check_names(manifest, names);
  std::map<std::filesystem::path, std::string> files;
  for (const auto& name : names) {
    const auto members = index::subset_members(manifest, name);
    files[dir / (name + ".gpkg")] = geopackage(name, features_of(manifest, layer, members));
    files[dir / (name + ".csv")] = split_list_csv(manifest, members);
  }
  if (names.size() > 1) files[dir / "compared.csv"] = comparison_csv(manifest, names);
  if (names.size() == 2) files[dir / "differences.csv"] = differences_csv(manifest, names[0], names[1]);
  for (const auto& [file, bytes] : files)
    if (!overwrite && std::filesystem::exists(file)) throw Error::config("export: " + file.string() + " is there already; name another folder, or add --overwrite");
  shard::make_folders(dir);
  std::vector<std::filesystem::path> out;
  for (const auto& [file, bytes] : files) {
    shard::publish_file(file, bytes);
    out.push_back(file);
  }
  return out;
}

}  // namespace tilewright::pipeline
