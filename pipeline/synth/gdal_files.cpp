// SPDX-License-Identifier: Apache-2.0
// GDAL writes below /vsimem: nothing half-written is ever seen on the disk.
#include "pipeline/synth/gdal_files.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_vsi.h>
#include <gdal_priv.h>
#include <ogr_spatialref.h>
#include <ogrsf_frmts.h>

#include <memory>
#include <set>

#include "geometry/error.h"
#include "pipeline/io/open_policy.h"

namespace tilewright::pipeline {
namespace {

struct FeatureDestroyer {
  void operator()(OGRFeature* feature) const noexcept { OGRFeature::DestroyFeature(feature); }
};

[[noreturn]] void fail(const std::string& action) {
  throw Error::failed("synth: " + action + " failed: " + CPLGetLastErrorMsg());
}

OGRSpatialReference reference(int epsg) {
  OGRSpatialReference srs;
  if (srs.importFromEPSG(epsg) != OGRERR_NONE) fail("looking up EPSG:" + std::to_string(epsg));
  srs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
  return srs;
}

GDALDriver& driver(const char* name) {
  set_up_gdal(std::size_t{64} << 20);
  auto* found = GetGDALDriverManager()->GetDriverByName(name);
  if (!found) throw Error::failed(std::string("synth: this GDAL has no driver ") + name + "; install the full libgdal");
  return *found;
}

/// A file below /vsimem, removed at the end of its life.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& name) : path_("/vsimem/tilewright_synth/" + name) {}
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { VSIUnlink(path_.c_str()); }
  [[nodiscard]] const char* path() const { return path_.c_str(); }
  [[nodiscard]] std::string bytes() const {
    vsi_l_offset length = 0;
    const auto* data = VSIGetMemFileBuffer(path_.c_str(), &length, FALSE);
    if (!data) fail("reading back " + path_);
    return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(length)};
  }

 private:
  std::string path_;
};

GDALDataType gdal_type(shard::DType type) {
  switch (type) {
    case shard::DType::u8: return GDT_Byte;
    case shard::DType::u16: return GDT_UInt16;
    default: return GDT_Float32;
  }
}

std::unique_ptr<OGRGeometry> geometry_of(const FeatureToWrite& feature) {
  if (feature.line) {
    auto line = std::make_unique<OGRLineString>();
    for (const auto& p : *feature.line) line->addPoint(p.x, p.y);
    return line;
  }
  auto polygon = std::make_unique<OGRPolygon>();
  const auto add_ring = [&](const std::vector<geometry::MapXY>& points) {
    OGRLinearRing ring;
    for (const auto& p : points) ring.addPoint(p.x, p.y);
    ring.closeRings();
    polygon->addRing(&ring);
  };
  add_ring(feature.polygon->outer);
  for (const auto& hole : feature.polygon->holes) add_ring(hole);
  return polygon;
}

void add_fields(OGRLayer& layer, const LayerToWrite& to_write) {
  std::set<std::pair<std::string, OGRFieldType>> fields;
  auto features = std::vector<const FeatureToWrite*>{&to_write.like};
  for (const auto& feature : to_write.features) features.push_back(&feature);
  for (const auto* one : features) {
    const auto& feature = *one;
    for (const auto& [name, value] : feature.texts) fields.insert({name, OFTString});
    for (const auto& [name, value] : feature.reals) fields.insert({name, OFTReal});
    for (const auto& [name, value] : feature.integers) fields.insert({name, OFTInteger});
  }
  for (const auto& [name, type] : fields) {
    const OGRFieldDefn field(name.c_str(), type);
    if (layer.CreateField(const_cast<OGRFieldDefn*>(&field)) != OGRERR_NONE) fail("adding the field " + name);
  }
}

void add_feature(OGRLayer& layer, const FeatureToWrite& feature) {
  const std::unique_ptr<OGRFeature, FeatureDestroyer> row(OGRFeature::CreateFeature(layer.GetLayerDefn()));
  for (const auto& [name, value] : feature.texts)
    if (value) row->SetField(name.c_str(), value->c_str());
  for (const auto& [name, value] : feature.reals) row->SetField(name.c_str(), value);
  for (const auto& [name, value] : feature.integers)
    if (value) row->SetField(name.c_str(), *value);
  row->SetGeometry(geometry_of(feature).get());
  if (layer.CreateFeature(row.get()) != OGRERR_NONE) fail("writing a feature");
}

void create_raster(const RasterToWrite& raster, const MemoryFile& file) {
  const char* const options[] = {"COMPRESS=DEFLATE", "TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256", nullptr};
  const auto bands = static_cast<int>(raster.bands.size());
  const DatasetHandle dataset(driver("GTiff").Create(file.path(), raster.width, raster.height, bands, gdal_type(raster.dtype), const_cast<char**>(options)));
  if (!dataset) fail("creating a GeoTIFF");
  const auto& a = raster.affine;
  double transform[6] = {a.c, a.a, a.b, a.f, a.d, a.e};
  const auto srs = reference(raster.epsg);
  if (dataset->SetGeoTransform(transform) != CE_None || dataset->SetSpatialRef(&srs) != CE_None) fail("georeferencing a GeoTIFF");
  const auto plane = static_cast<std::size_t>(raster.width) * static_cast<std::size_t>(raster.height) * shard::byte_size(raster.dtype);
  for (int k = 0; k < bands; ++k) {
    auto* band = dataset->GetRasterBand(k + 1);
    band->SetDescription(raster.bands[static_cast<std::size_t>(k)].c_str());
    if (raster.nodata) band->SetNoDataValue(*raster.nodata);
    auto* from = const_cast<std::byte*>(raster.pixels.data() + static_cast<std::size_t>(k) * plane);
    if (band->RasterIO(GF_Write, 0, 0, raster.width, raster.height, from, raster.width, raster.height, gdal_type(raster.dtype), 0, 0) != CE_None)
      fail("writing pixels");
  }
}

void create_layer(GDALDataset& dataset, const LayerToWrite& to_write, int epsg) {
  const auto& [name, features, like] = to_write;
  auto srs = reference(epsg);
  auto* layer = dataset.CreateLayer(name.c_str(), &srs, features.empty() || features[0].polygon ? wkbPolygon : wkbLineString, nullptr);
  if (!layer) fail("creating the layer " + name);
  add_fields(*layer, to_write);
  if (layer->StartTransaction() != OGRERR_NONE) fail("starting a transaction");
  for (const auto& feature : features) add_feature(*layer, feature);
  if (layer->CommitTransaction() != OGRERR_NONE) fail("committing the layer " + name);
}

}  // namespace

std::string geotiff(const RasterToWrite& raster) {
  const MemoryFile file("raster.tif");
  create_raster(raster, file);
  return file.bytes();
}

std::string geopackage(const std::vector<LayerToWrite>& layers, int epsg) {
  // GDAL writes the day into the file: fixed, so that equal options give equal bytes.
  CPLSetThreadLocalConfigOption("OGR_CURRENT_DATE", "2023-01-01T00:00:00.000Z");
  const MemoryFile file("layer.gpkg");
  {
    const DatasetHandle dataset(driver("GPKG").Create(file.path(), 0, 0, 0, GDT_Unknown, nullptr));
    if (!dataset) fail("creating a GeoPackage");
    for (const auto& layer : layers) create_layer(*dataset, layer, epsg);
  }
  CPLSetThreadLocalConfigOption("OGR_CURRENT_DATE", nullptr);
  return file.bytes();
}

std::string geopackage(const std::string& layer, const std::vector<FeatureToWrite>& features) { return geopackage({LayerToWrite{layer, features}}, 4326); }

}  // namespace tilewright::pipeline
