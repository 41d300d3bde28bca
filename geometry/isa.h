// SPDX-License-Identifier: Apache-2.0
// Which vector instructions this run uses: found once, TILEWRIGHT_ISA=scalar|avx2|avx512 overrides.
#pragma once

namespace tilewright::geometry {

enum class Isa { scalar, avx2, avx512 };

/// True if this processor (and this build) runs it.
bool is_supported(Isa isa);
/// The best supported one, or the one that TILEWRIGHT_ISA names. Throws Error::config for an
/// unknown name or one that this processor lacks. Every variant of a kernel gives the same bytes.
Isa isa_of_this_run();

}  // namespace tilewright::geometry
