// SPDX-License-Identifier: Apache-2.0
// Reads the part of a label raster under a window in strips and looks up each pixel centre.
#include "pipeline/stages/label_raster.h"

#include <oneapi/tbb/enumerable_thread_specific.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "geometry/distance.h"
#include "geometry/error.h"
#include "index/reason.h"
#include "pipeline/io/raster.h"

namespace tilewright::pipeline {
namespace {

using geometry::MapXY;
using geometry::PixelXY;

constexpr std::int64_t kMostPixels = std::int64_t{16} << 20;  // of the source, in memory at once
constexpr double kTieTolerance = 1e-6;                        // pixels: centres on a border go right

/// Pixel value to class.
class ValueMap {
 public:
  ValueMap(const std::optional<NamedList<std::string>>& values, std::optional<double> nodata) : nodata_(nodata) {
    if (!values) return;
    has_table_ = true;
    for (const auto& [from, to] : *values) table_.emplace_back(number(from), to == "ignore" ? 255 : static_cast<int>(number(to)));
  }
  [[nodiscard]] std::uint8_t of(double value) const {
    for (const auto& [from, to] : table_)
      if (from == value) return static_cast<std::uint8_t>(to);
    if (has_table_ || (nodata_ && (value == *nodata_ || (std::isnan(value) && std::isnan(*nodata_))))) return 255;
    return value >= 0 && value <= 254 && value == std::floor(value) ? static_cast<std::uint8_t>(value) : 255;
  }

 private:
  static double number(const std::string& text) {
    double value = std::nan("");
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }
  std::vector<std::pair<double, int>> table_;
  std::optional<double> nodata_;
  bool has_table_ = false;
};

/// The column or row that holds a coordinate; a centre on a border belongs to the later pixel.
std::int64_t pixel_at(double coordinate) {
  const double near = std::round(coordinate);
  return static_cast<std::int64_t>(std::abs(coordinate - near) < kTieTolerance ? near : std::floor(coordinate));
}

}  // namespace

struct RasterMasks::State {
  std::string layer;
  std::filesystem::path file;
  OpenPolicy policy;
  const LabelGround& ground;
  geometry::Crs crs;
  geometry::Affine pixel_from_map;
  geometry::Window size;
  shard::DType dtype = shard::DType::u8;
  std::optional<ValueMap> values;
  std::vector<std::vector<geometry::MapMultiPolygon>> extents;  ///< per zone; empty: no further extent
  mutable tbb::enumerable_thread_specific<std::optional<Raster>> rasters;

  Raster open() const {
    try {
      return Raster::open(file, policy);
    } catch (const index::ItemError& error) {
      throw Error::failed("layer " + layer + ": cannot read " + file.string() + ": " + error.what() + "; repair the file, or name another in the job");
    }
  }
  const Raster& raster() const {
    auto& mine = rasters.local();
    if (!mine) mine.emplace(open());
    return *mine;
  }

  /// Source pixel of each centre of some rows; {-1, -1} outside the raster.
  struct Cell {
    std::int64_t col = -1, row = -1;
  };
  std::vector<Cell> cells(const LabelWindow& window, std::int64_t first, std::int64_t end) const;
  bool covers_any(const LabelWindow& window) const;
  std::vector<std::uint8_t> classes(const LabelWindow& window) const;
  void read_strip(const LabelWindow& window, std::int64_t first, std::int64_t end, std::vector<std::uint8_t>& pixels) const;
  void look_up(std::span<const Cell> cells, const geometry::Window& box, std::span<std::uint8_t> out) const;
};

std::vector<RasterMasks::State::Cell> RasterMasks::State::cells(const LabelWindow& window, std::int64_t first, std::int64_t end) const {
  const auto& w = window.frame.window;
  std::vector<MapXY> points;
  points.reserve(static_cast<std::size_t>((end - first) * w.width));
  for (std::int64_t row = first; row < end; ++row)
    for (std::int64_t col = 0; col < w.width; ++col)
      points.push_back(window.frame.affine.map_from_pixel({static_cast<double>(w.col + col) + 0.5, static_cast<double>(w.row + row) + 0.5}));
  geometry::Transform(ground.zones[window.zone], crs).in_place(points.data(), points.size());
  std::vector<Cell> out(points.size());
  for (std::size_t k = 0; k < points.size(); ++k) {
    const PixelXY p = geometry::pixel_from_map(pixel_from_map, points[k]);
    const bool inside = p.col > -1 && p.row > -1 && p.col < static_cast<double>(size.width) + 1 && p.row < static_cast<double>(size.height) + 1;
    if (!inside) continue;  // NaN too
    const Cell cell{pixel_at(p.col), pixel_at(p.row)};
    if (cell.col >= 0 && cell.row >= 0 && cell.col < size.width && cell.row < size.height) out[k] = cell;
  }
  return out;
}

bool RasterMasks::State::covers_any(const LabelWindow& window) const {
  const std::int64_t height = window.frame.window.height;
  for (const std::int64_t row : {std::int64_t{0}, height / 2, height - 1})
    for (const Cell& cell : cells(window, row, row + 1))
      if (cell.col >= 0) return true;
  return false;
}

void RasterMasks::State::look_up(std::span<const Cell> cells, const geometry::Window& box, std::span<std::uint8_t> out) const {
  const auto count = static_cast<std::size_t>(box.width * box.height);
  std::vector<std::byte> bytes(count * shard::byte_size(dtype));
  std::vector<std::uint8_t> valid(count);
  try {
    raster().read(0, box, bytes);
    raster().read_mask(box, valid);
  } catch (const index::ItemError& error) {
    throw Error::failed("layer " + layer + ": reading " + file.string() + " failed: " + error.what());
  }
  shard::with_type(dtype, [&](auto type) {
    using T = decltype(type);
    const auto* source = reinterpret_cast<const T*>(bytes.data());
    for (std::size_t k = 0; k < cells.size(); ++k) {
      if (cells[k].col < 0) continue;
      const auto at = static_cast<std::size_t>((cells[k].row - box.row) * box.width + cells[k].col - box.col);
      if (valid[at] != 0) out[k] = values->of(static_cast<double>(source[at]));
    }
  });
}

void RasterMasks::State::read_strip(const LabelWindow& window, std::int64_t first, std::int64_t end,
                                    std::vector<std::uint8_t>& pixels) const {
  const auto found = cells(window, first, end);
  std::int64_t col0 = size.width, row0 = size.height, col1 = -1, row1 = -1;
  for (const Cell& cell : found) {
    if (cell.col < 0) continue;
    col0 = std::min(col0, cell.col);
    row0 = std::min(row0, cell.row);
    col1 = std::max(col1, cell.col);
    row1 = std::max(row1, cell.row);
  }
  if (col1 < 0) return;
  const geometry::Window box{col0, row0, col1 - col0 + 1, row1 - row0 + 1};
  if (box.width * box.height > kMostPixels && end - first > 1) {
    const std::int64_t middle = first + (end - first) / 2;
    read_strip(window, first, middle, pixels);
    return read_strip(window, middle, end, pixels);
  }
  const auto width = static_cast<std::size_t>(window.frame.window.width);
  look_up(found, box, std::span(pixels).subspan(static_cast<std::size_t>(first) * width, found.size()));
}

std::vector<std::uint8_t> RasterMasks::State::classes(const LabelWindow& window) const {
  const auto& w = window.frame.window;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(w.width * w.height), 255);
  read_strip(window, 0, w.height, pixels);
  if (extents.empty()) return pixels;
  std::vector<std::uint8_t> inside(pixels.size(), 0);
  for (const auto& polygons : extents[window.zone]) geometry::fill_polygons({window.frame, inside}, polygons, std::uint8_t{1});
  for (std::size_t k = 0; k < inside.size(); ++k)
    if (inside[k] == 0) pixels[k] = 255;
  return pixels;
}

RasterMasks::RasterMasks(const std::string& layer, const LayerConfig& config, const std::filesystem::path& file,
                         const std::filesystem::path& extent_file, const OpenPolicy& policy, const LabelGround& ground)
    : state_(std::make_unique<State>(State{layer, file, policy, ground, {}, {}, {}, {}, {}, {}, {}})) {
  State& s = *state_;
  const Raster raster = s.open();
  const RasterInfo& info = raster.info();
  const auto refuse = [&](const std::string& why) { return Error::failed("layer " + layer + ": " + file.string() + " " + why); };
  const auto data_bands = std::count_if(info.bands.begin(), info.bands.end(), [](const RasterBand& b) { return !b.is_alpha; });
  if (data_bands != 1 || info.bands.front().is_alpha)
    throw refuse("has " + std::to_string(data_bands) + " bands; a label raster has one");
  if (!info.crs.known() || !info.has_georeference) throw refuse("does not say where it lies; write it with CRS and affine");
  const auto inverted = geometry::inverse(info.affine);
  if (!inverted) throw refuse("has a singular affine");
  s.crs = info.crs;
  s.pixel_from_map = *inverted;
  s.size = {0, 0, info.width, info.height};
  s.dtype = info.bands.front().dtype;
  s.values.emplace(config.values, info.bands.front().nodata);
  const auto covers = [&](const LabelWindow& window) { return s.covers_any(window); };
  if (!ground.windows.empty() && std::none_of(ground.windows.begin(), ground.windows.end(), covers)) {
    const auto degrees = geometry::geographic(geometry::map_from_pixel(info.affine, {geometry::PolygonOf<PixelXY>{
        {{0, 0}, {0, double(info.height)}, {double(info.width), double(info.height)}, {double(info.width), 0}, {0, 0}}, {}}}), info.crs);
    throw refuse("touches no location: it lies in " + text_of(degrees ? geometry::bounds(*degrees) : geometry::Box{}) + ", the locations in " +
                 text_of(ground.degrees) + "; check its CRS, or name one of the same place");
  }
  if (config.extent.kind != ExtentKind::file) return;
  for (const auto& zone : ground.zones) s.extents.push_back(read_extent(layer, extent_file, zone, policy, config.extent.layer.value_or("")));
}

RasterMasks::~RasterMasks() = default;

LocationMask RasterMasks::draw(std::size_t index) const { return {state_->classes(state_->ground.windows[index])}; }

std::vector<std::uint32_t> RasterMasks::draw_ids(std::size_t index, std::int64_t halo_px) const {
  LabelWindow window = state_->ground.windows[index];
  auto& w = window.frame.window;
  w = {w.col - halo_px, w.row - halo_px, w.width + 2 * halo_px, w.height + 2 * halo_px};
  const auto classes = state_->classes(window);
  std::vector<std::uint32_t> ids(classes.begin(), classes.end());
  std::ranges::replace(ids, std::uint32_t{255}, geometry::kUnknownObject);
  return ids;
}

}  // namespace tilewright::pipeline
