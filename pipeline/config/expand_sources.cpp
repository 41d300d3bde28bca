// SPDX-License-Identifier: Apache-2.0
// Band groups and derived channels as sources of their own, so that every stage knows only sources.
#include <algorithm>

#include "pipeline/config/load.h"

namespace tilewright::pipeline {
namespace {

using Sources = NamedList<SourceConfig>;

Sources::iterator find(Sources& sources, const std::string& name) {
  return std::find_if(sources.begin(), sources.end(), [&](const auto& entry) { return entry.first == name; });
}

/// `<source>_<group>` for each group, in their order.
Sources groups_of(const std::string& name, const SourceConfig& source) {
  Sources out;
  for (const auto& [group, bands] : source.groups) {
    auto& one = out.emplace_back(name + "_" + group, source).second;
    one.groups.clear();
    one.only = bands.bands;
    one.acquisition = name;
    if (bands.resolution_m) one.resolution_m = bands.resolution_m;
  }
  return out;
}

/// In the list of views the names of what stands for `name`; an empty list means all sources.
void replace(Job& job, const std::string& name, const Sources& by) {
  if (!job.views) return;
  auto& listed = job.views->sources;
  const auto at = std::find(listed.begin(), listed.end(), name);
  if (at == listed.end()) return;
  auto next = listed.erase(at);
  for (const auto& [own, source] : by) next = listed.insert(next, own) + 1;
}

}  // namespace

void expand_sources(Job& job) {
  Sources out;
  for (auto& [name, source] : job.sources) {
    if (source.groups.empty()) {
      out.emplace_back(name, std::move(source));
      continue;
    }
    auto groups = groups_of(name, source);
    replace(job, name, groups);
    std::move(groups.begin(), groups.end(), std::back_inserter(out));
  }
  for (const auto& derived : job.extract.derived) {
    const auto base = find(out, derived.source);
    if (base == out.end()) continue;  // validation names it
    if (!base->second.acquisition) base->second.acquisition = derived.source;
    Sources::value_type own{derived.source + "_" + derived.name, base->second};
    own.second.channels = derived.channels;
    if (derived.band) own.second.only = {*derived.band};
    replace(job, derived.source, {*base, own});
    out.insert(base + 1, std::move(own));
  }
  job.sources = std::move(out);
}

}  // namespace tilewright::pipeline
