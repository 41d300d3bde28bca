// SPDX-License-Identifier: Apache-2.0
// Segmentation metrics from one confusion matrix over the whole set.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tilewright::learn {

/// matrix[truth * classes + prediction], pixels; truth 255 is never counted.
class Confusion {
 public:
  explicit Confusion(int classes);
  /// Class numbers; both of equal length. A truth of `classes` or more that is not 255 is counted
  /// as ignored.
  void add(std::span<const std::uint8_t> truth, std::span<const std::uint8_t> prediction);
  void add(const Confusion& other);
  [[nodiscard]] int classes() const { return classes_; }
  [[nodiscard]] std::int64_t at(int truth, int prediction) const;
  [[nodiscard]] std::int64_t pixels() const;  ///< counted, without ignored ones
  [[nodiscard]] std::int64_t ignored() const { return ignored_; }

 private:
  int classes_;
  std::vector<std::int64_t> counts_;
  std::int64_t ignored_ = 0;
};

/// IoU = TP / (TP + FP + FN), accumulated over the whole set, not averaged over images. A class
/// that is neither in truth nor in prediction (empty and empty) has no IoU: it is excluded from the
/// mean and counted. For single-label pixels iou_micro = overall_accuracy / (2 - overall_accuracy).
struct SegmentationMetrics {
  double overall_accuracy = 0;
  double iou_micro = 0;  ///< sum of TP / sum of (TP + FP + FN)
  double iou_macro = 0;  ///< mean over classes that have one
  double f1_macro = 0;
  std::vector<std::optional<double>> iou, f1;  ///< by class; nullopt: empty and empty
  int empty_classes = 0;
  std::int64_t pixels = 0, ignored = 0;
};
SegmentationMetrics metrics_of(const Confusion& confusion);

}  // namespace tilewright::learn
