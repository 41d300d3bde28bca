// SPDX-License-Identifier: Apache-2.0
// Members of a label series: a mask and a json for each location.
#include "pipeline/stages/label_series.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <span>

#include "index/shard/shard_writer.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

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
  MaskPlan(const std::string& layer, const LabelGround& ground, const std::vector<ValidPeriod>& periods)
      : layer_(layer), ground_(ground), periods_(periods) {}

  void make(const RunContext& context, const DrawMask& draw) {
    const std::size_t count = ground_.windows.size() * periods_.size();
    std::vector<char> says_something(count, 1);
    if (periods_.size() > 1)
      tbb::parallel_for(std::size_t{0}, count, [&](std::size_t n) {
        context.check_stop();
        const auto mask = draw(n / periods_.size(), n % periods_.size());
        says_something[n] = std::ranges::any_of(mask.pixels, [](std::uint8_t value) { return value != 255; });
      });
    for (std::size_t w = 0; w < ground_.windows.size(); ++w) add_window(w, says_something);
  }

  std::vector<shard::MemberSpec> members;          ///< masks of a window, then its json
  std::vector<std::optional<PlannedMask>> masks;   ///< of each member; nullopt for a json

 private:
  void add_window(std::size_t w, const std::vector<char>& says_something) {
    const LabelWindow& window = ground_.windows[w];
    const auto& size = window.frame.window;
    const std::string& key = window.location_id;
    std::vector<ValidPeriod> here;
    for (std::size_t p = 0; p < periods_.size(); ++p) {
      if (says_something[w * periods_.size() + p] == 0) continue;
      const std::string day = day_of(periods_[p]);
      members.push_back({.key = key, .name = key + "." + layer_ + (day.empty() ? "" : "-" + day) + ".npy", .dtype = shard::DType::u8,
                         .shape = {1, size.height, size.width}, .text = {}});
      masks.push_back(PlannedMask{w, p});
      here.push_back(periods_[p]);
    }
    if (here.empty()) return;
    members.push_back({.key = key, .name = key + ".json", .dtype = {}, .shape = {}, .text = json_text(window, ground_.zones[window.zone].epsg(), layer_, here)});
    masks.push_back(std::nullopt);
  }

  const std::string& layer_;
  const LabelGround& ground_;
  const std::vector<ValidPeriod>& periods_;
};

void count_pixels(const LocationMask& mask, index::MaskRow& row) {
  const auto all = static_cast<double>(mask.pixels.size());
  const auto ignored = static_cast<double>(std::count(mask.pixels.begin(), mask.pixels.end(), 255));
  const auto background = static_cast<double>(std::count(mask.pixels.begin(), mask.pixels.end(), 0));
  row.ignore_frac = ignored / all;
  row.positive_frac = ignored < all ? (all - ignored - background) / (all - ignored) : 0;
  row.object_count = mask.object_count;
}

}  // namespace

WrittenSeries write_masks(const StageInput& in, const RunContext& context, const std::string& layer, const LabelGround& ground,
                          const std::vector<ValidPeriod>& periods, const DrawMask& draw) {
  WrittenSeries series;
  MaskPlan plan(layer, ground, periods);
  plan.make(context, draw);
  std::vector<index::MaskRow> rows(plan.members.size());
  for (const auto& [begin, end] : shard::cut_into_shards(plan.members, std::int64_t{in.job.extract.shard_mb} << 20)) {
    const std::string path = "shards/" + shard::shard_file_name(layer, static_cast<int>(series.shards++));
    shard::ShardWriter writer(in.workspace / path, {plan.members.begin() + static_cast<std::ptrdiff_t>(begin), plan.members.begin() + static_cast<std::ptrdiff_t>(end)});
    const auto block = static_cast<std::size_t>(std::max(context.threads, 1)) * 64;
    for (std::size_t from = begin; from < end; from += block) {
      tbb::parallel_for(from, std::min(from + block, end), [&](std::size_t m) {
        if (!plan.masks[m]) return;
        context.check_stop();
        const LocationMask mask = draw(plan.masks[m]->window, plan.masks[m]->period);
        writer.put(m - begin, std::as_bytes(std::span(mask.pixels)));
        count_pixels(mask, rows[m]);
      });
      context.on_progress({.stage = "label", .unit = layer + " members", .done = static_cast<std::int64_t>(std::min(from + block, end)),
                           .total = static_cast<std::int64_t>(plan.members.size())});
    }
    const shard::WrittenShard written = writer.publish();
    for (std::size_t m = begin; m < end; ++m) {
      if (!plan.masks[m]) continue;
      const auto& member = written.members[m - begin];
      const auto& period = periods[plan.masks[m]->period];
      rows[m].location_id = ground.windows[plan.masks[m]->window].location_id;
      rows[m].layer = layer;
      rows[m].valid_from = period.from;
      rows[m].valid_to = period.to;
      rows[m].place = index::MemberPlace{path, member.name, member.offset, member.length, member.sha256};
      series.bytes += member.length;
      series.rows.push_back(std::move(rows[m]));
    }
  }
  return series;
}

void remove_series(const StageInput& in, const std::string& layer) {
  const std::regex ours(layer + R"(-\d{6,}\.(tar|idx))");
  std::vector<fs::path> stale;
  for (const auto& entry : fs::directory_iterator(in.workspace / "shards"))
    if (std::regex_match(entry.path().filename().string(), ours)) stale.push_back(entry.path());
  for (const auto& file : stale) fs::remove(file);
}

}  // namespace tilewright::pipeline
