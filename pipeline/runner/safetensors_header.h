// SPDX-License-Identifier: Apache-2.0
// What a safetensors file says of its tensors, without LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace tilewright::pipeline {

struct TensorEntry {
  std::string name, dtype;             ///< "F32", "I64", ...
  std::vector<std::int64_t> shape;
  std::int64_t begin = 0, end = 0;     ///< bytes within the data part
  [[nodiscard]] std::int64_t elements() const;
};

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;    ///< in order of their data
  std::vector<std::pair<std::string, std::string>> metadata;
};

/// Throws Error::failed for a header above 8 MB, unknown types, ranges that overlap, leave holes or
/// do not fit their shapes, and files that end too early or too late.
SafetensorsHeader read_safetensors_header(const std::filesystem::path& file);

}  // namespace tilewright::pipeline
