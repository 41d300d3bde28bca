// SPDX-License-Identifier: Apache-2.0
// From the tags of a plain TIFF to what GDAL would say of it.
#include "pipeline/io/tiff_info.h"

#include <cpl_conv.h>
#include <cpl_minixml.h>
#include <cpl_string.h>
#include <gdal_priv.h>

#include <charconv>
#include <map>
#include <mutex>
#include <unordered_map>

#include "pipeline/io/gdal_crs.h"

namespace tilewright::pipeline {
namespace {

struct TreeCloser {
  void operator()(CPLXMLNode* node) const noexcept { CPLDestroyXMLNode(node); }
};
struct TextCloser {
  void operator()(char* text) const noexcept { CPLFree(text); }
};
using Tree = std::unique_ptr<CPLXMLNode, TreeCloser>;

constexpr std::size_t kMostKinds = 1024;

const char* name_of_text(std::uint16_t tag) {
  switch (tag) {
    case 269: return "TIFFTAG_DOCUMENTNAME";
    case 270: return "TIFFTAG_IMAGEDESCRIPTION";
    case 305: return "TIFFTAG_SOFTWARE";
    case 306: return "TIFFTAG_DATETIME";
    case 315: return "TIFFTAG_ARTIST";
    case 316: return "TIFFTAG_HOSTCOMPUTER";
    default: return "TIFFTAG_COPYRIGHT";
  }
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// GDAL escapes values once more than XML asks for.
std::string unescaped(const char* text) {
  const std::unique_ptr<char, TextCloser> plain(CPLUnescapeString(text, nullptr, CPLES_XML));
  return plain.get();
}

/// One item of GDAL's own XML; false: it says something that this reader leaves to GDAL.
bool take_item(const CPLXMLNode& item, RasterInfo& info, std::map<std::string, std::string>& other_domains) {
  const char *key = CPLGetXMLValue(&item, "name", nullptr), *text = CPLGetXMLValue(&item, nullptr, nullptr);
  if (!key || !text) return true;
  const std::string value = unescaped(text), domain = CPLGetXMLValue(&item, "domain", ""), role = CPLGetXMLValue(&item, "role", ""), sample = CPLGetXMLValue(&item, "sample", "");
  if (sample.empty()) {
    if (domain.empty()) info.metadata[key] = value;
    else if (domain == "IMAGERY" || domain == "ENVI") other_domains.emplace(key, value);
    return true;
  }
  const auto index = number(sample);
  if (!index || *index != static_cast<int>(*index) || *index < 0) return false;
  if (*index >= static_cast<double>(info.bands.size())) return true;
  auto& band = info.bands[static_cast<std::size_t>(*index)];
  if (role == "colorinterp") return value != "Alpha" && value != "alpha";
  if (role == "description") band.description = value;
  else if (role == "scale" || role == "offset") {
    const auto given = number(value);
    if (!given) return false;
    (role == "scale" ? band.scale : band.offset) = *given;
  } else if (role != "unittype" && domain.empty()) band.metadata[key] = value;
  return true;
}

bool take_metadata(const std::string& xml, RasterInfo& info) {
  if (xml.empty()) return true;
  if (xml.find("<!") != std::string::npos) return false;
  const Tree tree(CPLParseXMLString(xml.c_str()));
  const auto* root = tree ? CPLGetXMLNode(tree.get(), "=GDALMetadata") : nullptr;
  if (!root) return false;
  std::map<std::string, std::string> other_domains;
  for (const auto* node = root->psChild; node; node = node->psNext) {
    if (node->eType != CXT_Element) continue;
    if (std::string(node->pszValue) != "Item" || !take_item(*node, info, other_domains)) return false;
  }
  for (const auto& [key, value] : other_domains) info.metadata.emplace(key, value);
  return true;
}

bool is_within_budget(const TiffHeader& header, const OpenPolicy& policy) {
  const double together = header.is_interleaved ? header.bands : 1;
  const double bytes = double(header.block_width) * double(header.block_height) * together * double(shard::byte_size(header.dtype));
  return bytes <= double(policy.block_budget_bytes) && header.bands <= kMostBands;
}

/// CRSs by key bytes, for the whole program: a cache, nothing depends on what is in it.
class Known {
 public:
  std::shared_ptr<const geometry::Crs> find(const std::string& keys) {
    const std::lock_guard lock(mutex_);
    const auto found = by_keys_.find(keys);
    return found == by_keys_.end() ? nullptr : found->second;
  }
  std::shared_ptr<const geometry::Crs> add(const std::string& keys, geometry::Crs crs) {
    const std::lock_guard lock(mutex_);
    if (by_keys_.size() >= kMostKinds) by_keys_.clear();
    return by_keys_.emplace(keys, std::make_shared<const geometry::Crs>(std::move(crs))).first->second;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const geometry::Crs>> by_keys_;
};

Known& known_systems() {
  static Known known;
  return known;
}

}  // namespace

std::shared_ptr<const geometry::Crs> system_of_keys(const std::string& keys, const std::filesystem::path& file, const OpenPolicy& policy) {
  if (auto known = known_systems().find(keys)) return known;
  if (keys.empty()) return known_systems().add(keys, {});
  try {
    const auto dataset = open_raster_dataset(file, policy);
    return known_systems().add(keys, crs_of(dataset->GetSpatialRef(), file.filename().string()));
  } catch (const index::ItemError&) {
    return nullptr;  // GDAL says why when it is asked for the file itself
  }
}

std::optional<PlainTiff> read_plain_tiff(const std::filesystem::path& file, const OpenPolicy& policy) {
  const auto bytes = FileBytes::open(file);
  const auto header = bytes ? read_tiff_header(*bytes) : std::nullopt;
  if (!header || !is_within_budget(*header, policy)) return std::nullopt;
  PlainTiff out;
  out.is_sparse = header->is_sparse;
  auto& info = out.info;
  info.width = header->width;
  info.height = header->height;
  info.block_width = header->block_width;
  info.block_height = header->block_height;
  info.has_georeference = header->affine.has_value();
  if (header->affine) info.affine = *header->affine;
  if (header->affine && !geometry::inverse(*header->affine)) return std::nullopt;
  RasterBand band;
  band.dtype = header->dtype;
  band.nodata = header->nodata;
  info.bands.assign(static_cast<std::size_t>(header->bands), band);
  for (const auto& text : header->texts) info.metadata[name_of_text(text.tag)] = text.text;
  if (header->is_point) info.metadata["AREA_OR_POINT"] = *header->is_point ? "Point" : "Area";
  if (!take_metadata(header->gdal_metadata, info)) return std::nullopt;
  const auto crs = system_of_keys(header->geo_keys, file, policy);
  if (!crs || (!header->geo_keys.empty() && !crs->known())) return std::nullopt;  // keys that say nothing
  info.crs = *crs;
  return out;
}

}  // namespace tilewright::pipeline
