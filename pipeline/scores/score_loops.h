// SPDX-License-Identifier: Apache-2.0
// Bodies of the kernels, included once by each file that compiles them. Sums run in 8 lanes whatever the processor has, so that
// each variant gives the same bytes; nothing here may be inlined into other files.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "pipeline/scores/edge_bits.h"
#include "pipeline/scores/score_kernels.h"

namespace tilewright::pipeline {
namespace {

constexpr std::uint8_t kNoClass = 255;
constexpr std::size_t kLanes = 8, kBlock = 256;

typedef float Floats __attribute__((vector_size(32)));
typedef std::int32_t Ints __attribute__((vector_size(32)));
typedef double Doubles __attribute__((vector_size(32)));
typedef std::uint64_t Longs __attribute__((vector_size(32)));
typedef std::uint8_t Bytes __attribute__((vector_size(8)));
typedef float HalfFloats __attribute__((vector_size(16)));

#define TILEWRIGHT_LANES [[gnu::always_inline]] inline

TILEWRIGHT_LANES void load(Floats& to, const float* from) { std::memcpy(&to, from, sizeof to); }
TILEWRIGHT_LANES void load(Ints& to, const std::uint8_t* from) {
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  to = __builtin_convertvector(bytes, Ints);
}
TILEWRIGHT_LANES void widen(Doubles& low, Doubles& high, const Floats& from) {
  HalfFloats halves[2];
  std::memcpy(halves, &from, sizeof halves);
  low = __builtin_convertvector(halves[0], Doubles);
  high = __builtin_convertvector(halves[1], Doubles);
}
template <class V>
double sum_of(const V& lanes, std::size_t count) {
  double sum = 0;
  for (std::size_t j = 0; j < count; ++j) sum += static_cast<double>(lanes[j]);
  return sum;
}

/// 8 pixels of the label with their planes; the last ones of an image are filled up with pixels that count nowhere.
class Lanes {
 public:
  TILEWRIGHT_LANES Lanes(const LabelledPlanes& in, std::size_t begin) : in_(in), begin_(begin), is_whole_(begin + kLanes <= in.pixels) {
    if (is_whole_) {
      load(label_, in.label + begin);
      return;
    }
    std::uint8_t label[kLanes];
    std::fill_n(label, kLanes, kNoClass);
    std::memcpy(label, in.label + begin, in.pixels - begin);
    load(label_, label);
  }
  TILEWRIGHT_LANES void plane(std::size_t k, Floats& to) const {
    const float* from = in_.khw + k * in_.pixels + begin_;
    if (is_whole_) return load(to, from);
    float part[kLanes] = {};
    std::memcpy(part, from, (in_.pixels - begin_) * sizeof(float));
    load(to, part);
  }
  [[nodiscard]] TILEWRIGHT_LANES Ints is_class(std::size_t k) const { return in_.class_ids[k] == kNoClass ? Ints{} : label_ == static_cast<std::int32_t>(in_.class_ids[k]); }
  [[nodiscard]] TILEWRIGHT_LANES Ints label() const { return label_; }
  [[nodiscard]] TILEWRIGHT_LANES Ints is_known() const { return label_ != std::int32_t{kNoClass}; }
  /// Probability of the label's own class, and where there is one.
  TILEWRIGHT_LANES Ints own(Floats& s) const {
    Ints known = is_class(0);
    Floats p;
    plane(0, p);
    s = known ? p : Floats{} + 1.0F;
    for (std::size_t k = 1; k < in_.classes; ++k) {
      const Ints here = is_class(k);
      plane(k, p);
      s = here ? p : s;
      known |= here;
    }
    return known;
  }
  /// Number of the plane with the greatest probability, ties to the first.
  TILEWRIGHT_LANES Ints best() const {
    Floats most, p;
    plane(0, most);
    Ints out{};
    for (std::size_t k = 1; k < in_.classes; ++k) {
      plane(k, p);
      const Ints is_more = p > most;
      most = is_more ? p : most;
      out = is_more ? Ints{} + static_cast<std::int32_t>(k) : out;
    }
    return out;
  }

 private:
  const LabelledPlanes& in_;
  std::size_t begin_;
  bool is_whole_;
  Ints label_{};
};

/// e^x for |x| <= 80 with a relative error of 2e-7.
TILEWRIGHT_LANES Floats exp_of(Floats x) {
  constexpr float kRound = 12582912.0F;   // 1.5 * 2^23: adding it rounds to whole numbers
  const Floats shifted = x * 1.44269504F + kRound;
  const Floats n = shifted - kRound;
  const Floats r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  Floats y = r * 1.3888889e-3F + 8.3333333e-3F;
  y = y * r + 4.1666667e-2F;
  y = y * r + 1.6666667e-1F;
  y = y * r + 0.5F;
  y = y * r + 1.0F;
  y = y * r + 1.0F;
  Ints bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + std::int32_t{0x3f800000};
  Floats power;
  std::memcpy(&power, &bits, sizeof power);
  return y * power;
}

SoftminSums softmin_loop(const LabelledPlanes& in, float temperature) {
  SoftminSums out;
  const float scale = 1 / temperature;
  for (std::size_t block = 0; block < in.pixels; block += kBlock) {
    Floats weighted{}, weights{};
    for (std::size_t at = block; at < std::min(block + kBlock, in.pixels); at += kLanes) {
      const Lanes lanes(in, at);
      Floats s;
      const Ints known = lanes.own(s);
      const Floats w = known ? exp_of((1.0F - s) * scale) : Floats{};
      weighted += s * w;
      weights += w;
    }
    out.weighted += sum_of(weighted, kLanes);
    out.weights += sum_of(weights, kLanes);
  }
  return out;
}

/// A product of doubles as mantissa and exponent, four lanes.
struct Product {
  Doubles mantissa = Doubles{} + 1.0;
  Longs exponent{};
  TILEWRIGHT_LANES void settle() {
    Longs bits;
    std::memcpy(&bits, &mantissa, sizeof bits);
    exponent += (bits >> 52) - std::uint64_t{1023};
    bits = (bits & std::uint64_t{0xfffffffffffff}) | std::uint64_t{0x3ff0000000000000};
    std::memcpy(&mantissa, &bits, sizeof bits);
  }
  [[nodiscard]] double logarithm() const {
    double sum = 0;
    for (std::size_t j = 0; j < kLanes / 2; ++j) sum += std::log(static_cast<double>(mantissa[j])) + static_cast<double>(static_cast<std::int64_t>(exponent[j])) * 0.69314718055994530942;
    return sum;
  }
};

/// The logarithm of a product is the sum of logarithms: one of 32 products of at least 1e-7 each is no denormal yet.
LogSum log_loop(const LabelledPlanes& in) {
  constexpr float kLeast = 1e-7F;
  Product low, high;
  Ints count{};
  for (std::size_t block = 0; block < in.pixels; block += kBlock) {
    for (std::size_t at = block; at < std::min(block + kBlock, in.pixels); at += kLanes) {
      const Lanes lanes(in, at);
      Floats s;
      const Ints known = lanes.own(s);
      count -= known;
      s = s > kLeast ? s : Floats{} + kLeast;
      Doubles a, b;
      widen(a, b, s);
      low.mantissa *= a;
      high.mantissa *= b;
    }
    low.settle();
    high.settle();
  }
  LogSum out{low.logarithm() + high.logarithm(), 0};
  for (std::size_t j = 0; j < kLanes; ++j) out.pixels += count[j];
  return out;
}

FlaggedPixels flagged_loop(const LabelledPlanes& in, const float* thresholds) {
  Ints pixels{}, flagged{};
  for (std::size_t at = 0; at < in.pixels; at += kLanes) {
    const Lanes lanes(in, at);
    Floats most, p;
    lanes.plane(0, most);
    Ints known = lanes.is_class(0), own_is_best = known, is_confident = ~known & (most >= thresholds[0]);
    for (std::size_t k = 1; k < in.classes; ++k) {
      lanes.plane(k, p);
      const Ints own = lanes.is_class(k), is_more = p > most;
      known |= own;
      is_confident |= ~own & (p >= thresholds[k]);
      most = is_more ? p : most;
      own_is_best = is_more ? own : own_is_best;
    }
    pixels -= known;
    flagged -= known & is_confident & ~own_is_best;
  }
  FlaggedPixels out;
  for (std::size_t j = 0; j < kLanes; ++j) out.pixels += pixels[j], out.flagged += flagged[j];
  return out;
}

std::int64_t overlap_loop(const LabelledPlanes& in, ClassPixelCount* counts) {
  std::int64_t known = 0, with_plane = 0;
  std::fill_n(counts, in.classes, ClassPixelCount{});
  for (std::size_t block = 0; block < in.pixels; block += kBlock) {
    const auto vectors = (std::min(block + kBlock, in.pixels) - block + kLanes - 1) / kLanes;
    Ints label[kBlock / kLanes], best[kBlock / kLanes], here{};   // best: -1 where the label is not known
    for (std::size_t v = 0; v < vectors; ++v) {
      const Lanes lanes(in, block + v * kLanes);
      const Ints is_known = lanes.is_known();
      label[v] = lanes.label();
      best[v] = lanes.best() | ~is_known;
      here -= is_known;
    }
    known += static_cast<std::int64_t>(sum_of(here, kLanes));
    for (std::size_t k = 0; k < in.classes; ++k) {
      const Ints id = Ints{} + (in.class_ids[k] == kNoClass ? -1 : static_cast<std::int32_t>(in.class_ids[k])), plane = Ints{} + static_cast<std::int32_t>(k);
      Ints own{}, decided{}, both{};
      for (std::size_t v = 0; v < vectors; ++v) {
        const Ints is_own = label[v] == id, is_decided = best[v] == plane;
        own -= is_own;
        decided -= is_decided;
        both -= is_own & is_decided;
      }
      const auto owns = static_cast<std::int64_t>(sum_of(own, kLanes)), boths = static_cast<std::int64_t>(sum_of(both, kLanes));
      counts[k].both += boths;
      counts[k].either += owns + static_cast<std::int64_t>(sum_of(decided, kLanes)) - boths;
      with_plane += owns;
    }
  }
  return known - with_plane;
}

/// The root of a sum of squares of floats, right to an ulp; what is not finite is 0.
void gradient_row(const float* __restrict own, const float* __restrict up, const float* __restrict down, int width, float rows, float* __restrict out) {
  const auto at = [&](int left, int right, int col, float columns) {
    const float dx = (own[right] - own[left]) * columns, dy = (down[col] - up[col]) * rows;
    const float g = __builtin_sqrtf(dx * dx + dy * dy);
    return g <= 3.402823466e+38F ? g : 0.0F;
  };
  out[0] = width > 1 ? at(0, 1, 0, 1) : at(0, 0, 0, 0);
  for (int col = 1; col < width - 1; ++col) out[col] = at(col - 1, col + 1, col, 0.5F);
  if (width > 1) out[width - 1] = at(width - 2, width - 1, width - 1, 1);
}

void gradient_loop(const float* band, int width, int height, float* out) {
  const auto row_at = [&](int row) { return band + static_cast<std::ptrdiff_t>(row) * width; };
  for (int row = 0; row < height; ++row) {
    const int up = std::max(0, row - 1), down = std::min(height - 1, row + 1);
    gradient_row(row_at(row), row_at(up), row_at(down), width, down - up == 2 ? 0.5F : down - up == 1 ? 1.0F : 0.0F, out + static_cast<std::ptrdiff_t>(row) * width);
  }
}

}  // namespace
}  // namespace tilewright::pipeline
