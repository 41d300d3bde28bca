// SPDX-License-Identifier: Apache-2.0
// ResNet-18 and ResNet-50.
#include "learn/models/resnet.h"

#include "geometry/error.h"

namespace tilewright::learn {
namespace nn = torch::nn;
namespace {

constexpr int kStemWidth = 64;
constexpr std::array kBlocks18{2, 2, 2, 2}, kBlocks50{3, 4, 6, 3};

nn::Conv2d conv(int in, int out, int kernel, int stride) {
  return nn::Conv2d(
      nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

int expansion(int depth) { return depth == 50 ? 4 : 1; }

}  // namespace

ResnetShape resnet_shape(const ModelConfig& config, ImageShape image) {
  return {.channels = image.channels,
          .depth = config.name.ends_with("50") ? 50 : 18,
          .is_detailed = config.detailed};
}

ResidualBlock::ResidualBlock(const Shape& s) {
  if (s.is_bottleneck) {
    convs_ = {conv(s.in, s.middle, 1, 1), conv(s.middle, s.middle, 3, s.stride),
              conv(s.middle, s.out, 1, 1)};
    norms_ = {nn::BatchNorm2d(s.middle), nn::BatchNorm2d(s.middle), nn::BatchNorm2d(s.out)};
  } else {
    convs_ = {conv(s.in, s.middle, 3, s.stride), conv(s.middle, s.out, 3, 1)};
    norms_ = {nn::BatchNorm2d(s.middle), nn::BatchNorm2d(s.out)};
  }
  for (std::size_t i = 0; i < convs_.size(); ++i) {
    const auto number = std::to_string(i + 1);
    register_module("conv" + number, convs_[i]);
    register_module("bn" + number, norms_[i]);
  }
  if (s.stride == 1 && s.in == s.out) return;
  downsample_ = register_module(
      "downsample", nn::Sequential(conv(s.in, s.out, 1, s.stride), nn::BatchNorm2d(s.out)));
}

torch::Tensor ResidualBlock::forward(const torch::Tensor& x_nchw) {
  auto x = x_nchw;
  for (std::size_t i = 0; i < convs_.size(); ++i) {
    x = norms_[i]->forward(convs_[i]->forward(x));
    if (i + 1 < convs_.size()) x = torch::relu(x);
  }
  return torch::relu(x + (downsample_ ? downsample_->forward(x_nchw) : x_nchw));
}

nn::Sequential residual_layer(const ResidualBlock::Shape& first, int middle, int blocks) {
  nn::Sequential layer;
  layer->push_back(std::make_shared<ResidualBlock>(first));
  for (int i = 1; i < blocks; ++i)
    layer->push_back(std::make_shared<ResidualBlock>(
        ResidualBlock::Shape{.in = first.out,
                             .middle = middle,
                             .out = first.out,
                             .is_bottleneck = first.is_bottleneck}));
  return layer;
}

void initialize_resnet(nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (const auto& child : module.modules(/*include_self=*/false)) {
    if (auto* convolution = child->as<nn::Conv2d>()) {
      nn::init::kaiming_normal_(convolution->weight, 0, torch::kFanOut, torch::kReLU);
    } else if (auto* norm = child->as<nn::BatchNorm2d>()) {
      norm->weight.fill_(1);
      norm->bias.zero_();
    }
  }
}

ResnetTrunk::ResnetTrunk(nn::Module& parent, const ResnetShape& shape) : shape_(shape) {
  if (shape.depth != 18 && shape.depth != 50)
    throw Error::config("model resnet" + std::to_string(shape.depth) +
                        " does not exist; there are resnet18, resnet50");
  conv1_ =
      parent.register_module("conv1", nn::Conv2d(nn::Conv2dOptions(shape.channels, kStemWidth, 7)
                                                     .stride(shape.is_detailed ? 1 : 2)
                                                     .padding(3)
                                                     .bias(false)));
  bn1_ = parent.register_module("bn1", nn::BatchNorm2d(kStemWidth));
  const auto& blocks = shape.depth == 50 ? kBlocks50 : kBlocks18;
  int in = kStemWidth;
  for (int i = 0; i < 4; ++i) {
    const int middle = kStemWidth << i, out = middle * expansion(shape.depth);
    const bool is_strided = i > 0 || shape.is_detailed;
    layers_[i] = parent.register_module("layer" + std::to_string(i + 1),
                                        residual_layer({.in = in,
                                                        .middle = middle,
                                                        .out = out,
                                                        .stride = is_strided ? 2 : 1,
                                                        .is_bottleneck = shape.depth == 50},
                                                       middle, blocks[i]));
    in = out;
  }
}

std::array<torch::Tensor, 5> ResnetTrunk::forward(const torch::Tensor& image_nchw) {
  std::array<torch::Tensor, 5> maps;
  maps[0] = torch::relu(bn1_->forward(conv1_->forward(image_nchw)));
  auto x = shape_.is_detailed ? maps[0] : torch::max_pool2d(maps[0], 3, 2, 1);
  for (int i = 0; i < 4; ++i) maps[i + 1] = x = layers_[i]->forward(x);
  return maps;
}

std::array<int, 5> resnet_widths(int depth) {
  const int e = expansion(depth);
  return {kStemWidth, 64 * e, 128 * e, 256 * e, 512 * e};
}

std::vector<std::string> resnet_prefixes() {
  return {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"};
}

ResnetEncoder::ResnetEncoder(const ResnetShape& shape)
    : trunk_(*this, shape), feature_dim_(resnet_widths(shape.depth)[4]) {
  initialize_resnet(*this);
}

ImageCode ResnetEncoder::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return code_of_maps(trunk_.forward(image_nchw), tap);
}

}  // namespace tilewright::learn
