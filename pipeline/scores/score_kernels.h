// SPDX-License-Identifier: Apache-2.0
// The loops over pixels that scores spend their time in, compiled for several vector instructions; the same bytes from each.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tilewright::pipeline {

/// A label beside the planes of a model; pixels whose value has no plane count nowhere.
struct LabelledPlanes {
  const float* khw;
  const std::uint8_t* class_ids;   ///< of each plane, none twice
  std::size_t classes;
  const std::uint8_t* label;
  std::size_t pixels;
};

struct SoftminSums {
  double weighted = 0, weights = 0;   ///< sums of s * w and of w, w = exp((1 - s) / temperature)
};
struct LogSum {
  double sum = 0;                     ///< of ln max(s, 1e-7)
  std::int64_t pixels = 0;
};
struct FlaggedPixels {
  std::int64_t pixels = 0, flagged = 0;
};
/// Of one class: pixels that label and model both give it, and that either gives it; ignored ones count nowhere.
struct ClassPixelCount {
  std::int64_t both = 0, either = 0;
};
/// Of a label over a gradient, at pixels that are not ignored.
struct EdgePixels {
  std::int64_t steep = 0, steep_near = 0;   ///< gradient above the limit; of them those within 2 pixels of the label
};

struct ScoreKernels {
  SoftminSums (*softmin)(const LabelledPlanes&, float temperature);
  LogSum (*log_sum)(const LabelledPlanes&);
  /// `thresholds`: of each plane; a plane is confident from its threshold on.
  FlaggedPixels (*flagged)(const LabelledPlanes&, const float* thresholds);
  /// Fills `counts` (one a plane); returns the pixels that are neither ignored nor of a class with a plane.
  std::int64_t (*overlaps)(const LabelledPlanes&, ClassPixelCount* counts);
  void (*gradient)(const float* band, int width, int height, float* out);
  /// `boundary`: edge_words words, the bit of a label pixel set where another value that is not ignored lies beside it; bit c % 64 of
  /// a row's word c / 64 is column c. `scratch`: five times as many words, of any content.
  EdgePixels (*edges)(const float* gradient, const std::uint8_t* label, int width, int height, float steep_above, std::uint64_t* boundary, std::uint64_t* scratch);
};

/// Words that hold a bit for each pixel, each row in words of its own.
constexpr std::size_t edge_words(int width, int height) { return static_cast<std::size_t>(height) * ((static_cast<std::size_t>(width) + 63) / 64); }

/// Those for the instructions of this run (TILEWRIGHT_ISA).
const ScoreKernels& score_kernels();

extern const ScoreKernels kScalarScores, kAvx2Scores, kAvx512Scores;

}  // namespace tilewright::pipeline
