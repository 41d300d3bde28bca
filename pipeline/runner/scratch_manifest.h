// SPDX-License-Identifier: Apache-2.0
// An empty manifest in the system's scratch folder, gone with its scope: for plans without a workspace.
#pragma once

#include <filesystem>
#include <memory>

#include "index/manifest.h"

namespace tilewright::pipeline {

class ScratchManifest {
 public:
  ScratchManifest();
  ScratchManifest(const ScratchManifest&) = delete;
  ScratchManifest& operator=(const ScratchManifest&) = delete;
  ~ScratchManifest();
  [[nodiscard]] index::Manifest& manifest() { return *manifest_; }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<index::Manifest> manifest_;
};

}  // namespace tilewright::pipeline
