// SPDX-License-Identifier: Apache-2.0
// One page about a manifest, shard, dataset, run folder or weight file.
#pragma once

#include <filesystem>
#include <string>

namespace tilewright::pipeline {

/// What kind of thing `path` is follows from its name and content: a workspace folder or
/// manifest.gpkg, a shard (.tar or .idx), a dataset (folder or dataset.json), a run folder, a
/// checkpoint folder, a .safetensors file, a .npy file. `json`: one JSON document; else text for
/// people. Throws Error::config for a missing path or a kind that is not known, Error::failed for
/// damage.
std::string inspect_path(const std::filesystem::path& path, bool json);

}  // namespace tilewright::pipeline
