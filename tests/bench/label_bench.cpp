// SPDX-License-Identifier: Apache-2.0
// Drawing alone, one thread: tiles of 256 px with 40 objects each, against GDAL's rasterizer called
// from C++. `tilewright-label-bench buildings|roads FILE ROUNDS [OUT]`; FILE: doubles, per tile 40
// objects of N points (x, y) in pixels, y up; a road ends with a half width. OUT: our masks. Prints
// one JSON line.
#include <gdal_alg.h>
#include <gdal_priv.h>
#include <ogr_geometry.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "geometry/rasterize.h"

namespace {

using namespace tilewright;

constexpr std::int64_t kSize = 256;
constexpr std::size_t kObjects = 40, kRingPoints = 5, kRoadPoints = 20, kPixels = kSize * kSize;
const geometry::RasterFrame kFrame{{1, 0, 0, 0, -1, kSize}, {0, 0, kSize, kSize}};

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::vector<double> read_doubles(const char* file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  std::vector<double> values(static_cast<std::size_t>(in.tellg()) / sizeof(double));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(values.data()),
          static_cast<std::streamsize>(values.size() * sizeof(double)));
  return values;
}

std::vector<geometry::MapXY> points_at(const double* values, std::size_t count) {
  std::vector<geometry::MapXY> points;
  for (std::size_t k = 0; k < count; ++k) points.push_back({values[2 * k], values[2 * k + 1]});
  return points;
}

struct CloseDataset {
  void operator()(GDALDataset* dataset) const { GDALClose(dataset); }
};

/// GDAL's rasterizer into a dataset in memory, geometries made before the clock starts.
class Gdal {
 public:
  Gdal()
      : dataset_(GetGDALDriverManager()->GetDriverByName("MEM")->Create("", kSize, kSize, 1,
                                                                        GDT_Byte, nullptr)) {
    double affine[6] = {0, 1, 0, kSize, 0, -1};
    dataset_->SetGeoTransform(affine);
  }
  double draw(const std::vector<OGRGeometryH>& shapes, std::uint8_t* pixels) {
    int band = 1;
    const std::vector<double> ones(shapes.size(), 1);
    const double start = thread_seconds();
    dataset_->GetRasterBand(1)->Fill(0);
    if (GDALRasterizeGeometries(dataset_.get(), 1, &band, static_cast<int>(shapes.size()),
                                shapes.data(), nullptr, nullptr, ones.data(), nullptr, nullptr,
                                nullptr) != CE_None)
      std::abort();
    const double used = thread_seconds() - start;
    if (dataset_->GetRasterBand(1)->RasterIO(GF_Read, 0, 0, kSize, kSize, pixels, kSize, kSize,
                                             GDT_Byte, 0, 0) != CE_None)
      std::abort();
    return used;
  }

 private:
  std::unique_ptr<GDALDataset, CloseDataset> dataset_;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

/// Draws every tile into one buffer, as GDAL does into its dataset: clearing counts, keeping the
/// mask does not. Microseconds a tile.
template <class Draw>
double draw_tiles(std::vector<std::uint8_t>& masks, Draw draw) {
  const std::size_t tiles = masks.size() / kPixels;
  std::vector<std::uint8_t> pixels(kPixels);
  double sum = 0;
  for (std::size_t t = 0; t < tiles; ++t) {
    const double start = thread_seconds();
    std::memset(pixels.data(), 0, kPixels);
    draw(geometry::MaskBuffer<std::uint8_t>{kFrame, pixels}, t);
    sum += thread_seconds() - start;
    std::memcpy(masks.data() + t * kPixels, pixels.data(), kPixels);
  }
  return 1e6 * sum / static_cast<double>(tiles);
}

int buildings(const std::vector<double>& values, int rounds, std::vector<std::uint8_t>& masks) {
  const std::size_t per_tile = kObjects * kRingPoints * 2, tiles = values.size() / per_tile;
  std::vector<geometry::MapMultiPolygon> shapes;
  for (std::size_t n = 0; n < tiles * kObjects; ++n)
    shapes.push_back(
        {geometry::MapPolygon{points_at(&values[n * kRingPoints * 2], kRingPoints), {}}});
  masks.resize(tiles * kPixels);
  std::vector<std::uint8_t> other(kPixels);
  std::vector<double> ours_us, gdal_us;
  Gdal gdal;
  std::size_t different = 0;
  for (int round = 0; round < rounds; ++round) {
    ours_us.push_back(
        draw_tiles(masks, [&](const geometry::MaskBuffer<std::uint8_t>& mask, std::size_t t) {
          for (std::size_t k = 0; k < kObjects; ++k)
            geometry::fill_polygons(mask, shapes[t * kObjects + k], std::uint8_t{1});
        }));
    double sum = 0;
    for (std::size_t t = 0; t < tiles; ++t) {
      std::vector<OGRGeometryH> geometries;
      for (std::size_t k = 0; k < kObjects; ++k) {
        auto* ring = new OGRLinearRing;
        for (const auto& p : shapes[t * kObjects + k].front().outer) ring->addPoint(p.x, p.y);
        auto* polygon = new OGRPolygon;
        polygon->addRingDirectly(ring);
        geometries.push_back(OGRGeometry::ToHandle(polygon));
      }
      sum += gdal.draw(geometries, other.data());
      for (auto* geometry : geometries) OGR_G_DestroyGeometry(geometry);
      for (std::size_t k = 0; k < kPixels; ++k) different += other[k] != masks[t * kPixels + k];
    }
    gdal_us.push_back(1e6 * sum / static_cast<double>(tiles));
  }
  std::cout << "{\"tiles\": " << tiles << ", \"ours_us\": " << median(ours_us)
            << ", \"gdal_us\": " << median(gdal_us) << ", \"different_pixels\": " << different
            << "}\n";
  return 0;
}

int roads(const std::vector<double>& values, int rounds, std::vector<std::uint8_t>& masks) {
  const std::size_t per_road = kRoadPoints * 2 + 1, tiles = values.size() / per_road / kObjects;
  std::vector<geometry::WideLine> lines;
  for (std::size_t n = 0; n < tiles * kObjects; ++n)
    lines.push_back({points_at(&values[n * per_road], kRoadPoints),
                     values[n * per_road + kRoadPoints * 2],
                     true,
                     true,
                     {},
                     {}});
  masks.resize(tiles * kPixels);
  std::vector<double> ours_us;
  for (int round = 0; round < rounds; ++round) {
    ours_us.push_back(
        draw_tiles(masks, [&](const geometry::MaskBuffer<std::uint8_t>& mask, std::size_t t) {
          for (std::size_t k = 0; k < kObjects; ++k)
            geometry::fill_line(mask, lines[t * kObjects + k], std::uint8_t{1});
        }));
  }
  std::cout << "{\"tiles\": " << tiles << ", \"ours_us\": " << median(ours_us) << "}\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: tilewright-label-bench buildings|roads FILE ROUNDS [OUT]\n";
    return 2;
  }
  GDALAllRegister();
  const auto values = read_doubles(argv[2]);
  std::vector<std::uint8_t> masks;
  const int code = std::strcmp(argv[1], "buildings") == 0
                       ? buildings(values, std::stoi(argv[3]), masks)
                       : roads(values, std::stoi(argv[3]), masks);
  if (argc > 4)
    std::ofstream(argv[4], std::ios::binary)
        .write(reinterpret_cast<const char*>(masks.data()),
               static_cast<std::streamsize>(masks.size()));
  return code;
}
