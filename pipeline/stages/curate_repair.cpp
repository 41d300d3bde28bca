// SPDX-License-Identifier: Apache-2.0
// Repairs labels location by location and writes them as a series.
#include "pipeline/stages/curate_repair.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "index/shard/shard_writer.h"
#include "pipeline/stages/label_series.h"
#include "pipeline/stages/series_files.h"

namespace tilewright::pipeline {
namespace {

/// gradient / scale, at most 1, mean over the item's views; empty without any.
std::vector<float> strength_of(const LabelledViews& views, const LabelledViews::Item& item, const LabelView& label, double scale) {
  if (item.views.empty() || scale <= 0) return {};
  std::vector<float> out(label.pixels.size(), 0);
  for (const auto& place : item.views) {
    const auto gradient = gradient_magnitude(views.band(place, label), label.width, label.height);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += std::min(1.0F, gradient[i] / static_cast<float>(scale)) / static_cast<float>(item.views.size());
  }
  return out;
}

index::MaskRow row_of(const index::MaskRow& original, const std::string& layer, const RepairedLabel& label) {
  index::MaskRow row = original;
  row.layer = layer;
  const auto all = static_cast<double>(label.pixels.size());
  const auto ignored = static_cast<double>(std::count(label.pixels.begin(), label.pixels.end(), std::uint8_t{255}));
  const auto background = static_cast<double>(std::count(label.pixels.begin(), label.pixels.end(), std::uint8_t{0}));
  row.ignore_frac = ignored / all;
  row.positive_frac = ignored < all ? (all - ignored - background) / (all - ignored) : 0;
  for (const auto& proposal : label.proposals) row.object_count += proposal.kind == RepairKind::add ? 1 : proposal.kind == RepairKind::remove ? -1 : 0;
  row.object_count = std::max<std::int64_t>(0, row.object_count);
  return row;
}

index::LabelObjectRow object_of(const std::string& layer, const std::string& location_id, std::size_t number, const RepairProposal& proposal, double res_m) {
  char detail[160];
  if (proposal.kind == RepairKind::shift)
    std::snprintf(detail, sizeof detail, "pixel %d,%d: moved %d east, %d south; gain %.2f", proposal.col, proposal.row, proposal.shift.dx, proposal.shift.dy, proposal.evidence);
  else if (proposal.kind == RepairKind::snap)
    std::snprintf(detail, sizeof detail, "pixel %d,%d: outline moved %d pixels %s; gain %.2f", proposal.col, proposal.row, std::abs(proposal.grown_px), proposal.grown_px > 0 ? "out" : "in", proposal.evidence);
  else
    std::snprintf(detail, sizeof detail, "pixel %d,%d: %lld pixels, probability %.2f", proposal.col, proposal.row, static_cast<long long>(proposal.area_px), proposal.evidence);
  index::LabelObjectRow row;
  row.layer = layer;
  row.object_id = location_id + "/" + std::string(name(proposal.kind)) + "-" + std::to_string(number);
  if (proposal.value != 0) row.object_class = proposal.value;
  row.rule = std::string(name(proposal.kind));
  if (proposal.kind == RepairKind::shift) row.offset_m = proposal.shift.length() * res_m;
  if (proposal.kind == RepairKind::snap) row.offset_m = proposal.grown_px * res_m;
  row.status = proposal.kind == RepairKind::remove ? "rejected" : "repaired";
  row.reason = detail;
  return row;
}

std::vector<shard::MemberSpec> members_of(const std::string& layer, const std::vector<RepairedItem>& items) {
  std::vector<shard::MemberSpec> members;
  for (const auto& item : items) {
    members.push_back({item.location_id, item.location_id + "." + layer + ".npy", shard::DType::u8, {1, item.height, item.width}, ""});
    const nlohmann::ordered_json json = {{"location_id", item.location_id}, {"size", {item.height, item.width}}, {"bands", {layer}}, {"proposals", item.label.proposals.size()}};
    members.push_back({item.location_id, item.location_id + ".json", std::nullopt, {}, json.dump() + "\n"});
  }
  return members;
}

}  // namespace

std::vector<RepairedItem> repair_items(const LabelledViews& views, const FoldAnswers& answers, const RepairConfig& config, const LayerFacts& facts, const RunContext& context) {
  std::vector<std::optional<RepairedItem>> found(views.items().size());
  each_answered(views, answers, context, [&](std::size_t n, const LabelView& label, const Probabilities& model) {
    const auto& item = views.items()[n];
    found[n] = RepairedItem{item.location_id, label.width, label.height, repair_label(label, model, strength_of(views, item, label, facts.edge_scale), config, facts.reach_px)};
  });
  std::vector<RepairedItem> out;
  for (auto& item : found)
    if (item) out.push_back(std::move(*item));
  return out;
}

RepairedLayer write_repaired(const StageInput& in, const std::string& layer, const std::vector<RepairedItem>& items) {
  RepairedLayer out{.layer = layer + "_repaired", .masks = {}, .objects = {}, .shards = {}};
  std::map<std::string, index::MaskRow> originals;
  for (auto& mask : index::masks(in.manifest, layer)) originals.emplace(mask.location_id, mask);
  std::map<std::string, double> resolution;
  for (const auto& location : index::locations(in.manifest)) resolution[location.location_id] = location.res_m;
  const auto recorded = recorded_mask_shards(in.manifest, out.layer);
  remove_unrecorded(in, out.layer, recorded);
  int number = next_shard_number(in.manifest, out.layer, recorded);
  const auto members = members_of(out.layer, items);
  for (const auto& [begin, end] : shard::cut_into_shards(members, std::int64_t{in.job.extract.shard_mb} << 20)) {
    const auto path = "shards/" + shard::shard_file_name(out.layer, number++);
    shard::ShardWriter writer(in.workspace / path, {members.begin() + static_cast<std::ptrdiff_t>(begin), members.begin() + static_cast<std::ptrdiff_t>(end)});
    for (std::size_t m = begin; m < end; m += 2) writer.put(m - begin, std::as_bytes(std::span(items[m / 2].label.pixels)));
    const auto written = writer.publish();
    out.shards.push_back(path);
    for (std::size_t m = begin; m < end; m += 2) {
      const auto& item = items[m / 2];
      const auto& member = written.members[m - begin];
      auto row = row_of(originals.at(item.location_id), out.layer, item.label);
      row.place = index::MemberPlace{path, member.name, member.offset, member.length, member.sha256};
      row.home.reset();
      out.masks.push_back(std::move(row));
      for (std::size_t n = 0; n < item.label.proposals.size(); ++n)
        out.objects.push_back(object_of(out.layer, item.location_id, n, item.label.proposals[n], resolution[item.location_id]));
    }
  }
  return out;
}

void record_repaired(index::Manifest& manifest, const RepairedLayer& repaired) {
  index::remove_masks(manifest, repaired.layer);
  index::remove_label_objects(manifest, repaired.layer);
  for (const auto& row : repaired.masks) index::insert(manifest, row);
  for (const auto& row : repaired.objects) index::insert(manifest, row);
  for (const auto& path : repaired.shards) take_shard_number(manifest, repaired.layer, path);
}

}  // namespace tilewright::pipeline
