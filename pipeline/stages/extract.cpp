// SPDX-License-Identifier: Apache-2.0
// The extract stage: every planned view cut from its tile into the shards of its source.
#include <tbb/enumerable_thread_specific.h>
#include <tbb/global_control.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "geometry/error.h"
#include "index/plan_rows.h"
#include "index/shard/commit.h"
#include "index/shard/posix_io.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_reader.h"
#include "index/shard/shard_writer.h"
#include "pipeline/stages/extract_plan.h"
#include "pipeline/stages/extract_tile.h"
#include "pipeline/stages/scan_inputs.h"
#include "pipeline/stages/series_files.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShardsAPass = 256;                        ///< open files at once
constexpr std::size_t kMemberBytes = 256;                        ///< of memory that a member takes while its shard is open
constexpr std::size_t kLeastTaskBytes = std::size_t{32} << 20;   ///< below this, fewer tiles at once

/// One tile on its way through the pipeline.
struct TileTask {
  std::string tile_id, path;
  TileReader reader;
  std::vector<WindowToCut> windows;
};

/// Some consecutive shards of a series: opened together, filled tile by tile, published in order.
class Pass {
 public:
  Pass(const StageInput& in, const RunContext& context, const SeriesPlan& plan, std::size_t begin, std::size_t end)
      : in_(in), context_(context), plan_(plan), begin_(begin), end_(end), next_(begin) {
    for (std::size_t s = begin; s < end; ++s) missing_.push_back(plan.shards()[s].view_end - plan.shards()[s].view);
  }

  void run() {
    open_writers();
    const std::size_t budget = std::max(context_.memory_bytes / 2, kLeastTaskBytes);
    const auto tokens = std::clamp<std::size_t>(budget / kLeastTaskBytes, 1, static_cast<std::size_t>(std::max(context_.threads, 1)));
    const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(std::max(context_.threads, 1)));
    tbb::task_arena arena(std::max(context_.threads, 1));
    arena.execute([&] {
      tbb::parallel_pipeline(
          tokens, tbb::make_filter<void, std::shared_ptr<TileTask>>(tbb::filter_mode::serial_in_order,
                                                                     [&](tbb::flow_control& flow) { return next_task(flow); }) &
                      tbb::make_filter<std::shared_ptr<TileTask>, std::shared_ptr<TileTask>>(
                          tbb::filter_mode::parallel, [&](std::shared_ptr<TileTask> task) { return cut(task, budget / tokens); }) &
                      tbb::make_filter<std::shared_ptr<TileTask>, void>(tbb::filter_mode::serial_in_order,
                                                                         [&](const std::shared_ptr<TileTask>& task) { finish(*task); }));
    });
  }

 private:
  void open_writers() {
    std::int64_t needed = 0;
    for (std::size_t s = begin_; s < end_; ++s) needed += plan_.shards()[s].bytes;
    const fs::path folder = in_.workspace / "shards";
    const std::int64_t left = shard::free_bytes(folder);
    if (left >= 0 && left < needed)
      throw Error::failed("cannot write the shards of " + plan_.source() + " to " + folder.string() + ": " + std::to_string(needed) +
                          " bytes are needed, " + std::to_string(left) + " are free; free some space and run the same command again");
    for (std::size_t s = begin_; s < end_; ++s)
      writers_.push_back(std::make_unique<shard::ShardWriter>(in_.workspace / plan_.shards()[s].path, plan_.members(s)));
  }

  /// The next tile that has windows in this pass.
  std::shared_ptr<TileTask> next_task(tbb::flow_control& flow) {
    for (; next_tile_ < plan_.tile_count(); ++next_tile_) {
      std::vector<WindowToCut> windows;
      {
        const std::lock_guard lock(manifest_use_);
        for (const auto view : plan_.views_of_tile(next_tile_))
          if (plan_.shard_of(view) >= begin_ && plan_.shard_of(view) < end_) windows.push_back(plan_.window(view));
      }
      if (windows.empty()) continue;
      context_.check_stop();
      const auto& tile_id = plan_.tile_id(next_tile_);
      ++next_tile_;
      return open(tile_id, std::move(windows));
    }
    flow.stop();
    return nullptr;
  }

  std::shared_ptr<TileTask> open(const std::string& tile_id, std::vector<WindowToCut> windows) {
    const std::lock_guard lock(manifest_use_);
    const auto row = index::tile(in_.manifest, tile_id);
    if (!row) throw Error::failed("the manifest has views of tile " + tile_id + ", which it does not have; run: tilewright verify");
    return on_tile(row->path, [&] {
      return std::make_shared<TileTask>(TileTask{.tile_id = tile_id, .path = row->path,
                                                 .reader = open_tile(in_.job, in_.manifest, *row), .windows = std::move(windows)});
    });
  }

  std::shared_ptr<TileTask> cut(const std::shared_ptr<TileTask>& task, std::size_t memory_bytes) {
    return on_tile(task->path, [&] {
      std::map<std::string, TileReader> grounds;
      const double pixel_m = in_.job.source(plan_.source()).resolution_m.value_or(in_.job.grid.resolution_m);
      const CutSettings settings{.kernel = in_.job.extract.resampling, .memory_bytes = memory_bytes,
                                 .derivation = derivation(in_.job.source(plan_.source()).channels, pixel_m),
                                 .ground = [&](const WindowToCut& window) { return ground_heights(window, grounds, memory_bytes); }};
      cut_windows(task->reader, task->windows, settings, buffers_.local(), [&](const WindowToCut& window, std::span<const std::byte> pixels) {
        context_.check_stop();
        writers_[window.shard - begin_]->put(window.member, pixels);
      });
      return task;
    });
  }

  /// First band of the window's ground tile; `opened`: those of this task.
  std::vector<double> ground_heights(const WindowToCut& window, std::map<std::string, TileReader>& opened, std::size_t memory_bytes) {
    auto found = opened.find(window.ground_tile);
    if (found == opened.end()) {
      const std::lock_guard lock(manifest_use_);
      const auto row = index::tile(in_.manifest, window.ground_tile);
      if (!row) throw Error::failed("the manifest has no tile " + window.ground_tile + "; run: tilewright verify");
      found = opened.emplace(window.ground_tile, open_tile(in_.job, in_.manifest, *row)).first;
    }
    WindowToCut own = window;
    own.name = window.name.substr(0, window.name.find('/') + 1) + window.ground_tile;
    own.copy_of = window.ground_copy_of;
    std::vector<double> out;
    cut_windows(found->second, std::span(&own, 1), {.kernel = in_.job.extract.resampling, .memory_bytes = memory_bytes, .derivation = {}, .ground = {}}, buffers_.local(),
                [&](const WindowToCut&, std::span<const std::byte> pixels) {
                  shard::with_type(found->second.dtype(), [&](auto type) {
                    const auto* first = reinterpret_cast<const decltype(type)*>(pixels.data());
                    out.assign(first, first + window.cells.width * window.cells.height);
                  });
                });
    return out;
  }

  /// A tile that scan could read and that fails now has changed since; nothing is made of half of it.
  template <class Work>
  static std::shared_ptr<TileTask> on_tile(const std::string& path, const Work& work) {
    try {
      return work();
    } catch (const index::ItemError& error) {
      throw Error::failed("cannot extract from " + path + ": " + error.what() +
                          "; scan could read it, so it has changed since: run: tilewright run JOB --from scan");
    }
  }

  /// Nothing is published of a tile whose files are not those that scan hashed.
  void check_unchanged(const TileTask& task) {
    const std::lock_guard lock(manifest_use_);
    std::vector<std::string> paths;
    for (const auto& file : index::tile_files(in_.manifest, task.tile_id)) paths.push_back(file.path);
    if (const auto changed = changed_files(in_.job, in_.manifest, paths); !changed.empty())
      throw Error::failed("cannot extract from " + task.path + ": " + changed.front() + " was replaced since scan; run: tilewright run JOB --from scan");
  }

  void finish(const TileTask& task) {
    check_unchanged(task);
    for (const auto& window : task.windows) --missing_[window.shard - begin_];
    while (next_ < end_ && missing_[next_ - begin_] == 0) publish_next();
    context_.on_progress({.stage = "extract", .unit = plan_.source() + " tiles", .done = static_cast<std::int64_t>(next_tile_),
                          .total = static_cast<std::int64_t>(plan_.tile_count())});
  }

  void publish_next() {
    auto& writer = writers_[next_ - begin_];
    const auto& planned = plan_.shards()[next_];
    const shard::WrittenShard written = writer->publish();
    writer.reset();
    const std::lock_guard lock(manifest_use_);
    in_.manifest.in_transaction([&] {
      for (auto view = planned.view; view < planned.view_end; ++view) {
        const shard::WrittenMember& member = written.members[plan_.member_of(view)];
        set_view_place(in_.manifest, plan_.location_of(view), plan_.tile_of(view),
                       {.shard = planned.path, .member = member.name, .byte_offset = member.offset,
                        .byte_length = member.length, .sha256 = member.sha256});
      }
      take_shard_number(in_.manifest, plan_.source(), planned.path);
    });
    ++next_;
  }

  const StageInput& in_;
  const RunContext& context_;
  const SeriesPlan& plan_;
  std::size_t begin_, end_, next_;
  std::atomic<std::size_t> next_tile_ = 0;
  std::vector<std::unique_ptr<shard::ShardWriter>> writers_;
  std::vector<std::int64_t> missing_;                        ///< views not yet cut, per shard of this pass
  std::mutex manifest_use_;                                  ///< source and sink of the pipeline may run at once
  tbb::enumerable_thread_specific<StripBuffers> buffers_;
};

/// All that decides the bytes of a series besides its rows.
std::string settings_of(const StageInput& in, const std::string& source) {
  const auto& config = in.job.source(source);
  std::string text = "extract 2\n" + std::string(name_of(in.job.extract.resampling)) + "\n" + std::to_string(in.job.extract.shard_mb) + "\n" + source +
                     "\n" + std::to_string(config.resolution_m.value_or(in.job.grid.resolution_m)) + "\n";
  if (read_source_bands(in.manifest, source))  // none where scan could use no file of it
    for (const auto& band : source_bands(in.job, in.manifest, source))
      text += "\t" + band.info.name + " " + std::string(shard::name(band.dtype));
  return shard::sha256_hex(text + "\n");
}

/// Views keep their places over a resumed or appended run, unless other settings would cut them
/// differently: then the series starts over. Of a shard that is gone its views are cut again.
void forget_outdated_places(const StageInput& in, const std::string& source) {
  const std::string key = "extract/settings/" + source, settings = settings_of(in, source);
  in.manifest.in_transaction([&] {
    if (index::meta(in.manifest, key) != settings) index::forget_view_places(in.manifest, source);
    index::set_meta(in.manifest, key, settings);
    for (const auto& path : recorded_shards(in, source))
      if (!fs::exists(in.workspace / path) || !fs::exists(shard::index_file(in.workspace / path))) index::redo_shard(in.manifest, path);
  });
}

/// Of all views of the job, also those of earlier runs: a resumed run reports what a whole one does.
StageReport report_of(const StageInput& in) {
  std::int64_t views = 0, copied = 0, resampled = 0, bytes = 0;
  std::set<std::string> shards;
  index::each_view(in.manifest, [&](const auto& view) {
    if (!view.place) return;
    ++views;
    ++(view.resampled ? resampled : copied);
    bytes += view.place->byte_length;
    shards.insert(view.place->shard);
  });
  return {.counts = {{"views", views}, {"copied", copied}, {"resampled", resampled},
                     {"shards", static_cast<std::int64_t>(shards.size())}, {"bytes", bytes}},
          .notes = {}};
}

/// Shards from `begin` on that may be open together.
std::size_t end_of_pass(const SeriesPlan& plan, std::size_t begin, std::size_t memory_bytes) {
  std::size_t end = begin, members = 0;
  for (; end < plan.shards().size() && end - begin < kShardsAPass; ++end) {
    const auto& shard = plan.shards()[end];
    members += shard.view_end - shard.view + shard.location_end - shard.location;
    if (end > begin && members * kMemberBytes > memory_bytes / 4) break;
  }
  return end;
}

}  // namespace

StageReport run_extract(const StageInput& in, const RunContext& context) {
  set_up_gdal(std::max<std::size_t>(std::size_t{16} << 20, context.memory_bytes / 8));
  shard::make_folders(in.workspace / "shards");
  shard::sweep_temporaries(in.workspace / "shards");
  for (const auto& source : in.job.view_sources()) {
    forget_outdated_places(in, source);
    remove_unrecorded(in, source, recorded_shards(in, source));
    const SeriesPlan plan = plan_series(in, source);
    for (std::size_t begin = 0, end = 0; begin < plan.shards().size(); begin = end) {
      end = end_of_pass(plan, begin, context.memory_bytes);
      Pass(in, context, plan, begin, end).run();
    }
  }
  return report_of(in);
}

}  // namespace tilewright::pipeline
