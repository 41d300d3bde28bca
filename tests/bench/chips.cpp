// SPDX-License-Identifier: Apache-2.0
// One round of cutting chips, or of the codec limit: `tilewright-chips-bench MODE FOLDER THREADS [SIZE STRIDE | EPSG]`;
// prints one JSON line. chips.py makes the scenes and alternates the rounds with the peers'.
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "pipeline/io/tiff_codec.h"
#include "pipeline/stages/extract_tile.h"
#include "pipeline/stages/sampling.h"

namespace {

namespace fs = std::filesystem;
using namespace tilewright;
using pipeline::WindowToCut;

std::vector<fs::path> scenes_in(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".tif") out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

/// pread, codec and predictor of every block, nothing else.
std::int64_t decode_all(const fs::path& scene) {
  const auto file = pipeline::FileBytes::open(scene);
  const auto layout = pipeline::read_tiff_layout(*file);
  pipeline::TiffCodec codec;
  std::vector<std::byte> packed, block;
  std::int64_t bytes = 0;
  for (std::size_t k = 0; k < layout->offsets.size(); ++k) {
    packed.resize(layout->counts[k]);
    block.resize(layout->block_bytes(0));
    if (!file->read(layout->offsets[k], packed) || !codec.unpack(*layout, packed, block)) std::abort();
    bytes += static_cast<std::int64_t>(block.size());
  }
  return bytes;
}

/// Windows of a scene on its own pixels: a grid with a stride, or random ones.
std::vector<WindowToCut> copied(const pipeline::TileReader& tile, std::int64_t size, std::int64_t stride, int random_count, unsigned seed) {
  std::vector<WindowToCut> out;
  const auto add = [&](std::int64_t col, std::int64_t row) {
    WindowToCut window;
    window.name = "w";
    window.cells = {col, row, size, size};
    window.copy_of = window.cells;
    out.push_back(std::move(window));
  };
  std::mt19937 random(seed);
  if (random_count > 0)
    for (int k = 0; k < random_count; ++k) {
      const auto col = static_cast<std::int64_t>(random() % static_cast<unsigned>(tile.width() - size)), row = static_cast<std::int64_t>(random() % static_cast<unsigned>(tile.height() - size));
      add(col, row);
    }
  else
    for (std::int64_t row = 0; row + size <= tile.height(); row += stride)
      for (std::int64_t col = 0; col + size <= tile.width(); col += stride) add(col, row);
  return out;
}

/// Windows on the 10 m grid of another zone that lie inside the scene.
std::vector<WindowToCut> warped(const pipeline::TileReader& tile, int epsg, std::int64_t size) {
  const geometry::Crs zone = geometry::Crs::from_epsg(epsg);
  const geometry::Affine grid{10, 0, 0, 0, -10, 0};
  const auto from_grid = pipeline::source_from_grid(grid, zone, pipeline::grid_of(tile));
  const geometry::Transform to_zone(tile.crs(), zone);
  geometry::Box box{1e300, 1e300, -1e300, -1e300};
  const auto w = static_cast<double>(tile.width()), h = static_cast<double>(tile.height());
  for (const geometry::PixelXY p : {geometry::PixelXY{0, 0}, {w, 0}, {0, h}, {w, h}}) {
    const auto q = to_zone(tile.affine().map_from_pixel(p));
    box = {std::min(box.min_x, q->x), std::min(box.min_y, q->y), std::max(box.max_x, q->x), std::max(box.max_y, q->y)};
  }
  std::vector<WindowToCut> out;
  std::vector<geometry::PixelXY> places;
  for (auto row = static_cast<std::int64_t>(std::ceil(-box.max_y / 10)); row + size < -box.min_y / 10; row += size)
    for (auto col = static_cast<std::int64_t>(std::ceil(box.min_x / 10)); col + size < box.max_x / 10; col += size) {
      bool inside = true;
      for (const auto& [c, r] : {std::pair{col, row}, {col + size - 1, row}, {col, row + size - 1}, {col + size - 1, row + size - 1}}) {
        from_grid.places({c, r, 1, 1}, 0.5, places);
        inside = inside && places[0].col > 2 && places[0].row > 2 && places[0].col < w - 2 && places[0].row < h - 2;
      }
      if (!inside) continue;
      WindowToCut window;
      window.name = "w";
      window.epsg = epsg;
      window.grid = grid;
      window.cells = {col, row, size, size};
      out.push_back(std::move(window));
    }
  return out;
}

}  // namespace

// long because: one round from arguments to its line, so that what is timed is seen at once.
int main(int count, char** text) {
  if (count < 4) return 2;
  const std::string mode = text[1];
  const auto scenes = scenes_in(text[2]);
  const int threads = std::atoi(text[3]);
  const std::int64_t size = count > 4 ? std::atoll(text[4]) : 264;
  const std::int64_t last = count > 5 ? std::atoll(text[5]) : size;
  pipeline::Job job;
  job.sources.emplace_back("s", pipeline::SourceConfig{});
  job.sources.back().second.nodata.mode = pipeline::NodataMode::none;
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
  std::atomic<std::int64_t> chips = 0, bytes = 0;
  std::atomic<std::uint64_t> sum = 0;
  const bool is_checked = std::getenv("TILEWRIGHT_CHECK") != nullptr;
  const auto start = std::chrono::steady_clock::now();
  tbb::parallel_for(std::size_t{0}, scenes.size(), [&](std::size_t n) {
    if (mode == "limit") {
      bytes += decode_all(scenes[n]);
      return;
    }
    const pipeline::TileReader tile(job, "s", {{scenes[n].string(), "", false}}, {});
    const auto windows = mode == "warp" ? warped(tile, static_cast<int>(last), size)
                                        : copied(tile, size, last, mode == "random" ? static_cast<int>(last) : 0, static_cast<unsigned>(n));
    std::vector<std::byte> sample;  // where a trainer would have it
    pipeline::cut_windows(tile, windows, {}, [&](const WindowToCut&, std::span<const std::byte> pixels) {
      sample.assign(pixels.begin(), pixels.end());
      ++chips;
      bytes += static_cast<std::int64_t>(pixels.size());
      if (!is_checked) return;
      std::uint64_t own = 0;
      for (std::size_t k = 0; k + 2 <= sample.size(); k += 2) own += std::to_integer<unsigned>(sample[k]) + 256 * std::to_integer<unsigned>(sample[k + 1]);
      sum += own;
    });
  }, tbb::simple_partitioner());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("{\"mode\": \"%s\", \"seconds\": %.6f, \"chips\": %lld, \"bytes\": %lld, \"sum\": %llu}\n", mode.c_str(), seconds, static_cast<long long>(chips.load()),
              static_cast<long long>(bytes.load()), static_cast<unsigned long long>(sum.load()));
  return 0;
}
