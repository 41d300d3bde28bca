// SPDX-License-Identifier: Apache-2.0
// The overlap graph against Boost: `join FILE ROUNDS [OUT]` on raw doubles min_x, min_y, max_x, max_y.
//
// Prints one JSON line with milliseconds a round; OUT gets the pairs (i < j, sorted) as uint32.
#include <boost/geometry.hpp>
#include <boost/geometry/index/rtree.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "index/self_join.h"

namespace {

namespace bg = boost::geometry;
using namespace tilewright;
using Point = bg::model::point<double, 2, bg::cs::cartesian>;
using Entry = std::pair<bg::model::box<Point>, std::uint32_t>;
using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

double milliseconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
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
  const auto ours = [&](index::SelfJoin& join) {
    rows.clear();
    return milliseconds_of([&] { join.each_run(boxes, [&](const auto& run) { rows.take(run); }); });
  };
  cold.push_back(ours(one));
  ours(all);
  Pairs pairs;
  for (int round = 0; round < rounds; ++round) {
    for (int k = 0; k < 3; ++k) ours_1.push_back(ours(one)), ours_all.push_back(ours(all));
    pairs.clear();
    boost.push_back(milliseconds_of([&] { boost_join(boxes, pairs); }));
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

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 4 && std::strcmp(argv[1], "join") == 0) return join(argv[2], std::stoi(argv[3]), argc > 4 ? argv[4] : nullptr);
  std::cerr << "usage: tilewright-graph-bench join FILE ROUNDS [OUT]\n";
  return 2;
}
