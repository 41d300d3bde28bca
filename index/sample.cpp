// SPDX-License-Identifier: Apache-2.0
// Greedy sampling in the order of hashes.
#include "index/sample.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <queue>
#include <tuple>
#include <unordered_map>

#include "geometry/polygon.h"
#include "index/shard/sha256.h"

namespace tilewright::index {
namespace {

constexpr double kLeastRadiusM = 6'335'000;  ///< of curvature of the WGS84 ellipsoid (6,335,439 at the equator)

/// Picks so far in cells of space, so that a candidate meets only near ones.
class Picks {
 public:
  explicit Picks(double distance_m) : distance_m_(distance_m) {}

  [[nodiscard]] bool is_free(geometry::LonLat place) const {
    if (distance_m_ <= 0) return true;
    const Cell at = cell(place);
    for (std::int64_t x = at.x - 1; x <= at.x + 1; ++x)
      for (std::int64_t y = at.y - 1; y <= at.y + 1; ++y)
        for (std::int64_t z = at.z - 1; z <= at.z + 1; ++z) {
          const auto [begin, end] = cells_.equal_range(key({x, y, z}));
          for (auto near = begin; near != end; ++near)
            if (geometry::geodesic_distance_m(near->second, place) < distance_m_) return false;
        }
    return true;
  }
  void add(geometry::LonLat place) {
    if (distance_m_ > 0) cells_.emplace(key(cell(place)), place);
  }

 private:
  struct Cell {
    std::int64_t x, y, z;
  };
  /// Over a way of D metres the surface's normal turns by at most D / kLeastRadiusM: normals of places
  /// nearer than the distance lie in neighbour cells of that edge.
  [[nodiscard]] Cell cell(geometry::LonLat p) const {
    const double lon = p.lon_deg * std::numbers::pi / 180, lat = p.lat_deg * std::numbers::pi / 180;
    const auto floor = [&](double v) { return static_cast<std::int64_t>(std::floor(v * kLeastRadiusM / distance_m_)); };
    return {floor(std::cos(lat) * std::cos(lon)), floor(std::cos(lat) * std::sin(lon)), floor(std::sin(lat))};
  }
  static std::uint64_t key(const Cell& c) {
    std::uint64_t h = 0;
    for (const std::int64_t v : {c.x, c.y, c.z}) h = (h ^ static_cast<std::uint64_t>(v)) * 0x9E3779B97F4A7C15ULL;
    return h;
  }
  double distance_m_;
  std::unordered_multimap<std::uint64_t, geometry::LonLat> cells_;
};

/// Candidates of one stratum in the order of hashes.
struct Stratum {
  std::string name;
  std::vector<std::size_t> members;
  std::size_t next = 0;
  std::int64_t picked = 0;
};

class Sampler {
 public:
  Sampler(std::span<const SamplePlace> places, const SampleRule& rule) : places_(places), rule_(rule), picks_(rule.min_distance_m), is_picked_(places.size(), false) {
    order_.reserve(places.size());
    for (std::size_t n = 0; n < places.size(); ++n) order_.emplace_back(sample_hash(places[n].id, rule.seed), n);
    std::ranges::sort(order_, [&](const auto& a, const auto& b) {
      return std::tie(a.first, places_[a.second].id) < std::tie(b.first, places_[b.second].id);
    });
    for (const auto& [hash, n] : order_) strata_[places[n].stratum].members.push_back(n);
  }

  std::vector<bool> run() {
    for (const auto& [hash, n] : order_)
      if (places_[n].is_kept && left_ > 0) pick(n, strata_[places_[n].stratum]);
    using Turn = std::tuple<std::int64_t, std::string>;  // picks so far, name
    std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns;
    for (const auto& [name, stratum] : strata_) turns.emplace(stratum.picked, name);
    while (left_ > 0 && !turns.empty()) {
      auto& stratum = strata_[std::get<1>(turns.top())];
      const std::string name = std::get<1>(turns.top());
      turns.pop();
      if (pick_next(stratum)) turns.emplace(stratum.picked, name);
    }
    return std::move(is_picked_);
  }

 private:
  void pick(std::size_t n, Stratum& stratum) {
    is_picked_[n] = true;
    picks_.add(places_[n].centre);
    ++stratum.picked;
    --left_;
  }
  /// What is too near once stays so: it is never asked again.
  bool pick_next(Stratum& stratum) {
    while (stratum.next < stratum.members.size()) {
      const auto n = stratum.members[stratum.next++];
      if (is_picked_[n] || places_[n].is_kept || !picks_.is_free(places_[n].centre)) continue;
      pick(n, stratum);
      return true;
    }
    return false;
  }

  std::span<const SamplePlace> places_;
  const SampleRule& rule_;
  Picks picks_;
  std::vector<bool> is_picked_;
  std::vector<std::pair<std::uint64_t, std::size_t>> order_;
  std::map<std::string, Stratum> strata_;
  std::int64_t left_ = rule_.count;
};

}  // namespace

std::uint64_t sample_hash(const std::string& id, std::uint64_t seed) {
  shard::Sha256 hash;
  hash.update(std::to_string(seed) + "/" + id);
  const auto digest = hash.finish();
  std::uint64_t bits = 0;
  for (std::size_t n = 0; n < 8; ++n) bits = bits << 8 | static_cast<std::uint64_t>(digest[n]);
  return bits;
}

std::vector<bool> sample_places(std::span<const SamplePlace> places, const SampleRule& rule) { return Sampler(places, rule).run(); }

}  // namespace tilewright::index
