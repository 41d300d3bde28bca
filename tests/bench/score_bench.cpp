// SPDX-License-Identifier: Apache-2.0
// Scores of labels alone, one thread: `tilewright-score-bench FOLDER PIXELS CLASSES ROUNDS`. FOLDER holds `labels` (uint8), `probabilities`
// (float32, tile by tile (K,H,W)) and `bands` (float32); writes softmin of each tile as doubles to `softmin`. Prints one JSON line:
// microseconds of CPU a tile for each score, and of copying the bytes that it reads.
#include <algorithm>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "pipeline/scores/score.h"

namespace {

using namespace tilewright::pipeline;

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class T>
std::vector<T> read(const std::filesystem::path& file) {
  std::vector<T> values(std::filesystem::file_size(file) / sizeof(T));
  std::ifstream(file, std::ios::binary).read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
  return values;
}

struct Tiles {
  std::vector<std::uint8_t> labels, class_ids;
  std::vector<float> probabilities, bands;
  int edge = 0;
  [[nodiscard]] std::size_t pixels() const { return static_cast<std::size_t>(edge) * static_cast<std::size_t>(edge); }
  [[nodiscard]] std::size_t count() const { return labels.size() / pixels(); }
  [[nodiscard]] LabelView label(std::size_t n) const { return {edge, edge, std::span(labels).subspan(n * pixels(), pixels())}; }
  [[nodiscard]] Probabilities model(std::size_t n) const { return {std::span(probabilities).subspan(n * class_ids.size() * pixels(), class_ids.size() * pixels()), class_ids}; }
  [[nodiscard]] std::span<const float> band(std::size_t n) const { return std::span(bands).subspan(n * pixels(), pixels()); }
};

/// Median microseconds a tile over the rounds.
double clocked(const Tiles& tiles, int rounds, const std::function<void(std::size_t)>& work) {
  std::vector<double> used;
  for (int round = 0; round < rounds; ++round) {
    const double start = thread_seconds();
    for (std::size_t n = 0; n < tiles.count(); ++n) work(n);
    used.push_back(1e6 * (thread_seconds() - start) / static_cast<double>(tiles.count()));
  }
  std::nth_element(used.begin(), used.begin() + rounds / 2, used.end());
  return used[static_cast<std::size_t>(rounds / 2)];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const std::filesystem::path folder = argv[1];
  Tiles tiles{.labels = read<std::uint8_t>(folder / "labels"), .class_ids = {}, .probabilities = read<float>(folder / "probabilities"), .bands = read<float>(folder / "bands"), .edge = std::stoi(argv[2])};
  for (int k = 0; k < std::stoi(argv[3]); ++k) tiles.class_ids.push_back(static_cast<std::uint8_t>(k));
  const int rounds = std::stoi(argv[4]);
  ClassConfidence confidence;
  for (std::size_t n = 0; n < tiles.count(); ++n) confidence.add(tiles.label(n), tiles.model(n));
  std::vector<double> percentiles;
  for (std::size_t n = 0; n < tiles.count(); ++n) percentiles.push_back(percentile_95(gradient_magnitude(tiles.band(n), tiles.edge, tiles.edge)));
  const LayerFacts facts{.edge_scale = edge_scale(std::move(percentiles)), .thresholds = confidence.thresholds()};
  std::vector<double> softmins(tiles.count());
  double sink = 0;
  std::string json;
  const auto add = [&](const std::string& name, double us) { json += (json.empty() ? "{\"" : ", \"") + name + "\": " + std::to_string(us); };
  for (const char* name : {"softmin", "log_likelihood", "confident_frac", "model_iou"}) {
    const auto* row = find_score(name);
    add(name, clocked(tiles, rounds, [&](std::size_t n) {
      const auto model = tiles.model(n);
      const auto value = row->score({tiles.label(n), {}, {}, &model, {}, facts}).value_or(0);
      sink += value;
      if (row->name == "softmin") softmins[n] = value;
    }));
  }
  std::vector<float> gradient;
  add("edge_agreement", clocked(tiles, rounds, [&](std::size_t n) {
    const auto label = tiles.label(n);
    gradient_magnitude(tiles.band(n), label.width, label.height, gradient);
    sink += edge_agreement(gradient, label, facts.edge_scale).value_or(0);
  }));
  // The same bytes copied: what memory allows.
  const auto copied = [&](const std::vector<float>& from, std::size_t floats) {
    std::vector<char> to(from.size() * sizeof(float) + tiles.labels.size());
    return clocked(tiles, rounds, [&](std::size_t n) {
      char* out = to.data() + n * (floats * sizeof(float) + tiles.pixels());
      std::memcpy(out, from.data() + n * floats, floats * sizeof(float));
      std::memcpy(out + floats * sizeof(float), tiles.labels.data() + n * tiles.pixels(), tiles.pixels());
      sink += out[0];
    });
  };
  add("copy_probabilities", copied(tiles.probabilities, tiles.class_ids.size() * tiles.pixels()));
  add("copy_band", copied(tiles.bands, tiles.pixels()));
  std::ofstream(folder / "softmin", std::ios::binary).write(reinterpret_cast<const char*>(softmins.data()), static_cast<std::streamsize>(softmins.size() * sizeof(double)));
  std::cout << json << ", \"sink\": " << sink << "}\n";
  return 0;
}
