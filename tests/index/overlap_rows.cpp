// SPDX-License-Identifier: Apache-2.0
// The overlap graph of polygons in a file, for comparison with tools that we did not write.
//
// `index_overlap_rows IN OUT THREADS`. IN, little-endian: uint32 tiles; per tile uint32 polygons; per polygon
// uint32 rings (outer first); per ring uint32 points, then doubles lon, lat. OUT, text: first the
// area of every tile, then a line `a b area_m2 frac_a frac_b` for each overlap.
#include <cstdio>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <string>

#include "index/overlap_graph.h"

namespace {

using namespace tilewright;

std::uint32_t number(std::istream& in) {
  std::uint32_t value = 0;
  in.read(reinterpret_cast<char*>(&value), sizeof value);
  return value;
}

std::vector<geometry::LonLat> ring(std::istream& in) {
  std::vector<geometry::LonLat> points(number(in));
  in.read(reinterpret_cast<char*>(points.data()), static_cast<std::streamsize>(points.size() * sizeof(geometry::LonLat)));
  return points;
}

geometry::GeoMultiPolygon tile(std::istream& in) {
  geometry::GeoMultiPolygon polygons(number(in));
  for (auto& polygon : polygons) {
    const auto rings = number(in);
    polygon.outer = ring(in);
    for (std::uint32_t n = 1; n < rings; ++n) polygon.holes.push_back(ring(in));
  }
  return polygons;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: index_overlap_rows IN OUT THREADS\n", 2;
  std::ifstream in(argv[1], std::ios::binary);
  const auto count = number(in);
  std::vector<index::Footprint> footprints;
  for (std::uint32_t n = 0; n < count; ++n) {
    char id[16];
    std::snprintf(id, sizeof id, "%08u", n);
    footprints.push_back(index::footprint_of(id, tile(in), {}));
  }
  const index::OverlapGraph graph(std::move(footprints), std::stoi(argv[3]));
  std::ofstream out(argv[2]);
  out << std::setprecision(17);
  for (const auto& footprint : graph.tiles()) out << footprint.shape->area() << "\n";
  graph.each_row([&](const index::OverlapRow& row) {
    out << std::stoul(row.tile_a) << " " << std::stoul(row.tile_b) << " " << row.area_m2 << " " << row.frac_a << " " << row.frac_b << "\n";
  });
  return out.good() ? 0 : 1;
}
