// SPDX-License-Identifier: Apache-2.0
// The loader of job files: every form, every trap of YAML, every error with its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "pipeline/commands/init_text.h"
#include "tests/pipeline/job_text.h"

namespace tilewright::pipeline {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string with(const std::string& more) { return kSmallJob + more; }

TEST(LoadJob, ReadsTheSmallestJobWithDefaults) {
  const auto job = load_text(kSmallJob);
  ASSERT_EQ(job.sources.size(), 1U);
  EXPECT_EQ(job.sources[0].first, "naip");
  EXPECT_EQ(job.sources[0].second.files, std::vector<std::string>{"*.tif"});
  EXPECT_EQ(job.sources[0].second.nodata.mode, NodataMode::declared);
  EXPECT_FALSE(job.views);
  EXPECT_EQ(job.extract.resampling, geometry::Resampling::bilinear);
  EXPECT_EQ(job.workspace(), job.folder() / "work");
}

TEST(LoadJob, ReadsEveryFormOfAUnion) {
  const auto job = load_text(R"(
workspace: work
roots: {data: in}
sources:
  a:
    files: [data:a/*.tif, data:b/*.tif]
    bands: {red: _B4, nir: _B5}
    nodata: {red: 0, nir: nan}
    area: [5.5, 45, 6, 46]
    between: [2010-01-01, 2019-12-31]
    quality: [{band: QA, reject_bits: [4]}, {files: 'data:q/*.tif', match: '_(\d+)', reject_values: [1, 2]}]
  b: {files: data:c.tif, bands: [x, y], nodata: -9999.5, area: data:area.gpkg, quality: {band: QA, reject_bits: [3, 4]}}
grid: {resolution_m: 1e1, origin_m: [500000.5, 0]}
views: {sources: a}
layers:
  one: {vector: data:v.gpkg, class: {field: nature, values: {Route: 2, 'Autoroute 2x2': 3}}, extent: hull}
  two: {raster: data:r.tif, values: {0: ignore, 5: 1}, extent: data:where.geojson, classes: {1: {name: forest}}}
datasets:
  d: {inputs: [a, {source: a, bands: [red]}]}
  e: {inputs: a}
)");
  const auto& a = job.sources[0].second;
  EXPECT_EQ(a.bands[1].path_suffix, "_B5");
  EXPECT_EQ(a.nodata.per_band[0].second.value, 0);
  EXPECT_TRUE(std::isnan(a.nodata.per_band[1].second.value));
  EXPECT_EQ((*a.area->bounds)[3], 46);
  EXPECT_EQ((*a.between)[1], "2019-12-31");
  ASSERT_EQ(a.quality.size(), 2U);
  EXPECT_EQ(a.quality[1].reject_values, (std::vector<std::int64_t>{1, 2}));
  const auto& b = job.sources[1].second;
  EXPECT_EQ(b.nodata.value, -9999.5);
  EXPECT_EQ(b.area->file, "data:area.gpkg");
  EXPECT_EQ(b.quality.at(0).reject_bits, (std::vector<int>{3, 4}));
  EXPECT_EQ((*job.grid.origin_m)[0], 500000.5);
  EXPECT_EQ(job.grid.resolution_m, 10);
  EXPECT_EQ(job.views->sources, std::vector<std::string>{"a"});
  EXPECT_EQ(job.layers[0].second.class_rule.by_field->values[1], (std::pair<std::string, int>{"Autoroute 2x2", 3}));
  EXPECT_EQ(job.layers[0].second.extent.kind, ExtentKind::hull);
  EXPECT_EQ(job.layers[1].second.extent.file, "data:where.geojson");
  EXPECT_EQ(job.layers[1].second.values->at(0), (std::pair<std::string, std::string>{"0", "ignore"}));
  EXPECT_EQ(job.datasets[0].second.inputs[1].bands, std::vector<std::string>{"red"});
  EXPECT_EQ(job.datasets[1].second.inputs[0].source, "a");
  EXPECT_EQ(job.resolve("data:a/1.tif"), job.folder() / "in/a/1.tif");
  EXPECT_EQ(job.resolve("x.tif"), job.folder() / "x.tif");
}

TEST(LoadJob, TakesAnEmptyValueAsNotThere) {
  const auto job = load_text(with("views: {sample: null, points: ~}\nsplit:\nlimits:\nlayers:\n"));
  EXPECT_TRUE(job.views);
  EXPECT_FALSE(job.views->sample);
  EXPECT_FALSE(job.split);
}

TEST(LoadJob, TellsEveryErrorAtOnceWithItsPlace) {
  const auto text = problems_of(R"(workspace: work
sources:
  naip:
    fils: '*.tif'
    max_cloud_frac: 1.5
grid: {resolution_m: 0}
views: {patch_px: ten, min_views: 0}
)");
  EXPECT_THAT(text, HasSubstr("job.yaml:4:5: sources.naip.fils: unknown key; did you mean files?"));
  EXPECT_THAT(text, HasSubstr("job.yaml:5:21: sources.naip.max_cloud_frac: is '1.5', expected at least 0 and at most 1"));
  EXPECT_THAT(text, HasSubstr("job.yaml:6:22: grid.resolution_m: is '0', expected more than 0"));
  EXPECT_THAT(text, HasSubstr("job.yaml:7:19: views.patch_px: is 'ten', expected a whole number"));
  EXPECT_THAT(text, HasSubstr("job.yaml:7:35: views.min_views: is '0', expected at least 1"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
}

TEST(LoadJob, RefusesDuplicateKeysWithBothPlaces) {
  EXPECT_THAT(problems_of(with("grid: {resolution_m: 1}\nviews: {}\ngrid: {resolution_m: 2}\n")),
              HasSubstr("job.yaml:6:1: grid: this key was given already at line 4, column 1"));
}

TEST(LoadJob, RefusesMergeKeysTagsAndBadSyntax) {
  EXPECT_THAT(problems_of("workspace: w\nsources:\n  a: &a {files: '*.tif'}\n  b: {<<: *a}\n"), HasSubstr("job.yaml:4:7: sources.b.<<: merge keys"));
  EXPECT_THAT(problems_of("workspace: !!str w\nsources: {a: {files: x}}\n"), HasSubstr("the tag tag:yaml.org,2002:str is not used"));
  EXPECT_THAT(problems_of("workspace: [w\nsources: {}\n"), HasSubstr("this is not YAML"));
  EXPECT_THAT(problems_of(with("---\nworkspace: other\n")), HasSubstr("a second YAML document"));
  EXPECT_THAT(problems_of("- a\n- b\n"), HasSubstr("job.yaml:1:1: is a list, expected a mapping"));
  EXPECT_THAT(problems_of(""), HasSubstr("workspace: is missing"));
}

struct Scalar {
  const char* yaml;
  const char* problem;  ///< "" = accepted
};
class ScalarForm : public ::testing::TestWithParam<Scalar> {};

TEST_P(ScalarForm, IsReadStrictly) {
  const auto text = problems_of(with(std::string("views: {") + GetParam().yaml + "}\n"));
  if (*GetParam().problem) EXPECT_THAT(text, HasSubstr(GetParam().problem));
  else EXPECT_THAT(text, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Traps, ScalarForm,
                         ::testing::Values(Scalar{"patch_px: 010", "leading zeros"}, Scalar{"patch_px: 0x10", "decimal"}, Scalar{"patch_px: 1e3", ""},
                                           Scalar{"patch_px: 64.0", ""}, Scalar{"patch_px: 64.5", "a whole number"}, Scalar{"patch_px: '64'", "remove the quotes"},
                                           Scalar{"patch_px: 1_000", "underscores"}, Scalar{"patch_px: 99999999999", "whole number between"},
                                           Scalar{"patch_px: -64", "at least 8"}, Scalar{"patch_px: true", "a whole number"}, Scalar{"patch_px: [64]", "is a list"},
                                           Scalar{"max_cloud_frac: .5", ""}, Scalar{"max_cloud_frac: .nan", "a finite number"},
                                           Scalar{"max_cloud_frac: .inf", "a finite number"}, Scalar{"max_cloud_frac: 0,5", "views.5: unknown key"},
                                           Scalar{"placement: best_fase", "did you mean best_phase?"}, Scalar{"patch_px: ", "is empty"}));

TEST(LoadJob, ReadsOnlyTrueAndFalseAsFlags) {
  for (const char* word : {"yes", "no", "on", "off", "True", "y", "1", "'true'"})
    EXPECT_THAT(problems_of(with(std::string("limits: {untrusted: ") + word + "}\n")), HasSubstr("limits.untrusted: is")) << word;
  EXPECT_TRUE(load_text(with("limits: {untrusted: true}\n")).limits.untrusted);
}

TEST(LoadJob, StopsAliasBombsAndDepth) {
  std::string bomb = "workspace: w\nroots:\n  x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n";
  for (int i = 1; i < 12; ++i) {
    const auto before = std::to_string(i - 1);
    bomb += "  x" + std::to_string(i) + ": &x" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += "*x" + before + (k < 9 ? ", " : "]\n");
  }
  EXPECT_THAT(problems_of(bomb), HasSubstr("more than 100000 values"));
  EXPECT_THAT(problems_of("workspace: w\nsources: &s {a: *s}\n"), Not(IsEmpty()));
  EXPECT_THAT(problems_of("workspace: " + std::string(200, '[') + std::string(200, ']')), HasSubstr("nested deeper"));
  EXPECT_THAT(problems_of("workspace: " + std::string(100000, '[')), Not(IsEmpty()));
}

TEST(LoadJob, FollowsAliasesOfWholeValues) {
  const auto job = load_text("workspace: w\nsources:\n  a: {files: a.tif, bands: &b [red, nir]}\n  c: {files: c.tif, bands: *b}\n");
  EXPECT_EQ(job.sources[1].second.bands[1].name, "nir");
}

TEST(LoadJob, ChecksNamesAcrossSections) {
  const auto text = problems_of(R"(
workspace: work
roots: {data: d}
sources:
  naip: {files: 'dta:x/*.tif', group: '(unclosed', date: {fixed: 2016-13-01, name: '(\d+)'}}
views: {sources: [nap]}
layers: {naip: {vector: data:v.gpkg}, roads: {vector: /abs/r.gpkg, draw: lines}}
split: {fractions: {train: 0.7, val: 0.2, test: 0.2}}
curate: {layers: [road], subsets: {clean: {where: 'combined >='}}}
datasets: {town: {inputs: [naipp], target: buildings, subset: cleen}}
runs:
  second: {dataset: twn, model: {name: unett, encoder: {run: third}}}
  third: {dataset: town, recipe: segmant}
predict: {run: secnd}
limits: {memory: lots, max_bad: many}
)");
  for (const char* wanted :
       {"'dta:x/*.tif' names the root 'dta', which is not under roots: (data); did you mean data?", "sources.naip.group: '(unclosed' is not an ECMAScript",
        "sources.naip.date: has name and fixed; keep exactly one way", "views.sources.0: there is no source 'nap'; did you mean naip?",
        "layers.naip: a source has this name too", "layers.roads.vector: '/abs/r.gpkg' is absolute", "layers.roads: draw: lines needs width",
        "split.fractions: train, val and test add up to 1.100, expected 1", "curate.layers.0: there is no layer 'road'; did you mean roads?",
        "curate.subsets.clean.where:", "datasets.town.inputs.0: there is no source of views 'naipp'", "datasets.town.target: there is no layer or target 'buildings'",
        "datasets.town.subset: there is no subset under curate.subsets 'cleen'; did you mean clean?", "runs.second.dataset: there is no dataset 'twn'; did you mean town?",
        "runs.second.model.name: there is no model 'unett'; did you mean unet?", "runs.second.model.encoder.run: the run 'third' does not stand before this one",
        "runs.third.recipe: there is no recipe 'segmant'; did you mean segment?", "predict.run: there is no run 'secnd'; did you mean second?",
        "limits.memory: 'lots' is not a size", "limits.max_bad: is 'many'"})
    EXPECT_THAT(text, HasSubstr(wanted));
}

TEST(LoadJob, ChecksWhatCurationIsAskedFor) {
  const std::string head = "workspace: w\nsources: {dsm: {files: d.tif}}\nviews: {}\nlayers: {houses: {vector: v.gpkg}, houses_repaired: {vector: w.gpkg}}\n";
  const auto text = problems_of(head + R"(
curate:
  layers: [houses]
  scores: [sofmin, label_agreement, missing_objects]
  weights: {model_io: 1}
  model: {source: dsn}
  compare: roads
  repair: {shift: true}
  evaluate: {kinds: [drop, shfit]}
  subsets:
    few: {draw: [10, 5]}
    both: {draw: [5], top: 3}
    lone: {where: 'combined > 0', stratify: zone}
    unknown: {where: 'softmn > 0 and view_cont > 1', top: 3, by: model_iou, stratify: zoen}
datasets: {a: {inputs: [dsm], judge: houses}, b: {inputs: [dsm], target: houses, judge: hauses, subset: few_50}}
)");
  for (const char* wanted :
       {"curate.scores.0: there is no score 'sofmin'; did you mean softmin?", "missing_objects takes its folds from blocks of the split", "curate.weights.model_io: there is no score 'model_io'",
        "curate.model.source: there is no source of views 'dsn'", "curate.compare: there is no layer 'roads'", "curate.repair: makes the layer houses_repaired, but a layer or source has this name",
        "curate.evaluate.kinds.1: there is no kind of noise 'shfit'; did you mean shift?", "curate.subsets.few.draw.1: is 5; numbers of locations must be 1 or more and grow",
        "curate.subsets.both.top: cannot be drawn from", "curate.subsets.lone.stratify: is used only with top or draw", "curate.subsets.unknown.where: there is no score in curate.scores or column 'softmn'",
        "column 'view_cont'; did you mean view_count?", "curate.subsets.unknown.by: there is no score in curate.scores 'model_iou'", "curate.subsets.unknown.stratify: there is no score in curate.scores or column 'zoen'; did you mean zone?", "datasets.a.judge: is used only with a layer as target",
        "datasets.b.judge: there is no layer 'hauses'; did you mean houses?", "datasets.b.subset: there is no subset under curate.subsets 'few_50'"})
    EXPECT_THAT(text, HasSubstr(wanted));
  EXPECT_THAT(problems_of(head + "curate: {layers: [houses], scores: [label_agreement]}\n"), HasSubstr("label_agreement needs a second layer"));
  EXPECT_THAT(problems_of(head + "curate: {layers: [houses], scores: [model_spread]}\n"), HasSubstr("model_spread compares models of several seeds; set curate.model.seeds to 2 or more"));
  const auto folds = problems_of(head + R"(split: {unit: block, block_m: 100}
curate: {layers: [houses], scores: [model_iou], model: {run: warm, source: dsm}}
datasets: {a: {inputs: [dsm]}}
runs:
  first: {dataset: a, recipe: mae, model: {name: vit_tiny}}
  warm: {dataset: a, recipe: mae, model: {name: vit_tiny}, init: {run: first}}
)");
  for (const char* wanted : {"curate.model.run: warm has the recipe mae, but folds need one that decides pixels: segment", "curate.model.run: warm starts from other weights", "curate.model.source: is that of the dataset of the run warm; leave it out",
                             "curate.model.run: warm learns no target, but curate.layers has houses"})
    EXPECT_THAT(folds, HasSubstr(wanted));
  EXPECT_THAT(problems_of(head + "curate: {layers: [houses], scores: [model_iou], model: {run: wram}}\nsplit: {unit: block, block_m: 100}\n"), HasSubstr("curate.model.run: there is no run 'wram'"));
  const std::string good = "workspace: w\nsources: {dsm: {files: d.tif}}\nviews: {}\nsplit: {}\nlayers: {houses: {vector: v.gpkg}}\n";
  EXPECT_EQ(problems_of(good + "curate: {layers: [houses], repair: {}, subsets: {few: {draw: [2, 4], where: 'combined > 0', stratify: zone}}}\n"
                               "datasets: {a: {inputs: [dsm], target: houses_repaired, judge: houses, subset: few_4}}\n"), "");
}

TEST(LoadJob, SeasonsAreFourPeriodsByMonths) {
  const auto job = load_text(with("views: {periods: seasons, min_views: 4}\n"));
  ASSERT_EQ(job.views->periods.size(), 4U);
  EXPECT_EQ(job.views->periods[0], (index::Period{"dec_feb", "12-01", "02-29"}));
  const auto own = load_text(with("views: {periods: [{name: wet, from: 11-01, to: 03-15}, {name: dry, from: 03-16, to: 10-31}]}\n"));
  EXPECT_EQ(own.views->periods[1], (index::Period{"dry", "03-16", "10-31"}));
}

TEST(LoadJob, RefusesPeriodsThatCannotBeFilled) {
  const auto text = problems_of(with("views: {min_views: 5, min_days_apart: 3, periods: [{name: a, from: 01-01, to: 02-30}, {name: b, from: 11-01, to: 02-01}, "
                                     "{name: b, from: 01-31, to: 05-01}, {name: c, from: 2020-05-02, to: 2020-05-01}]}\n"));
  for (const char* wanted : {"views.periods.0: '02-30' is no date", "views.periods.2.name: is 'b' twice", "views.periods.2: b shares days with b", "views.periods.3: ends on 2020-05-01",
                             "views.min_days_apart: periods choose one view each", "views.min_views: is 5, but only 4 periods"})
    EXPECT_THAT(text, HasSubstr(wanted));
  EXPECT_THAT(problems_of(with("views: {periods: [{name: a, from: 01-01, to: 02-01}, {name: b, from: 2020-05-02, to: 2020-06-01}]}\n")), HasSubstr("cannot be mixed"));
}

TEST(LoadJob, RefusesPairsOfSourcesThatAreNotSeen) {
  const std::string sources = "workspace: w\nsources: {s1: {files: a}, s2: {files: b}, dem: {files: c}}\n";
  EXPECT_EQ(problems_of(sources + "views: {sources: [s1, s2], pairs: [{anchor: s2, partner: s1, max_days: 5}]}\n"), "");
  const auto text = problems_of(sources + "views: {pairs: [{anchor: s2, partner: s3}, {anchor: s1, partner: s1}]}\n");
  for (const char* wanted : {"views.pairs.0.partner: there is no source of views 's3'", "views.pairs.1.partner: is the anchor itself", "views.pairs.1.anchor: is s1, and s2 before",
                             "views.pairs: dem is seen and in no pair"})
    EXPECT_THAT(text, HasSubstr(wanted));
}

TEST(LoadJob, RefusesWhatCannotBe) {
  EXPECT_THAT(problems_of("workspace: w\n"), HasSubstr("the job has no source"));
  EXPECT_THAT(problems_of(with("split: {}\n")), HasSubstr("split: needs locations, but the job has no views"));
  EXPECT_THAT(problems_of(with("views: {}\nsplit: {unit: component, stratify: true}\n")), HasSubstr("split.stratify: balances classes over blocks; use it with unit: block"));
  EXPECT_THAT(problems_of(with("views: {min_views: 3, max_views: 2}\n")), HasSubstr("views.max_views: is 2, less than min_views 3"));
  EXPECT_THAT(problems_of(with("grid: {zone: 32633}\n")), HasSubstr("expected auto or a code such as EPSG:32633"));
  EXPECT_THAT(problems_of("workspace: w\nsources: {Na-ip: {files: x}}\n"), HasSubstr("may hold only a-z, 0-9 and _"));
  EXPECT_THAT(problems_of("workspace: w\nsources: {a: {files: x, date: {name: 'no capture'}}}\n"), HasSubstr("captures nothing"));
  EXPECT_THAT(problems_of(with("views: {}\nlayers: {b: {vector: v.gpkg, classes: {1: {name: b, color: #c33}}}}\n")), Not(IsEmpty()));
}

TEST(LoadJob, LetsFlagsWinOverSetsOverEnvironmentOverFile) {
  const auto yaml = with("limits: {memory: 1G, threads: 1}\nviews: {}\n");
  ::setenv("TILEWRIGHT_LIMITS_MEMORY", "2G", 1);
  ::setenv("TILEWRIGHT_VIEWS_PATCH_PX", "32", 1);
  ::setenv("TILEWRIGHT_SOURCES_NAIP_FILES", "[a.tif, b.tif]", 1);
  const auto by_environment = load_text(yaml);
  const auto by_set = load_text(yaml, {.sets = {"limits.memory=3G", "views.patch_px=16"}, .roots = {}, .flags = {}});
  const auto by_flag = load_text(yaml, {.sets = {"limits.memory=3G"}, .roots = {}, .flags = {{"--memory", "limits.memory", "4G"}}});
  ::setenv("TILEWRIGHT_LIMITS_MEMROY", "2G", 1);
  const auto misspelt = problems_of(yaml);
  for (const char* name : {"TILEWRIGHT_LIMITS_MEMORY", "TILEWRIGHT_VIEWS_PATCH_PX", "TILEWRIGHT_SOURCES_NAIP_FILES", "TILEWRIGHT_LIMITS_MEMROY"}) ::unsetenv(name);
  EXPECT_EQ(by_environment.limits.memory, "2G");
  EXPECT_EQ(by_environment.views->patch_px, 32);
  EXPECT_EQ(by_environment.sources[0].second.files.size(), 2U);
  EXPECT_EQ(by_set.limits.memory, "3G");
  EXPECT_EQ(by_set.views->patch_px, 16);
  EXPECT_EQ(by_flag.limits.memory, "4G");
  EXPECT_THAT(misspelt, HasSubstr("environment TILEWRIGHT_LIMITS_MEMROY: no key of this job"));
}

TEST(LoadJob, SetsReachIntoListsAndNamedMaps) {
  const auto yaml = "workspace: w\nsources: {a: {files: [x.tif, y.tif]}}\nviews: {}\n";
  const auto job = load_text(yaml, {.sets = {"sources.a.files.1=z.tif", "datasets.new.inputs=[a]", "extract.shard_mb=64"}, .roots = {}, .flags = {}});
  EXPECT_EQ(job.sources[0].second.files[1], "z.tif");
  EXPECT_EQ(job.datasets[0].first, "new");
  EXPECT_EQ(job.extract.shard_mb, 64);
  const auto refused = [&](const std::string& set) { return problems_of(yaml, {.sets = {set}, .roots = {}, .flags = {}}); };
  EXPECT_THAT(refused("extract.shard_md=64"), HasSubstr("--set: extract.shard_md: unknown key; did you mean shard_mb?"));
  EXPECT_THAT(refused("extrat.shard_mb=64"), HasSubstr("--set: extrat: unknown key; did you mean extract?"));
  EXPECT_THAT(refused("sources.a.files.7=z.tif"), HasSubstr("has 2 entries"));
  EXPECT_THAT(refused("workspace.x=1"), HasSubstr("not a mapping"));
  EXPECT_THAT(refused("nonsense"), HasSubstr("expected key.path=VALUE"));
  EXPECT_THAT(refused("extract.shard_mb=0x40"), HasSubstr("--set: extract.shard_mb: is '0x40'"));
}

TEST(LoadJob, RootsOfTheCommandLineReplaceThoseOfTheFile) {
  const auto job = load_text("workspace: w\nroots: {data: in}\nsources: {a: {files: data:x.tif}}\n", {.sets = {}, .roots = {{"data", "/elsewhere"}}, .flags = {}});
  EXPECT_EQ(job.resolve("data:x.tif"), "/elsewhere/x.tif");
}

TEST(LoadJob, NamesAMissingFile) {
  try {
    load_job("no/such/job.yaml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("no/such/job.yaml does not exist"));
  }
}

TEST(LoadJob, DumpLoadsAsTheSameJob) {
  const JobFolder folder;
  const auto first = load_job(folder.write("job.yaml", kInitText));
  const auto dumped = dump_job(first);
  const auto second = load_job(folder.write("again.yaml", dumped));
  EXPECT_EQ(dump_job(second), dumped);
  for (const char* section : {"sources", "views", "layers", "split", "curate", "datasets", "runs", "predict", "grid", "extract.resampling"})
    EXPECT_EQ(section_json(first, section), section_json(second, section)) << section;
}

TEST(LoadJob, TheJobOfInitIsRightAndBuilt) {
  const auto job = load_text(kInitText);
  EXPECT_THAT(not_in_this_version(job), IsEmpty());
  EXPECT_EQ(job.layers.size(), 2U);
}

TEST(LoadJob, SectionsChangeWhenTheyChangeOnly) {
  const auto a = load_text(with("views: {patch_px: 64}\nlimits: {threads: 1}\n"));
  const auto b = load_text(with("limits: {threads: 8}\nviews:\n  patch_px: 64   # the same\n"));
  const auto c = load_text(with("views: {patch_px: 65}\n"));
  EXPECT_EQ(section_json(a, "views"), section_json(b, "views"));
  EXPECT_NE(section_json(a, "views"), section_json(c, "views"));
}

TEST(LoadJob, SaysWhatIsNotInThisVersion) {
  const auto job = load_text(with("layers: {l: {vector: v.gpkg, draw: points, kinds: [instances]}}\nviews: {}\nlimits: {network: true}\n"));
  const auto list = not_in_this_version(job);
  EXPECT_THAT(list, ::testing::UnorderedElementsAre(StartsWith("limits.network:")));
}

TEST(LoadJob, SaysWhichCombinationsAreNotInThisVersion) {
  const auto job = load_text(R"(
workspace: w
sources: {a: {files: a.tif, date: {bands: dates.json}}, b: {files: b.tif}}
views: {}
layers: {l: {vector: v.gpkg}}
datasets: {d: {inputs: [a, b], target: l, views: all}, e: {inputs: [a, b], views: all}}
runs: {r: {dataset: d, model: {name: deeplabv3plus}}, s: {dataset: e, recipe: simclr, model: {name: vit_tiny}}}
predict: {run: r, polygons: true}
)");
  const auto list = not_in_this_version(job);
  EXPECT_THAT(list, ::testing::UnorderedElementsAre(StartsWith("datasets.e.views: all for the run s with recipe simclr:"),
                                                    StartsWith("predict.run: r, which stacks dates"), StartsWith("predict.run: r, which stacks several sources"), StartsWith("runs.r.model.name: deeplabv3plus:"),
                                                    StartsWith("predict.polygons:")));
}

TEST(LoadJob, SegmentingAValueOfALocationIsNotInThisVersion) {
  const auto job = load_text(with("views: {placement: whole}\ntargets: {t: {name: '(.)'}}\ndatasets: {d: {inputs: [naip], target: t}}\n"
                                  "runs: {r: {dataset: d}, s: {dataset: d, recipe: mae, model: {name: vit_tiny}}, c: {dataset: d, recipe: classify, model: {name: vit_tiny}}}\n"));
  EXPECT_THAT(not_in_this_version(job), ::testing::UnorderedElementsAre(StartsWith("runs.r.recipe: segment on the target t")));
}

TEST(LoadJob, ClassifyingALayerAndUnbuiltRecipesAreNotInThisVersion) {
  const auto job = load_text(with("views: {}\nlayers: {l: {raster: l.tif}}\ndatasets: {d: {inputs: [naip], target: l}}\n"
                                  "runs: {c: {dataset: d, recipe: classify, model: {name: resnet18}}, k: {dataset: d, recipe: moco, model: {name: resnet18}}, "
                                  "o: {dataset: d, recipe: regress, model: {name: vit_tiny}}, e: {dataset: d, recipe: dino, model: {name: vit_tiny}}, f: {dataset: d, recipe: maskfeat, model: {name: vit_tiny}}}\n"));
  EXPECT_THAT(not_in_this_version(job), ::testing::UnorderedElementsAre(StartsWith("runs.c.recipe: classify on the layer l"), StartsWith("runs.o.recipe: regress")));
}

TEST(LoadJob, RefusesWhatSensorsAndCropsCannotBe) {
  const auto text = problems_of(with("views: {placement: whole}\ntargets: {t: {name: '(.)'}}\ndatasets: {d: {inputs: [naip], target: t}}\n"
                                     "runs:\n"
                                     "  a: {dataset: d, recipe: dual_simclr, model: {name: resnet18}}\n"
                                     "  b: {dataset: d, recipe: classify, model: {name: resnet18, fusion: late}}\n"
                                     "  c: {dataset: d, recipe: dino, model: {name: upernet}, accumulate: 2, crops: {least_area: 0.6}, loss: {momentum_end: 2}, optimizer: {weight_decay_end: -1}}\n"));
  for (const char* part : {"runs.a.dataset: recipe dual_simclr contrasts two sensors, but dataset 'd' has 1 inputs", "runs.b.model.fusion: late is for several inputs in recipe classify",
                           "runs.c.model.name: recipe dino needs a model of whole images", "runs.c.accumulate: recipe dino needs its whole batch", "runs.c.crops.least_area: is above large_area",
                           "runs.c.loss.momentum_end: is outside 0 to 1", "runs.c.optimizer.weight_decay_end: is negative"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(LoadJob, TakesLateFusionWhereAModelJoinsItsSensors) {
  for (const std::string model : {"unet", "unet_resnet18", "unet_resnet50", "upernet", "upconv", "spectral_upconv"}) {
    const auto text = problems_of(with("views: {}\nlayers: {l: {raster: l.tif}}\ndatasets: {d: {inputs: [naip, naip], target: l}}\n"
                                       "runs: {a: {dataset: d, recipe: segment, model: {name: " + model + ", fusion: late}}}\n"));
    EXPECT_EQ(text.find("runs.a.model.fusion: late is for several inputs") != std::string::npos, model == "spectral_upconv") << model << text;
  }
}

TEST(LoadJob, RefusesRecipesProtocolsAndLossesThatCannotGoTogether) {
  const auto text = problems_of(with("views: {placement: whole}\ntargets: {t: {name: '(.)'}}\ndatasets: {d: {inputs: [naip], target: t}, e: {inputs: [naip]}}\n"
                                     "runs:\n"
                                     "  a: {dataset: d, recipe: classify, model: {name: resnet18}, protocol: linear}\n"
                                     "  b: {dataset: d, recipe: classify, model: {name: resnet18}, protocol: scratch, init: {run: a}}\n"
                                     "  c: {dataset: d, recipe: classify, model: {name: upernet}, loss: {name: dice}}\n"
                                     "  f: {dataset: d, recipe: moco, model: {name: resnet18}, accumulate: 2, schedule: {name: step}}\n"
                                     "  g: {dataset: e, recipe: classify, model: {name: resnet18}}\n"
                                     "  h: {dataset: d, recipe: maskfeat, model: {name: resnet18}, protocol: frozen_random}\n"));
  for (const char* part : {"runs.a.protocol: linear needs weights", "runs.b.protocol: scratch starts from random", "runs.c.model.name: recipe classify needs a model of whole images",
                           "runs.c.loss.name: dice is a loss of pixels", "runs.f.accumulate: recipe moco", "runs.f.schedule: milestones is missing",
                           "runs.g.dataset: recipe classify needs classes", "runs.h.model.name: recipe maskfeat needs a vit", "runs.h.protocol: frozen_random is for recipe classify"})
    EXPECT_THAT(text, ::testing::HasSubstr(part));
}

TEST(LoadJob, SamplesAreBalancedOverWhatIsKnownBeforeMasks) {
  const auto text = problems_of(with("views: {sample: {stratify: [zone, split, l, m, t, zonee]}}\nlayers: {l: {raster: l.tif}}\n"
                                     "targets: {t: {name: '(.)'}, m: {layer: l, rule: majority}}\n"));
  for (const char* part : {"views.sample: count is missing", "stratify.1: 'split' is made after the views; possible are: zone, view_count, component, t",
                           "stratify.2: 'l' is made after", "stratify.3: 'm' is made after", "stratify.5: there is no column to balance over 'zonee'; did you mean zone?"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("stratify.0")));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("stratify.4")));
}

TEST(LoadJob, EveryConfigOfTheTreeLoads) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TILEWRIGHT_SOURCE_DIR "/configs")) {
    if (entry.path().extension() != ".yaml") continue;
    ++count;
    EXPECT_NO_THROW({
      const auto job = load_job(entry.path());
      EXPECT_THAT(not_in_this_version(job), IsEmpty()) << entry.path();
    }) << entry.path();
  }
  EXPECT_GT(count, 5);
}

TEST(ParseBytes, ReadsPowersOf1024) {
  EXPECT_EQ(parse_bytes("512"), 512U);
  EXPECT_EQ(parse_bytes("1.5K"), 1536U);
  EXPECT_EQ(parse_bytes("4G"), std::size_t{4} << 30);
  EXPECT_EQ(parse_bytes("4GiB"), std::size_t{4} << 30);
  EXPECT_EQ(parse_bytes("2mb"), std::size_t{2} << 20);
  for (const char* text : {"", "G", "-1G", "4X", "4 G", "1e30T", "0", "0.0001"}) EXPECT_THROW(parse_bytes(text), Error) << text;
}

TEST(NearestName, FindsTyposAndNothingElse) {
  EXPECT_EQ(nearest_name("bilding", {"roads", "building"}), "building");
  EXPECT_EQ(nearest_name("resolution", {"zone", "resolution_m"}), "resolution_m");
  EXPECT_EQ(nearest_name("Roads", {"roads"}), "roads");
  EXPECT_EQ(nearest_name("waterways", {"roads", "building"}), "");
}

}  // namespace
}  // namespace tilewright::pipeline
