// SPDX-License-Identifier: Apache-2.0
// UPerNet.
#include "learn/models/upernet.h"

#include <algorithm>

#include "geometry/error.h"
#include "learn/models/named_tensors.h"

namespace tilewright::learn {
namespace nn = torch::nn;
namespace {

constexpr std::array kPoolSizes{1, 2, 3, 6};
constexpr int kAuxiliaryChannels = 256;
constexpr double kDropout = 0.1;
constexpr int kAuxiliaryTap = 2;

nn::ConvTranspose2d doubled(int dim) {
  return nn::ConvTranspose2d(nn::ConvTranspose2dOptions(dim, dim, 2).stride(2));
}

torch::Tensor resized(const torch::Tensor& x_nchw, const torch::Tensor& like) {
  if (x_nchw.size(2) == like.size(2) && x_nchw.size(3) == like.size(3)) return x_nchw;
  return at::upsample_bilinear2d(x_nchw, {like.size(2), like.size(3)}, /*align_corners=*/false);
}

/// conv_seg of MMSegmentation: N(0, 0.01), so that the first loss is ln K.
nn::Conv2d classifier(int channels, int classes) {
  nn::Conv2d conv(nn::Conv2dOptions(channels, classes, 1));
  const torch::NoGradGuard no_grad;
  conv->weight.normal_(0, 0.01);
  conv->bias.zero_();
  return conv;
}

std::vector<std::shared_ptr<ConvBnRelu>> register_convs(nn::Module& parent, const std::string& name,
                                                        int count, int in, int out, int kernel) {
  std::vector<std::shared_ptr<ConvBnRelu>> convs;
  nn::ModuleList list;
  for (int i = 0; i < count; ++i) {
    convs.push_back(std::make_shared<ConvBnRelu>(in, out, kernel));
    list->push_back(convs.back());
  }
  parent.register_module(name, list);
  return convs;
}

/// The trunk as members of `parent`, with its first weights.
VitTrunk started_trunk(nn::Module& parent, const VitShape& shape) {
  VitTrunk trunk(parent, shape);
  if (shape.tokens_per_side() < 2)
    throw Error::config("model upernet: an image of " + std::to_string(shape.size_px) + " px has " +
                        std::to_string(shape.tokens()) + " token at patch_px " +
                        std::to_string(shape.patch_px) +
                        "; it needs 2 x 2 or more, take a smaller patch_px");
  initialize_vit(parent);
  if (shape.learns_positions) learn_positions(parent);
  freeze(parent, {"norm"});  // taps come before it
  return trunk;
}

std::array<torch::Tensor, 4> tapped_maps(VitTrunk& trunk, const torch::Tensor& image_nchw) {
  const int depth = trunk.shape().depth;
  std::vector<int> taps;
  for (const int blocks : {depth / 3, depth / 2, 2 * depth / 3, depth})
    taps.push_back(std::max(blocks - 1, 0));
  const auto tokens = trunk.encode_with_taps(trunk.embed(image_nchw), taps);
  std::array<torch::Tensor, 4> maps;
  for (std::size_t i = 0; i < maps.size(); ++i)
    maps[i] = token_map(tokens[i], trunk.shape().tokens_per_side());
  return maps;
}

}  // namespace

ConvBnRelu::ConvBnRelu(int in, int out, int kernel)
    : conv_(nn::Conv2dOptions(in, out, kernel).padding(kernel / 2).bias(false)), bn_(out) {
  register_module("conv", conv_);
  register_module("bn", bn_);
}

torch::Tensor ConvBnRelu::forward(const torch::Tensor& x_nchw) {
  const auto x = conv_->forward(x_nchw);
  if (x.numel() > x.size(1)) return torch::relu(bn_->forward(x));
  return torch::relu(torch::batch_norm(x, bn_->weight, bn_->bias, bn_->running_mean,
                                       bn_->running_var, /*training=*/false, 0.1, 1e-5,
                                       /*cudnn_enabled=*/false));
}

FeaturePyramid::FeaturePyramid(int dim)
    : upsample_4x_(doubled(dim), nn::BatchNorm2d(dim), nn::GELU(), doubled(dim)),
      upsample_2x_(doubled(dim)) {
  register_module("upsample_4x", upsample_4x_);
  register_module("upsample_2x", upsample_2x_);
}

std::array<torch::Tensor, 4> FeaturePyramid::forward(const std::array<torch::Tensor, 4>& maps) {
  return {upsample_4x_->forward(maps[0]), upsample_2x_->forward(maps[1]), maps[2],
          torch::max_pool2d(maps[3], 2)};
}

UperHead::UperHead(int dim, int channels, int classes) : dropout_(nn::Dropout2dOptions(kDropout)) {
  conv_seg_ = register_module("conv_seg", classifier(channels, classes));
  nn::ModuleList pools;
  for (const int size : kPoolSizes) {
    psp_.push_back(std::make_shared<ConvBnRelu>(dim, channels, 1));
    pools->push_back(nn::Sequential(nn::AdaptiveAvgPool2d(size), psp_.back()));
  }
  register_module("psp_modules", pools);
  const int levels = static_cast<int>(kPoolSizes.size());
  bottleneck_ = register_module("bottleneck",
                                std::make_shared<ConvBnRelu>(dim + levels * channels, channels, 3));
  laterals_ = register_convs(*this, "lateral_convs", 3, dim, channels, 1);
  fpn_ = register_convs(*this, "fpn_convs", 3, channels, channels, 3);
  fpn_bottleneck_ =
      register_module("fpn_bottleneck", std::make_shared<ConvBnRelu>(4 * channels, channels, 3));
  register_module("dropout", dropout_);
}

torch::Tensor UperHead::pooled_context(const torch::Tensor& deepest) {
  std::vector<torch::Tensor> levels = {deepest};
  for (std::size_t i = 0; i < psp_.size(); ++i)
    levels.push_back(resized(
        psp_[i]->forward(torch::adaptive_avg_pool2d(deepest, {kPoolSizes[i], kPoolSizes[i]})),
        deepest));
  return bottleneck_->forward(torch::cat(levels, 1));
}

torch::Tensor UperHead::forward(const std::array<torch::Tensor, 4>& pyramid) {
  std::vector<torch::Tensor> levels;
  for (int i = 0; i < 3; ++i) levels.push_back(laterals_[i]->forward(pyramid[i]));
  levels.push_back(pooled_context(pyramid[3]));
  for (int i = 3; i > 0; --i) levels[i - 1] = levels[i - 1] + resized(levels[i], levels[i - 1]);
  for (int i = 0; i < 3; ++i) levels[i] = fpn_[i]->forward(levels[i]);
  for (int i = 1; i < 4; ++i) levels[i] = resized(levels[i], levels[0]);
  return conv_seg_->forward(dropout_->forward(fpn_bottleneck_->forward(torch::cat(levels, 1))));
}

FcnHead::FcnHead(int dim, int channels, int classes) : dropout_(nn::Dropout2dOptions(kDropout)) {
  conv_seg_ = register_module("conv_seg", classifier(channels, classes));
  conv_ = register_convs(*this, "convs", 1, dim, channels, 3).front();
  register_module("dropout", dropout_);
}

torch::Tensor FcnHead::forward(const torch::Tensor& map) {
  return conv_seg_->forward(dropout_->forward(conv_->forward(map)));
}

UperDecoder::UperDecoder(nn::Module& parent, int dim, int classes)
    : neck_(parent.register_module("neck", std::make_shared<FeaturePyramid>(dim))),
      decode_head_(
          parent.register_module("decode_head", std::make_shared<UperHead>(dim, dim, classes))),
      auxiliary_head_(parent.register_module(
          "auxiliary_head", std::make_shared<FcnHead>(dim, kAuxiliaryChannels, classes))) {}

torch::Tensor UperDecoder::forward(const std::array<torch::Tensor, 4>& maps,
                                   const torch::Tensor& image_nchw) {
  return resized(decode_head_->forward(neck_->forward(maps)), image_nchw);
}

std::vector<WeightedLogits> UperDecoder::training_outputs(const std::array<torch::Tensor, 4>& maps,
                                                          const torch::Tensor& image_nchw) {
  const auto levels = neck_->forward(maps);
  return {{resized(decode_head_->forward(levels), image_nchw), 1.0},
          {resized(auxiliary_head_->forward(levels[kAuxiliaryTap]), image_nchw), kAuxiliaryWeight}};
}

UperEncoder::UperEncoder(const VitShape& shape) : trunk_(started_trunk(*this, shape)) {}

std::array<torch::Tensor, 4> UperEncoder::maps(const torch::Tensor& image_nchw) {
  return tapped_maps(trunk_, image_nchw);
}

UperNet::UperNet(const VitShape& shape, int classes)
    : trunk_(started_trunk(*this, shape)), decoder_(*this, shape.dim, classes) {}

torch::Tensor UperNet::forward(const torch::Tensor& image_nchw) {
  return decoder_.forward(tapped_maps(trunk_, image_nchw), image_nchw);
}

std::vector<WeightedLogits> UperNet::training_outputs(const torch::Tensor& image_nchw) {
  return decoder_.training_outputs(tapped_maps(trunk_, image_nchw), image_nchw);
}

}  // namespace tilewright::learn
