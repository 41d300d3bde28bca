// SPDX-License-Identifier: Apache-2.0
// The loops of the fills compiled for avx512.
#include "geometry/scan_capsules_loops.h"
#include "geometry/scan_columns_loops.h"

namespace tilewright::geometry {

const ScanKernels kAvx512Scan{scan_columns, scan_edge, fill_rows, scan_capsule};

}  // namespace tilewright::geometry
