// SPDX-License-Identifier: Apache-2.0
// Quicklooks of predicted maps, in the classes' colours.
#include <algorithm>
#include <map>

#include "index/reason.h"
#include "learn/config/dataset_file.h"
#include "pipeline/io/raster.h"
#include "pipeline/report/picture.h"
#include "pipeline/report/section.h"

namespace tilewright::pipeline {
namespace {

constexpr std::int64_t kEdge = 480;
constexpr std::size_t kMostMaps = 6;
constexpr Rgb kBackground = {238, 238, 232}, kNothing = {255, 255, 255};

/// Colours of the classes of the predicting run's dataset.
std::map<int, Rgb> class_colors(const ReportInput& input, ReportJson& legend) {
  std::map<int, Rgb> colors;
  for (const auto& [name, run] : input.job.runs) {
    const auto file = input.workspace / "datasets" / run.dataset / "dataset.json";
    if (name != input.job.predict->run || !std::filesystem::exists(file)) continue;
    for (const auto& info : learn::read_dataset(file).target.classes) {
      colors[info.id] = info.id == 0 ? kBackground : rgb_from_hex(info.color);
      legend.push_back({{"color", info.id == 0 ? "#eeeee8" : info.color}, {"text", info.name}});
    }
  }
  return colors;
}

/// Every n-th pixel of the first band.
Picture quicklook(const std::filesystem::path& file, const std::map<int, Rgb>& colors) {
  const auto raster = Raster::open(file, {});
  const auto& info = raster.info();
  const auto step = std::max<std::int64_t>(1, (std::max(info.width, info.height) + kEdge - 1) / kEdge);
  Picture out{static_cast<int>((info.width + step - 1) / step), static_cast<int>((info.height + step - 1) / step), {}};
  out.rgb.resize(3 * static_cast<std::size_t>(out.width) * static_cast<std::size_t>(out.height), 255);
  std::vector<std::byte> row(static_cast<std::size_t>(info.width) * shard::byte_size(info.bands.at(0).dtype));
  for (int y = 0; y < out.height; ++y) {
    raster.read(0, {0, y * step, info.width, 1}, row);
    for (int x = 0; x < out.width; ++x) {
      const int value = std::to_integer<int>(row[static_cast<std::size_t>(x * step)]);
      const auto found = colors.find(value);
      out.set(x, y, found == colors.end() ? kNothing : found->second);
    }
  }
  return out;
}

}  // namespace

ReportJson prediction_section(const ReportInput& input) {
  if (!input.job.predict || !std::filesystem::is_directory(input.workspace / "predictions")) return nullptr;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(input.workspace / "predictions")) {
    const auto name = entry.path().filename().string();
    if (entry.path().extension() == ".tif" && name.starts_with(input.job.predict->run + "_") && !name.ends_with("_probabilities.tif")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ReportJson legend = ReportJson::array(), maps = ReportJson::array();
  const auto colors = class_colors(input, legend);
  for (const auto& file : files) {
    if (maps.size() >= kMostMaps) break;
    try {
      maps.push_back({{"image", data_uri(quicklook(file, colors))}, {"title", file.filename().string()}});
    } catch (const index::ItemError&) {  // one map that cannot be read leaves the others
      maps.push_back({{"image", ""}, {"title", file.filename().string() + " cannot be read"}});
    }
  }
  if (maps.empty()) return nullptr;
  return {{"maps", maps}, {"legend", legend}, {"total", files.size()}};
}

}  // namespace tilewright::pipeline
