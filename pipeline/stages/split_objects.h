// SPDX-License-Identifier: Apache-2.0
// Which label objects each audited window shows: a road may run through train and test.
#pragma once

#include "pipeline/config/job.h"
#include "pipeline/stages/split_list.h"

namespace tilewright::pipeline {

/// True if a segment has a point in the box (its border counts).
bool touches(const geometry::Box& box, geometry::MapXY from, geometry::MapXY to);

/// Adds `<layer>/<object_id>` of every vector layer of the job to the samples whose window shows it: polygons by the area
/// that they share with the window, lines and points if they come within their half width of it (corners: of its square).
/// A layer that cannot be read is named in the notes.
void add_label_objects(SplitList& list, const Job& job);

}  // namespace tilewright::pipeline
