// SPDX-License-Identifier: Apache-2.0
// Named places where tests kill the program or make a call fail; nothing in a release build.
#pragma once

#include <string>
#include <vector>

namespace tilewright::shard {

/// Obeys TILEWRIGHT_FAILPOINT=name@hit:action[,name@hit:action...]; actions kill (SIGKILL), eio and
/// enospc (set errno and return true: the caller behaves as if its call had failed), throw, delay
/// (200 ms), pause (stops until killed). Returns false where nothing is to happen.
bool failpoint(const char* name);
/// Names that this build knows, in order: `tilewright doctor --list-failpoints`.
const std::vector<std::string>& failpoint_names();

}  // namespace tilewright::shard

#ifdef TILEWRIGHT_FAILPOINTS
#define TW_FAILPOINT(name) ::tilewright::shard::failpoint(name)
#else
#define TW_FAILPOINT(name) false
#endif
