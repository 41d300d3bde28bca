// SPDX-License-Identifier: Apache-2.0
// Metrics of images with any number of classes, and how well probabilities tell the truth.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tilewright::learn {

/// Hits, false alarms and misses of each class over samples with a yes or no for each class.
class LabelCounts {
 public:
  explicit LabelCounts(int classes);
  /// 0 or 1 for each class of one sample.
  void add(std::span<const std::uint8_t> truth, std::span<const std::uint8_t> prediction);
  [[nodiscard]] int classes() const { return static_cast<int>(hits_.size()); }
  [[nodiscard]] std::int64_t samples() const { return samples_; }
  [[nodiscard]] std::int64_t exact() const { return exact_; }  ///< samples with all classes right
  [[nodiscard]] std::int64_t hits(int k) const { return hits_[static_cast<std::size_t>(k)]; }
  [[nodiscard]] std::int64_t alarms(int k) const { return alarms_[static_cast<std::size_t>(k)]; }
  [[nodiscard]] std::int64_t misses(int k) const { return misses_[static_cast<std::size_t>(k)]; }

 private:
  std::vector<std::int64_t> hits_, alarms_, misses_;
  std::int64_t samples_ = 0, exact_ = 0;
};

/// F1 = 2 TP / (2 TP + FP + FN). A class that is neither in truth nor in prediction has none and is
/// left out of the mean; nothing at all (no class anywhere) is a micro F1 of 1.
struct LabelMetrics {
  double f1_micro = 1, f1_macro = 0, exact_match = 0;
  std::vector<std::optional<double>> f1;  ///< by class
};
LabelMetrics metrics_of(const LabelCounts& counts);

/// Confidence of predictions against how often they are right, in 15 bins of equal width.
class Calibration {
 public:
  static constexpr int kBins = 15;
  /// Probability of the predicted class, in [0, 1]; a truth of 255 does not count.
  void add(std::span<const float> confidence, std::span<const std::uint8_t> truth,
           std::span<const std::uint8_t> prediction);
  /// ECE: mean over predictions of |share right - mean confidence| of their bin; 0 without any.
  /// Source: Guo et al. 2017, eq. 3.
  [[nodiscard]] double expected_error() const;

 private:
  struct Bin {
    std::int64_t count = 0, right = 0;
    double confidence = 0;
  };
  std::array<Bin, kBins> bins_{};
};

}  // namespace tilewright::learn
