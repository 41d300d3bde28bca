// SPDX-License-Identifier: Apache-2.0
// Histograms of oriented gradients as targets of masked prediction.
#pragma once

#include <torch/torch.h>

namespace tilewright::learn {

struct HogSettings {
  int bins = 9;           ///< unsigned orientation: 180 degrees / bins each
  int pool_px = 8;        ///< edge of a cell
  int window_px = 0;      ///< Gaussian window tiled over the image; 0 = none
  bool is_normed = true;  ///< each cell and channel to Euclidean length 1 (an empty cell stays 0)
};

/// \param image_nchw [N, C, H, W] float; H and W are multiples of pool_px.
/// \return [N, C, bins, H / pool, W / pool] without gradient. Each pixel votes with the length of
/// its Sobel gradient (edges reflected) for floor(atan2(gx, gy) / pi * bins) mod bins.
/// Throws Error::failed for other sizes. Source: facebookresearch/SlowFast, HOGLayerC; its 16 px
/// window has sigma 8 and the sum 1.
torch::Tensor hog(const torch::Tensor& image_nchw, const HogSettings& settings = {});

/// Per token of patch_px (a multiple of pool_px): [N, L, C * bins * cells * cells], values in
/// (channel, bin, row, column) order.
torch::Tensor hog_of_tokens(const torch::Tensor& hog_ncbhw, int cells_per_side);

}  // namespace tilewright::learn
