// SPDX-License-Identifier: Apache-2.0
// Masked autoencoder.
#include "learn/models/mae.h"

#include <algorithm>
#include <cmath>

#include "geometry/error.h"
#include "learn/models/hog.h"
#include "learn/models/recompute.h"

namespace tilewright::learn {
namespace nn = torch::nn;
namespace {

constexpr int kHogCellPx = 8, kHogBins = 9, kHogWindowPx = 16;

int cells_per_side(int patch_px) { return std::max(patch_px / kHogCellPx, 1); }

/// Picks tokens by index [N, K] from [N, L, D].
torch::Tensor gather_tokens(const torch::Tensor& tokens_nld, const torch::Tensor& ids_nk) {
  return tokens_nld.gather(1, ids_nk.unsqueeze(-1).expand({-1, -1, tokens_nld.size(2)}));
}

void check_mae(const MaeShape& shape) {
  const int kept = kept_tokens(shape.encoder.tokens(), shape.mask_ratio);
  if (kept < 1 || kept >= shape.encoder.tokens())
    throw Error::config("mae: mask_ratio " + std::to_string(shape.mask_ratio) + " leaves " +
                        std::to_string(kept) + " of " + std::to_string(shape.encoder.tokens()) +
                        " tokens visible; take a smaller patch_px or another ratio");
  const int patch = shape.encoder.patch_px;
  if (shape.target != MaskedTarget::pixels && patch > kHogCellPx && patch % kHogCellPx != 0)
    throw Error::config("maskfeat: patch_px " + std::to_string(patch) +
                        " is no multiple of the 8 px of a HOG cell; take 8 or 16");
  if (shape.norm_pix && shape.target_values() < 2)
    throw Error::config(
        "mae: norm_pix needs more than one value a patch; take patch_px above 1 or norm_pix: "
        "false");
  if (shape.decoder_dim % 4 != 0 || shape.decoder_dim % shape.decoder_heads != 0)
    throw Error::config("mae: decoder_dim " + std::to_string(shape.decoder_dim) +
                        " must be a multiple of 4 and of decoder_heads " +
                        std::to_string(shape.decoder_heads));
}

/// Mean square a patch, over the patches that count; 0 without one.
torch::Tensor over_counted(const torch::Tensor& error_nlv, const torch::Tensor& counted_nl) {
  return (error_nlv.square().mean(-1) * counted_nl).sum() / counted_nl.sum().clamp_min(1);
}

constexpr int kIndices = 3;

}  // namespace

int MaeShape::target_values() const {
  const int cells = cells_per_side(encoder.patch_px);
  return encoder.channels * (target == MaskedTarget::pixels ? encoder.patch_px * encoder.patch_px
                                                            : kHogBins * cells * cells);
}

int kept_tokens(int tokens, double mask_ratio) {
  return static_cast<int>(tokens * (1 - mask_ratio));
}

torch::Tensor patchify(const torch::Tensor& image_nchw, int patch_px) {
  const auto n = image_nchw.size(0), c = image_nchw.size(1), rows = image_nchw.size(2) / patch_px,
             cols = image_nchw.size(3) / patch_px;
  return image_nchw.reshape({n, c, rows, patch_px, cols, patch_px})
      .permute({0, 2, 4, 3, 5, 1})
      .reshape({n, rows * cols, patch_px * patch_px * c});
}

torch::Tensor unpatchify(const torch::Tensor& patches_nlv, int patch_px, int channels) {
  const auto n = patches_nlv.size(0);
  const auto side =
      static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(patches_nlv.size(1)))));
  return patches_nlv.reshape({n, side, side, patch_px, patch_px, channels})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({n, channels, side * patch_px, side * patch_px});
}

torch::Tensor target_scale(const torch::Tensor& target_nlv, double noise_floor) {
  auto variance = target_nlv.var(-1, /*unbiased=*/true, /*keepdim=*/true);
  if (noise_floor > 0) variance = variance.clamp_min(noise_floor * noise_floor);
  return (variance + 1e-6).sqrt();
}

torch::Tensor spectral_indices(const torch::Tensor& image_nchw, const IndexBands& bands) {
  const auto of = [&](int a, int b) {
    const auto first = image_nchw.select(1, a), second = image_nchw.select(1, b);
    return (first - second) / (first + second + 1e-5);
  };
  return torch::stack(
      {of(bands.nir, bands.red), of(bands.green, bands.nir), of(bands.swir, bands.nir)}, 1);
}

MaskedAutoencoder::MaskedAutoencoder(const MaeShape& shape)
    : shape_(shape),
      adapter_(shape.is_spectral
                   ? register_module(kSpectralAdapter,
                                     std::make_shared<SpectralAdapter>(shape.encoder.channels))
                   : nullptr),
      trunk_(*this, shape.is_spectral ? on_adapter(shape.encoder) : shape.encoder) {
  check_mae(shape);
  const int width = shape.decoder_dim;
  decoder_embed_ = register_module("decoder_embed", nn::Linear(shape.encoder.dim, width));
  mask_token_ = register_parameter("mask_token", torch::zeros({1, 1, width}));
  decoder_pos_embed_ = register_parameter("decoder_pos_embed",
                                          sincos_positions(width, shape.encoder.tokens_per_side()),
                                          /*requires_grad=*/false);
  decoder_blocks_ =
      register_blocks(*this, "decoder_blocks", width, shape.decoder_depth, shape.decoder_heads);
  decoder_norm_ =
      register_module("decoder_norm", nn::LayerNorm(nn::LayerNormOptions({width}).eps(1e-6)));
  decoder_pred_ = register_module("decoder_pred", nn::Linear(width, shape.target_values()));
  if (shape.index_bands)
    decoder_pred_index_ = register_module(
        "decoder_pred_index",
        nn::Linear(width, kIndices * shape.encoder.patch_px * shape.encoder.patch_px));
  initialize_vit(*this);
}

torch::Tensor MaskedAutoencoder::adapted(const torch::Tensor& image_nchw) {
  return adapter_ ? adapter_->forward(image_nchw) : image_nchw;
}

torch::Tensor MaskedAutoencoder::decode(const torch::Tensor& latent_nld,
                                        const torch::Tensor& ids_restore_nl) {
  const auto visible = decoder_embed_->forward(latent_nld);
  const auto hidden = ids_restore_nl.size(1) + 1 - visible.size(1);
  const auto shuffled =
      torch::cat({visible.slice(1, 1), mask_token_.expand({visible.size(0), hidden, -1})}, 1);
  auto tokens = torch::cat({visible.slice(1, 0, 1), gather_tokens(shuffled, ids_restore_nl)}, 1) +
                decoder_pos_embed_;
  for (const auto& block : decoder_blocks_)
    tokens = shape_.encoder.recomputes ? recomputed(*block, tokens) : block->forward(tokens);
  return decoder_norm_->forward(tokens);
}

torch::Tensor MaskedAutoencoder::loss_of(const torch::Tensor& image_nchw,
                                         const torch::Tensor& pred_nlv,
                                         const torch::Tensor& counted_nl) const {
  auto target = target_of(image_nchw);
  if (shape_.norm_pix) {
    const auto mean = target.mean(-1, /*keepdim=*/true);
    target = (target - mean) / target_scale(target, shape_.noise_floor);
  }
  return over_counted(pred_nlv - target, counted_nl);
}

torch::Tensor MaskedAutoencoder::target_of(const torch::Tensor& image_nchw) const {
  const int patch = shape_.encoder.patch_px, cells = cells_per_side(patch);
  if (shape_.target == MaskedTarget::pixels) return patchify(image_nchw, patch);
  return hog_of_tokens(hog(image_nchw, {.bins = kHogBins,
                                        .pool_px = patch / cells,
                                        .window_px = kHogWindowPx,
                                        .is_normed = shape_.target == MaskedTarget::hog}),
                       cells);
}

MaeOutput MaskedAutoencoder::forward(const torch::Tensor& image_nchw, const torch::Tensor& noise_nl,
                                     const torch::Tensor& valid_nhw) {
  const int kept = kept_tokens(shape_.encoder.tokens(), shape_.mask_ratio);
  const auto ids_shuffle =
      torch::argsort(noise_nl, /*stable=*/true, /*dim=*/1, /*descending=*/false);
  const auto ids_restore =
      torch::argsort(ids_shuffle, /*stable=*/true, /*dim=*/1, /*descending=*/false);
  const auto visible =
      gather_tokens(trunk_.embed(adapted(image_nchw)), ids_shuffle.slice(1, 0, kept));

  MaeOutput out;
  out.ids_restore_nl = ids_restore;
  out.mask_nl = (ids_restore >= kept).to(torch::kFloat32);
  out.latent_nld = trunk_.encode(visible);
  const auto decoded = decode(out.latent_nld, ids_restore);
  out.pred_nlv = decoder_pred_->forward(decoded).slice(1, 1);
  auto counted = out.mask_nl;
  if (valid_nhw.defined())
    counted =
        counted *
        std::get<0>(
            patchify(valid_nhw.unsqueeze(1).to(torch::kFloat32), shape_.encoder.patch_px).min(-1));
  out.loss = loss_of(image_nchw, out.pred_nlv, counted);
  if (!shape_.index_bands) return out;
  const auto indices =
      patchify(spectral_indices(image_nchw, *shape_.index_bands), shape_.encoder.patch_px);
  out.loss =
      out.loss + over_counted(decoder_pred_index_->forward(decoded).slice(1, 1) - indices, counted);
  return out;
}

}  // namespace tilewright::learn
