// SPDX-License-Identifier: Apache-2.0
// World files: six numbers that place the centre of the upper-left pixel.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <sstream>

#include "index/reason.h"
#include "pipeline/io/side_car.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

/// tif -> tfw, tifw, wld; then the same in upper case.
std::vector<fs::path> candidates(const fs::path& raster) {
  auto extension = raster.extension().string();
  if (!extension.empty()) extension.erase(0, 1);
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) { return std::tolower(c); });
  std::vector<std::string> endings;
  if (extension.size() >= 2) endings.push_back({extension.front(), extension.back(), 'w'});
  if (!extension.empty()) endings.push_back(extension + "w");
  endings.emplace_back("wld");
  std::vector<fs::path> out;
  for (auto ending : endings) {
    out.push_back(fs::path(raster).replace_extension(ending));
    std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::toupper(c); });
    out.push_back(fs::path(raster).replace_extension(ending));
  }
  return out;
}

}  // namespace

std::optional<geometry::Affine> parse_world_file(const std::string& text) {
  std::istringstream words(text);
  std::array<double, 6> n{};
  std::size_t count = 0;
  for (std::string word; words >> word; ++count) {
    if (count == n.size()) return std::nullopt;
    std::replace(word.begin(), word.end(), ',', '.');
    const char* first = word.data() + (word.front() == '+' ? 1 : 0);
    const auto result = std::from_chars(first, word.data() + word.size(), n[count]);
    if (result.ec != std::errc() || result.ptr != word.data() + word.size() || !std::isfinite(n[count])) return std::nullopt;
  }
  if (count != n.size()) return std::nullopt;
  // Lines are A D B E C F; C and F are the centre of the upper-left pixel.
  const geometry::Affine centre{n[0], n[2], n[4], n[1], n[3], n[5]};
  return geometry::shifted(centre, {-0.5, -0.5});
}

std::optional<WorldFile> find_world_file(const fs::path& raster) {
  for (const auto& file : candidates(raster)) {
    std::error_code error;
    if (file == raster || !fs::is_regular_file(file, error)) continue;
    const auto affine = parse_world_file(read_side_car(file, 4096));
    if (!affine)
      throw index::ItemError(index::Reason::bad_georeference, "the world file " + file.filename().string() + " is not six finite numbers");
    return WorldFile{file, *affine};
  }
  return std::nullopt;
}

}  // namespace tilewright::pipeline
