// SPDX-License-Identifier: Apache-2.0
// Pixels of one location for people: views and their edges as PNG, masks and predictions as
// classes.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "index/rows.h"
#include "pipeline/report/picture.h"

namespace tilewright::pipeline {

/// Classes of a window, row-major, row 0 in the north: 0 background, 255 not known.
struct ClassPixels {
  int width = 0, height = 0;
  std::vector<std::uint8_t> classes;
};

/// Reads from the shards and predictions of one workspace. Safe in several threads. Throws
/// Error::failed for what is damaged; memory: one window a call.
class ReviewPixels {
 public:
  explicit ReviewPixels(std::filesystem::path workspace)
      : workspace_(workspace), reader_(std::move(workspace)) {}

  /// A view, stretched between its 2nd and 98th percentile, as PNG; `names` of its bands choose
  /// red, green and blue.
  std::vector<std::uint8_t> view(const index::MemberPlace& place,
                                 const std::vector<std::string>& names);
  /// The same with the outlines of a mask of its size.
  std::vector<std::uint8_t> thumbnail(const index::MemberPlace& place,
                                      const std::vector<std::string>& names,
                                      const std::optional<index::MemberPlace>& mask);
  /// Strength of the gradient of a view's first band (what edge_agreement sees), 0 to its 95th
  /// percentile, as PNG.
  std::vector<std::uint8_t> edges(const index::MemberPlace& place);
  ClassPixels mask(const index::MemberPlace& place);
  /// The map of `run` on `tile_id` in the window of the location, nearest pixel; nullopt without
  /// such a map, or where it does not reach the window.
  [[nodiscard]] std::optional<ClassPixels> prediction(const std::string& run,
                                                      const std::string& tile_id,
                                                      const index::LocationRow& location) const;
  [[nodiscard]] bool has_prediction(const std::string& run, const std::string& tile_id) const;

 private:
  Picture read(const index::MemberPlace& place,
               const std::vector<std::string>& names);  ///< under the lock
  [[nodiscard]] std::filesystem::path map_file(const std::string& run,
                                               const std::string& tile_id) const;
  std::filesystem::path workspace_;
  std::mutex reading_;
  MemberReader reader_;  ///< guarded by reading_
};

}  // namespace tilewright::pipeline
