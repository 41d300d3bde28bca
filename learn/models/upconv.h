// SPDX-License-Identifier: Apache-2.0
// A light decoder on a plain vision transformer: a ladder of doublings back to the pixels.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "learn/models/model.h"
#include "learn/models/vit.h"

namespace tilewright::learn {

/// log2(patch_px) times (bilinear x2, 3x3 convolution, batch norm, ReLU) with widths 128, 64, ...;
/// the last convolution gives the classes and has neither norm nor ReLU.
class UpConvHead : public torch::nn::Module {
 public:
  /// Throws Error::config unless patch_px is a power of two above 1.
  UpConvHead(int dim, int patch_px, int classes);
  torch::Tensor forward(const torch::Tensor& map_nchw);

 private:
  std::vector<torch::nn::Conv2d> convs_;
  std::vector<torch::nn::BatchNorm2d> norms_;
};

/// ViT, last norm, UpConvHead: logits at the image's size.
class UpConv : public Segmenter {
 public:
  UpConv(const VitShape& shape, int classes);
  torch::Tensor forward(const torch::Tensor& image_nchw) override;
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return trunk_.code(image_nchw, tap);
  }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return vit_prefixes();
  }

 private:
  VitTrunk trunk_;
  std::shared_ptr<UpConvHead> head_;
};

}  // namespace tilewright::learn
