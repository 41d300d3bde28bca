// SPDX-License-Identifier: Apache-2.0
// Repairs of one label, step by step.
#include "pipeline/scores/repair_label.h"

#include <algorithm>

#include "pipeline/scores/snap_outline.h"

namespace tilewright::pipeline {
namespace {

using geometry::PixelShift;
using geometry::ShiftValues;

constexpr std::uint8_t kIgnore = 255;
constexpr double kTie = 0.02, kLeastGain = 0.1, kUnseen = 0.2, kUnlabelled = 0.1;
constexpr int kRingPx = 2;

class Repair {
 public:
  Repair(const LabelView& label, const Probabilities& model, std::span<const float> strength, int reach_px)
      : width_(label.width), height_(label.height), model_(model), strength_(strength), reach_px_(reach_px), planes_(model.plane_of_class()),
        foreground_(foreground(model)) {
    out_.pixels.assign(label.pixels.begin(), label.pixels.end());
  }

  void shift_objects() {
    const auto parts = geometry::mask_parts(view());
    if (parts.parts.empty()) return;
    const auto pixels = geometry::pixels_of_parts(parts);
    const auto start = shift_of_all();
    std::vector<ShiftValues> values;
    for (const auto& part : pixels) values.push_back(values_of(part));
    auto shifts = geometry::smooth_shifts(values, parts.parts, start, kTie);
    for (std::size_t n = 0; n < shifts.size(); ++n) {
      const double gain = values[n].at(shifts[n]) - values[n].at({0, 0});
      const bool is_worth_it = shifts[n] != PixelShift{} && gain >= kLeastGain && mean_after(pixels[n], parts.parts[n].value, shifts[n]) >= kUnseen;
      if (!is_worth_it) shifts[n] = {};
      else out_.proposals.push_back(proposal(RepairKind::shift, parts.parts[n], shifts[n], gain));
    }
    out_.pixels = geometry::moved_parts(view(), parts, shifts);
  }

  void snap_outlines() {
    const auto parts = geometry::mask_parts(view());
    const auto pixels = geometry::pixels_of_parts(parts);
    for (std::size_t n = 0; n < pixels.size(); ++n) {
      const auto& part = parts.parts[n];
      const auto snapped = snap_outline(view(), pixels[n], foreground_, strength_, reach_px_);
      if (snapped.gain < kLeastGain || mean_after(snapped.pixels, part.value, {}) < kUnseen) continue;
      for (const auto i : pixels[n]) out_.pixels[static_cast<std::size_t>(i)] = 0;
      for (const auto i : snapped.pixels) out_.pixels[static_cast<std::size_t>(i)] = part.value;
      auto change = proposal(RepairKind::snap, part, {}, snapped.gain);
      change.grown_px = snapped.grown_px;
      out_.proposals.push_back(change);
    }
  }

  void remove_objects() {
    const auto parts = geometry::mask_parts(view());
    const auto pixels = geometry::pixels_of_parts(parts);
    for (std::size_t n = 0; n < pixels.size(); ++n) {
      const auto& part = parts.parts[n];
      if (planes_[part.value] < 0) continue;
      const double mean = mean_after(pixels[n], part.value, {});
      if (mean >= kUnseen) continue;
      for (const auto i : pixels[n]) out_.pixels[static_cast<std::size_t>(i)] = 0;
      out_.proposals.push_back(proposal(RepairKind::remove, part, {}, mean));
    }
  }

  void add_objects() {
    for (const auto& object : predicted_objects(view(), model_)) {
      if (object.labelled_frac >= kUnlabelled) continue;
      for (const auto i : object.pixels)
        if (auto& pixel = out_.pixels[static_cast<std::size_t>(i)]; pixel == 0) pixel = object.part.value;
      out_.proposals.push_back(proposal(RepairKind::add, object.part, {}, object.mean_p));
    }
  }

  void take_pixels(double confidence) {
    const auto classes = decided(model_);
    RepairProposal changed{.kind = RepairKind::pixels, .value = 0, .col = 0, .row = 0, .area_px = 0, .shift = {}, .grown_px = 0, .evidence = confidence};
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const auto p = static_cast<double>(model_.khw[static_cast<std::size_t>(planes_[classes[i]]) * model_.pixels() + i]);
      if (out_.pixels[i] == kIgnore || out_.pixels[i] == classes[i] || p <= confidence) continue;
      if (changed.area_px == 0) changed.col = static_cast<int>(i) % width_, changed.row = static_cast<int>(i) / width_;
      out_.pixels[i] = classes[i];
      ++changed.area_px;
    }
    if (changed.area_px > 0) out_.proposals.push_back(changed);
  }

  RepairedLabel take() { return std::move(out_); }

 private:
  [[nodiscard]] LabelView view() const { return {width_, height_, out_.pixels}; }

  static RepairProposal proposal(RepairKind kind, const geometry::MaskPart& part, PixelShift shift, double evidence) {
    return {kind, part.value, part.first_col, part.first_row, part.area_px, shift, 0, evidence};
  }

  /// Of the whole label, {0, 0} unless it gains enough.
  [[nodiscard]] PixelShift shift_of_all() const {
    std::vector<std::int32_t> labelled;
    for (std::size_t i = 0; i < out_.pixels.size(); ++i)
      if (out_.pixels[i] != 0 && out_.pixels[i] != kIgnore) labelled.push_back(static_cast<std::int32_t>(i));
    auto values = geometry::soft_iou_by_shift(labelled, {width_, height_, foreground_}, reach_px_);
    if (!strength_.empty()) values.add(geometry::contrast_by_shift(boundary_pixels(view()), {}, {width_, height_, strength_}, reach_px_), kEdgeWeight);
    const auto best = values.best();
    return values.at(best) - values.at({0, 0}) >= kLeastGain ? best : PixelShift{};
  }

  /// Of one object: probability inside against the ring around it, and edges under its boundary.
  [[nodiscard]] ShiftValues values_of(const std::vector<std::int32_t>& part) const {
    const auto ring = geometry::ring_around(view(), part, kRingPx);
    auto values = geometry::contrast_by_shift(part, ring, {width_, height_, foreground_}, reach_px_);
    if (strength_.empty()) return values;
    std::vector<std::uint8_t> alone(out_.pixels.size(), 0);
    for (const auto i : part) alone[static_cast<std::size_t>(i)] = 1;
    values.add(geometry::contrast_by_shift(boundary_pixels({width_, height_, alone}), {}, {width_, height_, strength_}, reach_px_), kEdgeWeight);
    return values;
  }

  /// Mean probability of the class over the moved pixels that stay in the window; 0 if none does.
  [[nodiscard]] double mean_after(const std::vector<std::int32_t>& part, std::uint8_t value, PixelShift d) const {
    if (planes_[value] < 0) return 1;
    const auto plane = model_.khw.subspan(static_cast<std::size_t>(planes_[value]) * model_.pixels(), model_.pixels());
    double sum = 0;
    std::int64_t count = 0;
    for (const auto pixel : part) {
      const int col = pixel % width_ + d.dx, row = pixel / width_ + d.dy;
      if (col < 0 || row < 0 || col >= width_ || row >= height_) continue;
      sum += static_cast<double>(plane[static_cast<std::size_t>(row) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(col)]);
      ++count;
    }
    return count > 0 ? sum / static_cast<double>(count) : 0;
  }

  int width_, height_;
  const Probabilities& model_;
  std::span<const float> strength_;
  int reach_px_;
  std::vector<int> planes_;
  std::vector<float> foreground_;
  RepairedLabel out_;
};

}  // namespace

std::string_view name(RepairKind kind) {
  constexpr std::string_view kNames[] = {"shift", "snap", "add", "remove", "pixels"};
  return kNames[static_cast<std::size_t>(kind)];
}

RepairedLabel repair_label(const LabelView& label, const Probabilities& model, std::span<const float> strength, const RepairConfig& config, int reach_px) {
  Repair repair(label, model, strength, reach_px);
  if (config.shift) repair.shift_objects();
  if (config.snap) repair.snap_outlines();
  if (config.remove) repair.remove_objects();
  if (config.add) repair.add_objects();
  if (config.pixels > 0) repair.take_pixels(config.pixels);
  return repair.take();
}

}  // namespace tilewright::pipeline
