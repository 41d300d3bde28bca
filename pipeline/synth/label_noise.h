// SPDX-License-Identifier: Apache-2.0
// Damages the building labels of a world cell by cell, and keeps the ledger of what was done.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "geometry/polygon.h"
#include "pipeline/synth/world.h"

namespace tilewright::pipeline {

enum class Damage { drop, shift, dilate, erode, add };
std::string_view name(Damage damage);

/// One damaged object; `grow_m` is negative for erode.
struct LedgerRow {
  std::string object, area;
  int cell_x = 0, cell_y = 0;
  Damage damage = Damage::drop;
  double dx_m = 0, dy_m = 0, grow_m = 0;
};

struct Label {
  std::string object;
  geometry::MapPolygon polygon;
  double height_m = 0;
};

struct DamagedLabels {
  std::vector<Label> labels;
  std::vector<LedgerRow> ledger;
  std::int64_t damaged_cells = 0;
};

/// `noisy_frac` of the cells get one kind of damage each (SCIENCE 3.2): drop (each object with p .3
/// to .9), shift (one vector a cell, up to half an object), dilate, erode, add. The others stay exactly true.
DamagedLabels damage_labels(const World& world, double noisy_frac);
std::vector<Label> true_labels(const World& world);

}  // namespace tilewright::pipeline
