// SPDX-License-Identifier: Apache-2.0
// Reads an acquisition window by window: pixels of all required bands, validity, clouds.
#include "pipeline/io/tile_reader.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "pipeline/config/load.h"
#include "pipeline/io/file_glob.h"
#include "pipeline/io/tile_bands.h"

namespace tilewright::pipeline {
namespace {

using geometry::Affine;
using geometry::Bitmask;
using geometry::Window;
using index::ItemError;
using index::Reason;

constexpr std::size_t kChunkBytes = std::size_t{32} << 20;

/// For each pixel of a window of the tile, the index in a window of another grid; -1 outside it.
struct NearestMap {
  Window source;
  std::vector<std::int64_t> index;
};

NearestMap nearest_map(const Affine& own_from_tile, const Window& window, std::int64_t own_width, std::int64_t own_height) {
  std::vector<std::int64_t> cols, rows;
  cols.reserve(static_cast<std::size_t>(window.width * window.height));
  rows.reserve(cols.capacity());
  Window box{own_width, own_height, 0, 0};
  std::int64_t right = 0, bottom = 0;
  for (std::int64_t y = 0; y < window.height; ++y) {
    for (std::int64_t x = 0; x < window.width; ++x) {
      const auto p = own_from_tile.map_from_pixel({double(window.col + x) + 0.5, double(window.row + y) + 0.5});
      const double col = std::floor(p.x), row = std::floor(p.y);
      const bool inside = col >= 0 && row >= 0 && col < double(own_width) && row < double(own_height);
      cols.push_back(inside ? std::int64_t(col) : -1);
      rows.push_back(inside ? std::int64_t(row) : -1);
      if (!inside) continue;
      box.col = std::min(box.col, cols.back());
      box.row = std::min(box.row, rows.back());
      right = std::max(right, cols.back() + 1);
      bottom = std::max(bottom, rows.back() + 1);
    }
  }
  box.width = std::max<std::int64_t>(0, right - box.col);
  box.height = std::max<std::int64_t>(0, bottom - box.row);
  NearestMap out{box, std::vector<std::int64_t>(cols.size(), -1)};
  for (std::size_t i = 0; i < cols.size(); ++i)
    if (cols[i] >= 0) out.index[i] = (rows[i] - box.row) * box.width + cols[i] - box.col;
  return out;
}

/// A band of its own grid on the pixels of the tile; pixels outside it become 0 and not `inside`.
void read_nearest(const Raster& raster, const BandPlace& place, const Window& window, std::span<std::byte> out, std::span<std::uint8_t> inside) {
  const auto map = nearest_map(*place.pixel_from_pixel, window, raster.info().width, raster.info().height);
  const auto size = shard::byte_size(raster.info().bands[static_cast<std::size_t>(place.band)].dtype);
  std::vector<std::byte> source(static_cast<std::size_t>(map.source.width * map.source.height) * size);
  if (!map.source.empty()) raster.read(place.band, map.source, source);
  for (std::size_t i = 0; i < map.index.size(); ++i) {
    inside[i] = map.index[i] >= 0 ? 1 : 0;
    if (map.index[i] >= 0) std::memcpy(out.data() + i * size, source.data() + static_cast<std::size_t>(map.index[i]) * size, size);
    else std::memset(out.data() + i * size, 0, size);
  }
}

std::optional<ProductMetadata> product_of(const Job& job, const OpenPolicy& policy, const std::string& path) {
  if (policy.untrusted) return std::nullopt;
  const auto file = find_product_metadata(job.resolve(path), job.resolve(split_root(path).root + ":"));
  return file ? std::optional(read_product_metadata(*file)) : std::nullopt;
}

}  // namespace

struct TileReader::State {
  SourceConfig config;
  std::vector<TileFile> files;
  std::vector<Raster> rasters;
  TileBands bands;
  std::optional<ProductMetadata> product;
  std::vector<TileBand> described;
  std::size_t grid = 0;                              ///< raster whose pixels are the tile's
  std::vector<bool> is_sparse;                       ///< by raster
  mutable std::optional<Bitmask> border;             ///< nodata that is connected to the border

  [[nodiscard]] const RasterInfo& info() const { return rasters[grid].info(); }

  void check_sparse() {
    for (const auto& raster : rasters) {
      is_sparse.push_back(raster.is_sparse());
      if (!is_sparse.back()) continue;
      const bool declared = std::any_of(raster.info().bands.begin(), raster.info().bands.end(), [](const auto& b) { return b.nodata.has_value(); });
      const bool is_allowed = config.sparse == SparseRule::nodata || (config.sparse == SparseRule::automatic && (declared || raster.has_mask()));
      if (!is_allowed)
        throw ItemError(Reason::sparse, raster.file().filename().string() +
                                            " lacks blocks (a writer was killed, or it is sparse on purpose) and declares no nodata; with sparse: nodata they count as such");
    }
  }

  /// Reads planes [first, last) that lie on the tile's grid in one file with one call.
  std::size_t read_together(std::size_t first, const Window& window, std::span<std::byte> data, std::size_t plane_bytes) const {
    const auto& place = bands.required[first].place;
    std::vector<int> numbers;
    std::size_t last = first;
    for (; last < bands.required.size(); ++last) {
      const auto& next = bands.required[last].place;
      if (next.raster != place.raster || next.pixel_from_pixel) break;
      numbers.push_back(next.band);
    }
    rasters[place.raster].read(numbers, window, data.subspan(first * plane_bytes, numbers.size() * plane_bytes));
    return last;
  }

  /// Bands of which `seen` is 0 before and that have no data here are left out of `valid`.
  void apply_nodata(const Window& window, std::vector<std::uint8_t>& seen, Pixels& out) const {
    const auto plane_bytes = out.valid.size() * shard::byte_size(bands.dtype);
    std::vector<std::uint8_t> before;
    for (std::size_t b = 0; b < bands.required.size(); ++b) {
      if (!seen[b]) before = out.valid;
      const auto plane = std::span(out.data).subspan(b * plane_bytes, plane_bytes);
      out.band_has_data.push_back(clear_nodata(bands.dtype, plane, bands.required[b].nodata, out.valid));
      seen[b] = static_cast<std::uint8_t>(seen[b] | out.band_has_data.back());
      if (!seen[b]) out.valid = std::move(before);
    }
    apply_masks(window, out.valid);
  }

  void apply_masks(const Window& window, std::vector<std::uint8_t>& valid) const {
    std::vector<std::uint8_t> mask(valid.size());
    for (std::size_t r = 0; r < rasters.size(); ++r) {
      const auto& info_r = rasters[r].info();
      const bool same_grid = info_r.width == info().width && info_r.height == info().height;
      if (files[r].is_quality || !same_grid) continue;
      if (is_sparse[r]) rasters[r].clear_missing_blocks(window, valid);
      if (!rasters[r].has_mask()) continue;
      rasters[r].read_mask(window, mask);
      for (std::size_t i = 0; i < valid.size(); ++i) valid[i] = static_cast<std::uint8_t>(valid[i] & unsigned(mask[i] != 0));
    }
  }

  [[nodiscard]] bool detects_border() const {
    return std::any_of(bands.required.begin(), bands.required.end(), [](const auto& b) { return b.nodata.by_border; });
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
      std::vector<std::byte> data;
      read_planes(window, data, nullptr);
      add_zeros(window, data, zeros);
    });
    return border_nodata(zeros);
  }

  void add_zeros(const Window& window, std::span<const std::byte> data, Bitmask& zeros) const {
    const auto count = static_cast<std::size_t>(window.width * window.height);
    const auto plane_bytes = count * shard::byte_size(bands.dtype);
    std::vector<std::uint8_t> zero(count, 1);
    for (std::size_t b = 0; b < bands.required.size(); ++b)
      if (bands.required[b].nodata.by_border) and_zero(bands.dtype, data.subspan(b * plane_bytes, plane_bytes), zero);
    for (std::size_t i = 0; i < count; ++i)
      if (zero[i]) zeros.set(window.col + std::int64_t(i) % window.width, window.row + std::int64_t(i) / window.width, true);
  }

  /// All planes, (C, H, W); pixels outside a band's own raster are cleared in `valid` if given.
  void read_planes(const Window& window, std::vector<std::byte>& data, std::vector<std::uint8_t>* valid) const {
    const auto count = static_cast<std::size_t>(window.width * window.height);
    const auto plane_bytes = count * shard::byte_size(bands.dtype);
    data.resize(plane_bytes * bands.required.size());
    std::vector<std::uint8_t> inside;
    for (std::size_t b = 0; b < bands.required.size();) {
      const auto& place = bands.required[b].place;
      if (!place.pixel_from_pixel) {
        b = read_together(b, window, data, plane_bytes);
        continue;
      }
      inside.resize(count);
      read_nearest(rasters[place.raster], place, window, std::span(data).subspan(b * plane_bytes, plane_bytes), inside);
      for (std::size_t i = 0; valid && i < count; ++i) (*valid)[i] = static_cast<std::uint8_t>((*valid)[i] & inside[i]);
      ++b;
    }
  }

  /// Whole rows of the tile, in blocks' heights where they fit the chunk.
  template <class Work>
  void for_chunks(const Work& work) const {
    const auto row_bytes = static_cast<std::size_t>(info().width) * shard::byte_size(bands.dtype) * (bands.required.size() + 1);
    const auto most = std::max<std::int64_t>(1, static_cast<std::int64_t>(kChunkBytes / row_bytes));
    const auto block = std::max<std::int64_t>(1, info().block_height);
    const auto rows = most >= block ? most / block * block : most;
    for (std::int64_t row = 0; row < info().height; row += rows) work(Window{0, row, info().width, std::min(rows, info().height - row)});
  }
};

TileReader::TileReader(const Job& job, const std::string& source, std::vector<TileFile> files, const std::vector<std::string>& bands_left_out,
                       const std::vector<std::string>& band_names)
    : state_(std::make_unique<State>()) {
  auto& s = *state_;
  s.config = job.source(source);
  s.files = std::move(files);
  const auto policy = open_policy_of(job, source);
  for (const auto& file : s.files) s.rasters.push_back(Raster::open(job.resolve(file.path), policy));
  s.product = product_of(job, policy, s.files.front().path);
  std::optional<DataManifest> manifest;
  if (s.config.describe_as) manifest = load_data_manifest(*s.config.describe_as);
  s.bands = choose_bands(s.config, manifest, s.files, s.rasters, bands_left_out, band_names, s.product ? &*s.product : nullptr);
  s.grid = s.bands.required[0].place.raster;
  for (const auto& band : s.bands.required) s.described.push_back(band.band);
  s.check_sparse();
}

TileReader::TileReader(TileReader&&) noexcept = default;
TileReader::~TileReader() = default;

const std::vector<TileBand>& TileReader::bands() const { return state_->described; }
shard::DType TileReader::dtype() const { return state_->bands.dtype; }
Affine TileReader::affine() const { return state_->info().affine; }
const geometry::Crs& TileReader::crs() const { return state_->bands.crs; }
std::int64_t TileReader::width() const { return state_->info().width; }
std::int64_t TileReader::height() const { return state_->info().height; }
std::int64_t TileReader::block_height() const { return state_->info().block_height; }
std::int64_t TileReader::block_width() const { return state_->info().block_width; }
bool TileReader::has_quality() const { return !state_->bands.quality.empty(); }
const std::vector<Raster>& TileReader::rasters() const { return state_->rasters; }
const ProductMetadata* TileReader::product() const { return state_->product ? &*state_->product : nullptr; }
bool TileReader::detects_border() const { return state_->detects_border(); }

TileReader::Pixels TileReader::read(const Window& window) const {
  Pixels out;
  read(window, out);
  return out;
}

TileReader::Pixels TileReader::look(const Window& window, std::vector<std::uint8_t>& seen, Bitmask& zeros) const {
  Pixels out;
  out.valid.assign(static_cast<std::size_t>(window.width * window.height), 1);
  state_->read_planes(window, out.data, &out.valid);
  state_->apply_nodata(window, seen, out);
  if (detects_border()) state_->add_zeros(window, out.data, zeros);
  return out;
}

void TileReader::read(const Window& window, Pixels& into) const {
  into.valid.assign(static_cast<std::size_t>(window.width * window.height), 1);
  into.band_has_data.clear();
  state_->read_planes(window, into.data, &into.valid);
  std::vector<std::uint8_t> all(state_->bands.required.size(), 1);
  state_->apply_nodata(window, all, into);
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

namespace {

bool is_rejected(std::int64_t value, const QualityBand& rule) {
  for (const int bit : rule.reject_bits)
    if ((static_cast<std::uint64_t>(value) >> bit) & 1U) return true;
  return std::find(rule.reject_values.begin(), rule.reject_values.end(), value) != rule.reject_values.end();
}

/// Values of one plane as integers; fractions are cut, what is not finite becomes 0.
std::vector<std::int64_t> integers(shard::DType dtype, std::span<const std::byte> plane) {
  std::vector<std::int64_t> out(plane.size() / shard::byte_size(dtype));
  shard::with_type(dtype, [&](auto type) {
    using T = decltype(type);
    for (std::size_t i = 0; i < out.size(); ++i) {
      T value;
      std::memcpy(&value, plane.data() + i * sizeof(T), sizeof(T));
      if constexpr (std::is_floating_point_v<T>) out[i] = std::isfinite(value) && std::abs(value) < T(1e15) ? static_cast<std::int64_t>(value) : 0;
      else out[i] = static_cast<std::int64_t>(value);
    }
  });
  return out;
}

}  // namespace

std::optional<Bitmask> TileReader::cloud_mask() const {
  if (!has_quality()) return std::nullopt;
  Bitmask mask(width(), height());
  state_->for_chunks([&](const Window& window) { add_clouds(window, mask); });
  return mask;
}

void TileReader::add_clouds(const Window& window, Bitmask& mask) const {
  const auto count = static_cast<std::size_t>(window.width * window.height);
  for (const auto& rule : state_->bands.quality) {
    const auto& raster = state_->rasters[rule.place.raster];
    const auto dtype = raster.info().bands[static_cast<std::size_t>(rule.place.band)].dtype;
    std::vector<std::byte> plane(count * shard::byte_size(dtype));
    std::vector<std::uint8_t> inside(count, 1);
    if (rule.place.pixel_from_pixel) read_nearest(raster, rule.place, window, plane, inside);
    else raster.read(rule.place.band, window, plane);
    const auto values = integers(dtype, plane);
    for (std::size_t i = 0; i < count; ++i)
      if (inside[i] && is_rejected(values[i], rule)) mask.set(window.col + std::int64_t(i) % window.width, window.row + std::int64_t(i) / window.width, true);
  }
}

OpenPolicy open_policy_of(const Job& job, const std::string& source) {
  OpenPolicy policy;
  policy.more_drivers = job.source(source).drivers;
  policy.untrusted = job.limits.untrusted;
  if (!job.limits.memory.empty()) policy.block_budget_bytes = std::min(policy.block_budget_bytes, parse_bytes(job.limits.memory) / 4);
  return policy;
}

}  // namespace tilewright::pipeline
