// SPDX-License-Identifier: Apache-2.0
// The loops for processors with AVX2.
#include "learn/data/pixel_loops.h"

namespace tilewright::learn {

const PixelKernels kAvx2Pixels = {scale_any, scale_floats, keep_bytes_below};

}  // namespace tilewright::learn
