// SPDX-License-Identifier: Apache-2.0
// A person's own split: a CSV of files and parts, joined to locations through their tiles.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "index/split.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

struct TableSplit {
  std::vector<index::SplitAssignment> of;  ///< parallel to the locations; part "" where no file is listed
  std::int64_t rows = 0;                   ///< names in the table
  std::vector<std::string> without_file;   ///< of them, those that no file of the sources has
  std::int64_t unlisted = 0;               ///< locations of which no tile is in the table
  std::int64_t contradicted = 0;           ///< tiles of several parts: the location becomes guard
};

/// A row names a file as names_of_file says.
/// Throws Error::config for a table that cannot be read, lacks a column, names an unknown part, or
/// lists one file in two parts.
TableSplit split_by_table(const StageInput& in, const SplitTable& table, const std::vector<index::SplitLocation>& locations);

/// Ways in which a table may name a file "<root>:<path>", the most exact first: as it stands, its path,
/// the ends of its path ("AnnualCrop/a.tif", "a.tif"), its name without extension.
std::vector<std::string> names_of_file(const std::string& path);

/// Fields of one CSV line; quoted fields may hold commas and doubled quotes.
std::vector<std::string> csv_fields(const std::string& line);
/// A text as one field of a CSV line: quoted, with doubled quotes, where it has to be.
std::string csv_cell(const std::string& text);

}  // namespace tilewright::pipeline
