// SPDX-License-Identifier: Apache-2.0
// One row of the channel table after the other.
#include "pipeline/stages/extract_channels.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace tilewright::pipeline {
namespace {

using geometry::HeightField;
using geometry::Window;

std::vector<float> above(const HeightField& field, const Window& inner, std::span<const double> ground) {
  assert(ground.size() == static_cast<std::size_t>(inner.width * inner.height));
  std::vector<float> out;
  for (std::int64_t row = 0; row < inner.height; ++row)
    for (std::int64_t col = 0; col < inner.width; ++col)
      out.push_back(static_cast<float>(field.z[static_cast<std::size_t>((inner.row + row) * field.width + inner.col + col)] -
                                       ground[static_cast<std::size_t>(row * inner.width + col)]));
  return out;
}

std::vector<float> plane(const Channel& channel, const HeightField& field, const Window& inner, double pixel_m, std::span<const double> ground) {
  switch (channel.kind) {
    case ChannelKind::minmax: return geometry::stretched(field, inner, 0, 100);
    case ChannelKind::robust: return geometry::stretched(field, inner, 1, 99);
    case ChannelKind::relief: return geometry::relief(field, inner, channel.pixels);
    case ChannelKind::slope: return geometry::slope_deg(field, inner, pixel_m);
    case ChannelKind::hillshade: return geometry::hillshade(field, inner, pixel_m);
    case ChannelKind::above: break;
  }
  return above(field, inner, ground);
}

}  // namespace

int Derivation::halo_px() const {
  int most = 0;
  for (const auto& channel : channels) most = std::max(most, pipeline::halo_px(channel));
  return most;
}

std::string Derivation::ground() const {
  for (const auto& channel : channels)
    if (channel.kind == ChannelKind::above) return channel.source;
  return "";
}

Derivation derivation(const std::vector<std::string>& names, double pixel_m) {
  Derivation out{.channels = {}, .pixel_m = pixel_m};
  for (const auto& name : names)
    if (auto channel = parse_channel(name)) out.channels.push_back(std::move(*channel));
  return out;
}

void derive(const Derivation& derivation, const HeightField& field, const Window& inner, std::span<const double> ground, std::vector<std::byte>& out) {
  const auto plane_bytes = static_cast<std::size_t>(inner.width * inner.height) * sizeof(float);
  out.resize(derivation.channels.size() * plane_bytes);
  for (std::size_t c = 0; c < derivation.channels.size(); ++c) {
    const auto values = plane(derivation.channels[c], field, inner, derivation.pixel_m, ground);
    std::memcpy(out.data() + c * plane_bytes, values.data(), plane_bytes);
  }
}

}  // namespace tilewright::pipeline
