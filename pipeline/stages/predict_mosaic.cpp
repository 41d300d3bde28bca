// SPDX-License-Identifier: Apache-2.0
// A rolling window of rows: sums of weighted probabilities, then classes, then blocks of the file.
#include "pipeline/stages/predict_mosaic.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "geometry/error.h"
#include "pipeline/io/geotiff_writer.h"

namespace tilewright::pipeline {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

/// Whole block rows of one output file, passed on as soon as they are full.
class RowSink {
 public:
  RowSink(const std::filesystem::path& file, GeoTiffSpec spec)
      : writer_(file, spec), bands_(static_cast<std::size_t>(spec.bands)), row_bytes_(static_cast<std::size_t>(spec.width) * shard::byte_size(spec.dtype)), planes_(bands_) {}
  /// One row of every band, in order of the bands.
  void add_row(std::span<const std::byte> row) {
    for (std::size_t b = 0; b < bands_; ++b) planes_[b].insert(planes_[b].end(), row.begin() + std::ptrdiff_t(b * row_bytes_), row.begin() + std::ptrdiff_t((b + 1) * row_bytes_));
    if (++rows_ == GeoTiffWriter::kBlockRows) flush();
  }
  shard::Published publish() {
    if (rows_ > 0) flush();
    return writer_.publish();
  }

 private:
  void flush() {
    std::vector<std::byte> all;
    for (auto& plane : planes_) {
      all.insert(all.end(), plane.begin(), plane.end());
      plane.clear();
    }
    writer_.write_rows(all, rows_);
    rows_ = 0;
  }

  GeoTiffWriter writer_;
  std::size_t bands_, row_bytes_;
  std::vector<std::vector<std::byte>> planes_;
  std::int64_t rows_ = 0;
};

GeoTiffSpec class_spec(const PredictFrame& frame, const MapStyle& style) {
  GeoTiffSpec spec{frame.width, frame.height, 1, shard::DType::u8, frame.affine, frame.crs, double(kNoPrediction), {"class"}, {}, {}};
  for (const auto& info : style.classes) {
    spec.colours[info.id] = rgb_of(info);
    spec.metadata.emplace_back("CLASS_" + std::to_string(info.id), info.name);
  }
  return spec;
}

GeoTiffSpec probability_spec(const PredictFrame& frame, const MapStyle& style) {
  GeoTiffSpec spec{frame.width, frame.height, static_cast<int>(style.classes.size()), shard::DType::f32, frame.affine, frame.crs, -1.0, {}, {}, {}};
  for (const auto& info : style.classes) spec.descriptions.push_back(info.name);
  return spec;
}

}  // namespace

struct PredictMosaic::State {
  PredictFrame frame;
  MapStyle style;
  std::filesystem::path folder;
  std::string name;
  std::int64_t size = 0, first_row = 0;       ///< first_row: of the rolling rows
  std::vector<float> weights, sums;           ///< sums: (rows, width, K) of `size` rows
  std::vector<std::uint8_t> valid;            ///< (rows, width)
  std::unique_ptr<RowSink> classes, probabilities;

  [[nodiscard]] std::size_t kinds() const { return style.classes.size(); }

  /// Probabilities of one finished row, (K, width), in place of the sums; then the row's class.
  void write_row(std::size_t row) {
    const auto width = static_cast<std::size_t>(frame.width);
    std::vector<std::uint8_t> best(width, kNoPrediction);
    std::vector<float> share(probabilities ? width * kinds() : 0, -1.0F);
    for (std::size_t x = 0; x < width; ++x) {
      if (!valid[row * width + x]) continue;
      const auto* sum = sums.data() + (row * width + x) * kinds();
      best[x] = static_cast<std::uint8_t>(style.classes[static_cast<std::size_t>(std::max_element(sum, sum + kinds()) - sum)].id);
      if (!probabilities) continue;
      float total = 0;
      for (std::size_t k = 0; k < kinds(); ++k) total += sum[k];
      for (std::size_t k = 0; k < kinds(); ++k) share[k * width + x] = total > 0 ? sum[k] / total : 0;
    }
    classes->add_row(std::as_bytes(std::span(best)));
    if (probabilities) probabilities->add_row(std::as_bytes(std::span(share)));
  }

  /// Rows above `row` are final.
  void advance_to(std::int64_t row) {
    const auto done = std::min(row - first_row, frame.height - first_row);
    const auto width = static_cast<std::size_t>(frame.width);
    for (std::int64_t r = 0; r < done; ++r) {
      const bool is_held = r < size;  // rows that no window reached are empty
      if (is_held) write_row(static_cast<std::size_t>(r));
      else write_empty_row();
    }
    if (done <= 0) return;
    const auto kept = static_cast<std::size_t>(std::max<std::int64_t>(0, size - done)), gone = static_cast<std::size_t>(size) - kept;
    std::move(sums.begin() + std::ptrdiff_t(gone * width * kinds()), sums.end(), sums.begin());
    std::fill(sums.begin() + std::ptrdiff_t(kept * width * kinds()), sums.end(), 0.0F);
    std::move(valid.begin() + std::ptrdiff_t(gone * width), valid.end(), valid.begin());
    std::fill(valid.begin() + std::ptrdiff_t(kept * width), valid.end(), std::uint8_t{0});
    first_row += done;
  }

  void write_empty_row() {
    const auto width = static_cast<std::size_t>(frame.width);
    const std::vector<std::uint8_t> none(width, kNoPrediction);
    classes->add_row(std::as_bytes(std::span(none)));
    if (!probabilities) return;
    const std::vector<float> unknown(width * kinds(), -1.0F);
    probabilities->add_row(std::as_bytes(std::span(unknown)));
  }
};

PredictMosaic::PredictMosaic(const PredictFrame& frame, MapStyle style, const std::filesystem::path& folder, const std::string& name, int size_px)
    : state_(std::make_unique<State>()) {
  auto& s = *state_;
  s.frame = frame;
  s.style = std::move(style);
  s.folder = folder;
  s.name = name;
  s.size = size_px;
  s.weights = hann_weights(size_px);
  s.sums.assign(static_cast<std::size_t>(size_px) * static_cast<std::size_t>(frame.width) * s.kinds(), 0.0F);
  s.valid.assign(static_cast<std::size_t>(size_px) * static_cast<std::size_t>(frame.width), 0);
  s.classes = std::make_unique<RowSink>(folder / (name + ".tif"), class_spec(frame, s.style));
  if (s.style.probabilities) s.probabilities = std::make_unique<RowSink>(folder / (name + "_prob.tif"), probability_spec(frame, s.style));
}

PredictMosaic::~PredictMosaic() = default;

void PredictMosaic::add(const geometry::Window& window, std::span<const float> probabilities, std::span<const std::uint8_t> valid) {
  auto& s = *state_;
  if (window.row < s.first_row) throw Error::failed("windows of " + s.name + " came out of order: row " + std::to_string(window.row) + " after " + std::to_string(s.first_row));
  s.advance_to(window.row);
  const auto part = geometry::intersection(window, {0, 0, s.frame.width, s.frame.height});
  const auto plane = static_cast<std::size_t>(window.width * window.height), width = static_cast<std::size_t>(s.frame.width);
  for (auto row = part.row; row < part.row + part.height; ++row) {
    for (auto col = part.col; col < part.col + part.width; ++col) {
      const auto from = static_cast<std::size_t>((row - window.row) * window.width + col - window.col);
      if (!valid[from]) continue;
      const auto to = static_cast<std::size_t>(row - s.first_row) * width + static_cast<std::size_t>(col);
      const float weight = s.weights[static_cast<std::size_t>(row - window.row)] * s.weights[static_cast<std::size_t>(col - window.col)];
      s.valid[to] = 1;
      for (std::size_t k = 0; k < s.kinds(); ++k) s.sums[to * s.kinds() + k] += weight * probabilities[k * plane + from];
    }
  }
}

std::vector<std::pair<std::string, shard::Published>> PredictMosaic::finish() {
  auto& s = *state_;
  s.advance_to(s.frame.height);
  std::vector<std::pair<std::string, shard::Published>> out;
  if (s.probabilities) out.emplace_back(s.name + "_prob.tif", s.probabilities->publish());
  out.emplace_back(s.name + ".qml", shard::publish_file(s.folder / (s.name + ".qml"), qml_of(s.style.classes)));
  out.emplace_back(s.name + ".tif", s.classes->publish());
  return out;
}

std::uint32_t rgb_of(const learn::ClassInfo& info) {
  const auto& text = info.color;
  const bool is_hex = text.size() > 1 && text[0] == '#' && std::all_of(text.begin() + 1, text.end(), [](unsigned char c) { return std::isxdigit(c); });
  if (is_hex && text.size() == 7) return static_cast<std::uint32_t>(std::stoul(text.substr(1), nullptr, 16));
  if (is_hex && text.size() == 4) {
    const auto digit = [&](std::size_t i) { return static_cast<std::uint32_t>(std::stoul(std::string(2, text[i]), nullptr, 16)); };
    return digit(1) << 16 | digit(2) << 8 | digit(3);
  }
  const auto grey = static_cast<std::uint32_t>(info.id * 37 % 256);
  return grey << 16 | grey << 8 | grey;
}

std::string qml_of(const std::vector<learn::ClassInfo>& classes) {
  std::string out = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n<qgis>\n  <pipe>\n    <rasterrenderer type=\"paletted\" band=\"1\" opacity=\"1\">\n      <colorPalette>\n";
  for (const auto& info : classes) {
    char colour[8];
    std::snprintf(colour, sizeof colour, "#%06x", rgb_of(info) & 0xffffffU);
    out += "        <paletteEntry value=\"" + std::to_string(info.id) + "\" label=\"" + escaped(info.name) + "\" color=\"" + colour + "\" alpha=\"255\"/>\n";
  }
  return out + "      </colorPalette>\n    </rasterrenderer>\n  </pipe>\n</qgis>\n";
}

}  // namespace tilewright::pipeline
