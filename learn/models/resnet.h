// SPDX-License-Identifier: Apache-2.0
// Residual networks: names and numerics of torchvision and timm, any number of bands.
#pragma once

#include <torch/torch.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "learn/models/model.h"

namespace tilewright::learn {

struct ResnetShape {
  int channels = 3;
  int depth = 18;            ///< 18 (basic blocks) or 50 (bottlenecks)
  bool is_detailed = false;  ///< no max-pool, stem stride 1, stride 2 in layer1 instead
};

/// From the config's name, which ends in 18 or 50, and detailed.
ResnetShape resnet_shape(const ModelConfig& config, ImageShape image);

/// One residual block: two 3x3 convolutions, or 1x1 - 3x3 - 1x1 (stride in the 3x3), each with
/// batch norm; the input is added, through a strided 1x1 convolution where shapes differ.
class ResidualBlock : public torch::nn::Module {
 public:
  struct Shape {
    int in = 64, middle = 64, out = 64, stride = 1;
    bool is_bottleneck = false;
  };
  explicit ResidualBlock(const Shape& shape);
  torch::Tensor forward(const torch::Tensor& x_nchw);

 private:
  std::vector<torch::nn::Conv2d> convs_;
  std::vector<torch::nn::BatchNorm2d> norms_;
  torch::nn::Sequential downsample_{nullptr};
};

/// `blocks` residual blocks as a Sequential; the first one has `first`, the others keep its output.
torch::nn::Sequential residual_layer(const ResidualBlock::Shape& first, int middle, int blocks);
/// He initialization of every convolution below `module` (normal, fan out), batch norms 1 and 0.
void initialize_resnet(torch::nn::Module& module);

/// conv1, bn1, layer1 to layer4 as members of `parent`, so that their names stay flat.
/// He et al. 2016, arXiv 1512.03385; stride in the 3x3 as torchvision builds it.
class ResnetTrunk {
 public:
  /// Throws Error::config for a depth other than 18 and 50.
  ResnetTrunk(torch::nn::Module& parent, const ResnetShape& shape);
  /// Maps of strides 2, 4, 8, 16, 32; detailed: 1, 2, 4, 8, 16.
  std::array<torch::Tensor, 5> forward(const torch::Tensor& image_nchw);

 private:
  ResnetShape shape_;
  torch::nn::Conv2d conv1_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr};
  std::array<torch::nn::Sequential, 4> layers_{nullptr, nullptr, nullptr, nullptr};
};

/// Channels of the maps of a trunk of `depth` 18 or 50.
std::array<int, 5> resnet_widths(int depth);
/// Names below which ResnetTrunk registers.
std::vector<std::string> resnet_prefixes();

/// Features of a whole image: mean of the last map.
class ResnetEncoder : public FeatureEncoder {
 public:
  explicit ResnetEncoder(const ResnetShape& shape);
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  /// All levels, from finest to deepest.
  std::array<torch::Tensor, 5> maps(const torch::Tensor& image_nchw) {
    return trunk_.forward(image_nchw);
  }
  [[nodiscard]] int feature_dim() const override { return feature_dim_; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return resnet_prefixes();
  }

 private:
  ResnetTrunk trunk_;
  int feature_dim_;
};

}  // namespace tilewright::learn
