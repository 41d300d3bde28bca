// SPDX-License-Identifier: Apache-2.0
// By how many pixels a label lies beside what it labels: exhaustive search, for a window and object by object.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "geometry/mask_parts.h"

namespace tilewright::geometry {

/// East and south, pixels.
struct PixelShift {
  int dx = 0, dy = 0;
  friend bool operator==(const PixelShift&, const PixelShift&) = default;
  [[nodiscard]] double length() const;
};

/// A value for every shift of at most `reach` pixels in each axis.
class ShiftValues {
 public:
  explicit ShiftValues(int reach) : reach_(reach), values_(static_cast<std::size_t>((2 * reach + 1) * (2 * reach + 1)), 0) {}
  [[nodiscard]] int reach() const { return reach_; }
  [[nodiscard]] double& at(PixelShift d) { return values_[index(d)]; }
  [[nodiscard]] double at(PixelShift d) const { return values_[index(d)]; }
  /// The greatest value; ties go to the shortest shift, then to the north, then to the west.
  [[nodiscard]] PixelShift best() const;
  /// this + weight * other, of equal reach.
  void add(const ShiftValues& other, double weight);

 private:
  [[nodiscard]] std::size_t index(PixelShift d) const { return static_cast<std::size_t>((d.dy + reach_) * (2 * reach_ + 1) + d.dx + reach_); }
  int reach_;
  std::vector<double> values_;
};

/// Pixels of a window by number; those shifted out of it count nowhere.
struct Field {
  int width = 0, height = 0;
  std::span<const float> values;
};

/// Soft IoU of the label moved by d with a probability in [0, 1]: sum of P under the label over
/// (sum of P + moved area - that sum); 0 if nothing is left in the window.
/// Source: SCIENCE 3.1 "shift registration".
ShiftValues soft_iou_by_shift(std::span<const std::int32_t> label, const Field& probability, int reach);

/// Mean of the field over the moved pixels minus that over the moved `ring` (an empty ring is 0). A shift that moves
/// more than half of the pixels out of the window is worth -1.
ShiftValues contrast_by_shift(std::span<const std::int32_t> pixels, std::span<const std::int32_t> ring, const Field& field, int reach);

/// Shift of each object by its own values, tied to the mean shift of its `neighbours` nearest ones: the sum of value -
/// tie * |d - mean|^2 climbs object by object from `start` until nothing moves (or 20 rounds).
/// Centres as (col, row). Source: SCIENCE 3.1 "per object with a smoothness prior (neighbours share d)".
std::vector<PixelShift> smooth_shifts(const std::vector<ShiftValues>& objects, const std::vector<MaskPart>& places, PixelShift start, double tie, int neighbours = 4);

/// The mask with each part moved by its shift: later parts win; what leaves the window is lost, ignored pixels stay.
std::vector<std::uint8_t> moved_parts(const MaskPixels& mask, const MaskParts& parts, const std::vector<PixelShift>& shifts);

}  // namespace tilewright::geometry
