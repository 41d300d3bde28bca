// SPDX-License-Identifier: Apache-2.0
// dataset.json and its part files: all that a trainer needs to know of a corpus.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "geometry/describe.h"

namespace tilewright::learn {

struct BandInfo {
  std::string name;
  std::optional<double> wavelength_nm, fwhm_nm, scale, offset, nodata;
};
template <class V>
void describe(V&& v, BandInfo& c) {
  v("name", c.name, "band name");
  v("wavelength_nm", c.wavelength_nm, "centre wavelength, nanometres");
  v("fwhm_nm", c.fwhm_nm, "full width at half maximum, nanometres");
  v("scale", c.scale, "physical value = raw * scale + offset");
  v("offset", c.offset, "physical value = raw * scale + offset");
  v("nodata", c.nodata, "raw value that means no data");
}

/// Of valid pixels of `train` only.
struct BandStatistics {
  double mean = 0, std = 0, min = 0, max = 0, p1 = 0, p2 = 0, p50 = 0, p98 = 0, p99 = 0;
  std::int64_t count = 0;
};
template <class V>
void describe(V&& v, BandStatistics& c) {
  v("mean", c.mean, "mean"); v("std", c.std, "standard deviation, divided by n");
  v("min", c.min, "least"); v("max", c.max, "greatest"); v("p1", c.p1, "1st percentile");
  v("p2", c.p2, "2nd percentile"); v("p50", c.p50, "median"); v("p98", c.p98, "98th percentile");
  v("p99", c.p99, "99th percentile"); v("count", c.count, "valid pixels");
}

struct InputInfo {
  std::string series;                     ///< shard series, = source
  std::vector<BandInfo> bands;
  std::vector<int> band_indices;          ///< of `bands` in the shard arrays
  int size_px = 0;
  std::string dtype;                      ///< "uint16"
  std::vector<BandStatistics> statistics; ///< parallel to bands
  std::string statistics_method;          ///< "exact counts" or "65536-bin histogram over [lo, hi]"
  std::string normalize = "standard";
};
template <class V>
void describe(V&& v, InputInfo& c) {
  v("series", c.series, "shard series"); v("bands", c.bands, "bands in order of the network's channels");
  v("band_indices", c.band_indices, "their indices in the shard arrays");
  v("size_px", c.size_px, "edge, pixels"); v("dtype", c.dtype, "numpy name of the element type");
  v("statistics", c.statistics, "one entry a band"); v("statistics_method", c.statistics_method, "how percentiles were found");
  v("normalize", c.normalize, "row of the normalize table");
}

struct ClassInfo {
  int id = 0;
  std::string name, color;
  std::int64_t pixels = 0;                ///< in train
  std::int64_t samples = 0;               ///< in train, where the target is one value a location
};
template <class V>
void describe(V&& v, ClassInfo& c) {
  v("id", c.id, "value in the mask"); v("name", c.name, "class name"); v("color", c.color, "#rrggbb");
  v("pixels", c.pixels, "pixels of train"); v("samples", c.samples, "samples of train with this class");
}

struct TargetInfo {
  std::string kind;                       ///< mask | class | classes | scalar | vector | none
  std::optional<std::string> series;      ///< mask: shard series of the masks
  std::optional<std::string> name, unit;  ///< other kinds: the job's target; its values stand in the part files
  std::vector<ClassInfo> classes;         ///< dense: network output k is classes[k].id
  std::vector<BandStatistics> statistics; ///< scalar and vector: of each component over the samples of train
};
template <class V>
void describe(V&& v, TargetInfo& c) {
  v("kind", c.kind, "mask, class, classes, scalar, vector or none"); v("series", c.series, "series of the masks");
  v("name", c.name, "target with one value a location"); v("unit", c.unit, "unit of its numbers");
  v("classes", c.classes, "classes, background first"); v("statistics", c.statistics, "of the numbers in train, one entry a component");
}

struct PartInfo {
  std::string file;                       ///< relative to the dataset folder
  std::int64_t samples = 0;
  std::string sha256;
};
template <class V>
void describe(V&& v, PartInfo& c) {
  v("file", c.file, "part file"); v("samples", c.samples, "samples"); v("sha256", c.sha256, "of the file");
}

struct DatasetFile {
  int version = 1;
  std::string name, sha256;               ///< sha256: over this document without this field
  std::string views = "each";             ///< each | latest | best | all | pairs
  std::vector<InputInfo> inputs;
  TargetInfo target;
  NamedList<PartInfo> parts;              ///< train, val, test
  std::int64_t left_out_all_ignore = 0;   ///< samples whose mask is all 255
};
template <class V>
void describe(V&& v, DatasetFile& c) {
  v("version", c.version, "1"); v("name", c.name, "dataset name"); v("sha256", c.sha256, "identity of the dataset");
  v("views", c.views, "how several views of a location are used"); v("inputs", c.inputs, "inputs");
  v("target", c.target, "target"); v("parts", c.parts, "train, val, test");
  v("left_out_all_ignore", c.left_out_all_ignore, "samples whose mask is ignored everywhere");
}

/// One row of a part file: a view of a sample. Paths are relative to the workspace.
struct SampleRow {
  std::string sample, location;
  int input = 0;                          ///< index into inputs
  std::string view, acquired;             ///< "-" where unknown
  std::string shard;
  std::int64_t offset = 0, length = 0;
  std::string mask_shard = "-";
  std::int64_t mask_offset = 0, mask_length = 0;
  std::string target = "-";               ///< JSON: class id, list of ids, number or list of numbers
  double weight = 1;
};
inline constexpr const char* kPartHeader =
    "sample\tlocation\tinput\tview\tacquired\tshard\toffset\tlength\tmask_shard\tmask_offset\tmask_length\ttarget\tweight";
/// One line without its newline; "-" in the mask columns where there is no mask.
std::string format_row(const SampleRow& row);
/// Throws Error::failed with file and line.
std::vector<SampleRow> read_part(const std::filesystem::path& file);
/// Throws Error::failed if the file is missing, damaged, of another version or edited by hand.
DatasetFile read_dataset(const std::filesystem::path& dataset_json);
/// The document with its sha256 filled in (whatever `dataset.sha256` holds).
std::string format_dataset(const DatasetFile& dataset);

}  // namespace tilewright::learn
