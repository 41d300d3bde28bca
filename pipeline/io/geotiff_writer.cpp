// SPDX-License-Identifier: Apache-2.0
// GDAL writes aside; before 3.7 it keeps errors at closing to itself, so the file is looked at again.
#include "pipeline/io/geotiff_writer.h"

#include <gdal_priv.h>
#include <ogr_spatialref.h>

#include "geometry/error.h"
#include "pipeline/io/raster.h"

namespace tilewright::pipeline {
namespace {

GDALDataType gdal_type(shard::DType type) {
  switch (type) {
    case shard::DType::u8: return GDT_Byte;
    case shard::DType::u16: return GDT_UInt16;
    case shard::DType::i16: return GDT_Int16;
    case shard::DType::u32: return GDT_UInt32;
    case shard::DType::i32: return GDT_Int32;
    case shard::DType::f32: return GDT_Float32;
    case shard::DType::f64: return GDT_Float64;
    case shard::DType::i8: break;
  }
  return GDT_Unknown;
}

DatasetHandle create(const std::filesystem::path& file, const GeoTiffSpec& spec) {
  set_up_gdal(0);
  auto* driver = GetGDALDriverManager()->GetDriverByName("GTiff");
  char tiled[] = "TILED=YES", block_x[] = "BLOCKXSIZE=256", block_y[] = "BLOCKYSIZE=256", compress[] = "COMPRESS=DEFLATE", big[] = "BIGTIFF=IF_SAFER",
       interleave[] = "INTERLEAVE=BAND";
  char* options[] = {tiled, block_x, block_y, compress, big, interleave, nullptr};
  CPLErrorReset();
  return DatasetHandle(driver->Create(file.c_str(), int(spec.width), int(spec.height), spec.bands, gdal_type(spec.dtype), options));
}

void describe_bands(GDALDataset& dataset, const GeoTiffSpec& spec) {
  GDALColorTable colours;
  for (const auto& [value, rgb] : spec.colours) {
    const GDALColorEntry entry{static_cast<short>(rgb >> 16 & 255), static_cast<short>(rgb >> 8 & 255), static_cast<short>(rgb & 255), 255};
    colours.SetColorEntry(value, &entry);
  }
  if (!spec.colours.empty()) dataset.GetRasterBand(1)->SetColorTable(&colours);
  for (int b = 1; b <= spec.bands; ++b) {
    auto* band = dataset.GetRasterBand(b);
    if (spec.nodata) band->SetNoDataValue(*spec.nodata);
    if (static_cast<std::size_t>(b) <= spec.descriptions.size()) band->SetDescription(spec.descriptions[static_cast<std::size_t>(b) - 1].c_str());
  }
}

}  // namespace

struct GeoTiffWriter::State {
  std::filesystem::path target;
  GeoTiffSpec spec;
  shard::PendingFile pending;
  DatasetHandle dataset;
  std::int64_t next_row = 0;

  [[noreturn]] void fail(const std::string& what) const {
    throw Error::failed(what + " " + target.string() + " failed" + gdal_message() + "; make room on the disk and run again");
  }
};

GeoTiffWriter::GeoTiffWriter(const std::filesystem::path& target, GeoTiffSpec spec)
    : state_(std::make_unique<State>(State{target, std::move(spec), shard::PendingFile(target), {}, 0})) {
  auto& s = *state_;
  s.dataset = create(s.pending.temporary_path(), s.spec);
  if (!s.dataset) s.fail("creating");
  const auto& a = s.spec.affine;
  double transform[6] = {a.c, a.a, a.b, a.f, a.d, a.e};
  OGRSpatialReference reference;
  if (s.dataset->SetGeoTransform(transform) != CE_None) s.fail("placing");
  if (s.spec.crs.known() && (reference.importFromWkt(s.spec.crs.wkt().c_str()) != OGRERR_NONE || s.dataset->SetSpatialRef(&reference) != CE_None))
    s.fail("setting the CRS of");
  for (const auto& [key, value] : s.spec.metadata) s.dataset->SetMetadataItem(key.c_str(), value.c_str());
  describe_bands(*s.dataset, s.spec);
}

GeoTiffWriter::~GeoTiffWriter() = default;

void GeoTiffWriter::write_rows(std::span<const std::byte> pixels, std::int64_t rows) {
  auto& s = *state_;
  const auto plane = static_cast<std::size_t>(rows * s.spec.width) * shard::byte_size(s.spec.dtype);
  CPLErrorReset();
  for (int b = 0; b < s.spec.bands; ++b) {
    auto* band = s.dataset->GetRasterBand(b + 1);
    auto* from = const_cast<std::byte*>(pixels.data()) + static_cast<std::size_t>(b) * plane;
    if (band->RasterIO(GF_Write, 0, int(s.next_row), int(s.spec.width), int(rows), from, int(s.spec.width), int(rows), gdal_type(s.spec.dtype), 0, 0, nullptr) != CE_None)
      s.fail("writing");
    // Now, in order: a later eviction would put blocks where the cache's size decides.
    if (band->FlushCache(false) != CE_None || CPLGetLastErrorType() >= CE_Failure) s.fail("writing");
  }
  s.next_row += rows;
}

shard::Published GeoTiffWriter::publish() {
  auto& s = *state_;
  if (s.next_row != s.spec.height) throw Error::failed("publishing " + s.target.string() + " with " + std::to_string(s.next_row) + " of " + std::to_string(s.spec.height) + " rows");
  CPLErrorReset();
  s.dataset.reset();
  if (CPLGetLastErrorType() >= CE_Failure) s.fail("closing");
  {
    const auto again = Raster::open(s.pending.temporary_path(), OpenPolicy{});
    if (again.info().width != s.spec.width || again.info().height != s.spec.height || again.is_sparse()) s.fail("checking the blocks of");
  }
  return s.pending.publish();
}

}  // namespace tilewright::pipeline
