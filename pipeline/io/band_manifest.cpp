// SPDX-License-Identifier: Apache-2.0
// Reads data manifests; they are data of the program, so a wrong one is an error of its own.
#include "pipeline/io/band_manifest.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "geometry/error.h"
#include "pipeline/config/load.h"

#ifndef TILEWRIGHT_DATA_MANIFESTS_DIR
#define TILEWRIGHT_DATA_MANIFESTS_DIR ""
#endif

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

std::optional<double> number(const YAML::Node& node) {
  if (!node || node.IsNull()) return std::nullopt;
  return node.as<std::string>() == "nan" ? std::numeric_limits<double>::quiet_NaN() : node.as<double>();
}

learn::BandInfo band_of(const YAML::Node& node, const YAML::Node& defaults) {
  learn::BandInfo band;
  const auto field = [&](const char* key) { return number(node[key] ? node[key] : defaults && defaults.IsMap() ? defaults[key] : YAML::Node()); };
  band.name = node["name"].as<std::string>();
  band.wavelength_nm = field("wavelength_nm");
  band.fwhm_nm = field("fwhm_nm");
  band.scale = field("scale");
  band.offset = field("offset");
  band.nodata = field("nodata");
  return band;
}

QualityConfig quality_of(const YAML::Node& node) {
  QualityConfig out;
  if (node["band"]) out.band = node["band"].as<std::string>();
  if (node["reject_bits"]) out.reject_bits = node["reject_bits"].as<std::vector<int>>();
  if (node["reject_values"]) out.reject_values = node["reject_values"].as<std::vector<std::int64_t>>();
  return out;
}

}  // namespace

std::vector<fs::path> data_manifest_folders() {
  std::vector<fs::path> out;
  std::error_code error;
  const auto program = fs::read_symlink("/proc/self/exe", error);
  if (!error) out.push_back(program.parent_path() / ".." / "share" / "tilewright" / "data-manifests");
  if (const char* variable = std::getenv("TILEWRIGHT_DATA_MANIFESTS")) out.emplace_back(variable);
  out.emplace_back(TILEWRIGHT_DATA_MANIFESTS_DIR);
  return out;
}

fs::path find_data_manifest(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& folder : data_manifest_folders()) {
    std::error_code error;
    const auto file = folder / (name + ".yaml");
    if (fs::is_regular_file(file, error)) return file;
    for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator(); entry.increment(error))
      if (entry->path().extension() == ".yaml") known.push_back(entry->path().stem().string());
  }
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  std::string list;
  for (const auto& entry : known) list += (list.empty() ? "" : ", ") + entry;
  const auto near = nearest_name(name, known);
  throw Error::config("describe: there is no data manifest '" + name + "'" + (near.empty() ? "" : "; did you mean '" + near + "'?") +
                      (list.empty() ? "; set TILEWRIGHT_DATA_MANIFESTS to the folder with <name>.yaml" : " Known: " + list));
}

DataManifest load_data_manifest(const std::string& name) {
  const auto file = find_data_manifest(name);
  try {
    const auto root = YAML::LoadFile(file.string());
    DataManifest out;
    out.name = name;
    out.nodata = number(root["nodata"]);
    const YAML::Node defaults = root["band_defaults"] ? root["band_defaults"] : YAML::Node(YAML::NodeType::Map);
    for (const auto& band : root["bands"]) out.bands.push_back(band_of(band, defaults));
    for (const auto& quality : root["quality"])
      if (auto rule = quality_of(quality); rule.band && !(rule.reject_bits.empty() && rule.reject_values.empty())) out.quality.push_back(std::move(rule));
    return out;
  } catch (const YAML::Exception& error) {
    throw Error::config("the data manifest " + file.string() + " cannot be read: " + error.what());
  }
}

const learn::BandInfo* find_band(const DataManifest& manifest, const std::string& name, std::size_t index, std::size_t count) {
  for (const auto& band : manifest.bands)
    if (band.name == name) return &band;
  const bool same_number = manifest.bands.size() == count && index < count;
  return same_number ? &manifest.bands[index] : nullptr;
}

}  // namespace tilewright::pipeline
