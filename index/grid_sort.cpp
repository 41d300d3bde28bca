// SPDX-License-Identifier: Apache-2.0
// Two counting passes: into buckets of neighbouring cells that fit the cache, then into cells.
#include "index/grid_sort.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "index/in_parallel.h"

namespace tilewright::index {
namespace {

constexpr std::size_t kBoxesPerBucket = 8192, kMaxBuckets = 1024;
constexpr std::uint32_t kPadding = 16;  // entries that kernels may read beyond the last box

std::size_t chunks_of(std::size_t count) { return (count + kBoxChunk - 1) / kBoxChunk; }

}  // namespace

/// Cells as small as the longest box allows, but not many more than boxes.
void ClassGrid::choose_cells(const LatticeStatistics& statistics) {
  const double far_x = statistics.far_x, far_y = statistics.far_y, most = 2.0 * count_ + 1024;
  double cell = (static_cast<double>(longest_) + 1) * (1 + 1e-6);
  while ((far_x / cell + 3) * (far_y / cell + 2) > most) cell *= 1.2;
  per_cell_ = 1 / cell;
  stride_ = static_cast<std::uint32_t>(far_x * per_cell_) + 3;
  rows_ = static_cast<std::uint32_t>(far_y * per_cell_) + 1;
  cells_ = stride_ * (rows_ + 1);
  const std::size_t buckets = std::clamp<std::size_t>(count_ / kBoxesPerBucket, 1, kMaxBuckets);
  bucket_bits_ = static_cast<std::uint32_t>(std::bit_width((cells_ + buckets - 1) / buckets));
  bucket_start_.resize((cells_ >> bucket_bits_) + 2);
}

/// The cell of each box, and how many boxes of a chunk lie before those of a bucket.
void ClassGrid::find_cells(const SizeClass& size_class, std::span<const LatticeBox> lattice, int threads) {
  const std::size_t chunks = chunks_of(lattice.size()), buckets = bucket_start_.size() - 1;
  const bool holds_all = size_class.count == lattice.size();
  std::uint32_t* cells = cell_of_box_.with_room(lattice.size());
  next_in_bucket_.assign(chunks * buckets, 0);
  in_parallel(threads, chunks, [&](std::size_t chunk) {
    std::uint32_t* count = next_in_bucket_.data() + chunk * buckets;
    const std::size_t end = std::min(lattice.size(), (chunk + 1) * kBoxChunk);
    for (std::size_t n = chunk * kBoxChunk; n < end; ++n) {
      const bool is_in = holds_all || size_class.holds(lattice[n]);
      cells[n] = is_in ? cell_of(lattice[n]) : kNoCell;
      if (is_in) ++count[cells[n] >> bucket_bits_];
    }
  });
  std::uint32_t sum = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    bucket_start_[bucket] = sum;
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) sum += std::exchange(next_in_bucket_[chunk * buckets + bucket], sum);
  }
  bucket_start_[buckets] = sum;
}

/// Records into buckets, in order of id within each.
void ClassGrid::scatter(std::span<const LatticeBox> lattice, int threads) {
  const std::size_t chunks = chunks_of(lattice.size()), buckets = bucket_start_.size() - 1;
  Record* records = records_.with_room(count_);
  const std::uint32_t* cells = cell_of_box_.get();
  in_parallel(threads, chunks, [&](std::size_t chunk) {
    std::uint32_t* next = next_in_bucket_.data() + chunk * buckets;
    const std::size_t end = std::min(lattice.size(), (chunk + 1) * kBoxChunk);
    for (std::size_t n = chunk * kBoxChunk; n < end; ++n)
      if (cells[n] != kNoCell) records[next[cells[n] >> bucket_bits_]++] = {lattice[n], static_cast<std::uint32_t>(n), cells[n]};
  });
}

/// `each_box(use)` calls use(box, id, cell) for the boxes of the bucket in order of id.
template <class EachBox>
void ClassGrid::sort_bucket(std::size_t bucket, std::uint32_t first, const EachBox& each_box) {
  const auto low = static_cast<std::uint32_t>(bucket) << bucket_bits_;
  const auto high = std::min(low + (1U << bucket_bits_), cells_);
  std::uint32_t* start = start_.get();
  thread_local std::vector<std::uint32_t> next;
  next.assign(high - low, 0);
  each_box([&](const LatticeBox&, std::uint32_t, std::uint32_t cell) { ++next[cell - low]; });
  std::uint32_t sum = first, fullest = 0;
  for (std::uint32_t cell = low; cell < high; ++cell) {
    start[cell] = sum;
    fullest = std::max(fullest, next[cell - low]);
    sum += std::exchange(next[cell - low], sum);
  }
  fullest_of_bucket_[bucket] = fullest;
  std::int32_t *min_x = min_x_.get(), *min_y = min_y_.get(), *max_x = max_x_.get(), *max_y = max_y_.get();
  std::uint32_t *ids = id_.get(), *places = next.data();
  each_box([=](const LatticeBox& box, std::uint32_t id, std::uint32_t cell) {
    const std::uint32_t at = places[cell - low]++;
    min_x[at] = box.min_x;
    min_y[at] = box.min_y;
    max_x[at] = box.max_x;
    max_y[at] = box.max_y;
    ids[at] = id;
  });
}

void ClassGrid::build(const SizeClass& size_class, std::span<const LatticeBox> lattice, const LatticeStatistics& statistics, int threads) {
  count_ = static_cast<std::uint32_t>(size_class.count);
  longest_ = size_class.longest;
  choose_cells(statistics);
  find_cells(size_class, lattice, threads);
  for (auto* side : {&min_x_, &min_y_, &max_x_, &max_y_}) std::fill_n(side->with_room(count_ + kPadding) + count_, kPadding, 0);
  std::fill_n(id_.with_room(count_ + kPadding) + count_, kPadding, 0U);
  std::uint32_t* start = start_.with_room(cells_ + 2);
  const std::size_t buckets = bucket_start_.size() - 1;
  fullest_of_bucket_.assign(buckets, 0);
  if (buckets == 1) {
    const std::uint32_t* cells = cell_of_box_.get();
    sort_bucket(0, 0, [&](const auto& use) {
      for (std::uint32_t n = 0; n < lattice.size(); ++n)
        if (cells[n] != kNoCell) use(lattice[n], n, cells[n]);
    });
  } else {
    scatter(lattice, threads);
    in_parallel(threads, buckets, [&](std::size_t bucket) {
      const Record *first = records_.get() + bucket_start_[bucket], *last = records_.get() + bucket_start_[bucket + 1];
      sort_bucket(bucket, bucket_start_[bucket], [&](const auto& use) {
        for (const Record* r = first; r != last; ++r) use(r->box, r->id, r->cell);
      });
    });
  }
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
