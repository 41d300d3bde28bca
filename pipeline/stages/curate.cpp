// SPDX-License-Identifier: Apache-2.0
// The curate stage: scores of labels by location, their combination, and subsets.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "geometry/error.h"
#include "index/shard/npy.h"
#include "index/shard/shard_reader.h"
#include "pipeline/stages/curate_folds.h"
#include "pipeline/stages/curate_ranks.h"
#include "pipeline/stages/curate_scores.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {
namespace {

using Metrics = std::map<std::string, MetricValues>;

bool wants(const CurateConfig& config, const std::string& score) {
  return std::find(config.scores.begin(), config.scores.end(), score) != config.scores.end();
}

/// Masks of a layer and views of a source, location by location, read in place.
class LabelledViews {
 public:
  LabelledViews(const StageInput& in, const std::string& layer, const std::string& source) : workspace_(in.workspace) {
    for (auto& mask : index::masks(in.manifest, layer))
      if (mask.place) items_[mask.location_id].mask = *mask.place;
    for (auto& view : index::views(in.manifest))
      if (view.place && view.tile_id.substr(0, view.tile_id.rfind('-')) == source)
        if (const auto item = items_.find(view.location_id); item != items_.end()) item->second.views.push_back(*view.place);
  }

  struct Item {
    index::MemberPlace mask;
    std::vector<index::MemberPlace> views;  ///< in order (acquired, tile_id)
  };
  [[nodiscard]] const std::map<std::string, Item>& items() const { return items_; }

  /// The span stays valid as long as this object lives.
  LabelView label(const index::MemberPlace& place) {
    const auto array = open(place);
    const auto& shape = array.header.shape;
    if (array.header.dtype != shard::DType::u8 || shape.size() != 3)
      throw Error::failed("curate: the mask " + place.member + " in " + place.shard + " is not uint8 (1, H, W)");
    return {static_cast<int>(shape[2]), static_cast<int>(shape[1]), {reinterpret_cast<const std::uint8_t*>(array.data.data()), array.data.size()}};
  }

  /// Gradient of the first band of a view.
  std::vector<float> gradient(const index::MemberPlace& place) {
    const auto array = open(place);
    const auto& shape = array.header.shape;
    const auto pixels = static_cast<std::size_t>(shape.at(1) * shape.at(2));
    std::vector<float> band(pixels);
    shard::with_type(array.header.dtype, [&](auto example) {
      const auto* from = reinterpret_cast<const decltype(example)*>(array.data.data());
      std::transform(from, from + pixels, band.begin(), [](auto value) { return static_cast<float>(value); });
    });
    return gradient_magnitude(band, static_cast<int>(shape[2]), static_cast<int>(shape[1]));
  }

 private:
  shard::ArrayView open(const index::MemberPlace& place) {
    auto& file = files_[place.shard];
    if (!file) file = std::make_unique<shard::MappedFile>(workspace_ / place.shard);
    return shard::array_at(*file, place.byte_offset, place.byte_length);
  }

  std::filesystem::path workspace_;
  std::map<std::string, Item> items_;
  std::map<std::string, std::unique_ptr<shard::MappedFile>> files_;
};

MetricValues score_edges(LabelledViews& views, const RunContext& context) {
  std::vector<double> percentiles;
  for (const auto& [id, item] : views.items())
    for (const auto& place : item.views) {
      context.check_stop();
      percentiles.push_back(percentile_95(views.gradient(place)));
    }
  const double scale = edge_scale(std::move(percentiles));
  MetricValues out;
  std::int64_t done = 0;
  for (const auto& [id, item] : views.items()) {
    context.check_stop();
    double sum = 0;
    int count = 0;
    for (const auto& place : item.views)
      if (const auto value = edge_agreement(views.gradient(place), views.label(item.mask), scale)) {
        sum += *value;
        ++count;
      }
    if (count > 0) out[id] = sum / count;
    if (++done % 64 == 0) context.on_progress({"curate", "locations", done, static_cast<std::int64_t>(views.items().size())});
  }
  return out;
}

MetricValues score_clipping(LabelledViews& views, const RunContext& context) {
  MetricValues out;
  for (const auto& [id, item] : views.items()) {
    context.check_stop();
    if (const auto value = clipped_frac(views.label(item.mask))) out[id] = *value;
  }
  return out;
}

std::string source_of(const Job& job, const CurateConfig& config) { return config.source.value_or(job.view_sources().front()); }

Metrics score_layer(const StageInput& in, const CurateConfig& config, const std::string& layer, const RunContext& context, StageReport& report) {
  const auto source = source_of(in.job, config);
  LabelledViews views(in, layer, source);
  if (views.items().empty()) throw Error::config("curate: the layer " + layer + " has no masks in the workspace; run: tilewright label JOB");
  Metrics metrics;
  if (wants(config, "edge_agreement")) metrics["edge_agreement"] = score_edges(views, context);
  if (wants(config, "clipped_frac")) metrics["clipped_frac"] = score_clipping(views, context);
  if (wants(config, "model_iou")) {
    auto folds = score_by_folds(in, config, layer, source, context);
    metrics["model_iou"] = std::move(folds.iou);
    if (folds.empty_locations > 0) report.counts.emplace_back(layer + ".nothing_labelled_nor_predicted", folds.empty_locations);
  }
  for (const auto& [metric, values] : metrics) report.counts.emplace_back(layer + "." + metric, static_cast<std::int64_t>(values.size()));
  auto combined = combined_ranks(metrics, weights_of(config));
  if (!combined.empty()) metrics["combined"] = std::move(combined);
  return metrics;
}

void write_scores(index::Manifest& manifest, const std::string& layer, const Metrics& metrics) {
  for (const auto& [metric, values] : metrics)
    for (const auto& [id, value] : values) {
      index::ScoreRow row;
      row.location_id = id;
      row.layer = layer;
      row.metric = metric;
      row.value = value;
      index::insert(manifest, row);
    }
}

}  // namespace

StageReport run_curate(const StageInput& in, const RunContext& context) {
  if (!in.job.curate) throw Error::config("curate: the job has no curate: section; add one with layers and scores");
  const auto& config = *in.job.curate;
  if (config.layers.empty()) throw Error::config("curate: layers is empty; name at least one layer whose labels are scored");
  StageReport report;
  std::map<std::string, Metrics> by_layer;
  for (const auto& layer : config.layers) by_layer[layer] = score_layer(in, config, layer, context, report);
  in.manifest.in_transaction([&] {
    index::clear_stage(in.manifest, "curate");
    for (const auto& [layer, metrics] : by_layer) write_scores(in.manifest, layer, metrics);
    write_subsets(in.manifest, config, report);
  });
  return report;
}

}  // namespace tilewright::pipeline
