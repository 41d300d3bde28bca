// SPDX-License-Identifier: Apache-2.0
// A plan is numbers until it is written: --memory holds for ten times the locations, first and
// later plans.
#include <sys/resource.h>
#include <sys/wait.h>

#include "index/manifest.h"
#include "index/plan_rows.h"
#include "tests/pipeline/tiny_raster.h"
#include "tests/support/program.h"

namespace tilewright::pipeline {
namespace {

constexpr long kLimit_mb = 200;

void write_scene(const TemporaryFolder& folder, const std::string& name, int edge, double west) {
  TinyRaster r;
  r.width = r.height = edge, r.type = GDT_Byte, r.nodata = 0;
  r.options = {"TILED=YES", "COMPRESS=DEFLATE"};
  r.pixel = [](int, int, int) { return 7; };
  r.transform = std::vector<double>{west, 10, 0, 5000000, 0, -10};
  write_raster(folder.path() / "data" / name, r);
}

long largest_resident_mb(const TemporaryFolder& folder) {
  const pid_t child = ::fork();
  if (child == 0)
    tests::become({tests::program().string(), "views", (folder.path() / "job.yaml").string(), "-q",
                   "-j", "2", "--memory", std::to_string(kLimit_mb) + "M"},
                  folder.path(), {});
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << tests::read_text(folder.path() / "err");
  return usage.ru_maxrss / 1024;
}

void prepare(const TemporaryFolder& folder) {
  const pid_t child = ::fork();
  if (child == 0)
    tests::become({tests::program().string(), "run", (folder.path() / "job.yaml").string(), "--to",
                   "graph", "-q"},
                  folder.path(), {});
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << tests::read_text(folder.path() / "err");
}

std::int64_t locations(const TemporaryFolder& folder) {
  return index::plan_counts(
             index::Manifest::open(folder / "work/manifest.gpkg", index::Manifest::Mode::read_only))
      .locations;
}

TEST(ViewsMemory, StaysWithinTheBudgetAtTenTimesTheLocationsAlsoWhereAPlanGoesOn) {
  for (const int edge : {1024, 3240}) {
    const TemporaryFolder folder;
    folder.write("job.yaml",
                 "workspace: work\nroots: {data: data}\nsources: {s: {files: 'data:*.tif'}}\ngrid: "
                 "{resolution_m: 10, origin_m: [0, 0]}\n"
                 "views: {patch_px: 8, placement: lattice}\n");
    write_scene(folder, "a.tif", edge, 500000);
    prepare(folder);
    const long first = largest_resident_mb(folder);
    EXPECT_EQ(locations(folder), std::int64_t{edge / 8} * (edge / 8));
    write_scene(folder, "b.tif", 64, 600000);  // one more scene, far from the others
    prepare(folder);
    const long later = largest_resident_mb(folder);
    EXPECT_EQ(locations(folder), std::int64_t{edge / 8} * (edge / 8) + 64);
    RecordProperty("first_mb_" + std::to_string(edge), static_cast<int>(first));
    RecordProperty("later_mb_" + std::to_string(edge), static_cast<int>(later));
    EXPECT_LE(first, kLimit_mb + kLimit_mb / 10) << edge;
    EXPECT_LE(later, kLimit_mb + kLimit_mb / 10) << edge;
  }
}

}  // namespace
}  // namespace tilewright::pipeline
