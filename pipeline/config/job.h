// SPDX-License-Identifier: Apache-2.0
// The job file as one value: every section a plain struct, every field named once.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "geometry/describe.h"
#include "geometry/resample.h"
#include "index/split.h"
#include "index/placement.h"
#include "learn/config/run_config.h"
#include "pipeline/config/experiment.h"
#include "pipeline/config/label_config.h"
#include "pipeline/config/source_config.h"

namespace tilewright {
template <>
struct EnumNames<index::Placement> {
  static constexpr EnumName<index::Placement> values[] = {
      {"lattice", index::Placement::lattice}, {"best_phase", index::Placement::best_phase},
      {"shelf", index::Placement::shelf},     {"whole", index::Placement::whole},
      {"points", index::Placement::points}};
};
template <>
struct EnumNames<geometry::Resampling> {
  static constexpr EnumName<geometry::Resampling> values[] = {
      {"nearest", geometry::Resampling::nearest}, {"bilinear", geometry::Resampling::bilinear},
      {"cubic", geometry::Resampling::cubic}, {"average", geometry::Resampling::average}};
};
template <>
struct EnumNames<index::SplitUnit> {
  static constexpr EnumName<index::SplitUnit> values[] = {
      {"block", index::SplitUnit::block}, {"acquisition", index::SplitUnit::acquisition},
      {"component", index::SplitUnit::component}};
};
}  // namespace tilewright

namespace tilewright::index {
template <class V>
void describe(V&& v, Period& c) {
  v("name", c.name, "name of the period, such as summer"); v("from", c.from, "first day: MM-DD of every year, or YYYY-MM-DD");
  v("to", c.to, "last day, in the same form");
}
template <class V>
void describe(V&& v, PairRule& c) {
  v("anchor", c.anchor, "source whose views are paired; the same in all pairs"); v("partner", c.partner, "source whose nearest view is looked for");
  v("max_days", c.max_days, "most days between the two", at_least(0));
  v("required", c.required, "false: windows that no partner sees are locations too, with a marked gap");
}
}  // namespace tilewright::index

namespace tilewright::pipeline {

struct GridConfig {
  double resolution_m = 10;
  std::string zone = "auto";                          ///< auto or EPSG:n
  std::optional<std::array<double, 2>> origin_m;      ///< nullopt = auto
};
template <class V>
void describe(V&& v, GridConfig& c) {
  v("resolution_m", c.resolution_m, "edge of a pixel of the grid, metres", above(0));
  v("zone", c.zone, "auto, or the one CRS of the grid such as EPSG:26914");
  v("origin_m", c.origin_m, "auto, or [x, y] of a lattice corner");
}

struct PointsConfig {
  std::string file;
  std::optional<std::string> layer;
};
template <class V>
void describe(V&& v, PointsConfig& c) {
  v("file", c.file, "vector file with points"); v("layer", c.layer, "its layer");
}
struct SampleConfig {
  std::int64_t count = 0;
  std::uint64_t seed = 1;
  double min_distance_m = 0;
  std::vector<std::string> stratify;
};
template <class V>
void describe(V&& v, SampleConfig& c) {
  v("count", c.count, "locations to keep", at_least(1)); v("seed", c.seed, "seed of the hash");
  v("min_distance_m", c.min_distance_m, "least distance between picks", at_least(0));
  v("stratify", c.stratify, "columns to balance over");
}
struct ViewsConfig {
  int patch_px = 128;
  index::Placement placement = index::Placement::best_phase;
  std::vector<std::string> sources;                   ///< empty = all
  int min_views = 1, max_views = 0;
  double max_cloud_frac = 0.1, min_days_apart = 0;
  std::vector<index::Period> periods;                 ///< written as a list, or `seasons`
  std::vector<index::PairRule> pairs;
  std::optional<SampleConfig> sample;
  std::optional<PointsConfig> points;
};
template <class V>
void describe(V&& v, ViewsConfig& c) {
  v("patch_px", c.patch_px, "edge of a square patch, pixels of the grid", between(8, 8192));
  v("placement", c.placement, "lattice, best_phase, shelf, whole or points");
  v("sources", c.sources, "sources that are seen; default: all");
  v("min_views", c.min_views, "keep locations seen by at least this many acquisitions", at_least(1));
  v("max_views", c.max_views, "keep at most so many views, spread over time; 0 = all", at_least(0));
  v("max_cloud_frac", c.max_cloud_frac, "reject a view cloudier than this, fraction of pixels", between(0, 1));
  v("min_days_apart", c.min_days_apart, "least days between views of one source; 0 = no rule", at_least(0));
  v("periods", c.periods, "one view a period and source: seasons, or a list of {name, from, to}");
  v("pairs", c.pairs, "views of several sources that belong together");
  v("sample", c.sample, "keep only some locations, chosen by hash");
  v("points", c.points, "placement points: where the windows are");
}

/// A series `<source>_<name>` of channels that are computed from a band of a source.
struct DerivedConfig {
  std::string source, name;
  std::optional<std::string> band;
  std::vector<std::string> channels;
};
template <class V>
void describe(V&& v, DerivedConfig& c) {
  v("source", c.source, "source that the channels are computed from");
  v("name", c.name, "the channels become the source <source>_<name>");
  v("band", c.band, "one of its bands; default: the first");
  v("channels", c.channels, "minmax, robust, relief_<px>, slope, hillshade, above_<source>");
}

struct ExtractConfig {
  geometry::Resampling resampling = geometry::Resampling::bilinear;
  std::vector<DerivedConfig> derived;
  int shard_mb = 512;
};
template <class V>
void describe(V&& v, ExtractConfig& c) {
  v("resampling", c.resampling, "nearest, bilinear, cubic or average, for tiles that do not lie on the grid");
  v("derived", c.derived, "channels derived from a source, such as relief and slope of an elevation model");
  v("shard_mb", c.shard_mb, "size of a shard, MiB", between(1, 16384));
}

struct SplitTable {
  std::string file, key = "file", value = "split";
  NamedList<std::string> parts;
};
template <class V>
void describe(V&& v, SplitTable& c) {
  v("file", c.file, "CSV with a person's own split"); v("key", c.key, "its column with the file");
  v("value", c.value, "its column with the part"); v("parts", c.parts, "names of parts in the file: train, val or test");
}
struct Fractions {
  double train = 0.7, val = 0.15, test = 0.15;
};
template <class V>
void describe(V&& v, Fractions& c) {
  v("train", c.train, "share of blocks", between(0, 1)); v("val", c.val, "share of blocks", between(0, 1));
  v("test", c.test, "share of blocks", between(0, 1));
}
struct SplitSection {
  index::SplitUnit unit = index::SplitUnit::block;
  double block_m = 1000, guard_m = 0;
  Fractions fractions;
  std::uint64_t seed = 0;
  bool stratify = false;
  std::optional<SplitTable> table;
};
template <class V>
void describe(V&& v, SplitSection& c) {
  v("unit", c.unit, "block, acquisition or component: what is never separated");
  v("block_m", c.block_m, "edge of a block, metres", above(0));
  v("guard_m", c.guard_m, "least distance between parts, metres", at_least(0));
  v("fractions", c.fractions, "shares of train, val and test; they add up to 1");
  v("seed", c.seed, "seed of the hash");
  v("stratify", c.stratify, "blocks are given to parts so that each class of the layers and targets has its share in each; frozen at the first split");
  v("table", c.table, "a person's own list");
}

struct SubsetConfig {
  std::optional<std::string> where, by;
  std::optional<std::int64_t> top;
  std::vector<std::int64_t> draw;
  std::uint64_t seed = 1;
  std::optional<std::string> stratify;
};
template <class V>
void describe(V&& v, SubsetConfig& c) {
  v("where", c.where, "rule such as combined >= 0.6"); v("top", c.top, "the best so many, of those that match where", at_least(1));
  v("by", c.by, "metric that top ranks by; default: combined");
  v("draw", c.draw, "nested draws of train: each n makes the subset NAME_n, the smaller within the larger");
  v("seed", c.seed, "seed of draw");
  v("stratify", c.stratify, "top and draw take from all strata alike: zone, or a metric or column in four ranges");
}
struct CurateModel {
  std::optional<std::string> source, run;
  int width = 16, epochs = 20, batch = 8, seeds = 1;
  double lr = 1e-3;
  std::uint64_t seed = 1;
};
template <class V>
void describe(V&& v, CurateModel& c) {
  v("source", c.source, "source that the UNet sees; default: curate.source");
  v("run", c.run, "segment run of this job whose network, optimizer, schedule and dataset the folds take in place of the small UNet; width, epochs, batch and lr are then its own");
  v("width", c.width, "UNet: channels of the first level", at_least(2)); v("epochs", c.epochs, "passes over the folds", at_least(1));
  v("batch", c.batch, "samples a step", at_least(1)); v("lr", c.lr, "learning rate", above(0)); v("seed", c.seed, "seed");
  v("seeds", c.seeds, "models of each fold, with seeds from seed on, whose probabilities are averaged; model_spread tells how far they differ", between(1, 100));
}
/// What is proposed in the layer <layer>_repaired; the layer itself stays.
struct RepairConfig {
  bool shift = true, snap = true, add = true, remove = true;
  double pixels = 0;
};
template <class V>
void describe(V&& v, RepairConfig& c) {
  v("shift", c.shift, "move objects onto what the models and the edges show");
  v("snap", c.snap, "move outlines in or out to what the models and the edges show");
  v("add", c.add, "add predicted objects that the label lacks");
  v("remove", c.remove, "remove objects that no evidence supports");
  v("pixels", c.pixels, "take over pixels of which the models are this sure; 0 = none", between(0, 1));
}
/// What `curate --evaluate` trains on each kind of labels, as curate.model says; judged on test by the clean ones.
struct EvaluateNetwork {
  std::int64_t steps = 300, few = 45;
  int epochs = 5;
};
template <class V>
void describe(V&& v, EvaluateNetwork& c) {
  v("steps", c.steps, "steps of each network where steps are equal", between(1, 100000));
  v("epochs", c.epochs, "passes over its labels where epochs are equal", between(1, 10000));
  v("few", c.few, "locations of the small sets: random, curated, clean", at_least(1));
}
/// Noise that `curate --evaluate` puts into the labels, which count as clean.
struct EvaluateNoise {
  std::vector<std::string> kinds;                     ///< empty = all
  double noisy_frac = 0.6;
  int draws = 3;
  std::uint64_t seed = 1;
  std::optional<EvaluateNetwork> network;
};
template <class V>
void describe(V&& v, EvaluateNoise& c) {
  v("kinds", c.kinds, "drop, shift, rotate, dilate, erode, add, swap, truncate; default: all that the layer allows");
  v("noisy_frac", c.noisy_frac, "share of locations that are damaged", between(0.05, 0.95));
  v("draws", c.draws, "draws of noise, each with models of its own", between(1, 100));
  v("seed", c.seed, "seed of the first draw");
  v("network", c.network, "also train a network on noisy, curated, repaired and clean labels of train, and judge it on test");
}
struct CurateConfig {
  std::vector<std::string> layers, scores;
  std::optional<std::string> source, compare;         ///< source: image for scores; default: first of views
  CurateModel model;
  int folds = 4, reach_px = 8;
  std::optional<RepairConfig> repair;
  EvaluateNoise evaluate;
  NamedList<double> weights;
  NamedList<SubsetConfig> subsets;
};
template <class V>
void describe(V&& v, CurateConfig& c) {
  v("layers", c.layers, "layers whose labels are scored");
  v("scores", c.scores, "scores to compute; see the manual of curate for their table");
  v("source", c.source, "source whose pixels the scores look at; default: the first of views.sources");
  v("compare", c.compare, "another layer of the same objects: for label_agreement");
  v("model", c.model, "small UNet for out-of-fold predictions");
  v("folds", c.folds, "number of folds", between(2, 20));
  v("reach_px", c.reach_px, "longest shift that scores and repairs look for, pixels in each axis", between(1, 64));
  v("repair", c.repair, "propose repaired labels as the layer <layer>_repaired");
  v("evaluate", c.evaluate, "noise of curate --evaluate");
  v("weights", c.weights, "weight of each metric in combined");
  v("subsets", c.subsets, "named subsets: {where: ...}, {top: n, by: metric} or {draw: [10, 50]}");
}

struct DatasetInput {
  std::string source;
  std::vector<std::string> bands;                     ///< empty = all
};
/// A source's name, or {source, bands}: the loader reads both.
template <class V>
void describe(V&& v, DatasetInput& c) {
  v("source", c.source, "source"); v("bands", c.bands, "some of its bands; default: all");
}
struct DatasetConfig {
  std::vector<DatasetInput> inputs;
  std::optional<std::string> target, judge, subset, match;   ///< match: nullopt = any without dates, else the label's period holds the view
  std::string views = "each", normalize = "standard";
  std::optional<int> match_days;
};
template <class V>
void describe(V&& v, DatasetConfig& c) {
  v("inputs", c.inputs, "sources, stacked on the channel axis");
  v("target", c.target, "a layer, or a target with one value a location");
  v("judge", c.judge, "a layer that val and test are measured against; default: the target");
  v("subset", c.subset, "a subset that filters train");
  v("views", c.views, "how several views of a location are used", one_of({"each", "latest", "best", "all", "pairs"}));
  v("match", c.match, "how dated labels meet views; default: any without dates, else the label's period holds the view", one_of({"any", "same_year", "nearest_date", "mean"}));
  v("match_days", c.match_days, "nearest_date: most days apart", at_least(0));
  v("normalize", c.normalize, "how pixels are scaled",
    one_of({"standard", "robust", "mean2sigma", "reflectance", "sar_db", "minmax_local", "max_local", "none"}));
}

/// What the report of supervised runs shows beside their numbers.
struct EvaluateConfig {
  std::vector<std::string> by;
  int worst = 6;
};
template <class V>
void describe(V&& v, EvaluateConfig& c) {
  v("by", c.by, "columns that scores are grouped by: zone, year, month, tile, component, view_count, cloud_frac, positive_frac, ignore_frac, object_count, share_CLASS, a target or a score; numbers in four ranges");
  v("worst", c.worst, "worst samples of each run to show, and pairs of classes most often confused", between(0, 100));
}
struct PredictConfig {
  std::string run;
  std::optional<std::string> source;
  int overlap_px = 16, batch = 8;
  bool probabilities = false, polygons = false;
};
template <class V>
void describe(V&& v, PredictConfig& c) {
  v("run", c.run, "run whose weights predict"); v("source", c.source, "source whose tiles are predicted; default: the run's");
  v("overlap_px", c.overlap_px, "overlap of neighbouring windows, pixels", at_least(0));
  v("batch", c.batch, "windows at once", at_least(1));
  v("probabilities", c.probabilities, "also write a float32 band a class");
  v("polygons", c.polygons, "also write polygons");
}

struct LimitsConfig {
  std::string memory;                                 ///< "4G"; empty = half of RAM
  int threads = 0;                                    ///< 0 = all cores
  std::optional<std::string> tmpdir, max_bad;
  bool untrusted = false, isolate = false, network = false, vrt = false;
  std::vector<std::string> vsi;
};
template <class V>
void describe(V&& v, LimitsConfig& c) {
  v("memory", c.memory, "most memory, such as 4G; default: half of RAM"); v("threads", c.threads, "threads; 0 = all cores", at_least(0));
  v("tmpdir", c.tmpdir, "scratch folder; default: <workspace>/.tmp"); v("max_bad", c.max_bad, "fail if more inputs are bad, such as 5%");
  v("untrusted", c.untrusted, "ignore side-car files"); v("isolate", c.isolate, "decode in a child process");
  v("network", c.network, "allow network"); v("vsi", c.vsi, "allow archives: zip, tar"); v("vrt", c.vrt, "allow VRT files");
}

struct Job {
  std::filesystem::path file;                         ///< absolute path of the job file
  std::string workspace_text;                         ///< as written
  NamedList<std::string> roots;
  NamedList<SourceConfig> sources;
  GridConfig grid;
  std::optional<ViewsConfig> views;
  ExtractConfig extract;
  NamedList<LayerConfig> layers;
  NamedList<TargetConfig> targets;
  std::optional<SplitSection> split;
  std::optional<CurateConfig> curate;
  NamedList<DatasetConfig> datasets;
  NamedList<learn::RunConfig> runs;                   ///< members of grids in place of the run that had one
  std::vector<Experiment> experiments;                ///< runs that had a grid; no section of their own
  std::optional<EvaluateConfig> evaluate;
  std::optional<PredictConfig> predict;
  LimitsConfig limits;

  [[nodiscard]] std::filesystem::path folder() const { return file.parent_path(); }
  [[nodiscard]] std::filesystem::path workspace() const;  ///< absolute
  [[nodiscard]] std::filesystem::path scratch() const;    ///< absolute: limits.tmpdir, else <workspace>/.tmp
  /// Absolute path of "root:relative", or of a path below the job file's folder.
  [[nodiscard]] std::filesystem::path resolve(const std::string& path) const;
  /// Sources that views see, in order; all if `views.sources` is empty.
  [[nodiscard]] std::vector<std::string> view_sources() const;
  [[nodiscard]] const SourceConfig& source(const std::string& name) const;
};
/// Layer of which `name` is the repaired version (`curate.repair`); nullopt: it is none.
std::optional<std::string> repaired_from(const Job& job, const std::string& name);
/// True for a run that a grid has made.
bool is_member(const Job& job, const std::string& run);
/// Names of the subsets that curate writes: a draw makes NAME_n for each n.
std::vector<std::string> subset_names(const CurateConfig& curate);

template <class V>
void describe(V&& v, Job& c) {
  v("workspace", c.workspace_text, "folder for everything that the job makes");
  v("roots", c.roots, "named folders: root `data` is written data:path");
  v("sources", c.sources, "one entry a sensor or product");
  v("grid", c.grid, "the pixel grid of all patches");
  v("views", c.views, "where patches lie and who sees them");
  v("extract", c.extract, "how patches are cut");
  v("layers", c.layers, "label layers: one mask a location each");
  v("targets", c.targets, "one value a location each");
  v("split", c.split, "train, val and test without leakage");
  v("curate", c.curate, "scores of labels and subsets by rule");
  v("datasets", c.datasets, "what trainers read");
  v("runs", c.runs, "trainings, in order");
  v("evaluate", c.evaluate, "what is shown of supervised runs beside their numbers");
  v("predict", c.predict, "maps of whole scenes");
  v("limits", c.limits, "memory, threads and trust");
}

}  // namespace tilewright::pipeline
