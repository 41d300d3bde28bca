// SPDX-License-Identifier: Apache-2.0
// Gathers what files, tables and masks say about each location, and refuses contradictions.
#include "pipeline/stages/label_targets.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <regex>
#include <set>

#include "geometry/error.h"
#include "index/reason.h"
#include "pipeline/stages/mask_pixels.h"
#include "pipeline/stages/split_table.h"
#include "pipeline/stages/target_table.h"
#include "pipeline/stages/target_value.h"
#include "pipeline/stages/views_points.h"

namespace tilewright::pipeline {
namespace {

using index::ItemError;
using index::Reason;

/// Places with the files of their tiles.
class Places {
 public:
  Places(const index::Manifest& manifest, const std::vector<TargetPlace>& all) : places(all) {
    for (const auto& file : index::tile_files(manifest)) files_[file.tile_id].push_back(file.path);
  }
  [[nodiscard]] const std::vector<std::string>& files(const std::string& tile_id) const { return files_.at(tile_id); }

  const std::vector<TargetPlace>& places;  ///< by location_id

 private:
  std::map<std::string, std::vector<std::string>> files_;
};

std::vector<TargetPlace> places_of(const index::Manifest& manifest) {
  std::vector<TargetPlace> places;
  for (const auto& row : index::locations(manifest)) places.push_back({row.location_id, {}});
  for (const auto& view : index::views(manifest)) {
    const auto found = std::ranges::lower_bound(places, view.location_id, {}, &TargetPlace::location_id);
    if (found != places.end() && found->location_id == view.location_id) found->tile_ids.push_back(view.tile_id);
  }
  return places;
}

/// The values of one target, gathered location by location.
class Gatherer {
 public:
  Gatherer(const std::string& name, std::string kind, std::string source, const TargetConfig& config, TargetRows& out)
      : name_(name), kind_(std::move(kind)), source_(std::move(source)), config_(config), out_(out) {}

  void reject(const std::string& subject, Reason reason, const std::string& detail) {
    out_.rejections.push_back({"label", name_ + "/" + subject, std::string(index::code(reason)), detail});
    ++reasons_[std::string(index::code(reason))];
    rejected_here_ = true;
  }
  /// Runs `read`, which may throw an ItemError: then `subject` is rejected.
  template <class Read>
  void add(const std::string& subject, const ValidPeriod& period, const Read& read) {
    try {
      auto value = read();  // before its place: what throws leaves none
      values_[period].insert(std::move(value));
    } catch (const ItemError& error) {
      reject(subject, error.reason(), error.what());
    }
  }
  /// Writes what was added for the location; `why_none` if nothing was.
  void finish(const std::string& location_id, const std::string& why_none) {
    ++locations_;
    if (values_.empty() && !rejected_here_) reject(location_id, Reason::no_partner, why_none);
    const auto several = std::ranges::find_if(values_, [](const auto& entry) { return entry.second.size() > 1; });
    if (several != values_.end()) {
      std::string found;
      for (const auto& value : several->second) found += (found.empty() ? "" : " and ") + value;
      reject(location_id, Reason::contradiction, "says " + found + (several->first.is_dated() ? " for one period" : ""));
    } else {
      for (const auto& [period, value] : values_)
        out_.rows.push_back({location_id, name_, kind_, *value.begin(), config_.unit, source_, period.from, period.to});
      with_value_ += values_.empty() ? 0 : 1;
    }
    values_.clear();
    rejected_here_ = false;
  }
  void count() {
    if (locations_ > 0 && with_value_ == 0) {
      std::string why;
      for (const auto& [reason, number] : reasons_) why += (why.empty() ? "" : ", ") + std::to_string(number) + " " + reason;
      const auto first = std::ranges::find_if(out_.rejections, [&](const auto& row) { return row.subject.starts_with(name_ + "/"); });
      throw Error::failed("target " + name_ + ": none of " + std::to_string(locations_) + " locations has a value (" + why +
                          "); the first: " + first->subject + ": " + first->detail + "; correct targets." + name_);
    }
    out_.counts.emplace_back(name_ + ".with_value", with_value_);
    for (const auto& [reason, number] : reasons_) out_.counts.emplace_back(name_ + "." + reason, number);
  }

 private:
  std::string name_, kind_, source_;
  const TargetConfig& config_;
  TargetRows& out_;
  std::map<ValidPeriod, std::set<std::string>> values_;
  std::map<std::string, std::int64_t> reasons_;
  std::int64_t locations_ = 0, with_value_ = 0;
  bool rejected_here_ = false;
};

std::string relative(const std::string& path) { return path.substr(path.find(':') + 1); }

void from_names(const std::string& name, const TargetConfig& config, const Places& places, TargetRows& out) {
  const std::regex pattern(*config.name);
  const TargetReader reader(config);
  Gatherer gatherer(name, config.kind, "name", config, out);
  for (const auto& place : places.places) {
    for (const auto& tile : place.tile_ids) {
      const std::string& path = places.files(tile).front();
      gatherer.add(place.location_id, {}, [&] {
        const std::string text = relative(path);
        std::smatch found;
        if (!std::regex_search(text, found, pattern)) throw ItemError(Reason::no_class, path + " does not match '" + *config.name + "'");
        return reader.read({found[1].str()});
      });
    }
    gatherer.finish(place.location_id, "it has no view");
  }
  gatherer.count();
}

/// Rows of the table that name the location or a file that it shows.
std::set<std::size_t> rows_of(const TargetPlace& place, const Places& places, const TargetTable& table) {
  std::set<std::size_t> rows;
  const auto take = [&](const std::string& key) {
    const auto [begin, end] = table.by_key.equal_range(key);
    for (auto at = begin; at != end; ++at) rows.insert(at->second);
    return begin != end;
  };
  take(place.location_id);
  for (const auto& tile : place.tile_ids)
    for (const auto& file : places.files(tile))
      for (const auto& key : names_of_file(file))
        if (take(key)) break;
  return rows;
}

void from_table(const StageInput& in, const std::string& name, const TargetConfig& config, const Places& places, TargetRows& out) {
  const auto table = read_target_table(in.job, name, config);
  const TargetReader reader(config);
  Gatherer gatherer(name, config.kind, *config.table, config, out);
  std::vector<bool> used(table.rows.size(), false);
  for (const auto& place : places.places) {
    for (const auto row : rows_of(place, places, table)) {
      used[row] = true;
      const auto& [key, cells, period, dates] = table.rows[row];
      gatherer.add(place.location_id, period.value_or(ValidPeriod{}), [&] {
        if (!period) throw ItemError(Reason::bad_date, "'" + dates + "' of " + key + " is no period; expected days such as 2018-05-07, or years");
        return reader.read(cells);
      });
    }
    gatherer.finish(place.location_id, "no row of " + *config.table + " names it or a file that it shows");
  }
  for (std::size_t row = 0; row < used.size(); ++row)
    if (!used[row]) gatherer.reject(table.rows[row].key, Reason::no_partner, "row " + std::to_string(row + 2) + " of " + *config.table + " names no location and no file that one shows");
  gatherer.count();
}

void from_field(const StageInput& in, const std::string& name, const TargetConfig& config, const Places& places, TargetRows& out) {
  std::vector<std::string> ids;
  for (const auto& place : places.places) ids.push_back(place.location_id);
  const auto values = point_attributes(in, ids, *config.field);
  const TargetReader reader(config);
  Gatherer gatherer(name, config.kind, "field", config, out);
  for (const auto& place : places.places) {
    if (const auto value = values.find(place.location_id); value != values.end())
      gatherer.add(place.location_id, {}, [&] { return reader.read({value->second}); });
    gatherer.finish(place.location_id, "its point has no " + *config.field);
  }
  gatherer.count();
}

/// From what does not need masks.
void from_files(const StageInput& in, const std::string& name, const TargetConfig& config, const Places& places, TargetRows& out) {
  if (config.name) from_names(name, config, places, out);
  else if (config.field) from_field(in, name, config, places, out);
  else if (config.table) from_table(in, name, config, places, out);
}

void from_layer(const StageInput& in, const RunContext& context, const std::string& name, const TargetConfig& config, const Places& places,
                const std::vector<index::MaskRow>& masks, TargetRows& out) {
  std::map<std::string, std::vector<const index::MaskRow*>> by_location;
  for (const auto& mask : masks)
    if (mask.layer == *config.layer) by_location[mask.location_id].push_back(&mask);
  Gatherer gatherer(name, *config.rule == "majority" ? "class" : "classes", *config.layer, config, out);
  MaskPixels pixels(in.workspace);
  for (const auto& place : places.places) {
    context.check_stop();
    for (const auto* mask : by_location[place.location_id])
      gatherer.add(place.location_id, {mask->valid_from, mask->valid_to}, [&] { return target_of_mask(pixels.count(*mask), *config.rule); });
    gatherer.finish(place.location_id, "layer " + *config.layer + " has no mask of it");
  }
  gatherer.count();
}

}  // namespace

TargetRows make_targets(const StageInput& in, const RunContext& context, const std::vector<index::MaskRow>& masks) {
  TargetRows out;
  if (in.job.targets.empty()) return out;
  const auto all = places_of(in.manifest);
  const Places places(in.manifest, all);
  for (const auto& [name, config] : in.job.targets) {
    context.check_stop();
    if (config.layer) from_layer(in, context, name, config, places, masks, out);
    else from_files(in, name, config, places, out);
  }
  return out;
}

TargetRows make_target(const StageInput& in, const std::string& name, const std::vector<TargetPlace>& places) {
  TargetRows out;
  const auto& config = std::ranges::find(in.job.targets, name, &std::pair<std::string, TargetConfig>::first)->second;
  from_files(in, name, config, Places(in.manifest, places), out);
  return out;
}

}  // namespace tilewright::pipeline
