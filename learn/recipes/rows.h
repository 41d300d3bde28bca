// SPDX-License-Identifier: Apache-2.0
// The functions behind the rows of the recipe table; one file each.
#pragma once

#include <memory>

#include "learn/losses/losses.h"
#include "learn/models/model.h"
#include "learn/recipes/recipe.h"

namespace tilewright::learn {

std::unique_ptr<Recipe> make_segment(const RunConfig& run, const DatasetFile& dataset);
std::unique_ptr<Recipe> make_mae(const RunConfig& run, const DatasetFile& dataset);
std::unique_ptr<Recipe> make_simclr(const RunConfig& run, const DatasetFile& dataset);

std::unique_ptr<Recipe> make_classify(const RunConfig& run, const DatasetFile& dataset);
std::unique_ptr<Recipe> make_maskfeat(const RunConfig& run, const DatasetFile& dataset);
std::unique_ptr<Recipe> make_moco(const RunConfig& run, const DatasetFile& dataset);
std::unique_ptr<Recipe> make_dual_simclr(const RunConfig& run, const DatasetFile& dataset);
std::unique_ptr<Recipe> make_dino(const RunConfig& run, const DatasetFile& dataset);

/// Settings of a supervised loss; class weights by pixels, or by samples where the target is one
/// class an image.
SegmentationLossSettings loss_settings(const LossConfig& config, const TargetInfo& target);

/// Bands of all inputs, which are stacked on the channel axis, and the largest size.
ImageShape image_shape(const DatasetFile& dataset);
/// Bands of each input, in the order in which they are stacked.
std::vector<int> sensor_channels(const DatasetFile& dataset);

}  // namespace tilewright::learn
