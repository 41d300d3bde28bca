// SPDX-License-Identifier: Apache-2.0
// Weights on disk: the safetensors format, written sorted, read with every check.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "index/shard/commit.h"
#include "learn/models/named_tensors.h"

namespace tilewright::learn {

using Metadata = std::map<std::string, std::string>;

/// Sorted by element size, then name, as the reference writer does, so that readers may map every
/// tensor in place: same bytes for the same content. Tensors may lie on any device. Published by the
/// commit function; throws Error::failed for types that the format lacks.
shard::Published write_safetensors(const std::filesystem::path& file, const NamedTensors& tensors,
                                   const Metadata& metadata);

struct SafetensorsFile {
  TensorMap tensors;  ///< on the CPU, own memory
  Metadata metadata;
};
/// Refuses, naming `what`: header above 8 MB, duplicate keys, unknown types, overflow, and ranges
/// that overlap, leave holes or pass the end. Allocates nothing before the checks.
SafetensorsFile parse_safetensors(std::string_view bytes, const std::string& what);
SafetensorsFile read_safetensors(const std::filesystem::path& file);
/// Only the metadata; reads no tensor.
Metadata read_safetensors_metadata(const std::filesystem::path& file);

}  // namespace tilewright::learn
