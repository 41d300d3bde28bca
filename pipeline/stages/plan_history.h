// SPDX-License-Identifier: Apache-2.0
// What the plan of the views remembers: which scenes it knows, with which content and settings.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

/// The plan to be made, against the one that is there.
struct PlanHistory {
  int number = 1;                               ///< of the plan to be made: 1 is a plan from scratch
  bool appends = false;                         ///< locations of the earlier plan stay
  std::vector<std::string> why_anew;            ///< what besides scenes changed, where the earlier plan cannot stay
  std::optional<StageReport> same;              ///< nothing changed since: what the plan that is there reported
  std::map<std::string, std::string> contents;  ///< of the tiles now, by tile_id
  std::set<std::string> added, changed, removed;  ///< tiles, against the earlier plan
  std::string settings, digest;                 ///< of the plan to be made

  /// Its views have to be found: it is not in the earlier plan as it is now.
  [[nodiscard]] bool is_new(const std::string& tile_id) const { return added.contains(tile_id) || changed.contains(tile_id); }
  /// Views of it may stay as they are.
  [[nodiscard]] bool stays(const std::string& tile_id) const { return contents.contains(tile_id) && !changed.contains(tile_id); }
};

/// Looks at the ok tiles of the sources that are seen.
PlanHistory plan_history(const StageInput& in);

/// Remembers the plan with its report; belongs into the transaction that writes the plan.
void record_plan(index::Manifest& manifest, const PlanHistory& history, const StageReport& report);

/// "tile", "location" or "view": what the subject of a change names.
std::string kind_of(const std::string& subject);

/// Number of the plan that the manifest holds; 0 if there is none.
int plan_number(const index::Manifest& manifest);

}  // namespace tilewright::pipeline
