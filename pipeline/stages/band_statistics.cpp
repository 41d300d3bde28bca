// SPDX-License-Identifier: Apache-2.0
// Parallel over members; what is summed across threads is integer, what is float is summed in
// order.
#include "pipeline/stages/band_statistics.h"

#include <tbb/blocked_range.h>
#include <tbb/combinable.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <type_traits>

#include "geometry/error.h"
#include "index/shard/shard_reader.h"

namespace tilewright::pipeline {
namespace {

constexpr int kBins = 65536;
constexpr std::size_t kChunk = 1024;       ///< members between two calls of the caller's thread
using Counts = std::vector<std::int64_t>;  ///< bands x kBins

/// The mapped shards that `members` name.
class Shards {
 public:
  Shards(const std::filesystem::path& workspace, std::span<const MemberRef> members) {
    for (const auto& member : members)
      if (!files_.contains(member.shard))
        files_.emplace(member.shard, shard::MappedFile(workspace / member.shard));
  }
  [[nodiscard]] shard::ArrayView array(const MemberRef& member) const {
    return shard::array_at(files_.at(member.shard), member.offset, member.length);
  }

 private:
  std::map<std::string, shard::MappedFile> files_;
};

/// Plane `band` of a (C,H,W) array; npy data lies at multiples of 64 bytes, so it can be read in
/// place.
template <class T>
std::span<const T> plane(const shard::ArrayView& array, int band, const MemberRef& member) {
  const auto& shape = array.header.shape;
  if (shape.size() != 3 || band >= shape[0])
    throw Error::failed(member.shard + " at " + std::to_string(member.offset) + " has no band " +
                        std::to_string(band) +
                        "; extract again: tilewright extract JOB --force extract");
  const auto pixels = static_cast<std::size_t>(shape[1] * shape[2]);
  return {reinterpret_cast<const T*>(array.data.data()) + static_cast<std::size_t>(band) * pixels,
          pixels};
}

/// Runs `work(i)` for all members in parallel, chunk by chunk; `each` runs in the calling thread.
template <class Work, class After>
void over_members(std::size_t count, const Work& work, const After& after,
                  const std::function<void()>& each) {
  for (std::size_t begin = 0; begin < count; begin += kChunk) {
    const auto end = std::min(begin + kChunk, count);
    tbb::parallel_for(begin, end, work);
    after(begin, end);
    for (auto i = begin; i < end; ++i) each();
  }
}

Counts sum_of(tbb::combinable<Counts>& parts, std::size_t size) {
  Counts total(size, 0);
  parts.combine_each([&](const Counts& part) {
    std::transform(total.begin(), total.end(), part.begin(), total.begin(), std::plus<>());
  });
  return total;
}

/// The order statistic of rank `rank` among `counts`, as a bin number.
int bin_of_rank(std::span<const std::int64_t> counts, std::int64_t rank) {
  std::int64_t seen = 0;
  for (int bin = 0; bin < kBins; ++bin) {
    seen += counts[static_cast<std::size_t>(bin)];
    if (seen > rank) return bin;
  }
  return kBins - 1;
}

template <class ValueOfBin>
double percentile(std::span<const std::int64_t> counts, std::int64_t n, double share,
                  const ValueOfBin& value_of) {
  const double place = share * static_cast<double>(n - 1);
  const auto below = static_cast<std::int64_t>(std::floor(place));
  const double low = value_of(bin_of_rank(counts, below));
  const double high = value_of(bin_of_rank(counts, std::min(below + 1, n - 1)));
  return low + (high - low) * (place - static_cast<double>(below));
}

template <class ValueOfBin>
void fill_percentiles(learn::BandStatistics& out, std::span<const std::int64_t> counts,
                      const ValueOfBin& value_of) {
  out.p1 = percentile(counts, out.count, 0.01, value_of);
  out.p2 = percentile(counts, out.count, 0.02, value_of);
  out.p50 = percentile(counts, out.count, 0.50, value_of);
  out.p98 = percentile(counts, out.count, 0.98, value_of);
  out.p99 = percentile(counts, out.count, 0.99, value_of);
}

/// Integer sums, hence exact and free of order: `least` is the value of bin 0.
learn::BandStatistics of_counts(std::span<const std::int64_t> counts, int least) {
  __extension__ using Wide = __int128;
  learn::BandStatistics out;
  Wide sum = 0, squares = 0;
  for (int bin = 0; bin < kBins; ++bin) {
    const auto count = counts[static_cast<std::size_t>(bin)];
    if (count == 0) continue;
    const Wide value = bin + least;
    if (out.count == 0) out.min = static_cast<double>(value);
    out.max = static_cast<double>(value);
    out.count += count;
    sum += value * count;
    squares += value * value * count;
  }
  if (out.count == 0) return out;
  const auto n = static_cast<long double>(out.count);
  out.mean = static_cast<double>(static_cast<long double>(sum) / n);
  out.std =
      static_cast<double>(std::sqrt(static_cast<long double>(squares * out.count - sum * sum)) / n);
  fill_percentiles(out, counts, [&](int bin) { return static_cast<double>(bin + least); });
  return out;
}

/// Mean and squared deviations of one member's band; combined by Chan's formula.
struct Moments {
  std::int64_t n = 0;
  double mean = 0, squares = 0;
  double min = std::numeric_limits<double>::infinity(),
         max = -std::numeric_limits<double>::infinity();

  void add(const Moments& other) {
    if (other.n == 0) return;
    const auto total = static_cast<double>(n + other.n);
    const double delta = other.mean - mean;
    mean += delta * static_cast<double>(other.n) / total;
    squares += other.squares +
               delta * delta * static_cast<double>(n) * static_cast<double>(other.n) / total;
    n += other.n;
    min = std::min(min, other.min);
    max = std::max(max, other.max);
  }
};

template <class T>
Moments moments_of(std::span<const T> values) {
  Moments out;
  double sum = 0;
  for (const T value : values) {
    const auto x = static_cast<double>(value);
    if (!std::isfinite(x)) continue;
    ++out.n;
    sum += x;
    out.min = std::min(out.min, x);
    out.max = std::max(out.max, x);
  }
  if (out.n == 0) return out;
  out.mean = sum / static_cast<double>(out.n);
  for (const T value : values) {
    const double deviation = static_cast<double>(value) - out.mean;
    if (std::isfinite(deviation)) out.squares += deviation * deviation;
  }
  return out;
}

std::string shown(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

template <class T>
StatisticsResult by_counts(const Shards& shards, std::span<const MemberRef> members,
                           std::span<const int> bands, const std::function<void()>& each) {
  constexpr int least = std::numeric_limits<T>::min();
  const std::size_t size = bands.size() * kBins;
  tbb::combinable<Counts> parts([size] { return Counts(size, 0); });
  const auto work = [&](std::size_t i) {
    const auto array = shards.array(members[i]);
    auto* counts = parts.local().data();
    for (std::size_t b = 0; b < bands.size(); ++b)
      for (const T value : plane<T>(array, bands[b], members[i]))
        ++counts[b * kBins + static_cast<std::size_t>(static_cast<int>(value) - least)];
  };
  over_members(
      members.size(), work, [](auto, auto) {}, each);
  const auto counts = sum_of(parts, size);
  StatisticsResult result{.bands = {}, .method = "exact counts"};
  for (std::size_t b = 0; b < bands.size(); ++b)
    result.bands.push_back(of_counts(std::span(counts).subspan(b * kBins, kBins), least));
  return result;
}

template <class T>
std::vector<Moments> all_moments(const Shards& shards, std::span<const MemberRef> members,
                                 std::span<const int> bands, const std::function<void()>& each) {
  std::vector<Moments> total(bands.size()), chunk(kChunk * bands.size());
  const auto work = [&](std::size_t i) {
    const auto array = shards.array(members[i]);
    for (std::size_t b = 0; b < bands.size(); ++b)
      chunk[i % kChunk * bands.size() + b] = moments_of(plane<T>(array, bands[b], members[i]));
  };
  const auto after = [&](std::size_t begin, std::size_t end) {
    for (auto i = begin; i < end; ++i)
      for (std::size_t b = 0; b < bands.size(); ++b)
        total[b].add(chunk[i % kChunk * bands.size() + b]);
  };
  over_members(members.size(), work, after, each);
  return total;
}

template <class T>
StatisticsResult by_histogram(const Shards& shards, std::span<const MemberRef> members,
                              std::span<const int> bands, const std::function<void()>& each) {
  const auto moments = all_moments<T>(shards, members, bands, each);
  const std::size_t size = bands.size() * kBins;
  tbb::combinable<Counts> parts([size] { return Counts(size, 0); });
  const auto work = [&](std::size_t i) {
    const auto array = shards.array(members[i]);
    auto* counts = parts.local().data();
    for (std::size_t b = 0; b < bands.size(); ++b) {
      const double low = moments[b].min, range = moments[b].max - low;
      for (const T value : plane<T>(array, bands[b], members[i])) {
        const auto x = static_cast<double>(value);
        if (!std::isfinite(x)) continue;
        const double bin = range > 0 ? (x - low) / range * kBins : 0;
        ++counts[b * kBins + static_cast<std::size_t>(std::min(bin, kBins - 1.0))];
      }
    }
  };
  over_members(
      members.size(), work, [](auto, auto) {}, each);
  const auto counts = sum_of(parts, size);
  StatisticsResult result;
  for (std::size_t b = 0; b < bands.size(); ++b) {
    const auto& m = moments[b];
    learn::BandStatistics out;
    out.count = m.n;
    if (m.n > 0) {
      const double width = (m.max - m.min) / kBins;
      out.mean = m.mean, out.std = std::sqrt(m.squares / static_cast<double>(m.n)), out.min = m.min,
      out.max = m.max;
      fill_percentiles(out, std::span(counts).subspan(b * kBins, kBins),
                       [&](int bin) { return m.min + (bin + 0.5) * width; });
      result.method += (result.method.empty() ? "65536-bin histogram over [" : ", [") +
                       shown(m.min) + ", " + shown(m.max) + "]";
    }
    result.bands.push_back(out);
  }
  return result;
}

}  // namespace

StatisticsResult band_statistics(const std::filesystem::path& workspace,
                                 std::span<const MemberRef> members, shard::DType dtype,
                                 std::span<const int> band_indices,
                                 const std::function<void()>& each) {
  const Shards shards(workspace, members);
  for (const auto& member : members)
    if (shards.array(member).header.dtype != dtype)
      throw Error::failed(member.shard + " at " + std::to_string(member.offset) + " is not " +
                          std::string(shard::name(dtype)) +
                          "; extract again: tilewright extract JOB --force extract");
  return shard::with_type(dtype, [&](auto zero) -> StatisticsResult {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T> && sizeof(T) <= 2)
      return by_counts<T>(shards, members, band_indices, each);
    else
      return by_histogram<T>(shards, members, band_indices, each);
  });
}

std::array<std::int64_t, 256> count_mask_values(const std::filesystem::path& workspace,
                                                std::span<const MemberRef> members) {
  using Row = std::array<std::int64_t, 256>;
  const Shards shards(workspace, members);
  tbb::combinable<Row> parts([] { return Row{}; });
  tbb::parallel_for(std::size_t{0}, members.size(), [&](std::size_t i) {
    auto& counts = parts.local();
    for (const auto value : plane<std::uint8_t>(shards.array(members[i]), 0, members[i]))
      ++counts[value];
  });
  Row total{};
  parts.combine_each([&](const Row& part) {
    std::transform(total.begin(), total.end(), part.begin(), total.begin(), std::plus<>());
  });
  return total;
}

}  // namespace tilewright::pipeline
