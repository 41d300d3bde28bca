// SPDX-License-Identifier: Apache-2.0
// Encoders of several sensors whose maps become those of one.
#pragma once

#include <torch/torch.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "learn/models/sensors.h"

namespace tilewright::learn {

/// Encoders of one kind as encoder_1, encoder_2, ... of `parent`; on each level of their maps a 1x1
/// convolution (join.0, join.1, ..., in the order of Encoder::maps) brings the channels of all
/// sensors back to the width of one.
template <class Encoder, std::size_t kLevels>
class JoinedEncoders {
 public:
  using Maps = std::array<torch::Tensor, kLevels>;

  /// `channels` of each sensor, in the order in which images are stacked; `widths` the channels of
  /// the maps of one encoder; `make` an encoder for so many channels.
  JoinedEncoders(torch::nn::Module& parent, const std::vector<int>& channels,
                 const std::array<int, kLevels>& widths,
                 const std::function<std::shared_ptr<Encoder>(int)>& make)
      : channels_(channels.begin(), channels.end()) {
    for (std::size_t i = 0; i < channels.size(); ++i)
      encoders_.push_back(parent.register_module(sensor_prefix(i), make(channels[i])));
    torch::nn::ModuleList list;
    for (const int width : widths) {
      const auto in = static_cast<std::int64_t>(channels.size()) * width;
      joins_.emplace_back(torch::nn::Conv2dOptions(in, width, 1));
      list->push_back(joins_.back());
    }
    parent.register_module("join", list);
  }

  /// Joined maps of images [N, C1 + C2 + ..., H, W], each as of one encoder.
  Maps maps(const torch::Tensor& image_nchw) {
    std::array<std::vector<torch::Tensor>, kLevels> levels;
    each_sensor(image_nchw, [&](Encoder& encoder, const torch::Tensor& own) {
      const Maps maps = encoder.maps(own);
      for (std::size_t level = 0; level < kLevels; ++level) levels[level].push_back(maps[level]);
    });
    Maps joined;
    for (std::size_t level = 0; level < kLevels; ++level)
      joined[level] = joins_[level]->forward(torch::cat(levels[level], 1));
    return joined;
  }

  /// What each encoder knows of its image.
  std::vector<ImageCode> codes(const torch::Tensor& image_nchw, std::optional<int> tap) {
    std::vector<ImageCode> codes;
    each_sensor(image_nchw, [&](Encoder& encoder, const torch::Tensor& own) {
      codes.push_back(encoder.encode(own, tap));
    });
    return codes;
  }

  [[nodiscard]] std::vector<std::string> prefixes() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < encoders_.size(); ++i) names.push_back(sensor_prefix(i));
    return names;
  }

 private:
  template <class Use>
  void each_sensor(const torch::Tensor& image_nchw, Use use) {
    const auto images = image_nchw.split_with_sizes(channels_, 1);
    for (std::size_t i = 0; i < encoders_.size(); ++i) use(*encoders_[i], images[i].contiguous());
  }

  std::vector<std::shared_ptr<Encoder>> encoders_;
  std::vector<std::int64_t> channels_;
  std::vector<torch::nn::Conv2d> joins_;
};

}  // namespace tilewright::learn
