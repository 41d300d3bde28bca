// SPDX-License-Identifier: Apache-2.0
// The loops of the fills compiled for any processor.
#include "geometry/scan_capsules_loops.h"
#include "geometry/scan_columns_loops.h"

namespace tilewright::geometry {

const ScanKernels kScalarScan{scan_columns, scan_edge, fill_rows, scan_capsule};

}  // namespace tilewright::geometry
