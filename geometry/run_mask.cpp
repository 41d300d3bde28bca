// SPDX-License-Identifier: Apache-2.0
// Runs from bits and back, and their compact bytes.
#include "geometry/run_mask.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>

#include "geometry/error.h"

namespace tilewright::geometry {
namespace {

using Run = RunMask::Run;

constexpr std::uint64_t kVersion = 1;
constexpr std::int64_t kMostPixels = std::numeric_limits<std::int32_t>::max();

/// First bit at or behind `col` that equals `value`, or `width`.
std::int64_t next_bit(const std::uint64_t* words, std::int64_t col, std::int64_t width, bool value) {
  while (col < width) {
    auto word = value ? words[col >> 6] : ~words[col >> 6];
    word &= ~std::uint64_t{0} << (col & 63);
    if (word != 0) return std::min(width, (col & ~std::int64_t{63}) + std::countr_zero(word));
    col = (col & ~std::int64_t{63}) + 64;
  }
  return width;
}

void put(std::vector<std::byte>& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::byte>(value | 0x80));
  out.push_back(static_cast<std::byte>(value));
}

class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> bytes) : bytes_(bytes) {}

  /// nullopt at the end, and for numbers above 2^31 - 1.
  std::optional<std::int64_t> take() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 35 && at_ < bytes_.size(); shift += 7) {
      const auto byte = std::to_integer<std::uint64_t>(bytes_[at_++]);
      value |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      if (value > static_cast<std::uint64_t>(kMostPixels)) return std::nullopt;
      return static_cast<std::int64_t>(value);
    }
    return std::nullopt;
  }
  [[nodiscard]] bool at_end() const { return at_ == bytes_.size(); }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

/// Runs of one row as gaps and lengths.
std::optional<std::vector<Run>> take_runs(Bytes& bytes, std::int64_t width) {
  const auto count = bytes.take();
  if (!count || static_cast<std::size_t>(*count) > bytes.left()) return std::nullopt;
  std::vector<Run> runs;
  std::int64_t col = 0;
  for (std::int64_t n = 0; n < *count; ++n) {
    const auto gap = bytes.take(), length = bytes.take();
    if (!gap || !length || *length == 0 || (n > 0 && *gap == 0) || col + *gap + *length > width) return std::nullopt;
    runs.push_back({static_cast<std::int32_t>(col + *gap), static_cast<std::int32_t>(col + *gap + *length)});
    col = runs.back().end;
  }
  return runs;
}

}  // namespace

RunMask::RunMask(std::int64_t width) : width_(width) {
  if (width < 0 || width > kMostPixels) throw Error::failed("a mask of " + std::to_string(width) + " columns: at most 2^31 - 1 are possible");
}

RunMask RunMask::from(const Bitmask& mask) {
  RunMask out(mask.width());
  out.append(mask);
  return out;
}

void RunMask::append_row(std::span<const Run> runs) {
  if (static_cast<std::int64_t>(rows_.size()) == kMostPixels) throw Error::failed("a mask of more than 2^31 - 1 rows");
  if (!rows_.empty() && std::ranges::equal(row(height() - 1), runs)) {
    rows_.push_back(rows_.back());
    return;
  }
  rows_.push_back({runs_.size(), runs.size()});
  runs_.insert(runs_.end(), runs.begin(), runs.end());
}

void RunMask::append(const Bitmask& bits) {
  std::vector<Run> runs;
  for (std::int64_t row = 0; row < bits.height(); ++row) {
    runs.clear();
    const auto* words = bits.row_words(row);
    for (auto begin = next_bit(words, 0, width_, true); begin < width_;) {
      const auto end = next_bit(words, begin, width_, false);
      runs.push_back({static_cast<std::int32_t>(begin), static_cast<std::int32_t>(end)});
      begin = next_bit(words, end, width_, true);
    }
    append_row(runs);
  }
}

std::int64_t RunMask::count() const {
  std::int64_t count = 0;
  for (std::int64_t r = 0; r < height(); ++r)
    for (const auto& run : row(r)) count += run.end - run.begin;
  return count;
}

std::size_t RunMask::memory_bytes() const { return rows_.capacity() * sizeof(Row) + runs_.capacity() * sizeof(Run); }

Bitmask RunMask::bits(std::int64_t begin, std::int64_t end) const {
  Bitmask out(width_, std::max<std::int64_t>(end - begin, 0));
  for (auto r = std::max<std::int64_t>(begin, 0); r < std::min(end, height()); ++r)
    for (const auto& run : row(r)) out.set_run(run.begin, run.end, r - begin, true);
  return out;
}

std::vector<std::byte> RunMask::encoded() const {
  std::vector<std::byte> out;
  put(out, kVersion);
  put(out, static_cast<std::uint64_t>(width_));
  put(out, static_cast<std::uint64_t>(height()));
  for (std::int64_t r = 0; r < height();) {
    auto end = r + 1;
    while (end < height() && std::ranges::equal(row(r), row(end))) ++end;
    put(out, static_cast<std::uint64_t>(end - r));
    put(out, row(r).size());
    std::int32_t col = 0;
    for (const auto& run : row(r)) {
      put(out, static_cast<std::uint64_t>(run.begin - col));
      put(out, static_cast<std::uint64_t>(run.end - run.begin));
      col = run.end;
    }
    r = end;
  }
  return out;
}

std::optional<RunMask> RunMask::decoded(std::span<const std::byte> encoded, std::int64_t width, std::int64_t height) {
  Bytes bytes(encoded);
  if (bytes.take() != static_cast<std::int64_t>(kVersion) || bytes.take() != width || bytes.take() != height) return std::nullopt;
  RunMask out(width);
  while (out.height() < height) {
    const auto rows = bytes.take();
    if (!rows || *rows == 0 || *rows > height - out.height()) return std::nullopt;
    const auto runs = take_runs(bytes, width);
    if (!runs) return std::nullopt;
    for (std::int64_t n = 0; n < *rows; ++n) out.append_row(*runs);
  }
  return bytes.at_end() ? std::optional(std::move(out)) : std::nullopt;
}

bool operator==(const RunMask& a, const RunMask& b) {
  if (a.width_ != b.width_ || a.height() != b.height()) return false;
  for (std::int64_t r = 0; r < a.height(); ++r)
    if (!std::ranges::equal(a.row(r), b.row(r))) return false;
  return true;
}

}  // namespace tilewright::geometry
