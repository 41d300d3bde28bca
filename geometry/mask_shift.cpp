// SPDX-License-Identifier: Apache-2.0
// Exhaustive search over integer shifts; iterated conditional modes for neighbouring objects.
#include "geometry/mask_shift.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace tilewright::geometry {
namespace {

constexpr int kRounds = 20;

struct MovedSum {
  double sum = 0;
  std::int64_t count = 0;
};

MovedSum sum_moved(std::span<const std::int32_t> pixels, const Field& field, PixelShift d) {
  MovedSum out;
  for (const auto pixel : pixels) {
    const int col = pixel % field.width + d.dx, row = pixel / field.width + d.dy;
    if (col < 0 || row < 0 || col >= field.width || row >= field.height) continue;
    out.sum += static_cast<double>(field.values[static_cast<std::size_t>(row) * static_cast<std::size_t>(field.width) + static_cast<std::size_t>(col)]);
    ++out.count;
  }
  return out;
}

template <class Use>
void each_shift(int reach, Use use) {
  for (int dy = -reach; dy <= reach; ++dy)
    for (int dx = -reach; dx <= reach; ++dx) use(PixelShift{dx, dy});
}

/// Numbers of the objects nearest to each.
std::vector<std::vector<std::size_t>> nearest_objects(const std::vector<MaskPart>& places, int neighbours) {
  std::vector<std::vector<std::size_t>> out(places.size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t j = 0; j < places.size(); ++j)
      if (j != i) order.emplace_back(std::hypot(places[j].centre_col - places[i].centre_col, places[j].centre_row - places[i].centre_row), j);
    std::sort(order.begin(), order.end());
    for (std::size_t n = 0; n < std::min(order.size(), static_cast<std::size_t>(neighbours)); ++n) out[i].push_back(order[n].second);
  }
  return out;
}

}  // namespace

double PixelShift::length() const { return std::hypot(dx, dy); }

PixelShift ShiftValues::best() const {
  PixelShift best;
  each_shift(reach_, [&](PixelShift d) {
    const auto rank = [&](PixelShift s) { return std::make_tuple(-at(s), s.dx * s.dx + s.dy * s.dy, s.dy, s.dx); };
    if (rank(d) < rank(best)) best = d;
  });
  return best;
}

void ShiftValues::add(const ShiftValues& other, double weight) {
  for (std::size_t i = 0; i < values_.size(); ++i) values_[i] += weight * other.values_[i];
}

ShiftValues soft_iou_by_shift(std::span<const std::int32_t> label, const Field& probability, int reach) {
  const double all = std::accumulate(probability.values.begin(), probability.values.end(), 0.0);
  ShiftValues out(reach);
  each_shift(reach, [&](PixelShift d) {
    const auto under = sum_moved(label, probability, d);
    const double either = all + static_cast<double>(under.count) - under.sum;
    out.at(d) = under.count > 0 && either > 0 ? under.sum / either : 0;
  });
  return out;
}

ShiftValues contrast_by_shift(std::span<const std::int32_t> pixels, std::span<const std::int32_t> ring, const Field& field, int reach) {
  ShiftValues out(reach);
  each_shift(reach, [&](PixelShift d) {
    const auto inside = sum_moved(pixels, field, d), around = sum_moved(ring, field, d);
    if (2 * inside.count < static_cast<std::int64_t>(pixels.size()) || inside.count == 0) {
      out.at(d) = -1;
      return;
    }
    out.at(d) = inside.sum / static_cast<double>(inside.count) - (around.count > 0 ? around.sum / static_cast<double>(around.count) : 0);
  });
  return out;
}

std::vector<PixelShift> smooth_shifts(const std::vector<ShiftValues>& objects, const std::vector<MaskPart>& places, PixelShift start, double tie, int neighbours) {
  std::vector<PixelShift> shifts(objects.size(), start);
  const auto near = nearest_objects(places, neighbours);
  bool moved = true;
  for (int round = 0; round < kRounds && moved; ++round) {
    moved = false;
    for (std::size_t i = 0; i < objects.size(); ++i) {
      double mean_dx = start.dx, mean_dy = start.dy;
      if (!near[i].empty()) {
        mean_dx = mean_dy = 0;
        for (const auto j : near[i]) mean_dx += shifts[j].dx, mean_dy += shifts[j].dy;
        mean_dx /= static_cast<double>(near[i].size());
        mean_dy /= static_cast<double>(near[i].size());
      }
      ShiftValues tied = objects[i];
      each_shift(tied.reach(), [&](PixelShift d) { tied.at(d) -= tie * ((d.dx - mean_dx) * (d.dx - mean_dx) + (d.dy - mean_dy) * (d.dy - mean_dy)); });
      const auto best = tied.best();
      if (best == shifts[i] || tied.at(best) <= tied.at(shifts[i])) continue;
      shifts[i] = best;
      moved = true;
    }
  }
  return shifts;
}

std::vector<std::uint8_t> moved_parts(const MaskPixels& mask, const MaskParts& parts, const std::vector<PixelShift>& shifts) {
  constexpr std::uint8_t kIgnore = 255;
  std::vector<std::uint8_t> out(mask.pixels.size(), 0);
  for (std::size_t i = 0; i < out.size(); ++i)
    if (mask.pixels[i] == kIgnore) out[i] = kIgnore;
  const auto pixels = pixels_of_parts(parts);
  for (std::size_t n = 0; n < pixels.size(); ++n)
    for (const auto pixel : pixels[n]) {
      const int col = pixel % mask.width + shifts[n].dx, row = pixel / mask.width + shifts[n].dy;
      if (col < 0 || row < 0 || col >= mask.width || row >= mask.height) continue;
      auto& target = out[static_cast<std::size_t>(row) * static_cast<std::size_t>(mask.width) + static_cast<std::size_t>(col)];
      if (target != kIgnore) target = parts.parts[n].value;
    }
  return out;
}

}  // namespace tilewright::geometry
