// SPDX-License-Identifier: Apache-2.0
// Stretches views, draws outlines and encodes PNG.
#include "pipeline/report/picture.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <gdal_priv.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "geometry/error.h"
#include "index/tile_id.h"
#include "pipeline/io/open_policy.h"
#include "pipeline/io/tile_reader.h"

namespace tilewright::pipeline {
namespace {

constexpr Rgb kTruth = {60, 220, 90};

/// A file below /vsimem, removed at the end.
struct MemoryFile {
  const char* path;
  ~MemoryFile() { VSIUnlink(path); }
};

DatasetHandle rgb_dataset(const Picture& picture, const char* path) {
  auto* driver = GetGDALDriverManager()->GetDriverByName("GTiff");
  DatasetHandle dataset(driver ? driver->Create(path, picture.width, picture.height, 3, GDT_Byte, nullptr) : nullptr);
  if (!dataset || dataset->RasterIO(GF_Write, 0, 0, picture.width, picture.height, const_cast<std::uint8_t*>(picture.rgb.data()), picture.width,
                                    picture.height, GDT_Byte, 3, nullptr, 3, 3 * picture.width, 1) != CE_None)
    throw Error::failed(std::string("drawing a picture failed: ") + CPLGetLastErrorMsg());
  return dataset;
}

std::string base64(std::span<const std::uint8_t> bytes) {
  constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16;
    if (i + 1 < bytes.size()) group |= static_cast<std::uint32_t>(bytes[i + 1]) << 8;
    if (i + 2 < bytes.size()) group |= bytes[i + 2];
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kDigits[(group >> (18 - 6 * k)) & 63] : '=';
  }
  return out;
}

/// Values of one band as 0..255 between its 2nd and 98th percentile.
template <class T>
std::vector<std::uint8_t> stretched(std::span<const T> band) {
  std::vector<T> sorted;
  for (const T value : band)
    if (std::isfinite(static_cast<double>(value))) sorted.push_back(value);
  std::vector<std::uint8_t> out(band.size(), 0);
  if (sorted.empty()) return out;
  std::sort(sorted.begin(), sorted.end());
  const auto low = static_cast<double>(sorted[sorted.size() * 2 / 100]), high = static_cast<double>(sorted[(sorted.size() - 1) * 98 / 100]);
  const double span = high > low ? high - low : 1;
  std::transform(band.begin(), band.end(), out.begin(), [&](T value) {
    const double t = (static_cast<double>(value) - low) / span;
    return std::isfinite(t) ? static_cast<std::uint8_t>(std::clamp(t, 0.0, 1.0) * 255) : std::uint8_t{0};
  });
  return out;
}

std::map<int, Rgb> colors_of(const LayerConfig& layer) {
  std::map<int, Rgb> out;
  for (const auto& [id, style] : layer.classes) out[id] = rgb_from_hex(style.color);
  return out;
}

}  // namespace

Rgb rgb_from_hex(const std::string& text) {
  std::string digits = text.starts_with('#') ? text.substr(1) : text;
  if (digits.size() == 3) digits = {digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]};
  if (digits.size() != 6 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) return {128, 128, 128};
  const auto value = static_cast<std::uint32_t>(std::stoul(digits, nullptr, 16));
  return {static_cast<std::uint8_t>(value >> 16), static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

void Picture::set(int col, int row, Rgb color) {
  const auto at = 3 * (static_cast<std::size_t>(row) * static_cast<std::size_t>(width) + static_cast<std::size_t>(col));
  std::copy(color.begin(), color.end(), rgb.begin() + static_cast<std::ptrdiff_t>(at));
}

std::vector<std::uint8_t> png_of(const Picture& picture) {
  static std::atomic<std::uint64_t> counter{0};
  set_up_gdal(std::size_t{64} << 20);
  const auto name = "/vsimem/tilewright_picture_" + std::to_string(++counter);
  const auto tif_path = name + ".tif", png_path = name + ".png";
  const MemoryFile tif{tif_path.c_str()}, png{png_path.c_str()};
  auto* driver = GetGDALDriverManager()->GetDriverByName("PNG");
  if (!driver) throw Error::failed("drawing a picture: this GDAL has no PNG driver; install the full libgdal");
  CPLConfigOptionSetter no_side_car("GDAL_PAM_ENABLED", "NO", false);
  const auto source = rgb_dataset(picture, tif.path);
  if (DatasetHandle(driver->CreateCopy(png.path, source.get(), FALSE, nullptr, nullptr, nullptr)) == nullptr)
    throw Error::failed(std::string("drawing a picture: encoding a PNG failed: ") + CPLGetLastErrorMsg());
  vsi_l_offset length = 0;
  const auto* bytes = VSIGetMemFileBuffer(png.path, &length, FALSE);
  return {bytes, bytes + length};
}

std::string data_uri(const Picture& picture) { return "data:image/png;base64," + base64(png_of(picture)); }

std::array<int, 3> shown_bands(const std::vector<std::string>& names) {
  constexpr std::array<std::array<const char*, 3>, 3> kNames = {{{"red", "green", "blue"}, {"B04", "B03", "B02"}, {"B4", "B3", "B2"}}};
  for (const auto& wanted : kNames) {
    std::array<int, 3> found{};
    bool has_all = true;
    for (std::size_t k = 0; k < 3; ++k) {
      const auto at = std::find(names.begin(), names.end(), wanted[k]);
      has_all = has_all && at != names.end();
      found[k] = static_cast<int>(at - names.begin());
    }
    if (has_all) return found;
  }
  const int n = static_cast<int>(names.size());
  if (n < 3) return {0, 0, 0};
  return n <= 4 ? std::array<int, 3>{0, 1, 2} : std::array<int, 3>{n / 4, n / 8, n / 16};
}

void draw_outline(Picture& picture, std::span<const std::uint8_t> mask, const std::map<int, Rgb>& colors) {
  const auto value = [&](int col, int row) { return mask[static_cast<std::size_t>(row) * static_cast<std::size_t>(picture.width) + static_cast<std::size_t>(col)]; };
  if (mask.size() != static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height)) return;
  for (int row = 0; row < picture.height; ++row)
    for (int col = 0; col < picture.width; ++col) {
      const auto own = value(col, row);
      if (own == 0 || own == 255) continue;
      const bool is_edge = (col > 0 && value(col - 1, row) != own) || (col + 1 < picture.width && value(col + 1, row) != own) ||
                           (row > 0 && value(col, row - 1) != own) || (row + 1 < picture.height && value(col, row + 1) != own);
      if (!is_edge) continue;
      const auto found = colors.find(own);
      picture.set(col, row, found == colors.end() ? Rgb{255, 60, 60} : found->second);
    }
}

shard::ArrayView MemberReader::array(const index::MemberPlace& place) {
  auto& file = files_[place.shard];
  if (!file) file = std::make_unique<shard::MappedFile>(workspace_ / place.shard);
  return shard::array_at(*file, place.byte_offset, place.byte_length);
}

std::span<const std::uint8_t> MemberReader::mask(const index::MemberPlace& place) {
  const auto found = array(place);
  return {reinterpret_cast<const std::uint8_t*>(found.data.data()), found.data.size()};
}

Picture MemberReader::picture(const index::MemberPlace& place, const std::array<int, 3>& bands) {
  const auto view = array(place);
  const auto& shape = view.header.shape;
  Picture out{static_cast<int>(shape.at(2)), static_cast<int>(shape.at(1)), {}};
  const auto plane = static_cast<std::size_t>(out.width) * static_cast<std::size_t>(out.height);
  out.rgb.resize(3 * plane);
  for (std::size_t k = 0; k < 3; ++k) {
    const auto band = static_cast<std::size_t>(std::min<std::int64_t>(bands[k], shape[0] - 1));
    shard::with_type(view.header.dtype, [&](auto example) {
      using T = decltype(example);
      const auto values = stretched(std::span(reinterpret_cast<const T*>(view.data.data()) + band * plane, plane));
      for (std::size_t i = 0; i < plane; ++i) out.rgb[3 * i + k] = values[i];
    });
  }
  return out;
}

ChipMaker::ChipMaker(const ReportInput& input) : reader_(input.workspace) {
  std::string source = input.job.curate && input.job.curate->source ? *input.job.curate->source : "";
  for (const auto& view : index::views(input.manifest)) {
    if (!view.place) continue;
    if (source.empty()) source = index::source_of_tile(view.tile_id);
    auto& shown = view_of_[view.location_id];
    if (!shown.place || (index::source_of_tile(view.tile_id) == source && index::source_of_tile(shown.tile_id) != source)) shown = view;
  }
  for (const auto& [name, layer] : input.job.layers) {
    if (first_layer_.empty()) first_layer_ = name;
    colors_[name] = colors_of(layer);
    for (const auto& mask : index::masks(input.manifest, name))
      if (mask.place) masks_[name].emplace(mask.location_id, mask);
  }
  std::vector<std::string> names;
  if (!source.empty())
    for (const auto& band : source_bands(input.job, input.manifest, source)) names.push_back(band.info.name);
  bands_ = shown_bands(names);
}

const std::map<std::string, index::MaskRow>& ChipMaker::masks(const std::string& layer) const {
  static const std::map<std::string, index::MaskRow> kNone;
  const auto found = masks_.find(layer);
  return found == masks_.end() ? kNone : found->second;
}

std::string ChipMaker::chip(const std::string& location_id, const std::string& layer, std::span<const std::uint8_t> truth) {
  const auto view = view_of_.find(location_id);
  if (view == view_of_.end()) return "";
  auto picture = reader_.picture(*view->second.place, bands_);
  if (!truth.empty()) draw_outline(picture, truth, {{1, kTruth}});
  const auto& name = layer.empty() ? first_layer_ : layer;
  const auto& layer_masks = masks(name);
  if (const auto mask = layer_masks.find(location_id); mask != layer_masks.end()) draw_outline(picture, reader_.mask(*mask->second.place), colors_[name]);
  return data_uri(picture);
}

}  // namespace tilewright::pipeline
