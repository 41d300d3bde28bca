// SPDX-License-Identifier: Apache-2.0
// The table of reasons.
#include "index/reason.h"

#include <array>
#include <cstddef>

namespace tilewright::index {
namespace {

using R = Reason;
constexpr std::array kReasons = {
    ReasonRow{R::unreadable, "unreadable", "The file cannot be opened or is damaged."},
    ReasonRow{R::unsupported_format, "unsupported_format", "No allowed driver reads this format."},
    ReasonRow{R::refused_path, "refused_path", "The path leads out of its root, to the network or into an archive that is not allowed."},
    ReasonRow{R::truncated, "truncated", "The file is shorter than its header says."},
    ReasonRow{R::too_large, "too_large", "Size or block size is above the budget."},
    ReasonRow{R::bad_size, "bad_size", "Width or height is not positive or does not fit the other bands."},
    ReasonRow{R::bad_dtype, "bad_dtype", "The pixel type is not supported, such as complex numbers."},
    ReasonRow{R::mixed_dtype, "mixed_dtype", "The bands of one array have different pixel types."},
    ReasonRow{R::no_crs, "no_crs", "The file has no coordinate reference system and the job assumes none."},
    ReasonRow{R::bad_crs, "bad_crs", "The coordinate reference system cannot be understood."},
    ReasonRow{R::no_georeference, "no_georeference", "The file does not say where its pixels lie."},
    ReasonRow{R::bad_georeference, "bad_georeference", "The affine transform is singular or not finite."},
    ReasonRow{R::wrong_band_count, "wrong_band_count", "The file has another number of bands than the source."},
    ReasonRow{R::missing_band, "missing_band", "A band that the source requires has no file."},
    ReasonRow{R::all_nodata, "all_nodata", "No pixel is valid in all required bands."},
    ReasonRow{R::band_all_nodata, "band_all_nodata", "One required band has no valid pixel."},
    ReasonRow{R::sparse, "sparse", "Blocks are missing in the file and no nodata value is declared."},
    ReasonRow{R::bad_date, "bad_date", "The date cannot be found or read by the source's rule."},
    ReasonRow{R::outside_period, "outside_period", "The date lies outside `between`."},
    ReasonRow{R::outside_area, "outside_area", "The footprint does not touch `area`."},
    ReasonRow{R::too_cloudy, "too_cloudy", "More of the tile is cloudy than the source allows."},
    ReasonRow{R::missing_quality, "missing_quality", "The quality band or file of the acquisition is missing."},
    ReasonRow{R::ungrouped_file, "ungrouped_file", "The file matches `files` but not `group`."},
    ReasonRow{R::gone, "gone", "The file was there at an earlier scan and is not among the inputs any more."},
    ReasonRow{R::duplicate, "duplicate", "The same acquisition is there already and that one is kept."},
    ReasonRow{R::inconsistent_files, "inconsistent_files", "The files of one acquisition do not lie on the same ground."},
    ReasonRow{R::granule_mismatch, "granule_mismatch", "Granules that `mosaic` should join differ in CRS, pixel grid, bands or day, or lie on each other."},
    ReasonRow{R::not_mappable, "not_mappable", "The place cannot be transformed to the CRS that is needed."},
    ReasonRow{R::timeout, "timeout", "Reading took longer than allowed."},
    ReasonRow{R::view_invalid, "view_invalid", "A pixel of the window is not valid in the tile."},
    ReasonRow{R::view_cloudy, "view_cloudy", "More of the window is cloudy than `max_cloud_frac`."},
    ReasonRow{R::view_duplicate, "view_duplicate", "Another view of the window shows the same acquisition."},
    ReasonRow{R::view_limit, "view_limit", "The window has `max_views` views that lie farther apart in time."},
    ReasonRow{R::view_period, "view_period", "Another view of the same period is less cloudy or nearer to its middle."},
    ReasonRow{R::view_outside_periods, "view_outside_periods", "The date lies in none of `periods`, or is not known."},
    ReasonRow{R::period_gap, "period_gap", "No usable view of the source lies in this period: a marked gap of a location that is kept."},
    ReasonRow{R::view_near_date, "view_near_date", "Another view lies nearer in time than `min_days_apart`, or the date is not known."},
    ReasonRow{R::view_unpaired, "view_unpaired", "The view is kept, and no view of the partner source lies near enough in time: a marked gap."},
    ReasonRow{R::too_few_views, "too_few_views", "Fewer acquisitions than `min_views` see the window."},
    ReasonRow{R::bad_geometry, "bad_geometry", "The geometry is invalid and cannot be repaired."},
    ReasonRow{R::empty_geometry, "empty_geometry", "The geometry has no area or length."},
    ReasonRow{R::outside_rasters, "outside_rasters", "The object touches no window."},
    ReasonRow{R::no_class, "no_class", "The class attribute is missing or not in the table."},
    ReasonRow{R::no_width, "no_width", "No width rule applies to the line."},
    ReasonRow{R::null_geometry, "null_geometry", "The feature has no geometry."},
    ReasonRow{R::repaired_geometry, "repaired_geometry", "The geometry was not simple (crossing or touching rings) and was rebuilt by the even-odd rule; it is drawn."},
    ReasonRow{R::no_partner, "no_partner", "No view or label of a fitting date is there."},
    ReasonRow{R::all_ignore, "all_ignore", "Every pixel of the mask is 255."},
    ReasonRow{R::read_error, "read_error", "Reading pixels failed after the file was opened."},
    ReasonRow{R::bad_value, "bad_value", "A number or flag was expected and something else was found."},
    ReasonRow{R::contradiction, "contradiction", "The files or rows that belong to the location give different values."},
    ReasonRow{R::same_place, "same_place", "An earlier point lies in the same pixel of the grid, or a window of the neighbouring zone shows most of this ground."},
    ReasonRow{R::not_sampled, "not_sampled", "The locations that show the tile are not among those that `views.sample` keeps."},
    ReasonRow{R::structure_dropped, "structure_dropped", "The object is a bridge or in a tunnel, and `levels` of its layer drops these."},
};

constexpr bool is_in_enum_order() {
  for (std::size_t n = 0; n < kReasons.size(); ++n)
    if (static_cast<std::size_t>(kReasons[n].reason) != n) return false;
  return static_cast<std::size_t>(R::structure_dropped) + 1 == kReasons.size();
}
static_assert(is_in_enum_order(), "the table lists every reason once, in the order of the enum");

}  // namespace

std::span<const ReasonRow> reasons() { return kReasons; }

std::string_view code(Reason reason) { return kReasons[static_cast<std::size_t>(reason)].code; }

}  // namespace tilewright::index
