// SPDX-License-Identifier: Apache-2.0
// One round of the codec limit, or of cutting the chips of a list: `tilewright-chips-bench limit
// FOLDER THREADS` or `tilewright-chips-bench cut FOLDER THREADS SIZE MEMORY_MB EPSG LIST [OUT]`.
// Prints one JSON line. A line of the list is scene, column, row: pixels of the scene for EPSG 0,
// else cells of the 10 m grid of that CRS. OUT takes all chips, in the order of the list. chips.py
// makes scenes and lists, compares the chips and alternates the rounds with the peers'.
#include <tbb/enumerable_thread_specific.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "pipeline/io/tiff_codec.h"
#include "pipeline/stages/extract_tile.h"

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

/// Windows of the list, by scene; `member`: the place in the list.
std::vector<std::vector<WindowToCut>> read_list(const char* file, std::size_t scenes,
                                                std::int64_t size, int epsg) {
  std::vector<std::vector<WindowToCut>> out(scenes);
  std::ifstream in(file);
  std::size_t scene = 0, member = 0;
  for (std::int64_t col = 0, row = 0; in >> scene >> col >> row; ++member) {
    auto& window = out.at(scene).emplace_back();
    window.name.assign(1, 'w');
    window.cells = {col, row, size, size};
    window.member = member;
    window.epsg = epsg;
    window.grid = {10, 0, 0, 0, -10, 0};
    if (epsg == 0) window.copy_of = window.cells;
  }
  return out;
}

struct Chips {
  std::int64_t count = 0, bytes = 0;
};

/// Scenes in parallel; each chip is copied to where a trainer would have it, and to `out` if there
/// is one.
Chips cut(const std::vector<fs::path>& scenes, const std::vector<std::vector<WindowToCut>>& windows,
          std::size_t memory_bytes, const char* out) {
  pipeline::Job job;
  job.sources.emplace_back("s", pipeline::SourceConfig{});
  job.sources.back().second.nodata.mode = pipeline::NodataMode::none;
  std::ofstream file;
  if (out) file.open(out, std::ios::binary);
  std::mutex writing;
  std::atomic<std::int64_t> count = 0, bytes = 0;
  tbb::enumerable_thread_specific<pipeline::StripBuffers> buffers;
  tbb::parallel_for(
      std::size_t{0}, scenes.size(),
      [&](std::size_t n) {
        if (windows[n].empty()) return;
        const pipeline::TileReader tile(job, "s", {{scenes[n].string(), "", false}}, {});
        std::vector<std::byte> sample;
        pipeline::CutSettings settings;
        settings.memory_bytes = memory_bytes;
        pipeline::cut_windows(
            tile, windows[n], settings, buffers.local(),
            [&](const WindowToCut& window, std::span<const std::byte> pixels) {
              sample.assign(pixels.begin(), pixels.end());
              ++count;
              bytes += static_cast<std::int64_t>(pixels.size());
              if (!out) return;
              const std::lock_guard lock(writing);
              file.seekp(static_cast<std::streamoff>(window.member * sample.size()));
              file.write(reinterpret_cast<const char*>(sample.data()),
                         static_cast<std::streamsize>(sample.size()));
            });
      },
      tbb::simple_partitioner());
  return {count, bytes};
}

}  // namespace

int main(int count, char** text) {
  const bool is_limit = count == 4 && std::string(text[1]) == "limit";
  if (!is_limit && (count < 8 || std::string(text[1]) != "cut")) return 2;
  const auto scenes = scenes_in(text[2]);
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(std::atoi(text[3])));
  std::vector<std::vector<WindowToCut>> windows;
  if (!is_limit)
    windows = read_list(text[7], scenes.size(), std::atoll(text[4]), std::atoi(text[6]));
  const auto start = std::chrono::steady_clock::now();
  Chips chips;
  if (is_limit) {
    std::atomic<std::int64_t> bytes = 0;
    tbb::parallel_for(
        std::size_t{0}, scenes.size(), [&](std::size_t n) { bytes += decode_all(scenes[n]); },
        tbb::simple_partitioner());
    chips.bytes = bytes;
  } else {
    chips = cut(scenes, windows, static_cast<std::size_t>(std::atoll(text[5])) << 20,
                count > 8 ? text[8] : nullptr);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("{\"seconds\": %.6f, \"chips\": %lld, \"bytes\": %lld}\n", seconds,
              static_cast<long long>(chips.count), static_cast<long long>(chips.bytes));
  return 0;
}
