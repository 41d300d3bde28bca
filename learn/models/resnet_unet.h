// SPDX-License-Identifier: Apache-2.0
// UNet on a ResNet encoder: names and numerics of segmentation_models.pytorch.
#pragma once

#include <torch/torch.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "learn/models/resnet.h"

namespace tilewright::learn {

/// Nearest x2 (unless `is_same_size`), the skipped map beside it, twice (3x3, batch norm, ReLU).
class UnetDecoderBlock : public torch::nn::Module {
 public:
  UnetDecoderBlock(int in, int skip, int out, bool is_same_size);
  /// \param skip_nchw undefined: none.
  torch::Tensor forward(const torch::Tensor& x_nchw, const torch::Tensor& skip_nchw);

 private:
  torch::nn::Sequential conv1_, conv2_;
  bool is_same_size_;
};

/// Blocks of widths 256, 128, 64, 32, 16 and a 3x3 head as members of `parent`: decoder.blocks.N
/// and segmentation_head.0. The detailed encoder ends at stride 1 one block earlier: the last block
/// keeps the size. Differs: the head starts at N(0, 0.003) with zero bias, so that the first loss
/// is ln K.
class ResnetDecoder {
 public:
  /// Starts every convolution that `parent` has by then as initialize_resnet does. Throws
  /// Error::config if a side is below 32 pixels (16 detailed).
  ResnetDecoder(torch::nn::Module& parent, const ResnetShape& shape, int size_px, int classes);
  /// The image with its edge repeated at the right and below, up to a multiple of 32 (16) pixels.
  [[nodiscard]] torch::Tensor padded(const torch::Tensor& image_nchw) const;
  /// Maps of the padded image, finest first, to logits of the size of `image_nchw`.
  torch::Tensor forward(const std::array<torch::Tensor, 5>& maps, const torch::Tensor& image_nchw);

 private:
  int multiple_px_;
  std::array<std::shared_ptr<UnetDecoderBlock>, 5> blocks_;
  torch::nn::Conv2d head_{nullptr};
};

/// ResnetTrunk (torchvision's names, without "encoder.") and ResnetDecoder.
class ResnetUnet : public Segmenter {
 public:
  /// Throws Error::config if a side is below 32 pixels (16 detailed).
  ResnetUnet(const ResnetShape& shape, int size_px, int classes);
  torch::Tensor forward(const torch::Tensor& image_nchw) override;
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return resnet_prefixes();
  }

 private:
  ResnetTrunk trunk_;
  ResnetDecoder decoder_;
};

}  // namespace tilewright::learn
