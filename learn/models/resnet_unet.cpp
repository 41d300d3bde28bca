// SPDX-License-Identifier: Apache-2.0
// UNet on ResNet.
#include "learn/models/resnet_unet.h"

#include "geometry/error.h"

namespace tilewright::learn {
namespace nn = torch::nn;
namespace {

constexpr std::array kWidths{256, 128, 64, 32, 16};

nn::Sequential conv_bn_relu(int in, int out) {
  return nn::Sequential(nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1).bias(false)),
                        nn::BatchNorm2d(out), nn::ReLU(nn::ReLUOptions().inplace(true)));
}

}  // namespace

UnetDecoderBlock::UnetDecoderBlock(int in, int skip, int out, bool is_same_size)
    : conv1_(conv_bn_relu(in + skip, out)),
      conv2_(conv_bn_relu(out, out)),
      is_same_size_(is_same_size) {
  register_module("conv1", conv1_);
  register_module("conv2", conv2_);
}

torch::Tensor UnetDecoderBlock::forward(const torch::Tensor& x_nchw,
                                        const torch::Tensor& skip_nchw) {
  auto x = is_same_size_ ? x_nchw
                         : at::upsample_nearest2d(x_nchw, {2 * x_nchw.size(2), 2 * x_nchw.size(3)});
  if (skip_nchw.defined()) x = torch::cat({x, skip_nchw}, 1);
  return conv2_->forward(conv1_->forward(x));
}

ResnetDecoder::ResnetDecoder(nn::Module& parent, const ResnetShape& shape, int size_px, int classes)
    : multiple_px_(shape.is_detailed ? 16 : 32) {
  if (size_px < multiple_px_)
    throw Error::config("model unet on resnet" + std::to_string(shape.depth) + ": images of " +
                        std::to_string(size_px) + " px are too small; it needs " +
                        std::to_string(multiple_px_) + " or more");
  const auto skips = resnet_widths(shape.depth);
  nn::ModuleList list;
  int in = skips[4];
  for (int i = 0; i < 5; ++i) {
    const int skip = i < 4 ? skips[3 - i] : 0;
    blocks_[i] = std::make_shared<UnetDecoderBlock>(in, skip, kWidths[i],
                                                    /*is_same_size=*/i == 4 && shape.is_detailed);
    list->push_back(blocks_[i]);
    in = kWidths[i];
  }
  auto decoder = parent.register_module("decoder", std::make_shared<nn::Module>());
  decoder->register_module("blocks", list);
  head_ = nn::Conv2d(nn::Conv2dOptions(in, classes, 3).padding(1));
  parent.register_module("segmentation_head", nn::Sequential(head_));
  initialize_resnet(parent);
  const torch::NoGradGuard no_grad;
  head_->weight.normal_(0, 0.003);  // nine pixels of many maps
  head_->bias.zero_();
}

torch::Tensor ResnetDecoder::padded(const torch::Tensor& image_nchw) const {
  const auto beyond = [&](std::int64_t side) {
    return (multiple_px_ - side % multiple_px_) % multiple_px_;
  };
  const auto rows = beyond(image_nchw.size(2)), cols = beyond(image_nchw.size(3));
  if (rows == 0 && cols == 0) return image_nchw;
  return at::replication_pad2d(image_nchw, {0, cols, 0, rows});
}

torch::Tensor ResnetDecoder::forward(const std::array<torch::Tensor, 5>& maps,
                                     const torch::Tensor& image_nchw) {
  auto x = maps[4];
  for (int i = 0; i < 5; ++i) x = blocks_[i]->forward(x, i < 4 ? maps[3 - i] : torch::Tensor());
  return head_->forward(x).slice(2, 0, image_nchw.size(2)).slice(3, 0, image_nchw.size(3));
}

ResnetUnet::ResnetUnet(const ResnetShape& shape, int size_px, int classes)
    : trunk_(*this, shape), decoder_(*this, shape, size_px, classes) {}

torch::Tensor ResnetUnet::forward(const torch::Tensor& image_nchw) {
  return decoder_.forward(trunk_.forward(decoder_.padded(image_nchw)), image_nchw);
}

ImageCode ResnetUnet::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return code_of_maps(trunk_.forward(decoder_.padded(image_nchw)), tap);
}

}  // namespace tilewright::learn
