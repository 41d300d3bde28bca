// SPDX-License-Identifier: Apache-2.0
// `tilewright init FILE`: a commented job to edit.
#include <filesystem>
#include <iostream>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "pipeline/commands/command.h"
#include "pipeline/commands/init_text.h"

namespace tilewright::pipeline {

int run_init(const Invocation& in) {
  const std::filesystem::path file = in.argument;
  std::error_code error;
  if (std::filesystem::exists(file, error) && !in.overwrite)
    throw Error::config(file.string() + " is there already; name another file, or give --overwrite to replace it");
  const auto folder = std::filesystem::absolute(file).parent_path();
  if (!std::filesystem::is_directory(folder, error))
    throw Error::config("the folder " + folder.string() + " does not exist; make it first");
  shard::publish_file(file, kInitText);
  std::cout << file.string() << ": edit it, then `tilewright check " << file.string() << "`\n";
  return 0;
}

}  // namespace tilewright::pipeline
