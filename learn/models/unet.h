// SPDX-License-Identifier: Apache-2.0
// The UNet baseline: names and numerics of milesial/Pytorch-UNet, any width.
#pragma once

#include <torch/torch.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "learn/models/model.h"

namespace tilewright::learn {

struct UnetShape {
  int channels = 3, classes = 2, width = 64;
  bool is_bilinear = false;
};

/// From the config's width and bilinear.
UnetShape unet_shape(const ModelConfig& config, ImageShape image, int classes);

/// (3x3 convolution without bias, batch norm, ReLU) twice.
class DoubleConv : public torch::nn::Module {
 public:
  DoubleConv(int in, int middle, int out);
  torch::Tensor forward(const torch::Tensor& x_nchw);

 private:
  torch::nn::Sequential double_conv_;
};

/// Halves the size (max pool), then DoubleConv.
class Down : public torch::nn::Module {
 public:
  Down(int in, int out);
  torch::Tensor forward(const torch::Tensor& x_nchw);

 private:
  torch::nn::Sequential maxpool_conv_;
};

/// Doubles the size, pads to the skipped map, concatenates [skip, up], then DoubleConv.
class Up : public torch::nn::Module {
 public:
  Up(int in, int out, bool is_bilinear);
  torch::Tensor forward(const torch::Tensor& deep_nchw, const torch::Tensor& skip_nchw);

 private:
  torch::nn::ConvTranspose2d up_{nullptr};  ///< null: bilinear, align_corners true
  std::shared_ptr<DoubleConv> conv_;
};

/// The contracting half as members of `parent`: inc, down1 to down4. Maps from finest to deepest.
class ContractingPath {
 public:
  ContractingPath(torch::nn::Module& parent, const UnetShape& shape);
  std::array<torch::Tensor, 5> forward(const torch::Tensor& image_nchw);
  [[nodiscard]] int deepest_channels() const { return deepest_channels_; }

 private:
  std::shared_ptr<DoubleConv> inc_;
  std::array<std::shared_ptr<Down>, 4> down_;
  int deepest_channels_;
};

/// The expanding half as members of `parent`: up1 to up4 and outc.conv, which starts at N(0, 0.01)
/// with zero bias, so that the first loss is ln K.
class ExpandingPath {
 public:
  ExpandingPath(torch::nn::Module& parent, const UnetShape& shape);
  torch::Tensor forward(const std::array<torch::Tensor, 5>& maps);

 private:
  std::array<std::shared_ptr<Up>, 4> up_;
  torch::nn::Conv2d outc_{nullptr};
};

/// Names below which ContractingPath registers.
std::vector<std::string> unet_encoder_prefixes();

/// Ronneberger et al. 2015 as milesial builds it. Output size = input size for sizes >= 16.
/// Differs: the start of the last convolution (ExpandingPath).
class Unet : public Segmenter {
 public:
  /// Throws Error::config if a side is below 16 pixels.
  Unet(const UnetShape& shape, int size_px);
  torch::Tensor forward(const torch::Tensor& image_nchw) override;
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return unet_encoder_prefixes();
  }

 private:
  ContractingPath path_;
  ExpandingPath up_path_;
};
/// Throws Error::config if a side is below 16 pixels.
void check_unet_size(int size_px);

/// Features of a whole image: mean of the deepest map.
class UnetEncoder : public FeatureEncoder {
 public:
  explicit UnetEncoder(const UnetShape& shape);
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  /// All levels, from finest to deepest.
  std::array<torch::Tensor, 5> maps(const torch::Tensor& image_nchw) {
    return path_.forward(image_nchw);
  }
  [[nodiscard]] int feature_dim() const override { return path_.deepest_channels(); }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return unet_encoder_prefixes();
  }

 private:
  ContractingPath path_;
};

}  // namespace tilewright::learn
