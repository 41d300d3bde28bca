// SPDX-License-Identifier: Apache-2.0
// Writes rasters and vector layers with GDAL in memory and publishes the finished bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geometry/grid.h"
#include "geometry/polygon.h"
#include "index/shard/npy.h"

namespace tilewright::pipeline {

struct RasterToWrite {
  int epsg = 0;
  geometry::Affine affine;
  int width = 0, height = 0;
  shard::DType dtype = shard::DType::u8;   ///< u8, u16 or f32
  std::vector<std::string> bands;          ///< descriptions
  std::optional<double> nodata;
  std::span<const std::byte> pixels;       ///< (C,H,W)
};
/// A tiled, deflated GeoTIFF as bytes.
std::string geotiff(const RasterToWrite& raster);

/// One feature of a layer: exactly one of polygon and line is set.
struct FeatureToWrite {
  std::optional<geometry::MapPolygon> polygon;
  std::optional<geometry::MapLine> line;
  std::map<std::string, std::optional<std::string>> texts;  ///< nullopt: the field is there, its value is NULL
  std::map<std::string, double> reals;
  std::map<std::string, std::optional<int>> integers;
};
/// A layer of a GeoPackage in one CRS; polygons keep their holes.
struct LayerToWrite {
  std::string name;
  std::vector<FeatureToWrite> features;
  FeatureToWrite like{};   ///< its fields are there even if no feature has them
};
/// A GeoPackage with some layers as bytes; coordinates are x and y of EPSG `epsg` (4326: longitude, latitude).
std::string geopackage(const std::vector<LayerToWrite>& layers, int epsg);
/// A GeoPackage in EPSG:4326 as bytes; fields are those of all features. The
/// coordinates in `features` are longitude and latitude.
std::string geopackage(const std::string& layer, const std::vector<FeatureToWrite>& features);

}  // namespace tilewright::pipeline
