// SPDX-License-Identifier: Apache-2.0
// What the report shows of a run beside its numbers.
#pragma once

#include <string>

#include "pipeline/report/section.h"

namespace tilewright::pipeline {

/// Adds to the run's entry, where there is something to show: `worst_masks` (input, label and
/// prediction of the worst samples), `worst_images`, `drawing` (hidden patches of a masked
/// autoencoder and what it draws) and `grouped` (scores by the columns of evaluate.by).
void add_examples(const ReportInput& input, const std::string& name, const learn::RunConfig& run, ReportJson& out);

/// Pairs of classes most often confused, of a part of evaluation.json with a confusion.
ReportJson confusion_pairs(const ReportInput& input, const ReportJson& part);

}  // namespace tilewright::pipeline
