// SPDX-License-Identifier: Apache-2.0
// Late fusion for pixels: an encoder a sensor, their maps joined before one decoder.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "learn/models/joined_encoders.h"
#include "learn/models/resnet_unet.h"
#include "learn/models/sensors.h"
#include "learn/models/unet.h"
#include "learn/models/upconv.h"
#include "learn/models/upernet.h"

namespace tilewright::learn {

/// A contracting path a sensor, their five maps joined, the expanding path of a UNet.
class LateUnet : public Segmenter {
 public:
  /// `shape.channels` is not looked at; `channels` of each sensor, in the order in which images are
  /// stacked. Throws Error::config if a side is below 16 pixels.
  LateUnet(const UnetShape& shape, const std::vector<int>& channels, int size_px);
  torch::Tensor forward(const torch::Tensor& image_nchw) override;
  /// The joined maps.
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return encoders_.prefixes();
  }

 private:
  ExpandingPath up_path_;
  JoinedEncoders<UnetEncoder, 5> encoders_;
};

/// A ResNet a sensor, their five maps joined, ResnetDecoder.
class LateResnetUnet : public Segmenter {
 public:
  /// As LateUnet. Throws Error::config if a side is below 32 pixels (16 detailed).
  LateResnetUnet(const ResnetShape& shape, const std::vector<int>& channels, int size_px,
                 int classes);
  torch::Tensor forward(const torch::Tensor& image_nchw) override;
  /// The joined maps.
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return encoders_.prefixes();
  }

 private:
  ResnetDecoder decoder_;
  JoinedEncoders<ResnetEncoder, 5> encoders_;
};

/// A ViT a sensor, the four maps that UPerNet reads joined, UperDecoder.
class LateUperNet : public Segmenter {
 public:
  /// As LateUnet. Throws Error::config if the image has fewer than 2 x 2 tokens.
  LateUperNet(const VitShape& shape, const std::vector<int>& channels, int classes);
  torch::Tensor forward(const torch::Tensor& image_nchw) override;
  std::vector<WeightedLogits> training_outputs(const torch::Tensor& image_nchw) override;
  /// Class tokens and maps of all sensors, one behind the other.
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  [[nodiscard]] double total_loss_weight() const override {
    return 1 + UperDecoder::kAuxiliaryWeight;
  }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return encoders_.prefixes();
  }

 private:
  UperDecoder decoder_;
  JoinedEncoders<UperEncoder, 4> encoders_;
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

/// For model unet, unet_resnet18, unet_resnet50, upernet or upconv; throws Error::config for
/// others.
std::shared_ptr<Segmenter> make_late_segmenter(const ModelConfig& model,
                                               const std::vector<int>& channels, int size_px,
                                               int classes);

}  // namespace tilewright::learn
