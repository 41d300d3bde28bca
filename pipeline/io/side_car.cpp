// SPDX-License-Identifier: Apache-2.0
// Finds and reads side-cars by the same path rules as rasters.
#include "pipeline/io/side_car.h"

#include <fstream>

#include "index/reason.h"
#include "pipeline/io/open_policy.h"

namespace tilewright::pipeline {

using index::ItemError;
using index::Reason;

std::string read_side_car(const std::filesystem::path& file, std::size_t most_bytes) {
  check_path(file);
  const auto bytes = std::filesystem::file_size(file);
  if (bytes > most_bytes)
    throw ItemError(Reason::too_large, "the side-car " + file.filename().string() + " has " + std::to_string(bytes) + " bytes, more than " +
                                           std::to_string(most_bytes));
  std::string text(bytes, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(text.data(), static_cast<std::streamsize>(bytes));
  if (in.gcount() != static_cast<std::streamsize>(bytes)) throw ItemError(Reason::unreadable, "cannot read the side-car " + file.filename().string());
  return text;
}

}  // namespace tilewright::pipeline
