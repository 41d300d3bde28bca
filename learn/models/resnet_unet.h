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

/// Decoder of widths 256, 128, 64, 32, 16 and a 3x3 head. The encoder's names are torchvision's,
/// without "encoder."; the decoder's are decoder.blocks.N.conv1.0 and segmentation_head.0.
/// The detailed encoder ends at stride 1 one block earlier: the last block keeps the size.
/// Differs: the head starts at N(0, 0.003) with zero bias, so that the first loss is ln K.
class ResnetUnet : public Segmenter {
 public:
  /// Throws Error::config if a side is below 32 pixels (16 detailed). Sides that are no multiple
  /// of it are padded by the edge at the right and below, and cut again.
  ResnetUnet(const ResnetShape& shape, int size_px, int classes);
  torch::Tensor forward(const torch::Tensor& image_nchw) override;
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return resnet_prefixes();
  }

 private:
  ResnetTrunk trunk_;
  int multiple_px_;
  std::array<std::shared_ptr<UnetDecoderBlock>, 5> blocks_;
  torch::nn::Conv2d head_{nullptr};
};

}  // namespace tilewright::learn
