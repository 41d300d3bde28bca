// SPDX-License-Identifier: Apache-2.0
// Paths and look-ups of a job, sizes in bytes, and the nearest known name.
#include "pipeline/config/job.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "pipeline/config/load.h"
#include "pipeline/config/validate.h"
#include "pipeline/config/yaml_tree.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

/// Edits (insert, remove, replace, swap neighbours) from one text to the other.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

}  // namespace

fs::path Job::workspace() const {
  auto place = (folder() / workspace_text).lexically_normal();
  return place.has_filename() ? place : place.parent_path();
}

fs::path Job::scratch() const {
  if (!limits.tmpdir) return workspace() / ".tmp";
  // A folder that others use too: ours is named after the workspace.
  const auto name = "tilewright-" + shard::sha256_hex(workspace().string()).substr(0, 12);
  return (folder() / *limits.tmpdir / name).lexically_normal();
}

fs::path Job::resolve(const std::string& path) const {
  const auto root = root_of(path);
  const auto rest = root ? path.substr(root->size() + 1) : path;
  const auto name = root.value_or("job");
  for (const auto& [known, place] : roots)
    if (known == name) return (folder() / place / rest).lexically_normal();
  if (name == "job") return (folder() / rest).lexically_normal();
  std::vector<std::string> names{"job"};
  for (const auto& entry : roots) names.push_back(entry.first);
  const auto near = nearest_name(name, names);
  throw Error::config("the path '" + path + "' names the root '" + name + "', which the job does not have" +
                      (near.empty() ? "" : "; did you mean " + near + "?") + " Roots stand under `roots:`, or come by --root " + name + "=DIR");
}

std::vector<std::string> Job::view_sources() const {
  if (views && !views->sources.empty()) return views->sources;
  std::vector<std::string> names;
  for (const auto& entry : sources) names.push_back(entry.first);
  return names;
}

const SourceConfig& Job::source(const std::string& name) const {
  for (const auto& [known, config] : sources)
    if (known == name) return config;
  throw Error::config("the job has no source '" + name + "'; add it under sources:, or run scan again if it was removed");
}

std::optional<std::string> root_of(const std::string& path) {
  const auto colon = path.find(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  const auto is_name = [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '_'; };
  return std::all_of(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(colon), is_name) ? std::optional(path.substr(0, colon)) : std::nullopt;
}

std::size_t parse_bytes(const std::string& text) {
  const auto unit = text.find_first_not_of("0123456789.");
  const auto number = number_of(text.substr(0, unit));
  auto suffix = unit == std::string::npos ? "" : lower(text.substr(unit));
  if (suffix.ends_with("ib")) suffix.resize(suffix.size() - 2);
  else if (suffix.ends_with("b")) suffix.resize(suffix.size() - 1);
  const std::string letters = "kmgt";
  const auto power = suffix.empty() ? 0 : suffix.size() == 1 && letters.find(suffix) != std::string::npos ? letters.find(suffix) + 1 : 9;
  const double bytes = number.value_or(0) * std::pow(1024.0, static_cast<double>(power));
  if (!number || power == 9 || bytes < 1 || bytes > 9e15)
    throw Error::config("'" + text + "' is not a size; write it like 512M, 4G or 1.5T (powers of 1024)");
  return static_cast<std::size_t>(bytes);
}

std::string nearest_name(const std::string& name, const std::vector<std::string>& known) {
  const auto wanted = lower(name);
  std::string best;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  if (wanted.empty() || wanted.size() > 100) return best;
  for (const auto& candidate : known) {
    const auto other = lower(candidate.substr(0, 100));
    const bool is_start = std::min(other.size(), wanted.size()) >= 3 && (other.starts_with(wanted) || wanted.starts_with(other));
    const auto distance = is_start ? 1 : edit_distance(wanted, other);
    if (distance <= std::max<std::size_t>(1, std::max(wanted.size(), other.size()) / 3) && distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::optional<std::string> repaired_from(const Job& job, const std::string& name) {
  if (!job.curate || !job.curate->repair) return std::nullopt;
  for (const auto& layer : job.curate->layers)
    if (name == layer + "_repaired") return layer;
  return std::nullopt;
}

bool is_member(const Job& job, const std::string& run) {
  return std::any_of(job.experiments.begin(), job.experiments.end(), [&](const auto& experiment) {
    return std::any_of(experiment.members.begin(), experiment.members.end(), [&](const auto& member) { return member.run == run; });
  });
}

std::vector<std::string> subset_names(const CurateConfig& curate) {
  std::vector<std::string> names;
  for (const auto& [name, subset] : curate.subsets) {
    if (subset.draw.empty()) names.push_back(name);
    for (const auto count : subset.draw) names.push_back(name + "_" + std::to_string(count));
  }
  return names;
}

}  // namespace tilewright::pipeline
