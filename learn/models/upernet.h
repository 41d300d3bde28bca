// SPDX-License-Identifier: Apache-2.0
// UPerNet on a plain vision transformer: names and numerics of MMSegmentation's heads.
#pragma once

#include <torch/torch.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "learn/models/model.h"
#include "learn/models/vit.h"

namespace tilewright::learn {

/// Convolution without bias, batch norm, ReLU. Differs: where a training batch has a single value a
/// channel (one image, pooled to 1x1), the running statistics normalize it, as batch ones do not
/// exist.
class ConvBnRelu : public torch::nn::Module {
 public:
  ConvBnRelu(int in, int out, int kernel);
  torch::Tensor forward(const torch::Tensor& x_nchw);

 private:
  torch::nn::Conv2d conv_;
  torch::nn::BatchNorm2d bn_;
};

/// Four maps of a ViT (all of one size) become strides 1/4, 1/2, 1 and 2 of a token.
class FeaturePyramid : public torch::nn::Module {
 public:
  explicit FeaturePyramid(int dim);
  std::array<torch::Tensor, 4> forward(const std::array<torch::Tensor, 4>& maps);

 private:
  torch::nn::Sequential upsample_4x_, upsample_2x_;
};

/// Xiao et al. 2018: pooled context on the deepest map, top-down sums, all levels fused at the
/// finest.
class UperHead : public torch::nn::Module {
 public:
  UperHead(int dim, int channels, int classes);
  /// Logits at the size of the finest map.
  torch::Tensor forward(const std::array<torch::Tensor, 4>& pyramid);

 private:
  torch::Tensor pooled_context(const torch::Tensor& deepest);
  std::vector<std::shared_ptr<ConvBnRelu>> psp_, laterals_, fpn_;
  std::shared_ptr<ConvBnRelu> bottleneck_, fpn_bottleneck_;
  torch::nn::Dropout2d dropout_;
  torch::nn::Conv2d conv_seg_{nullptr};
};

/// One convolution and a classifier; its loss helps the middle of the network to learn.
class FcnHead : public torch::nn::Module {
 public:
  FcnHead(int dim, int channels, int classes);
  torch::Tensor forward(const torch::Tensor& map);

 private:
  std::shared_ptr<ConvBnRelu> conv_;
  torch::nn::Dropout2d dropout_;
  torch::nn::Conv2d conv_seg_{nullptr};
};

/// Neck, head and auxiliary head as members of `parent`: neck, decode_head, auxiliary_head. Head
/// channels = dim of the encoder (768 for ViT-B). Logits are bilinear to the image's size
/// (align_corners false).
class UperDecoder {
 public:
  static constexpr double kAuxiliaryWeight = 0.4;
  UperDecoder(torch::nn::Module& parent, int dim, int classes);
  /// Four maps [N, dim, h, w] of one size, earliest first, to logits of the size of `image_nchw`.
  torch::Tensor forward(const std::array<torch::Tensor, 4>& maps, const torch::Tensor& image_nchw);
  /// Logits of both heads.
  std::vector<WeightedLogits> training_outputs(const std::array<torch::Tensor, 4>& maps,
                                               const torch::Tensor& image_nchw);

 private:
  std::shared_ptr<FeaturePyramid> neck_;
  std::shared_ptr<UperHead> decode_head_;
  std::shared_ptr<FcnHead> auxiliary_head_;
};

/// A ViT with the maps that UPerNet reads: after a third, half, two thirds and all of the blocks,
/// without cls and the last norm, which therefore does not learn.
class UperEncoder : public FeatureEncoder {
 public:
  /// Throws Error::config if the image has fewer than 2 x 2 tokens.
  explicit UperEncoder(const VitShape& shape);
  std::array<torch::Tensor, 4> maps(const torch::Tensor& image_nchw);
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return trunk_.code(image_nchw, tap);
  }
  [[nodiscard]] int feature_dim() const override { return trunk_.shape().dim; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return vit_prefixes();
  }

 private:
  VitTrunk trunk_;
};

/// The encoder (names flat, as a ViT's own) and UperDecoder.
class UperNet : public Segmenter {
 public:
  /// Throws Error::config if the image has fewer than 2 x 2 tokens.
  UperNet(const VitShape& shape, int classes);
  torch::Tensor forward(const torch::Tensor& image_nchw) override;
  std::vector<WeightedLogits> training_outputs(const torch::Tensor& image_nchw) override;
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return trunk_.code(image_nchw, tap);
  }
  [[nodiscard]] double total_loss_weight() const override {
    return 1 + UperDecoder::kAuxiliaryWeight;
  }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return vit_prefixes();
  }

 private:
  VitTrunk trunk_;
  UperDecoder decoder_;
};

}  // namespace tilewright::learn
