// SPDX-License-Identifier: Apache-2.0
// Reads an acquisition window by window: pixels of all required bands, validity, clouds.
#include "pipeline/io/tile_reader.h"

#include <algorithm>

#include "pipeline/io/granules.h"

namespace tilewright::pipeline {
namespace {

using geometry::Affine;
using geometry::Bitmask;
using geometry::Window;

constexpr std::size_t kChunkBytes = std::size_t{32} << 20;

}  // namespace

struct TileReader::State {
  Granules granules;
  std::vector<TileBand> described;
  mutable std::optional<Bitmask> border;             ///< nodata that is connected to the border

  [[nodiscard]] const RasterInfo& info() const { return granules.info(); }
  [[nodiscard]] const TileBands& bands() const { return granules.bands(); }

  /// Bands of which `seen` is 0 before and that have no data here are left out of `valid`.
  void apply_nodata(std::vector<std::uint8_t>& seen, Pixels& out) const {
    const auto plane_bytes = out.valid.size() * shard::byte_size(bands().dtype);
    std::vector<std::uint8_t> before;
    for (std::size_t b = 0; b < bands().required.size(); ++b) {
      if (!seen[b]) before = out.valid;
      const auto plane = std::span(out.data).subspan(b * plane_bytes, plane_bytes);
      out.band_has_data.push_back(
          clear_nodata(bands().dtype, plane, bands().required[b].nodata, out.valid));
      seen[b] = static_cast<std::uint8_t>(seen[b] | out.band_has_data.back());
      if (!seen[b]) out.valid = std::move(before);
    }
  }

  [[nodiscard]] bool detects_border() const {
    return std::any_of(bands().required.begin(), bands().required.end(),
                       [](const auto& b) { return b.nodata.by_border; });
  }

  void apply_border(const Window& window, std::vector<std::uint8_t>& valid) const {
    if (!detects_border()) return;
    if (!border) border = find_border();
    for (std::int64_t y = 0; y < window.height; ++y)
      for (std::int64_t x = 0; x < window.width; ++x)
        if (border->get(window.col + x, window.row + y)) valid[static_cast<std::size_t>(y * window.width + x)] = 0;
  }

  [[nodiscard]] Bitmask find_border() const {
    Bitmask zeros(info().width, info().height);
    for_chunks([&](const Window& window) {
      PixelBytes data;
      std::vector<std::uint8_t> valid;
      granules.read(window, data, valid);
      add_zeros(window, data, zeros);
    });
    return border_nodata(zeros);
  }

  void add_zeros(const Window& window, std::span<const std::byte> data, Bitmask& zeros) const {
    const auto count = static_cast<std::size_t>(window.width * window.height);
    const auto plane_bytes = count * shard::byte_size(bands().dtype);
    std::vector<std::uint8_t> zero(count, 1);
    for (std::size_t b = 0; b < bands().required.size(); ++b)
      if (bands().required[b].nodata.by_border)
        and_zero(bands().dtype, data.subspan(b * plane_bytes, plane_bytes), zero);
    for (std::size_t i = 0; i < count; ++i)
      if (zero[i]) zeros.set(window.col + std::int64_t(i) % window.width, window.row + std::int64_t(i) / window.width, true);
  }

  /// Whole rows of the tile, in blocks' heights where they fit the chunk.
  template <class Work>
  void for_chunks(const Work& work) const {
    const auto row_bytes = static_cast<std::size_t>(info().width) *
                           shard::byte_size(bands().dtype) * (bands().required.size() + 1);
    const auto most = std::max<std::int64_t>(1, static_cast<std::int64_t>(kChunkBytes / row_bytes));
    const auto block = std::max<std::int64_t>(1, info().block_height);
    const auto rows = most >= block ? most / block * block : most;
    for (std::int64_t row = 0; row < info().height; row += rows) work(Window{0, row, info().width, std::min(rows, info().height - row)});
  }
};

TileReader::TileReader(const Job& job, const std::string& source,
                       const std::vector<TileFile>& files,
                       const std::vector<std::string>& bands_left_out,
                       const std::vector<std::string>& band_names)
    : state_(std::make_unique<State>(
          State{Granules(job, source, files, bands_left_out, band_names), {}, {}})) {
  auto& described = state_->described;
  for (const auto& granule : granules())
    for (std::size_t b = 0; b < granule.bands().required.size(); ++b) {
      const auto& band = granule.bands().required[b].band;
      if (b == described.size()) described.push_back(band);
      described[b].is_bad = described[b].is_bad || band.is_bad;
    }
}

TileReader::TileReader(TileReader&&) noexcept = default;
TileReader::~TileReader() = default;

const std::vector<TileBand>& TileReader::bands() const { return state_->described; }
shard::DType TileReader::dtype() const { return state_->bands().dtype; }
Affine TileReader::affine() const { return state_->info().affine; }
const geometry::Crs& TileReader::crs() const { return state_->bands().crs; }
std::int64_t TileReader::width() const { return state_->info().width; }
std::int64_t TileReader::height() const { return state_->info().height; }
std::int64_t TileReader::block_height() const { return state_->info().block_height; }
std::int64_t TileReader::block_width() const { return state_->info().block_width; }
bool TileReader::has_quality() const { return !state_->bands().quality.empty(); }
const std::vector<Granule>& TileReader::granules() const { return state_->granules.all(); }
bool TileReader::detects_border() const { return state_->detects_border(); }

TileReader::Pixels TileReader::read(const Window& window) const {
  Pixels out;
  read(window, out);
  return out;
}

TileReader::Pixels TileReader::look(const Window& window, std::vector<std::uint8_t>& seen, Bitmask& zeros) const {
  Pixels out;
  state_->granules.read(window, out.data, out.valid);
  state_->apply_nodata(seen, out);
  if (detects_border()) state_->add_zeros(window, out.data, zeros);
  return out;
}

void TileReader::read(const Window& window, Pixels& into) const {
  into.band_has_data.clear();
  state_->granules.read(window, into.data, into.valid);
  std::vector<std::uint8_t> all(state_->bands().required.size(), 1);
  state_->apply_nodata(all, into);
  state_->apply_border(window, into.valid);
}

Bitmask TileReader::valid_mask() const {
  Bitmask mask(width(), height());
  state_->for_chunks([&](const Window& window) {
    const auto pixels = read(window);
    for (std::size_t i = 0; i < pixels.valid.size(); ++i)
      if (pixels.valid[i]) mask.set(window.col + std::int64_t(i) % window.width, window.row + std::int64_t(i) / window.width, true);
  });
  return mask;
}

std::optional<Bitmask> TileReader::cloud_mask() const {
  if (!has_quality()) return std::nullopt;
  Bitmask mask(width(), height());
  state_->for_chunks([&](const Window& window) { add_clouds(window, mask); });
  return mask;
}

void TileReader::add_clouds(const Window& window, Bitmask& mask) const {
  const auto cloudy = state_->granules.clouds(window);
  for (std::size_t i = 0; i < cloudy.size(); ++i)
    if (cloudy[i])
      mask.set(window.col + std::int64_t(i) % window.width,
               window.row + std::int64_t(i) / window.width, true);
}

}  // namespace tilewright::pipeline
