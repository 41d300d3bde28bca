// SPDX-License-Identifier: Apache-2.0
// A job on drawn or real tiles whose stages are run one by one by tests.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>

#include "pipeline/config/load.h"
#include "pipeline/stages/stage.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {

inline std::int64_t count_of(const StageReport& report, const std::string& name) {
  for (const auto& [key, value] : report.counts)
    if (key == name) return value;
  return 0;
}

/// A workspace in a temporary folder; `job` may be changed before the first stage.
class StageBench {
 public:
  StageBench() : job(tiny_job(folder_.path(), "data:*.tif")) { std::filesystem::create_directories(folder_ / "work"); }
  /// A job of configs/ on the real data.
  explicit StageBench(const std::string& config) : job(load_job(std::filesystem::path(TILEWRIGHT_SOURCE_DIR) / "configs" / config)) {
    std::filesystem::create_directories(folder_ / "work");
  }
  void write(const std::string& name, const TinyRaster& raster) const { write_raster(folder_.path() / "data" / name, raster); }
  void write_text(const std::string& name, const std::string& text) const { folder_.write(name, text); }
  [[nodiscard]] const std::filesystem::path& path() const { return folder_.path(); }
  /// The inputs go away, the manifest stays.
  void remove_inputs() const { std::filesystem::remove_all(folder_ / "data"); }
  [[nodiscard]] index::Manifest manifest(const std::string& name = "manifest.gpkg") const {
    return index::Manifest::open(folder_ / ("work/" + name), index::Manifest::Mode::create_or_write);
  }
  StageReport run(StageReport (*stage)(const StageInput&, const RunContext&), index::Manifest& m, int threads = 1) const {
    RunContext context;
    context.threads = threads;
    return stage({job, m, folder_ / "work"}, context);
  }
  StageReport run_forced(StageReport (*stage)(const StageInput&, const RunContext&), index::Manifest& m) const {
    RunContext context;
    context.is_forced = true;
    return stage({job, m, folder_ / "work"}, context);
  }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;

 public:
  Job job;
};

}  // namespace tilewright::pipeline
