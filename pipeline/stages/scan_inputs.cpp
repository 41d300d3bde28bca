// SPDX-License-Identifier: Apache-2.0
// Groups files into acquisitions by the source's pattern.
#include "pipeline/stages/scan_inputs.h"

#include <algorithm>
#include <regex>
#include <set>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "pipeline/io/dates.h"
#include "pipeline/io/granules.h"

namespace tilewright::pipeline {
namespace {

using index::ItemError;
using index::Reason;

/// A file with its place in an acquisition; nullopt `band`: it has none.
struct GroupedFile {
  std::string key;  ///< capture or relative path
  std::string band;
};

std::string without_extension(const std::string& name) {
  const auto dot = name.rfind('.'), slash = name.rfind('/');
  return dot == std::string::npos || (slash != std::string::npos && dot < slash) ? name : name.substr(0, dot);
}

/// "_B10.TIF" -> "B10"
std::string band_after(const std::string& rest) {
  const auto slash = rest.rfind('/');
  auto name = without_extension(slash == std::string::npos ? rest : rest.substr(slash + 1));
  constexpr const char* kSeparators = "_-. ";
  const auto first = name.find_first_not_of(kSeparators);
  if (first == std::string::npos) return "";
  return name.substr(first, name.find_last_not_of(kSeparators) - first + 1);
}

/// The band whose suffix the path ends with, its extension written or left out ("_B02.tif" or "_B02"), and the path
/// before the suffix. The longest suffix wins.
struct SuffixMatch {
  const BandRule* rule = nullptr;
  std::string before;
};
SuffixMatch match_suffix(const SourceConfig& config, const std::string& relative) {
  SuffixMatch best;
  for (const auto& rule : config.bands) {
    if (!rule.path_suffix || (best.rule && rule.path_suffix->size() <= best.rule->path_suffix->size())) continue;
    for (const auto& path : {relative, without_extension(relative)})
      if (path.ends_with(*rule.path_suffix)) best = {&rule, path.substr(0, path.size() - rule.path_suffix->size())};
  }
  return best;
}

bool maps_suffixes(const SourceConfig& config) {
  return std::any_of(config.bands.begin(), config.bands.end(), [](const auto& rule) { return rule.path_suffix.has_value(); });
}

class Grouper {
 public:
  explicit Grouper(const SourceConfig& config) : config_(config) {
    if (config.group) pattern_.emplace(*config.group);
  }

  /// nullopt with `why` for a file that belongs to no acquisition.
  [[nodiscard]] std::optional<GroupedFile> place(const std::string& relative, std::string& why) const {
    GroupedFile out{relative, ""};
    const auto [rule, before_suffix] = match_suffix(config_, relative);
    if (pattern_) {
      std::smatch match;
      if (!std::regex_search(relative, match, *pattern_) || match.size() < 2 || !match[1].matched) {
        why = "the pattern " + *config_.group + " captures nothing";
        return std::nullopt;
      }
      out.key = match[1];
      // In a mosaic the names of granules stand between the capture and the end of the match.
      const auto before = config_.mosaic ? match[0].second : match[1].second;
      out.band = rule ? rule->name : band_after(std::string(before, relative.end()));
    } else if (rule) {
      out.key = before_suffix;
      out.band = rule->name;
    } else if (maps_suffixes(config_)) {
      why = "no path suffix under `bands:` fits";
      return std::nullopt;
    }
    return out;
  }

  /// Is a file of this band asked for? The names under `bands:` choose.
  [[nodiscard]] bool is_wanted(const std::string& band) const {
    if (band.empty()) return true;
    const auto& only = config_.only;
    if (!only.empty() && std::find(only.begin(), only.end(), band) == only.end() && !is_quality(band)) return false;
    if (config_.bands.empty()) return true;
    for (const auto& rule : config_.bands)
      if (rule.name == band) return true;
    return is_quality(band);
  }

  /// Order of the job's list, then bytewise.
  [[nodiscard]] std::pair<std::size_t, std::string> rank(const std::string& band) const {
    for (std::size_t i = 0; i < config_.bands.size(); ++i)
      if (config_.bands[i].name == band) return {i, band};
    return {config_.bands.size(), band};
  }

 private:
  [[nodiscard]] bool is_quality(const std::string& band) const {
    for (const auto& rule : config_.quality)
      if (rule.band && !rule.band->empty() && band.ends_with(*rule.band)) return true;
    return false;
  }

  const SourceConfig& config_;
  std::optional<std::regex> pattern_;
};

/// True if another source of the same acquisitions takes the band, or tells that none does: the first one.
bool is_left_to_others(const Job& job, const std::string& source, const std::string& band) {
  const auto& acquisition = job.source(source).acquisition;
  if (!acquisition) return false;
  std::optional<std::string> first;
  for (const auto& [name, other] : job.sources) {
    if (other.acquisition != acquisition) continue;
    if (!first) first = name;
    if (std::find(other.only.begin(), other.only.end(), band) != other.only.end()) return true;
  }
  return first != source;
}

std::vector<FoundFile> find_files(const Job& job, const std::string& source) {
  std::map<std::string, FoundFile> found;
  for (const auto& pattern : job.source(source).files) {
    const auto files = glob_files(job, pattern);
    if (files.empty())
      throw Error::config("sources." + source + ".files: '" + pattern + "' finds no file below " + job.resolve(split_root(pattern).root + ":").string() +
                          "; correct the pattern (case counts)");
    for (const auto& file : files) found.emplace(file.path, file);
  }
  std::vector<FoundFile> out;
  for (auto& [path, file] : found) out.push_back(std::move(file));
  return out;
}

/// Adds the quality files with the same capture to each acquisition: one, or one a granule.
void add_quality_files(const Job& job, const std::string& source, std::vector<Acquisition>& acquisitions) {
  const auto& rules = job.source(source).quality;
  for (std::size_t r = 0; r < rules.size(); ++r) {
    if (!rules[r].files) continue;
    const std::regex pattern(rules[r].match.value_or("(.*)"));
    std::map<std::string, std::string> by_capture;
    const auto files = glob_files(job, *rules[r].files);
    if (files.empty()) throw Error::config("sources." + source + ".quality.files: '" + *rules[r].files + "' finds no file; correct the pattern");
    for (const auto& file : files)
      if (const auto capture = captured(pattern, file.path)) by_capture.emplace(*capture, file.path);
    for (auto& acquisition : acquisitions) {
      std::set<std::string> taken;
      for (const auto& granule : split_granules(job.source(source), acquisition.files)) {
        const auto capture = captured(pattern, granule.front().path);
        const auto found = capture ? by_capture.find(*capture) : by_capture.end();
        if (found == by_capture.end())
          acquisition.problem.emplace(Reason::missing_quality,
                                      "no file of " + *rules[r].files + " captures the same as " +
                                          granule.front().path +
                                          "; correct quality.match or leave the acquisition out");
        else if (taken.insert(found->second).second)
          acquisition.files.push_back({found->second, "quality:" + std::to_string(r), true});
      }
    }
  }
}

/// Each granule has a file of each band.
void check_granules(Acquisition& acquisition) {
  std::map<std::string, int> count_of_band;
  for (const auto& file : acquisition.files) ++count_of_band[file.band];
  const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto [least, most] =
      std::minmax_element(count_of_band.begin(), count_of_band.end(), by_count);
  if (least->second != most->second)
    acquisition.problem.emplace(
        Reason::missing_band, "band '" + least->first + "' has " + std::to_string(least->second) +
                                  " files, band '" + most->first + "' has " +
                                  std::to_string(most->second) +
                                  ": a granule lacks one, or the match of `group` ends too early");
}

void sort_bands(const Grouper& grouper, bool is_mosaic, Acquisition& acquisition) {
  auto& files = acquisition.files;
  std::sort(files.begin(), files.end(), [&](const auto& a, const auto& b) {
    return std::make_pair(grouper.rank(a.band), a.path) < std::make_pair(grouper.rank(b.band), b.path);
  });
  if (is_mosaic) return check_granules(acquisition);
  for (std::size_t i = 1; i < files.size(); ++i)
    if (files[i].band == files[i - 1].band)
      acquisition.problem.emplace(Reason::inconsistent_files, files[i - 1].path + " and " + files[i].path + " are both band '" + files[i].band +
                                                                  "' of one acquisition; make `group` capture more");
}

std::string tile_id_of(const SourceConfig& config, const std::string& source, const std::string& key) {
  return source + "-" + shard::sha256_hex(config.acquisition.value_or(source) + "\n" + key).substr(0, 12);
}

/// A file whose bands are dates is a tile a band; the band's number is part of its id.
std::vector<Acquisition> one_each_date(const SourceConfig& config, const std::vector<Acquisition>& files, std::size_t dates) {
  std::vector<Acquisition> out;
  for (const auto& file : files) {
    for (std::size_t n = 1; n <= dates; ++n) {
      auto& date = out.emplace_back(file);
      date.files.front().band = std::to_string(n);
      date.tile_id = tile_id_of(config, file.source, file.key + "\n" + date.files.front().band);
    }
  }
  return out;
}

}  // namespace

SourceInputs find_inputs(const Job& job, const std::string& source) {
  const auto& config = job.source(source);
  const Grouper grouper(config);
  std::map<std::string, Acquisition> by_key;
  SourceInputs out;
  for (const auto& file : find_files(job, source)) {
    const auto rooted = split_root(file.path);
    std::string why;
    const auto place = grouper.place(rooted.relative, why);
    if (place && !grouper.is_wanted(place->band)) {
      if (is_left_to_others(job, source, place->band)) continue;
      why = "its band '" + place->band + "' is not listed under `bands:`, `only:` or `groups:`";
    }
    if (!why.empty()) {
      out.ungrouped.push_back({"scan", file.path, std::string(index::code(Reason::ungrouped_file)), why});
      continue;
    }
    auto& acquisition = by_key[rooted.root + ":" + place->key];
    acquisition.files.push_back({file.path, place->band, false});
  }
  for (auto& [key, acquisition] : by_key) {
    acquisition.source = source;
    acquisition.key = key;
    acquisition.tile_id = tile_id_of(config, source, key);
    sort_bands(grouper, config.mosaic, acquisition);
    out.acquisitions.push_back(std::move(acquisition));
  }
  if (config.date && config.date->bands) out.acquisitions = one_each_date(config, out.acquisitions, read_date_list(job, *config.date->bands).size());
  add_quality_files(job, source, out.acquisitions);
  out.file_count = static_cast<std::int64_t>(paths_of(out).size());
  return out;
}

std::vector<std::string> paths_of(const SourceInputs& inputs) {
  std::set<std::string> paths;
  for (const auto& acquisition : inputs.acquisitions)
    for (const auto& file : acquisition.files) paths.insert(file.path);
  for (const auto& row : inputs.ungrouped) paths.insert(row.subject);
  return {paths.begin(), paths.end()};
}

}  // namespace tilewright::pipeline
