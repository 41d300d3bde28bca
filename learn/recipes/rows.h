// SPDX-License-Identifier: Apache-2.0
// The functions behind the rows of the recipe table; one file each.
#pragma once

#include <memory>

#include "learn/models/model.h"
#include "learn/recipes/recipe.h"

namespace tilewright::learn {

std::unique_ptr<Recipe> make_segment(const RunConfig& run, const DatasetFile& dataset);
std::unique_ptr<Recipe> make_mae(const RunConfig& run, const DatasetFile& dataset);
std::unique_ptr<Recipe> make_simclr(const RunConfig& run, const DatasetFile& dataset);

/// Bands of all inputs, which are stacked on the channel axis, and the largest size.
ImageShape image_shape(const DatasetFile& dataset);

}  // namespace tilewright::learn
