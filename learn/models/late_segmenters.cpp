// SPDX-License-Identifier: Apache-2.0
// Late fusion for pixels.
#include "learn/models/late_segmenters.h"

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

/// The shape with the channels of one sensor.
template <class Shape>
Shape with_channels(Shape shape, int channels) {
  shape.channels = channels;
  return shape;
}

/// Makes encoders of `shape` but for their channels.
template <class Encoder, class Shape>
auto maker_of(const Shape& shape) {
  return
      [shape](int channels) { return std::make_shared<Encoder>(with_channels(shape, channels)); };
}

std::array<int, 5> unet_widths(const UnetShape& shape) {
  const int w = shape.width;
  return {w, 2 * w, 4 * w, 8 * w, shape.is_bilinear ? 8 * w : 16 * w};
}

}  // namespace

LateUnet::LateUnet(const UnetShape& shape, const std::vector<int>& channels, int size_px)
    : up_path_(*this, shape),
      encoders_(*this, channels, unet_widths(shape), maker_of<UnetEncoder>(shape)) {
  check_unet_size(size_px);
}

torch::Tensor LateUnet::forward(const torch::Tensor& image_nchw) {
  return up_path_.forward(encoders_.maps(image_nchw));
}

ImageCode LateUnet::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return code_of_maps(encoders_.maps(image_nchw), tap);
}

LateResnetUnet::LateResnetUnet(const ResnetShape& shape, const std::vector<int>& channels,
                               int size_px, int classes)
    : decoder_(*this, shape, size_px, classes),
      encoders_(*this, channels, resnet_widths(shape.depth), maker_of<ResnetEncoder>(shape)) {}

torch::Tensor LateResnetUnet::forward(const torch::Tensor& image_nchw) {
  return decoder_.forward(encoders_.maps(decoder_.padded(image_nchw)), image_nchw);
}

ImageCode LateResnetUnet::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return code_of_maps(encoders_.maps(decoder_.padded(image_nchw)), tap);
}

LateUperNet::LateUperNet(const VitShape& shape, const std::vector<int>& channels, int classes)
    : decoder_(*this, shape.dim, classes),
      encoders_(*this, channels, {shape.dim, shape.dim, shape.dim, shape.dim},
                maker_of<UperEncoder>(shape)) {}

torch::Tensor LateUperNet::forward(const torch::Tensor& image_nchw) {
  return decoder_.forward(encoders_.maps(image_nchw), image_nchw);
}

std::vector<WeightedLogits> LateUperNet::training_outputs(const torch::Tensor& image_nchw) {
  return decoder_.training_outputs(encoders_.maps(image_nchw), image_nchw);
}

ImageCode LateUperNet::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return joined(encoders_.codes(image_nchw, tap));
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
  const ImageShape one_sensor{.channels = 0, .size_px = size_px};
  if (model.name == "unet")
    return std::make_shared<LateUnet>(unet_shape(model, one_sensor, classes), channels, size_px);
  if (model.name == "unet_resnet18" || model.name == "unet_resnet50")
    return std::make_shared<LateResnetUnet>(resnet_shape(model, one_sensor), channels, size_px,
                                            classes);
  if (model.name == "upernet")
    return std::make_shared<LateUperNet>(vit_shape(model, one_sensor), channels, classes);
  if (model.name != "upconv")
    throw Error::config("fusion late: model " + model.name +
                        " has no decoder for the maps of several sensors; use unet, "
                        "unet_resnet18, unet_resnet50, upernet or upconv, or fusion: early");
  auto vit = model;
  vit.name = "vit";
  return std::make_shared<LateUpConv>(vit, channels, size_px, classes);
}

}  // namespace tilewright::learn
