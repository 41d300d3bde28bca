// SPDX-License-Identifier: Apache-2.0
// Late fusion for pixels.
#include "learn/models/late_segmenters.h"

#include "geometry/error.h"

namespace tilewright::learn {
namespace nn = torch::nn;

LateUnet::LateUnet(const UnetShape& shape, const std::vector<int>& channels, int size_px)
    : channels_(channels.begin(), channels.end()), up_path_(*this, shape) {
  check_unet_size(size_px);
  const auto sensors = static_cast<int>(channels.size());
  for (std::size_t i = 0; i < channels.size(); ++i) {
    auto own = shape;
    own.channels = channels[i];
    encoders_.push_back(register_module(sensor_prefix(i), std::make_shared<UnetEncoder>(own)));
  }
  nn::ModuleList joins;
  for (int level = 0; level < 5; ++level) {
    const int width = level < 4 ? shape.width << level : encoders_.front()->feature_dim();
    joins_.emplace_back(nn::Conv2dOptions(sensors * width, width, 1));
    joins->push_back(joins_.back());
  }
  register_module("join", joins);
}

std::array<torch::Tensor, 5> LateUnet::maps(const torch::Tensor& image_nchw) {
  const auto images = image_nchw.split_with_sizes(channels_, 1);
  std::array<std::vector<torch::Tensor>, 5> levels;
  for (std::size_t i = 0; i < encoders_.size(); ++i) {
    const auto own = encoders_[i]->maps(images[i].contiguous());
    for (std::size_t level = 0; level < own.size(); ++level) levels[level].push_back(own[level]);
  }
  std::array<torch::Tensor, 5> joined;
  for (std::size_t level = 0; level < joined.size(); ++level)
    joined[level] = joins_[level]->forward(torch::cat(levels[level], 1));
  return joined;
}

torch::Tensor LateUnet::forward(const torch::Tensor& image_nchw) {
  return up_path_.forward(maps(image_nchw));
}

ImageCode LateUnet::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return code_of_maps(maps(image_nchw), tap);
}

std::vector<std::string> LateUnet::encoder_prefixes() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < encoders_.size(); ++i) names.push_back(sensor_prefix(i));
  return names;
}

LateUpConv::LateUpConv(const ModelConfig& vit, const std::vector<int>& channels, int size_px,
                       int classes)
    : encoders_(*this, vit, channels, size_px) {
  head_ = register_module(
      "decode_head",
      std::make_shared<UpConvHead>(encoders_.feature_dim() * static_cast<int>(channels.size()),
                                   vit.patch_px, classes));
}

torch::Tensor LateUpConv::forward(const torch::Tensor& image_nchw) {
  return head_->forward(encode(image_nchw, std::nullopt).map_ndhw);
}

std::shared_ptr<Segmenter> make_late_segmenter(const ModelConfig& model,
                                               const std::vector<int>& channels, int size_px,
                                               int classes) {
  if (model.name == "unet")
    return std::make_shared<LateUnet>(
        UnetShape{
            .channels = 0, .classes = classes, .width = model.width, .is_bilinear = model.bilinear},
        channels, size_px);
  if (model.name != "upconv")
    throw Error::config("fusion late: model " + model.name +
                        " has no decoder for the maps of several sensors; use unet or upconv, or "
                        "fusion: early");
  auto vit = model;
  vit.name = "vit";
  return std::make_shared<LateUpConv>(vit, channels, size_px, classes);
}

}  // namespace tilewright::learn
