// SPDX-License-Identifier: Apache-2.0
// Loads a job: file, environment, flags, then types, then checks; all problems in one error.
#include "pipeline/config/load.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "geometry/error.h"
#include "pipeline/config/overrides.h"
#include "pipeline/config/reader.h"
#include "pipeline/config/validate.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
constexpr std::uintmax_t kMaxFileBytes = 8 << 20;

std::string read_file(const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error))
    throw Error::config("the job file " + file.string() + (fs::exists(file, error) ? " is not a file" : " does not exist") +
                        "; `tilewright init FILE` writes one to start from");
  if (fs::file_size(file, error) > kMaxFileBytes)
    throw Error::config("the job file " + file.string() + " is larger than 8 MiB; is it a job?");
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) throw Error::config("the job file " + file.string() + " cannot be read; check its permissions");
  return text;
}

/// Place of a key path: of the value, or of the deepest parent that is there.
Place place_of(const YamlNode& root, const std::string& path) {
  const YamlNode* node = &root;
  Place place = root.place;
  for (std::string rest = path; !rest.empty();) {
    const YamlEntry* entry = nullptr;
    auto end = rest.size();
    if (node->is_list()) {
      end = std::min(rest.find('.'), rest.size());
      const auto index = number_of(rest.substr(0, end));
      if (!index || *index < 0 || *index >= static_cast<double>(node->items.size())) break;
      node = &node->items[static_cast<std::size_t>(*index)];
      place = node->place;
    } else {
      for (; end != std::string::npos && !(entry = node->find(rest.substr(0, end)));) end = end == 0 ? std::string::npos : rest.rfind('.', end - 1);
      if (!entry) break;
      node = &entry->value;
      place = node->is_map() && node->place.origin.empty() ? entry->key_place : node->place;
    }
    rest = end < rest.size() ? rest.substr(end + 1) : "";
  }
  return place;
}

/// A check is silent about what could not be read.
bool is_covered(const std::vector<Problem>& problems, const std::string& path) {
  return std::any_of(problems.begin(), problems.end(), [&](const Problem& problem) {
    return problem.path == path || path.starts_with(problem.path + ".") || problem.path.starts_with(path + ".");
  });
}

void add_roots(Job& job, const std::vector<std::pair<std::string, std::string>>& roots) {
  for (const auto& [name, folder] : roots) {
    const auto known = std::find_if(job.roots.begin(), job.roots.end(), [&](const auto& entry) { return entry.first == name; });
    const auto place = fs::absolute(folder).string();
    if (known == job.roots.end()) job.roots.emplace_back(name, place);
    else known->second = place;
  }
}

}  // namespace

Job load_job(const fs::path& file, const JobOptions& options) {
  std::vector<Problem> problems;
  auto tree = parse_yaml(read_file(file), "", problems);
  const bool is_readable = problems.empty() || tree.is_map();
  apply_environment(tree, own_environment(), problems);
  for (const auto& set : options.sets) apply_set(tree, set, problems);
  for (const auto& flag : options.flags) put_value(tree, flag.path, flag.value, flag.flag, problems);
  Job job;
  job.file = fs::absolute(file).lexically_normal();
  if (is_readable) job.experiments = expand_grids(tree, problems);
  if (is_readable) read_struct({tree, "", problems}, job);
  add_roots(job, options.roots);
  expand_sources(job);
  if (is_readable) {
    Findings findings;
    validate(job, findings);
    const auto unread = problems;
    for (auto problem : findings.problems()) {
      if (is_covered(unread, problem.path)) continue;
      problem.place = place_of(tree, problem.path);
      problems.push_back(std::move(problem));
    }
  }
  join_member_problems(job.experiments, problems);
  if (!problems.empty()) throw Error::config(format_problems(file.string(), problems));
  return job;
}

}  // namespace tilewright::pipeline
