// SPDX-License-Identifier: Apache-2.0
// Scores of one location's label as pure functions of pixels; SCIENCE 3.1.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tilewright::pipeline {

/// A label of one class or more: 0 background, 255 ignore; row-major.
struct LabelView {
  int width = 0, height = 0;
  std::span<const std::uint8_t> pixels;
};

/// Magnitude of the gradient per pixel of one band, by central differences (one-sided at the edges).
std::vector<float> gradient_magnitude(std::span<const float> band, int width, int height);

/// The gradient that a strong edge has in these views: median over views of each one's 95th percentile.
/// 0 for no views.
double edge_scale(std::vector<double> percentiles_95);
double percentile_95(std::vector<float> gradient);

/// How well a label lies on edges of the image, without a model: mean of min(gradient / scale, 1) over the label's boundary
/// (label pixels beside another value, in the window) plus the share of steep pixels (gradient > scale / 2)
/// that lie in the label grown by 2 pixels; in [0, 2], greater is better. Ignored pixels count nowhere.
/// nullopt: no labelled pixel, or no boundary inside the window.
/// Source: SCIENCE 3.1 "DEM edge agreement"; differs: scale from the data instead of metres, so that images work too.
std::optional<double> edge_agreement(std::span<const float> gradient, const LabelView& label, double scale);

/// Share of the labelled area in connected parts (4-neighbours, equal class) that touch the window's edge or an ignored
/// pixel; in [0, 1], smaller is better. nullopt: no labelled pixel.
std::optional<double> clipped_frac(const LabelView& label);

/// Mean IoU over the classes but 0 that either side has, on pixels that are not 255. 0 if only one side has any class.
/// nullopt: neither side has a class, or every pixel is ignored.
std::optional<double> label_iou(std::span<const std::uint8_t> predicted, std::span<const std::uint8_t> label);

}  // namespace tilewright::pipeline
