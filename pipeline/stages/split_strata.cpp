// SPDX-License-Identifier: Apache-2.0
// Reads classes from masks and targets, and writes down which block was given to which part.
#include "pipeline/stages/split_strata.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "geometry/error.h"
#include "pipeline/stages/mask_pixels.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kMostLines = 12;

/// Names that each location shows, gathered by its id.
class Gathered {
 public:
  explicit Gathered(std::span<const index::SplitLocation> locations) {
    for (std::size_t n = 0; n < locations.size(); ++n) place_[locations[n].location_id] = n;
    shows_.resize(locations.size());
  }
  void add(const std::string& location_id, const std::string& name) {
    if (const auto found = place_.find(location_id); found != place_.end()) shows_[found->second].insert(name), all_.insert(name);
  }
  [[nodiscard]] ShownClasses take() const {
    ShownClasses out{{all_.begin(), all_.end()}, {}};
    for (const auto& shown : shows_) {
      auto& numbers = out.of.emplace_back();
      for (const auto& name : shown) numbers.push_back(static_cast<int>(std::distance(all_.begin(), all_.find(name))));
    }
    return out;
  }

 private:
  std::map<std::string, std::size_t> place_;
  std::vector<std::set<std::string>> shows_;
  std::set<std::string> all_;
};

void add_masks(const StageInput& in, const std::string& layer, const RunContext& context, Gathered& out) {
  MaskPixels pixels(in.workspace);
  for (const auto& mask : index::masks(in.manifest, layer)) {
    if (!mask.place) continue;
    context.check_stop();
    const auto count = pixels.count(mask);
    for (int one = 1; one < 255; ++one)
      if (count[static_cast<std::size_t>(one)] > 0) out.add(mask.location_id, layer + " " + std::to_string(one));
  }
}

void add_targets(const StageInput& in, const std::string& target, Gathered& out) {
  for (const auto& row : index::targets(in.manifest, target)) {
    if (row.kind == "class") out.add(row.location_id, target + " " + row.value);
    if (row.kind != "classes") continue;
    for (const auto& value : nlohmann::json::parse(row.value)) out.add(row.location_id, target + " " + value.get<std::string>());
  }
}

}  // namespace

ShownClasses shown_classes(const StageInput& in, std::span<const index::SplitLocation> locations, const RunContext& context) {
  Gathered gathered(locations);
  for (const auto& [name, layer] : in.job.layers) add_masks(in, name, context, gathered);
  for (const auto& [name, target] : in.job.targets) add_targets(in, name, gathered);
  return gathered.take();
}

std::vector<std::string> class_balance(const ShownClasses& classes, std::span<const index::SplitAssignment> of) {
  std::vector<std::map<std::string, std::int64_t>> counts(classes.names.size());
  for (std::size_t n = 0; n < of.size(); ++n)
    for (const int one : classes.of[n]) ++counts[static_cast<std::size_t>(one)][of[n].part];
  std::vector<std::string> lines;
  for (std::size_t k = 0; k < counts.size() && k < kMostLines; ++k) {
    std::string line = "class " + classes.names[k] + " is in";
    for (const char* part : {"train", "val", "test", "guard"}) line += std::string(part == std::string("train") ? " " : ", ") + std::to_string(counts[k][part]) + " " + part;
    lines.push_back(line);
  }
  if (counts.size() > kMostLines) lines.push_back("and " + std::to_string(counts.size() - kMostLines) + " classes more");
  return lines;
}

std::string text_of(const index::BlockParts& parts) {
  std::string text;
  for (const auto& [key, part] : parts) text += std::to_string(key.epsg) + " " + std::to_string(key.x) + " " + std::to_string(key.y) + " " + part + "\n";
  return text;
}

index::BlockParts block_parts_of(const std::string& text) {
  index::BlockParts parts;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    index::BlockKey key;
    std::string part;
    if (!(fields >> key.epsg >> key.x >> key.y >> part)) throw Error::failed("the manifest's split/blocks holds \"" + line + "\"; the manifest is damaged: tilewright run JOB --replan makes a new split");
    parts[key] = part;
  }
  return parts;
}

}  // namespace tilewright::pipeline
