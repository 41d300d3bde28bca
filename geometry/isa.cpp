// SPDX-License-Identifier: Apache-2.0
// Detection of vector instructions; only x86-64 has variants beside scalar.
#include "geometry/isa.h"

#include <cstdlib>
#include <string>

#include "geometry/error.h"

namespace tilewright::geometry {
namespace {

Isa chosen() {
  const char* named = std::getenv("TILEWRIGHT_ISA");
  if (!named || !*named) return is_supported(Isa::avx512) ? Isa::avx512 : is_supported(Isa::avx2) ? Isa::avx2 : Isa::scalar;
  const std::string name = named;
  const Isa isa = name == "avx512" ? Isa::avx512 : name == "avx2" ? Isa::avx2 : Isa::scalar;
  if (isa == Isa::scalar && name != "scalar")
    throw Error::config("TILEWRIGHT_ISA is '" + name + "'; it takes scalar, avx2 or avx512");
  if (!is_supported(isa)) throw Error::config("TILEWRIGHT_ISA is '" + name + "', which this processor lacks; leave it unset");
  return isa;
}

}  // namespace

bool is_supported([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") != 0;
#endif
  return isa == Isa::scalar;
}

Isa isa_of_this_run() {
  static const Isa isa = chosen();
  return isa;
}

}  // namespace tilewright::geometry
