// SPDX-License-Identifier: Apache-2.0
// Joins of each part with train by scene, location, content and place.
#include "index/split_audit.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "index/location_pairs.h"

namespace tilewright::index {
namespace {

bool is_judged(const std::string& part) { return part != "train" && part != "guard"; }

/// Names that occur in train.
struct TrainNames {
  std::set<std::string> scenes, locations, contents, objects;

  explicit TrainNames(std::span<const AuditedSample> samples) {
    for (const auto& sample : samples) {
      if (sample.part != "train") continue;
      scenes.insert(sample.where.tile_ids.begin(), sample.where.tile_ids.end());
      contents.insert(sample.contents.begin(), sample.contents.end());
      objects.insert(sample.objects.begin(), sample.objects.end());
      if (!sample.location.empty()) locations.insert(sample.location);
    }
  }
};

bool shares(const std::vector<std::string>& names, const std::set<std::string>& others) {
  return std::ranges::any_of(names, [&](const auto& name) { return others.contains(name); });
}

ThumbnailIndex train_thumbnails(std::span<const AuditedSample> samples) {
  std::vector<Thumbnail> all;
  for (const auto& sample : samples)
    if (sample.part == "train") all.insert(all.end(), sample.thumbnails.begin(), sample.thumbnails.end());
  return ThumbnailIndex(std::move(all));
}

/// Indices into `samples` of those with a place, and their locations side by side.
struct Placed {
  std::vector<std::size_t> index;
  std::vector<SplitLocation> locations;

  explicit Placed(std::span<const AuditedSample> samples) {
    for (std::size_t n = 0; n < samples.size(); ++n) {
      if (samples[n].where.epsg == 0 || samples[n].part == "guard") continue;
      index.push_back(n);
      locations.push_back(samples[n].where);
    }
  }
};

/// True if train and a judged part both have what `has` looks for.
bool on_both_sides(std::span<const AuditedSample> samples, bool (*has)(const AuditedSample&)) {
  const auto in_part = [&](bool judged) {
    return std::ranges::any_of(samples, [&](const auto& sample) { return (judged ? is_judged(sample.part) : sample.part == "train") && has(sample); });
  };
  return in_part(false) && in_part(true);
}

void find_places(std::span<const AuditedSample> samples, std::vector<Leakage>& of) {
  const Placed placed(samples);
  std::vector<std::size_t> train, judged;
  for (std::size_t k = 0; k < placed.index.size(); ++k) (samples[placed.index[k]].part == "train" ? train : judged).push_back(k);
  for (const auto& [a, b] : overlapping_locations(placed.locations)) {
    const auto x = placed.index[a], y = placed.index[b];
    if (samples[x].part == "train" && is_judged(samples[y].part)) of[y].ground = true;
    if (samples[y].part == "train" && is_judged(samples[x].part)) of[x].ground = true;
  }
  const auto nearest = nearest_distances(placed.locations, judged, train);
  for (std::size_t k = 0; k < judged.size(); ++k)
    if (std::isfinite(nearest[k])) of[placed.index[judged[k]]].nearest_m = nearest[k];
}

PartAudit summed(const std::string& part, const std::vector<Leakage>& members) {
  PartAudit sum{.part = part, .samples = static_cast<std::int64_t>(members.size())};
  std::vector<double> distances;
  for (const auto& one : members) {
    sum.scene += one.scene;
    sum.location += one.location;
    sum.ground += one.ground;
    sum.content += one.content;
    sum.near_content += one.near_content;
    sum.object += one.object;
    sum.any += one.any();
    if (one.nearest_m) distances.push_back(*one.nearest_m);
  }
  if (distances.empty()) return sum;
  std::ranges::sort(distances);
  sum.least_m = distances.front();
  sum.median_m = distances[distances.size() / 2];
  return sum;
}

}  // namespace

double SplitAudit::worst_frac() const {
  double worst = 0;
  for (const auto& part : parts) worst = std::max(worst, static_cast<double>(part.any) / static_cast<double>(part.samples));
  return worst;
}

SplitAudit audit_samples(std::span<const AuditedSample> samples) {
  SplitAudit audit;
  audit.of.resize(samples.size());
  audit.knows_scenes = on_both_sides(samples, [](const AuditedSample& s) { return !s.where.tile_ids.empty(); });
  audit.knows_locations = on_both_sides(samples, [](const AuditedSample& s) { return !s.location.empty(); });
  audit.knows_contents = on_both_sides(samples, [](const AuditedSample& s) { return !s.contents.empty(); });
  audit.knows_places = on_both_sides(samples, [](const AuditedSample& s) { return s.where.epsg != 0; });
  audit.knows_thumbnails = on_both_sides(samples, [](const AuditedSample& s) { return !s.thumbnails.empty(); });
  audit.knows_objects = on_both_sides(samples, [](const AuditedSample& s) { return !s.objects.empty(); });
  const TrainNames train(samples);
  const auto pictures = train_thumbnails(samples);
  for (std::size_t n = 0; n < samples.size(); ++n) {
    const auto& sample = samples[n];
    audit.train += sample.part == "train";
    audit.guard += sample.part == "guard";
    audit.without_place += sample.where.epsg == 0;
    if (!is_judged(sample.part)) continue;
    audit.of[n].scene = shares(sample.where.tile_ids, train.scenes);
    audit.of[n].content = shares(sample.contents, train.contents);
    audit.of[n].near_content = std::ranges::any_of(sample.thumbnails, [&](const auto& picture) { return pictures.has_near_equal(picture); });
    audit.of[n].object = shares(sample.objects, train.objects);
    audit.of[n].location = train.locations.contains(sample.location);
  }
  find_places(samples, audit.of);
  std::map<std::string, std::vector<Leakage>> by_part;
  for (std::size_t n = 0; n < samples.size(); ++n)
    if (is_judged(samples[n].part)) by_part[samples[n].part].push_back(audit.of[n]);
  for (const auto& [part, members] : by_part) audit.parts.push_back(summed(part, members));
  return audit;
}

}  // namespace tilewright::index
