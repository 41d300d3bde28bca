// SPDX-License-Identifier: Apache-2.0
// Cuts windows for prediction; unlike extract, windows may be partly invalid.
#include "pipeline/stages/predict_source.h"

#include <algorithm>
#include <cstring>

namespace tilewright::pipeline {
namespace {

using geometry::Window;

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
    : reader_(std::move(reader)), frame_(std::move(frame)), bands_(std::move(bands)), kernel_(kernel), tile_from_frame_(source_from_grid(frame_.affine, frame_.crs, grid_of(reader_))) {}

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
  const auto places = sample_places(tile_from_frame_, window, kernel_);
  const auto box = needed_pixels(places, kernel_, reader_.width(), reader_.height());
  if (inside.empty() || box.empty()) return;
  const auto pixels = reader_.read(box);
  const geometry::Taps taps(kernel_, box, pixels.valid, places, window.width);
  std::copy(taps.valid().begin(), taps.valid().end(), out.valid.begin());
  const auto plane = static_cast<std::size_t>(box.width * box.height) * shard::byte_size(reader_.dtype());
  shard::with_type(reader_.dtype(), [&](auto type) {
    using T = decltype(type);
    std::vector<T> band(out.valid.size());
    for (std::size_t b = 0; b < bands_.size(); ++b) {
      const auto source = typed<T>(std::span(pixels.data).subspan(static_cast<std::size_t>(bands_[b]) * plane, plane));
      taps.apply<T>(source, T{}, band);
      std::memcpy(out.data.data() + b * band.size() * sizeof(T), band.data(), band.size() * sizeof(T));
    }
  });
}

}  // namespace tilewright::pipeline
