// SPDX-License-Identifier: Apache-2.0
// The models that a job can name, and the two things a recipe asks of one.
#pragma once

#include <torch/torch.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "learn/config/run_config.h"

namespace tilewright::learn {

struct ImageShape {
  int channels = 1, size_px = 64;  ///< square images
};

struct WeightedLogits {
  torch::Tensor logits_nkhw;
  double weight = 1;  ///< of its loss in the sum
};

/// What an encoder knows of each image of a batch.
struct ImageCode {
  torch::Tensor cls_nd;    ///< class token [N, D]; undefined where the network has none
  torch::Tensor map_ndhw;  ///< [N, D, h, w]
};

/// The network's own vector of each image [N, D]: its class token, else the mean of its map.
torch::Tensor pooled(const ImageCode& code);
/// Map `tap` of several as a code, the last one without a tap. Throws Error::config for other
/// numbers.
ImageCode code_of_maps(std::span<const torch::Tensor> maps, std::optional<int> tap);

/// A network from images to one score per class and pixel. Its parameters have the names of the
/// reference state dict (timm, MAE, milesial), flat: `named_parameters()` of the module itself.
class Segmenter : public torch::nn::Module {
 public:
  /// \param image_nchw [N, C, H, W] float32, normalized.  \return logits_nkhw [N, K, H, W] float32.
  virtual torch::Tensor forward(const torch::Tensor& image_nchw) = 0;
  /// What the loss of a training step is summed over: the scores, and those of auxiliary heads.
  virtual std::vector<WeightedLogits> training_outputs(const torch::Tensor& image_nchw) {
    return {{forward(image_nchw), 1}};
  }
  /// What its encoder knows; `tap` as in FeatureEncoder.
  virtual ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) = 0;
  /// Sum of the weights of training_outputs.
  [[nodiscard]] virtual double total_loss_weight() const { return 1; }
  /// Names of what protocol `frozen` keeps as it is.
  [[nodiscard]] virtual std::vector<std::string> encoder_prefixes() const = 0;
};

/// A network from images to one vector each, which contrastive recipes train. Names as above.
class FeatureEncoder : public torch::nn::Module {
 public:
  /// \return [N, feature_dim]: pooled(encode(image)).
  torch::Tensor forward(const torch::Tensor& image_nchw) {
    return pooled(encode(image_nchw, std::nullopt));
  }
  /// \param tap place inside instead of the end: a block of a ViT (0-based, after the block,
  /// without the last norm), a level of a convolutional network (0 = finest). Throws Error::config
  /// for other numbers.
  virtual ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) = 0;
  [[nodiscard]] virtual int feature_dim() const = 0;
  /// Names of the encoder's own tensors; recipes register their heads beside them.
  [[nodiscard]] virtual std::vector<std::string> encoder_prefixes() const = 0;
};

struct ModelRow {
  std::string_view name, paper;
  /// Null where the model cannot do it; `mae` takes every model with `is_vit`.
  std::shared_ptr<Segmenter> (*make_segmenter)(const ModelConfig&, ImageShape, int classes);
  std::shared_ptr<FeatureEncoder> (*make_encoder)(const ModelConfig&, ImageShape);
  bool is_vit;
};

std::span<const ModelRow> models();
/// Throws Error::config with the names that exist.
const ModelRow& model_row(const std::string& name);
/// Throw Error::config if the model cannot do it, or not with this shape. Weights come from the
/// global generator: call torch::manual_seed before.
std::shared_ptr<Segmenter> make_segmenter(const ModelConfig& config, ImageShape image, int classes);
std::shared_ptr<FeatureEncoder> make_encoder(const ModelConfig& config, ImageShape image);

}  // namespace tilewright::learn
