// SPDX-License-Identifier: Apache-2.0
// Granules of one acquisition as one raster: windows across their seam exist.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "pipeline/io/nodata.h"
#include "pipeline/io/raster.h"

namespace tilewright::pipeline {
namespace {

using geometry::Window;
using index::ItemError;
using index::Reason;

constexpr double kOnLattice_px = 0.01;
constexpr double kMostEmpty = 16;  ///< pixels of the box for each pixel of the parts

[[noreturn]] void refuse(const Raster& a, const Raster& b, const std::string& why) {
  throw ItemError(Reason::inconsistent_files, b.file().filename().string() + " cannot be joined with " + a.file().filename().string() + ": " + why +
                                                  "; make `group` capture more, or leave out mosaic");
}

/// Where `part` lies in pixels of `first`.
Window place_of(const Raster& first, const Raster& part) {
  const auto &a = first.info(), &b = part.info();
  if (!a.crs.same_as(b.crs)) refuse(first, part, "it is in another CRS");
  if (a.bands.size() != b.bands.size() || a.bands[0].dtype != b.bands[0].dtype) refuse(first, part, "its bands or its pixel type differ");
  const auto pixel_from_map = geometry::inverse(a.affine);
  const auto at = [&](double col, double row) { return geometry::pixel_from_map(*pixel_from_map, b.affine.map_from_pixel({col, row})); };
  const auto corner = at(0, 0), opposite = at(double(b.width), double(b.height));
  const double col = std::round(corner.col), row = std::round(corner.row);
  const double off = std::max({std::abs(corner.col - col), std::abs(corner.row - row), std::abs(opposite.col - col - double(b.width)),
                               std::abs(opposite.row - row - double(b.height))});
  if (!(off < kOnLattice_px) || std::abs(col) > 1e9 || std::abs(row) > 1e9) refuse(first, part, "its pixels lie on another grid, by " + std::to_string(off) + " px");
  return {static_cast<std::int64_t>(col), static_cast<std::int64_t>(row), b.width, b.height};
}

Window box_of(const std::vector<Window>& places) {
  auto box = places.front();
  for (const auto& p : places) {
    const auto right = std::max(box.col + box.width, p.col + p.width), bottom = std::max(box.row + box.height, p.row + p.height);
    box.col = std::min(box.col, p.col);
    box.row = std::min(box.row, p.row);
    box.width = right - box.col;
    box.height = bottom - box.row;
  }
  return box;
}

/// Copies the rows of `part` (places in the mosaic) from its own array into that of `window`.
template <class Use>
void each_pixel(const Window& part, const Window& window, const Use& use) {
  for (auto row = part.row; row < part.row + part.height; ++row)
    for (auto col = part.col; col < part.col + part.width; ++col)
      use(static_cast<std::size_t>((row - part.row) * part.width + col - part.col), static_cast<std::size_t>((row - window.row) * window.width + col - window.col));
}

}  // namespace

Raster Raster::join(std::vector<Raster> parts) {
  for (const auto& part : parts)
    if (!part.info().has_georeference)
      throw ItemError(Reason::no_georeference, part.file().filename().string() + " has no affine transform and no world file beside it");
  Raster out(parts.front().file_, parts.front().policy_);
  out.info_ = parts.front().info_;
  double pixels = 0;
  for (const auto& part : parts) {
    out.places_.push_back(place_of(parts.front(), part));
    pixels += double(part.info().width) * double(part.info().height);
  }
  const auto box = box_of(out.places_);
  if (double(box.width) * double(box.height) > kMostEmpty * pixels)
    refuse(parts.front(), parts.back(), "the box around all parts is " + std::to_string(box.width) + " x " + std::to_string(box.height) + " px, nearly all of it empty");
  for (auto& place : out.places_) {
    place.col -= box.col;
    place.row -= box.row;
  }
  const auto corner = out.info_.affine.map_from_pixel({double(box.col), double(box.row)});
  out.info_.affine.c = corner.x;
  out.info_.affine.f = corner.y;
  out.info_.width = box.width;
  out.info_.height = box.height;
  for (std::size_t i = 1; i < parts.size(); ++i)
    out.info_.side_cars.insert(out.info_.side_cars.end(), parts[i].info().side_cars.begin(), parts[i].info().side_cars.end());
  out.parts_ = std::move(parts);
  return out;
}

void Raster::read_parts(std::span<const int> bands, const Window& window, std::span<std::byte> out) const {
  std::fill(out.begin(), out.end(), std::byte{0});
  const auto dtype = info_.bands[static_cast<std::size_t>(bands[0])].dtype;
  const auto size = shard::byte_size(dtype);
  const auto plane = static_cast<std::size_t>(window.width * window.height) * size;
  std::vector<std::uint8_t> is_written(static_cast<std::size_t>(window.width * window.height), 0);
  // From the last to the first: what an earlier part knows lies on top.
  for (auto i = parts_.size(); i-- > 0;) {
    const auto shared = geometry::intersection(window, places_[i]);
    if (shared.empty()) continue;
    const Window own{shared.col - places_[i].col, shared.row - places_[i].row, shared.width, shared.height};
    const auto count = static_cast<std::size_t>(shared.width * shared.height);
    std::vector<std::byte> data(count * size * bands.size());
    parts_[i].read(bands, own, data);
    std::vector<std::uint8_t> known(count, 0), one(count), mask(count, 255);
    for (std::size_t b = 0; b < bands.size(); ++b) {
      std::fill(one.begin(), one.end(), std::uint8_t{1});
      clear_nodata(dtype, std::span(data).subspan(b * count * size, count * size), {parts_[i].info().bands[static_cast<std::size_t>(bands[b])].nodata, false}, one);
      for (std::size_t n = 0; n < count; ++n) known[n] = static_cast<std::uint8_t>(known[n] | one[n]);
    }
    if (parts_[i].has_mask()) parts_[i].read_mask(own, mask);
    each_pixel(shared, window, [&](std::size_t from, std::size_t to) {
      if ((!known[from] || !mask[from]) && is_written[to]) return;
      is_written[to] = 1;
      for (std::size_t b = 0; b < bands.size(); ++b) std::memcpy(out.data() + b * plane + to * size, data.data() + (b * count + from) * size, size);
    });
  }
}

void Raster::read_part_masks(const Window& window, std::span<std::uint8_t> out) const {
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const auto shared = geometry::intersection(window, places_[i]);
    if (shared.empty()) continue;
    const Window own{shared.col - places_[i].col, shared.row - places_[i].row, shared.width, shared.height};
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(shared.width * shared.height), 255);
    if (parts_[i].has_mask()) parts_[i].read_mask(own, mask);
    if (parts_[i].is_sparse()) parts_[i].clear_missing_blocks(own, mask);
    // Where no part knows a pixel, it is nodata in the part that covers it, which the bands' rule tells.
    each_pixel(shared, window, [&](std::size_t from, std::size_t to) { out[to] = static_cast<std::uint8_t>(out[to] | mask[from]); });
  }
}

}  // namespace tilewright::pipeline
