// SPDX-License-Identifier: Apache-2.0
// The table of augmentations; no torch here: loader threads run it.
#include "learn/data/augment.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

struct CropWindow {
  double left = 0, top = 0, width = 0, height = 0;
};

CropWindow draw_window(int size, const CropPlan& plan, CounterRandom& random) {
  const double area = random.uniform(plan.least_area, plan.most_area) * size * size;
  const double aspect = std::exp(random.uniform(std::log(3.0 / 4), std::log(4.0 / 3)));
  CropWindow window;
  window.width = std::clamp(std::round(std::sqrt(area * aspect)), 1.0, static_cast<double>(size));
  window.height = std::clamp(std::round(std::sqrt(area / aspect)), 1.0, static_cast<double>(size));
  window.left = static_cast<double>(random.below(size - static_cast<int>(window.width) + 1));
  window.top = static_cast<double>(random.below(size - static_cast<int>(window.height) + 1));
  return window;
}

/// Two neighbours of an output pixel along one axis, and the weight of the second.
struct Tap {
  int first = 0, second = 0;
  float weight = 0;
};

/// Pixel centres as in align_corners = false; neighbours stay inside the window.
/// `size` output pixels over `length` pixels from `start`.
std::vector<Tap> taps_of(int size, double start, double length) {
  std::vector<Tap> taps(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) {
    const double place = std::clamp((i + 0.5) * length / size - 0.5, 0.0, length - 1);
    const double below = std::floor(place);
    taps[static_cast<std::size_t>(i)] = {static_cast<int>(start + below),
                                         static_cast<int>(start + std::min(below + 1, length - 1)),
                                         static_cast<float>(place - below)};
  }
  return taps;
}

void resize_plane(std::span<const float> source, int source_size, std::span<float> target,
                  const std::vector<Tap>& rows, const std::vector<Tap>& columns) {
  auto out = target.begin();
  for (const auto& row : rows) {
    const auto* upper = source.data() + static_cast<std::ptrdiff_t>(row.first) * source_size;
    const auto* lower = source.data() + static_cast<std::ptrdiff_t>(row.second) * source_size;
    for (const auto& column : columns) {
      const float above =
          upper[column.first] + column.weight * (upper[column.second] - upper[column.first]);
      const float below =
          lower[column.first] + column.weight * (lower[column.second] - lower[column.first]);
      *out++ = above + row.weight * (below - above);
    }
  }
}

std::size_t square(int edge) {
  return static_cast<std::size_t>(edge) * static_cast<std::size_t>(edge);
}

std::vector<std::uint8_t> cropped_mask(const std::vector<std::uint8_t>& mask, int source_size,
                                       const CropWindow& window, int size) {
  const auto nearest = [size](double start, double length, int i) {
    return static_cast<std::size_t>(start + std::floor((i + 0.5) * length / size));
  };
  std::vector<std::uint8_t> out;
  out.reserve(square(size));
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x)
      out.push_back(
          mask[nearest(window.top, window.height, y) * static_cast<std::size_t>(source_size) +
               nearest(window.left, window.width, x)]);
  return out;
}

void crop_row(Patch& patch, CounterRandom& random) { crop(patch, {}, random); }

/// Calls `f(plane)` for each channel and the mask.
template <class F>
void each_plane(Patch& patch, const F& f) {
  const auto pixels = static_cast<std::size_t>(patch.size) * static_cast<std::size_t>(patch.size);
  for (std::size_t c = 0; c < static_cast<std::size_t>(patch.channels); ++c)
    f(patch.image.data() + c * pixels);
  if (!patch.mask.empty()) f(patch.mask.data());
}

void flip_columns(Patch& patch) {
  each_plane(patch, [size = patch.size](auto* plane) {
    for (int y = 0; y < size; ++y) std::reverse(plane + y * size, plane + (y + 1) * size);
  });
}

void flip_rows(Patch& patch) {
  each_plane(patch, [size = patch.size](auto* plane) {
    for (int y = 0; y < size / 2; ++y)
      std::swap_ranges(plane + y * size, plane + (y + 1) * size, plane + (size - 1 - y) * size);
  });
}

void transpose(Patch& patch) {
  each_plane(patch, [size = patch.size](auto* plane) {
    for (int y = 0; y < size; ++y)
      for (int x = 0; x < y; ++x) std::swap(plane[y * size + x], plane[x * size + y]);
  });
}

void flip(Patch& patch, CounterRandom& random) {
  if (random.uniform() < 0.5) flip_columns(patch);
  if (random.uniform() < 0.5) flip_rows(patch);
}

void rotate(Patch& patch, CounterRandom& random) {
  const auto quarters = random.below(4);
  if (quarters % 2 == 1) transpose(patch);
  if (quarters == 1 || quarters == 2) flip_columns(patch);
  if (quarters == 2 || quarters == 3) flip_rows(patch);
}

void brightness(Patch& patch, CounterRandom& random) {
  const auto gain = static_cast<float>(random.uniform(0.8, 1.2)),
             shift = static_cast<float>(random.uniform(-0.1, 0.1));
  for (auto& value : patch.image) value = value * gain + shift;
}

void noise(Patch& patch, CounterRandom& random) {
  for (auto& value : patch.image) value += static_cast<float>(0.05 * random.normal());
}

constexpr std::array<Augmentation, 5> kTable = {{
    {"crop", "a window of 20-100 % of the area, resized to the full size", true, crop_row},
    {"flip", "left-right and up-down, each with probability 1/2", true, flip},
    {"rotate", "0, 90, 180 or 270 degrees", true, rotate},
    {"brightness", "gain 0.8-1.2 and shift +-0.1 of normalized values", false, brightness},
    {"noise", "Gaussian noise of 0.05 on normalized values", false, noise},
}};

}  // namespace

std::span<const Augmentation> augmentations() { return kTable; }

void crop(Patch& patch, const CropPlan& plan, CounterRandom& random) {
  const int from = patch.size, size = plan.size_px > 0 ? plan.size_px : from;
  const auto window = draw_window(from, plan, random);
  const auto rows = taps_of(size, window.top, window.height),
             columns = taps_of(size, window.left, window.width);
  const auto source = std::move(patch.image);
  patch.image.resize(static_cast<std::size_t>(patch.channels) * square(size));
  for (std::size_t c = 0; c < static_cast<std::size_t>(patch.channels); ++c)
    resize_plane(std::span(source).subspan(c * square(from), square(from)), from,
                 std::span(patch.image).subspan(c * square(size), square(size)), rows, columns);
  if (!patch.mask.empty()) patch.mask = cropped_mask(patch.mask, from, window, size);
  patch.size = size;
}

std::size_t augmentation_row(std::string_view name) {
  for (std::size_t i = 0; i < kTable.size(); ++i)
    if (kTable[i].name == name) return i;
  throw Error::failed("there is no augmentation " + std::string(name));
}

std::vector<std::size_t> augmentation_rows(const std::vector<std::string>& names) {
  for (const auto& name : names)
    if (std::none_of(kTable.begin(), kTable.end(),
                     [&](const auto& row) { return row.name == name; }))
      throw Error::config("augment: '" + name +
                          "' is not known; any of: crop, flip, rotate, brightness, noise");
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < kTable.size(); ++i)
    if (std::find(names.begin(), names.end(), kTable[i].name) != names.end()) rows.push_back(i);
  return rows;
}

}  // namespace tilewright::learn
