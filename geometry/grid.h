// SPDX-License-Identifier: Apache-2.0
// Pixels, map coordinates, affine transforms and the lattice that all patches of a zone lie on.
//
// Stated once for the whole program: x is east, y is north, row 0 is north, and pixel (0, 0) is
// the upper-left *corner* of the upper-left pixel; its centre is (0.5, 0.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tilewright::geometry {

struct PixelXY {
  double col = 0, row = 0;
  bool operator==(const PixelXY&) const = default;
};
struct MapXY {
  double x = 0, y = 0;
  bool operator==(const MapXY&) const = default;
};
struct LonLat {
  double lon_deg = 0, lat_deg = 0;
  bool operator==(const LonLat&) const = default;
};

/// Axis-aligned box in map units; empty if max < min.
struct Box {
  double min_x = 0, min_y = 0, max_x = -1, max_y = -1;
  [[nodiscard]] bool empty() const { return max_x < min_x || max_y < min_y; }
  bool operator==(const Box&) const = default;
};

/// Half-open rectangle of pixels [col, col + width) x [row, row + height).
struct Window {
  std::int64_t col = 0, row = 0, width = 0, height = 0;
  [[nodiscard]] bool empty() const { return width <= 0 || height <= 0; }
  bool operator==(const Window&) const = default;
};
Window intersection(const Window& a, const Window& b);

/// map_from_pixel: x = a*col + b*row + c, y = d*col + e*row + f (the order of rasterio's Affine).
struct Affine {
  double a = 1, b = 0, c = 0, d = 0, e = -1, f = 0;
  bool operator==(const Affine&) const = default;
  [[nodiscard]] MapXY map_from_pixel(PixelXY p) const {
    return {a * p.col + b * p.row + c, d * p.col + e * p.row + f};
  }
  [[nodiscard]] bool is_north_up() const { return b == 0 && d == 0 && a > 0 && e < 0; }
};
/// pixel_from_map of `affine`, or nullopt where it is singular or not finite.
std::optional<Affine> inverse(const Affine& affine);
inline PixelXY pixel_from_map(const Affine& inverse_affine, MapXY p) {
  const MapXY q = inverse_affine.map_from_pixel({p.x, p.y});
  return {q.x, q.y};
}
/// The affine of `window` inside a raster with `affine`.
Affine shifted(const Affine& affine, PixelXY offset);

/// Pixel lattice of one CRS zone. Corners lie at origin + (i * resolution, j * resolution).
struct Lattice {
  int epsg = 0;
  double resolution_m = 0;  ///< in CRS units of a projected metric CRS
  MapXY origin;             ///< a lattice corner; only its phase matters
  bool operator==(const Lattice&) const = default;
};

/// Square window of a lattice by its upper-left corner: i to the east, j to the NORTH; the window
/// covers columns [i, i + size) and lattice rows from j down to j - size.
struct LatticeWindow {
  std::int64_t i = 0, j = 0;
  int size_px = 0;
  bool operator==(const LatticeWindow&) const = default;
};

/// Affine of the whole lattice: col = i, row = -j. All masks and patches of a zone are cut from
/// this one raster frame, so that a pixel's coordinates never depend on the window it is in.
Affine lattice_affine(const Lattice& lattice);
Window lattice_pixels(const LatticeWindow& window);  ///< the window in pixels of lattice_affine
MapXY upper_left(const Lattice& lattice, const LatticeWindow& window);
Affine window_affine(const Lattice& lattice, const LatticeWindow& window);

/// `e<epsg>_r<resolution in micrometres>_s<size_px>_x<i>_y<j>` with `m` for minus.
std::string location_id(const Lattice& lattice, const LatticeWindow& window);
/// Inverse of location_id up to the origin, nullopt if the text has another form.
struct LocationKey {
  int epsg;
  std::int64_t resolution_um;
  LatticeWindow window;
};
std::optional<LocationKey> parse_location_id(const std::string& id);

}  // namespace tilewright::geometry
