// SPDX-License-Identifier: Apache-2.0
// The inner loops of the polygon fill, one implementation an instruction set: all give the same numbers.
#pragma once

#include <cstdint>

namespace tilewright::geometry {

/// Arrays of rows are read and written in steps of so many: they have room for that many more.
inline constexpr std::int32_t kScanPadding = 8;

/// Where an edge is estimated to cross the centres of successive rows, in columns of a window.
struct EdgeScan {
  double first = 0;       ///< at the first row, so that a centre on the edge gives a whole number
  double step = 0;        ///< from row to row
  double doubt = 0;       ///< estimates nearer than this to a whole number decide nothing
  std::int32_t width = 0; ///< columns of the window
  std::int32_t rows = 0;
};

/// Per row of a polygon: least and largest column of its crossings, and how many there are.
struct RowSpans {
  std::int32_t* low;
  std::int32_t* high;
  std::int32_t* crossings;
};

struct ScanKernels {
  /// cols[k] = ceil(first + k * step) within [0, width]: the first column whose centre is on or right of
  /// the edge. True if any estimate was in doubt.
  bool (*columns)(const EdgeScan& edge, std::int32_t* cols);
  /// Takes `rows` crossings into the spans; what lies behind them is written as it was.
  void (*add)(const std::int32_t* cols, std::int32_t rows, const RowSpans& spans);
};

extern const ScanKernels kScalarScan;
#if defined(__x86_64__)
extern const ScanKernels kAvx2Scan, kAvx512Scan;
#endif

}  // namespace tilewright::geometry
