// SPDX-License-Identifier: Apache-2.0
// Jobs, rasters and labels that are wrong: the exit code, a message that helps, and a workspace that goes on.
#include "tests/hostile/hostile.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright {
namespace {

namespace fs = std::filesystem;
using tests::Hostile;
using tests::kConfig;
using tests::kFailed;
using tests::kQuarantined;
using tests::read_text;
using tests::write_text;

using BadJob = Hostile;
using BadRaster = Hostile;
using BadLabel = Hostile;
using BadSelection = Hostile;
using BadCheckpoint = Hostile;

TEST_F(BadJob, MissingRootIsNamed) {
  region().write_job("root.yaml", "workspace: work", "workspace: work\nroots: {data: nowhere}");
  expect_refused(run({"--set", "sources.elevation.files=data:elevation/*.tif"}, "root.yaml"), kConfig,
                 {"root 'data'", (region() / "nowhere").string(), "is no folder", "--root data=DIR"});
  expect_good_job_goes_on();
}

TEST_F(BadJob, EmptyGlobIsNamed) {
  expect_refused(run_with("sources.optical.files=optical/*.jp2"), kConfig,
                 {"sources.optical.files", "'optical/*.jp2' finds no file", region().path().string(), "correct the pattern"});
  expect_good_job_goes_on();
}

TEST_F(BadJob, UnknownKeyGetsTheNearestName) {
  region().write_job("key.yaml", "resolution_m: 1", "resolutionm: 1");
  expect_refused(run({}, "key.yaml"), kConfig, {"key.yaml:17:", "grid.resolutionm: unknown key", "did you mean resolution_m?"});
  expect_good_job_goes_on();
}

TEST_F(BadJob, WrongTypeIsShownWithWhatIsExpected) {
  region().write_job("type.yaml", "resolution_m: 1", "resolution_m: [one]");
  expect_refused(run({}, "type.yaml"), kConfig, {"type.yaml:17:", "grid.resolution_m", "expected a"});
  expect_refused(run_with("views.patch_px=wide"), kConfig, {"views.patch_px: is 'wide', expected a"});
  expect_good_job_goes_on();
}

TEST_F(BadJob, DuplicateKeyNamesBothPlaces) {
  region().write_job("twice.yaml", "workspace: work\n", "workspace: work\nworkspace: other\n");
  expect_refused(run({}, "twice.yaml"), kConfig, {"twice.yaml:5:1: workspace", "already at line 4, column 1", "remove one"});
  EXPECT_FALSE(fs::exists(region() / "other"));
  expect_good_job_goes_on();
}

TEST_F(BadJob, ImpossibleNumbersAreShownWithTheirBounds) {
  expect_refused(run_with("split.block_m=-5"), kConfig, {"split.block_m: is '-5', expected more than 0"});
  expect_refused(run_with("views.patch_px=0"), kConfig, {"views.patch_px: is '0', expected at least 8"});
  expect_refused(run_with("grid.resolution_m=.nan"), kConfig, {"grid.resolution_m: is '.nan', expected a finite number"});
  expect_refused(run_with("views.max_cloud_frac=1.5"), kConfig, {"views.max_cloud_frac: is '1.5', expected"});
  expect_refused(run_with("split.fractions.train=0.9"), kConfig, {"split.fractions", "add up to 1.2", "expected 1"});
  expect_good_job_goes_on();
}

TEST_F(BadJob, AllMistakesAreSaidAtOnce) {
  region().write_job("many.yaml", "patch_px: 64", "patch_px: -64\n  min_veiws: 1\n  colour: red");
  expect_refused(run({}, "many.yaml"), kConfig, {"views.patch_px: is '-64'", "did you mean min_views?", "views.colour: unknown key"});
}

TEST_F(BadJob, TextThatIsNotYamlHasAPlace) {
  write_text(region() / "torn.yaml", "workspace: work\nsources: [\n");
  expect_refused(run({}, "torn.yaml"), kConfig, {"torn.yaml:3:1: this is not YAML"});
  write_text(region() / "bytes.yaml", std::string("\x00\xff\xfe\x80work: [", 12));
  expect_refused(run({}, "bytes.yaml"), kConfig, {"bytes.yaml"});
  expect_refused(run({}, "labels"), kConfig, {"labels"});
  expect_good_job_goes_on();
}

TEST_F(BadRaster, AFolderWithTheNameOfARasterIsNoInput) {
  fs::create_directories(region() / "elevation/folder.tif");
  expect_good_job_goes_on();
  expect_refused(run_with("sources.elevation.files=elevation/folder.tif"), kConfig, {"'elevation/folder.tif' finds no file"});
}

TEST_F(BadRaster, ALinkOutOfTheRootIsRefused) {
  fs::create_symlink("/etc/hostname", region() / "elevation/link.tif");
  expect_refused(run(), kConfig, {"elevation/link.tif", "leads out of its root to", "copy the file below the root"});
  fs::remove(region() / "elevation/link.tif");
  expect_good_job_goes_on();
}

TEST_F(BadRaster, EachIsQuarantinedWithItsReasonAndTheRestIsUsed) {
  const auto good = read_text(region() / "elevation/dsm_e.tif");
  const auto place = [&](const std::string& name) { return region() / ("elevation/" + name); };
  write_text(place("text.tif"), "no raster at all\n");
  write_text(place("nothing.tif"), "");
  write_text(place("half.tif"), good.substr(0, good.size() / 2));
  write_text(place("header.tif"), good.substr(0, 100));
  const pipeline::TinyRaster lost{.type = GDT_Float32, .epsg = 0}, nowhere{.type = GDT_Float32, .transform = {}, .epsg = 32633};
  pipeline::write_raster(place("lost.tif"), lost);
  pipeline::write_raster(place("nowhere.tif"), nowhere);
  pipeline::write_raster(place("four.tif"), {.bands = 4, .type = GDT_Float32});
  const auto answer = run();
  EXPECT_EQ(answer.code, kQuarantined) << answer;
  EXPECT_THAT(answer.out, testing::HasSubstr("ok 7, duplicate 1, quarantined 7"));
  const auto why = tests::run_tilewright({"explain", (region() / "job.yaml").string(), "scan"});
  for (const char* reason : {"unsupported_format: 2", "truncated: 1", "no_crs: 1", "no_georeference: 1", "wrong_band_count: 1"})
    EXPECT_THAT(why.out, testing::HasSubstr(reason));
  EXPECT_NE(tests::verified_tree_hash(region().work()), "");
  expect_refused(run({"--max-bad", "5%", "--force", "scan"}), kFailed, {"7 of 15 inputs are quarantined", "max_bad 5%", "explain"});
  for (const char* name : {"text.tif", "nothing.tif", "half.tif", "header.tif", "lost.tif", "nowhere.tif", "four.tif"}) fs::remove(place(name));
  EXPECT_EQ(run().code, 0);
  EXPECT_NE(tests::verified_tree_hash(region().work()), "");
}

TEST_F(BadRaster, AJobOfBadRastersOnlyFailsAndSaysWhere) {
  for (const char* name : {"w", "e"}) write_text(region() / ("elevation/dsm_" + std::string(name) + ".tif"), "no raster");
  region().write_job("only.yaml", "sources: [optical, elevation]", "sources: [elevation]");
  expect_refused(run({}, "only.yaml"), kFailed, {"none of the tiles of elevation can be used", "explain"});
}

TEST_F(BadRaster, ADateThatIsNotThereIsARejection) {
  fs::copy(region() / "optical/optical_w_20230819.tif", region() / "optical/optical_w_2023.tif");
  fs::copy(region() / "optical/optical_w_20230819.tif", region() / "optical/optical_w_20239999.tif");
  const auto answer = run({"--set", "sources.optical.quality=[]"});
  EXPECT_EQ(answer.code, kQuarantined) << answer;
  const auto why = tests::run_tilewright({"explain", (region() / "job.yaml").string(), "scan"});
  EXPECT_THAT(why.out, testing::HasSubstr("bad_date: 2"));
}

TEST_F(BadLabel, MissingFileLayerAndFieldAreNamedWithWhatIsThere) {
  expect_refused(run_with("layers.buildings.vector=labels/none.gpkg"), kConfig,
                 {"labels/none.gpkg", (region() / "labels/none.gpkg").string(), "is no file", "correct the path"});
  expect_refused(run_with("layers.buildings.layer=houses"), kConfig, {"buildings.gpkg has no layer 'houses'", "it has: buildings"});
  expect_refused(run_with("layers.buildings.class={field: use, values: {school: 1}}"), kConfig,
                 {"layer buildings of buildings.gpkg has no field 'use'", "it has: height_m, id"});
  expect_good_job_goes_on();
}

TEST_F(BadLabel, WhatNoStageCanMendIsSaidBeforeTheFirstStarts) {
  region().start_anew();
  for (const char* setting : {"layers.buildings.vector=labels/none.gpkg", "layers.buildings.layer=houses", "sources.optical.files=optical/*.jp2",
                              "split.table={file: none.csv}"}) {
    const auto answer = run_with(setting);
    EXPECT_EQ(answer.code, kConfig) << setting << answer;
    EXPECT_FALSE(fs::exists(region().work())) << setting << " leaves a workspace";
  }
  expect_good_job_goes_on();
}

TEST_F(BadLabel, AFileThatIsNoLayerStopsWithItsNameAndARemedy) {
  write_text(region() / "labels/torn.geojson", "{\"type\": \"FeatureCollection\", \"features\": [\n");
  expect_refused(run_with("layers.buildings.vector=labels/torn.geojson"), kFailed,
                 {"layer buildings", (region() / "labels/torn.geojson").string(), "repair the file"});
  const auto whole = read_text(region() / "labels/buildings.gpkg");
  write_text(region() / "labels/half.gpkg", whole.substr(0, whole.size() / 2));
  expect_refused(run_with("layers.buildings.vector=labels/half.gpkg"), kFailed, {"layer buildings", "half.gpkg"});
  expect_good_job_goes_on();
}

std::string feature(int id, const std::string& geometry) {
  return R"({"type": "Feature", "properties": {"id": )" + std::to_string(id) + R"(}, "geometry": )" + geometry + "}";
}
std::string polygon(const std::string& ring) { return R"({"type": "Polygon", "coordinates": [)" + ring + "]}"; }

TEST_F(BadLabel, InvalidPolygonsAreRepairedOrRejectedOneByOne) {
  const std::string features[] = {
      feature(0, polygon("[[11.9945,47.9985],[11.9955,47.9985],[11.9955,47.9990],[11.9945,47.9990],[11.9945,47.9985]]")),
      feature(1, polygon("[[11.9945,47.9991],[11.9955,47.9996],[11.9955,47.9991],[11.9945,47.9996],[11.9945,47.9991]]")),  // bow-tie
      feature(2, "null"),
      feature(3, polygon("[[11.9945,null],[11.9955,47.9990],[11.9945,47.9990],[11.9945,null]]")),
      feature(4, polygon("")),
      feature(5, polygon("[[11.9945,47.9985],[11.9955,47.9985],[11.9945,47.9985]]")),                     // no area
      feature(6, polygon("[[1e400,47.9985],[11.9955,47.9985],[11.9945,48],[1e400,47.9985]]")),            // infinite
      feature(7, polygon("[[1,1],[1.1,1],[1.1,1.1],[1,1]]")),                                             // elsewhere
      feature(8, R"({"type": "LineString", "coordinates": [[11.9945,47.9985],[11.9955,47.9985]]})")};
  std::string all;
  for (const auto& one : features) all += (all.empty() ? "" : ",\n") + one;
  write_text(region() / "labels/bad.geojson", R"({"type": "FeatureCollection", "features": [)" + all + "]}");
  const auto answer = run_with("layers.buildings.vector=labels/bad.geojson");
  EXPECT_EQ(answer.code, 0) << answer;  // rejections do not count
  EXPECT_THAT(answer.out + answer.err, testing::HasSubstr("objects 70, drawn 62, repaired 1, rejected 7"));  // with four roads and 57 true buildings
  const auto why = tests::run_tilewright({"explain", (region() / "job.yaml").string(), "label"});
  for (const char* reason : {"null_geometry: 3", "outside_rasters: 1", "empty_geometry: 1", "bad_geometry: 2"})
    EXPECT_THAT(why.out, testing::HasSubstr(reason));
  expect_good_job_goes_on();
}

TEST_F(BadLabel, LabelsOfAnotherPlaceStopWithBothPlaces) {
  write_text(region() / "labels/far.geojson", R"({"type": "FeatureCollection", "features": [)" +
                                                  feature(1, polygon("[[100,10],[100.5,10],[100.5,10.5],[100,10]]")) + "]}");
  expect_refused(run_with("layers.buildings.vector=labels/far.geojson"), kFailed,
                 {"layer buildings", "none of its 1 objects touches a location", "[100.00000, 10.00000, 100.50000, 10.50000]", "[11.99", "check the CRS"});
  expect_good_job_goes_on();
}

TEST_F(BadSelection, AnEmptyPartStopsWithTheCounts) {
  const auto answer = run({"--set", "split.fractions={train: 0.98, val: 0.01, test: 0.01}"});
  expect_refused(answer, kFailed, {"split: no location is left for", "of 18 locations", "use a smaller block_m"});
  EXPECT_EQ(answer.err.find("split: split:"), std::string::npos) << answer;
  expect_good_job_goes_on();
}

TEST_F(BadSelection, ASubsetWithoutMembersStopsWithRuleAndRange) {
  const auto curate = [](const std::string& rule) {
    return "curate:\n  layers: [buildings]\n  source: elevation\n  scores: [edge_agreement]\n  subsets: {none: {where: '" + rule + "'}}\n";
  };
  const auto answer = [&](const std::string& rule) {
    return tests::run_tilewright({"run", region().write_job("curate.yaml", "", "", curate(rule)), "-q"});
  };
  expect_refused(answer("combined > 2"), kFailed, {"curate: no location is in subset none", "(rule: combined > 2)", "best 1", "loosen the rule"});
  expect_refused(answer("combned > 2"), kConfig, {"curate.subsets.none.where", "there is no score in curate.scores or column 'combned'", "did you mean combined?"});
  expect_refused(answer("combined >"), kConfig, {"curate.subsets.none.where", "position 11", "expected a number"});
  EXPECT_EQ(answer("combined > 0.5").code, 0);
  EXPECT_EQ(run().code, 0);
  EXPECT_NE(tests::verified_tree_hash(region().work()), "");
}

TEST_F(BadCheckpoint, OtherBandsOrStatisticsAreRefusedWithBothValues) {
  if (!fs::exists(tests::program().parent_path() / "tilewright-learn")) GTEST_SKIP() << "tilewright-learn is not beside tilewright";
  const std::string datasets = "datasets:\n  town: {inputs: [elevation], target: buildings}\n  colour: {inputs: [optical], target: buildings, views: latest}\n";
  const std::string runs = "runs:\n  unet: {dataset: town, recipe: segment, model: {name: unet, width: 4}, epochs: 1, batch: 8}\n";
  const std::string second = "  second: {dataset: colour, recipe: segment, model: {name: unet, width: 4}, init: {run: unet}, epochs: 1, batch: 8}\n";
  const auto train = [&](const std::string& more, const std::string& setting = "runs.unet.epochs=1") {
    return tests::run_tilewright({"run", region().write_job("learn.yaml", "", "", datasets + runs + more), "-q", "--set", setting});
  };
  const auto first = train("");
  ASSERT_EQ(first.code, 0) << first;
  const auto weights = read_text(region() / "work/runs/unet/weights.safetensors");
  expect_refused(train(second), kConfig, {"trained on the bands elevation", "this dataset also has 'blue'", "choose bands that the earlier run had"});
  expect_refused(train("", "runs.unet.dataset=colour"), kConfig, {"the run unet was begun otherwise", "\"town\" then, \"colour\" now", "another name", "--force train"});
  expect_refused(train("", "datasets.town.normalize=robust"), kConfig, {"the run unet was begun otherwise", "\"standard\" then, \"robust\" now"});
  EXPECT_EQ(read_text(region() / "work/runs/unet/weights.safetensors"), weights);
  const auto again = train("");
  EXPECT_EQ(again.code, 0) << again;
}

}  // namespace
}  // namespace tilewright
