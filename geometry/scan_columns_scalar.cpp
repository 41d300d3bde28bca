// SPDX-License-Identifier: Apache-2.0
// The loops of the polygon fill compiled for any processor.
#include "geometry/scan_columns_loops.h"

namespace tilewright::geometry {

const ScanKernels kScalarScan{scan_columns, add_rows};

}  // namespace tilewright::geometry
