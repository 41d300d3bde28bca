// SPDX-License-Identifier: Apache-2.0
// Seconds of the manifest's timestamps.
#pragma once

#include <optional>
#include <string>

namespace tilewright::index {

/// Seconds since 1970-01-01T00:00:00Z of `YYYY-MM-DD`, optionally with `Thh:mm:ss[.fff]Z`; nullopt
/// for anything else and for days that do not exist.
std::optional<double> seconds_of(const std::string& timestamp);

}  // namespace tilewright::index
