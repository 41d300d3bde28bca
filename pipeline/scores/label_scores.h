// SPDX-License-Identifier: Apache-2.0
// Scores of one location's label as pure functions of pixels and probabilities; SCIENCE 3.1.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "geometry/mask_parts.h"
#include "geometry/mask_shift.h"

namespace tilewright::pipeline {

using LabelView = geometry::MaskPixels;

/// What a model thinks of a window: (K,H,W), summing to 1 over the classes, finite.
struct Probabilities {
  std::span<const float> khw;
  std::span<const std::uint8_t> class_ids;   ///< of each plane; at most 255
  [[nodiscard]] std::size_t pixels() const { return class_ids.empty() ? 0 : khw.size() / class_ids.size(); }
  /// Plane of each class, -1 for classes that the model does not know.
  [[nodiscard]] std::vector<int> plane_of_class() const;
};

/// The class with the greatest probability at each pixel; ties to the first.
std::vector<std::uint8_t> decided(const Probabilities& model);

/// Probability that a pixel belongs to some class but 0.
std::vector<float> foreground(const Probabilities& model);

/// Magnitude of the gradient per pixel of one band, by central differences (one-sided at the edges).
std::vector<float> gradient_magnitude(std::span<const float> band, int width, int height);
/// The same into a buffer that is used again.
void gradient_magnitude(std::span<const float> band, int width, int height, std::vector<float>& out);

/// The gradient that a strong edge has in these views: median over views of each one's 95th percentile.
/// 0 for no views.
double edge_scale(std::vector<double> percentiles_95);
double percentile_95(std::vector<float> gradient);

/// Label pixels beside another value, in the window; ignored pixels and the window's edge are no boundary. Ascending.
std::vector<std::int32_t> boundary_pixels(const LabelView& label);

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

/// Sum over pixels of s * softmax((1 - s) / T), s = P(label), T = 0.1: near the least s. In [0, 1], greater is better.
/// nullopt: no pixel with a class of the model. Source: cleanlab/segmentation/rank.py (Lad & Mueller 2023).
std::optional<double> softmin(const LabelView& label, const Probabilities& model);

/// Mean of ln P(label), P at least 1e-7: the negative loss. At most 0, greater is better. nullopt as for softmin.
std::optional<double> log_likelihood(const LabelView& label, const Probabilities& model);

/// Sum of P_j and number of pixels labelled j, for each plane j; and the sum of P_j at all pixels with a class.
struct ClassConfidence {
  std::vector<double> sum;
  std::vector<std::int64_t> count;
  std::vector<double> sum_everywhere;
  void add(const LabelView& label, const Probabilities& model);
  void add(const ClassConfidence& other);
  /// Mean P_j over pixels labelled j; 2 (never reached) for classes that nothing is labelled with.
  [[nodiscard]] std::vector<double> thresholds() const;
};

/// Share of pixels that are not flagged; flagged: some P_k >= t_k, and the most probable class, differ from the label
/// (of several such k any). In [0, 1], greater is better. nullopt as for softmin.
/// Source: SCIENCE 3.1 "confident learning", cleanlab/segmentation/filter.py.
std::optional<double> confident_frac(const LabelView& label, const Probabilities& model, std::span<const double> thresholds);

inline constexpr std::int64_t kLeastObjectPx = 16;   ///< smaller predicted parts are no objects

/// Predicted parts of at least kLeastObjectPx with a mean P of their class above .5, at least half of them not ignored.
struct PredictedObject {
  geometry::MaskPart part;
  std::vector<std::int32_t> pixels;
  double mean_p = 0;
  double labelled_frac = 0;   ///< of its pixels that are not ignored: have any class
};
std::vector<PredictedObject> predicted_objects(const LabelView& label, const Probabilities& model);

/// Predicted objects of which less than a tenth is labelled. nullopt: every pixel is ignored.
std::optional<double> missing_objects(const LabelView& label, const Probabilities& model);
/// Labelled parts with a mean P of their class below .2. nullopt: no labelled pixel.
std::optional<double> false_objects(const LabelView& label, const Probabilities& model);
/// Share of the area of predicted objects that is labelled. nullopt: nothing is predicted.
std::optional<double> completeness(const LabelView& label, const Probabilities& model);

/// How much higher than the ring of 3 pixels around it the lowest labelled part stands: median inside minus median of
/// the ring's unlabelled pixels, in the band's unit. Parts below kLeastObjectPx are passed over. nullopt: no such part.
std::optional<double> height_step(std::span<const float> band, const LabelView& label);

/// The shift of the whole label, at most `reach_px` in each axis, that brings its boundary onto the strongest edges, and the
/// one with the greatest soft IoU with the foreground. nullopt: no labelled pixel.
std::optional<geometry::PixelShift> shift_to_edges(std::span<const float> gradient, const LabelView& label, double scale, int reach_px);
std::optional<geometry::PixelShift> shift_to_model(const LabelView& label, const Probabilities& model, int reach_px);

}  // namespace tilewright::pipeline
