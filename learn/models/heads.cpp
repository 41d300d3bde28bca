// SPDX-License-Identifier: Apache-2.0
// Projection and prediction heads.
#include "learn/models/heads.h"

namespace tilewright::learn {
namespace nn = torch::nn;
namespace {

/// Normal with sigma 0.02, drawn again beyond +-2 (in practice never).
void truncated_normal(torch::Tensor tensor) {
  tensor.normal_(0, 0.02);
  tensor.clamp_(-2, 2);
}

}  // namespace

nn::Sequential projection_head(int dim, int hidden, int out) {
  return nn::Sequential(nn::Linear(dim, hidden), nn::ReLU(), nn::Linear(hidden, out));
}

nn::Sequential moco_v3_mlp(int layers, int dim, int hidden, int out, bool is_closed) {
  nn::Sequential mlp;
  for (int i = 0; i < layers; ++i) {
    const bool is_last = i + 1 == layers;
    const int to = is_last ? out : hidden;
    mlp->push_back(nn::Linear(nn::LinearOptions(i == 0 ? dim : hidden, to).bias(false)));
    if (!is_last) {
      mlp->push_back(nn::BatchNorm1d(to));
      mlp->push_back(nn::ReLU(nn::ReLUOptions().inplace(true)));
    } else if (is_closed) {
      mlp->push_back(nn::BatchNorm1d(nn::BatchNorm1dOptions(to).affine(false)));
    }
  }
  return mlp;
}

DinoHead::DinoHead(const Shape& shape)
    : mlp_(nn::Linear(shape.dim, shape.hidden), nn::GELU(), nn::Linear(shape.hidden, shape.hidden),
           nn::GELU(), nn::Linear(shape.hidden, shape.bottleneck)) {
  register_module("mlp", mlp_);
  auto last = register_module("last_layer", std::make_shared<nn::Module>());
  weight_v_ = last->register_parameter("weight_v", torch::empty({shape.out, shape.bottleneck}));
  const torch::NoGradGuard no_grad;
  nn::init::kaiming_uniform_(weight_v_, std::sqrt(5.0));
  for (const auto& layer : mlp_->children())
    if (auto* linear = layer->as<nn::Linear>()) {
      truncated_normal(linear->weight);
      linear->bias.zero_();
    }
}

torch::Tensor DinoHead::forward(const torch::Tensor& features_nd, bool directions_learn) {
  const auto bottleneck = mlp_->forward(features_nd);
  const auto unit = bottleneck / bottleneck.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12);
  const auto directions = directions_learn ? weight_v_ : weight_v_.detach();
  return unit.matmul((directions / directions.norm(2, 1, /*keepdim=*/true)).t());
}

}  // namespace tilewright::learn
