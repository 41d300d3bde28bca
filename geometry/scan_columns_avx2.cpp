// SPDX-License-Identifier: Apache-2.0
// The loops of the polygon fill compiled for avx2.
#include "geometry/scan_columns_loops.h"

namespace tilewright::geometry {

const ScanKernels kAvx2Scan{scan_columns, add_rows};

}  // namespace tilewright::geometry
