// SPDX-License-Identifier: Apache-2.0
// Sample chips, score histograms, and the best and worst locations.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "pipeline/report/picture.h"
#include "pipeline/report/section.h"
#include "pipeline/stages/curate_silence.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kSamples = 18, kExtremes = 9;
constexpr int kBins = 20;

/// Up to kSamples of the locations, evenly through the list; those with labels first.
std::vector<index::LocationRow> spread(const std::vector<index::LocationRow>& locations, const std::map<std::string, index::MaskRow>& masks) {
  std::vector<index::LocationRow> labelled;
  for (const auto& location : locations)
    if (const auto mask = masks.find(location.location_id); mask != masks.end() && mask->second.positive_frac > 0) labelled.push_back(location);
  const auto& from = labelled.size() >= kSamples / 2 ? labelled : locations;
  std::vector<index::LocationRow> out;
  const auto count = std::min(kSamples, from.size());
  for (std::size_t i = 0; i < count; ++i) out.push_back(from[i * from.size() / count]);
  return out;
}

ReportJson histogram(const std::string& metric, const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double span = *high > *low ? *high - *low : 1;
  std::vector<std::int64_t> bins(kBins, 0);
  ReportJson labels = ReportJson::array();
  for (const double value : values) ++bins[static_cast<std::size_t>(std::min(kBins - 1, static_cast<int>((value - *low) / span * kBins)))];
  for (int i = 0; i < kBins; ++i) labels.push_back(fixed(*low + span * (i + 0.5) / kBins, 3));
  return {{"kind", "bar"}, {"title", metric}, {"x", "value"}, {"labels", labels}, {"series", {{{"label", "locations"}, {"data", bins}}}}};
}

/// Chips of `ids` with the scores of each below.
ReportJson gallery(ChipMaker& chips, const std::string& layer, const std::vector<std::string>& ids, const std::map<std::string, std::map<std::string, double>>& scores) {
  ReportJson out = ReportJson::array();
  for (const auto& id : ids) {
    const auto image = chips.chip(id, layer);
    if (image.empty()) continue;
    std::string text;
    for (const auto& [metric, values] : scores)
      if (const auto value = values.find(id); value != values.end()) text += (text.empty() ? "" : ", ") + metric + " " + fixed(value->second, 2);
    out.push_back({{"image", image}, {"title", id}, {"text", text}});
  }
  return out;
}

ReportJson score_layer(const ReportInput& input, ChipMaker& chips, const std::string& layer) {
  std::map<std::string, std::map<std::string, double>> scores;
  for (const auto& score : index::scores(input.manifest, layer))
    if (!score.tile_id && !score.object_id) scores[score.metric][score.location_id] = score.value;
  if (scores.empty()) return nullptr;
  ReportJson charts = ReportJson::array();
  for (const auto& [metric, values] : scores) {
    std::vector<double> list;
    for (const auto& [id, value] : values) list.push_back(value);
    charts.push_back(histogram(metric, list));
  }
  const auto& ranked = scores.contains("combined") ? scores.at("combined") : scores.begin()->second;
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [id, value] : ranked) order.emplace_back(value, id);
  std::sort(order.begin(), order.end());
  std::vector<std::string> worst, best;
  for (std::size_t i = 0; i < std::min(kExtremes, order.size()); ++i) {
    worst.push_back(order[i].second);
    best.push_back(order[order.size() - 1 - i].second);
  }
  return {{"layer", layer}, {"charts", charts}, {"worst", gallery(chips, layer, worst, scores)}, {"best", gallery(chips, layer, best, scores)}};
}

/// What the last run of curate warned of.
ReportJson curate_warnings(const index::Manifest& manifest) {
  ReportJson out = ReportJson::array();
  const auto run = index::stage_run(manifest, "curate");
  const auto counts = ReportJson::parse(run ? run->counts_json : "", nullptr, false);
  if (!counts.is_object() || !counts.contains("notes")) return out;
  for (const auto& note : counts.at("notes"))
    if (const auto text = note.get<std::string>(); text.starts_with(kWarning)) out.push_back({{"text", text.substr(std::string_view(kWarning).size())}});
  return out;
}

/// What each pair of subsets shares; at most kMostPairs.
ReportJson compared(const std::vector<std::pair<std::string, std::vector<std::string>>>& members) {
  constexpr std::size_t kMostPairs = 28;
  ReportJson out = ReportJson::array();
  for (std::size_t a = 0; a < members.size(); ++a)
    for (std::size_t b = a + 1; b < members.size() && out.size() < kMostPairs; ++b) {
      std::vector<std::string> both;
      std::set_intersection(members[a].second.begin(), members[a].second.end(), members[b].second.begin(), members[b].second.end(), std::back_inserter(both));
      out.push_back({{"a", members[a].first}, {"b", members[b].first}, {"both", both.size()}, {"only_a", members[a].second.size() - both.size()}, {"only_b", members[b].second.size() - both.size()}});
    }
  return out;
}

}  // namespace

ReportJson sample_section(const ReportInput& input) {
  ChipMaker chips(input);
  const auto layer = input.job.layers.empty() ? std::string() : input.job.layers.front().first;
  ReportJson out = ReportJson::array();
  for (const auto& location : spread(index::locations(input.manifest), chips.masks(layer))) {
    const auto image = chips.chip(location.location_id, layer);
    if (!image.empty()) out.push_back({{"image", image}, {"title", location.location_id}, {"text", location.split.value_or("") + " " + std::to_string(location.view_count) + (location.view_count == 1 ? " view" : " views")}});
  }
  if (out.empty()) return nullptr;
  return {{"chips", out}, {"layer", layer.empty() ? ReportJson(nullptr) : ReportJson(layer)}};
}

ReportJson score_section(const ReportInput& input) {
  if (!input.job.curate) return nullptr;
  ChipMaker chips(input);
  ReportJson layers = ReportJson::array(), subsets = ReportJson::array();
  for (const auto& layer : input.job.curate->layers)
    if (auto section = score_layer(input, chips, layer); !section.is_null()) layers.push_back(std::move(section));
  if (layers.empty()) return nullptr;
  std::vector<std::pair<std::string, std::vector<std::string>>> members;
  for (const auto& subset : index::subsets(input.manifest)) {
    members.emplace_back(subset.name, index::subset_members(input.manifest, subset.name));
    subsets.push_back({{"name", subset.name}, {"rule", subset.rule}, {"locations", members.back().second.size()}});
  }
  return {{"warnings", curate_warnings(input.manifest)}, {"layers", layers}, {"subsets", subsets}, {"has_pairs", members.size() > 1}, {"pairs", compared(members)}};
}

}  // namespace tilewright::pipeline
