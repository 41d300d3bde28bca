// SPDX-License-Identifier: Apache-2.0
// What locations show, for splits that hold each class in the wanted shares.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "index/split.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

struct ShownClasses {
  std::vector<std::string> names;     ///< "<layer> <class>" or "<target> <value>", in order
  std::vector<std::vector<int>> of;   ///< parallel to the locations: places in `names`, ascending
};

/// Classes 1..254 of each mask of the job's layers, and values of targets of kind class and classes.
/// Without names if the workspace has neither.
ShownClasses shown_classes(const StageInput& in, std::span<const index::SplitLocation> locations, const RunContext& context);

/// One line for each of the first classes: in how many locations of each part it is.
std::vector<std::string> class_balance(const ShownClasses& classes, std::span<const index::SplitAssignment> of);

/// Given blocks as text and back: "<epsg> <x> <y> <part>" a line. Throws Error::failed for other text.
std::string text_of(const index::BlockParts& parts);
index::BlockParts block_parts_of(const std::string& text);

}  // namespace tilewright::pipeline
