// SPDX-License-Identifier: Apache-2.0
// GDAL writes a CRS as WKT 2, the geometry room reads it: no other form passes between them.
#include "pipeline/io/gdal_crs.h"

#include <cpl_conv.h>
#include <ogr_spatialref.h>

#include <memory>

#include "index/reason.h"
#include "pipeline/io/open_policy.h"

namespace tilewright::pipeline {
namespace {

using index::ItemError;
using index::Reason;

struct TextCloser {
  void operator()(char* text) const noexcept { CPLFree(text); }
};

geometry::Crs from_wkt(const std::string& wkt, const std::string& what) {
  if (wkt.size() > kLongestCrsText) throw ItemError(Reason::bad_crs, what + " has a CRS text of " + std::to_string(wkt.size()) + " bytes");
  try {
    auto crs = geometry::Crs::from_text(wkt);
    if (crs.epsg() == 0) return crs;
    // GDAL's WKT of one code differs by thread and cache (datum or ensemble); the code's own does not.
    auto known = geometry::Crs::from_epsg(crs.epsg());
    return known.same_as(crs) ? known : crs;
  } catch (const Error& error) {
    throw ItemError(Reason::bad_crs, what + " has a CRS that cannot be used: " + error.what());
  }
}

}  // namespace

geometry::Crs crs_of(const OGRSpatialReference* reference, const std::string& what) {
  if (!reference || reference->IsEmpty()) return {};
  // Axis order is ours (x east first) whatever the CRS says, so the WKT keeps the authority's.
  const char* const options[] = {"FORMAT=WKT2_2019", nullptr};
  char* raw = nullptr;
  const auto result = reference->exportToWkt(&raw, options);
  const std::unique_ptr<char, TextCloser> wkt(raw);
  if (result == OGRERR_NONE && wkt && *wkt) return from_wkt(wkt.get(), what);
  raw = nullptr;
  const auto old = reference->exportToWkt(&raw);
  const std::unique_ptr<char, TextCloser> wkt1(raw);
  if (old != OGRERR_NONE || !wkt1 || !*wkt1) throw ItemError(Reason::bad_crs, what + " has a CRS that cannot be written as WKT" + gdal_message());
  return from_wkt(wkt1.get(), what);
}

geometry::Crs crs_of_text(const std::string& text, const std::string& what) {
  if (text.empty()) return {};
  if (text.size() > kLongestCrsText) throw ItemError(Reason::bad_crs, what + " has a CRS text of " + std::to_string(text.size()) + " bytes");
  OGRSpatialReference reference;
  if (reference.SetFromUserInput(text.c_str(), OGRSpatialReference::SET_FROM_USER_INPUT_LIMITATIONS_get()) != OGRERR_NONE)
    throw ItemError(Reason::bad_crs, what + " has a CRS that cannot be understood: '" + text.substr(0, 80) + "'" + gdal_message());
  return crs_of(&reference, what);
}

}  // namespace tilewright::pipeline
