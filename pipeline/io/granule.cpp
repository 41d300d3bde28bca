// SPDX-License-Identifier: Apache-2.0
// Reads the files of one granule window by window.
#include "pipeline/io/granule.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "pipeline/config/load.h"
#include "pipeline/io/file_glob.h"

namespace tilewright::pipeline {
namespace {

using geometry::Affine;
using geometry::Window;
using index::ItemError;
using index::Reason;

/// For each pixel of a window of the tile, the index in a window of another grid; -1 outside it.
struct NearestMap {
  Window source;
  std::vector<std::int64_t> index;
};

NearestMap nearest_map(const Affine& own_from_tile, const Window& window, std::int64_t own_width,
                       std::int64_t own_height) {
  std::vector<std::int64_t> cols, rows;
  cols.reserve(static_cast<std::size_t>(window.width * window.height));
  rows.reserve(cols.capacity());
  Window box{own_width, own_height, 0, 0};
  std::int64_t right = 0, bottom = 0;
  for (std::int64_t y = 0; y < window.height; ++y) {
    for (std::int64_t x = 0; x < window.width; ++x) {
      const auto p = own_from_tile.map_from_pixel(
          {double(window.col + x) + 0.5, double(window.row + y) + 0.5});
      const double col = std::floor(p.x), row = std::floor(p.y);
      const bool inside =
          col >= 0 && row >= 0 && col < double(own_width) && row < double(own_height);
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
void read_nearest(const Raster& raster, const BandPlace& place, const Window& window,
                  std::span<std::byte> out, std::span<std::uint8_t> inside) {
  const auto map =
      nearest_map(*place.pixel_from_pixel, window, raster.info().width, raster.info().height);
  const auto size =
      shard::byte_size(raster.info().bands[static_cast<std::size_t>(place.band)].dtype);
  std::vector<std::byte> source(static_cast<std::size_t>(map.source.width * map.source.height) *
                                size);
  if (!map.source.empty()) raster.read(place.band, map.source, source);
  for (std::size_t i = 0; i < map.index.size(); ++i) {
    inside[i] = map.index[i] >= 0 ? 1 : 0;
    if (map.index[i] >= 0)
      std::memcpy(out.data() + i * size,
                  source.data() + static_cast<std::size_t>(map.index[i]) * size, size);
    else
      std::memset(out.data() + i * size, 0, size);
  }
}

std::optional<ProductMetadata> product_of(const Job& job, const OpenPolicy& policy,
                                          const std::string& path) {
  if (policy.untrusted) return std::nullopt;
  const auto file =
      find_product_metadata(job.resolve(path), job.resolve(split_root(path).root + ":"));
  return file ? std::optional(read_product_metadata(*file)) : std::nullopt;
}

bool is_rejected(std::int64_t value, const QualityBand& rule) {
  for (const int bit : rule.reject_bits)
    if ((static_cast<std::uint64_t>(value) >> bit) & 1U) return true;
  return std::find(rule.reject_values.begin(), rule.reject_values.end(), value) !=
         rule.reject_values.end();
}

/// Values of one plane as integers; fractions are cut, what is not finite becomes 0.
std::vector<std::int64_t> integers(shard::DType dtype, std::span<const std::byte> plane) {
  std::vector<std::int64_t> out(plane.size() / shard::byte_size(dtype));
  shard::with_type(dtype, [&](auto type) {
    using T = decltype(type);
    for (std::size_t i = 0; i < out.size(); ++i) {
      T value;
      std::memcpy(&value, plane.data() + i * sizeof(T), sizeof(T));
      if constexpr (std::is_floating_point_v<T>)
        out[i] = std::isfinite(value) && std::abs(value) < T(1e15)
                     ? static_cast<std::int64_t>(value)
                     : 0;
      else
        out[i] = static_cast<std::int64_t>(value);
    }
  });
  return out;
}

}  // namespace

Granule::Granule(const Job& job, const std::string& source, std::vector<TileFile> files,
                 const std::vector<std::string>& left_out, const std::vector<std::string>& names)
    : files_(std::move(files)) {
  const auto& config = job.source(source);
  const auto policy = open_policy_of(job, source);
  for (const auto& file : files_) rasters_.push_back(Raster::open(job.resolve(file.path), policy));
  product_ = product_of(job, policy, files_.front().path);
  std::optional<DataManifest> manifest;
  if (config.describe_as) manifest = load_data_manifest(*config.describe_as);
  bands_ = choose_bands(config, manifest, files_, rasters_, left_out, names,
                        product_ ? &*product_ : nullptr);
  grid_ = bands_.required[0].place.raster;
  check_sparse(config.sparse);
}

void Granule::check_sparse(SparseRule rule) {
  for (const auto& raster : rasters_) {
    is_sparse_.push_back(raster.is_sparse());
    if (!is_sparse_.back()) continue;
    const bool declared = std::any_of(raster.info().bands.begin(), raster.info().bands.end(),
                                      [](const auto& b) { return b.nodata.has_value(); });
    const bool is_allowed = rule == SparseRule::nodata ||
                            (rule == SparseRule::automatic && (declared || raster.has_mask()));
    if (!is_allowed)
      throw ItemError(Reason::sparse,
                      raster.file().filename().string() +
                          " lacks blocks (a writer was killed, or it is sparse on purpose) and "
                          "declares no nodata; with sparse: nodata they count as such");
  }
}

/// Reads planes [first, last) that lie on the tile's grid in one file with one call.
std::size_t Granule::read_together(std::size_t first, const Window& window,
                                   std::span<std::byte> data, std::size_t plane_bytes) const {
  const auto& place = bands_.required[first].place;
  std::vector<int> numbers;
  std::size_t last = first;
  for (; last < bands_.required.size(); ++last) {
    const auto& next = bands_.required[last].place;
    if (next.raster != place.raster || next.pixel_from_pixel) break;
    numbers.push_back(next.band);
  }
  rasters_[place.raster].read(numbers, window,
                              data.subspan(first * plane_bytes, numbers.size() * plane_bytes));
  return last;
}

void Granule::read(const Window& window, PixelBytes& data,
                   std::vector<std::uint8_t>& valid) const {
  const auto count = static_cast<std::size_t>(window.width * window.height);
  const auto plane_bytes = count * shard::byte_size(bands_.dtype);
  data.resize(plane_bytes * bands_.required.size());
  valid.assign(count, 1);
  std::vector<std::uint8_t> inside;
  for (std::size_t b = 0; b < bands_.required.size();) {
    const auto& place = bands_.required[b].place;
    if (!place.pixel_from_pixel) {
      b = read_together(b, window, data, plane_bytes);
      continue;
    }
    inside.resize(count);
    read_nearest(rasters_[place.raster], place, window,
                 std::span(data).subspan(b * plane_bytes, plane_bytes), inside);
    for (std::size_t i = 0; i < count; ++i)
      valid[i] = static_cast<std::uint8_t>(valid[i] & inside[i]);
    ++b;
  }
  apply_masks(window, valid);
}

void Granule::apply_masks(const Window& window, std::vector<std::uint8_t>& valid) const {
  std::vector<std::uint8_t> mask(valid.size());
  for (std::size_t r = 0; r < rasters_.size(); ++r) {
    const auto& own = rasters_[r].info();
    if (files_[r].is_quality || own.width != info().width || own.height != info().height) continue;
    if (is_sparse_[r]) rasters_[r].clear_missing_blocks(window, valid);
    if (!rasters_[r].has_mask()) continue;
    rasters_[r].read_mask(window, mask);
    for (std::size_t i = 0; i < valid.size(); ++i)
      valid[i] = static_cast<std::uint8_t>(valid[i] & unsigned(mask[i] != 0));
  }
}

std::vector<std::uint8_t> Granule::clouds(const Window& window) const {
  const auto count = static_cast<std::size_t>(window.width * window.height);
  std::vector<std::uint8_t> out(count, 0);
  for (const auto& rule : bands_.quality) {
    const auto& raster = rasters_[rule.place.raster];
    const auto dtype = raster.info().bands[static_cast<std::size_t>(rule.place.band)].dtype;
    std::vector<std::byte> plane(count * shard::byte_size(dtype));
    std::vector<std::uint8_t> inside(count, 1);
    if (rule.place.pixel_from_pixel)
      read_nearest(raster, rule.place, window, plane, inside);
    else
      raster.read(rule.place.band, window, plane);
    const auto values = integers(dtype, plane);
    for (std::size_t i = 0; i < count; ++i)
      if (inside[i] && is_rejected(values[i], rule)) out[i] = 1;
  }
  return out;
}

OpenPolicy open_policy_of(const Job& job, const std::string& source) {
  OpenPolicy policy;
  policy.more_drivers = job.source(source).drivers;
  policy.untrusted = job.limits.untrusted;
  if (!job.limits.memory.empty())
    policy.block_budget_bytes =
        std::min(policy.block_budget_bytes, parse_bytes(job.limits.memory) / 4);
  return policy;
}

}  // namespace tilewright::pipeline
