// SPDX-License-Identifier: Apache-2.0
// The table of derived channels and the reader of their names.
#include "pipeline/config/channel.h"

#include <array>
#include <charconv>

namespace tilewright::pipeline {
namespace {

constexpr int kLargestSigma_px = 64;

constexpr std::array kRows = {
    ChannelRow{"minmax", ChannelKind::minmax, ChannelArgument::none, "(z - min) / (max - min) of the window; 0 where it is flat"},
    ChannelRow{"robust", ChannelKind::robust, ChannelArgument::none, "the same between the 1st and 99th percentile, clipped to [0, 1]"},
    ChannelRow{"relief", ChannelKind::relief, ChannelArgument::pixels, "z minus its Gaussian mean, in units of z; relief_8: sigma is 8 pixels"},
    ChannelRow{"slope", ChannelKind::slope, ChannelArgument::none, "steepest slope in degrees (Horn), where z is in metres"},
    ChannelRow{"hillshade", ChannelKind::hillshade, ChannelArgument::none, "mean of four suns at 45 degrees height, from 0 to 1"},
    ChannelRow{"above", ChannelKind::above, ChannelArgument::source, "z minus the first band of another source; above_dtm"},
};

}  // namespace

std::span<const ChannelRow> channel_rows() { return kRows; }

std::optional<Channel> parse_channel(const std::string& text) {
  for (const auto& row : kRows) {
    if (!text.starts_with(row.name)) continue;
    const std::string rest = text.substr(row.name.size());
    Channel channel{.kind = row.kind, .pixels = 0, .source = {}};
    if (row.argument == ChannelArgument::none) return rest.empty() ? std::optional(channel) : std::nullopt;
    if (rest.size() < 2 || rest.front() != '_') return std::nullopt;
    if (row.argument == ChannelArgument::source) {
      channel.source = rest.substr(1);
      return channel;
    }
    const char* end = rest.data() + rest.size();
    const auto read = std::from_chars(rest.data() + 1, end, channel.pixels);
    if (read.ec != std::errc() || read.ptr != end || channel.pixels < 1 || channel.pixels > kLargestSigma_px) return std::nullopt;
    return channel;
  }
  return std::nullopt;
}

int halo_px(const Channel& channel) {
  switch (channel.kind) {
    case ChannelKind::relief: return 3 * channel.pixels;
    case ChannelKind::slope:
    case ChannelKind::hillshade: return 1;
    case ChannelKind::minmax:
    case ChannelKind::robust:
    case ChannelKind::above: break;
  }
  return 0;
}

}  // namespace tilewright::pipeline
