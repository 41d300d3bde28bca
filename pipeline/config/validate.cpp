// SPDX-License-Identifier: Apache-2.0
// Checks across the sections of a job: names, paths, grid, views, split and limits.
#include "pipeline/config/validate.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <regex>

#include "geometry/error.h"
#include "pipeline/config/load.h"

namespace tilewright::pipeline {
namespace {

bool is_name(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '_'; });
}

template <class T>
void check_names(const std::string& section, const NamedList<T>& list, Findings& findings) {
  for (const auto& [name, entry] : list)
    if (!is_name(name)) findings.add(section + "." + name, "the name '" + name + "' may hold only a-z, 0-9 and _");
}

void validate_names(const Job& job, Findings& findings) {
  check_names("roots", job.roots, findings);
  check_names("sources", job.sources, findings);
  check_names("layers", job.layers, findings);
  check_names("targets", job.targets, findings);
  check_names("datasets", job.datasets, findings);
  check_names("runs", job.runs, findings);
  if (job.curate) check_names("curate.subsets", job.curate->subsets, findings);
  const auto sources = names_of(job.sources);
  for (const auto& [name, layer] : job.layers)
    if (std::find(sources.begin(), sources.end(), name) != sources.end())
      findings.add("layers." + name, "a source has this name too, and both name shards; rename one");
  const auto layers = names_of(job.layers);
  for (const auto& [name, layer] : job.layers)
    for (const auto& kind : layer.kinds)
      for (const auto* others : {&sources, &layers})
        if (std::find(others->begin(), others->end(), name + "_" + kind) != others->end())
          findings.add("layers." + name + ".kinds", "its series " + name + "_" + kind + " has the name of a source or layer, and both name shards; rename one");
  for (const auto& [name, place] : job.roots)
    if (place.empty()) findings.add("roots." + name, "is empty, expected a folder");
}

void validate_grid(const Job& job, Findings& findings) {
  static const std::regex code("EPSG:[0-9]{4,6}");
  if (job.grid.zone != "auto" && !std::regex_match(job.grid.zone, code))
    findings.add("grid.zone", "is '" + job.grid.zone + "', expected auto or a code such as EPSG:32633");
}

/// Columns that are known before masks and parts are made.
void validate_sample(const Job& job, const SampleConfig& sample, Findings& findings) {
  std::vector<std::string> known{"zone", "view_count", "component"};
  for (const auto& [name, target] : job.targets)
    if (!target.layer) known.push_back(name);
  if (sample.count < 1) findings.add("views.sample", "count is missing; say how many locations to keep, such as count: 1000");
  for (std::size_t i = 0; i < sample.stratify.size(); ++i) {
    const auto& name = sample.stratify[i];
    const auto path = "views.sample.stratify." + std::to_string(i);
    const auto layers = names_of(job.layers), targets = names_of(job.targets);
    const bool comes_later = name == "split" || std::ranges::find(layers, name) != layers.end() ||
                             (std::ranges::find(targets, name) != targets.end() && std::ranges::find(known, name) == known.end());
    if (comes_later) findings.add(path, "'" + name + "' is made after the views; possible are: " + listed(known));
    else findings.need_known(path, "column to balance over", name, known);
  }
}

void validate_periods(const ViewsConfig& views, Findings& findings) {
  const auto& periods = views.periods;
  for (std::size_t i = 0; i < periods.size(); ++i) {
    const auto path = "views.periods." + std::to_string(i);
    if (!is_name(periods[i].name)) findings.add(path + ".name", "the name '" + periods[i].name + "' may hold only a-z, 0-9 and _, and must not be empty");
    const auto fault = index::fault_of(periods[i]);
    if (!fault.empty()) findings.add(path, fault);
    for (std::size_t k = 0; k < i; ++k) {
      if (periods[k].name == periods[i].name) findings.add(path + ".name", "is '" + periods[i].name + "' twice; give each period its own name");
      if (!fault.empty() || !index::fault_of(periods[k]).empty()) continue;
      if (periods[k].from.size() != periods[i].from.size()) findings.add(path, "periods of every year and of one time cannot be mixed; write all as MM-DD or all as YYYY-MM-DD");
      else if (index::overlap(periods[k], periods[i])) findings.add(path, periods[i].name + " shares days with " + periods[k].name + "; a date may lie in one period only");
    }
  }
  if (!periods.empty() && views.min_days_apart > 0) findings.add("views.min_days_apart", "periods choose one view each already; remove one of the two");
  if (!periods.empty() && views.min_views > static_cast<int>(periods.size()))
    findings.add("views.min_views", "is " + std::to_string(views.min_views) + ", but only " + std::to_string(periods.size()) + " periods can be filled; lower it");
}

void validate_pairs(const Job& job, Findings& findings) {
  const auto& pairs = job.views->pairs;
  const auto seen = job.view_sources();
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto path = "views.pairs." + std::to_string(i);
    findings.need_known(path + ".anchor", "source of views", pairs[i].anchor, seen);
    findings.need_known(path + ".partner", "source of views", pairs[i].partner, seen);
    if (pairs[i].anchor == pairs[i].partner) findings.add(path + ".partner", "is the anchor itself; name another source");
    if (pairs[i].anchor != pairs[0].anchor) findings.add(path + ".anchor", "is " + pairs[i].anchor + ", and " + pairs[0].anchor + " before; all pairs have one anchor");
    for (std::size_t k = 0; k < i; ++k)
      if (pairs[k].partner == pairs[i].partner) findings.add(path + ".partner", pairs[i].partner + " is there already; one pair a partner");
  }
  const auto is_in_pair = [&](const std::string& name) {
    return std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.anchor == name || pair.partner == name; });
  };
  for (const auto& name : seen)
    if (!pairs.empty() && !is_in_pair(name)) findings.add("views.pairs", name + " is seen and in no pair; add it as a partner, or leave it out of views.sources");
}

void validate_views(const Job& job, Findings& findings) {
  if (!job.views) return;
  const auto& views = *job.views;
  for (std::size_t i = 0; i < views.sources.size(); ++i)
    findings.need_known("views.sources." + std::to_string(i), "source", views.sources[i], names_of(job.sources));
  for (const auto& source : job.view_sources()) {
    if (std::none_of(job.sources.begin(), job.sources.end(), [&](const auto& entry) { return entry.first == source; })) continue;
    const double grid = job.grid.resolution_m, own = job.source(source).resolution_m.value_or(grid);
    const double cells = std::max(own, grid) / std::min(own, grid);
    if (std::abs(cells - std::round(cells)) > 1e-9 * cells)
      findings.add("sources." + source + ".resolution_m", "is " + std::to_string(own) + ", no whole multiple or part of grid.resolution_m " + std::to_string(grid) + "; choose one that is");
    else if (own > grid && views.patch_px % static_cast<int>(std::round(cells)) != 0)
      findings.add("views.patch_px", "is " + std::to_string(views.patch_px) + ", which pixels of " + std::to_string(own) + " m of source " + source +
                                         " do not divide; use a multiple of " + std::to_string(static_cast<int>(std::round(cells))));
    const bool is_free = views.placement == index::Placement::whole || views.placement == index::Placement::points;
    if (is_free && job.source(source).resolution_m && own != grid)
      findings.add("sources." + source + ".resolution_m", "is not used with placement: whole or points; remove it, or use best_phase or lattice");
  }
  if (views.max_views > 0 && views.max_views < views.min_views)
    findings.add("views.max_views", "is " + std::to_string(views.max_views) + ", less than min_views " + std::to_string(views.min_views) + "; raise it, or 0 for all");
  validate_periods(views, findings);
  validate_pairs(job, findings);
  if (views.placement == index::Placement::points && !views.points)
    findings.add("views", "placement: points needs points: {file: ...}");
  if (views.points && views.placement != index::Placement::points)
    findings.add("views.points", "is used only with placement: points; remove it or change placement");
  if (views.sample) validate_sample(job, *views.sample, findings);
  if (views.points) validate_path(job, "views.points.file", views.points->file, findings);
}

/// Sections that work on what another makes.
void validate_order(const Job& job, Findings& findings) {
  if (job.sources.empty()) findings.add("sources", "the job has no source; add at least one entry with files:");
  if (job.views) return;
  const std::pair<const char*, bool> sections[] = {{"layers", !job.layers.empty()}, {"targets", !job.targets.empty()}, {"split", job.split.has_value()},
                                                   {"curate", job.curate.has_value()}, {"datasets", !job.datasets.empty()}};
  for (const auto& [section, is_there] : sections)
    if (is_there) findings.add(section, "needs locations, but the job has no views: section; add one, such as views: {patch_px: 128}");
}

void validate_split(const Job& job, Findings& findings) {
  if (!job.split) return;
  const auto& f = job.split->fractions;
  const double sum = f.train + f.val + f.test;
  if (std::abs(sum - 1) > 1e-9) {
    const auto text = std::to_string(sum);
    findings.add("split.fractions", "train, val and test add up to " + text.substr(0, text.find('.') + 4) + ", expected 1");
  }
  if (job.split->guard_m >= job.split->block_m)
    findings.add("split.guard_m", "the guard is as wide as a block: nothing would be left; make block_m larger than guard_m");
  if (job.split->stratify && (job.split->unit != index::SplitUnit::block || job.split->table))
    findings.add("split.stratify", "balances classes over blocks; use it with unit: block and without a table");
  if (!job.split->table) return;
  validate_path(job, "split.table.file", job.split->table->file, findings);
  for (const auto& [name, part] : job.split->table->parts)
    findings.need_known("split.table.parts." + name, "part", part, {"train", "val", "test"});
}

void validate_limits(const Job& job, Findings& findings) {
  static const std::regex share("[0-9]+(\\.[0-9]+)?%?");
  try {
    if (!job.limits.memory.empty()) parse_bytes(job.limits.memory);
  } catch (const Error& error) {  // around one value: all errors come at once
    findings.add("limits.memory", error.what());
  }
  if (job.limits.max_bad && !std::regex_match(*job.limits.max_bad, share))
    findings.add("limits.max_bad", "is '" + *job.limits.max_bad + "', expected a share such as 5%, or a number of inputs");
  for (std::size_t i = 0; i < job.limits.vsi.size(); ++i)
    findings.need_known("limits.vsi." + std::to_string(i), "archive kind", job.limits.vsi[i], {"zip", "tar"});
}

}  // namespace

void Findings::need_known(const std::string& path, const std::string& what, const std::string& name, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  const auto near = nearest_name(name, known);
  add(path, "there is no " + what + " '" + name + "'; " + (near.empty() ? "known: " + listed(known) : "did you mean " + near + "?"));
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "none" : out;
}

void validate_path(const Job& job, const std::string& path, const std::string& value, Findings& findings) {
  if (value.empty()) return findings.add(path, "is empty, expected a path such as data:labels/roads.gpkg");
  if (value.front() == '/')
    return findings.add(path, "'" + value + "' is absolute; put its folder under roots: and write root:path, so that the job can move");
  const auto root = root_of(value);
  if (!root || *root == "job") return;
  auto known = names_of(job.roots);
  if (std::find(known.begin(), known.end(), *root) != known.end()) return;
  const auto near = nearest_name(*root, known);
  findings.add(path, "'" + value + "' names the root '" + *root + "', which is not under roots: (" + listed(known) + ")" +
                         (near.empty() ? "; add it, or give --root " + *root + "=DIR" : "; did you mean " + near + "?"));
}

void validate_pattern(const std::string& path, const std::string& pattern, Findings& findings) {
  try {
    if (std::regex(pattern).mark_count() == 0)
      findings.add(path, "the pattern '" + pattern + "' captures nothing; put parentheses around the part that counts");
  } catch (const std::regex_error& error) {  // around one value: all errors come at once
    findings.add(path, "'" + pattern + "' is not an ECMAScript regular expression (" + error.what() + "); check brackets and escapes");
  }
}

void validate(const Job& job, Findings& findings) {
  if (job.workspace_text.empty()) findings.add("workspace", "is missing; name the folder for what the job makes, such as workspace: work/town");
  validate_order(job, findings);
  validate_names(job, findings);
  validate_sources(job, findings);
  validate_grid(job, findings);
  validate_views(job, findings);
  validate_extract(job, findings);
  validate_labels(job, findings);
  validate_split(job, findings);
  validate_learning(job, findings);
  validate_limits(job, findings);
}

}  // namespace tilewright::pipeline
