// SPDX-License-Identifier: Apache-2.0
// `sources` of a job: where acquisitions come from and how to read them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "geometry/describe.h"

namespace tilewright::pipeline {

/// Exactly one way is set; none = dates unknown.
struct DateConfig {
  std::optional<std::string> name, metadata, table, fixed, bands;
  std::string format = "%Y-%m-%d";
};
template <class V>
void describe(V&& v, DateConfig& c) {
  v("name", c.name, "regular expression on the root-relative path; capture 1 is the date");
  v("format", c.format, "strptime format of the captured text, UTC");
  v("metadata", c.metadata, "metadata key of the raster (such as TIFFTAG_DATETIME)");
  v("table", c.table, "CSV with columns file and date");
  v("fixed", c.fixed, "one date for all files");
  v("bands", c.bands, "JSON array of ISO dates, one a band");
}

/// One band: its place in the file (list form) or the suffix of its file (mapping form).
struct BandRule {
  std::string name;
  std::optional<std::string> path_suffix;
};

enum class NodataMode { declared, detect, none, value };
/// `declared | detect | none | nan | <number>`, or a mapping of band names to these.
struct NodataConfig {
  NodataMode mode = NodataMode::declared;
  double value = 0;                                     ///< mode value; may be NaN
  std::vector<std::pair<std::string, NodataConfig>> per_band;  ///< overrides by band name
};

struct QualityConfig {
  std::optional<std::string> band, files, match;
  std::vector<int> reject_bits;
  std::vector<std::int64_t> reject_values;
};
template <class V>
void describe(V&& v, QualityConfig& c) {
  v("band", c.band, "quality band inside the acquisition");
  v("files", c.files, "glob of quality rasters in files of their own");
  v("match", c.match, "regular expression; an acquisition and its quality file capture the same text");
  v("reject_bits", c.reject_bits, "bits that mark a pixel as cloudy or bad");
  v("reject_values", c.reject_values, "values that mark a pixel as cloudy or bad");
}

/// A vector file, or west, south, east, north in degrees.
struct AreaConfig {
  std::optional<std::string> file;
  std::optional<std::array<double, 4>> bounds;
};

/// Bands of one acquisition with a pixel size of their own: `[B02, B03]` or {bands, resolution_m}.
struct BandGroup {
  std::vector<std::string> bands;
  std::optional<double> resolution_m;
};
template <class V>
void describe(V&& v, BandGroup& c) {
  v("bands", c.bands, "names of the group's bands");
  v("resolution_m", c.resolution_m, "edge of its pixels in samples, metres; default: that of the grid", above(0));
}

enum class SparseRule { automatic, reject, nodata };
}  // namespace tilewright::pipeline

namespace tilewright {
template <>
struct EnumNames<pipeline::SparseRule> {
  static constexpr EnumName<pipeline::SparseRule> values[] = {
      {"auto", pipeline::SparseRule::automatic}, {"reject", pipeline::SparseRule::reject},
      {"nodata", pipeline::SparseRule::nodata}};
};
}  // namespace tilewright

namespace tilewright::pipeline {

struct SourceConfig {
  std::vector<std::string> files;                   ///< globs, "root:glob"
  std::optional<std::string> group;
  bool mosaic = false;  ///< equal bands of a group lie side by side and are joined
  std::optional<DateConfig> date;
  std::vector<BandRule> bands;                      ///< empty = descriptions
  NodataConfig nodata;
  std::vector<QualityConfig> quality;
  std::optional<std::string> assume_crs;
  std::vector<std::string> drivers;
  std::optional<AreaConfig> area;
  std::optional<std::array<std::string, 2>> between;
  std::optional<double> max_cloud_frac;
  std::optional<std::string> describe_as;           ///< key `describe`: a data manifest
  SparseRule sparse = SparseRule::automatic;
  std::optional<double> resolution_m;               ///< of its pixels in samples; nullopt = the grid's
  NamedList<BandGroup> groups;                      ///< written by users; expand_sources makes sources of them
  std::vector<std::string> only;                    ///< bands that are used; empty = all
  std::optional<std::string> acquisition;           ///< sources that show the same acquisitions share it
  std::vector<std::string> channels;                ///< derived channels instead of the bands
};
template <class V>
void describe(V&& v, SourceConfig& c) {
  v("files", c.files, "a glob or a list of globs, such as data:naip/*.tif");
  v("group", c.group, "regular expression; files with equal capture 1 are one acquisition");
  v("mosaic", c.mosaic, "granules of one acquisition lie side by side and are joined (see scan)");
  v("date", c.date, "where the acquisition date comes from");
  v("bands", c.bands, "band names in file order, or a mapping of names to path suffixes");
  v("nodata", c.nodata, "declared, detect, none, nan, a number, or a mapping of bands to these");
  v("quality", c.quality, "quality bands or files that mark clouds");
  v("assume_crs", c.assume_crs, "CRS of files that have none, such as EPSG:3857");
  v("drivers", c.drivers, "further GDAL drivers to allow");
  v("area", c.area, "use only tiles that touch this area: a vector file or [west, south, east, north]");
  v("between", c.between, "use only tiles of this period: [from, to]");
  v("max_cloud_frac", c.max_cloud_frac, "use only tiles less cloudy than this", between(0, 1));
  v("describe", c.describe_as, "name of a data manifest with bands, scale and nodata");
  v("sparse", c.sparse, "files with missing blocks: auto, reject or nodata");
  v("resolution_m", c.resolution_m, "edge of its pixels in samples, metres; divides or is divided by grid.resolution_m", above(0));
  v("groups", c.groups, "bands with pixel sizes of their own; each group is a source <source>_<group>");
  v("only", c.only, "use only these of its bands");
  v("acquisition", c.acquisition, "sources with the same word here show the same acquisitions and are seen together");
  v("channels", c.channels, "channels derived from the first band, instead of the bands");
}

}  // namespace tilewright::pipeline
