// SPDX-License-Identifier: Apache-2.0
// The best path through scores of offsets and widths, by distance transforms from window to window.
#include <algorithm>
#include <cstdint>

#include "geometry/road_scores.h"

namespace tilewright::geometry {
namespace {

constexpr double kOffsetCost = 1.5;  // natural logs a metre
constexpr double kWidthCost = 2;

/// best[k] = max over j of best[j] - cost |k - j| along one axis.
void spread(RoadScores& best, std::vector<std::uint32_t>& origin, std::size_t first,
                   std::size_t step, std::size_t count, double cost) {
  const auto pass = [&](std::size_t k, std::size_t before) {
    if (best[before] - cost <= best[k]) return;
    best[k] = best[before] - cost;
    origin[k] = origin[before];
  };
  for (std::size_t n = 1; n < count; ++n) pass(first + n * step, first + (n - 1) * step);
  for (std::size_t n = count - 1; n-- > 0;) pass(first + n * step, first + (n + 1) * step);
}

}  // namespace

std::vector<std::size_t> best_path(const std::vector<RoadScores>& scores, const RoadGrid& grid, double step_m) {
  const std::size_t nw = grid.widths(), nc = grid.centres();
  std::vector<std::vector<std::uint32_t>> from(scores.size());
  RoadScores best = scores.front();
  for (std::size_t n = 1; n < scores.size(); ++n) {
    auto& origin = from[n];
    origin.resize(best.size());
    for (std::size_t k = 0; k < best.size(); ++k) origin[k] = static_cast<std::uint32_t>(k);
    for (std::size_t c = 0; c < nc; ++c)
      spread(best, origin, c * nw, 1, nw, kWidthCost * 2 * step_m);
    for (std::size_t w = 0; w < nw; ++w)
      spread(best, origin, w, nw, nc, kOffsetCost * 2 * step_m);
    for (std::size_t k = 0; k < best.size(); ++k) best[k] += scores[n][k];
  }
  std::vector<std::size_t> path(scores.size());
  path.back() =
      static_cast<std::size_t>(std::max_element(best.begin(), best.end()) - best.begin());
  for (std::size_t n = scores.size(); n-- > 1;) path[n - 1] = from[n][path[n]];
  return path;
}

}  // namespace tilewright::geometry
