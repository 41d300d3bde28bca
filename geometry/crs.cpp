// SPDX-License-Identifier: Apache-2.0
// CRS values and point transforms on top of PROJ: contexts per thread, no network, no files.
#include "geometry/crs.h"

#include <proj.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

#include "geometry/error.h"

namespace tilewright::geometry {
namespace {

constexpr std::size_t kMaxTextBytes = 32768;

template <auto Close>
struct Closer {
  template <class T>
  void operator()(T* p) const noexcept {
    Close(p);
  }
};
using ContextHandle = std::unique_ptr<PJ_CONTEXT, Closer<proj_context_destroy>>;
using ProjHandle = std::unique_ptr<PJ, Closer<proj_destroy>>;
using ListHandle = std::unique_ptr<PJ_OBJ_LIST, Closer<proj_list_destroy>>;

void ignore_log(void*, int, const char*) {}

/// PROJ's state of one thread; transforms keep it alive when they outlive the thread.
struct ThreadState {
  ContextHandle context{proj_context_create()};
  /// By WKT of source and target; null where both are the same system.
  std::map<std::pair<std::string, std::string>, std::shared_ptr<PJ>> transforms;
  ThreadState() {
    proj_context_set_enable_network(context.get(), 0);
    proj_log_func(context.get(), nullptr, ignore_log);
  }
  ThreadState(const ThreadState&) = delete;
  ThreadState& operator=(const ThreadState&) = delete;
  ~ThreadState() { transforms.clear(); }
};

const std::shared_ptr<ThreadState>& thread_state() {
  thread_local const auto state = std::make_shared<ThreadState>();
  return state;
}
PJ_CONTEXT* context() { return thread_state()->context.get(); }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}
std::string shortened(const std::string& text) {
  return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

/// "EPSG:4326", "OGC:CRS84", "ESRI:54009".
bool is_code(const std::string& text) {
  const auto colon = text.find(':');
  const auto plain = [](std::string_view part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '_';
    });
  };
  return colon != std::string::npos && plain(std::string_view(text).substr(0, colon)) &&
         plain(std::string_view(text).substr(colon + 1));
}

bool is_wkt(const std::string& text) {
  const auto bracket = text.find_first_of("[(");
  if (bracket == std::string::npos) return false;
  std::string keyword = lower(std::string_view(text).substr(0, bracket));
  while (!keyword.empty() && std::isspace(static_cast<unsigned char>(keyword.back())))
    keyword.pop_back();
  constexpr std::string_view kKeywords[] = {
      "projcs", "geogcs", "geoccs", "local_cs", "compd_cs", "vert_cs", "projcrs", "projectedcrs",
      "geogcrs", "geographiccrs", "geodcrs", "geodeticcrs", "engcrs", "engineeringcrs",
      "compoundcrs", "boundcrs"};
  return std::find(std::begin(kKeywords), std::end(kKeywords), keyword) != std::end(kKeywords);
}

/// A PROJ string whose parameters name no file, pipeline or URL.
bool is_harmless_proj_string(const std::string& text) {
  const std::string t = lower(text);
  if (t.find("proj=") == std::string::npos || t[0] != '+') return false;
  for (const char* refused : {"init=", "proj=pipeline", "step", "file", "geoidgrids", "catalog"})
    if (t.find(refused) != std::string::npos) return false;
  for (auto at = t.find("grids="); at != std::string::npos; at = t.find("grids=", at + 1))
    if (t.compare(at + 6, 5, "@null") != 0) return false;
  return true;
}

ProjHandle parsed(const std::string& text) {
  const auto refuse = [&](const char* why) {
    return Error::failed("reading the CRS '" + shortened(text) + "': " + why +
                         "; give EPSG:n, WKT or a plain PROJ string");
  };
  if (text.size() > kMaxTextBytes) throw refuse("it is longer than 32,768 bytes");
  if (text.find("://") != std::string::npos && !is_wkt(text)) throw refuse("addresses are not followed");
  if (!is_code(text) && !is_wkt(text) && !is_harmless_proj_string(text))
    throw refuse("it is in none of the accepted forms");
  std::string source = text;
  if (source[0] == '+' && lower(source).find("type=crs") == std::string::npos) source += " +type=crs";
  ProjHandle crs(proj_create(context(), source.c_str()));
  if (!crs) throw refuse("PROJ does not know it");
  if (!proj_is_crs(crs.get())) throw refuse("it is not a coordinate reference system");
  return crs;
}

/// The horizontal part of a compound system.
ProjHandle horizontal(ProjHandle crs) {
  if (proj_get_type(crs.get()) == PJ_TYPE_COMPOUND_CRS)
    crs.reset(proj_crs_get_sub_crs(context(), crs.get(), 0));
  return crs;
}

int stated_epsg(const PJ* crs) {
  const char* authority = proj_get_id_auth_name(crs, 0);
  const char* id = proj_get_id_code(crs, 0);
  if (!authority || !id || lower(authority) != "epsg") return 0;
  const std::string digits = id;
  const bool numeric = !digits.empty() && digits.size() < 9 &&
                       std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isdigit(c); });
  return numeric ? std::stoi(digits) : 0;
}

/// The one EPSG system that is equivalent but for axis order, 0 if there is none.
int found_epsg(const PJ* crs) {
  int* confidence = nullptr;
  const ListHandle list(proj_identify(context(), crs, "EPSG", nullptr, &confidence));
  if (!list) return 0;
  int epsg = 0;
  for (int i = 0; i < proj_list_get_count(list.get()) && epsg == 0; ++i) {
    const ProjHandle candidate(proj_list_get(context(), list.get(), i));
    if (candidate && confidence[i] >= 70 &&
        proj_is_equivalent_to_with_ctx(context(), crs, candidate.get(),
                                       PJ_COMP_EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS))
      epsg = stated_epsg(candidate.get());
  }
  proj_int_list_destroy(confidence);
  return epsg;
}

bool is_geographic_type(const PJ* crs) {
  const PJ_TYPE type = proj_get_type(crs);
  return type == PJ_TYPE_GEOGRAPHIC_2D_CRS || type == PJ_TYPE_GEOGRAPHIC_3D_CRS;
}

double unit_of(const PJ* crs) {
  const ProjHandle axes(proj_crs_get_coordinate_system(context(), crs));
  double factor = 0;
  if (axes)
    proj_cs_get_axis_info(context(), axes.get(), 0, nullptr, nullptr, nullptr, &factor, nullptr,
                          nullptr, nullptr);
  return factor;
}

std::shared_ptr<PJ> transform_between(const Crs& source, const Crs& target) {
  auto& cache = thread_state()->transforms;
  const auto key = std::pair(source.wkt(), target.wkt());
  if (const auto known = cache.find(key); known != cache.end()) return known->second;
  if (cache.size() >= 256) cache.clear();
  if (source.same_as(target)) return cache[key] = nullptr;
  const ProjHandle from(proj_create(context(), source.wkt().c_str()));
  const ProjHandle to(proj_create(context(), target.wkt().c_str()));
  ProjHandle raw(from && to ? proj_create_crs_to_crs_from_pj(context(), from.get(), to.get(), nullptr,
                                                             nullptr)
                            : nullptr);
  ProjHandle normalized(raw ? proj_normalize_for_visualization(context(), raw.get()) : nullptr);
  if (!normalized)
    throw Error::failed("transforming from '" + source.name() + "' to '" + target.name() +
                        "': PROJ has no operation between them; give the file's true CRS");
  return cache[key] = std::shared_ptr<PJ>(std::move(normalized));
}

}  // namespace

Crs Crs::from_epsg(int epsg) { return from_text("EPSG:" + std::to_string(epsg)); }

Crs Crs::from_text(const std::string& text) {
  ProjHandle crs = horizontal(parsed(text));
  const char* wkt = crs ? proj_as_wkt(context(), crs.get(), PJ_WKT2_2019, nullptr) : nullptr;
  if (!wkt)
    throw Error::failed("reading the CRS '" + shortened(text) +
                        "': it has no horizontal part that can be written as WKT");
  Crs result;
  result.wkt_ = wkt;
  const char* name = proj_get_name(crs.get());
  result.name_ = name ? name : "";
  result.epsg_ = stated_epsg(crs.get());
  if (proj_get_type(crs.get()) == PJ_TYPE_BOUND_CRS)
    crs.reset(proj_get_source_crs(context(), crs.get()));
  if (result.epsg_ == 0) result.epsg_ = stated_epsg(crs.get());
  if (result.epsg_ == 0) result.epsg_ = found_epsg(crs.get());
  result.geographic_ = is_geographic_type(crs.get());
  result.metres_per_unit_ = result.geographic_ ? 0 : unit_of(crs.get());
  return result;
}

bool Crs::same_as(const Crs& other) const {
  if (wkt_ == other.wkt_) return true;
  if (!known() || !other.known()) return false;
  const ProjHandle a(proj_create(context(), wkt_.c_str()));
  const ProjHandle b(proj_create(context(), other.wkt_.c_str()));
  return a && b &&
         proj_is_equivalent_to_with_ctx(context(), a.get(), b.get(),
                                        PJ_COMP_EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS);
}

struct Transform::State {
  std::shared_ptr<ThreadState> thread;  ///< outlives `operation`
  std::shared_ptr<PJ> operation;        ///< none: identity
};

Transform::Transform(const Crs& source, const Crs& target)
    : state_(std::make_unique<State>(State{thread_state(), nullptr})) {
  if (!source.known() || !target.known())
    throw Error::failed("transforming coordinates: one side has no CRS; name it with assume_crs");
  state_->operation = transform_between(source, target);
}
Transform::Transform(Transform&&) noexcept = default;
Transform& Transform::operator=(Transform&&) noexcept = default;
Transform::~Transform() = default;

bool Transform::is_identity() const { return !state_->operation; }

std::optional<MapXY> Transform::operator()(MapXY p) const {
  if (!std::isfinite(p.x) || !std::isfinite(p.y)) return std::nullopt;
  if (is_identity()) return p;
  proj_errno_reset(state_->operation.get());
  const PJ_COORD q = proj_trans(state_->operation.get(), PJ_FWD, proj_coord(p.x, p.y, 0, HUGE_VAL));
  if (!std::isfinite(q.xy.x) || !std::isfinite(q.xy.y)) return std::nullopt;
  return MapXY{q.xy.x, q.xy.y};
}

void Transform::in_place(MapXY* points, std::size_t count) const {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t k = 0; k < count; ++k) points[k] = (*this)(points[k]).value_or(MapXY{kNan, kNan});
}

Crs wgs84() {
  thread_local const Crs crs = Crs::from_epsg(4326);
  return crs;
}

int utm_epsg(LonLat place) {
  if (place.lat_deg > 84) return 32661;
  if (place.lat_deg < -80) return 32761;
  double lon = std::remainder(place.lon_deg, 360.0);
  if (lon == 180) lon = -180;  // the border of zones 60 and 1: a tie goes to the lower zone
  const int zone = std::clamp(static_cast<int>(std::ceil((lon + 180) / 6)), 1, 60);
  return (place.lat_deg < 0 ? 32700 : 32600) + zone;
}

std::optional<LonLat> geographic(MapXY point, const Crs& crs) {
  const auto p = Transform(crs, wgs84())(point);
  if (!p) return std::nullopt;
  return LonLat{p->x, p->y};
}

GroundScale ground_scale(MapXY place, const Crs& crs) {
  const Transform degrees_from_map(crs, wgs84());
  const double step = crs.is_geographic() ? 1e-4 : 10.0 / std::max(crs.metres_per_unit(), 1e-9);
  const auto centre = degrees_from_map(place);
  const auto west = degrees_from_map({place.x - step, place.y});
  const auto east = degrees_from_map({place.x + step, place.y});
  const auto south = degrees_from_map({place.x, place.y - step});
  const auto north = degrees_from_map({place.x, place.y + step});
  if (!centre || !west || !east || !south || !north)
    throw Error::failed("measuring the ground scale of '" + crs.name() + "' at (" +
                        std::to_string(place.x) + ", " + std::to_string(place.y) +
                        "): the place cannot be mapped to WGS84");
  constexpr double kA = 6378137.0, kF = 1 / 298.257223563, kE2 = kF * (2 - kF);
  constexpr double kRadian = 0.017453292519943295;
  const double sine = std::sin(centre->y * kRadian), w = 1 - kE2 * sine * sine;
  const double metres_north = kRadian * kA * (1 - kE2) / (w * std::sqrt(w));
  const double metres_east = kRadian * kA / std::sqrt(w) * std::cos(centre->y * kRadian);
  const auto lon_step = [&](double to, double from) {
    return std::remainder(to - from, 360.0) * metres_east / (2 * step);
  };
  return {lon_step(east->x, west->x), lon_step(north->x, south->x),
          (east->y - west->y) * metres_north / (2 * step),
          (north->y - south->y) * metres_north / (2 * step)};
}

}  // namespace tilewright::geometry
