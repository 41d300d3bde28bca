// SPDX-License-Identifier: Apache-2.0
// `.aux.xml` side-cars: CRS, placement, nodata and band names; nothing else is believed.
#include <array>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "index/reason.h"
#include "pipeline/io/open_policy.h"
#include "pipeline/io/side_car.h"
#include "pipeline/io/xml_tree.h"

namespace tilewright::pipeline {
namespace {

std::optional<double> number(const char* text) {
  if (!text || !*text) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text) return std::nullopt;
  return value;
}

std::optional<geometry::Affine> geo_transform(const char* text) {
  if (!text) return std::nullopt;
  std::istringstream in(text);
  std::array<double, 6> g{};
  std::string word;
  for (auto& value : g) {
    if (!std::getline(in, word, ',')) return std::nullopt;
    const auto parsed = number(word.c_str());
    if (!parsed || !std::isfinite(*parsed)) return std::nullopt;
    value = *parsed;
  }
  return geometry::Affine{g[1], g[2], g[0], g[4], g[5], g[3]};
}

/// Items of the unnamed metadata domain.
std::map<std::string, std::string> metadata_of(const CPLXMLNode* parent) {
  std::map<std::string, std::string> out;
  for (const auto* node = parent->psChild; node; node = node->psNext) {
    if (node->eType != CXT_Element || std::string(node->pszValue) != "Metadata") continue;
    if (CPLGetXMLValue(node, "domain", nullptr)) continue;
    for (const auto* item = node->psChild; item; item = item->psNext) {
      if (item->eType != CXT_Element || std::string(item->pszValue) != "MDI") continue;
      if (const char* key = CPLGetXMLValue(item, "key", nullptr)) out[key] = CPLGetXMLValue(item, nullptr, "");
    }
  }
  return out;
}

void read_band(const CPLXMLNode* node, AuxXml& out) {
  const auto index = number(CPLGetXMLValue(node, "band", nullptr));
  if (!index || *index < 1 || *index > kMostBands) return;
  auto& band = out.bands[static_cast<int>(*index) - 1];
  band.description = CPLGetXMLValue(node, "Description", "");
  band.nodata = number(CPLGetXMLValue(node, "NoDataValue", nullptr));
  band.metadata = metadata_of(node);
}

}  // namespace

AuxXml parse_aux_xml(const std::string& text, const std::string& what) {
  const auto tree = parse_xml(text, what);
  const auto* root = CPLGetXMLNode(tree.get(), "=PAMDataset");
  if (!root) throw index::ItemError(index::Reason::unreadable, "the side-car " + what + " is not a PAMDataset document; repair or remove it");
  AuxXml out;
  out.crs_text = CPLGetXMLValue(root, "SRS", "");
  out.affine = geo_transform(CPLGetXMLValue(root, "GeoTransform", nullptr));
  out.metadata = metadata_of(root);
  for (const auto* node = root->psChild; node; node = node->psNext)
    if (node->eType == CXT_Element && std::string(node->pszValue) == "PAMRasterBand") read_band(node, out);
  return out;
}

std::optional<AuxXml> find_aux_xml(const std::filesystem::path& raster) {
  const std::filesystem::path file = raster.string() + ".aux.xml";
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
  auto out = parse_aux_xml(read_side_car(file, kLongestSideCar), file.filename().string());
  out.file = file;
  return out;
}

}  // namespace tilewright::pipeline
