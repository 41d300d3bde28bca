// SPDX-License-Identifier: Apache-2.0
// Reads strips of a tile and copies windows out of them.
#include "pipeline/stages/source_strips.h"

#include <algorithm>
#include <cstring>

#include "pipeline/io/granule.h"

namespace tilewright::pipeline {
namespace {

using geometry::Window;

constexpr std::int64_t kRowsAStrip = 256;  ///< small blocks are read so many rows at once

/// Rows of `part` from one window's plane to another's.
template <class Byte>
void copy_rows(const Byte* from, const Window& from_window, std::size_t band, std::size_t pixel_bytes, const Window& part, Byte* to,
               const Window& to_window) {
  const auto at = [&](const Window& window, std::int64_t row) {
    const auto plane = band * static_cast<std::size_t>(window.width * window.height);
    return (plane + static_cast<std::size_t>((row - window.row) * window.width + part.col - window.col)) * pixel_bytes;
  };
  for (std::int64_t row = part.row; row < part.row + part.height; ++row)
    std::memcpy(to + at(to_window, row), from + at(from_window, row), static_cast<std::size_t>(part.width) * pixel_bytes);
}

/// Takes the largest buffer, so that few grow; a new one if there is none.
TileReader::Pixels largest(StripBuffers& spare) {
  const auto found = std::max_element(spare.begin(), spare.end(), [](const auto& a, const auto& b) { return a.data.capacity() < b.data.capacity(); });
  if (found == spare.end()) return {};
  auto pixels = std::move(*found);
  spare.erase(found);
  return pixels;
}

}  // namespace

SourceStrips::SourceStrips(const TileReader& tile, std::span<const Window> served, StripBuffers& spare) : tile_(tile), served_(served), spare_(spare) {}

SourceStrips::~SourceStrips() {
  for (auto& strip : strips_) spare_.push_back(std::move(strip.pixels));
}

std::int64_t SourceStrips::rows_a_strip(const TileReader& tile) {
  const std::int64_t block = std::max<std::int64_t>(tile.block_height(), 1);
  return block * std::max<std::int64_t>(kRowsAStrip / block, 1);
}

std::int64_t SourceStrips::rows_in_memory(const TileReader& tile, std::int64_t tallest) {
  const std::int64_t joined = tile.granules().size() > 1 ? rows_a_strip(tile) : 0;
  return std::min(tile.height(), tallest + 2 * rows_a_strip(tile)) + joined;
}

std::vector<Window> SourceStrips::needed(std::int64_t row, std::int64_t row_end) const {
  std::vector<Window> parts;
  for (const Window& window : served_) {
    if (window.row >= row_end) break;  // they are ordered
    if (window.row + window.height > row) parts.push_back({window.col, row, window.width, row_end - row});
  }
  std::sort(parts.begin(), parts.end(), [](const Window& a, const Window& b) { return a.col < b.col; });
  const std::int64_t block = std::max<std::int64_t>(tile_.block_width(), 1);
  std::vector<Window> ranges;
  for (const Window& part : parts) {
    const std::int64_t end = ranges.empty() ? 0 : ranges.back().col + ranges.back().width;
    const bool shares_block = !ranges.empty() && part.col / block <= (end - 1) / block;
    if (!shares_block) ranges.push_back(part);
    else ranges.back().width = std::max(end, part.col + part.width) - ranges.back().col;
  }
  return ranges;
}

void SourceStrips::move_to(std::int64_t row, std::int64_t row_end) {
  while (!strips_.empty() && strips_.front().window.row + strips_.front().window.height <= row) {
    spare_.push_back(std::move(strips_.front().pixels));
    strips_.pop_front();
  }
  const std::int64_t step = rows_a_strip(tile_);
  rows_read_ = std::max(rows_read_, row / step * step);
  for (; rows_read_ < row_end; rows_read_ = std::min(rows_read_ + step, tile_.height())) {
    for (const Window& part : needed(rows_read_, std::min(rows_read_ + step, tile_.height()))) {
      Strip strip{.window = part, .pixels = largest(spare_)};
      tile_.read(strip.window, strip.pixels);
      strips_.push_back(std::move(strip));
    }
  }
}

void SourceStrips::gather(const Window& window, TileReader::Pixels& out) const {
  const auto plane = static_cast<std::size_t>(window.width * window.height);
  const std::size_t bands = tile_.bands().size(), pixel_bytes = shard::byte_size(tile_.dtype());
  out.data.resize(plane * bands * pixel_bytes);
  out.valid.resize(plane);
  for (const Strip& strip : strips_) {
    const Window part = geometry::intersection(window, strip.window);
    if (part.empty()) continue;
    for (std::size_t band = 0; band < bands; ++band)
      copy_rows(strip.pixels.data.data(), strip.window, band, pixel_bytes, part, out.data.data(), window);
    copy_rows(strip.pixels.valid.data(), strip.window, 0, 1, part, out.valid.data(), window);
  }
}

}  // namespace tilewright::pipeline
