// SPDX-License-Identifier: Apache-2.0
// Opens a dataset for reading.
#include "learn/data/corpus.h"

#include <algorithm>
#include <charconv>

#include "geometry/error.h"
#include "index/shard/sha256.h"

namespace tilewright::learn {

namespace {

constexpr std::size_t kMostClasses = 254;

/// All integers of a text such as "3" or "[1,4]".
std::vector<int> numbers_in(const std::string& text) {
  std::vector<int> numbers;
  const char *at = text.data(), *end = at + text.size();
  while (at < end) {
    int value = 0;
    const auto [after, error] = std::from_chars(at, end, value);
    if (error == std::errc{}) numbers.push_back(value);
    at = error == std::errc{} ? after : at + 1;
  }
  return numbers;
}

/// One date of a stack.
InputInfo at_date(InputInfo input, std::size_t date) {
  const auto suffix = "@" + std::to_string(date + 1);
  for (auto& band : input.bands) band.name += suffix;
  input.bands.emplace_back().name = "present" + suffix;
  input.band_indices.push_back(kPresence);
  input.statistics.emplace_back();
  return input;
}

/// Rows of each input of a sample.
std::vector<std::size_t> depths_of(const CorpusSample& sample, std::size_t inputs) {
  std::vector<std::size_t> depths(inputs);
  for (const auto& row : sample.rows) ++depths[static_cast<std::size_t>(row.input)];
  return depths;
}

}  // namespace

std::vector<CorpusSample> group_rows(std::vector<SampleRow> rows) {
  std::vector<CorpusSample> samples;
  for (auto& row : rows) {
    if (samples.empty() || samples.back().name != row.sample)
      samples.push_back({row.sample, row.location, {}});
    samples.back().rows.push_back(std::move(row));
  }
  return samples;
}

Corpus::Corpus(const std::filesystem::path& workspace, const std::filesystem::path& dataset_json,
               LabelDraw draw)
    : workspace_(workspace), dataset_(read_dataset(dataset_json)) {
  for (const auto& [name, part] : dataset_.parts) {
    const auto file = dataset_json.parent_path() / part.file;
    auto rows = read_part(file);
    if (const auto found = shard::sha256_file(file); found != part.sha256)
      throw Error::failed(file.string() + " was changed after it was written (sha256 " + found +
                          ", recorded " + part.sha256 +
                          "); make the dataset again: tilewright dataset JOB --force dataset");
    parts_[name] = group_rows(std::move(rows));
  }
  check_inputs();
  if (dataset_.views == "all") unfold_stacks();
  map_shards();
  number_classes();
  resolve_classes();
  if (draw.locations > 0) keep_drawn(draw);
}

Corpus::Corpus(const std::filesystem::path& workspace, const std::filesystem::path& dataset_json,
               const std::filesystem::path& part_file)
    : workspace_(workspace), dataset_(read_dataset(dataset_json)) {
  parts_["all"] = group_rows(read_part(part_file));  // its rows need no target
  check_inputs();
  map_shards();
  number_classes();
}

void Corpus::check_inputs() const {
  for (const auto& [name, samples] : parts_)
    for (const auto& sample : samples)
      for (const auto& row : sample.rows)
        if (row.input < 0 || static_cast<std::size_t>(row.input) >= dataset_.inputs.size())
          throw Error::failed("sample " + row.sample + " names input " + std::to_string(row.input) +
                              " of " + std::to_string(dataset_.inputs.size()) +
                              "; make the dataset again: tilewright dataset JOB --force dataset");
}

void Corpus::unfold_stacks() {
  const auto inputs = dataset_.inputs.size();
  std::vector<std::size_t> depth(inputs);
  for (const auto& [name, samples] : parts_)
    for (const auto& sample : samples) {
      const auto own = depths_of(sample, inputs);
      for (std::size_t i = 0; i < inputs; ++i) depth[i] = std::max(depth[i], own[i]);
    }
  std::vector<InputInfo> unfolded;
  std::vector<std::size_t> first;  // date of each input
  for (std::size_t i = 0; i < inputs; ++i) {
    first.push_back(unfolded.size());
    for (std::size_t date = 0; date < depth[i]; ++date)
      unfolded.push_back(at_date(dataset_.inputs[i], date));
  }
  for (auto& [name, samples] : parts_)
    for (auto& sample : samples) {
      auto next = first;
      for (auto& row : sample.rows)
        row.input = static_cast<int>(next[static_cast<std::size_t>(row.input)]++);
      for (std::size_t i = 0; i < inputs; ++i)
        for (; next[i] < first[i] + depth[i]; ++next[i]) {
          auto missing = sample.rows.front();
          missing.input = static_cast<int>(next[i]);
          missing.view = missing.acquired = missing.shard = "-";
          missing.offset = missing.length = 0;
          sample.rows.push_back(std::move(missing));
        }
    }
  dataset_.inputs = std::move(unfolded);
}

void Corpus::resolve_classes() {
  const auto& target = dataset_.target;
  if ((target.kind != "class" && target.kind != "classes") || target.classes.size() > kMostClasses)
    return;
  std::map<int, std::uint8_t> position;
  for (std::size_t k = 0; k < target.classes.size(); ++k)
    position[target.classes[k].id] = static_cast<std::uint8_t>(k);
  for (auto& [name, samples] : parts_)
    for (auto& sample : samples) {
      const auto ids = numbers_in(sample.rows.front().target);
      const bool is_known =
          std::all_of(ids.begin(), ids.end(), [&](int id) { return position.contains(id); });
      if (!is_known || (target.kind == "class" && ids.size() != 1))
        throw Error::failed("sample " + sample.name + " has the target '" +
                            sample.rows.front().target + "', expected " +
                            (target.kind == "class" ? "a class" : "a list of classes") +
                            " of dataset.json; make the dataset again: tilewright dataset JOB "
                            "--force dataset");
      for (const int id : ids) sample.classes.push_back(position[id]);
    }
}

void Corpus::map_shards() {
  const auto map_one = [&](const std::string& shard) {
    if (shard != "-" && !shards_.contains(shard))
      shards_.emplace(shard, shard::MappedFile(workspace_ / shard));
  };
  for (const auto& [name, samples] : parts_)
    for (const auto& sample : samples)
      for (const auto& row : sample.rows) {
        map_one(row.shard);
        map_one(row.mask_shard);
      }
}

const std::vector<CorpusSample>& Corpus::part(const std::string& name) const {
  static const std::vector<CorpusSample> none;
  const auto found = parts_.find(name);
  return found == parts_.end() ? none : found->second;
}

shard::ArrayView Corpus::array(const std::string& shard, std::int64_t offset,
                               std::int64_t length) const {
  return shard::array_at(shards_.at(shard), offset, length);
}

int Corpus::channels() const {
  std::size_t count = 0;
  for (const auto& input : dataset_.inputs) count += input.bands.size();
  return static_cast<int>(count);
}

int Corpus::size_px() const {
  int size = 0;
  for (const auto& input : dataset_.inputs) size = std::max(size, input.size_px);
  return size;
}

void Corpus::number_classes() {
  class_of_value_.assign(256, 255);
  if (dataset_.target.kind != "mask") return;  // other targets may have more classes
  for (std::size_t k = 0; k < dataset_.target.classes.size(); ++k)
    class_of_value_[static_cast<std::size_t>(dataset_.target.classes[k].id)] =
        static_cast<std::uint8_t>(k);
}

}  // namespace tilewright::learn
