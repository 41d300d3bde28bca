// SPDX-License-Identifier: Apache-2.0
// Why an item was left out: the codes of `tile.reason` and `rejection.reason`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "geometry/error.h"

namespace tilewright::index {

enum class Reason {
  unreadable, unsupported_format, refused_path, truncated, too_large, bad_size, bad_dtype,
  mixed_dtype, no_crs, bad_crs, no_georeference, bad_georeference, wrong_band_count, missing_band,
  all_nodata, band_all_nodata, sparse, bad_date, outside_period, outside_area, too_cloudy,
  missing_quality, ungrouped_file, gone, duplicate, inconsistent_files, granule_mismatch, not_mappable, timeout,
  view_invalid, view_cloudy, view_duplicate, view_limit, view_period, view_outside_periods, period_gap, view_near_date, view_unpaired, too_few_views,
  bad_geometry, empty_geometry, outside_rasters, no_class, no_width, null_geometry, repaired_geometry,
  no_partner, all_ignore, read_error, bad_value, contradiction, same_place,
  not_sampled, structure_dropped,
};

struct ReasonRow {
  Reason reason;
  std::string_view code;     ///< what is written to the manifest
  std::string_view meaning;  ///< one sentence for the manual
};
/// The whole table, in enum order; docs/manual/reasons.md is tested against it.
std::span<const ReasonRow> reasons();
std::string_view code(Reason reason);

/// One item cannot be used: caught around the item, written as a rejection or quarantine.
class ItemError : public Error {
 public:
  ItemError(Reason reason, const std::string& detail) : Error(ErrorKind::failed, detail), reason_(reason) {}
  [[nodiscard]] Reason reason() const noexcept { return reason_; }

 private:
  Reason reason_;
};

}  // namespace tilewright::index
