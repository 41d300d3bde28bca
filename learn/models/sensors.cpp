// SPDX-License-Identifier: Apache-2.0
// Encoders of several sensors.
#include "learn/models/sensors.h"

namespace tilewright::learn {

std::string sensor_prefix(std::size_t number) { return "encoder_" + std::to_string(number + 1); }

SensorEncoders::SensorEncoders(torch::nn::Module& parent, const ModelConfig& model,
                               const std::vector<int>& channels, int size_px)
    : channels_(channels.begin(), channels.end()) {
  for (std::size_t i = 0; i < channels.size(); ++i)
    encoders_.push_back(parent.register_module(
        sensor_prefix(i), make_encoder(model, {.channels = channels[i], .size_px = size_px})));
}

std::vector<torch::Tensor> SensorEncoders::split(const torch::Tensor& image_nchw) const {
  return image_nchw.split_with_sizes(channels_, 1);
}

std::vector<ImageCode> SensorEncoders::codes(const torch::Tensor& image_nchw,
                                             std::optional<int> tap) {
  const auto images = split(image_nchw);
  std::vector<ImageCode> codes;
  for (std::size_t i = 0; i < encoders_.size(); ++i)
    codes.push_back(encoders_[i]->encode(images[i].contiguous(), tap));
  return codes;
}

ImageCode joined(const std::vector<ImageCode>& codes) {
  std::vector<torch::Tensor> cls, maps;
  for (const auto& code : codes) {
    if (code.cls_nd.defined()) cls.push_back(code.cls_nd);
    maps.push_back(code.map_ndhw);
  }
  return {.cls_nd = cls.empty() ? torch::Tensor() : torch::cat(cls, 1),
          .map_ndhw = torch::cat(maps, 1)};
}

ImageCode SensorEncoders::joined(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return learn::joined(codes(image_nchw, tap));
}

std::vector<std::string> SensorEncoders::prefixes() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < encoders_.size(); ++i) names.push_back(sensor_prefix(i));
  return names;
}

LateFusion::LateFusion(const ModelConfig& model, const std::vector<int>& channels, int size_px)
    : encoders_(*this, model, channels, size_px),
      feature_dim_(encoders_.feature_dim() * static_cast<int>(channels.size())) {}

}  // namespace tilewright::learn
