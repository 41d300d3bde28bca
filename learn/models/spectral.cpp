// SPDX-License-Identifier: Apache-2.0
// Spectral adapter, SpecViT, SpecResNet50.
#include "learn/models/spectral.h"

#include "geometry/error.h"

namespace tilewright::learn {
namespace nn = torch::nn;
namespace {

/// The last kernel spans 5 positions, one on either side is padding: 3 are left of 15 of 75.
constexpr int kLeastBands = 75;

nn::Conv3d along_bands(int in, int out, int kernel, int stride) {
  return nn::Conv3d(
      nn::Conv3dOptions(in, out, {kernel, 1, 1}).stride({stride, 1, 1}).padding({1, 0, 0}));
}

}  // namespace

VitShape on_adapter(VitShape shape) {
  shape.channels = kSpectralChannels;
  return shape;
}

SpectralAdapter::SpectralAdapter(int bands) {
  if (bands < kLeastBands)
    throw Error::config("the spectral adapter needs " + std::to_string(kLeastBands) +
                        " bands or more, this dataset has " + std::to_string(bands) +
                        "; take a vit or resnet model");
  const auto relu = [] { return nn::ReLU(nn::ReLUOptions().inplace(true)); };
  layers_ = nn::Sequential(along_bands(1, 32, 7, 5), nn::BatchNorm3d(32), relu(),
                           along_bands(32, 64, 7, 5), nn::BatchNorm3d(64), relu(),
                           along_bands(64, kSpectralChannels, 5, 3),
                           nn::BatchNorm3d(kSpectralChannels), relu());
  int number = 0;  // flat names, as the reference's Sequential has them
  for (const auto& layer : layers_->children()) register_module(std::to_string(number++), layer);
}

torch::Tensor SpectralAdapter::forward(const torch::Tensor& image_nchw) {
  return layers_->forward(image_nchw.unsqueeze(1)).mean(2);
}

SpectralVit::SpectralVit(const VitShape& shape)
    : adapter_(
          register_module(kSpectralAdapter, std::make_shared<SpectralAdapter>(shape.channels))),
      trunk_(*this, on_adapter(shape)) {
  initialize_vit(*this);
  learn_positions(*this);
}

ImageCode SpectralVit::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return trunk_.code(adapter_->forward(image_nchw), tap);
}

std::vector<std::string> spectral_vit_prefixes() {
  auto names = vit_prefixes();
  names.insert(names.begin(), kSpectralAdapter);
  return names;
}

SpectralUpConv::SpectralUpConv(const VitShape& shape, int classes)
    : adapter_(
          register_module(kSpectralAdapter, std::make_shared<SpectralAdapter>(shape.channels))),
      trunk_(*this, on_adapter(shape)) {
  initialize_vit(*this);
  learn_positions(*this);
  head_ = register_module("decode_head",
                          std::make_shared<UpConvHead>(shape.dim, shape.patch_px, classes));
}

torch::Tensor SpectralUpConv::forward(const torch::Tensor& image_nchw) {
  return head_->forward(encode(image_nchw, std::nullopt).map_ndhw);
}

ImageCode SpectralUpConv::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return trunk_.code(adapter_->forward(image_nchw), tap);
}

SpectralResnet::SpectralResnet(int bands)
    : adapter_(register_module(kSpectralAdapter, std::make_shared<SpectralAdapter>(bands))) {
  int in = kSpectralChannels;
  for (int i = 0; i < 4; ++i) {
    const int middle = 64 << i, out = 256 << i, blocks[] = {3, 4, 6, 3};
    const ResidualBlock::Shape first{
        .in = in, .middle = i == 0 ? out : middle, .out = out, .stride = 2, .is_bottleneck = true};
    layers_.push_back(
        register_module("layer" + std::to_string(i + 1), residual_layer(first, middle, blocks[i])));
    in = out;
  }
  initialize_resnet(*this);
}

ImageCode SpectralResnet::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  std::vector<torch::Tensor> maps = {adapter_->forward(image_nchw)};
  for (auto& layer : layers_) maps.push_back(layer->forward(maps.back()));
  return code_of_maps(maps, tap);
}

}  // namespace tilewright::learn
