// SPDX-License-Identifier: Apache-2.0
// Every job file of the tree loads, says what it is for, and finds its data.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "index/reason.h"
#include "pipeline/config/load.h"
#include "pipeline/io/file_glob.h"
#include "pipeline/io/vector_layer.h"

namespace {

namespace fs = std::filesystem;
using namespace tilewright;
using namespace tilewright::pipeline;

const fs::path kSource = TILEWRIGHT_SOURCE_DIR;

std::vector<fs::path> config_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(kSource / "configs"))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

class Config : public testing::TestWithParam<fs::path> {};

TEST_P(Config, LoadsAndNeedsNothingThatIsNotBuilt) {
  const auto job = load_job(GetParam());
  EXPECT_FALSE(job.sources.empty());
  EXPECT_TRUE(not_in_this_version(job).empty());
  EXPECT_EQ(job.workspace().lexically_normal(), (kSource / "work" / GetParam().stem()).lexically_normal());
}

TEST_P(Config, BeginsWithTheLicenceAndSaysWhatItIsFor) {
  std::ifstream in(GetParam());
  std::string first, second;
  std::getline(in, first);
  std::getline(in, second);
  EXPECT_EQ(first, "# SPDX-License-Identifier: Apache-2.0");
  EXPECT_TRUE(second.starts_with("# ") && second.size() > 20) << second;
}

TEST_P(Config, FindsItsFilesAndTheFieldsOfItsLayers) {
  if (!fs::exists(kSource / "../shared/data")) GTEST_SKIP() << "needs the sample data at ../shared/data";
  if (GetParam().stem().string().ends_with("_full")) GTEST_SKIP() << "is for an archive of one's own";
  const auto job = load_job(GetParam());
  for (const auto& [name, source] : job.sources) {
    for (const auto& pattern : source.files)
      EXPECT_TRUE(pattern.starts_with("ground:") || pattern.starts_with("region:") || !glob_files(job, pattern).empty()) << name << ": " << pattern;  // configs/ground.sh writes these
    for (const auto& quality : source.quality)
      EXPECT_TRUE(!quality.files || !glob_files(job, *quality.files).empty()) << quality.files.value_or("");
  }
  for (const auto& [name, target] : job.targets) EXPECT_TRUE(!target.table || fs::exists(job.resolve(*target.table))) << target.table.value_or("");
  EXPECT_TRUE(!job.split || !job.split->table || fs::exists(job.resolve(job.split->table->file)));
  for (const auto& [name, layer] : job.layers) {
    const bool is_written_later = layer.raster && layer.raster->starts_with("ground:");  // as above; label_jobs_real_test reads it
    EXPECT_TRUE(!layer.raster || is_written_later || fs::exists(job.resolve(*layer.raster))) << layer.raster.value_or("");
    if (!layer.vector || layer.vector->starts_with("region:")) continue;  // tilewright synth writes these
    std::vector<std::string> wanted;
    if (layer.class_rule.by_field) wanted.push_back(layer.class_rule.by_field->field);
    if (layer.width && layer.width->lanes) wanted.push_back(*layer.width->lanes);
    if (layer.width && layer.width->attribute) wanted.push_back(*layer.width->attribute);
    for (const auto& file : glob_files(job, *layer.vector))
      EXPECT_FALSE(read_vector_layer(file.absolute, layer.layer.value_or(""), wanted, {}).features.empty()) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Config, testing::ValuesIn(config_files()),
                         [](const auto& each) { return each.param.stem().string(); });

TEST(Configs, ThereIsOneForEachSetThatTheManualNames) {
  std::set<std::string> names;
  for (const auto& file : config_files()) names.insert(file.stem().string());
  for (const char* name : {"landsat8_ny", "landsat8_ny_b2", "naip_utm17_utm18", "naip_nd", "slovenia", "alexandria", "alexandria_missing", "vegas_roads", "kampala", "enmap_potsdam", "nasty", "eurosat", "majortom_thailand", "ssl4eo_punjab", "ssl4eo_punjab_pairs", "slovenia_landuse", "enmap_points", "sen1floods", "elkton", "bigearthnet", "olemps_roads", "helsinki_osm", "vegas_two_sources", "vegas_mask", "ssl4eo_dual", "naip_nd_dates"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(Experiments, EachHasASmallFormAndRepeatsWithThreeSeeds) {
  int grids = 0;
  for (const auto& file : config_files()) {
    if (file.parent_path().filename() != "experiments") continue;
    const auto job = load_job(file);
    EXPECT_FALSE(job.experiments.empty()) << file;
    for (const auto& experiment : job.experiments) {
      const auto seeds = std::find(experiment.axes.begin(), experiment.axes.end(), "seed") - experiment.axes.begin();
      if (seeds == static_cast<std::ptrdiff_t>(experiment.axes.size())) continue;  // pre-training on a GPU: one each
      std::set<std::string> values;
      for (const auto& member : experiment.members) values.insert(member.values[static_cast<std::size_t>(seeds)]);
      EXPECT_GE(values.size(), 3U) << file << " " << experiment.name;
      ++grids;
    }
  }
  EXPECT_GE(grids, 20);
}

}  // namespace
