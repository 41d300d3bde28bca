// SPDX-License-Identifier: Apache-2.0
// Checks of derived channels and of sources that groups and channels became.
#include <algorithm>
#include <optional>

#include "pipeline/config/channel.h"
#include "pipeline/config/load.h"
#include "pipeline/config/validate.h"

namespace tilewright::pipeline {
namespace {

std::string known_channels() {
  std::string out;
  for (const auto& row : channel_rows()) {
    out += (out.empty() ? "" : ", ") + std::string(row.name);
    if (row.argument == ChannelArgument::pixels) out += "_<pixels>";
    if (row.argument == ChannelArgument::source) out += "_<source>";
  }
  return out;
}

void check_channels(const Job& job, const std::string& path, const std::string& own, const std::vector<std::string>& channels, Findings& findings) {
  int grounds = 0;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const auto at = path + "." + std::to_string(i);
    const auto channel = parse_channel(channels[i]);
    if (!channel) {
      findings.add(at, "there is no channel '" + channels[i] + "'; known: " + known_channels());
      continue;
    }
    if (std::count(channels.begin(), channels.end(), channels[i]) > 1) findings.add(at, "the channel '" + channels[i] + "' is listed twice");
    if (channel->kind != ChannelKind::above) continue;
    findings.need_known(at, "source of views", channel->source, job.view_sources());
    if (channel->source == own) findings.add(at, "a source lies 0 above itself; name another source");
    const auto size_of = [&](const std::string& source) -> std::optional<double> {
      for (const auto& [name, config] : job.sources)
        if (name == source) return config.resolution_m.value_or(job.grid.resolution_m);
      return std::nullopt;
    };
    if (size_of(own) != size_of(channel->source)) findings.add(at, "the pixels of " + own + " and " + channel->source + " differ in size; give both the same resolution_m");
    if (++grounds == 2) findings.add(at, "is the second above_<source>; put it into another entry of extract.derived");
  }
}

}  // namespace

void validate_extract(const Job& job, Findings& findings) {
  for (std::size_t i = 0; i < job.extract.derived.size(); ++i) {
    const auto& derived = job.extract.derived[i];
    const auto path = "extract.derived." + std::to_string(i);
    if (derived.source.empty() || derived.name.empty() || derived.channels.empty())
      findings.add(path, "needs source, name and channels, such as {source: dem, name: terrain, channels: [relief_8, slope]}");
    else findings.need_known(path + ".source", "source", derived.source, names_of(job.sources));
    check_channels(job, path + ".channels", derived.source, derived.channels, findings);
  }
  const auto names = names_of(job.sources);
  for (const auto& [name, source] : job.sources) {
    if (std::count(names.begin(), names.end(), name) > 1)
      findings.add("sources." + name, "groups or derived channels make a source of this name too; rename one");
    const bool is_written = std::none_of(job.extract.derived.begin(), job.extract.derived.end(), [&](const auto& d) { return d.source + "_" + d.name == name; });
    if (is_written) check_channels(job, "sources." + name + ".channels", name, source.channels, findings);
  }
}

}  // namespace tilewright::pipeline
