// SPDX-License-Identifier: Apache-2.0
// Version of both programs: they refuse to work together if it differs.
#pragma once

namespace tilewright {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace tilewright
