// SPDX-License-Identifier: Apache-2.0
// Cuts windows for prediction; unlike extract, windows may be partly invalid.
#include "pipeline/stages/predict_source.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace tilewright::pipeline {
namespace {

using geometry::PixelXY;
using geometry::Window;

/// Source pixels that the kernel needs for these points; empty if none lies in the tile.
Window needed_pixels(const std::vector<PixelXY>& points, const TileReader& tile, int radius_px) {
  double left = std::numeric_limits<double>::infinity(), top = left, right = -left, bottom = -left;
  for (const auto& p : points) {
    if (!std::isfinite(p.col) || !std::isfinite(p.row)) continue;
    if (p.col < 0 || p.row < 0 || p.col > double(tile.width()) || p.row > double(tile.height())) continue;
    left = std::min(left, p.col);
    top = std::min(top, p.row);
    right = std::max(right, p.col);
    bottom = std::max(bottom, p.row);
  }
  if (!(left <= right)) return {};
  const auto reach = radius_px + 1;
  const Window box{std::int64_t(std::floor(left)) - reach, std::int64_t(std::floor(top)) - reach,
                   std::int64_t(std::floor(right)) - std::int64_t(std::floor(left)) + 2 * reach + 1,
                   std::int64_t(std::floor(bottom)) - std::int64_t(std::floor(top)) + 2 * reach + 1};
  return geometry::intersection(box, {0, 0, tile.width(), tile.height()});
}

template <class T>
std::vector<T> typed(std::span<const std::byte> bytes) {
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

}  // namespace

bool WindowPixels::any_valid() const {
  return std::any_of(valid.begin(), valid.end(), [](auto v) { return v != 0; });
}

WindowSource::WindowSource(TileReader reader, PredictFrame frame, std::vector<int> bands, geometry::Resampling kernel)
    : reader_(std::move(reader)), frame_(std::move(frame)), bands_(std::move(bands)), kernel_(kernel), tile_from_frame_(frame_.crs, reader_.crs()) {}

WindowPixels WindowSource::read(const Window& window) const {
  WindowPixels out;
  const auto count = static_cast<std::size_t>(window.width * window.height);
  out.data.resize(count * bands_.size() * shard::byte_size(reader_.dtype()));
  out.valid.assign(count, 0);
  if (frame_.is_own_grid) read_copied(window, out);
  else read_resampled(window, out);
  return out;
}

void WindowSource::read_copied(const Window& window, WindowPixels& out) const {
  const auto part = geometry::intersection(window, {0, 0, reader_.width(), reader_.height()});
  if (part.empty()) return;
  const auto pixels = reader_.read(part);
  const auto size = shard::byte_size(reader_.dtype());
  const auto part_px = static_cast<std::size_t>(part.width * part.height), window_px = out.valid.size();
  for (std::int64_t y = 0; y < part.height; ++y) {
    const auto from = static_cast<std::size_t>(y * part.width);
    const auto to = static_cast<std::size_t>((part.row - window.row + y) * window.width + part.col - window.col);
    std::copy_n(pixels.valid.begin() + std::ptrdiff_t(from), part.width, out.valid.begin() + std::ptrdiff_t(to));
    for (std::size_t b = 0; b < bands_.size(); ++b)
      std::memcpy(out.data.data() + (b * window_px + to) * size, pixels.data.data() + (static_cast<std::size_t>(bands_[b]) * part_px + from) * size,
                  static_cast<std::size_t>(part.width) * size);
  }
}

void WindowSource::read_resampled(const Window& window, WindowPixels& out) const {
  const auto inside = geometry::intersection(window, {0, 0, frame_.width, frame_.height});
  const auto affine = geometry::shifted(frame_.affine, {double(window.col), double(window.row)});
  const auto points = source_points(affine, window.width, window.height, tile_from_frame_, reader_.affine());
  const auto box = needed_pixels(points, reader_, geometry::kernel_radius_px(kernel_));
  if (inside.empty() || box.empty()) return;
  const auto pixels = reader_.read(box);
  const auto plane = static_cast<std::size_t>(box.width * box.height) * shard::byte_size(reader_.dtype());
  shard::with_type(reader_.dtype(), [&](auto type) {
    using T = decltype(type);
    std::vector<T> band(points.size());
    for (std::size_t b = 0; b < bands_.size(); ++b) {
      const auto source = typed<T>(std::span(pixels.data).subspan(static_cast<std::size_t>(bands_[b]) * plane, plane));
      geometry::resample<T>(kernel_, {box, source, pixels.valid}, points, T{}, band, out.valid);
      std::memcpy(out.data.data() + b * band.size() * sizeof(T), band.data(), band.size() * sizeof(T));
    }
  });
}

}  // namespace tilewright::pipeline
