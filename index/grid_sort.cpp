// SPDX-License-Identifier: Apache-2.0
// Two counting passes: into buckets of neighbouring cells that fit the cache, then into cells.
#include "index/grid_sort.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "index/in_parallel.h"

namespace tilewright::index {
namespace {

constexpr std::size_t kBoxesPerBucket = 8192, kMaxBuckets = 1024;
constexpr std::uint32_t kPadding = 16;  // entries that kernels may read beyond the last box

std::size_t chunks_of(std::size_t count) { return (count + kBoxChunk - 1) / kBoxChunk; }

bool is_in(const SizeClass& c, const LatticeBox& box) {
  if (!is_usable(box)) return false;
  const int bin = std::bit_width(static_cast<std::uint32_t>(longest_side(box)));
  return bin >= c.first_bin && bin <= c.last_bin;
}

}  // namespace

/// Cells as small as the longest box allows, but not many more than boxes.
void ClassGrid::choose_cells(std::span<const LatticeBox> lattice, int threads) {
  std::vector<LatticeBox> parts(chunks_of(lattice.size()), LatticeBox{0, 0, 0, 0});
  in_parallel(threads, parts.size(), [&](std::size_t chunk) {
    LatticeBox far{0, 0, 0, 0};
    const std::size_t end = std::min(lattice.size(), (chunk + 1) * kBoxChunk);
    for (std::size_t n = chunk * kBoxChunk; n < end; ++n) {
      far.max_x = std::max(far.max_x, lattice[n].max_x);
      far.max_y = std::max(far.max_y, lattice[n].max_y);
    }
    parts[chunk] = far;
  });
  double far_x = 0, far_y = 0;
  for (const auto& part : parts) {
    far_x = std::max<double>(far_x, part.max_x);
    far_y = std::max<double>(far_y, part.max_y);
  }
  const double most = 2.0 * count_ + 1024;
  double cell = (static_cast<double>(longest_) + 1) * (1 + 1e-6);
  while ((far_x / cell + 3) * (far_y / cell + 2) > most) cell *= 1.2;
  per_cell_ = 1 / cell;
  stride_ = static_cast<std::uint32_t>(far_x * per_cell_) + 3;
  rows_ = static_cast<std::uint32_t>(far_y * per_cell_) + 1;
  cells_ = stride_ * (rows_ + 1);
  const std::size_t buckets = std::clamp<std::size_t>(count_ / kBoxesPerBucket, 1, kMaxBuckets);
  bucket_bits_ = static_cast<std::uint32_t>(std::bit_width((cells_ + buckets - 1) / buckets));
}

/// Records into buckets, in order of id within each; bucket_start_ gets buckets + 1 entries.
void ClassGrid::scatter(const SizeClass& size_class, std::span<const LatticeBox> lattice, int threads) {
  const std::size_t chunks = chunks_of(lattice.size()), buckets = (cells_ >> bucket_bits_) + 1;
  std::vector<std::uint32_t> offset(chunks * buckets, 0);
  const auto each_of = [&](std::size_t chunk, const auto& use) {
    const std::size_t end = std::min(lattice.size(), (chunk + 1) * kBoxChunk);
    for (std::size_t n = chunk * kBoxChunk; n < end; ++n)
      if (is_in(size_class, lattice[n])) use(static_cast<std::uint32_t>(n), cell_of(lattice[n]));
  };
  in_parallel(threads, chunks, [&](std::size_t chunk) {
    std::uint32_t* count = offset.data() + chunk * buckets;
    each_of(chunk, [&](std::uint32_t, std::uint32_t cell) { ++count[cell >> bucket_bits_]; });
  });
  bucket_start_.assign(buckets + 1, 0);
  std::uint32_t sum = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    bucket_start_[bucket] = sum;
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) sum += std::exchange(offset[chunk * buckets + bucket], sum);
  }
  bucket_start_[buckets] = sum;
  Record* records = records_.with_room(count_);
  in_parallel(threads, chunks, [&](std::size_t chunk) {
    std::uint32_t* next = offset.data() + chunk * buckets;
    each_of(chunk, [&](std::uint32_t n, std::uint32_t cell) { records[next[cell >> bucket_bits_]++] = {lattice[n], n, cell}; });
  });
}

void ClassGrid::sort_bucket(std::size_t bucket, std::uint32_t first, std::uint32_t last) {
  const auto low = static_cast<std::uint32_t>(bucket) << bucket_bits_;
  const auto high = std::min(low + (1U << bucket_bits_), cells_);
  const Record* records = records_.get();
  std::uint32_t* start = start_.get();
  thread_local std::vector<std::uint32_t> next;
  next.assign(high - low, 0);
  for (std::uint32_t k = first; k < last; ++k) ++next[records[k].cell - low];
  std::uint32_t sum = first, fullest = 0;
  for (std::uint32_t cell = low; cell < high; ++cell) {
    start[cell] = sum;
    fullest = std::max(fullest, next[cell - low]);
    sum += std::exchange(next[cell - low], sum);
  }
  fullest_of_bucket_[bucket] = fullest;
  std::int32_t *min_x = min_x_.get(), *min_y = min_y_.get(), *max_x = max_x_.get(), *max_y = max_y_.get();
  std::uint32_t* id = id_.get();
  for (std::uint32_t k = first; k < last; ++k) {
    const Record& record = records[k];
    const std::uint32_t at = next[record.cell - low]++;
    min_x[at] = record.box.min_x;
    min_y[at] = record.box.min_y;
    max_x[at] = record.box.max_x;
    max_y[at] = record.box.max_y;
    id[at] = record.id;
  }
}

void ClassGrid::build(const SizeClass& size_class, std::span<const LatticeBox> lattice, int threads) {
  count_ = static_cast<std::uint32_t>(size_class.count);
  longest_ = size_class.longest;
  choose_cells(lattice, threads);
  scatter(size_class, lattice, threads);
  for (auto* side : {&min_x_, &min_y_, &max_x_, &max_y_}) {
    std::int32_t* values = side->with_room(count_ + kPadding);
    std::fill(values + count_, values + count_ + kPadding, 0);
  }
  std::uint32_t* id = id_.with_room(count_ + kPadding);
  std::fill(id + count_, id + count_ + kPadding, 0U);
  std::uint32_t* start = start_.with_room(cells_ + 2);
  const std::size_t buckets = bucket_start_.size() - 1;
  fullest_of_bucket_.assign(buckets, 0);
  in_parallel(threads, buckets, [&](std::size_t bucket) { sort_bucket(bucket, bucket_start_[bucket], bucket_start_[bucket + 1]); });
  start[cells_] = start[cells_ + 1] = count_;
  fullest_ = *std::ranges::max_element(fullest_of_bucket_);
}

BoxGrid ClassGrid::view() const {
  return {{min_x_.get(), min_y_.get(), max_x_.get(), max_y_.get(), id_.get()}, start_.get(), stride_};
}

ClassGrid::Reach ClassGrid::reach(const LatticeBox& box) const {
  const auto clamped = [](std::uint32_t value, std::uint32_t count) { return std::min(value, count - 1); };
  return {along(std::max(box.min_x - longest_, 0)), clamped(along(box.max_x), stride_ - 2), along(std::max(box.min_y - longest_, 0)),
          clamped(along(box.max_y), rows_)};
}

}  // namespace tilewright::index
