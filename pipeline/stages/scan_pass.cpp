// SPDX-License-Identifier: Apache-2.0
// Goes through a tile in stretches of rows.
#include "pipeline/stages/scan_pass.h"

#include <algorithm>

#include "index/shard/fingerprint.h"
#include "index/shard/sha256.h"
#include "pipeline/io/nodata.h"

namespace tilewright::pipeline {
namespace {

using geometry::Bitmask;
using geometry::Window;

std::span<const std::byte> bytes_of(const auto& value) { return std::as_bytes(std::span(&value, 1)); }

/// Calls `take(window)` for stretches of whole rows, in heights of blocks where they fit.
template <class Take>
void for_stretches(const TileReader& reader, std::size_t memory_bytes, const Take& take) {
  const auto row_bytes = static_cast<std::size_t>(reader.width()) * (shard::byte_size(reader.dtype()) + 2) * reader.bands().size();
  const auto fitting = static_cast<std::int64_t>(std::clamp<std::size_t>(memory_bytes, std::size_t{1} << 20, std::size_t{64} << 20) / row_bytes);
  const auto block = std::max<std::int64_t>(1, reader.block_height());
  const auto rows = std::clamp<std::int64_t>(fitting >= block ? fitting / block * block : fitting, 1, reader.height());
  for (std::int64_t row = 0; row < reader.height(); row += rows) take(Window{0, row, reader.width(), std::min(rows, reader.height() - row)});
}

template <class Hash>
void add_shape(const TileReader& reader, Hash& hash) {
  hash.update(std::as_bytes(std::span(reader.crs().wkt())));
  hash.update(bytes_of(reader.affine()));
  const std::int64_t shape[4] = {static_cast<std::int64_t>(reader.bands().size()), reader.height(), reader.width(), static_cast<std::int64_t>(reader.dtype())};
  hash.update(bytes_of(shape));
}

/// Row by row, so that the hash does not depend on how many rows are read at once.
template <class Hash>
void add_rows(const TileReader& reader, const Window& window, std::span<const std::byte> data, Hash& hash) {
  const auto row_bytes = static_cast<std::size_t>(window.width) * shard::byte_size(reader.dtype());
  const auto plane_bytes = row_bytes * static_cast<std::size_t>(window.height);
  for (std::size_t y = 0; y < static_cast<std::size_t>(window.height); ++y)
    for (std::size_t b = 0; b < reader.bands().size(); ++b) hash.update(data.subspan(b * plane_bytes + y * row_bytes, row_bytes));
}

void set_runs(std::span<const std::uint8_t> valid, std::int64_t row, Bitmask& mask) {
  for (std::size_t col = 0; col < valid.size();) {
    const auto begin = std::find_if(valid.begin() + std::ptrdiff_t(col), valid.end(), [](auto v) { return v != 0; });
    const auto end = std::find(begin, valid.end(), std::uint8_t{0});
    if (begin != end) mask.set_run(begin - valid.begin(), end - valid.begin(), row, true);
    col = static_cast<std::size_t>(end - valid.begin());
  }
}

template <class Hash>
void add_mask(const Bitmask& mask, Hash& hash) {
  for (std::int64_t row = 0; row < mask.height(); ++row)
    hash.update(std::as_bytes(std::span(mask.row_words(row), static_cast<std::size_t>(mask.words_per_row()))));
}

void clear_border(const Bitmask& zeros, Bitmask& valid) {
  const auto border = border_nodata(zeros);
  for (std::int64_t row = 0; row < border.height(); ++row)
    for (std::int64_t col = 0; col < border.width(); ++col) {
      if ((col & 63) == 0 && border.row_words(row)[col >> 6] == 0) {
        col += 63;
        continue;
      }
      if (border.get(col, row)) valid.set(col, row, false);
    }
}

}  // namespace

TilePixels look_at_all_pixels(const TileReader& reader, std::size_t memory_bytes) {
  TilePixels out{Bitmask(reader.width(), reader.height()), {}, {}, {}};
  if (reader.has_quality()) out.cloud.emplace(reader.width(), reader.height());
  Bitmask zeros = reader.detects_border() ? Bitmask(reader.width(), reader.height()) : Bitmask();
  std::vector<std::uint8_t> seen(reader.bands().size(), 0);
  std::int64_t first_full_row = 0;  ///< rows above it lack a band that has data further down
  shard::Fingerprint hash;
  add_shape(reader, hash);
  for_stretches(reader, memory_bytes, [&](const Window& window) {
    const auto before = seen;
    const auto pixels = reader.look(window, seen, zeros);
    if (before != seen) first_full_row = window.row;
    add_rows(reader, window, pixels.data, hash);
    const auto row_px = static_cast<std::size_t>(window.width);
    for (std::int64_t y = 0; y < window.height; ++y) set_runs(std::span(pixels.valid).subspan(static_cast<std::size_t>(y) * row_px, row_px), window.row + y, out.valid);
    if (out.cloud) reader.add_clouds(window, *out.cloud);
  });
  if (std::find(seen.begin(), seen.end(), std::uint8_t{1}) == seen.end()) first_full_row = reader.height();  // no band has any data
  for (std::int64_t row = 0; row < first_full_row; ++row) out.valid.set_run(0, reader.width(), row, false);
  if (reader.detects_border()) clear_border(zeros, out.valid);
  add_mask(out.valid, hash);
  for (const auto has_data : seen) out.band_has_data.push_back(has_data != 0);
  out.fingerprint = hash.finish();
  return out;
}

std::string exact_content(const TileReader& reader, std::size_t memory_bytes) {
  shard::Sha256 hash;
  add_shape(reader, hash);
  for_stretches(reader, memory_bytes, [&](const Window& window) {
    const auto pixels = reader.read(window);
    add_rows(reader, window, pixels.data, hash);
    hash.update(std::as_bytes(std::span(pixels.valid)));
  });
  return shard::hex(hash.finish());
}

}  // namespace tilewright::pipeline
