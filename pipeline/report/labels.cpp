// SPDX-License-Identifier: Apache-2.0
// Label objects by rule and reason, widths as histograms, and a contact sheet a layer.
#include <algorithm>
#include <cmath>
#include <map>

#include "pipeline/report/picture.h"
#include "pipeline/report/section.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kSheet = 24;
constexpr double kBinM = 1;
constexpr int kMostBins = 30;

struct RuleWidths {
  std::vector<double> metres;
  std::int64_t objects = 0;
};

/// One series a rule, in bins of a metre; the last bin holds all that is wider.
ReportJson width_chart(const std::map<std::string, RuleWidths>& rules) {
  double widest = 0;
  for (const auto& [rule, widths] : rules)
    for (const double m : widths.metres) widest = std::max(widest, m);
  if (widest == 0) return nullptr;
  const int bins = std::clamp(static_cast<int>(std::ceil(widest / kBinM)) + 1, 2, kMostBins);
  ReportJson labels = ReportJson::array(), series = ReportJson::array();
  for (int k = 0; k < bins; ++k) labels.push_back(fixed(k * kBinM, 0) + (k + 1 == bins ? " or more" : " to " + fixed((k + 1) * kBinM, 0)));
  for (const auto& [rule, widths] : rules) {
    if (widths.metres.empty()) continue;
    std::vector<std::int64_t> counts(static_cast<std::size_t>(bins), 0);
    for (const double m : widths.metres) ++counts[static_cast<std::size_t>(std::min(bins - 1, static_cast<int>(m / kBinM)))];
    series.push_back({{"label", rule}, {"data", counts}});
  }
  return {{"kind", "bar"}, {"title", "width by rule"}, {"x", "metres"}, {"labels", labels}, {"series", series}};
}

ReportJson rule_rows(std::map<std::string, RuleWidths>& rules) {
  ReportJson out = ReportJson::array();
  for (auto& [rule, widths] : rules) {
    auto& m = widths.metres;
    std::sort(m.begin(), m.end());
    out.push_back({{"rule", rule}, {"objects", widths.objects}, {"least", m.empty() ? "" : fixed(m.front(), 1)},
                   {"median", m.empty() ? "" : fixed(m[m.size() / 2], 1)}, {"most", m.empty() ? "" : fixed(m.back(), 1)}});
  }
  return out;
}

/// Locations with something labelled, evenly through the list.
ReportJson sheet_of(const std::vector<index::LocationRow>& locations, ChipMaker& chips, const std::string& layer) {
  std::vector<std::pair<std::string, std::int64_t>> labelled;
  for (const auto& location : locations)
    if (const auto mask = chips.masks(layer).find(location.location_id); mask != chips.masks(layer).end() && mask->second.positive_frac > 0)
      labelled.emplace_back(location.location_id, mask->second.object_count);
  ReportJson out = ReportJson::array();
  const auto count = std::min(kSheet, labelled.size());
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [id, objects] = labelled[i * labelled.size() / count];
    const auto image = chips.chip(id, layer);
    if (!image.empty()) out.push_back({{"image", image}, {"title", id}, {"text", grouped(objects) + (objects == 1 ? " object" : " objects")}});
  }
  return out;
}

ReportJson layer_of(const ReportInput& input, const std::vector<index::LocationRow>& locations, ChipMaker& chips, const std::string& layer) {
  const auto objects = index::label_objects(input.manifest, layer);
  std::map<std::string, RuleWidths> rules;
  std::map<std::string, std::int64_t> states, reasons;
  for (const auto& object : objects) {
    ++states[object.status];
    if (object.reason) ++reasons[*object.reason];
    if (object.status == "rejected") continue;
    RuleWidths& widths = rules[object.rule.value_or("no width")];
    ++widths.objects;
    if (object.width_m) widths.metres.push_back(*object.width_m);
  }
  ReportJson reason_rows = ReportJson::array(), charts = ReportJson::array();
  for (const auto& [reason, count] : reasons) reason_rows.push_back({{"reason", reason}, {"objects", count}});
  if (auto chart = width_chart(rules); !chart.is_null()) charts.push_back(std::move(chart));
  auto chip_rows = sheet_of(locations, chips, layer);
  if (objects.empty() && chip_rows.empty()) return nullptr;
  return {{"layer", layer}, {"objects", objects.size()}, {"drawn", states["drawn"]}, {"repaired", states["repaired"]}, {"rejected", states["rejected"]},
          {"rules", rule_rows(rules)}, {"has_widths", !charts.empty()}, {"reasons", reason_rows}, {"has_reasons", !reasons.empty()}, {"charts", charts}, {"chips", chip_rows}};
}

}  // namespace

ReportJson label_section(const ReportInput& input) {
  if (input.job.layers.empty()) return nullptr;
  ChipMaker chips(input);
  const auto locations = index::locations(input.manifest);
  ReportJson layers = ReportJson::array();
  for (const auto& [name, config] : input.job.layers)
    if (auto layer = layer_of(input, locations, chips, name); !layer.is_null()) layers.push_back(std::move(layer));
  if (layers.empty()) return nullptr;
  return {{"layers", layers}};
}

}  // namespace tilewright::pipeline
