// SPDX-License-Identifier: Apache-2.0
// Vision transformer: positions, blocks, trunk.
#include "learn/models/vit.h"

#include <array>
#include <cmath>

#include "geometry/error.h"
#include "learn/models/recompute.h"

namespace tilewright::learn {
namespace nn = torch::nn;
namespace {

struct NamedVit {
  std::string_view name;
  int dim, depth, heads;
};
constexpr std::array<NamedVit, 5> kNamedVits{{{"vit_tiny", 192, 12, 3},
                                              {"vit_small", 384, 12, 6},
                                              {"vit_base", 768, 12, 12},
                                              {"vit_large", 1024, 24, 16},
                                              {"vit_huge", 1280, 32, 16}}};

nn::LayerNorm layer_norm(int dim) { return nn::LayerNorm(nn::LayerNormOptions({dim}).eps(1e-6)); }

void check_shape(const VitShape& shape) {
  const auto wrong = [](const std::string& text) { throw Error::config("model: " + text); };
  if (shape.patch_px < 1 || shape.size_px % shape.patch_px != 0)
    wrong("patch_px " + std::to_string(shape.patch_px) + " does not divide the image of " +
          std::to_string(shape.size_px) + " px; take a divisor of views.patch_px");
  if (shape.dim % 4 != 0)
    wrong("dim " + std::to_string(shape.dim) +
          " is not a multiple of 4, which sin-cos positions need");
  if (shape.dim % shape.heads != 0)
    wrong("heads " + std::to_string(shape.heads) + " does not divide dim " +
          std::to_string(shape.dim));
}

}  // namespace

VitShape vit_shape(const ModelConfig& config, ImageShape image) {
  VitShape shape{.channels = image.channels,
                 .size_px = image.size_px,
                 .patch_px = config.patch_px,
                 .dim = config.dim,
                 .depth = config.depth,
                 .heads = config.heads,
                 .learns_positions = config.positions == "learned",
                 .recomputes = config.recompute};
  bool is_known = config.name == "vit" || config.name == "upernet" || config.name == "upconv" ||
                  config.name == "spectral_vit" || config.name == "spectral_upconv";
  for (const auto& row : kNamedVits) {
    if (config.name != row.name) continue;
    shape.dim = row.dim;
    shape.depth = row.depth;
    shape.heads = row.heads;
    is_known = true;
  }
  if (!is_known)
    throw Error::config("model '" + config.name +
                        "' is not a vision transformer; use vit_tiny, vit_small, vit_base, "
                        "vit_large, vit_huge or vit");
  check_shape(shape);
  return shape;
}

torch::Tensor sincos_positions(int dim, int side) {
  const int quarter = dim / 4;
  auto positions = torch::zeros({1, 1 + side * side, dim});
  auto value = positions.accessor<float, 3>();
  for (int row = 0; row < side; ++row) {
    for (int col = 0; col < side; ++col) {
      const int token = 1 + row * side + col;
      for (int i = 0; i < quarter; ++i) {
        const double frequency = std::pow(10000.0, -static_cast<double>(i) / quarter);
        value[0][token][i] = static_cast<float>(std::sin(col * frequency));
        value[0][token][quarter + i] = static_cast<float>(std::cos(col * frequency));
        value[0][token][2 * quarter + i] = static_cast<float>(std::sin(row * frequency));
        value[0][token][3 * quarter + i] = static_cast<float>(std::cos(row * frequency));
      }
    }
  }
  return positions;
}

torch::Tensor resized_positions(const torch::Tensor& positions_1ld, std::int64_t rows,
                                std::int64_t columns) {
  const auto side = std::lround(std::sqrt(static_cast<double>(positions_1ld.size(1) - 1)));
  if (side * side + 1 != positions_1ld.size(1)) return {};
  if (side == rows && side == columns) return positions_1ld;
  const auto map = token_map(positions_1ld.slice(1, 1), side);
  const auto resized = at::upsample_bicubic2d(map, {rows, columns}, /*align_corners=*/false);
  return torch::cat({positions_1ld.slice(1, 0, 1), resized.permute({0, 2, 3, 1}).flatten(1, 2)}, 1);
}

torch::Tensor token_map(const torch::Tensor& tokens_nld, std::int64_t rows) {
  return tokens_nld.transpose(1, 2).reshape(
      {tokens_nld.size(0), tokens_nld.size(2), rows, tokens_nld.size(1) / rows});
}

TransformerBlock::TransformerBlock(int dim, int heads)
    : heads_(heads), norm1_(layer_norm(dim)), norm2_(layer_norm(dim)) {
  register_module("norm1", norm1_);
  auto attention = register_module("attn", std::make_shared<nn::Module>());
  qkv_ = attention->register_module("qkv", nn::Linear(dim, 3 * dim));
  proj_ = attention->register_module("proj", nn::Linear(dim, dim));
  register_module("norm2", norm2_);
  auto mlp = register_module("mlp", std::make_shared<nn::Module>());
  fc1_ = mlp->register_module("fc1", nn::Linear(dim, 4 * dim));
  fc2_ = mlp->register_module("fc2", nn::Linear(4 * dim, dim));
}

torch::Tensor TransformerBlock::attend(const torch::Tensor& tokens_nld) {
  const auto n = tokens_nld.size(0), l = tokens_nld.size(1), d = tokens_nld.size(2);
  const auto qkv =
      qkv_->forward(tokens_nld).reshape({n, l, 3, heads_, d / heads_}).permute({2, 0, 3, 1, 4});
  // Its gradient is written once; those of qkv[0], qkv[1] and qkv[2] are a sum of three.
  const auto parts = qkv.unbind(0);
  const auto mixed = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  return proj_->forward(mixed.transpose(1, 2).reshape({n, l, d}));
}

torch::Tensor TransformerBlock::forward(const torch::Tensor& tokens_nld) {
  const auto attended = tokens_nld + attend(norm1_->forward(tokens_nld));
  return attended + fc2_->forward(torch::gelu(fc1_->forward(norm2_->forward(attended))));
}

std::vector<std::shared_ptr<TransformerBlock>> register_blocks(nn::Module& parent,
                                                               const std::string& name, int dim,
                                                               int depth, int heads) {
  std::vector<std::shared_ptr<TransformerBlock>> blocks;
  nn::ModuleList list;
  for (int i = 0; i < depth; ++i) {
    blocks.push_back(std::make_shared<TransformerBlock>(dim, heads));
    list->push_back(blocks.back());
  }
  parent.register_module(name, list);
  return blocks;
}

void initialize_vit(nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (const auto& child : module.modules(/*include_self=*/false)) {
    if (auto* linear = child->as<nn::Linear>()) {
      nn::init::xavier_uniform_(linear->weight);
      if (linear->bias.defined()) linear->bias.zero_();
    } else if (auto* norm = child->as<nn::LayerNorm>()) {
      norm->weight.fill_(1);
      norm->bias.zero_();
    }
  }
  for (auto& item : module.named_parameters()) {
    if (item.key() == "patch_embed.proj.weight") {
      auto matrix = item.value().view({item.value().size(0), -1});
      nn::init::xavier_uniform_(matrix);
    } else if (item.key() == "cls_token" || item.key() == "mask_token") {
      item.value().normal_(0, 0.02);
    }
  }
}

void learn_positions(nn::Module& module) {
  for (auto& item : module.named_parameters(/*recurse=*/false)) {
    if (item.key() != "pos_embed") continue;
    item.value().set_requires_grad(true);
    nn::init::normal_(item.value(), 0, 0.02);
  }
}

VitTrunk::VitTrunk(nn::Module& parent, const VitShape& shape) : shape_(shape) {
  check_shape(shape);
  cls_token_ = parent.register_parameter("cls_token", torch::zeros({1, 1, shape.dim}));
  pos_embed_ = parent.register_parameter(
      "pos_embed", sincos_positions(shape.dim, shape.tokens_per_side()), /*requires_grad=*/false);
  auto patches = parent.register_module("patch_embed", std::make_shared<nn::Module>());
  proj_ = patches->register_module(
      "proj",
      nn::Conv2d(
          nn::Conv2dOptions(shape.channels, shape.dim, shape.patch_px).stride(shape.patch_px)));
  blocks_ = register_blocks(parent, "blocks", shape.dim, shape.depth, shape.heads);
  norm_ = parent.register_module("norm", layer_norm(shape.dim));
}

torch::Tensor VitTrunk::embed(const torch::Tensor& image_nchw) {
  const auto patches = proj_->forward(image_nchw);
  const auto positions = resized_positions(pos_embed_, patches.size(2), patches.size(3));
  return patches.flatten(2).transpose(1, 2) + positions.slice(1, 1);
}

torch::Tensor VitTrunk::run_block(std::size_t number, const torch::Tensor& tokens_nld) {
  return shape_.recomputes ? recomputed(*blocks_[number], tokens_nld)
                           : blocks_[number]->forward(tokens_nld);
}

torch::Tensor VitTrunk::with_cls(const torch::Tensor& tokens_nld) {
  const auto cls = cls_token_ + pos_embed_.slice(1, 0, 1);
  return torch::cat({cls.expand({tokens_nld.size(0), -1, -1}), tokens_nld}, 1);
}

torch::Tensor VitTrunk::encode(const torch::Tensor& tokens_nld) {
  auto tokens = with_cls(tokens_nld);
  for (std::size_t i = 0; i < blocks_.size(); ++i) tokens = run_block(i, tokens);
  return norm_->forward(tokens);
}

ImageCode VitTrunk::code(const torch::Tensor& image_nchw, std::optional<int> tap) {
  if (tap && (*tap < 0 || *tap >= shape_.depth))
    throw Error::config("tap " + std::to_string(*tap) + ": this network has the blocks 0 to " +
                        std::to_string(shape_.depth - 1));
  auto tokens = embed(image_nchw);
  if (tap) {
    tokens = with_cls(tokens);
    for (std::size_t i = 0; i <= static_cast<std::size_t>(*tap); ++i) tokens = run_block(i, tokens);
  } else {
    tokens = encode(tokens);
  }
  return {.cls_nd = tokens.select(1, 0),
          .map_ndhw = token_map(tokens.slice(1, 1), image_nchw.size(2) / shape_.patch_px)};
}

std::vector<torch::Tensor> VitTrunk::encode_with_taps(const torch::Tensor& tokens_nld,
                                                      const std::vector<int>& taps) {
  auto tokens = with_cls(tokens_nld);
  std::vector<torch::Tensor> maps;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    tokens = run_block(i, tokens);
    for (const int tap : taps)
      if (tap == static_cast<int>(i)) maps.push_back(tokens.slice(1, 1));
  }
  return maps;
}

std::vector<std::string> vit_prefixes() {
  return {"cls_token", "pos_embed", "patch_embed", "blocks", "norm"};
}

VitEncoder::VitEncoder(const VitShape& shape) : trunk_(*this, shape) {
  initialize_vit(*this);
  if (shape.learns_positions) learn_positions(*this);
}

ImageCode VitEncoder::encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
  return trunk_.code(image_nchw, tap);
}

}  // namespace tilewright::learn
