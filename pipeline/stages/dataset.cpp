// SPDX-License-Identifier: Apache-2.0
// The dataset stage: samples, statistics and classes into datasets/<name>/.
#include <algorithm>
#include <string>
#include <vector>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "learn/config/dataset_file.h"
#include "pipeline/stages/dataset_build.h"
#include "pipeline/stages/dataset_samples.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {
namespace {

constexpr const char* kParts[] = {"train", "val", "test"};

std::string counts_text(const SampleSet& set) {
  return std::to_string(set.guard) + " locations in the guard, " + std::to_string(set.without_part) + " without a part, " +
         std::to_string(set.outside_subset) + " outside the subset, " + std::to_string(set.without_mask) + " without a mask, " +
         std::to_string(set.all_ignore) + " ignored everywhere, " + std::to_string(set.without_input) + " without an input, " +
         std::to_string(set.views_without_label) + " views without a label of their date";
}

std::int64_t samples_in(const SampleSet& set, const std::string& part) {
  return std::count_if(set.samples.begin(), set.samples.end(), [&](const auto& sample) { return sample.part == part; });
}

void check_train(const std::string& name, const SampleSet& set) {
  if (samples_in(set, "train") > 0) return;
  throw Error::failed("dataset " + name + " has no sample in train (" + std::to_string(samples_in(set, "val")) + " in val, " +
                      std::to_string(samples_in(set, "test")) + " in test; " + counts_text(set) +
                      "); change split fractions or block_m, or loosen the subset");
}

learn::PartInfo publish_part(const std::filesystem::path& folder, const SampleSet& set, const std::string& part) {
  learn::PartInfo info;
  info.file = part + ".tsv";
  info.samples = samples_in(set, part);
  shard::PendingFile file(folder / info.file);
  file.append(std::string(learn::kPartHeader) + "\n");
  for (const auto& sample : set.samples)
    if (sample.part == part)
      for (const auto& row : sample.rows) file.append(learn::format_row(row) + "\n");
  info.sha256 = file.publish().sha256;
  return info;
}

void make_dataset(const StageInput& in, const RunContext& context, const std::string& name, const DatasetConfig& config,
                  const SampleSet& set) {
  learn::DatasetFile dataset;
  dataset.name = name;
  dataset.views = config.views;
  dataset.left_out_all_ignore = set.all_ignore;
  std::int64_t done = 0;
  for (std::size_t i = 0; i < config.inputs.size(); ++i) {
    std::int64_t total = 0;
    for (const auto& sample : set.samples) total += sample.part == "train" ? static_cast<std::int64_t>(sample.rows.size()) : 0;
    auto input = dataset_input(in, config, static_cast<int>(i), set, "train", [&] {
      context.check_stop();
      if (++done % 256 == 0) context.on_progress({"dataset", "views", std::min(done, total), total});
    });
    dataset.inputs.push_back(std::move(input));
  }
  dataset.target = dataset_target(in, config, set, "train");
  const auto folder = in.workspace / "datasets" / name;
  shard::make_folders(folder);
  for (const char* part : kParts) dataset.parts.emplace_back(part, publish_part(folder, set, part));
  shard::publish_file(folder / "dataset.json", learn::format_dataset(dataset));
}

/// Rows that mark a view that is not there (views: all).
std::int64_t missing_views(const SampleSet& set) {
  std::int64_t count = 0;
  for (const auto& sample : set.samples) count += std::ranges::count_if(sample.rows, [](const auto& row) { return row.shard == "-"; });
  return count;
}

void count(StageReport& report, const std::string& name, const SampleSet& set) {
  for (const char* part : kParts) report.counts.emplace_back(name + "." + part, samples_in(set, part));
  const std::pair<const char*, std::int64_t> left_out[] = {
      {"guard", set.guard},           {"without_part", set.without_part}, {"outside_subset", set.outside_subset},
      {"no_mask", set.without_mask},  {"no_input", set.without_input},    {"all_ignore", set.all_ignore}, {"views_without_label", set.views_without_label}, {"missing_views", missing_views(set)}};
  for (const auto& [what, number] : left_out)
    if (number > 0) report.counts.emplace_back(name + "." + what, number);
}

}  // namespace

StageReport run_dataset(const StageInput& in, const RunContext& context) {
  StageReport report;
  std::vector<SampleSet> sets;
  for (const auto& [name, config] : in.job.datasets) {
    context.check_stop();
    sets.push_back(choose_samples(in.job, in.manifest, config));
    check_train(name, sets.back());
  }
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const auto& [name, config] = in.job.datasets[i];
    make_dataset(in, context, name, config, sets[i]);
    count(report, name, sets[i]);
  }
  in.manifest.in_transaction([&] {
    index::clear_stage(in.manifest, "dataset");
    for (std::size_t i = 0; i < sets.size(); ++i)
      for (const auto& left : sets[i].left_out)
        index::insert(in.manifest, index::RejectionRow{"dataset", in.job.datasets[i].first + "/" + left.location_id, left.reason, left.detail});
  });
  return report;
}

}  // namespace tilewright::pipeline
