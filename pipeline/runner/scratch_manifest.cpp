// SPDX-License-Identifier: Apache-2.0
// Makes and removes a scratch manifest.
#include "pipeline/runner/scratch_manifest.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "geometry/error.h"

namespace tilewright::pipeline {

ScratchManifest::ScratchManifest() {
  auto name = (std::filesystem::temp_directory_path() / "tilewright-plan-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw Error::failed("making the scratch folder " + name + ": " + std::strerror(errno) + "; set TMPDIR to a folder that can be written");
  folder_ = name;
  manifest_ = std::make_unique<index::Manifest>(index::Manifest::open(folder_ / "manifest.gpkg", index::Manifest::Mode::create_or_write));
}

ScratchManifest::~ScratchManifest() {
  manifest_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace tilewright::pipeline
