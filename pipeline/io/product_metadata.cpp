// SPDX-License-Identifier: Apache-2.0
// Finds the metadata file of a product by name alone: folders may hold a hundred thousand files.
#include "pipeline/io/product_metadata.h"

#include <algorithm>
#include <regex>

#include "pipeline/io/open_policy.h"
#include "pipeline/io/side_car.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& file) {
  std::error_code error;
  return fs::is_regular_file(file, error);
}

std::optional<fs::path> find_mtl(const fs::path& folder, const std::string& stem) {
  for (auto prefix = stem;; prefix.resize(prefix.rfind('_'))) {
    for (const char* ending : {"_MTL.txt", "_MTL.json"})
      if (auto file = folder / (prefix + ending); is_file(file)) return file;
    if (prefix.rfind('_') == std::string::npos) break;
  }
  for (const char* ending : {"_MTL.txt", "_MTL.json"})
    if (auto file = folder / (folder.filename().string() + ending); is_file(file)) return file;
  return std::nullopt;
}

std::optional<fs::path> find_mtd(const fs::path& folder) {
  for (const char* name : {"MTD_MSIL2A.xml", "MTD_MSIL1C.xml"})
    if (auto file = folder / name; is_file(file)) return file;
  return std::nullopt;
}

bool is_below(const fs::path& folder, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), folder.begin(), folder.end()).first == root.end();
}

std::optional<fs::path> find_safe(fs::path folder, const fs::path& root) {
  if (auto beside = find_mtd(folder)) return beside;
  constexpr int kMostFolders = 5;  // Rxxm, IMG_DATA, the granule, GRANULE
  for (int n = 0; n < kMostFolders && folder.has_parent_path() && is_below(folder, root); ++n, folder = folder.parent_path())
    if (folder.extension() == ".SAFE") return find_mtd(folder);
  return std::nullopt;
}

std::optional<fs::path> find_enmap(const fs::path& folder, const std::string& stem) {
  const auto dash = stem.rfind('-');
  if (dash == std::string::npos) return std::nullopt;
  for (const char* ending : {"-METADATA.XML", "-METADATA.xml"})
    if (auto file = folder / (stem.substr(0, dash) + ending); is_file(file)) return file;
  return std::nullopt;
}

/// "B02", "SR_B2", "B8A_20m" -> "2", "2", "8A"; "" for anything else.
std::string band_number(const std::string& name) {
  static const std::regex form(R"re((?:^|[_-])B(?:and)?0*(\d+A?)(?:$|[_-]))re");
  std::smatch match;
  return std::regex_search(name, match, form) ? match[1].str() : "";
}

}  // namespace

std::optional<fs::path> find_product_metadata(const fs::path& raster, const fs::path& root) {
  const auto folder = raster.parent_path();
  const auto stem = raster.stem().string();
  if (stem.starts_with("ENMAP")) return find_enmap(folder, stem);
  if (stem.starts_with('L'))
    if (auto file = find_mtl(folder, stem)) return file;
  const auto top = root.has_filename() ? root : root.parent_path();
  return find_safe(folder.lexically_normal(), top.lexically_normal());
}

ProductMetadata read_product_metadata(const fs::path& file) {
  const auto name = file.filename().string();
  const auto text = read_side_car(file, kLongestSideCar);
  auto out = name.starts_with("MTD_MSI") ? parse_sentinel2_xml(text, name) : name.find("_MTL.") != std::string::npos ? parse_landsat_mtl(text, name) : parse_enmap_xml(text, name);
  out.file = file;
  return out;
}

const learn::BandInfo* find_product_band(const ProductMetadata& product, const std::string& name, std::size_t index, std::size_t count) {
  const auto wanted = band_number(name);
  for (const auto& band : product.bands)
    if (band.name == name || (!wanted.empty() && product.kind != "enmap" && band_number(band.name) == wanted)) return &band;
  return product.kind == "enmap" && product.bands.size() == count && index < count ? &product.bands[index] : nullptr;
}

}  // namespace tilewright::pipeline
