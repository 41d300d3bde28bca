// SPDX-License-Identifier: Apache-2.0
// Columns of a capsule in successive rows, as many rows at once as the processor's vectors hold. A
// row of a capsule is one run, since it is convex: the hull of the runs of its rectangle and its
// discs, cut by flat ends.
#pragma once

#include "geometry/scan_capsules.h"
#include "geometry/scan_columns.h"
#include "geometry/scan_lanes.h"

namespace tilewright::geometry {
namespace {

/// Real columns of each row, closed; none where high < low.
struct Run {
  Doubles low, high;
};
constexpr double kNowhere = 1e9;  // low of a run without columns; its high is the opposite

inline Mask is_tiny(const Run& run) { return size_of(run.high - run.low) < kNearBorder; }

/// Keeps columns where from <= line <= to; `margin`: metres from a border along the row at which a
/// row is unsure.
inline void cut(Run& run, Mask& unsure, const RowLine& line, Doubles row, double from, double to,
                double margin) {
  const Doubles value = line.value + row * line.down;
  if (line.inverse != 0) {
    const Doubles a = (from - value) * line.inverse, b = (to - value) * line.inverse;
    run.low = larger(run.low, smaller(a, b));
    run.high = smaller(run.high, larger(a, b));
    return;
  }
  const Mask is_out = (from - value > margin) | (value - to > margin),
             is_in = (value - from > margin) & (to - value > margin);
  unsure |= neither(is_out, is_in);
  run.low = is_out ? each(kNowhere) : run.low;
  run.high = is_out ? each(-kNowhere) : run.high;
}

/// Takes the run of a disc to that of another part of the same convex shape.
inline void unite(Run& run, Mask& unsure, const CapsuleScan& scan, const RowDisc& disc,
                  Doubles row) {
  const Doubles across = disc.across + row * disc.across_down,
                middle = disc.middle + row * disc.middle_down;
  const double square = scan.half * scan.half;
  const Doubles left = square - across * across;
  unsure |= size_of(left) <= kNearTangent * (square + scan.step_m * scan.step_m);
  const Doubles half = root(larger(left, Doubles{})) * (1 / scan.step_m);
  const Run own{larger(middle - half, each(-2)), smaller(middle + half, each(scan.width + 1.0))};
  unsure |= is_tiny(own) & (left > 0);
  const Mask is_none = (left <= 0) | (own.high < own.low);
  run.low = smaller(run.low, is_none ? each(kNowhere) : own.low);
  run.high = larger(run.high, is_none ? each(-kNowhere) : own.high);
}

inline Run rectangle(Mask& unsure, const CapsuleScan& scan, Doubles row) {
  if (scan.length == 0) return {each(kNowhere), each(-kNowhere)};
  const auto margin = [&](const RowLine& line) {
    return kNearBorder * scan.step_m +
           (line.slope < 0 ? -line.slope : line.slope) * (scan.width + 4.0);
  };
  Run run{each(-2), each(scan.width + 1.0)};
  cut(run, unsure, scan.across, row, -scan.half, scan.half, margin(scan.across));
  cut(run, unsure, scan.along, row, 0, scan.length, margin(scan.along));
  unsure |= is_tiny(run);
  const Mask is_none = run.high < run.low;
  return {is_none ? each(kNowhere) : run.low, is_none ? each(-kNowhere) : run.high};
}

/// Whole columns within the window.
inline void write(const CapsuleRows& out, std::int32_t k, const Run& run, Mask unsure,
                  const CapsuleScan& scan) {
  unsure |= is_tiny(run);
  const Mask is_none = run.high < run.low;
  const Doubles low = is_none ? each(0.5) : larger(run.low, each(-1.5)),
                high = is_none ? each(-0.5) : smaller(run.high, each(scan.width + 0.5));
  const Doubles first = whole(low + 2.0) - 1.0,
                last = whole(larger(high + 2.0, Doubles{})) - 2.0;  // above low, at most high
  const Doubles above = first - low, below = high - last;
  unsure |= (above < kNearBorder) | (above > 1 - kNearBorder) | (below < kNearBorder) |
            (below > 1 - kNearBorder);
  store(out.first + k, ints(larger(first, Doubles{})));
  store(out.end + k, ints(smaller(last + 1.0, each(scan.width))));
  store(out.doubt + k, ints_of(unsure));
}

void scan_capsule(const CapsuleScan& given, const CapsuleRows& out) {
  const CapsuleScan scan = given;  // stores might change the original
  for (std::int32_t k = 0; k < scan.rows; k += kLanes) {
    const Doubles row = rows_from(k);
    Mask unsure{};
    Run run = rectangle(unsure, scan, row);
    unite(run, unsure, scan, scan.start, row);
    if (scan.has_end_disc && scan.length > 0) unite(run, unsure, scan, scan.end, row);
    for (int e = 0; e < scan.end_count; ++e) {
      const RowLine& line = scan.ends[e];
      cut(run, unsure, line, row, -1e300, 0,
          kNearBorder * scan.step_m +
              (line.slope < 0 ? -line.slope : line.slope) * (scan.width + 4.0));
    }
    write(out, k, run, unsure, scan);
  }
}

}  // namespace
}  // namespace tilewright::geometry
