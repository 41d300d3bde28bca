// SPDX-License-Identifier: Apache-2.0
// Derived channels by name: one table of what a job may write.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tilewright::pipeline {

enum class ChannelKind { minmax, robust, relief, slope, hillshade, above };
/// What stands behind the name, after an underscore.
enum class ChannelArgument { none, pixels, source };

struct ChannelRow {
  std::string_view name;
  ChannelKind kind;
  ChannelArgument argument;
  std::string_view meaning;
};
std::span<const ChannelRow> channel_rows();

/// One channel of a job: `relief_8`, `above_dtm`, `slope`.
struct Channel {
  ChannelKind kind = ChannelKind::minmax;
  int pixels = 0;       ///< sigma of relief
  std::string source;   ///< of above
};
/// nullopt: not in the table, or its argument is missing, wrong or too much. relief takes 1 to 64.
std::optional<Channel> parse_channel(const std::string& text);
/// Pixels around a pixel that it depends on: 3 sigma of relief, 1 of slope and hillshade, else 0.
int halo_px(const Channel& channel);

}  // namespace tilewright::pipeline
