// SPDX-License-Identifier: Apache-2.0
// A grid of a run becomes its members, in the tree of the job file, so that every value keeps its place.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "pipeline/config/experiment.h"
#include "pipeline/config/load.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kMostMembers = 1000;
constexpr std::array kRepetitions{"seed", "label_draw"};

/// One value of an axis: what the members with it have in place of the run's own keys.
struct AxisValue {
  std::string text;
  YamlNode overlay;  ///< a mapping shaped like a run
};
struct Axis {
  std::string name;
  bool is_arms = false;
  std::vector<AxisValue> values;
};

void erase_key(YamlNode& node, const std::string& key) {
  std::erase_if(node.entries, [&](const YamlEntry& entry) { return entry.key == key; });
}

/// A list value as one word for tables: "crop+flip".
std::string text_of(const YamlNode& node) {
  if (node.is_scalar()) return node.text;
  if (node.is_null()) return "null";
  std::string text;
  for (const auto& item : node.items) text += (text.empty() ? "" : "+") + text_of(item);
  for (const auto& entry : node.entries) text += (text.empty() ? "" : "+") + entry.key + "=" + text_of(entry.value);
  return text.empty() ? "none" : text;
}

/// {a: {b: value}} of the path a.b.
YamlNode nested(const std::string& path, const Place& key_place, const YamlNode& value) {
  const auto dot = path.find('.');
  YamlNode map;
  map.kind = YamlNode::Kind::map;
  map.place = key_place;
  map.entries.push_back({path.substr(0, dot), key_place, dot == std::string::npos ? value : nested(path.substr(dot + 1), key_place, value)});
  return map;
}

/// Mappings are joined key by key, all else is replaced.
void overlay(YamlNode& node, const YamlNode& by) {
  if (!node.is_map() || !by.is_map()) {
    node = by;
    return;
  }
  for (const auto& entry : by.entries) {
    if (auto* own = node.find(entry.key)) overlay(own->value, entry.value);
    else node.entries.push_back(entry);
  }
}

/// Reads the grid of one run; problems go to `problems`.
class GridReader {
 public:
  GridReader(const std::string& run, std::vector<Problem>& problems) : path_("runs." + run + ".grid"), problems_(problems) {}

  std::vector<Axis> read(const YamlEntry& grid) {
    const auto before = problems_.size();
    std::vector<Axis> axes;
    if (!grid.value.is_map() || grid.value.entries.empty()) {
      problems_.push_back({place_of(grid), path_, "is " + grid.value.found() + ", expected keys of the run with a list of values each, such as {seed: [1, 2, 3]}"});
      return {};
    }
    for (const auto& entry : grid.value.entries) axes.push_back(read_axis(entry));
    std::size_t members = 1;
    for (const auto& axis : axes) members = std::min(members * std::max<std::size_t>(axis.values.size(), 1), 100 * kMostMembers);
    if (members > kMostMembers)
      problems_.push_back({place_of(grid), path_, "makes " + std::to_string(members) + (members == 100 * kMostMembers ? " or more" : "") + " runs; at most " + std::to_string(kMostMembers) + " belong to one grid: shorten its lists"});
    return problems_.size() == before ? axes : std::vector<Axis>{};
  }

 private:
  static Place place_of(const YamlEntry& entry) { return entry.value.is_null() ? entry.key_place : entry.value.place; }
  void wrong(const YamlEntry& entry, const std::string& text) { problems_.push_back({place_of(entry), path_ + "." + entry.key, text}); }

  Axis read_axis(const YamlEntry& entry) {
    Axis axis{entry.key, entry.value.is_map(), {}};
    if (entry.key == "grid" || entry.key.empty()) wrong(entry, "is no key that can have several values");
    if (entry.value.is_list()) {
      for (const auto& item : entry.value.items) axis.values.push_back({text_of(item), nested(entry.key, entry.key_place, item)});
    } else if (entry.value.is_map()) {
      read_arms(entry, axis);
    } else {
      wrong(entry, "is " + entry.value.found() + ", expected a list of values, or a mapping of names to the keys that differ");
      return axis;
    }
    if (axis.values.empty()) wrong(entry, "is empty; name at least one value, or leave the key out");
    check_once(entry, axis);
    return axis;
  }

  void read_arms(const YamlEntry& entry, Axis& axis) {
    for (const auto& arm : entry.value.entries) {
      YamlNode changes = arm.value;
      if (changes.is_null()) changes.kind = YamlNode::Kind::map;
      if (!changes.is_map()) problems_.push_back({changes.place, path_ + "." + entry.key + "." + arm.key, "is " + changes.found() + ", expected the keys of the run that differ, such as {model: {name: unet}}"});
      else if (changes.find("grid")) problems_.push_back({changes.place, path_ + "." + entry.key + "." + arm.key, "has a grid of its own; put its keys into the one grid of the run"});
      else axis.values.push_back({arm.key, std::move(changes)});
    }
  }

  void check_once(const YamlEntry& entry, const Axis& axis) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < axis.values.size(); ++i)
      if (!seen.insert(axis.values[i].text).second)
        problems_.push_back({entry.value.is_list() ? entry.value.items[i].place : entry.value.place, path_ + "." + entry.key + "." + std::to_string(i), "the value " + axis.values[i].text + " is there twice; name each once"});
  }

  std::string path_;
  std::vector<Problem>& problems_;
};

/// Turns `encoder: {run: GRID}` of members into the member of that grid.
class StartResolver {
 public:
  StartResolver(const std::vector<Experiment>& earlier, std::vector<Problem>& problems) : earlier_(earlier), problems_(problems) {}

  void resolve(YamlNode& run, const std::string& name, const std::map<std::string, std::string>& values) {
    if (auto* init = run.find("init")) resolve_start(init->value, "runs." + name + ".init", values);
    auto* model = run.find("model");
    if (auto* encoder = model && model->value.is_map() ? model->value.find("encoder") : nullptr) resolve_start(encoder->value, "runs." + name + ".model.encoder", values);
  }

 private:
  void resolve_start(YamlNode& start, const std::string& path, const std::map<std::string, std::string>& values) {
    auto* run = start.is_map() ? start.find("run") : nullptr;
    if (!run || !run->value.is_scalar()) return;
    const auto grid = std::find_if(earlier_.begin(), earlier_.end(), [&](const auto& one) { return one.name == run->value.text; });
    if (grid == earlier_.end()) return;
    std::string missing;
    for (const auto& axis : grid->axes)
      if (!values.contains(axis)) missing += (missing.empty() ? "" : ", ") + axis;
    if (!missing.empty())
      return problems_.push_back({run->value.place, path + ".run", "the run '" + grid->name + "' has a grid over " + missing + ", which this run has not; name one of its members " + grid->members.front().run + " to " + grid->members.back().run + ", or give this run the same axes"});
    for (const auto& member : grid->members) {
      bool fits = true;
      for (std::size_t i = 0; i < grid->axes.size(); ++i) fits = fits && member.values[i] == values.at(grid->axes[i]);
      if (!fits) continue;
      run->value.text = member.run;
      return;
    }
    problems_.push_back({run->value.place, path + ".run", "the run '" + grid->name + "' has no member with the values of this one; give both grids the same values"});
  }

  const std::vector<Experiment>& earlier_;
  std::vector<Problem>& problems_;
};

Experiment experiment_of(const std::string& name, const std::vector<Axis>& axes) {
  Experiment out{name, {}, {}, {}};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    out.axes.push_back(axes[i].name);
    if (axes[i].is_arms) out.arms.push_back(i);
  }
  return out;
}

/// Calls each(values) for the product of the axes, the first slowest.
void each_combination(const std::vector<Axis>& axes, const auto& each) {
  std::vector<std::size_t> at(axes.size(), 0);
  for (bool is_more = true; is_more;) {
    std::vector<const AxisValue*> values;
    for (std::size_t i = 0; i < axes.size(); ++i) values.push_back(&axes[i].values[at[i]]);
    each(values);
    is_more = false;
    for (std::size_t i = axes.size(); i-- > 0 && !is_more;) {
      is_more = ++at[i] < axes[i].values.size();
      if (!is_more) at[i] = 0;
    }
  }
}

}  // namespace

bool is_repetition(const std::string& axis) { return std::find(kRepetitions.begin(), kRepetitions.end(), axis) != kRepetitions.end(); }

std::vector<Experiment> expand_grids(YamlNode& root, std::vector<Problem>& problems) {
  std::vector<Experiment> experiments;
  auto* runs = root.find("runs");
  if (!runs || !runs->value.is_map()) return experiments;
  std::set<std::string> names;
  for (const auto& entry : runs->value.entries) names.insert(entry.key);
  std::vector<YamlEntry> out;
  for (auto& entry : runs->value.entries) {
    auto* grid = entry.value.is_map() ? entry.value.find("grid") : nullptr;
    StartResolver starts(experiments, problems);
    if (!grid || grid->value.is_null()) {
      if (grid) erase_key(entry.value, "grid");
      if (entry.value.is_map()) starts.resolve(entry.value, entry.key, {});
      out.push_back(std::move(entry));
      continue;
    }
    const auto axes = GridReader(entry.key, problems).read(*grid);
    const auto given = *grid;
    erase_key(entry.value, "grid");
    if (axes.empty()) {  // the problem is told: the rest of the run is read as if it had no grid
      out.push_back(std::move(entry));
      continue;
    }
    auto experiment = experiment_of(entry.key, axes);
    each_combination(axes, [&](const std::vector<const AxisValue*>& values) {
      YamlEntry member{entry.key + "_" + std::to_string(experiment.members.size() + 1), entry.key_place, entry.value};
      std::map<std::string, std::string> by_axis;
      experiment.members.push_back({member.key, {}});
      for (std::size_t i = 0; i < axes.size(); ++i) {
        overlay(member.value, values[i]->overlay);
        by_axis[axes[i].name] = values[i]->text;
        experiment.members.back().values.push_back(values[i]->text);
      }
      if (names.contains(member.key))
        problems.push_back({given.key_place, "runs." + entry.key + ".grid", "makes a member " + member.key + ", but another run has this name; rename one of the two"});
      starts.resolve(member.value, member.key, by_axis);
      out.push_back(std::move(member));
    });
    experiments.push_back(std::move(experiment));
  }
  runs->value.entries = std::move(out);
  return experiments;
}

void join_member_problems(const std::vector<Experiment>& experiments, std::vector<Problem>& problems) {
  std::map<std::string, std::string> run_of;
  for (const auto& experiment : experiments)
    for (const auto& member : experiment.members) run_of[member.run] = experiment.name;
  std::set<std::tuple<std::string, int, int, std::string, std::string>> seen;
  std::vector<Problem> out;
  for (auto& problem : problems) {
    const auto end = std::min(problem.path.find('.', 5), problem.path.size());
    const auto found = problem.path.starts_with("runs.") ? run_of.find(problem.path.substr(5, end - 5)) : run_of.end();
    if (found != run_of.end()) problem.path = "runs." + found->second + problem.path.substr(end);
    if (found == run_of.end() || seen.emplace(problem.place.origin, problem.place.line, problem.place.column, problem.path, problem.text).second) out.push_back(std::move(problem));
  }
  problems = std::move(out);
}

}  // namespace tilewright::pipeline
