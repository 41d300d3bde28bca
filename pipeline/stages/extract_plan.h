// SPDX-License-Identifier: Apache-2.0
// Where each view of a source will lie: members, shards and names, before any pixel is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "index/shard/shard_writer.h"
#include "pipeline/stages/extract_tile.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

struct PlannedShard {
  std::string path;  ///< relative to the workspace: "shards/naip-000003.tar"
  std::uint32_t location = 0, location_end = 0;  ///< numbers of its locations, half-open
  std::uint32_t view = 0, view_end = 0;          ///< numbers of its views
  std::int64_t bytes = 0;                        ///< of the tar
};

/// The layout of a series in numbers, about 150 bytes a location and 50 a view; members and windows
/// are made from it when a shard is opened and a tile is cut. Views are numbered in member order.
class SeriesPlan {
 public:
  SeriesPlan(SeriesPlan&&) noexcept;
  ~SeriesPlan();
  [[nodiscard]] const std::string& source() const;
  [[nodiscard]] const std::vector<PlannedShard>& shards() const;
  /// Views of a location, then its json, by location_id. Reads the manifest.
  [[nodiscard]] std::vector<shard::MemberSpec> members(std::size_t shard) const;

  /// Tiles in order of their first member: shards are completed early.
  [[nodiscard]] std::size_t tile_count() const;
  [[nodiscard]] const std::string& tile_id(std::size_t tile) const;
  [[nodiscard]] std::span<const std::uint32_t> views_of_tile(std::size_t tile) const;

  [[nodiscard]] std::size_t shard_of(std::uint32_t view) const;
  [[nodiscard]] std::size_t member_of(std::uint32_t view) const;  ///< of its shard
  [[nodiscard]] const std::string& location_of(std::uint32_t view) const;
  [[nodiscard]] const std::string& tile_of(std::uint32_t view) const;
  [[nodiscard]] WindowToCut window(std::uint32_t view) const;  ///< reads the manifest

 private:
  friend SeriesPlan plan_series(const StageInput&, const std::string&);
  struct State;
  explicit SeriesPlan(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// All views of `source` without a place: those that lay in a shard come back there, the others go
/// into new shards, whose numbers go on after all that were given. `in` outlives the plan. Throws
/// Error::failed where rows contradict each other (a view of an unknown tile or location).
SeriesPlan plan_series(const StageInput& in, const std::string& source);

/// Where views of `source` lie or come back to, relative to the workspace, each once and in order.
std::vector<std::string> recorded_shards(const StageInput& in, const std::string& source);

}  // namespace tilewright::pipeline
