// SPDX-License-Identifier: Apache-2.0
// The inner loops of the fills, one implementation an instruction set: all give the same numbers.
#pragma once

#include <cstdint>

#include "geometry/scan_capsules.h"

namespace tilewright::geometry {

/// Arrays of rows are read and written in steps of so many: they have room for that many more.
inline constexpr std::int32_t kScanPadding = 8;

/// Where an edge is estimated to cross the centres of successive rows, in columns of a window.
struct EdgeScan {
  double first = 0;        ///< at the first row, so that a centre on the edge gives a whole number
  double step = 0;         ///< from row to row
  double doubt = 0;        ///< estimates nearer than this to a whole number decide nothing
  std::int32_t width = 0;  ///< columns of the window
  std::int32_t rows = 0;
};

/// Per row of a polygon: least and largest column of its crossings, and how many there are; or the
/// columns of two crossings.
struct RowSpans {
  std::int32_t* low;
  std::int32_t* high;
  std::int32_t* crossings;
};

struct ScanKernels {
  /// cols[k] = ceil(first + k * step) within [0, width]: the first column whose centre is on or
  /// right of the edge. True if any estimate was in doubt.
  bool (*columns)(const EdgeScan& edge, std::int32_t* cols);
  /// Takes the columns of the sure rows into the spans; unsure[k] is not 0 for the others. True if
  /// there are any.
  bool (*edge)(const EdgeScan& edge, const RowSpans& spans, std::int32_t* unsure);
  /// Fills the columns between low and high (the larger one is not filled), either way round;
  /// returns how many there are.
  std::int64_t (*fill)(std::uint8_t* pixels, std::int64_t stride, const RowSpans& spans,
                       std::int32_t rows, std::uint8_t value);
  /// The columns of a segment of a wide line in each row.
  void (*capsule)(const CapsuleScan& scan, const CapsuleRows& rows);
};

const ScanKernels& scan_kernels_of_this_run();
extern const ScanKernels kScalarScan;
#if defined(__x86_64__)
extern const ScanKernels kAvx2Scan, kAvx512Scan;
#endif

}  // namespace tilewright::geometry
