// SPDX-License-Identifier: Apache-2.0
// Late fusion for pixels: an encoder a sensor, their maps joined before one decoder.
#pragma once

#include <torch/torch.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "learn/models/sensors.h"
#include "learn/models/unet.h"
#include "learn/models/upconv.h"

namespace tilewright::learn {

/// A contracting path a sensor (encoder_1, encoder_2, ...); at each of the five levels a 1x1
/// convolution (join.0, finest, to join.4) brings the maps of all sensors back to the width of one,
/// for the expanding path of a UNet.
class LateUnet : public Segmenter {
 public:
  /// `shape.channels` is not looked at; `channels` of each sensor, in the order in which images are
  /// stacked. Throws Error::config if a side is below 16 pixels.
  LateUnet(const UnetShape& shape, const std::vector<int>& channels, int size_px);
  torch::Tensor forward(const torch::Tensor& image_nchw) override;
  /// The joined maps.
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override;

 private:
  std::array<torch::Tensor, 5> maps(const torch::Tensor& image_nchw);
  std::vector<std::shared_ptr<UnetEncoder>> encoders_;
  std::vector<std::int64_t> channels_;
  std::vector<torch::nn::Conv2d> joins_;
  ExpandingPath up_path_;
};

/// A ViT a sensor; UpConvHead on their last maps, one behind the other.
class LateUpConv : public Segmenter {
 public:
  LateUpConv(const ModelConfig& vit, const std::vector<int>& channels, int size_px, int classes);
  torch::Tensor forward(const torch::Tensor& image_nchw) override;
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return encoders_.joined(image_nchw, tap);
  }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return encoders_.prefixes();
  }

 private:
  SensorEncoders encoders_;
  std::shared_ptr<UpConvHead> head_;
};

/// For model unet or upconv; throws Error::config for others.
std::shared_ptr<Segmenter> make_late_segmenter(const ModelConfig& model,
                                               const std::vector<int>& channels, int size_px,
                                               int classes);

}  // namespace tilewright::learn
