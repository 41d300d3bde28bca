// SPDX-License-Identifier: Apache-2.0
// The overlap graph against Boost, for graph_bench.py; prints one JSON line.
//
// `join FILE ROUNDS OUT`: FILE holds raw doubles min_x, min_y, max_x, max_y a box; OUT gets the pairs
// (i < j, sorted) as uint32. `areas FILE ROUNDS OUT`: FILE holds 2 x 4 corners lon, lat a pair of
// quads; OUT gets the planar areas of the overlaps as doubles.
#include <algorithm>
#include <array>
#include <boost/geometry.hpp>
#include <boost/geometry/geometries/multi_polygon.hpp>
#include <boost/geometry/geometries/point_xy.hpp>
#include <boost/geometry/geometries/polygon.hpp>
#include <boost/geometry/index/rtree.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "geometry/footprint_overlap.h"
#include "index/self_join.h"

namespace {

namespace bg = boost::geometry;
using namespace tilewright;
using Point = bg::model::point<double, 2, bg::cs::cartesian>;
using Entry = std::pair<bg::model::box<Point>, std::uint32_t>;
using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

/// Time of this thread alone: others may share the machine.
double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double wall_ms(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}
double thread_ms(const std::function<void()>& work) {
  const double start = thread_seconds();
  work();
  return 1000 * (thread_seconds() - start);
}

std::vector<geometry::Box> read_boxes(const std::string& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  std::vector<geometry::Box> boxes(static_cast<std::size_t>(in.tellg()) / sizeof(geometry::Box));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(boxes.data()), static_cast<std::streamsize>(boxes.size() * sizeof(geometry::Box)));
  return boxes;
}

/// All pairs as compressed rows; memory is kept between rounds as a stage would.
struct Rows {
  std::vector<std::uint32_t> box, end, partner;
  void take(const index::TouchingRun& run) {
    box.insert(box.end(), run.box.begin(), run.box.end());
    const auto base = static_cast<std::uint32_t>(partner.size());
    for (const auto e : run.end) end.push_back(base + e);
    partner.insert(partner.end(), run.partner.begin(), run.partner.end());
  }
  void clear() { box.clear(), end.clear(), partner.clear(); }
};

/// Bulk loading and one query a box; every pair once.
void boost_join(const std::vector<geometry::Box>& boxes, Pairs& pairs) {
  std::vector<Entry> entries;
  entries.reserve(boxes.size());
  for (std::uint32_t n = 0; n < boxes.size(); ++n)
    entries.emplace_back(bg::model::box<Point>({boxes[n].min_x, boxes[n].min_y}, {boxes[n].max_x, boxes[n].max_y}), n);
  const bg::index::rtree<Entry, bg::index::rstar<16>> tree(entries);
  std::vector<Entry> hits;
  for (const auto& [box, n] : entries) {
    hits.clear();
    tree.query(bg::index::intersects(box), std::back_inserter(hits));
    for (const auto& hit : hits)
      if (hit.second > n) pairs.emplace_back(n, hit.second);
  }
}

void print(const char* name, const std::vector<double>& values, const char* end) {
  std::printf("\"%s\": [", name);
  for (std::size_t n = 0; n < values.size(); ++n) std::printf("%s%.4f", n ? ", " : "", values[n]);
  std::printf("]%s", end);
}

int join(const std::string& file, int rounds, const char* out) {
  const auto boxes = read_boxes(file);
  const int threads = static_cast<int>(std::thread::hardware_concurrency());
  index::SelfJoin one(1), all(threads);
  Rows rows;
  std::vector<double> cold, ours_1, ours_all, boost;
  const auto ours = [&](index::SelfJoin& join, const auto& clock) {
    rows.clear();
    return clock([&] { join.each_run(boxes, [&](const auto& run) { rows.take(run); }); });
  };
  cold.push_back(ours(one, thread_ms));
  ours(all, wall_ms);
  Pairs pairs;
  for (int round = 0; round < rounds; ++round) {
    for (int k = 0; k < 3; ++k) ours_1.push_back(ours(one, thread_ms)), ours_all.push_back(ours(all, wall_ms));
    pairs.clear();
    boost.push_back(thread_ms([&] { boost_join(boxes, pairs); }));
  }
  const Pairs sorted = index::touching_pairs(boxes, threads);
  std::sort(pairs.begin(), pairs.end());
  if (pairs != sorted) return std::puts("the pairs differ from Boost's"), 1;
  if (rows.partner.size() != sorted.size()) return std::puts("the runs miss pairs"), 1;
  if (out) std::ofstream(out, std::ios::binary).write(reinterpret_cast<const char*>(sorted.data()), static_cast<std::streamsize>(sorted.size() * sizeof(sorted[0])));
  std::printf("{\"boxes\": %zu, \"pairs\": %zu, \"threads\": %d, ", boxes.size(), sorted.size(), threads);
  print("cold_ms", cold, ", "), print("one_ms", ours_1, ", "), print("all_ms", ours_all, ", "), print("boost_ms", boost, "}\n");
  return 0;
}

using Corners = std::array<geometry::LonLat, 4>;
using Boost = bg::model::polygon<bg::model::d2::point_xy<double>, false>;

geometry::GeoMultiPolygon polygon_of(const Corners& c) { return {geometry::GeoPolygon{{c[0], c[1], c[2], c[3], c[0]}, {}}}; }
Boost boost_of(const Corners& c) {
  Boost polygon;
  for (const auto k : {0U, 1U, 2U, 3U, 0U}) bg::append(polygon.outer(), bg::model::d2::point_xy<double>(c[k].lon_deg, c[k].lat_deg));
  return polygon;
}
double boost_area(const Boost& a, const Boost& b) {
  bg::model::multi_polygon<Boost> both;
  bg::intersection(a, b, both);
  return bg::area(both);
}

/// Nanoseconds a pair of `measure` over pairs [first, last), made ready before; the sum of all areas
/// goes to `out`.
double walk(const std::vector<std::array<Corners, 2>>& quads, std::size_t first, std::size_t last, geometry::Measure measure, double* prepare_s, double* out) {
  std::vector<std::array<geometry::PreparedFootprint, 2>> ready;
  ready.reserve(last - first);
  const double start = thread_seconds();
  for (std::size_t n = first; n < last; ++n)
    ready.push_back({geometry::PreparedFootprint(polygon_of(quads[n][0]), measure), geometry::PreparedFootprint(polygon_of(quads[n][1]), measure)});
  const double prepared = thread_seconds();
  *prepare_s += prepared - start;
  for (std::size_t n = 0; n < ready.size(); ++n) out[n] = geometry::overlap_area(ready[n][0], ready[n][1]);
  return thread_seconds() - prepared;
}

int areas(const std::string& file, int rounds, const char* out) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  std::vector<std::array<Corners, 2>> quads(static_cast<std::size_t>(in.tellg()) / sizeof(std::array<Corners, 2>));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(quads.data()), static_cast<std::streamsize>(quads.size() * sizeof(quads[0])));
  constexpr std::size_t kBlock = 20'000;
  std::vector<double> plane(quads.size()), ground(quads.size()), plane_ns, plane_ready_ns, ground_ns, boost_ns;
  for (int round = 0; round < rounds; ++round) {
    double plane_s = 0, ready_s = 0, ground_s = 0, ground_ready_s = 0;
    for (std::size_t first = 0; first < quads.size(); first += kBlock) {
      const std::size_t last = std::min(quads.size(), first + kBlock);
      plane_s += walk(quads, first, last, geometry::Measure::plane_deg2, &ready_s, plane.data() + first);
      ground_s += walk(quads, first, last, geometry::Measure::ellipsoid_m2, &ground_ready_s, ground.data() + first);
    }
    const auto count = static_cast<double>(quads.size());
    plane_ns.push_back(1e9 * plane_s / count), plane_ready_ns.push_back(1e9 * (plane_s + ready_s) / count), ground_ns.push_back(1e9 * ground_s / count);
    const std::size_t some = std::min<std::size_t>(quads.size(), 20'000);
    std::vector<std::array<Boost, 2>> ready;
    for (std::size_t n = 0; n < some; ++n) ready.push_back({boost_of(quads[n][0]), boost_of(quads[n][1])});
    const double start = thread_seconds();
    double sum = 0;
    for (const auto& pair : ready) sum += boost_area(pair[0], pair[1]);
    boost_ns.push_back(1e9 * (thread_seconds() - start) / static_cast<double>(some));
    if (sum <= 0) return std::puts("Boost found no overlap"), 1;
  }
  if (out) std::ofstream(out, std::ios::binary).write(reinterpret_cast<const char*>(plane.data()), static_cast<std::streamsize>(plane.size() * sizeof(double)));
  std::printf("{\"pairs\": %zu, ", quads.size());
  print("plane_ns", plane_ns, ", "), print("plane_and_prepare_ns", plane_ready_ns, ", "), print("ground_ns", ground_ns, ", "), print("boost_ns", boost_ns, "}\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 4 && std::strcmp(argv[1], "join") == 0) return join(argv[2], std::stoi(argv[3]), argc > 4 ? argv[4] : nullptr);
  if (argc >= 4 && std::strcmp(argv[1], "areas") == 0) return areas(argv[2], std::stoi(argv[3]), argc > 4 ? argv[4] : nullptr);
  std::cerr << "usage: tilewright-graph-bench join|areas FILE ROUNDS [OUT]\n";
  return 2;
}
