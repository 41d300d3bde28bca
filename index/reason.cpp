// SPDX-License-Identifier: Apache-2.0
// The table of reasons.
#include "index/reason.h"
