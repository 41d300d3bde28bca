// SPDX-License-Identifier: Apache-2.0
// Inner loops measured alone: headers, box self-join, shard reading. Data comes from run.py.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "index/self_join.h"
#include "index/shard/shard_reader.h"
#include "pipeline/io/raster.h"
#include "tests/index/planner_worlds.h"
#include "tests/index/tuple_growing.h"
#include "tests/pipeline/archive_masks.h"

namespace {

namespace fs = std::filesystem;
using namespace tilewright;

std::string data_folder(const char* variable) {
  const char* value = std::getenv(variable);
  return value ? value : "";
}

/// Open, bounds and CRS of every raster in a folder, through the open policy.
void headers(benchmark::State& state) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(data_folder("TILEWRIGHT_BENCH_RASTERS")))
    if (entry.path().extension() == ".tif") files.push_back(entry.path());
  pipeline::set_up_gdal(std::size_t{64} << 20);
  for (auto _ : state)
    for (const auto& file : files) benchmark::DoNotOptimize(pipeline::Raster::open(file, {}).info().affine.c);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(files.size()));
}
BENCHMARK(headers)->Unit(benchmark::kMillisecond)->MinTime(2);

/// 1e5 boxes of which each touches about eight others.
void touching_boxes(benchmark::State& state) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> place(0, 1000), size(0.5, 8);
  std::vector<geometry::Box> boxes(100000);
  for (auto& box : boxes) {
    const double x = place(random), y = place(random);
    box = {x, y, x + size(random), y + size(random)};
  }
  std::size_t pairs = 0;
  for (auto _ : state) pairs = index::touching_pairs(boxes).size();
  state.counters["pairs"] = static_cast<double>(pairs);
}
BENCHMARK(touching_boxes)->Unit(benchmark::kMillisecond)->MinTime(2);

/// Windows and views of 600 acquisitions of 1000 x 1000 pixels.
void planning(benchmark::State& state) {
  const auto zones = pipeline::archive_masks(pipeline::plan_archive({.seed = 1, .tiles = 600, .size_px = 1000, .patch_px = 128}));
  for (auto _ : state) benchmark::DoNotOptimize(pipeline::plan_zones(zones, {.patch_px = 128, .placement = index::Placement::shelf}).several);
  state.SetItemsProcessed(state.iterations() * 600);
}
BENCHMARK(planning)->Unit(benchmark::kMillisecond);

/// Windows of several dates on hot-spots, and those of the published algorithm.
void hot_spot_windows(benchmark::State& state) {
  const auto tiles = index::hot_spots(0);
  std::int64_t windows = 0;
  for (auto _ : state) windows = index::yield_of(index::plan_views(tiles, {.patch_px = 16, .placement = index::Placement::shelf})).windows;
  state.counters["windows"] = static_cast<double>(windows);
  state.counters["grown"] = static_cast<double>(index::TupleGrowing(tiles, 16, 5).run().size());
}
BENCHMARK(hot_spot_windows)->Unit(benchmark::kMillisecond);

/// All arrays of all shards of a folder, copied once as a loader would.
void shard_reading(benchmark::State& state) {
  std::vector<fs::path> shards;
  for (const auto& entry : fs::directory_iterator(data_folder("TILEWRIGHT_BENCH_SHARDS")))
    if (entry.path().extension() == ".tar") shards.push_back(entry.path());
  std::int64_t bytes = 0;
  std::vector<std::byte> buffer;
  for (auto _ : state) {
    for (const auto& shard : shards) {
      const shard::MappedFile file(shard);
      for (const auto& entry : shard::read_index(fs::path(shard).replace_extension(".idx"))) {
        if (!entry.dtype) continue;
        const auto array = shard::array_at(file, entry.offset, entry.length);
        buffer.resize(array.data.size());
        std::memcpy(buffer.data(), array.data.data(), array.data.size());
        benchmark::ClobberMemory();
        bytes += static_cast<std::int64_t>(array.data.size());
      }
    }
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(shard_reading)->Unit(benchmark::kMillisecond)->MinTime(2);

/// The same number of bytes a step without any format: the ceiling.
void memory_copy(benchmark::State& state) {
  std::vector<std::byte> source(std::size_t{64} << 20, std::byte{1}), target(source.size());
  for (auto _ : state) {
    std::memcpy(target.data(), source.data(), source.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(source.size()));
}
BENCHMARK(memory_copy)->Unit(benchmark::kMillisecond)->MinTime(1);

}  // namespace

BENCHMARK_MAIN();
