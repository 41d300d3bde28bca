// SPDX-License-Identifier: Apache-2.0
// Stands in for the compiler's header: AVX-512 in plain C++ (SIMDe), for machines that lack it.
#pragma once
#define SIMDE_NO_NATIVE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
using __mmask16 = simde__mmask16;
