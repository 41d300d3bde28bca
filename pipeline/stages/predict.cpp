// SPDX-License-Identifier: Apache-2.0
// The predict stage: windows of every tile through the network and back onto the map.
#include <algorithm>
#include <memory>
#include <optional>

#include "geometry/error.h"
#include "index/reason.h"
#include "index/shard/shard_reader.h"
#include "index/shard/shard_writer.h"
#include "learn/config/json.h"
#include "learn/config/request.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/runner/learn_process.h"
#include "pipeline/stages/grid_zone.h"
#include "pipeline/stages/predict_mosaic.h"
#include "pipeline/stages/predict_source.h"
#include "pipeline/stages/scratch_folder.h"
#include "pipeline/stages/source_lattice.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using geometry::Window;

constexpr std::size_t kMostChunkBytes = std::size_t{1} << 30;
constexpr std::size_t kLeastChunkBytes = std::size_t{32} << 20;

/// What the run wants and knows.
struct Network {
  const learn::RunConfig* run = nullptr;
  fs::path run_folder, dataset_json;
  learn::InputInfo input;
  std::vector<learn::ClassInfo> classes;
};

Network network_of(const StageInput& in) {
  const auto& config = *in.job.predict;
  Network out;
  for (const auto& [name, run] : in.job.runs)
    if (name == config.run) out.run = &run;
  if (!out.run) throw Error::config("predict.run: '" + config.run + "' is not under runs:");
  out.run_folder = in.workspace / "runs" / config.run;
  out.dataset_json = in.workspace / "datasets" / out.run->dataset / "dataset.json";
  if (!fs::exists(out.run_folder / "weights.safetensors"))
    throw Error::config("predict: the run " + config.run + " has no weights in the workspace yet; run: tilewright train JOB");
  const auto dataset = learn::read_dataset(out.dataset_json);
  if (dataset.inputs.size() != 1)
    throw Error::config("predict: the dataset " + dataset.name + " stacks " + std::to_string(dataset.inputs.size()) + " sources: not in this version; use a run on one source");
  if (dataset.target.classes.empty()) throw Error::config("predict: the run " + config.run + " has no classes; name a run with recipe segment");
  out.input = dataset.inputs[0];
  out.classes = dataset.target.classes;
  return out;
}

/// A tile with its frame and windows; `failed` once something was wrong with it.
struct TileToPredict {
  index::TileRow row;
  PredictFrame frame;
  std::vector<Window> windows;
  std::optional<index::RejectionRow> failed;
};

struct Task {
  std::size_t tile, window;
};

/// One window with valid pixels on its way through the network.
struct ReadWindow {
  Task task;
  WindowPixels pixels;
};

class Prediction {
 public:
  Prediction(const StageInput& in, const RunContext& context)
      : in_(in), context_(context), config_(*in.job.predict), network_(network_of(in)), source_(config_.source.value_or(network_.input.series)),
        scratch_(in.job.scratch() / "predict") {
    find_tiles();
  }

  StageReport run() {
    forget_maps();
    std::vector<ReadWindow> chunk;
    for (std::size_t t = 0; t < tiles_.size(); ++t) {
      open(t);
      for (std::size_t w = 0; w < tiles_[t].windows.size() && !tiles_[t].failed; ++w) {
        context_.check_stop();
        read({t, w}, chunk);
        if (chunk.size() * window_bytes() >= chunk_bytes()) predict(chunk);
      }
      reading_.reset();
    }
    predict(chunk);
    finish_through(tiles_.size());
    record();
    return report();
  }

 private:
  void find_tiles() {
    std::vector<PlacedTile> placed;
    for (auto& row : index::tiles(in_.manifest, source_, "ok")) {
      TileToPredict tile{row, {}, {}, {}};
      try {
        const auto reader = open_tile(in_.job, in_.manifest, row);
        const auto grid = grid_of(reader);
        const auto centre = geometry::geographic(grid.affine.map_from_pixel({double(grid.width) / 2, double(grid.height) / 2}), grid.crs);
        if (!centre) throw index::ItemError(index::Reason::not_mappable, "its centre has no longitude and latitude");
        placed.push_back({row, {grid.affine, grid.width, grid.height, std::make_shared<const geometry::Crs>(grid.crs)}, *centre});
      } catch (const index::ItemError& error) {
        fail(tile, error);
      }
      if (tile.failed) tiles_.push_back(std::move(tile));
    }
    add_frames(placed);
    if (tiles_.empty()) throw Error::config("predict: the source " + source_ + " has no tile that can be used; run: tilewright scan JOB, or see tilewright explain");
    std::sort(tiles_.begin(), tiles_.end(), [](const auto& a, const auto& b) { return a.row.tile_id < b.row.tile_id; });
  }

  void add_frames(const std::vector<PlacedTile>& placed) {
    for (const auto& [epsg, members] : zones_of(placed, in_.job.grid)) {
      const auto lattice = lattice_of_zone(in_.manifest, in_.job.grid, epsg, placed, members, notes_);
      for (const auto member : members) {
        TileToPredict tile{placed[member].row, {}, {}, {}};
        try {
          tile.frame = predict_frame(placed[member].grid, lattice_of_source(lattice, pixel_ratio(in_.job, source_)));
          tile.windows = predict_windows(tile.frame.width, tile.frame.height, network_.input.size_px, config_.overlap_px);
        } catch (const index::ItemError& error) {
          fail(tile, error);
        }
        tiles_.push_back(std::move(tile));
      }
    }
  }

  static void fail(TileToPredict& tile, const index::ItemError& error) {
    tile.failed = index::RejectionRow{"predict", tile.row.tile_id, std::string(index::code(error.reason())), tile.row.path + ": " + error.what()};
  }

  /// Indices of the network's bands among those of the tile, by name.
  [[nodiscard]] std::vector<int> bands_in(const TileReader& reader) const {
    std::vector<int> out;
    for (const auto& band : network_.input.bands) {
      const auto found = std::find_if(reader.bands().begin(), reader.bands().end(), [&](const auto& b) { return b.info.name == band.name; });
      if (found == reader.bands().end()) throw Error::config("predict: the source " + source_ + " has no band '" + band.name + "', which the run was trained on");
      out.push_back(static_cast<int>(found - reader.bands().begin()));
    }
    return out;
  }

  void open(std::size_t t) {
    auto& tile = tiles_[t];
    if (tile.failed) return;
    try {
      auto reader = open_tile(in_.job, in_.manifest, tile.row);
      auto bands = bands_in(reader);
      dtype_ = reader.dtype();
      reading_.emplace(std::move(reader), tile.frame, std::move(bands), in_.job.extract.resampling);
    } catch (const index::ItemError& error) {
      fail(tile, error);
    }
  }

  void read(const Task& task, std::vector<ReadWindow>& chunk) {
    auto& tile = tiles_[task.tile];
    try {
      auto pixels = reading_->read(tile.windows[task.window]);
      if (pixels.any_valid()) chunk.push_back({task, std::move(pixels)});
    } catch (const index::ItemError& error) {
      fail(tile, error);
    }
  }

  [[nodiscard]] std::size_t window_bytes() const {
    const auto square = static_cast<std::size_t>(network_.input.size_px) * static_cast<std::size_t>(network_.input.size_px);
    return square * (network_.input.bands.size() * shard::byte_size(dtype_) + 1 + network_.classes.size() * sizeof(float));
  }
  [[nodiscard]] std::size_t chunk_bytes() const { return std::clamp(context_.memory_bytes / 4, kLeastChunkBytes, kMostChunkBytes); }

  [[nodiscard]] fs::path write_windows(const std::vector<ReadWindow>& chunk) const {
    const std::int64_t size = network_.input.size_px;
    std::vector<shard::MemberSpec> members;
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      const auto key = "w" + std::to_string(i);
      members.push_back({key, key + ".image.npy", dtype_, {static_cast<std::int64_t>(network_.input.bands.size()), size, size}, ""});
      members.push_back({key, key + ".valid.npy", shard::DType::u8, {1, size, size}, ""});
    }
    const auto file = scratch_.path() / "windows.tar";
    shard::ShardWriter writer(file, std::move(members));
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      writer.put(2 * i, chunk[i].pixels.data);
      writer.put(2 * i + 1, std::as_bytes(std::span(chunk[i].pixels.valid)));
    }
    writer.publish();
    return file;
  }

  /// Sends the chunk through the network and blends what comes back; leaves it empty.
  void predict(std::vector<ReadWindow>& chunk) {
    if (chunk.empty()) return;
    learn::PredictRequest request;
    request.run_folder = network_.run_folder.string();
    request.dataset = network_.dataset_json.string();
    request.input_shard = write_windows(chunk).string();
    request.output_shard = (scratch_.path() / "probabilities.tar").string();
    request.threads = network_.run->threads;
    request.batch = config_.batch;
    request.device = network_.run->device;
    run_learn("predict", learn::json_of(request).dump(2) + "\n", scratch_.path(), "predict", context_);
    const shard::MappedFile file(request.output_shard);
    const auto entries = shard::read_index(shard::index_file(request.output_shard));
    if (entries.size() != chunk.size())
      throw Error::failed("tilewright-learn predicted " + std::to_string(entries.size()) + " of " + std::to_string(chunk.size()) + " windows");
    for (std::size_t i = 0; i < chunk.size(); ++i) blend(chunk[i], file, entries[i]);
    window_count_ += static_cast<std::int64_t>(chunk.size());
    chunk.clear();
  }

  void blend(const ReadWindow& window, const shard::MappedFile& file, const shard::IndexEntry& entry) {
    const auto array = shard::array_at(file, entry.offset, entry.length);
    const auto size = static_cast<std::int64_t>(network_.input.size_px);
    if (array.header.shape != std::vector<std::int64_t>{static_cast<std::int64_t>(network_.classes.size()), size, size} || array.header.dtype != shard::DType::f32)
      throw Error::failed("tilewright-learn wrote " + entry.member + " in another shape than classes x size x size");
    finish_through(window.task.tile);
    auto& tile = tiles_[window.task.tile];
    if (tile.failed) return;
    if (!mosaic_) mosaic_ = std::make_unique<PredictMosaic>(tile.frame, MapStyle{network_.classes, config_.probabilities}, in_.workspace / "predictions", name_of(tile), network_.input.size_px);
    mosaic_->add(tile.windows[window.task.window], {reinterpret_cast<const float*>(array.data.data()), array.data.size() / sizeof(float)}, window.pixels.valid);
  }

  [[nodiscard]] std::string name_of(const TileToPredict& tile) const { return config_.run + "_" + tile.row.tile_id; }

  /// Publishes the maps of all tiles before `end`; a tile without a valid window gets an empty one.
  void finish_through(std::size_t end) {
    for (; finished_ < end; ++finished_) {
      auto& tile = tiles_[finished_];
      auto mosaic = std::move(mosaic_);
      if (tile.failed) continue;
      if (!mosaic) mosaic = std::make_unique<PredictMosaic>(tile.frame, MapStyle{network_.classes, config_.probabilities}, in_.workspace / "predictions", name_of(tile), network_.input.size_px);
      for (auto& file : mosaic->finish()) files_.push_back(std::move(file));
      ++map_count_;
      context_.on_progress({"predict", "tiles", map_count_, static_cast<std::int64_t>(tiles_.size())});
    }
  }

  /// What is about to be written again has no recorded hash until it is there.
  void forget_maps() {
    in_.manifest.in_transaction([&] {
      for (const auto& tile : tiles_) index::forget_facts(in_.manifest, kMapFact + name_of(tile));
    });
  }

  void record() {
    in_.manifest.in_transaction([&] {
      index::clear_stage(in_.manifest, "predict");
      for (const auto& tile : tiles_)
        if (tile.failed) index::insert(in_.manifest, *tile.failed);
      for (const auto& [name, file] : files_)
        index::set_meta(in_.manifest, kMapFact + name, learn::Json{{"bytes", file.bytes}, {"sha256", file.sha256}}.dump());
    });
  }

  [[nodiscard]] StageReport report() const {
    StageReport out;
    out.counts = {{"tiles", static_cast<std::int64_t>(tiles_.size())}, {"maps", map_count_}, {"windows", window_count_},
                  {"rejected", static_cast<std::int64_t>(tiles_.size()) - map_count_}};
    out.notes = notes_;
    return out;
  }

  const StageInput& in_;
  const RunContext& context_;
  const PredictConfig& config_;
  Network network_;
  std::string source_;
  ScratchFolder scratch_;
  std::vector<TileToPredict> tiles_;
  std::vector<std::string> notes_;
  std::optional<WindowSource> reading_;
  shard::DType dtype_ = shard::DType::u8;
  std::unique_ptr<PredictMosaic> mosaic_;   ///< of tiles_[finished_]
  std::size_t finished_ = 0;
  std::int64_t map_count_ = 0, window_count_ = 0;
  std::vector<std::pair<std::string, shard::Published>> files_;
};

}  // namespace

StageReport run_predict(const StageInput& in, const RunContext& context) {
  if (in.job.predict->polygons)
    throw Error::config("predict.polygons: not in this version; set it to false, and use gdal_polygonize.py on the map");
  return Prediction(in, context).run();
}

}  // namespace tilewright::pipeline
