// SPDX-License-Identifier: Apache-2.0
// Heads that self-supervised recipes put on an encoder.
#pragma once

#include <torch/torch.h>

namespace tilewright::learn {

/// Linear - ReLU - Linear: SimCLR's and MoCo v2's projection. Names 0 and 2.
torch::nn::Sequential projection_head(int dim, int hidden, int out);

/// MoCo v3's projector (three layers) or predictor (two): hidden linears without bias, batch norm
/// and ReLU between them, batch norm without affine after the last if `is_closed`.
torch::nn::Sequential moco_v3_mlp(int layers, int dim, int hidden, int out, bool is_closed);

/// DINO's head: three linear layers with GELU to a bottleneck, to Euclidean length 1, then
/// directions of length 1 (a weight norm whose gain stays 1). Linears are truncated normal
/// (0.02) with zero bias. Names mlp.0, mlp.2, mlp.4, last_layer.weight_v.
/// Source: Caron et al. 2021, arXiv 2104.14294.
class DinoHead : public torch::nn::Module {
 public:
  struct Shape {
    int dim = 384, hidden = 2048, bottleneck = 256, out = 65536;
  };
  explicit DinoHead(const Shape& shape);
  /// [N, dim] to [N, out]; the directions get a gradient if they learn.
  torch::Tensor forward(const torch::Tensor& features_nd, bool directions_learn = true);

 private:
  torch::nn::Sequential mlp_;
  torch::Tensor weight_v_;
};

}  // namespace tilewright::learn
