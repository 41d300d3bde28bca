// SPDX-License-Identifier: Apache-2.0
// Rasterizes the true polygons at every location and compares labels, ranking and ledger.
#include "pipeline/report/noise_ledger.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "geometry/crs.h"
#include "geometry/error.h"
#include "geometry/rasterize.h"
#include "pipeline/io/vector_layer.h"
#include "pipeline/report/picture.h"
#include "pipeline/scores/label_scores.h"
#include "pipeline/scores/ranking.h"

namespace tilewright::pipeline {
namespace {

constexpr double kNoisyBelow = 0.8;
constexpr std::size_t kShown = 18;

std::filesystem::path truth_folder(const ReportInput& input) { return input.job.folder() / "truth"; }

/// The true objects in the CRS of each zone, with their boxes.
class TrueObjects {
 public:
  TrueObjects(const std::filesystem::path& file, const std::string& layer) : layer_(read_vector_layer(file, layer, {}, {})) {}

  std::vector<std::uint8_t> mask(const index::LocationRow& location) {
    const geometry::RasterFrame frame{{location.res_m, 0, location.ulx, 0, -location.res_m, location.uly}, {0, 0, location.size_px, location.size_px}};
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(location.size_px) * static_cast<std::size_t>(location.size_px), 0);
    const double edge = location.res_m * location.size_px;
    for (const auto& [box, polygons] : in_zone(location.epsg))
      if (box.min_x < location.ulx + edge && box.max_x > location.ulx && box.max_y > location.uly - edge && box.min_y < location.uly)
        geometry::fill_polygons({frame, pixels}, polygons, std::uint8_t{1});
    return pixels;
  }

 private:
  using Boxed = std::vector<std::pair<geometry::Box, geometry::MapMultiPolygon>>;

  const Boxed& in_zone(int epsg) {
    if (const auto known = zones_.find(epsg); known != zones_.end()) return known->second;
    const geometry::Transform transform(layer_.crs, geometry::Crs::from_epsg(epsg));
    Boxed out;
    for (const auto& feature : layer_.features) {
      auto polygons = feature.polygons;
      for (auto& polygon : polygons) {
        transform.in_place(polygon.outer.data(), polygon.outer.size());
        for (auto& hole : polygon.holes) transform.in_place(hole.data(), hole.size());
      }
      if (!polygons.empty() && std::isfinite(geometry::bounds(polygons).min_x)) out.emplace_back(geometry::bounds(polygons), std::move(polygons));
    }
    return zones_.emplace(epsg, std::move(out)).first->second;
  }

  VectorLayer layer_;
  std::map<int, Boxed> zones_;
};

/// "epsg,ulx,uly" of a cell, rounded to millimetres: how the ledger and a location meet.
std::string place_key(int epsg, double ulx, double uly) {
  return std::to_string(epsg) + "," + std::to_string(std::llround(ulx * 1000)) + "," + std::to_string(std::llround(uly * 1000));
}

std::map<std::string, std::string> damage_by_place(const std::filesystem::path& ledger) {
  std::ifstream in(ledger);
  std::string line;
  std::getline(in, line);
  if (line != "object,area,cell_x,cell_y,damage,dx_m,dy_m,grow_m,epsg,ulx,uly")
    throw Error::failed("report: " + ledger.string() + " begins with '" + line + "', which is no ledger of label noise; remove it or make the region again");
  std::map<std::string, std::string> out;
  while (std::getline(in, line)) {
    std::vector<std::string> fields;
    std::stringstream row(line);
    for (std::string field; std::getline(row, field, ',');) fields.push_back(field);
    if (fields.size() == 11) out[place_key(std::stoi(fields[8]), std::stod(fields[9]), std::stod(fields[10]))] = fields[4];
  }
  return out;
}

std::vector<Judged> ranked(const std::vector<JudgedLocation>& judged) {
  std::vector<Judged> out;
  for (const auto& one : judged) out.push_back({one.combined, one.true_iou});
  return out;
}

double mean_iou(const std::vector<JudgedLocation>& judged) {
  double sum = 0;
  for (const auto& one : judged) sum += one.true_iou;
  return judged.empty() ? 0 : sum / static_cast<double>(judged.size());
}

ReportJson section_of(const ReportInput& input, const std::string& layer) {
  const auto judged = judge_locations(input, layer);
  if (judged.empty()) return nullptr;
  const auto found = noise_found(judged);
  ReportJson damages = ReportJson::array(), gallery = ReportJson::array(), points = ReportJson::array();
  for (const auto& [damage, numbers] : found.by_damage)
    damages.push_back({{"damage", damage.empty() ? "(neighbour's)" : damage}, {"noisy", numbers.first}, {"found", numbers.second}});
  ChipMaker chips(input);
  for (std::size_t i = 0; i < judged.size(); ++i) {
    points.push_back({{"x", judged[i].combined}, {"y", judged[i].true_iou}});
    if (i >= kShown) continue;
    if (const auto image = chips.chip(judged[i].location_id, layer, judged[i].truth); !image.empty())
      gallery.push_back({{"image", image}, {"title", judged[i].location_id}, {"text", "combined " + fixed(judged[i].combined, 2) + ", true IoU " + fixed(judged[i].true_iou, 2) + (judged[i].damage.empty() ? "" : ", " + judged[i].damage)}});
  }
  const auto repaired = input.job.curate->repair ? judge_locations(input, layer + "_repaired") : std::vector<JudgedLocation>{};
  ReportJson repair;
  if (!repaired.empty()) repair = {{"before", fixed(mean_iou(judged), 3)}, {"after", fixed(mean_iou(repaired), 3)}, {"noisy", noise_found(repaired).noisy}};
  const double share = found.noisy > 0 ? static_cast<double>(found.found) / static_cast<double>(found.noisy) : 1;
  const ReportJson chart = {{"kind", "scatter"}, {"title", "rank of a label against its true IoU"}, {"x", "combined"}, {"y", "true IoU"}, {"labels", ReportJson::array()}, {"series", {{{"label", "locations"}, {"data", points}}}}};
  return {{"layer", layer}, {"locations", found.locations}, {"noisy", found.noisy}, {"found", found.found}, {"percent", fixed(100 * share, 1)}, {"share", share},
          {"auroc", fixed(found.auroc, 3)}, {"kendall_tau", fixed(found.kendall_tau, 3)}, {"repair", repair}, {"damages", damages}, {"charts", {chart}}, {"worst", gallery}};
}

}  // namespace

std::vector<JudgedLocation> judge_locations(const ReportInput& input, const std::string& layer) {
  const auto truth_of = repaired_from(input.job, layer).value_or(layer);
  const auto polygons = truth_folder(input) / (truth_of + ".gpkg"), ledger = truth_folder(input) / "ledger.csv";
  if (!std::filesystem::exists(polygons) || !std::filesystem::exists(ledger)) return {};
  std::map<std::string, double> combined;
  for (const auto& score : index::scores(input.manifest, layer, "combined")) combined[score.location_id] = score.value;
  std::map<std::string, index::MemberPlace> masks;
  for (const auto& mask : index::masks(input.manifest, layer))
    if (mask.place) masks[mask.location_id] = *mask.place;
  const auto damages = damage_by_place(ledger);
  TrueObjects objects(polygons, truth_of);
  MemberReader reader(input.workspace);
  std::vector<JudgedLocation> out;
  for (const auto& location : index::locations(input.manifest)) {
    const auto score = combined.find(location.location_id);
    const auto mask = masks.find(location.location_id);
    if (score == combined.end() || mask == masks.end()) continue;
    JudgedLocation judged{location.location_id, score->second, 1, "", objects.mask(location)};
    judged.true_iou = label_iou(reader.mask(mask->second), judged.truth).value_or(1);
    if (const auto damage = damages.find(place_key(location.epsg, location.ulx, location.uly)); damage != damages.end()) judged.damage = damage->second;
    out.push_back(std::move(judged));
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.combined < b.combined; });
  return out;
}

NoiseFound noise_found(const std::vector<JudgedLocation>& worst_first) {
  NoiseFound out;
  out.locations = static_cast<std::int64_t>(worst_first.size());
  out.noisy = std::count_if(worst_first.begin(), worst_first.end(), [](const auto& j) { return j.true_iou < kNoisyBelow; });
  for (std::size_t i = 0; i < worst_first.size(); ++i) {
    if (worst_first[i].true_iou >= kNoisyBelow) continue;
    auto& [noisy, found] = out.by_damage[worst_first[i].damage];
    const bool is_found = static_cast<std::int64_t>(i) < out.noisy;
    ++noisy;
    found += is_found;
    out.found += is_found;
  }
  out.auroc = auroc(ranked(worst_first), kNoisyBelow).value_or(0.5);
  out.kendall_tau = kendall_tau(ranked(worst_first)).value_or(0);
  return out;
}

ReportJson noise_section(const ReportInput& input) {
  if (!input.job.curate) return nullptr;
  ReportJson layers = ReportJson::array();
  for (const auto& layer : input.job.curate->layers)
    if (auto section = section_of(input, layer); !section.is_null()) layers.push_back(std::move(section));
  if (layers.empty()) return nullptr;
  return {{"layers", layers}};
}

}  // namespace tilewright::pipeline
