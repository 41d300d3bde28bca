// SPDX-License-Identifier: Apache-2.0
// The granules of one acquisition on one pixel grid, so that windows across their seams exist.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "pipeline/io/granule.h"

namespace tilewright::pipeline {

/// The files of each granule: all of them unless the source says `mosaic`, else the n-th file of
/// each band with the n-th of the others, and the quality files that capture the same.
std::vector<std::vector<TileFile>> split_granules(const SourceConfig& config,
                                                  const std::vector<TileFile>& files);

/// What `pattern` captures in a path, nullopt if nothing.
std::optional<std::string> captured(const std::regex& pattern, const std::string& path);

/// The pixel grid is that of the first granule, continued over the box around all of them. Where
/// they overlap, a pixel with all its bands and its clouds is that of the first granule, by path,
/// in which it is neither masked nor nodata in any required band, else of the first that covers it.
/// Pixels of no granule are masked and hold the nodata value, else 0. Not shared between threads.
class Granules {
 public:
  /// Throws index::ItemError: granule_mismatch where they do not fit together, else as TileReader.
  Granules(const Job& job, const std::string& source, const std::vector<TileFile>& files,
           const std::vector<std::string>& left_out, const std::vector<std::string>& names);

  [[nodiscard]] const std::vector<Granule>& all() const { return granules_; }
  [[nodiscard]] const RasterInfo& info() const {
    return info_;
  }  ///< size and affine are those of the box
  [[nodiscard]] const TileBands& bands() const { return granules_.front().bands(); }
  /// As Granule's.
  void read(const geometry::Window& window, PixelBytes& data,
            std::vector<std::uint8_t>& valid) const;
  [[nodiscard]] std::vector<std::uint8_t> clouds(const geometry::Window& window) const;

 private:
  /// What granule `index` has of a window: `shared` in pixels of the box, `own` in its own.
  struct Piece {
    std::size_t index = 0;
    geometry::Window shared, own;
    bool overlaps = false;  ///< other granules have some of it too
  };
  [[nodiscard]] std::vector<Piece> pieces(const geometry::Window& window) const;
  void fill_gaps(PixelBytes& data, std::size_t count) const;
  [[nodiscard]] std::vector<std::uint8_t> known(const Granule& granule,
                                                const PixelBytes& data,
                                                std::vector<std::uint8_t> valid) const;

  std::vector<Granule> granules_;
  std::vector<geometry::Window> places_;  ///< of the granules in the box
  RasterInfo info_;
};

}  // namespace tilewright::pipeline
