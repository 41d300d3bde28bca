// SPDX-License-Identifier: Apache-2.0
// Hyperspectral networks: an adapter along the band axis, and encoders on what it makes.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "learn/models/resnet.h"
#include "learn/models/upconv.h"
#include "learn/models/vit.h"

namespace tilewright::learn {

inline constexpr int kSpectralChannels = 128;
/// Name below which the adapter's tensors lie, in every network that has one.
inline constexpr const char* kSpectralAdapter = "spectral_adapter";
/// Shape of a ViT on what the adapter makes of the bands.
VitShape on_adapter(VitShape shape);
/// Names below which SpectralVit registers.
std::vector<std::string> spectral_vit_prefixes();

/// Three convolutions along the bands of each pixel (1 to 32, 64, 128 channels; kernels 7, 7, 5;
/// strides 5, 5, 3; padding 1), each with batch norm and ReLU, then the mean over what remains of
/// the band axis: [N, bands, H, W] to [N, 128, H, W].
/// Source: SpectralEarth (Braham et al. 2024, arXiv 2408.08447). Names 0, 1, 3, 4, 6, 7.
class SpectralAdapter : public torch::nn::Module {
 public:
  /// Throws Error::config for fewer than 67 bands, which the strides use up.
  explicit SpectralAdapter(int bands);
  torch::Tensor forward(const torch::Tensor& image_nchw);

 private:
  torch::nn::Sequential layers_;
};

/// Adapter and a ViT on its 128 channels with learned positions; names spectral_adapter.* and
/// timm's. `shape.channels` counts the bands of the image.
class SpectralVit : public FeatureEncoder {
 public:
  explicit SpectralVit(const VitShape& shape);
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  [[nodiscard]] int feature_dim() const override { return trunk_.shape().dim; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return spectral_vit_prefixes();
  }

 private:
  std::shared_ptr<SpectralAdapter> adapter_;
  VitTrunk trunk_;
};

/// SpectralVit under a ladder of doublings (UpConvHead): classes of pixels, with the names of both.
class SpectralUpConv : public Segmenter {
 public:
  SpectralUpConv(const VitShape& shape, int classes);
  torch::Tensor forward(const torch::Tensor& image_nchw) override;
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return spectral_vit_prefixes();
  }

 private:
  std::shared_ptr<SpectralAdapter> adapter_;
  VitTrunk trunk_;
  std::shared_ptr<UpConvHead> head_;
};

/// Adapter, then ResNet-50 without stem; the first block of layer1 takes 128 channels to 256
/// without expansion at stride 2.
class SpectralResnet : public FeatureEncoder {
 public:
  explicit SpectralResnet(int bands);
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  [[nodiscard]] int feature_dim() const override { return 2048; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return {"spectral_adapter", "layer1", "layer2", "layer3", "layer4"};
  }

 private:
  std::shared_ptr<SpectralAdapter> adapter_;
  std::vector<torch::nn::Sequential> layers_;
};

}  // namespace tilewright::learn
