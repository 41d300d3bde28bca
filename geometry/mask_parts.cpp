// SPDX-License-Identifier: Apache-2.0
// Flood fill with a stack of its own.
#include "geometry/mask_parts.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace tilewright::geometry {
namespace {

constexpr std::uint8_t kIgnore = 255;
constexpr std::array<std::pair<int, int>, 4> kNeighbours = {{{-1, 0}, {1, 0}, {0, -1}, {0, 1}}};

class PartFinder {
 public:
  explicit PartFinder(const MaskPixels& mask) : mask_(mask) { out_.part_of.assign(mask.pixels.size(), -1); }

  MaskParts run() {
    for (int row = 0; row < mask_.height; ++row)
      for (int col = 0; col < mask_.width; ++col) {
        const auto i = at(col, row);
        if (out_.part_of[i] < 0 && mask_.pixels[i] != 0 && mask_.pixels[i] != kIgnore) fill(col, row);
      }
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::size_t at(int col, int row) const { return static_cast<std::size_t>(row) * static_cast<std::size_t>(mask_.width) + static_cast<std::size_t>(col); }

  void fill(int col, int row) {
    MaskPart part{.value = mask_.pixels[at(col, row)], .area_px = 0, .first_col = col, .first_row = row};
    const auto number = static_cast<std::int32_t>(out_.parts.size());
    stack_.assign(1, {col, row});
    out_.part_of[at(col, row)] = number;
    while (!stack_.empty()) {
      const auto [c, r] = stack_.back();
      stack_.pop_back();
      ++part.area_px;
      part.centre_col += c;
      part.centre_row += r;
      for (const auto& [dx, dy] : kNeighbours) visit(c + dx, r + dy, number, part);
    }
    part.centre_col /= static_cast<double>(part.area_px);
    part.centre_row /= static_cast<double>(part.area_px);
    out_.parts.push_back(part);
  }

  void visit(int col, int row, std::int32_t number, MaskPart& part) {
    const bool is_outside = col < 0 || row < 0 || col >= mask_.width || row >= mask_.height;
    if (is_outside || mask_.pixels[at(col, row)] == kIgnore) {
      part.is_cut = true;
    } else if (const auto i = at(col, row); out_.part_of[i] < 0 && mask_.pixels[i] == part.value) {
      out_.part_of[i] = number;
      stack_.emplace_back(col, row);
    }
  }

  const MaskPixels& mask_;
  MaskParts out_;
  std::vector<std::pair<int, int>> stack_;
};

}  // namespace

MaskParts mask_parts(const MaskPixels& mask) { return PartFinder(mask).run(); }

std::vector<std::vector<std::int32_t>> pixels_of_parts(const MaskParts& parts) {
  std::vector<std::vector<std::int32_t>> out(parts.parts.size());
  for (std::size_t i = 0; i < parts.part_of.size(); ++i)
    if (parts.part_of[i] >= 0) out[static_cast<std::size_t>(parts.part_of[i])].push_back(static_cast<std::int32_t>(i));
  return out;
}

std::vector<std::int32_t> ring_around(const MaskPixels& mask, std::span<const std::int32_t> part, int reach) {
  std::vector<std::int32_t> near;
  for (const auto pixel : part) {
    const int col = pixel % mask.width, row = pixel / mask.width;
    for (int r = std::max(0, row - reach); r <= std::min(mask.height - 1, row + reach); ++r)
      for (int c = std::max(0, col - reach); c <= std::min(mask.width - 1, col + reach); ++c) near.push_back(r * mask.width + c);
  }
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  std::vector<std::int32_t> ring;
  std::set_difference(near.begin(), near.end(), part.begin(), part.end(), std::back_inserter(ring));
  return ring;
}

}  // namespace tilewright::geometry
