// SPDX-License-Identifier: Apache-2.0
// Do the edges of a label lie on edges of the image or the elevation?
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "pipeline/scores/label_scores.h"
#include "pipeline/scores/rows.h"
#include "pipeline/scores/score_kernels.h"

namespace tilewright::pipeline {
namespace {

constexpr std::uint8_t kIgnore = 255;

/// g > t for doubles is g > this for floats.
float most_at_most(double t) {
  const auto near = static_cast<float>(t);
  return static_cast<double>(near) > t ? std::nextafter(near, -std::numeric_limits<float>::infinity()) : near;
}

bool is_label(std::uint8_t value) { return value != 0 && value != kIgnore; }

/// Pixels of the window, by place.
class Grid {
 public:
  explicit Grid(const LabelView& label) : label_(label) {}
  [[nodiscard]] bool has(int col, int row) const { return col >= 0 && row >= 0 && col < label_.width && row < label_.height; }
  [[nodiscard]] std::size_t at(int col, int row) const { return static_cast<std::size_t>(row) * static_cast<std::size_t>(label_.width) + static_cast<std::size_t>(col); }
  [[nodiscard]] std::uint8_t value(int col, int row) const { return label_.pixels[at(col, row)]; }

  /// A label pixel with another value beside it; the window's edge and ignored pixels are no boundary.
  [[nodiscard]] bool is_boundary(int col, int row) const {
    const auto own = value(col, row);
    if (!is_label(own)) return false;
    for (const auto& [dx, dy] : kNeighbours)
      if (has(col + dx, row + dy) && value(col + dx, row + dy) != own && value(col + dx, row + dy) != kIgnore) return true;
    return false;
  }
  static constexpr std::array<std::pair<int, int>, 4> kNeighbours = {{{-1, 0}, {1, 0}, {0, -1}, {0, 1}}};

 private:
  const LabelView& label_;
};

/// Calls use(i) for each pixel whose bit is set, in order.
template <class Use>
void each_set(const std::vector<std::uint64_t>& words, const LabelView& label, const Use& use) {
  const auto width = static_cast<std::size_t>(label.width), in_row = edge_words(label.width, 1);
  for (std::size_t n = 0; n < words.size(); ++n)
    for (auto some = words[n]; some != 0; some &= some - 1) use(n / in_row * width + n % in_row * 64 + static_cast<std::size_t>(std::countr_zero(some)));
}

}  // namespace

std::vector<float> gradient_magnitude(std::span<const float> band, int width, int height) {
  std::vector<float> out;
  gradient_magnitude(band, width, height, out);
  return out;
}

void gradient_magnitude(std::span<const float> band, int width, int height, std::vector<float>& out) {
  out.resize(band.size());
  if (!out.empty()) score_kernels().gradient(band.data(), width, height, out.data());
}

double percentile_95(std::vector<float> gradient) {
  if (gradient.empty()) return 0;
  const auto nth = gradient.begin() + static_cast<std::ptrdiff_t>(gradient.size() * 95 / 100);
  std::nth_element(gradient.begin(), nth, gradient.end());
  return static_cast<double>(*nth);
}

double edge_scale(std::vector<double> percentiles_95) {
  if (percentiles_95.empty()) return 0;
  const auto middle = percentiles_95.begin() + static_cast<std::ptrdiff_t>(percentiles_95.size() / 2);
  std::nth_element(percentiles_95.begin(), middle, percentiles_95.end());
  return *middle;
}

std::vector<std::int32_t> boundary_pixels(const LabelView& label) {
  const Grid grid(label);
  std::vector<std::int32_t> out;
  for (int row = 0; row < label.height; ++row)
    for (int col = 0; col < label.width; ++col)
      if (grid.is_boundary(col, row)) out.push_back(static_cast<std::int32_t>(grid.at(col, row)));
  return out;
}

std::optional<double> edge_agreement(std::span<const float> gradient, const LabelView& label, double scale) {
  thread_local std::vector<std::uint64_t> boundary, scratch;
  boundary.resize(edge_words(label.width, label.height));
  scratch.resize(5 * boundary.size());
  const auto edges = score_kernels().edges(gradient.data(), label.pixels.data(), label.width, label.height, most_at_most(scale / 2), boundary.data(), scratch.data());
  double on_boundary = 0;
  std::int64_t count = 0;
  each_set(boundary, label, [&](std::size_t i) {
    ++count;
    on_boundary += scale > 0 ? std::min(1.0, static_cast<double>(gradient[i]) / scale) : 0;
  });
  if (count == 0) return std::nullopt;
  return on_boundary / static_cast<double>(count) + (edges.steep > 0 ? static_cast<double>(edges.steep_near) / static_cast<double>(edges.steep) : 0);
}

std::optional<double> edge_agreement_of(const ScoreInput& in) {
  if (in.gradient.empty()) return std::nullopt;
  return edge_agreement(in.gradient, in.label, in.facts.edge_scale);
}

}  // namespace tilewright::pipeline
