// SPDX-License-Identifier: Apache-2.0
// Rows of pixels against a capsule, from equations: what the loops of scan_capsules_loops.h are
// told, and what they answer.
#pragma once

#include <cstdint>

namespace tilewright::geometry {

/// Metres at the centre of column c in row k: value + k * down + c * slope.
struct RowLine {
  double value = 0, down = 0, slope = 0;
  double inverse = 0;  ///< 1 / slope; 0 where the border runs along the row
};

/// A disc: the column nearest to its middle, and how far that row passes it, both linear in the
/// row.
struct RowDisc {
  double middle = 0, middle_down = 0;  ///< columns
  double across = 0, across_down = 0;  ///< metres
};

/// A segment of a wide line, cut by flat ends: rows 0 to `rows` and columns 0 to `width` of a
/// window.
struct CapsuleScan {
  RowLine across, along;        ///< metres beside the segment, and along it from its start
  double half = 0, length = 0;  ///< metres; no length: a disc
  RowDisc start, end;
  bool has_end_disc = false;
  RowLine ends[2] = {};  ///< nothing is inside where one is above 0
  int end_count = 0;
  double step_m = 1;  ///< from column to column
  std::int32_t width = 0, rows = 0;
};

/// Per row: columns [first, end) inside, first >= end: none; doubt: not 0 where a border is too
/// near to a centre to be sure, or runs along the row. Arrays have room for kScanPadding more rows.
struct CapsuleRows {
  std::int32_t* first;
  std::int32_t* end;
  std::int32_t* doubt;
};

// Rounding moves borders by far less than these, in pixels and as shares of a radius.
inline constexpr double kNearBorder = 1e-4, kLeastSlope = 1e-5, kNearTangent = 1e-5;

}  // namespace tilewright::geometry
