// SPDX-License-Identifier: Apache-2.0
// One acquisition as its users see it: required bands on one pixel grid, validity and clouds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "geometry/bitmask.h"
#include "geometry/crs.h"
#include "geometry/grid.h"
#include "index/manifest.h"
#include "index/shard/npy.h"
#include "learn/config/dataset_file.h"
#include "pipeline/config/job.h"
#include "pipeline/io/open_policy.h"
#include "pipeline/io/pixel_bytes.h"

namespace tilewright::pipeline {

/// One file of an acquisition. band "" = all bands of the file; quality files too.
struct TileFile {
  std::string path;  ///< "<root>:<relative>"
  std::string band;                      ///< of a file whose bands are dates: the band's number, from 1
  bool is_quality = false;
};

struct TileBand {
  learn::BandInfo info;                  ///< name, wavelength, scale, nodata
  shard::DType dtype = shard::DType::u8;
  bool is_bad = false;                   ///< by the file's own list of bad bands
};

class Granule;

/// Opens files lazily; not shared between threads. The pixel grid is that of the first band;
/// bands of other pixel sizes on the same ground are resampled (nearest) from their own grid.
/// With `mosaic` it reaches over all granules: see Granules.
class TileReader {
 public:
  /// `files` in band order. `bands_left_out`: bands that are nodata everywhere in all tiles.
  /// Throws index::ItemError with the reason (no_crs, wrong_band_count, mixed_dtype, ...).
  /// `band_names`: of all bands before any is left out, where scan has decided on them.
  TileReader(const Job& job, const std::string& source, const std::vector<TileFile>& files,
             const std::vector<std::string>& bands_left_out,
             const std::vector<std::string>& band_names = {});
  TileReader(TileReader&&) noexcept;
  ~TileReader();

  [[nodiscard]] const std::vector<TileBand>& bands() const;  ///< required bands in order
  [[nodiscard]] shard::DType dtype() const;                  ///< common to all required bands
  [[nodiscard]] geometry::Affine affine() const;
  [[nodiscard]] const geometry::Crs& crs() const;            ///< of the file or assume_crs
  [[nodiscard]] std::int64_t width() const;
  [[nodiscard]] std::int64_t height() const;
  [[nodiscard]] std::int64_t block_height() const;
  [[nodiscard]] std::int64_t block_width() const;
  [[nodiscard]] bool has_quality() const;
  [[nodiscard]] const std::vector<Granule>& granules() const;  ///< at least one

  /// Pixels (C, H, W) of all required bands in dtype(), and validity (H, W): 1 where every required
  /// band is valid by the nodata rule (NaN is never valid). `window` lies inside the tile.
  struct Pixels {
    PixelBytes data;
    std::vector<std::uint8_t> valid;
    std::vector<std::uint8_t> band_has_data;  ///< (C): 1 = some pixel is valid by this band alone
  };
  [[nodiscard]] Pixels read(const geometry::Window& window) const;
  void read(const geometry::Window& window, Pixels& into) const;  ///< the same; `into` keeps its buffers
  /// Read for a pass over the whole tile from its top. `seen` (C): bands that had data so far, and
  /// afterwards also in this window; the others are left out of `valid`. Where detects_border(), the
  /// zeros are set in `zeros` and `valid` does not know of them: see border_nodata.
  [[nodiscard]] Pixels look(const geometry::Window& window, std::vector<std::uint8_t>& seen, geometry::Bitmask& zeros) const;
  [[nodiscard]] bool detects_border() const;
  /// Validity of the whole tile, read block row by block row.
  [[nodiscard]] geometry::Bitmask valid_mask() const;
  /// Cloudy pixels of the whole tile on its grid; nullopt without quality data.
  [[nodiscard]] std::optional<geometry::Bitmask> cloud_mask() const;
  /// Sets the cloudy pixels of a window in a mask of the whole tile.
  void add_clouds(const geometry::Window& window, geometry::Bitmask& mask) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The reader of a tile of the manifest (tile_file rows, left-out bands in meta).
/// Throws Error::config if scan has not run, index::ItemError if the files changed or are gone.
TileReader open_tile(const Job& job, const index::Manifest& manifest, const index::TileRow& tile);
/// Bands of a source as shards hold them, after left-out bands; from meta of scan.
std::vector<TileBand> source_bands(const Job& job, const index::Manifest& manifest, const std::string& source);

/// What scan found about the bands of a source; kept in meta.
struct SourceBands {
  std::vector<TileBand> all;
  std::vector<std::string> left_out;
};
void write_source_bands(index::Manifest& manifest, const std::string& source, const SourceBands& bands);
std::optional<SourceBands> read_source_bands(const index::Manifest& manifest, const std::string& source);
/// How a job lets the files of a source be opened.
OpenPolicy open_policy_of(const Job& job, const std::string& source);

}  // namespace tilewright::pipeline
