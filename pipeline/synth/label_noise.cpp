// SPDX-License-Identifier: Apache-2.0
// Label noise per cell: where one object is misplaced, its neighbours are too.
#include "pipeline/synth/label_noise.h"

#include <algorithm>
#include <cmath>

#include "pipeline/synth/random.h"

namespace tilewright::pipeline {
namespace {

/// What happens to one cell.
struct CellPlan {
  bool is_noisy = false;
  Damage damage = Damage::drop;
  double drop_p = 0, dx_m = 0, dy_m = 0, grow_m = 0;
  int added = 0;
};

CellPlan plan_cell(double noisy_frac, Random& random) {
  CellPlan plan;
  plan.is_noisy = random.chance(noisy_frac);
  plan.damage = static_cast<Damage>(random.integer(0, 4));
  plan.drop_p = random.uniform(0.3, 0.9);
  // An object is about 12 m long: up to half of it, and never nothing.
  const double angle = random.uniform(0, 6.283), length = random.uniform(2.5, 7);
  plan.added = random.integer(2, 4);
  if (plan.damage == Damage::shift) {
    plan.dx_m = length * std::cos(angle);
    plan.dy_m = length * std::sin(angle);
  }
  const double grow = random.uniform(1.5, 3.5);
  if (plan.damage == Damage::dilate) plan.grow_m = grow;
  if (plan.damage == Damage::erode) plan.grow_m = -0.6 * grow;
  return plan;
}

/// Walls cannot move further in than leaves a third of the building.
double bounded_growth(const Shape& shape, double grow_m) {
  return std::max(grow_m, -0.65 * (shape.half_width_m - shape.notch_m / 2));
}

class Damager {
 public:
  Damager(const World& world, double noisy_frac) : world_(world), random_(world.seed, 4) {
    const int cells = world.area.cells();
    for (int i = 0; i < cells * cells; ++i) {
      plans_.push_back(plan_cell(noisy_frac, random_));
      out_.damaged_cells += plans_.back().is_noisy;
    }
  }

  DamagedLabels run() {
    for (const auto& building : world_.buildings) label(building);
    for (int y = 0; y < world_.area.cells(); ++y)
      for (int x = 0; x < world_.area.cells(); ++x)
        if (const auto& plan = plan_of(x, y); plan.is_noisy && plan.damage == Damage::add) add_false(x, y, plan.added);
    return std::move(out_);
  }

 private:
  [[nodiscard]] const CellPlan& plan_of(int x, int y) const {
    return plans_[static_cast<std::size_t>(y * world_.area.cells() + x)];
  }

  void write_down(const std::string& object, int x, int y, const CellPlan& plan, double grow_m) {
    out_.ledger.push_back({object, world_.area.name, x, y, plan.damage, plan.dx_m, plan.dy_m, grow_m});
  }

  void label(const Building& building) {
    const auto& plan = plan_of(building.cell_x, building.cell_y);
    const bool drops = random_.chance(plan.drop_p);
    Shape shape = building.shape;
    if (!plan.is_noisy || plan.damage == Damage::add || (plan.damage == Damage::drop && !drops)) {
      out_.labels.push_back({building.id, shape.outline(), building.height_m});
      return;
    }
    const double grow_m = bounded_growth(shape, plan.grow_m);
    write_down(building.id, building.cell_x, building.cell_y, plan, grow_m);
    if (plan.damage == Damage::drop) return;
    shape.centre.x += plan.dx_m;
    shape.centre.y += plan.dy_m;
    out_.labels.push_back({building.id, shape.outline(grow_m), building.height_m});
  }

  void add_false(int x, int y, int wanted) {
    const auto& area = world_.area;
    int added = 0;
    for (int attempt = 0; attempt < 80 && added < wanted; ++attempt) {
      Shape shape{{}, random_.uniform(4.5, 8), random_.uniform(3.5, 6), random_.uniform(0, 3.14159), 0};
      const double margin = shape.radius_m() + 1;
      shape.centre = {area.min_x + x * area.patch_px + random_.uniform(margin, area.patch_px - margin),
                      area.max_y - y * area.patch_px - random_.uniform(margin, area.patch_px - margin)};
      if (!is_free(world_, shape, 1)) continue;
      const auto object = "f" + area.name + std::to_string(out_.labels.size());
      out_.labels.push_back({object, shape.outline(), 0});
      write_down(object, x, y, plan_of(x, y), 0);
      ++added;
    }
  }

  const World& world_;
  Random random_;
  std::vector<CellPlan> plans_;
  DamagedLabels out_;
};

}  // namespace

std::string_view name(Damage damage) {
  constexpr std::string_view kNames[] = {"drop", "shift", "dilate", "erode", "add"};
  return kNames[static_cast<std::size_t>(damage)];
}

DamagedLabels damage_labels(const World& world, double noisy_frac) { return Damager(world, noisy_frac).run(); }

std::vector<Label> true_labels(const World& world) {
  std::vector<Label> labels;
  for (const auto& building : world.buildings) labels.push_back({building.id, building.shape.outline(), building.height_m});
  return labels;
}

}  // namespace tilewright::pipeline
