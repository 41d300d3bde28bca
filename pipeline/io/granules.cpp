// SPDX-License-Identifier: Apache-2.0
// Places granules beside each other and takes each pixel from the first that knows it.
#include "pipeline/io/granules.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "pipeline/io/file_glob.h"

namespace tilewright::pipeline {
namespace {

using geometry::Window;
using index::ItemError;
using index::Reason;

constexpr double kOnLattice_px = 0.01;
constexpr double kMostEmpty = 16;  ///< pixels of the box for each pixel of the granules
constexpr double kFarthest_px = 1e9;

[[noreturn]] void refuse(const Granule& first, const Granule& other, const std::string& why) {
  throw ItemError(Reason::granule_mismatch, other.name() + " cannot be joined with " +
                                                first.name() + ": " + why +
                                                "; make `group` capture more, or leave out mosaic");
}

std::string text_of(const std::optional<double>& value) {
  if (!value) return "none";
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", *value);
  return text;
}

bool is_same(const std::optional<double>& a, const std::optional<double>& b) {
  return a == b || (a && b && std::isnan(*a) && std::isnan(*b));
}

/// Joined pixels are of one type, on one scale, and nodata by one rule.
void check_bands(const Granule& first, const Granule& other) {
  const auto &a = first.bands().required, &b = other.bands().required;
  if (a.size() != b.size())
    refuse(
        first, other,
        "it has " + std::to_string(b.size()) + " bands, the other has " + std::to_string(a.size()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto &mine = a[i].band, &its = b[i].band;
    const auto& name = its.info.name;
    if (mine.info.name != name)
      refuse(first, other,
             "its band " + std::to_string(i + 1) + " is " + name + ", in the other it is " +
                 mine.info.name);
    if (mine.dtype != its.dtype)
      refuse(first, other,
             "its pixels are " + std::string(shard::name(its.dtype)) + ", those of the other " +
                 std::string(shard::name(mine.dtype)));
    if (!is_same(a[i].nodata.value, b[i].nodata.value))
      refuse(first, other,
             "the nodata value of band " + name + " is " + text_of(b[i].nodata.value) +
                 ", in the other it is " + text_of(a[i].nodata.value));
    if (mine.info.scale != its.info.scale || mine.info.offset != its.info.offset)
      refuse(first, other,
             "band " + name + " has scale " + text_of(its.info.scale) + " and offset " +
                 text_of(its.info.offset) + ", in the other " + text_of(mine.info.scale) + " and " +
                 text_of(mine.info.offset));
  }
}

/// Where `other` lies in pixels of `first`.
Window place_of(const Granule& first, const Granule& other) {
  const auto &a = first.info(), &b = other.info();
  if (!first.bands().crs.same_as(other.bands().crs))
    refuse(first, other,
           "it is in " + other.bands().crs.name() + ", the other in " + first.bands().crs.name());
  check_bands(first, other);
  const auto pixel_from_map = *geometry::inverse(a.affine);
  const auto at = [&](double col, double row) {
    return geometry::pixel_from_map(pixel_from_map, b.affine.map_from_pixel({col, row}));
  };
  const auto corner = at(0, 0);
  const double col = std::round(corner.col), row = std::round(corner.row);
  double off_px = 0;
  for (const double u : {0.0, double(b.width)})
    for (const double v : {0.0, double(b.height)}) {
      const auto p = at(u, v);
      off_px = std::max({off_px, std::abs(p.col - col - u), std::abs(p.row - row - v)});
    }
  if (!(off_px < kOnLattice_px) || std::abs(col) > kFarthest_px || std::abs(row) > kFarthest_px)
    refuse(first, other, "its pixels lie on another grid, up to " + text_of(off_px) + " px away");
  return {static_cast<std::int64_t>(col), static_cast<std::int64_t>(row), b.width, b.height};
}

/// Files of another band or of another date lie on the same ground: they are no granules.
void check_beside(const std::vector<Granule>& granules, const std::vector<Window>& places) {
  for (std::size_t i = 0; i < places.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const auto shared = geometry::intersection(places[i], places[j]);
      if (shared == places[i] || shared == places[j])
        refuse(granules[j], granules[i], "the one lies wholly on the ground of the other");
    }
}

Window box_of(const std::vector<Window>& places) {
  auto box = places.front();
  for (const auto& p : places) {
    const auto right = std::max(box.col + box.width, p.col + p.width),
               bottom = std::max(box.row + box.height, p.row + p.height);
    box.col = std::min(box.col, p.col);
    box.row = std::min(box.row, p.row);
    box.width = right - box.col;
    box.height = bottom - box.row;
  }
  return box;
}

void check_box(const std::vector<Granule>& granules, const Window& box) {
  double pixels = 0;
  for (const auto& granule : granules)
    pixels += double(granule.info().width) * double(granule.info().height);
  if (double(box.width) * double(box.height) > kMostEmpty * pixels)
    refuse(granules.front(), granules.back(),
           "the box around all granules is " + std::to_string(box.width) + " x " +
               std::to_string(box.height) + " px, nearly all of it empty");
}

/// Calls use(index in the piece, index in the window) for each pixel of `shared`, which lies in
/// `window`.
template <class Use>
void each_pixel(const Window& shared, const Window& window, const Use& use) {
  std::size_t from = 0;
  for (auto row = shared.row; row < shared.row + shared.height; ++row) {
    auto to = static_cast<std::size_t>((row - window.row) * window.width + shared.col - window.col);
    for (std::int64_t col = 0; col < shared.width; ++col) use(from++, to++);
  }
}

/// How much is known of a pixel so far; a granule that knows more takes it over.
enum : std::uint8_t { kNothing, kCovered, kKnown };

}  // namespace

std::optional<std::string> captured(const std::regex& pattern, const std::string& path) {
  std::smatch match;
  const auto relative = split_root(path).relative;
  if (!std::regex_search(relative, match, pattern) || match.size() < 2 || !match[1].matched)
    return std::nullopt;
  return match[1].str();
}

std::vector<std::vector<TileFile>> split_granules(const SourceConfig& config,
                                                  const std::vector<TileFile>& files) {
  if (!config.mosaic) return {files};
  std::vector<std::vector<TileFile>> out;
  std::map<std::string, std::size_t> count_of_band;
  for (const auto& file : files) {
    if (file.is_quality) continue;
    const auto n = count_of_band[file.band]++;
    if (n == out.size()) out.emplace_back();
    out[n].push_back(file);
  }
  constexpr std::string_view kRule = "quality:";
  for (const auto& file : files) {
    if (!file.is_quality) continue;
    const std::regex pattern(
        config.quality.at(std::stoul(file.band.substr(kRule.size()))).match.value_or("(.*)"));
    for (auto& granule : out)
      if (captured(pattern, granule.front().path) == captured(pattern, file.path))
        granule.push_back(file);
  }
  return out;
}

Granules::Granules(const Job& job, const std::string& source, const std::vector<TileFile>& files,
                   const std::vector<std::string>& left_out,
                   const std::vector<std::string>& names) {
  for (auto& own : split_granules(job.source(source), files))
    granules_.emplace_back(job, source, std::move(own), left_out, names);
  info_ = granules_.front().info();
  for (const auto& granule : granules_) places_.push_back(place_of(granules_.front(), granule));
  if (granules_.size() == 1) return;
  check_beside(granules_, places_);
  const auto box = box_of(places_);
  check_box(granules_, box);
  for (auto& place : places_) {
    place.col -= box.col;
    place.row -= box.row;
  }
  const auto corner = info_.affine.map_from_pixel({double(box.col), double(box.row)});
  info_.affine.c = corner.x;
  info_.affine.f = corner.y;
  info_.width = box.width;
  info_.height = box.height;
}

std::vector<Granules::Piece> Granules::pieces(const Window& window) const {
  std::vector<Piece> out;
  for (std::size_t i = 0; i < granules_.size(); ++i) {
    const auto shared = geometry::intersection(window, places_[i]);
    if (shared.empty()) continue;
    Piece piece{
        i,
        shared,
        {shared.col - places_[i].col, shared.row - places_[i].row, shared.width, shared.height}};
    for (std::size_t j = 0; j < granules_.size(); ++j)
      piece.overlaps =
          piece.overlaps || (j != i && !geometry::intersection(shared, places_[j]).empty());
    out.push_back(piece);
  }
  return out;
}

void Granules::fill_gaps(PixelBytes& data, std::size_t count) const {
  auto at = data.begin();
  for (const auto& band : bands().required) {
    const auto pixel = nodata_pixel(bands().dtype, band.nodata);
    for (std::size_t i = 0; i < count; ++i) at = std::copy(pixel.begin(), pixel.end(), at);
  }
}

/// kKnown where the pixel is data in all bands, else kCovered.
std::vector<std::uint8_t> Granules::known(const Granule& granule,
                                          const PixelBytes& data,
                                          std::vector<std::uint8_t> valid) const {
  const auto& required = granule.bands().required;
  const auto plane_bytes = valid.size() * shard::byte_size(granule.bands().dtype);
  std::vector<std::uint8_t> zero(valid.size(), 1);
  bool detects = false;
  for (std::size_t b = 0; b < required.size(); ++b) {
    const auto plane = std::span(data).subspan(b * plane_bytes, plane_bytes);
    clear_nodata(granule.bands().dtype, plane, required[b].nodata, valid);
    if (required[b].nodata.by_border) and_zero(granule.bands().dtype, plane, zero);
    detects = detects || required[b].nodata.by_border;
  }
  for (std::size_t i = 0; i < valid.size(); ++i)
    valid[i] = valid[i] && !(detects && zero[i]) ? kKnown : kCovered;
  return valid;
}

void Granules::read(const Window& window, PixelBytes& data,
                    std::vector<std::uint8_t>& valid) const {
  const auto all = pieces(window);
  if (all.size() == 1 && all[0].shared == window)
    return granules_[all[0].index].read(all[0].own, data, valid);
  const auto count = static_cast<std::size_t>(window.width * window.height);
  const auto pixel_bytes = shard::byte_size(bands().dtype), band_count = bands().required.size();
  data.resize(count * pixel_bytes * band_count);
  fill_gaps(data, count);
  valid.assign(count, 0);
  std::vector<std::uint8_t> so_far(count, kNothing), own_valid;
  PixelBytes own;
  for (const auto& piece : all) {
    const auto& granule = granules_[piece.index];
    granule.read(piece.own, own, own_valid);
    const auto plane = own_valid.size();
    const auto knows =
        piece.overlaps ? known(granule, own, own_valid) : std::vector<std::uint8_t>(plane, kKnown);
    each_pixel(piece.shared, window, [&](std::size_t from, std::size_t to) {
      if (knows[from] <= so_far[to]) return;
      so_far[to] = knows[from];
      valid[to] = own_valid[from];
      for (std::size_t b = 0; b < band_count; ++b)
        std::memcpy(data.data() + (b * count + to) * pixel_bytes,
                    own.data() + (b * plane + from) * pixel_bytes, pixel_bytes);
    });
  }
}

std::vector<std::uint8_t> Granules::clouds(const Window& window) const {
  const auto all = pieces(window);
  if (all.size() == 1 && all[0].shared == window) return granules_[all[0].index].clouds(all[0].own);
  const auto count = static_cast<std::size_t>(window.width * window.height);
  std::vector<std::uint8_t> out(count, 0), so_far(count, kNothing), valid;
  PixelBytes data;
  for (const auto& piece : all) {
    const auto& granule = granules_[piece.index];
    const auto cloudy = granule.clouds(piece.own);
    std::vector<std::uint8_t> knows(cloudy.size(), kKnown);
    if (piece.overlaps) {
      granule.read(piece.own, data, valid);
      knows = known(granule, data, valid);
    }
    each_pixel(piece.shared, window, [&](std::size_t from, std::size_t to) {
      if (knows[from] <= so_far[to]) return;
      so_far[to] = knows[from];
      out[to] = cloudy[from];
    });
  }
  return out;
}

}  // namespace tilewright::pipeline
