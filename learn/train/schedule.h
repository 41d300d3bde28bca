// SPDX-License-Identifier: Apache-2.0
// The learning rate as a pure function of the step.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "learn/config/run_config.h"

namespace tilewright::learn {

/// Length of a run in optimizer steps.
struct RunLength {
  std::int64_t steps_per_epoch = 1, total_steps = 1;
};

/// Of step 0, 1, ...: linear from 0 over the warm-up, then by name:
///   constant  the top
///   cosine    min + (top - min) * (1 + cos(pi t)) / 2, t = share of what follows the warm-up (MAE)
///   poly      min + (top - min) * (1 - step / total)^power, times the warm-up's share
///   (MMSegmentation)
///   step      the top, times factor at each of the milestones (epochs)
/// Throws Error::config for an unknown name.
double learning_rate(double top, const ScheduleConfig& schedule, RunLength length,
                     std::int64_t step);

}  // namespace tilewright::learn
