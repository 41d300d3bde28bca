// SPDX-License-Identifier: Apache-2.0
// Sentinel-2 user products and EnMAP products: time, clouds, baseline, wavelengths, scale and nodata.
#include <map>
#include <regex>

#include "index/reason.h"
#include "pipeline/io/dates.h"
#include "pipeline/io/product_metadata.h"
#include "pipeline/io/xml_tree.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kMostBandsOfAProduct = 1024;

std::optional<std::string> time_of(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  const auto at = parse_time(*text, DateConfig{}.format);
  return at && at->time_known ? at->time : std::nullopt;
}

std::optional<double> share_of(const std::optional<double>& percent) {
  return percent && *percent >= 0 && *percent <= 100 ? std::optional(*percent / 100) : std::nullopt;
}

/// Attribute `key` of an element as a small whole number.
std::optional<std::size_t> index_of(const CPLXMLNode& node, const char* key) {
  const auto value = xml_number(CPLGetXMLValue(&node, key, ""));
  if (!value || *value < 0 || *value >= double(kMostBandsOfAProduct) || *value != double(std::size_t(*value))) return std::nullopt;
  return static_cast<std::size_t>(*value);
}

std::optional<double> nodata_of(const CPLXMLNode* root) {
  std::optional<double> out;
  each_element(root, "Special_Values", [&](const CPLXMLNode& node) {
    if (first_text(node.psChild, "SPECIAL_VALUE_TEXT") == "NODATA") out = xml_number(first_text(node.psChild, "SPECIAL_VALUE_INDEX"));
  });
  return out;
}

/// Reflectance = (raw + offset of the band) / quantification, since baseline 04.00.
std::vector<learn::BandInfo> sentinel2_bands(const CPLXMLNode* root) {
  auto quantification = xml_number(first_text(root, "BOA_QUANTIFICATION_VALUE"));
  if (!quantification) quantification = xml_number(first_text(root, "QUANTIFICATION_VALUE"));
  std::map<std::size_t, double> offsets;
  for (const char* name : {"BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"})
    each_element(root, name, [&](const CPLXMLNode& node) {
      const auto band = index_of(node, "band_id");
      const auto value = xml_number(CPLGetXMLValue(&node, nullptr, ""));
      if (band && value) offsets[*band] = *value;
    });
  const auto nodata = nodata_of(root);
  std::vector<learn::BandInfo> out;
  each_element(root, "Spectral_Information", [&](const CPLXMLNode& node) {
    const auto id = index_of(node, "bandId");
    const std::string name = CPLGetXMLValue(&node, "physicalBand", "");
    if (!id || name.empty() || out.size() >= kMostBandsOfAProduct) return;
    learn::BandInfo band{name, {}, {}, {}, {}, nodata};
    band.wavelength_nm = xml_number(first_text(node.psChild, "CENTRAL"));
    if (quantification && *quantification > 0) {
      band.scale = 1 / *quantification;
      band.offset = offsets.contains(*id) ? offsets[*id] / *quantification : 0;
    }
    out.push_back(std::move(band));
  });
  return out;
}

std::vector<learn::BandInfo> enmap_bands(const CPLXMLNode* root) {
  const auto nodata = xml_number(first_text(root, "backgroundValue"));
  std::map<std::size_t, learn::BandInfo> by_number;
  each_element(root, "bandID", [&](const CPLXMLNode& node) {
    // Other lists of bands have no wavelengths.
    const auto wavelength = xml_number(first_text(node.psChild, "wavelengthCenterOfBand"));
    const auto number = index_of(node, "number");
    if (!wavelength || !number) return;
    by_number[*number] = {"b" + std::to_string(*number), wavelength, xml_number(first_text(node.psChild, "FWHMOfBand")),
                          xml_number(first_text(node.psChild, "GainOfBand")), xml_number(first_text(node.psChild, "OffsetOfBand")), nodata};
  });
  std::vector<learn::BandInfo> out;
  for (auto& [number, band] : by_number) out.push_back(std::move(band));
  return out;
}

void require(bool is_there, const std::string& what, const char* element) {
  if (!is_there) throw index::ItemError(index::Reason::unreadable, "the side-car " + what + " has no " + element + "; repair or remove it");
}

}  // namespace

ProductMetadata parse_sentinel2_xml(const std::string& text, const std::string& what) {
  const auto tree = parse_xml(text, what);
  ProductMetadata out;
  out.kind = "sentinel2";
  out.acquired = time_of(first_text(tree.get(), "PRODUCT_START_TIME"));
  if (!out.acquired) out.acquired = time_of(first_text(tree.get(), "DATATAKE_SENSING_START"));
  require(out.acquired.has_value(), what, "PRODUCT_START_TIME");
  auto percent = xml_number(first_text(tree.get(), "Cloud_Coverage_Assessment"));
  if (!percent) percent = xml_number(first_text(tree.get(), "CLOUDY_PIXEL_PERCENTAGE"));
  out.cloud_frac = share_of(percent);
  // "05.09" as in names: N0509.
  for (const char c : first_text(tree.get(), "PROCESSING_BASELINE").value_or(""))
    if (c != '.') out.version += c;
  out.bands = sentinel2_bands(tree.get());
  return out;
}

ProductMetadata parse_enmap_xml(const std::string& text, const std::string& what) {
  const auto tree = parse_xml(text, what);
  ProductMetadata out;
  out.kind = "enmap";
  out.acquired = time_of(first_text(tree.get(), "startTime"));
  require(out.acquired.has_value(), what, "startTime");
  out.cloud_frac = share_of(xml_number(first_text(tree.get(), "cloudCover")));
  static const std::regex version(R"re(_V(\d{6})_)re");
  if (std::smatch match; std::regex_search(what, match, version)) out.version = match[1];
  out.bands = enmap_bands(tree.get());
  return out;
}

}  // namespace tilewright::pipeline
