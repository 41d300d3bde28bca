// SPDX-License-Identifier: Apache-2.0
// The loops for processors with AVX-512.
#include "learn/data/pixel_loops.h"

namespace tilewright::learn {

const PixelKernels kAvx512Pixels = {scale_any, scale_floats, keep_bytes_below};

}  // namespace tilewright::learn
