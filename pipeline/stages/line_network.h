// SPDX-License-Identifier: Apache-2.0
// Which ends of lines are free and at which the network goes on, without keeping the lines.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "geometry/polygon.h"

namespace tilewright::pipeline {

/// At least two points, all finite and of a size that coordinates have.
bool is_drawable(const geometry::MapLine& line);
bool is_drawable(geometry::MapXY point);
/// The place half way along a line; its last point if it has no length.
geometry::MapXY middle_of(const geometry::MapLine& line);
double length_of(const geometry::MapLine& line);
/// Half widths at the vertices of a line whose width changes evenly along the way; empty where it does not.
std::vector<double> tapered(const geometry::MapLine& line, double start, double end);

/// Two ends are one node if equal to 1e-7 of a layer unit. Use: add_ends of all lines, seal, add_inner of all
/// lines, then ask. Lines that are not drawable count nothing. Memory: 24 bytes an end.
class LineNetwork {
 public:
  void add_ends(const geometry::MapLine& line);
  void seal();
  /// A line that passes through an end goes on there on both sides.
  void add_inner(const geometry::MapLine& line);
  [[nodiscard]] bool goes_on(geometry::MapXY end) const;

 private:
  using Node = std::pair<std::int64_t, std::int64_t>;
  struct Degree {
    Node node;
    std::uint32_t count;
  };
  [[nodiscard]] std::size_t find(geometry::MapXY place) const;
  std::vector<Degree> degrees_;
};

}  // namespace tilewright::pipeline
