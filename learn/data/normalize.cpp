// SPDX-License-Identifier: Apache-2.0
// The normalize table; formulas as in the contract of the job file.
#include "learn/data/normalize.h"

#include <algorithm>
#include <array>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

double inverse(double spread) { return spread > 0 ? 1 / spread : 0; }

BandScaling standard(const BandStatistics& s, const BandInfo&, ValueRange) {
  return {s.mean, inverse(s.std)};
}
BandScaling robust(const BandStatistics& s, const BandInfo&, ValueRange) {
  return {s.p2, inverse(s.p98 - s.p2), 0, 1};
}
BandScaling mean2sigma(const BandStatistics& s, const BandInfo&, ValueRange) {
  return {s.mean - 2 * s.std, inverse(4 * s.std), 0, 1};
}
BandScaling reflectance(const BandStatistics&, const BandInfo& band, ValueRange) {
  const double scale = band.scale.value_or(1), offset = band.offset.value_or(0);
  return {scale == 0 ? 0 : -offset / scale, scale, 0, 1};
}
BandScaling sar_db(const BandStatistics&, const BandInfo&, ValueRange) {
  return {-25, 1 / 25.0, 0, 1};
}
BandScaling minmax_local(const BandStatistics&, const BandInfo&, ValueRange range) {
  return {range.min, inverse(range.max - range.min)};
}
BandScaling max_local(const BandStatistics&, const BandInfo&, ValueRange range) {
  return {0, 1 / (range.max + 1e-5)};
}
BandScaling none(const BandStatistics&, const BandInfo&, ValueRange) { return {}; }

constexpr std::array<NormalizeRow, 8> kTable = {{
    {"standard", "(x - mean) / std of the band in train", false, standard},
    {"robust", "(x - p2) / (p98 - p2), clipped to [0, 1]", false, robust},
    {"mean2sigma", "clip((x - (mean - 2 std)) / (4 std), 0, 1)", false, mean2sigma},
    {"reflectance", "x * scale + offset, clipped to [0, 1]", false, reflectance},
    {"sar_db", "clip(x, -25, 0) / 25 + 1", false, sar_db},
    {"minmax_local", "(x - min) / (max - min) of the sample", true, minmax_local},
    {"max_local", "x / (max of the crop + 1e-5)", true, max_local},
    {"none", "x", false, none},
}};

}  // namespace

float BandScaling::operator()(float x) const {
  return static_cast<float>(std::clamp((static_cast<double>(x) - center) * gain, low, high));
}

std::span<const NormalizeRow> normalize_table() { return kTable; }

const NormalizeRow& normalize_row(const std::string& name) {
  for (const auto& row : kTable)
    if (row.name == name) return row;
  std::string known;
  for (const auto& row : kTable) known += (known.empty() ? "" : ", ") + std::string(row.name);
  throw Error::config("normalize: '" + name + "' is not known; one of: " + known);
}

}  // namespace tilewright::learn
