// SPDX-License-Identifier: Apache-2.0
// Do the edges of a label lie on edges of the image or the elevation?
#include "pipeline/scores/label_scores.h"
#include "pipeline/scores/rows.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tilewright::pipeline {
namespace {

constexpr std::uint8_t kIgnore = 255;
constexpr int kGrow = 2;

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
  [[nodiscard]] bool is_near_label(int col, int row) const {
    for (int r = std::max(0, row - kGrow); r <= std::min(label_.height - 1, row + kGrow); ++r)
      for (int c = std::max(0, col - kGrow); c <= std::min(label_.width - 1, col + kGrow); ++c)
        if (is_label(value(c, r))) return true;
    return false;
  }

  static constexpr std::array<std::pair<int, int>, 4> kNeighbours = {{{-1, 0}, {1, 0}, {0, -1}, {0, 1}}};

 private:
  const LabelView& label_;
};

}  // namespace

std::vector<float> gradient_magnitude(std::span<const float> band, int width, int height) {
  std::vector<float> out(band.size());
  const auto at = [&](int col, int row) { return static_cast<std::size_t>(row) * static_cast<std::size_t>(width) + static_cast<std::size_t>(col); };
  for (int row = 0; row < height; ++row)
    for (int col = 0; col < width; ++col) {
      const int left = std::max(0, col - 1), right = std::min(width - 1, col + 1), up = std::max(0, row - 1), down = std::min(height - 1, row + 1);
      const float dx = right == left ? 0 : (band[at(right, row)] - band[at(left, row)]) / static_cast<float>(right - left);
      const float dy = down == up ? 0 : (band[at(col, down)] - band[at(col, up)]) / static_cast<float>(down - up);
      const float g = std::hypot(dx, dy);
      out[at(col, row)] = std::isfinite(g) ? g : 0;
    }
  return out;
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
  const Grid grid(label);
  double on_boundary = 0;
  std::int64_t boundary = 0, steep = 0, steep_inside = 0;
  for (int row = 0; row < label.height; ++row)
    for (int col = 0; col < label.width; ++col) {
      const auto i = grid.at(col, row);
      if (label.pixels[i] == kIgnore) continue;
      if (grid.is_boundary(col, row)) {
        ++boundary;
        on_boundary += scale > 0 ? std::min(1.0, static_cast<double>(gradient[i]) / scale) : 0;
      }
      if (static_cast<double>(gradient[i]) <= scale / 2) continue;
      ++steep;
      steep_inside += grid.is_near_label(col, row);
    }
  if (boundary == 0) return std::nullopt;
  return on_boundary / static_cast<double>(boundary) + (steep > 0 ? static_cast<double>(steep_inside) / static_cast<double>(steep) : 0);
}

std::optional<double> edge_agreement_of(const ScoreInput& in) {
  if (in.gradient.empty()) return std::nullopt;
  return edge_agreement(in.gradient, in.label, in.facts.edge_scale);
}

}  // namespace tilewright::pipeline
