// SPDX-License-Identifier: Apache-2.0
// Each kind of damage works on the parts of the mask.
#include "pipeline/scores/damage_label.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "pipeline/synth/random.h"

namespace tilewright::pipeline {
namespace {

constexpr std::uint8_t kIgnore = 255;
constexpr std::array<std::string_view, 8> kNames = {"drop", "shift", "rotate", "dilate", "erode", "add", "swap", "truncate"};

class Damaged {
 public:
  Damaged(const LabelView& label, std::uint64_t seed) : label_(label), parts_(geometry::mask_parts(label)), pixels_(geometry::pixels_of_parts(parts_)), random_(seed, 7) {
    out_.pixels.assign(label.pixels.begin(), label.pixels.end());
  }

  void drop() {
    out_.amount = random_.uniform(0.3, 0.9);
    for (std::size_t n = 0; n < pixels_.size(); ++n)
      if (random_.chance(out_.amount) || (n + 1 == pixels_.size() && out_.objects == 0)) erase(n);
  }

  void shift() {
    if (pixels_.empty()) return;
    double area = 0;
    for (const auto& part : parts_.parts) area += static_cast<double>(part.area_px);
    const double extent = std::sqrt(area / static_cast<double>(pixels_.size()));
    const double length = std::max(2.0, extent * random_.uniform(0.2, 0.5)), angle = random_.uniform(0, 2 * std::numbers::pi);
    out_.shift = {static_cast<int>(std::lround(length * std::cos(angle))), static_cast<int>(std::lround(length * std::sin(angle)))};
    out_.objects = static_cast<std::int64_t>(pixels_.size());
    out_.pixels = geometry::moved_parts(label_, parts_, std::vector<geometry::PixelShift>(pixels_.size(), out_.shift));
  }

  void rotate() {
    clear_all();
    out_.amount = random_.uniform(20, 70);
    for (std::size_t n = 0; n < pixels_.size(); ++n) {
      const double angle = (random_.chance(0.5) ? 1 : -1) * out_.amount * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
      const auto& part = parts_.parts[n];
      const int reach = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(part.area_px)) * 3));
      const int col = static_cast<int>(std::lround(part.centre_col)), row = static_cast<int>(std::lround(part.centre_row));
      for (int r = row - reach; r <= row + reach; ++r)
        for (int q = col - reach; q <= col + reach; ++q) {
          const double dx = q - part.centre_col, dy = r - part.centre_row;
          const int from_col = static_cast<int>(std::lround(part.centre_col + c * dx + s * dy)), from_row = static_cast<int>(std::lround(part.centre_row - s * dx + c * dy));
          if (is_of(n, from_col, from_row)) put(q, r, part.value);
        }
      ++out_.objects;
    }
  }

  void dilate() {
    const int reach = random_.integer(2, 4);
    out_.amount = reach;
    for (std::size_t n = 0; n < pixels_.size(); ++n) {
      for (const auto i : geometry::ring_around(label_, pixels_[n], reach))
        if (label_.pixels[static_cast<std::size_t>(i)] == 0) out_.pixels[static_cast<std::size_t>(i)] = parts_.parts[n].value;
      ++out_.objects;
    }
  }

  void erode() {
    const int reach = random_.integer(2, 4);
    out_.amount = reach;
    for (std::size_t n = 0; n < pixels_.size(); ++n) {
      const int own = least_reach_that_leaves(n, reach);
      for (const auto i : pixels_[n])
        if (!is_inner(n, i, own)) out_.pixels[static_cast<std::size_t>(i)] = 0;
      out_.objects += own > 0;
    }
  }

  void add(const std::vector<Donor>& donors) {
    if (donors.empty()) return;
    const int wanted = random_.integer(2, 4);
    for (int attempt = 0; attempt < 60 && out_.objects < wanted; ++attempt) {
      const auto& donor = donors[static_cast<std::size_t>(random_.integer(0, static_cast<int>(donors.size()) - 1))];
      const int col = random_.integer(0, label_.width - 1), row = random_.integer(0, label_.height - 1);
      const bool is_free = std::all_of(donor.pixels.begin(), donor.pixels.end(), [&](const auto& d) { return is_background(col + d.first, row + d.second); });
      if (!is_free) continue;
      for (const auto& [dx, dy] : donor.pixels) put(col + dx, row + dy, donor.value);
      ++out_.objects;
    }
  }

  void swap(const std::vector<std::uint8_t>& classes) {
    for (std::size_t n = 0; n < pixels_.size(); ++n) {
      const auto found = std::find(classes.begin(), classes.end(), parts_.parts[n].value);
      if (found == classes.end() || classes.size() < 2 || !(random_.chance(0.5) || (n + 1 == pixels_.size() && out_.objects == 0))) continue;
      const auto next = found + 1 == classes.end() ? classes.front() : *(found + 1);
      for (const auto i : pixels_[n]) out_.pixels[static_cast<std::size_t>(i)] = next;
      ++out_.objects;
    }
  }

  void truncate() {
    const int strip = std::max(2, static_cast<int>(std::min(label_.width, label_.height) * random_.uniform(0.12, 0.3)));
    const bool is_west = random_.chance(0.5), is_north = random_.chance(0.5);
    out_.amount = strip;
    std::vector<bool> is_hit(pixels_.size(), false);
    for (std::size_t i = 0; i < out_.pixels.size(); ++i) {
      const int col = static_cast<int>(i) % label_.width, row = static_cast<int>(i) / label_.width;
      const bool is_cut = (is_west ? col < strip : col >= label_.width - strip) || (is_north ? row < strip : row >= label_.height - strip);
      if (!is_cut || parts_.part_of[i] < 0) continue;
      out_.pixels[i] = 0;
      is_hit[static_cast<std::size_t>(parts_.part_of[i])] = true;
    }
    out_.objects = std::count(is_hit.begin(), is_hit.end(), true);
  }

  DamagedMask take() { return std::move(out_); }

 private:
  [[nodiscard]] bool has(int col, int row) const { return col >= 0 && row >= 0 && col < label_.width && row < label_.height; }
  [[nodiscard]] std::size_t at(int col, int row) const { return static_cast<std::size_t>(row) * static_cast<std::size_t>(label_.width) + static_cast<std::size_t>(col); }
  [[nodiscard]] bool is_of(std::size_t part, int col, int row) const { return has(col, row) && parts_.part_of[at(col, row)] == static_cast<std::int32_t>(part); }
  [[nodiscard]] bool is_background(int col, int row) const { return has(col, row) && out_.pixels[at(col, row)] == 0; }
  void put(int col, int row, std::uint8_t value) {
    if (has(col, row) && out_.pixels[at(col, row)] != kIgnore) out_.pixels[at(col, row)] = value;
  }
  void erase(std::size_t part) {
    for (const auto i : pixels_[part]) out_.pixels[static_cast<std::size_t>(i)] = 0;
    ++out_.objects;
  }
  void clear_all() {
    for (auto& pixel : out_.pixels)
      if (pixel != kIgnore) pixel = 0;
  }
  /// All pixels within `reach` that lie in the window belong to the part.
  [[nodiscard]] bool is_inner(std::size_t part, std::int32_t pixel, int reach) const {
    const int col = pixel % label_.width, row = pixel / label_.width;
    for (int r = row - reach; r <= row + reach; ++r)
      for (int c = col - reach; c <= col + reach; ++c)
        if (has(c, r) && !is_of(part, c, r)) return false;
    return true;
  }
  [[nodiscard]] int least_reach_that_leaves(std::size_t part, int reach) const {
    for (; reach > 0; --reach)
      if (std::any_of(pixels_[part].begin(), pixels_[part].end(), [&](auto i) { return is_inner(part, i, reach); })) return reach;
    return 0;
  }

  const LabelView& label_;
  geometry::MaskParts parts_;
  std::vector<std::vector<std::int32_t>> pixels_;
  Random random_;
  DamagedMask out_;
};

}  // namespace

std::string_view name(LabelDamage damage) { return kNames[static_cast<std::size_t>(damage)]; }

std::vector<std::string> damage_names() { return {kNames.begin(), kNames.end()}; }

std::vector<Donor> donors_of(const LabelView& label) {
  const auto parts = geometry::mask_parts(label);
  const auto pixels = geometry::pixels_of_parts(parts);
  std::vector<Donor> out;
  for (std::size_t n = 0; n < pixels.size(); ++n) {
    const auto& part = parts.parts[n];
    if (part.is_cut || part.area_px < kLeastObjectPx) continue;
    Donor donor{part.value, {}};
    for (const auto i : pixels[n])
      donor.pixels.emplace_back(i % label.width - static_cast<int>(std::lround(part.centre_col)), i / label.width - static_cast<int>(std::lround(part.centre_row)));
    out.push_back(std::move(donor));
  }
  return out;
}

DamagedMask damage_label(const LabelView& label, LabelDamage damage, const std::vector<Donor>& donors, const std::vector<std::uint8_t>& classes, std::uint64_t seed) {
  Damaged damaged(label, seed);
  switch (damage) {
    case LabelDamage::drop: damaged.drop(); break;
    case LabelDamage::shift: damaged.shift(); break;
    case LabelDamage::rotate: damaged.rotate(); break;
    case LabelDamage::dilate: damaged.dilate(); break;
    case LabelDamage::erode: damaged.erode(); break;
    case LabelDamage::add: damaged.add(donors); break;
    case LabelDamage::swap: damaged.swap(classes); break;
    case LabelDamage::truncate: damaged.truncate(); break;
  }
  return damaged.take();
}

}  // namespace tilewright::pipeline
