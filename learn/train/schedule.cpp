// SPDX-License-Identifier: Apache-2.0
// Learning-rate schedules.
#include "learn/train/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

/// Place of a step in the run, all in [0, 1].
struct Progress {
  double warmup = 1;  ///< share of the warm-up done; 1 after it
  double after_warmup = 0;
  double total = 0;
  double epochs = 0;  ///< done, as a fraction
};

struct ScheduleRow {
  std::string_view name;
  double (*rate)(double top, const ScheduleConfig&, const Progress&);
};

double constant_rate(double top, const ScheduleConfig&, const Progress& at) {
  return top * at.warmup;
}

double cosine_rate(double top, const ScheduleConfig& schedule, const Progress& at) {
  if (at.warmup < 1) return top * at.warmup;
  return schedule.min_lr +
         (top - schedule.min_lr) * (1 + std::cos(std::numbers::pi * at.after_warmup)) / 2;
}

double poly_rate(double top, const ScheduleConfig& schedule, const Progress& at) {
  return at.warmup *
         (schedule.min_lr + (top - schedule.min_lr) * std::pow(1 - at.total, schedule.power));
}

double step_rate(double top, const ScheduleConfig& schedule, const Progress& at) {
  double rate = top * at.warmup;
  for (const double milestone : schedule.milestones)
    if (at.epochs >= milestone) rate *= schedule.factor;
  return rate;
}

constexpr std::array<ScheduleRow, 4> kSchedules{{{"constant", constant_rate},
                                                 {"cosine", cosine_rate},
                                                 {"poly", poly_rate},
                                                 {"step", step_rate}}};

Progress progress_of(const ScheduleConfig& schedule, RunLength length, std::int64_t step) {
  const double total = static_cast<double>(std::max<std::int64_t>(length.total_steps, 1));
  const double warmup = schedule.warmup_epochs * static_cast<double>(length.steps_per_epoch);
  const double now = static_cast<double>(step);
  Progress at;
  if (now < warmup) at.warmup = now / warmup;
  if (total > warmup) at.after_warmup = std::clamp((now - warmup) / (total - warmup), 0.0, 1.0);
  at.total = std::clamp(now / total, 0.0, 1.0);
  at.epochs = now / static_cast<double>(std::max<std::int64_t>(length.steps_per_epoch, 1));
  return at;
}

}  // namespace

double learning_rate(double top, const ScheduleConfig& schedule, RunLength length,
                     std::int64_t step) {
  for (const auto& row : kSchedules)
    if (row.name == schedule.name)
      return row.rate(top, schedule, progress_of(schedule, length, step));
  throw Error::config("schedule '" + schedule.name +
                      "' does not exist; there are constant, cosine, poly, step");
}

}  // namespace tilewright::learn
