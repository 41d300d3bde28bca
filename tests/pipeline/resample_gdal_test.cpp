// SPDX-License-Identifier: Apache-2.0
// Own kernels against GDAL's warper in the interior: one window, exact transform, kernels not scaled.
#include <gdal_alg.h>
#include <gdal_priv.h>
#include <gdalwarper.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "geometry/resample.h"
#include "geometry/sparse_transform.h"
#include "pipeline/io/open_policy.h"

namespace tilewright {
namespace {

using geometry::Affine;
using geometry::Crs;
using geometry::Resampling;

constexpr int kSource = 300, kTarget = 120;

struct Setting {
  const char* name;
  Resampling kernel;
  GDALResampleAlg algorithm;
  int target_epsg;
  double target_m;
  double tolerance;  ///< of the range of the values
};

void set_place(GDALDataset& dataset, const Affine& a, int epsg) {
  double g[6] = {a.c, a.a, a.b, a.f, a.d, a.e};
  dataset.SetGeoTransform(g);
  OGRSpatialReference crs;
  crs.importFromEPSG(epsg);
  crs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
  dataset.SetSpatialRef(&crs);
}

struct Memory {
  std::unique_ptr<GDALDataset> dataset;
  Memory(int size, GDALDataType type, const Affine& affine, int epsg) {
    pipeline::set_up_gdal(0);
    static GDALDriver* driver = [] {
      GDALRegister_MEM();
      return GetGDALDriverManager()->GetDriverByName("MEM");
    }();
    dataset.reset(driver->Create("", size, size, 1, type, nullptr));
    set_place(*dataset, affine, epsg);
  }
};

template <class T>
std::vector<T> warped(GDALDataset& source, GDALDataset& target, GDALResampleAlg algorithm, GDALDataType type) {
  auto* options = GDALCreateWarpOptions();
  options->hSrcDS = &source;
  options->hDstDS = &target;
  options->eResampleAlg = algorithm;
  options->nBandCount = 1;
  options->panSrcBands = static_cast<int*>(CPLMalloc(sizeof(int)));
  options->panDstBands = static_cast<int*>(CPLMalloc(sizeof(int)));
  options->panSrcBands[0] = options->panDstBands[0] = 1;
  options->dfWarpMemoryLimit = 1e9;
  options->papszWarpOptions = CSLSetNameValue(options->papszWarpOptions, "XSCALE", "1");
  options->papszWarpOptions = CSLSetNameValue(options->papszWarpOptions, "YSCALE", "1");
  options->pfnTransformer = GDALGenImgProjTransform;
  options->pTransformerArg = GDALCreateGenImgProjTransformer(&source, nullptr, &target, nullptr, FALSE, 0, 1);
  GDALWarpOperation operation;
  EXPECT_EQ(operation.Initialize(options), CE_None);
  EXPECT_EQ(operation.ChunkAndWarpImage(0, 0, kTarget, kTarget), CE_None);
  std::vector<T> pixels(kTarget * kTarget);
  EXPECT_EQ(target.GetRasterBand(1)->RasterIO(GF_Read, 0, 0, kTarget, kTarget, pixels.data(), kTarget, kTarget, type, 0, 0), CE_None);
  GDALDestroyGenImgProjTransformer(options->pTransformerArg);
  GDALDestroyWarpOptions(options);
  return pixels;
}

/// Share of pixels that differ from GDAL's by more than the tolerance.
template <class T>
double share_unlike(const Setting& setting, GDALDataType type) {
  const Affine source{10, 0, 600000, 0, -10, 5600000};
  const Crs source_crs = Crs::from_epsg(32632), target_crs = Crs::from_epsg(setting.target_epsg);
  const auto middle = geometry::Transform(source_crs, target_crs)(source.map_from_pixel({kSource / 2.0, kSource / 2.0}));
  const Affine target{setting.target_m, 0, std::floor(middle->x) - setting.target_m * kTarget / 2 + 3.7, 0, -setting.target_m, std::floor(middle->y) + setting.target_m * kTarget / 2 + 1.3};
  std::mt19937 random(61);
  std::vector<T> pixels;
  for (int k = 0; k < kSource * kSource; ++k) pixels.push_back(static_cast<T>(random() % 60000));
  Memory from(kSource, type, source, 32632), to(kTarget, type, target, setting.target_epsg);
  EXPECT_EQ(from.dataset->GetRasterBand(1)->RasterIO(GF_Write, 0, 0, kSource, kSource, pixels.data(), kSource, kSource, type, 0, 0), CE_None);
  const auto theirs = warped<T>(*from.dataset, *to.dataset, setting.algorithm, type);

  const geometry::SparseTransform place(target, target_crs, source, source_crs);
  std::vector<geometry::PixelXY> places;
  const bool corners = geometry::samples_corners(setting.kernel);
  place.places({0, 0, kTarget + corners, kTarget + corners}, corners ? 0 : 0.5, places);
  const geometry::Taps taps(setting.kernel, {0, 0, kSource, kSource}, {}, places, kTarget);
  EXPECT_TRUE(taps.all_valid());
  std::vector<T> ours(kTarget * kTarget);
  taps.apply<T>(pixels, 0, ours);
  int unlike = 0;
  for (std::size_t k = 0; k < ours.size(); ++k) unlike += std::abs(static_cast<double>(ours[k]) - static_cast<double>(theirs[k])) > setting.tolerance * 60000 ? 1 : 0;
  return unlike / static_cast<double>(ours.size());
}

/// White noise is the hardest picture: 1e-8 px of place are 6e-4 of a value of 60,000.
const Setting kSettings[] = {
    {"nearest", Resampling::nearest, GRA_NearestNeighbour, 32633, 10, 0},
    {"bilinear", Resampling::bilinear, GRA_Bilinear, 32633, 10, 1e-6},
    {"cubic", Resampling::cubic, GRA_Cubic, 32633, 10, 1e-6},
    {"bilinear to degrees' neighbour", Resampling::bilinear, GRA_Bilinear, 3857, 13, 1e-6},
    {"average of one system", Resampling::average, GRA_Average, 32632, 20, 1e-6},
};

TEST(ResampleAgainstGdal, FloatsAgreeToAMillionthOfTheRange) {
  for (const auto& setting : kSettings) EXPECT_LE(share_unlike<float>(setting, GDT_Float32), 0.0003) << setting.name;
}

TEST(ResampleAgainstGdal, IntegersAgreeButForTiesOfRounding) {
  for (auto setting : kSettings) {
    setting.tolerance = 0;
    EXPECT_LE(share_unlike<std::uint16_t>(setting, GDT_UInt16), 0.002) << setting.name;
    setting.tolerance = 1.0 / 60000;
    EXPECT_LE(share_unlike<std::uint16_t>(setting, GDT_UInt16), 0.0003) << setting.name;
  }
}

}  // namespace
}  // namespace tilewright
