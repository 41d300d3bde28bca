// SPDX-License-Identifier: Apache-2.0
// The vision transformer that MAE pre-trains and heads sit on; names and numerics of timm.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "learn/models/model.h"

namespace tilewright::learn {

struct VitShape {
  int channels = 3, size_px = 224, patch_px = 16;
  int dim = 768, depth = 12, heads = 12;
  bool learns_positions = false;  ///< N(0, 0.02) at the start, instead of fixed sines and cosines
  bool recomputes = false;        ///< blocks run again on the way back (see recompute.h)
  [[nodiscard]] int tokens_per_side() const { return size_px / patch_px; }
  [[nodiscard]] int tokens() const { return tokens_per_side() * tokens_per_side(); }
};

/// From the config's name (or its dim, depth, heads for "vit"). Throws Error::config if the name is
/// no ViT, heads do not divide dim, dim is no multiple of 4, or patch_px does not divide the image.
VitShape vit_shape(const ModelConfig& config, ImageShape image);

/// Fixed positions [1, 1 + side * side, dim]; row 0 (cls) is 0. First half of the channels encodes
/// the column, second half the row; each is [sin | cos] with frequencies 10000^(-i / (dim / 4)).
torch::Tensor sincos_positions(int dim, int side);

/// Positions [1, 1 + L, dim] of a square grid, bicubic to `rows` x `columns` (align_corners false);
/// undefined if L is no square. As they are where the grid is the same.
torch::Tensor resized_positions(const torch::Tensor& positions_1ld, std::int64_t rows,
                                std::int64_t columns);
/// [N, L, D] to [N, D, rows, L / rows].
torch::Tensor token_map(const torch::Tensor& tokens_nld, std::int64_t rows);

/// Pre-norm block: x + attention(norm1(x)), then x + mlp(norm2(x)); LayerNorm eps 1e-6, erf GELU.
class TransformerBlock : public torch::nn::Module {
 public:
  TransformerBlock(int dim, int heads);
  /// [N, L, dim] to the same.
  torch::Tensor forward(const torch::Tensor& tokens_nld);

 private:
  torch::Tensor attend(const torch::Tensor& tokens_nld);
  int heads_;
  torch::nn::LayerNorm norm1_, norm2_;
  torch::nn::Linear qkv_{nullptr}, proj_{nullptr}, fc1_{nullptr}, fc2_{nullptr};
};

/// `depth` blocks, registered as a ModuleList `name` of `parent`.
std::vector<std::shared_ptr<TransformerBlock>> register_blocks(torch::nn::Module& parent,
                                                               const std::string& name, int dim,
                                                               int depth, int heads);
/// MAE's initialization: Xavier uniform weights, zero biases, LayerNorm (1, 0), tokens N(0, 0.02);
/// the patch embedding is Xavier over (D, C p p) and keeps torch's default bias.
void initialize_vit(torch::nn::Module& module);

/// Makes the positions of `module` weights that are learned, N(0, 0.02).
void learn_positions(torch::nn::Module& module);

/// The encoder as members of `parent`, so that their names stay flat: cls_token, pos_embed,
/// patch_embed.proj, blocks.N, norm. He et al. 2022, Dosovitskiy et al. 2021.
class VitTrunk {
 public:
  VitTrunk(torch::nn::Module& parent, const VitShape& shape);
  /// Patches with their positions, without cls: [N, L, dim]. Images of another size than the
  /// shape's have resized positions.
  torch::Tensor embed(const torch::Tensor& image_nchw);
  /// Puts cls in front of the tokens, runs all blocks and the last norm: [N, 1 + L, dim].
  torch::Tensor encode(const torch::Tensor& tokens_nld);
  /// Tokens after each of the blocks `taps` (0-based), without last norm and cls: [N, L, dim] each.
  std::vector<torch::Tensor> encode_with_taps(const torch::Tensor& tokens_nld,
                                              const std::vector<int>& taps);
  /// Class token and map after the last norm, or after block `tap` without it.
  ImageCode code(const torch::Tensor& image_nchw, std::optional<int> tap);
  [[nodiscard]] const VitShape& shape() const { return shape_; }

 private:
  torch::Tensor with_cls(const torch::Tensor& tokens_nld);
  torch::Tensor run_block(std::size_t number, const torch::Tensor& tokens_nld);
  VitShape shape_;
  torch::Tensor cls_token_, pos_embed_;
  torch::nn::Conv2d proj_{nullptr};
  std::vector<std::shared_ptr<TransformerBlock>> blocks_;
  torch::nn::LayerNorm norm_{nullptr};
};

/// Names below which VitTrunk registers.
std::vector<std::string> vit_prefixes();

/// Features of a whole image: the cls token after the last norm, or the tokens.
class VitEncoder : public FeatureEncoder {
 public:
  explicit VitEncoder(const VitShape& shape);
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override;
  [[nodiscard]] int feature_dim() const override { return trunk_.shape().dim; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return vit_prefixes();
  }

 private:
  VitTrunk trunk_;
};

}  // namespace tilewright::learn
