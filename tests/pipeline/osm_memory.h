// SPDX-License-Identifier: Apache-2.0
// A town of OpenStreetMap ways around a few locations, and how much memory labelling takes.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>

#include <fstream>

#include "index/manifest.h"
#include "tests/pipeline/tiny_raster.h"
#include "tests/support/program.h"

namespace tilewright::pipeline {

/// `ways` ways of five nodes, over 1 x 1 degrees around 15.5 E 45.5 N; one in a hundred has a width.
inline void write_osm(const TemporaryFolder& folder, int ways) {
  std::ofstream out(folder / "town.osm");
  out << "<?xml version='1.0'?>\n<osm version=\"0.6\">\n";
  const auto place = [](std::uint64_t n) {  // splitmix64, as a share of one
    n = (n + 1) * 0x9E3779B97F4A7C15ULL;
    n = (n ^ (n >> 30)) * 0xBF58476D1CE4E5B9ULL;
    n = (n ^ (n >> 27)) * 0x94D049BB133111EBULL;
    return static_cast<double>((n ^ (n >> 31)) >> 11) / 9007199254740992.0;
  };
  out.precision(9);
  for (int way = 0; way < ways; ++way)
    for (int k = 0; k < 5; ++k)
      out << "<node id=\"" << 5LL * way + k + 1 << "\" lat=\"" << 45 + place(2ULL * static_cast<unsigned>(way)) + k * 2e-4 << "\" lon=\"" << 15 + place(2ULL * static_cast<unsigned>(way) + 1) + k * 1e-4 << "\"/>\n";
  for (int way = 0; way < ways; ++way) {
    out << "<way id=\"" << way + 1 << "\">";
    for (int k = 0; k < 5; ++k) out << "<nd ref=\"" << 5LL * way + k + 1 << "\"/>";
    out << "<tag k=\"highway\" v=\"" << (way % 3 ? "residential" : "footway") << "\"/>" << (way % 100 ? "" : "<tag k=\"width\" v=\"7 m\"/>") << "</way>\n";
  }
  out << "</osm>\n";
}

/// Labels `ways` ways on 4 x 4 windows in their midst; returns the largest resident set in MiB.
inline long memory_of_osm_mb(int ways) {
  const TemporaryFolder folder;
  write_osm(folder, ways);
  TinyRaster r;
  r.width = r.height = 1024, r.type = GDT_Byte;
  r.pixel = [](int, int, int) { return 1; };
  r.transform = std::vector<double>{538000, 2, 0, 5040000, 0, -2};
  write_raster(folder.path() / "ground.tif", r);
  folder.write("job.yaml", "workspace: work\nsources: {s: {files: ground.tif}}\ngrid: {resolution_m: 2, zone: EPSG:32633}\nviews: {patch_px: 256}\n"
                           "layers:\n  roads: {vector: town.osm, layer: lines, where: highway IS NOT NULL, draw: lines, extent: all, width: {attribute: width, classes: {field: highway, table: osm}}}\n");
  const pid_t child = ::fork();
  if (child == 0) tests::become({tests::program().string(), "run", (folder.path() / "job.yaml").string(), "--to", "label", "-q", "-j", "2"}, folder.path(), {});
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << tests::read_text(folder.path() / "err");
  const auto manifest = index::Manifest::open(folder.path() / "work/manifest.gpkg", index::Manifest::Mode::read_only);
  const auto objects = index::label_objects(manifest, "roads");
  std::int64_t drawn = 0, outside = 0;
  for (const auto& object : objects) ++(object.status == "drawn" ? drawn : outside);
  EXPECT_EQ(objects.size(), static_cast<std::size_t>(ways));
  EXPECT_GT(drawn, ways / 20000) << "of " << ways;
  EXPECT_GT(outside, ways / 2);
  std::cout << ways << " ways: " << usage.ru_maxrss / 1024 << " MiB, " << usage.ru_utime.tv_sec + usage.ru_stime.tv_sec << " s of CPU, " << drawn << " drawn\n";
  return usage.ru_maxrss / 1024;
}

}  // namespace tilewright::pipeline
