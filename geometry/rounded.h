// SPDX-License-Identifier: Apache-2.0
// From a weighted sum in double precision to a pixel.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

namespace tilewright::geometry {

/// Integers round half up, also below zero, and clamp to T.
template <class T>
T rounded(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    const double raised = value + 0.5;
    if (!(raised > static_cast<double>(std::numeric_limits<T>::lowest()))) return std::numeric_limits<T>::lowest();
    if (raised >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    const auto cut = static_cast<std::int64_t>(raised);
    return static_cast<T>(cut - (raised < static_cast<double>(cut) ? 1 : 0));  // floor without a call
  }
}

}  // namespace tilewright::geometry
