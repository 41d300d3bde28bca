// SPDX-License-Identifier: Apache-2.0
// Members of a label series: a mask and a json for each location.
#include "pipeline/stages/label_series.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "index/shard/shard_writer.h"
#include "pipeline/stages/series_files.h"

namespace tilewright::pipeline {
namespace {

std::string json_text(const LabelWindow& window, int epsg, const std::string& layer, const std::vector<ValidPeriod>& periods) {
  const auto& a = window.affine;
  nlohmann::ordered_json json;
  json["location_id"] = window.location_id;
  json["epsg"] = epsg != 0 ? nlohmann::ordered_json(epsg) : nlohmann::ordered_json();  // a CRS without a code
  json["affine"] = {a.a, a.b, a.c, a.d, a.e, a.f};
  json["size"] = {window.frame.window.height, window.frame.window.width};
  json["dates"] = nlohmann::ordered_json::array();
  for (const auto& period : periods)
    if (period.is_dated()) json["dates"].push_back(period.from ? nlohmann::ordered_json(*period.from) : nlohmann::ordered_json());
  json["tile_ids"] = nlohmann::ordered_json::array();
  json["bands"] = {layer};
  return json.dump() + "\n";
}

/// A mask that will be written.
struct PlannedMask {
  std::size_t window, period;
};

/// Which masks of each window there are: all, or of several periods those that say something.
class MaskPlan {
 public:
  MaskPlan(const SeriesName& series, const LabelGround& ground, const std::vector<std::size_t>& windows, const std::vector<ValidPeriod>& periods)
      : series_(series), ground_(ground), windows_(windows), periods_(periods) {}

  void make(const RunContext& context, const DrawMask& draw) {
    const std::size_t count = windows_.size() * periods_.size();
    std::vector<char> says_something(count, 1);
    if (periods_.size() > 1)
      tbb::parallel_for(std::size_t{0}, count, [&](std::size_t n) {
        context.check_stop();
        const auto mask = draw(windows_[n / periods_.size()], n % periods_.size());
        says_something[n] = mask.ignored < mask.pixels;
      });
    for (std::size_t n = 0; n < windows_.size(); ++n) add_window(n, says_something);
  }

  std::vector<shard::MemberSpec> members;          ///< masks of a window, then its json
  std::vector<std::optional<PlannedMask>> masks;   ///< of each member; nullopt for a json

 private:
  void add_window(std::size_t n, const std::vector<char>& says_something) {
    const std::size_t w = windows_[n];
    const LabelWindow& window = ground_.windows[w];
    const auto& size = window.frame.window;
    const std::string& key = window.location_id;
    std::vector<ValidPeriod> here;
    for (std::size_t p = 0; p < periods_.size(); ++p) {
      if (says_something[n * periods_.size() + p] == 0) continue;
      const std::string day = day_of(periods_[p]);
      members.push_back({.key = key, .name = key + "." + series_.name + (day.empty() ? "" : "-" + day) + ".npy", .dtype = series_.dtype,
                         .shape = {1, size.height, size.width}, .text = {}});
      masks.push_back(PlannedMask{w, p});
      here.push_back(periods_[p]);
    }
    if (here.empty()) return;
    members.push_back({.key = key, .name = key + ".json", .dtype = {}, .shape = {}, .text = json_text(window, ground_.zones[window.zone].epsg(), series_.name, here)});
    masks.push_back(std::nullopt);
  }

  const SeriesName& series_;
  const LabelGround& ground_;
  const std::vector<std::size_t>& windows_;
  const std::vector<ValidPeriod>& periods_;
};

void count_pixels(const DrawnArray& mask, index::MaskRow& row) {
  const auto all = static_cast<double>(mask.pixels), ignored = static_cast<double>(mask.ignored);
  row.ignore_frac = ignored / all;
  row.positive_frac = ignored < all ? static_cast<double>(mask.positive) / (all - ignored) : 0;
  row.object_count = mask.object_count;
}

/// Draws and publishes members [begin, end) of the plan; appends their rows.
class ShardOfMasks {
 public:
  ShardOfMasks(const RunContext& context, const LabelGround& ground, const std::vector<ValidPeriod>& periods, const MaskPlan& plan, WrittenSeries& series)
      : context_(context), ground_(ground), periods_(periods), plan_(plan), series_(series) {}

  void write(const std::filesystem::path& workspace, const std::string& path, std::size_t begin, std::size_t end, const DrawMask& draw) {
    shard::ShardWriter writer(workspace / path, {plan_.members.begin() + static_cast<std::ptrdiff_t>(begin), plan_.members.begin() + static_cast<std::ptrdiff_t>(end)});
    std::vector<index::MaskRow> rows(end - begin);
    const auto block = static_cast<std::size_t>(std::max(context_.threads, 1)) * 64;
    for (std::size_t from = begin; from < end; from += block) {
      tbb::parallel_for(from, std::min(from + block, end), [&](std::size_t m) {
        if (!plan_.masks[m]) return;
        context_.check_stop();
        const DrawnArray mask = draw(plan_.masks[m]->window, plan_.masks[m]->period);
        writer.put(m - begin, mask.bytes);
        count_pixels(mask, rows[m - begin]);
      });
      context_.on_progress({.stage = "label", .unit = series_.layer + " members", .done = static_cast<std::int64_t>(std::min(from + block, end)),
                            .total = static_cast<std::int64_t>(plan_.members.size())});
    }
    record(writer.publish(), path, begin, rows);
  }

 private:
  void record(const shard::WrittenShard& written, const std::string& path, std::size_t begin, std::vector<index::MaskRow>& rows) {
    for (std::size_t n = 0; n < rows.size(); ++n) {
      const auto& planned = plan_.masks[begin + n];
      if (!planned) continue;
      const auto& member = written.members[n];
      const auto& period = periods_[planned->period];
      rows[n].location_id = ground_.windows[planned->window].location_id;
      rows[n].layer = series_.layer;
      rows[n].valid_from = period.from;
      rows[n].valid_to = period.to;
      rows[n].place = index::MemberPlace{path, member.name, member.offset, member.length, member.sha256};
      series_.rows.push_back(std::move(rows[n]));
    }
    series_.shards.push_back(path);
  }

  const RunContext& context_;
  const LabelGround& ground_;
  const std::vector<ValidPeriod>& periods_;
  const MaskPlan& plan_;
  WrittenSeries& series_;
};

}  // namespace

std::vector<std::string> recorded_mask_shards(const index::Manifest& manifest, const std::string& layer) {
  std::set<std::string> shards;
  for (const auto& mask : index::masks(manifest, layer))
    if (mask.home) shards.insert(*mask.home);
  return {shards.begin(), shards.end()};
}

std::vector<MaskGroup> windows_to_draw(const StageInput& in, const std::string& layer, const LabelGround& ground) {
  std::map<std::string, std::string> home_of;  // of masks to draw again
  std::set<std::string> drawn;
  for (const auto& mask : index::masks(in.manifest, layer)) {
    if (mask.place) drawn.insert(mask.location_id);
    else if (mask.home) home_of.emplace(mask.location_id, *mask.home);
  }
  std::map<std::string, std::vector<std::size_t>> coming_back;
  std::vector<std::size_t> without;
  for (std::size_t w = 0; w < ground.windows.size(); ++w) {
    const auto& id = ground.windows[w].location_id;
    if (const auto home = home_of.find(id); home != home_of.end()) coming_back[home->second].push_back(w);
    else if (!drawn.contains(id)) without.push_back(w);
  }
  std::vector<MaskGroup> groups;
  for (auto& [path, windows] : coming_back) groups.push_back({path, std::move(windows)});
  if (!without.empty()) groups.push_back({std::nullopt, std::move(without)});
  return groups;
}

WrittenSeries write_masks(const StageInput& in, const RunContext& context, const SeriesName& name, const LabelGround& ground,
                          const std::vector<MaskGroup>& groups, const std::vector<ValidPeriod>& periods, const DrawMask& draw) {
  WrittenSeries series{.layer = name.name, .rows = {}, .shards = {}};
  int number = next_shard_number(in.manifest, name.name, recorded_mask_shards(in.manifest, name.name));
  for (const auto& group : groups) {
    MaskPlan plan(name, ground, group.windows, periods);
    plan.make(context, draw);
    ShardOfMasks shard(context, ground, periods, plan, series);
    if (group.home) {
      shard.write(in.workspace, *group.home, 0, plan.members.size(), draw);
      continue;
    }
    for (const auto& [begin, end] : shard::cut_into_shards(plan.members, std::int64_t{in.job.extract.shard_mb} << 20))
      shard.write(in.workspace, "shards/" + shard::shard_file_name(name.name, number++), begin, end, draw);
  }
  return series;
}

}  // namespace tilewright::pipeline
