// SPDX-License-Identifier: Apache-2.0
// One encoder a sensor, side by side: each sees its own channels of the stacked image.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "learn/models/model.h"

namespace tilewright::learn {

/// Names of sensor `number`'s encoder (0-based): encoder_1, encoder_2, ...
std::string sensor_prefix(std::size_t number);

/// One code: the features of all, one behind the other.
ImageCode joined(const std::vector<ImageCode>& codes);

/// Encoders of one kind as encoder_1, encoder_2, ... of `parent`, whose names follow there.
class SensorEncoders {
 public:
  /// `channels` of each sensor, in the order in which images are stacked.
  SensorEncoders(torch::nn::Module& parent, const ModelConfig& model,
                 const std::vector<int>& channels, int size_px);
  /// The image of each sensor out of [N, C1 + C2 + ..., H, W].
  [[nodiscard]] std::vector<torch::Tensor> split(const torch::Tensor& image_nchw) const;
  /// What each encoder knows of its image.
  std::vector<ImageCode> codes(const torch::Tensor& image_nchw, std::optional<int> tap);
  /// One code: the features of all sensors, one behind the other.
  ImageCode joined(const torch::Tensor& image_nchw, std::optional<int> tap);
  [[nodiscard]] std::vector<std::string> prefixes() const;
  [[nodiscard]] int feature_dim() const { return encoders_.front()->feature_dim(); }  ///< of one

 private:
  std::vector<std::shared_ptr<FeatureEncoder>> encoders_;
  std::vector<std::int64_t> channels_;
};

/// Features of all sensors of an image together: late fusion.
class LateFusion : public FeatureEncoder {
 public:
  LateFusion(const ModelConfig& model, const std::vector<int>& channels, int size_px);
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return encoders_.joined(image_nchw, tap);
  }
  [[nodiscard]] int feature_dim() const override { return feature_dim_; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return encoders_.prefixes();
  }

 private:
  SensorEncoders encoders_;
  int feature_dim_;
};

}  // namespace tilewright::learn
