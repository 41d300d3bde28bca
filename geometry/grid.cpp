// SPDX-License-Identifier: Apache-2.0
// Windows, affine transforms and location ids.
#include "geometry/grid.h"
