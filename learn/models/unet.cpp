// SPDX-License-Identifier: Apache-2.0
// UNet.
#include "learn/models/unet.h"

#include "geometry/error.h"

namespace tilewright::learn {
namespace nn = torch::nn;
namespace {

nn::Conv2d conv3x3(int in, int out) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1).bias(false));
}

/// Zeros around `x` until it has the rows and columns of `like`; the odd one goes below and right.
torch::Tensor pad_to_match(const torch::Tensor& x, const torch::Tensor& like) {
  const auto rows = like.size(2) - x.size(2), cols = like.size(3) - x.size(3);
  if (rows == 0 && cols == 0) return x;
  return torch::constant_pad_nd(x, {cols / 2, cols - cols / 2, rows / 2, rows - rows / 2});
}

}  // namespace

UnetShape unet_shape(const ModelConfig& config, ImageShape image, int classes) {
  return {.channels = image.channels,
          .classes = classes,
          .width = config.width,
          .is_bilinear = config.bilinear};
}

DoubleConv::DoubleConv(int in, int middle, int out)
    : double_conv_(conv3x3(in, middle), nn::BatchNorm2d(middle),
                   nn::ReLU(nn::ReLUOptions().inplace(true)), conv3x3(middle, out),
                   nn::BatchNorm2d(out), nn::ReLU(nn::ReLUOptions().inplace(true))) {
  register_module("double_conv", double_conv_);
}

torch::Tensor DoubleConv::forward(const torch::Tensor& x_nchw) {
  return double_conv_->forward(x_nchw);
}

Down::Down(int in, int out)
    : maxpool_conv_(nn::MaxPool2d(2), std::make_shared<DoubleConv>(in, out, out)) {
  register_module("maxpool_conv", maxpool_conv_);
}

torch::Tensor Down::forward(const torch::Tensor& x_nchw) { return maxpool_conv_->forward(x_nchw); }

Up::Up(int in, int out, bool is_bilinear) {
  if (!is_bilinear)
    up_ = register_module("up",
                          nn::ConvTranspose2d(nn::ConvTranspose2dOptions(in, in / 2, 2).stride(2)));
  conv_ =
      register_module("conv", std::make_shared<DoubleConv>(in, is_bilinear ? in / 2 : out, out));
}

torch::Tensor Up::forward(const torch::Tensor& deep_nchw, const torch::Tensor& skip_nchw) {
  const auto larger =
      up_ ? up_->forward(deep_nchw)
          : torch::upsample_bilinear2d(deep_nchw, {2 * deep_nchw.size(2), 2 * deep_nchw.size(3)},
                                       /*align_corners=*/true);
  return conv_->forward(torch::cat({skip_nchw, pad_to_match(larger, skip_nchw)}, 1));
}

ContractingPath::ContractingPath(nn::Module& parent, const UnetShape& shape) {
  const int w = shape.width;
  deepest_channels_ = shape.is_bilinear ? 8 * w : 16 * w;
  inc_ = parent.register_module("inc", std::make_shared<DoubleConv>(shape.channels, w, w));
  for (int i = 0; i < 4; ++i) {
    const int out = i == 3 ? deepest_channels_ : w << (i + 1);
    down_[i] =
        parent.register_module("down" + std::to_string(i + 1), std::make_shared<Down>(w << i, out));
  }
}

std::array<torch::Tensor, 5> ContractingPath::forward(const torch::Tensor& image_nchw) {
  std::array<torch::Tensor, 5> maps;
  maps[0] = inc_->forward(image_nchw);
  for (int i = 0; i < 4; ++i) maps[i + 1] = down_[i]->forward(maps[i]);
  return maps;
}

std::vector<std::string> unet_encoder_prefixes() {
  return {"inc", "down1", "down2", "down3", "down4"};
}

void check_unet_size(int size_px) {
  if (size_px < 16)
    throw Error::config("model unet: images of " + std::to_string(size_px) +
                        " px are too small; it needs 16 or more");
}

ExpandingPath::ExpandingPath(nn::Module& parent, const UnetShape& shape) {
  const int w = shape.width, factor = shape.is_bilinear ? 2 : 1;
  for (int i = 0; i < 4; ++i) {
    const int in = (16 * w) >> i, out = i == 3 ? w : in / 2 / factor;
    up_[i] = parent.register_module("up" + std::to_string(i + 1),
                                    std::make_shared<Up>(in, out, shape.is_bilinear));
  }
  auto last = parent.register_module("outc", std::make_shared<nn::Module>());
  outc_ = last->register_module("conv", nn::Conv2d(nn::Conv2dOptions(w, shape.classes, 1)));
  const torch::NoGradGuard no_grad;
  outc_->weight.normal_(0, 0.01);
  outc_->bias.zero_();
}

torch::Tensor ExpandingPath::forward(const std::array<torch::Tensor, 5>& maps) {
  auto x = maps[4];
  for (int i = 0; i < 4; ++i) x = up_[i]->forward(x, maps[3 - i]);
  return outc_->forward(x);
}

Unet::Unet(const UnetShape& shape, int size_px) : path_(*this, shape), up_path_(*this, shape) {
  check_unet_size(size_px);
}

torch::Tensor Unet::forward(const torch::Tensor& image_nchw) {
  return up_path_.forward(path_.forward(image_nchw));
}

ImageCode Unet::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return code_of_maps(path_.forward(image_nchw), tap);
}

UnetEncoder::UnetEncoder(const UnetShape& shape) : path_(*this, shape) {}

ImageCode UnetEncoder::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return code_of_maps(path_.forward(image_nchw), tap);
}

}  // namespace tilewright::learn
