// SPDX-License-Identifier: Apache-2.0
// Where zones meet: which tiles a zone also sees, which windows are its own, and who keeps a place that two claim.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "index/rows.h"
#include "pipeline/stages/grid_zone.h"

namespace tilewright::pipeline {

/// Tiles of each zone: its own, then those of neighbouring UTM zones that reach over the border. A job
/// with one zone has no borders.
std::map<int, std::vector<std::size_t>> with_neighbours(const std::map<int, std::vector<std::size_t>>& zones, const std::vector<PlacedTile>& tiles);

/// Columns [first, second) of a row of anchors.
using HomeColumns = std::function<std::pair<std::int64_t, std::int64_t>(std::int64_t row)>;

/// Rows of the lattice, half-open.
using RowSpans = std::vector<std::pair<std::int64_t, std::int64_t>>;

/// True if the footprint of a tile of zone `epsg` reaches into a neighbouring zone that is in use.
bool crosses_border(const index::TileRow& tile, int epsg, const std::set<int>& in_use);

/// Windows whose centre lies in this UTM zone, or in one that is not in use. Only `rows` are looked
/// at, where tiles cross a border, between `cols`; other rows are home everywhere. Null if there are no
/// such rows. May be called from several threads.
HomeColumns home_columns(const geometry::Lattice& lattice, int patch_px, const std::set<int>& in_use, RowSpans rows,
                         std::pair<std::int64_t, std::int64_t> cols);

/// How far a location reaches beyond its own UTM zone, degrees; negative inside, -180 for another CRS. One
/// that lies deeper inside than any other reaches out shares no ground with a window of another zone.
double beyond_own_zone(const index::LocationRow& location);

/// Indices of locations that share more than half of their ground (IoU > .5) with one of another zone that
/// stays and has more views, or as many and the smaller id. The first `settled` ones stay in any case.
std::vector<std::size_t> claimed_elsewhere(std::span<const index::LocationRow> locations, std::size_t settled = 0);

}  // namespace tilewright::pipeline
