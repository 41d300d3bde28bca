// SPDX-License-Identifier: Apache-2.0
// Writes the models' decisions as a series, location by location.
#include "pipeline/stages/curate_predicted.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "index/shard/shard_writer.h"
#include "pipeline/stages/label_series.h"
#include "pipeline/stages/series_files.h"

namespace tilewright::pipeline {
namespace {

struct Size {
  std::int64_t height = 0, width = 0;
};

std::vector<shard::MemberSpec> members_of(const std::string& series,
                                          const std::vector<std::string>& ids,
                                          const std::vector<Size>& sizes) {
  std::vector<shard::MemberSpec> members;
  for (std::size_t n = 0; n < ids.size(); ++n) {
    members.push_back({ids[n],
                       ids[n] + "." + series + ".npy",
                       shard::DType::u8,
                       {1, sizes[n].height, sizes[n].width},
                       ""});
    const nlohmann::ordered_json json = {
        {"location_id", ids[n]}, {"size", {sizes[n].height, sizes[n].width}}, {"bands", {series}}};
    members.push_back({ids[n], ids[n] + ".json", std::nullopt, {}, json.dump() + "\n"});
  }
  return members;
}

/// What the manifest counts of a mask without ignored pixels.
index::MaskRow row_of(const std::string& series, const std::string& location_id,
                      const LabelView& mask) {
  index::MaskRow row;
  row.location_id = location_id;
  row.layer = series;
  const auto background = std::count(mask.pixels.begin(), mask.pixels.end(), std::uint8_t{0});
  row.positive_frac = 1 - static_cast<double>(background) / static_cast<double>(mask.pixels.size());
  row.object_count = static_cast<std::int64_t>(geometry::mask_parts(mask).parts.size());
  return row;
}

}  // namespace

std::string predicted_layer(const std::string& layer) { return layer + "_predicted"; }

bool is_predicted_layer(const Job& job, const std::string& layer) {
  return job.curate &&
         std::any_of(job.curate->layers.begin(), job.curate->layers.end(),
                     [&](const auto& curated) { return predicted_layer(curated) == layer; });
}

PredictedLayer write_predicted(const StageInput& in, const std::string& layer,
                               const LabelledViews& views, const FoldAnswers& answers,
                               const RunContext& context) {
  PredictedLayer out{.layer = predicted_layer(layer), .masks = {}, .shards = {}};
  std::vector<Size> all(views.items().size());
  each_answered(views, answers, context,
                [&](std::size_t n, const LabelView& label, const Probabilities&) {
                  all[n] = {label.height, label.width};
                });
  std::vector<std::string> ids;
  std::vector<Size> sizes;
  std::vector<std::size_t> place_of(all.size());
  for (std::size_t n = 0; n < all.size(); ++n) {
    place_of[n] = ids.size();
    if (all[n].height == 0) continue;
    ids.push_back(views.items()[n].location_id);
    sizes.push_back(all[n]);
  }
  out.masks.resize(ids.size());
  const auto recorded = recorded_mask_shards(in.manifest, out.layer);
  remove_unrecorded(in, out.layer, recorded);
  int number = next_shard_number(in.manifest, out.layer, recorded);
  const auto members = members_of(out.layer, ids, sizes);
  std::vector<std::unique_ptr<shard::ShardWriter>> writers;
  std::vector<std::pair<std::size_t, std::size_t>> ranges =
      shard::cut_into_shards(members, std::int64_t{in.job.extract.shard_mb} << 20);
  for (const auto& [begin, end] : ranges) {
    out.shards.push_back("shards/" + shard::shard_file_name(out.layer, number++));
    writers.push_back(std::make_unique<shard::ShardWriter>(
        in.workspace / out.shards.back(),
        std::vector(members.begin() + static_cast<std::ptrdiff_t>(begin),
                    members.begin() + static_cast<std::ptrdiff_t>(end))));
  }
  each_answered(views, answers, context,
                [&](std::size_t n, const LabelView& label, const Probabilities& model) {
                  const auto classes = decided(model);
                  const auto at = place_of[n], member = 2 * at;
                  const auto range = std::upper_bound(ranges.begin(), ranges.end(), member,
                                                      [](std::size_t value, const auto& r) {
                                                        return value < r.second;
                                                      }) -
                                     ranges.begin();
                  writers[static_cast<std::size_t>(range)]->put(
                      member - ranges[static_cast<std::size_t>(range)].first,
                      std::as_bytes(std::span(classes)));
                  out.masks[at] = row_of(out.layer, ids[at], {label.width, label.height, classes});
                });
  for (std::size_t s = 0; s < writers.size(); ++s) {
    const auto written = writers[s]->publish();
    for (std::size_t m = ranges[s].first; m < ranges[s].second; m += 2) {
      const auto& member = written.members[m - ranges[s].first];
      out.masks[m / 2].place = index::MemberPlace{out.shards[s], member.name, member.offset,
                                                  member.length, member.sha256};
    }
  }
  return out;
}

void record_predicted(index::Manifest& manifest, const PredictedLayer& predicted) {
  index::remove_masks(manifest, predicted.layer);
  for (const auto& row : predicted.masks) index::insert(manifest, row);
  for (const auto& path : predicted.shards) take_shard_number(manifest, predicted.layer, path);
}

}  // namespace tilewright::pipeline
