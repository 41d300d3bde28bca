// SPDX-License-Identifier: Apache-2.0
// A small job that has what can break, and runs of the program that are killed.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "pipeline/synth/gdal_files.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::pipeline {

namespace fs = std::filesystem;
using tests::read_text;
using tests::write_text;

inline constexpr int kSize = 160, kBands = 8;  // enough for two shards
inline constexpr double kWest = 500000, kNorth = 5600000;
inline const std::string kProgram = std::string(TILEWRIGHT_BIN_DIR) + "/tilewright";

inline std::string scene(unsigned seed, double shift_m, int empty_columns) {
  std::mt19937 random(seed);
  std::vector<std::uint16_t> pixels(kBands * kSize * kSize);
  for (auto& pixel : pixels) pixel = static_cast<std::uint16_t>(1 + random() % 60000);
  for (int band = 0; band < kBands; ++band)
    for (int row = 0; row < kSize; ++row)
      for (int col = 0; col < empty_columns; ++col) pixels[static_cast<std::size_t>((band * kSize + row) * kSize + col)] = 0;
  return geotiff({.epsg = 32633, .affine = {.a = 10, .b = 0, .c = kWest + shift_m, .d = 0, .e = -10, .f = kNorth - shift_m},
                  .width = kSize, .height = kSize, .dtype = shard::DType::u16, .bands = std::vector<std::string>(kBands), .nodata = 0,
                  .pixels = std::as_bytes(std::span(pixels))});
}

/// Dates on and off the lattice, a duplicate, a truncated file, labels; seconds to run.
inline void make_job(const fs::path& folder) {
  fs::create_directories(folder / "in");
  write_text(folder / "in/s_20200101.tif", scene(1, 0, 0));
  write_text(folder / "in/s_20200201.tif", scene(2, 0, 40));
  write_text(folder / "in/s_20200301.tif", scene(3, 3.7, 0));
  write_text(folder / "in/s_20200401.tif", scene(4, 200, 0));
  write_text(folder / "in/s_20200501.tif", scene(4, 200, 0));
  write_text(folder / "in/s_20200601.tif", scene(6, 0, 0).substr(0, 60000));
  write_text(folder / "labels.geojson", R"({"type": "FeatureCollection", "features": [
    {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates":
      [[[15.001, 50.545], [15.006, 50.545], [15.006, 50.549], [15.001, 50.549], [15.001, 50.545]]]}},
    {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates":
      [[[15.012, 50.54], [15.018, 50.541], [15.016, 50.546], [15.012, 50.54]]]}}]})");
  write_text(folder / "job.yaml", R"(workspace: work
sources:
  s: {files: 'in/*.tif', date: {name: '_(\d{8})', format: '%Y%m%d'}}
grid: {resolution_m: 10}
views: {patch_px: 32, min_views: 1}
extract: {shard_mb: 1}
layers:
  fields: {vector: labels.geojson, draw: polygons, class: 1, extent: all}
split: {unit: block, block_m: 640, seed: 3}
)");
}

struct Ending {
  bool was_killed = false;
  int code = 0;
};

/// Runs `tilewright run JOB --to split` to its end, or kills it after `kill_after`.
inline Ending run_job(const fs::path& folder, const std::string& failpoint, std::chrono::milliseconds kill_after = {},
               const char* forced = nullptr) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int log = ::open((folder / "output.txt").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(log, 1);
    ::dup2(log, 2);
    if (!failpoint.empty()) ::setenv("TILEWRIGHT_FAILPOINT", failpoint.c_str(), 1);
    ::execl(kProgram.c_str(), "tilewright", "run", (folder / "job.yaml").c_str(), "--to", "split", "-j", "2", "--memory", "512M",
            forced != nullptr ? "--force" : nullptr, forced, nullptr);
    ::_exit(99);
  }
  if (kill_after.count() > 0) {
    std::this_thread::sleep_for(kill_after);
    ::kill(child, SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return {.was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, .code = WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

}  // namespace tilewright::pipeline
