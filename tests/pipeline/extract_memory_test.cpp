// SPDX-License-Identifier: Apache-2.0
// --memory holds whatever the size of the data: the largest resident set of a child process.
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/pipeline/tiny_raster.h"
#include "tests/support/program.h"

namespace tilewright::pipeline {
namespace {

constexpr long kLimit_mb = 220;

/// 33 MB of pixels a scene, in tiles and packed; every other scene lies off the grid.
void write_scenes(const TemporaryFolder& folder, int count) {
  TinyRaster r;
  r.width = 4096, r.height = 1024, r.bands = 4, r.type = GDT_UInt16, r.nodata = 0;
  r.options = {"TILED=YES", "COMPRESS=DEFLATE", "BLOCKXSIZE=256", "BLOCKYSIZE=256", "INTERLEAVE=PIXEL"};
  r.pixel = [](int band, int col, int row) { return 1 + band + (col / 8 + row) % 100; };
  for (int n = 0; n < count; ++n) {
    r.transform = std::vector<double>{500000 + 45000.0 * n + (n % 2) * 3, 10, 0, 5000000, 0, -10};
    if (n < 2) write_raster(folder.path() / "data" / ("s_" + std::to_string(n) + ".tif"), r);
    else {  // the same pixels elsewhere: copied, then moved
      const auto file = folder.path() / "data" / ("s_" + std::to_string(n) + ".tif");
      std::filesystem::copy_file(folder.path() / "data" / ("s_" + std::to_string(n % 2) + ".tif"), file);
      DatasetHandle dataset(GDALDataset::Open(file.c_str(), GDAL_OF_RASTER | GDAL_OF_UPDATE, nullptr, nullptr, nullptr));
      dataset->SetGeoTransform(r.transform->data());
    }
  }
  folder.write("job.yaml", "workspace: work\nroots: {data: data}\nsources: {s: {files: 'data:*.tif'}}\ngrid: {resolution_m: 10, origin_m: [0, 0]}\n"
                           "views: {patch_px: 256, placement: lattice}\nextract: {shard_mb: 64}\n");
}

long largest_resident_mb(const TemporaryFolder& folder) {
  const pid_t child = ::fork();
  if (child == 0)
    tests::become({tests::program().string(), "run", (folder.path() / "job.yaml").string(), "--to", "extract", "-q", "-j", "2", "--memory", std::to_string(kLimit_mb) + "M"}, folder.path(), {});
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << tests::read_text(folder.path() / "err");
  return usage.ru_maxrss / 1024;
}

TEST(Memory, StaysWithinTheBudgetAtOnceAndAtTenTimesTheData) {
  for (const int scenes : {1, 10}) {
    const TemporaryFolder folder;
    write_scenes(folder, scenes);
    const long resident = largest_resident_mb(folder);
    RecordProperty("resident_mb_" + std::to_string(scenes), static_cast<int>(resident));
    EXPECT_LE(resident, kLimit_mb + kLimit_mb / 10) << scenes << " scenes";
  }
}

}  // namespace
}  // namespace tilewright::pipeline
