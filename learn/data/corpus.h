// SPDX-License-Identifier: Apache-2.0
// A dataset ready to be read: dataset.json, its parts, its shards mapped in place.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "index/shard/shard_reader.h"
#include "learn/config/dataset_file.h"
#include "learn/config/run_config.h"

namespace tilewright::learn {

/// Rows of one sample, adjacent in the part file.
struct CorpusSample {
  std::string name, location;
  std::vector<SampleRow> rows;
  std::vector<std::uint8_t> classes{};  ///< of a class target: positions in dataset.target.classes
};

/// Index of the band that says whether a date of a stack is there: 1 or 0 in every pixel.
inline constexpr int kPresence = -1;

/// Adjacent rows of equal name become one sample.
std::vector<CorpusSample> group_rows(std::vector<SampleRow> rows);

/// Which locations of train a run learns from.
struct LabelDraw {
  int locations = 0;  ///< 0 = all
  std::uint64_t seed = 1;
};

/// Immutable after construction, so loader threads share it without locks.
class Corpus {
 public:
  /// Reads dataset.json and maps the shards that its parts name. Throws Error::failed where a part
  /// file does not have its recorded hash, or names a class that dataset.json does not have.
  /// `draw` keeps that many locations of train: the first by hash, of each class in proportion
  /// where the target is one; the fewer lie within the more. Class counts are then theirs. Throws
  /// Error::config if train has fewer.
  Corpus(const std::filesystem::path& workspace, const std::filesystem::path& dataset_json,
         LabelDraw draw = {});
  /// As above, but with one part "all" of the rows of `part_file`.
  Corpus(const std::filesystem::path& workspace, const std::filesystem::path& dataset_json,
         const std::filesystem::path& part_file);

  /// As it was written; but with `views: all` each input stands once a date: as often as its longest
  /// stack is deep, with bands NAME@1, NAME@2, ... and a band present@K (kPresence) last. Dates that a
  /// sample lacks are rows without a shard.
  [[nodiscard]] const DatasetFile& dataset() const { return dataset_; }
  /// Empty if the dataset has no such part.
  [[nodiscard]] const std::vector<CorpusSample>& part(const std::string& name) const;
  [[nodiscard]] shard::ArrayView array(const std::string& shard, std::int64_t offset,
                                       std::int64_t length) const;

  [[nodiscard]] int channels() const;  ///< of all inputs together
  [[nodiscard]] int size_px() const;   ///< largest edge of an input
  /// Class number of each mask value: position in dataset().target.classes, 255 for ignore.
  [[nodiscard]] const std::vector<std::uint8_t>& class_of_value() const { return class_of_value_; }

 private:
  void check_inputs() const;
  void unfold_stacks();
  void map_shards();
  void number_classes();
  void resolve_classes();
  void keep_drawn(LabelDraw draw);
  void count_classes();
  std::filesystem::path workspace_;
  DatasetFile dataset_;
  std::map<std::string, std::vector<CorpusSample>> parts_;
  std::map<std::string, shard::MappedFile> shards_;
  std::vector<std::uint8_t> class_of_value_;
};

/// The draw of a run's settings.
LabelDraw draw_of(const RunConfig& run);

}  // namespace tilewright::learn
