// SPDX-License-Identifier: Apache-2.0
// What GDAL says of a file, completed by its side-cars, and its pixels in their own type.
#include "pipeline/io/raster.h"

#include <gdal_priv.h>

#include <algorithm>
#include <cmath>

#include "pipeline/io/gdal_crs.h"
#include "pipeline/io/side_car.h"
#include "pipeline/io/tiff_blocks.h"
#include "pipeline/io/tiff_info.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using geometry::Affine;
using geometry::Window;
using index::ItemError;
using index::Reason;
using shard::DType;

DType dtype_of(GDALRasterBand& band, const std::string& file) {
  switch (band.GetRasterDataType()) {
    case GDT_Byte: {
      const char* type = band.GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE");
      return type && EQUAL(type, "SIGNEDBYTE") ? DType::i8 : DType::u8;
    }
    case GDT_UInt16: return DType::u16;
    case GDT_Int16: return DType::i16;
    case GDT_UInt32: return DType::u32;
    case GDT_Int32: return DType::i32;
    case GDT_Float32: return DType::f32;
    case GDT_Float64: return DType::f64;
    default: break;
  }
  throw ItemError(Reason::bad_dtype, file + " has pixels of type " + GDALGetDataTypeName(band.GetRasterDataType()) +
                                         "; supported are 8 to 32 bit integers, Float32 and Float64");
}

GDALDataType gdal_type(DType type) {
  switch (type) {
    case DType::u8:
    case DType::i8: return GDT_Byte;  // GDAL 3.6 has signed bytes as bytes with a remark
    case DType::u16: return GDT_UInt16;
    case DType::i16: return GDT_Int16;
    case DType::u32: return GDT_UInt32;
    case DType::i32: return GDT_Int32;
    case DType::f32: return GDT_Float32;
    case DType::f64: break;
  }
  return GDT_Float64;
}

std::map<std::string, std::string> metadata_of(GDALMajorObject& object, std::initializer_list<const char*> domains) {
  std::map<std::string, std::string> out;
  for (const auto* domain : domains) {
    char** items = object.GetMetadata(domain);
    for (; items && *items; ++items) {
      const std::string item = *items;
      const auto equals = item.find('=');
      if (equals != std::string::npos) out.emplace(item.substr(0, equals), item.substr(equals + 1));
    }
  }
  return out;
}

bool has_internal_mask(GDALRasterBand& band) {
  const int flags = band.GetMaskFlags();
  return (flags & GMF_PER_DATASET) && !(flags & GMF_ALPHA) && !(flags & GMF_ALL_VALID) && !(flags & GMF_NODATA);
}

RasterBand band_of(GDALRasterBand& band, const std::string& file) {
  RasterBand out;
  out.description = band.GetDescription();
  out.dtype = dtype_of(band, file);
  int given = 0;
  const double nodata = band.GetNoDataValue(&given);
  if (given) out.nodata = nodata;
  out.is_alpha = band.GetColorInterpretation() == GCI_AlphaBand;
  out.has_mask_file = has_internal_mask(band);
  out.metadata = metadata_of(band, {""});
  const double scale = band.GetScale(&given);
  if (given) out.scale = scale;
  const double offset = band.GetOffset(&given);
  if (given) out.offset = offset;
  return out;
}

void read_georeference(GDALDataset& dataset, RasterInfo& info) {
  double g[6] = {0, 1, 0, 0, 0, 1};
  const bool given = dataset.GetGeoTransform(g) == CE_None;
  const bool identity = g[0] == 0 && g[1] == 1 && g[2] == 0 && g[3] == 0 && g[4] == 0 && std::abs(g[5]) == 1;
  if (given && !identity) {
    info.affine = {g[1], g[2], g[0], g[4], g[5], g[3]};
    info.has_georeference = true;
  }
}

void apply(const AuxXml& aux, RasterInfo& info) {
  if (!info.crs.known()) info.crs = crs_of_text(aux.crs_text, aux.file.filename().string());
  if (!info.has_georeference && aux.affine) {
    info.affine = *aux.affine;
    info.has_georeference = true;
  }
  for (const auto& [key, value] : aux.metadata) info.metadata.emplace(key, value);
  for (const auto& [index, from] : aux.bands) {
    if (index >= static_cast<int>(info.bands.size())) continue;
    auto& band = info.bands[static_cast<std::size_t>(index)];
    if (band.description.empty()) band.description = from.description;
    if (!band.nodata) band.nodata = from.nodata;
    for (const auto& [key, value] : from.metadata) band.metadata.emplace(key, value);
  }
}

void apply_side_cars(const fs::path& file, RasterInfo& info) {
  if (const auto aux = find_aux_xml(file)) {
    apply(*aux, info);
    info.side_cars.push_back(aux->file.filename().string());
  }
  if (info.has_georeference) return;
  if (const auto world = find_world_file(file)) {
    info.affine = world->affine;
    info.has_georeference = true;
    info.side_cars.push_back(world->file.filename().string());
  }
}

/// Side-cars that `untrusted` ignores, for the message.
std::string ignored_side_cars(const fs::path& file) {
  std::error_code error;
  std::string out;
  for (const auto* ending : {".msk", ".aux.xml"})
    if (fs::exists(file.string() + ending, error)) out += " " + file.filename().string() + ending;
  return out;
}

void finish(RasterInfo& info, const fs::path& file, const OpenPolicy& policy) {
  if (!policy.untrusted) apply_side_cars(file, info);
  if (info.has_georeference && !geometry::inverse(info.affine))
    throw ItemError(Reason::bad_georeference, file.filename().string() + " has an affine transform that is singular or not finite");
}

RasterInfo info_of(GDALDataset& dataset, const fs::path& file, const OpenPolicy& policy) {
  const auto name = file.filename().string();
  RasterInfo info;
  info.width = dataset.GetRasterXSize();
  info.height = dataset.GetRasterYSize();
  int block_width = 0, block_height = 0;
  dataset.GetRasterBand(1)->GetBlockSize(&block_width, &block_height);
  info.block_width = block_width;
  info.block_height = block_height;
  for (int i = 1; i <= dataset.GetRasterCount(); ++i) info.bands.push_back(band_of(*dataset.GetRasterBand(i), name));
  info.metadata = metadata_of(dataset, {"", "IMAGERY", "ENVI"});
  info.crs = crs_of(dataset.GetSpatialRef(), name);
  read_georeference(dataset, info);
  finish(info, file, policy);
  if (!info.has_georeference && dataset.GetGCPCount() > 0) info.metadata["GCP_COUNT"] = std::to_string(dataset.GetGCPCount());
  return info;
}

/// All that GDAL says on this thread while it lives: the last message alone hides the cause.
class GdalMessages {
 public:
  GdalMessages() { CPLPushErrorHandlerEx(take, this); }
  ~GdalMessages() { CPLPopErrorHandler(); }
  GdalMessages(const GdalMessages&) = delete;
  GdalMessages& operator=(const GdalMessages&) = delete;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  static void CPL_STDCALL take(CPLErr level, CPLErrorNum, const char* message) noexcept {
    auto& text = static_cast<GdalMessages*>(CPLGetErrorHandlerUserData())->text_;
    if (level < CE_Warning || text.size() > 2000) return;
    try {
      text += (text.empty() ? "" : "; ") + std::string(message);
    } catch (...) {
      return;  // out of memory: a shorter text
    }
  }
  std::string text_;
};

[[noreturn]] void fail_reading(const fs::path& file, const Window& w, const std::string& said) {
  const auto tells = [&](const char* text) { return said.find(text) != std::string::npos; };
  const bool shorter = tells("ead error") || tells("bytes, expected") || tells("remature") || tells("Seek error") || tells("annot read");
  throw ItemError(shorter ? Reason::truncated : Reason::read_error,
                  "reading " + std::to_string(w.width) + " x " + std::to_string(w.height) + " pixels at column " + std::to_string(w.col) + ", row " +
                      std::to_string(w.row) + " of " + file.filename().string() + " failed (GDAL: " + without_folder(said, file) + ")");
}

void check_window(const RasterInfo& info, const fs::path& file, const Window& w) {
  if (w.col >= 0 && w.row >= 0 && w.width > 0 && w.height > 0 && w.col + w.width <= info.width && w.row + w.height <= info.height) return;
  throw ItemError(Reason::read_error, "the window at column " + std::to_string(w.col) + ", row " + std::to_string(w.row) + " leaves " + file.filename().string());
}

void read_bytes(GDALRasterBand& band, const fs::path& file, const Window& w, std::span<std::uint8_t> out) {
  const GdalMessages messages;
  if (band.RasterIO(GF_Read, int(w.col), int(w.row), int(w.width), int(w.height), out.data(), int(w.width), int(w.height), GDT_Byte, 0, 0, nullptr) != CE_None)
    fail_reading(file, w, messages.text());
}

/// Alpha or mask of one more band: a pixel stays valid only if it is valid here too.
void merge_mask(std::span<std::uint8_t> all, std::span<const std::uint8_t> one) {
  for (std::size_t i = 0; i < all.size(); ++i)
    if (one[i] == 0) all[i] = 0;
}

constexpr std::string_view kMaskEnding = ".msk";

}  // namespace

Raster Raster::open_with_gdal(const fs::path& file, const OpenPolicy& policy) {
  Raster out(file, policy);
  out.dataset_ = open_raster_dataset(file, policy);
  out.info_ = info_of(*out.dataset_, file, policy);
  out.open_blocks();
  out.add_mask_side_car();
  return out;
}

Raster Raster::open(const fs::path& file, const OpenPolicy& policy) {
  set_up_gdal(0);
  check_path(file);
  auto plain = read_plain_tiff(file, policy);
  if (!plain) return open_with_gdal(file, policy);
  Raster out(file, policy);
  out.info_ = std::move(plain->info);
  out.is_sparse_ = plain->is_sparse;
  finish(out.info_, file, policy);
  out.add_mask_side_car();
  return out;
}

void Raster::open_blocks() const {
  if (EQUAL(dataset_->GetDriverName(), "GTiff")) blocks_ = TiffBlocks::open(file_, info_, policy_);
}

void Raster::add_mask_side_car() {
  if (policy_.untrusted) {
    if (const auto ignored = ignored_side_cars(file_); !ignored.empty()) info_.metadata["IGNORED_SIDE_CARS"] = ignored.substr(1);
    return;
  }
  const fs::path mask = file_.string() + std::string(kMaskEnding);
  std::error_code error;
  if (!fs::is_regular_file(mask, error)) return;
  mask_side_car_ = open_raster_dataset(mask, policy_);
  if (mask_side_car_->GetRasterXSize() != info_.width || mask_side_car_->GetRasterYSize() != info_.height)
    throw ItemError(Reason::bad_size, "the mask " + mask.filename().string() + " has another size than its raster; remove or rewrite it");
  for (auto& band : info_.bands) band.has_mask_file = true;
  info_.side_cars.push_back(mask.filename().string());
}

GDALDataset& Raster::dataset() const {
  if (dataset_) return *dataset_;
  auto opened = open_raster_dataset(file_, policy_);
  if (opened->GetRasterXSize() != info_.width || opened->GetRasterYSize() != info_.height || opened->GetRasterCount() != int(info_.bands.size()))
    throw ItemError(Reason::read_error, file_.filename().string() + " is another file than it was a moment ago; run again when its writer is done");
  dataset_ = std::move(opened);
  open_blocks();
  return *dataset_;
}

void Raster::read(int band, const Window& window, std::span<std::byte> out) const { read(std::span(&band, 1), window, out); }

void Raster::read(std::span<const int> bands, const Window& window, std::span<std::byte> out) const {
  check_window(info_, file_, window);
  const auto type = info_.bands.at(static_cast<std::size_t>(bands[0])).dtype;
  const auto bytes = static_cast<std::size_t>(window.width * window.height) * shard::byte_size(type) * bands.size();
  if (out.size() != bytes)
    throw ItemError(Reason::read_error, "a buffer of " + std::to_string(out.size()) +
                                            " bytes is given for " + std::to_string(bytes));
  dataset();
  if (blocks_ && blocks_->read(bands, window, out)) return;
  std::vector<int> numbers;
  for (const int band : bands) numbers.push_back(band + 1);
  const GdalMessages messages;
  const auto result = dataset().RasterIO(GF_Read, int(window.col), int(window.row), int(window.width), int(window.height), out.data(), int(window.width),
                                         int(window.height), gdal_type(type), int(numbers.size()), numbers.data(), 0, 0, 0, nullptr);
  if (result != CE_None) fail_reading(file_, window, messages.text());
}

bool Raster::has_mask() const {
  return mask_side_car_ || std::any_of(info_.bands.begin(), info_.bands.end(),
                                       [](const auto& b) { return b.is_alpha || b.has_mask_file; });
}

void Raster::read_mask(const Window& window, std::span<std::uint8_t> out) const {
  check_window(info_, file_, window);
  std::fill(out.begin(), out.end(), std::uint8_t{255});
  std::vector<std::uint8_t> one(out.size());
  const auto take = [&](GDALRasterBand& band) {
    read_bytes(band, file_, window, one);
    merge_mask(out, one);
  };
  for (std::size_t i = 0; i < info_.bands.size(); ++i)
    if (info_.bands[i].is_alpha) take(*dataset().GetRasterBand(int(i) + 1));
  if (mask_side_car_) return take(*mask_side_car_->GetRasterBand(1));
  if (info_.bands[0].has_mask_file) take(*dataset().GetRasterBand(1)->GetMaskBand());
}

namespace {

/// GDAL tells which blocks a TIFF lacks; other formats have none to lack.
bool lacks_blocks(GDALRasterBand& band, const Window& w) {
  const int status = band.GetDataCoverageStatus(int(w.col), int(w.row), int(w.width), int(w.height), GDAL_DATA_COVERAGE_STATUS_EMPTY, nullptr);
  return !(status & GDAL_DATA_COVERAGE_STATUS_UNIMPLEMENTED) && (status & GDAL_DATA_COVERAGE_STATUS_EMPTY);
}

int bands_with_own_blocks(GDALDataset& dataset) {
  const char* interleave = dataset.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE");
  return interleave && EQUAL(interleave, "PIXEL") ? 1 : dataset.GetRasterCount();
}

}  // namespace

bool Raster::is_sparse() const {
  if (is_sparse_) return *is_sparse_;
  for (int i = 1; i <= bands_with_own_blocks(dataset()); ++i)
    if (lacks_blocks(*dataset().GetRasterBand(i), {0, 0, info_.width, info_.height})) return true;
  return false;
}

void Raster::clear_missing_blocks(const Window& window, std::span<std::uint8_t> valid) const {
  const auto bw = info_.block_width, bh = info_.block_height;
  const int bands = bands_with_own_blocks(dataset());
  for (auto row = window.row / bh * bh; row < window.row + window.height; row += bh) {
    for (auto col = window.col / bw * bw; col < window.col + window.width; col += bw) {
      const auto part = geometry::intersection({col, row, bw, bh}, window);
      bool lacking = false;
      for (int i = 1; i <= bands && !lacking; ++i) lacking = lacks_blocks(*dataset().GetRasterBand(i), part);
      if (!lacking) continue;
      for (auto y = part.row; y < part.row + part.height; ++y) {
        const auto at = valid.begin() + (y - window.row) * window.width + part.col - window.col;
        std::fill(at, at + part.width, std::uint8_t{0});
      }
    }
  }
}

}  // namespace tilewright::pipeline
