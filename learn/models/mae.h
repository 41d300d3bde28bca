// SPDX-License-Identifier: Apache-2.0
// The masked autoencoder: a ViT that sees a quarter of the patches, a small decoder that draws the
// rest.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <optional>
#include <vector>

#include "learn/models/spectral.h"
#include "learn/models/vit.h"

namespace tilewright::learn {

/// What a hidden token is predicted as: its pixels (MAE), or its histograms of oriented gradients
/// in a Gaussian window of 16 px, each cell to length 1 or as it is (FG-MAE).
enum class MaskedTarget { pixels, hog, hog_raw };

/// Channels of the image that spectral indices are made of.
struct IndexBands {
  int red = 0, green = 0, nir = 0, swir = 0;
};
/// NDVI, NDWI and NDBI of each pixel, [N, 3, H, W]: differences of nir and red, green and nir, swir
/// and nir over their sums + 1e-5. For images that are not negative.
torch::Tensor spectral_indices(const torch::Tensor& image_nchw, const IndexBands& bands);

struct MaeShape {
  VitShape encoder;
  int decoder_dim = 512, decoder_depth = 8, decoder_heads = 16;
  double mask_ratio = 0.75;
  bool norm_pix = true;  ///< standardize the target of each token
  /// Least standard deviation that a token is divided by: flat ones would ask for sensor noise.
  double noise_floor = 0;
  MaskedTarget target = MaskedTarget::pixels;
  /// The encoder is that of a SpectralVit, with its names; targets are of the image's own bands.
  bool is_spectral = false;
  /// Set: a second head draws the indices of hidden tokens, and its loss is added (FG-MAE).
  std::optional<IndexBands> index_bands{};
  /// Numbers of a token's target; HOG has cells of 8 px, or of the whole patch if it is smaller.
  [[nodiscard]] int target_values() const;
};

/// Tokens that stay visible: int(tokens * (1 - ratio)) in double, truncated as the reference does.
int kept_tokens(int tokens, double mask_ratio);

/// [N, C, H, W] to [N, L, p * p * C], values in (row, column, channel) order, channel fastest.
torch::Tensor patchify(const torch::Tensor& image_nchw, int patch_px);
/// The inverse, for square images.
torch::Tensor unpatchify(const torch::Tensor& patches_nlv, int patch_px, int channels);

/// What tokens are divided by: the root of their unbiased variance, or of the square of the floor if
/// that is more, + 1e-6; [N, L, 1].
torch::Tensor target_scale(const torch::Tensor& target_nlv, double noise_floor);

struct MaeOutput {
  torch::Tensor loss;            ///< scalar
  torch::Tensor pred_nlv;        ///< [N, L, target values]
  torch::Tensor mask_nl;         ///< 1 = was hidden
  torch::Tensor latent_nld;      ///< [N, 1 + kept, D], after the encoder's last norm
  torch::Tensor ids_restore_nl;  ///< int64
};

/// He et al. 2022. Loss: mean squared error per patch, averaged over hidden patches; targets
/// standardized per patch (see target_scale) if norm_pix. Differs: hidden
/// patches with an invalid pixel do not count; without any that counts the loss is 0.
class MaskedAutoencoder : public torch::nn::Module {
 public:
  /// Throws Error::config for shapes that cannot be (see vit_shape), for a mask that hides nothing
  /// or all, and for norm_pix with one value a patch. HOG needs patch_px below 8 or a multiple
  /// of 8.
  explicit MaskedAutoencoder(const MaeShape& shape);
  /// \param noise_nl [N, L] float32; the smallest stay visible.  \param valid_nhw bool or
  /// undefined.
  MaeOutput forward(const torch::Tensor& image_nchw, const torch::Tensor& noise_nl,
                    const torch::Tensor& valid_nhw = {});
  [[nodiscard]] const MaeShape& shape() const { return shape_; }
  /// What the encoder knows of whole images, nothing hidden; `tap` a block.
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) {
    return trunk_.code(adapted(image_nchw), tap);
  }
  /// [N, L, target values] of the image, not standardized.
  [[nodiscard]] torch::Tensor target_of(const torch::Tensor& image_nchw) const;

 private:
  /// What the patch embedding sees: the image, or what the spectral adapter makes of it, pixel by
  /// pixel, so that hidden patches stay hidden.
  torch::Tensor adapted(const torch::Tensor& image_nchw);
  /// Tokens after the decoder's last norm, cls in front.
  torch::Tensor decode(const torch::Tensor& latent_nld, const torch::Tensor& ids_restore_nl);
  [[nodiscard]] torch::Tensor loss_of(const torch::Tensor& image_nchw,
                                      const torch::Tensor& pred_nlv,
                                      const torch::Tensor& counted_nl) const;

  MaeShape shape_;
  std::shared_ptr<SpectralAdapter> adapter_;  ///< null: none
  VitTrunk trunk_;
  torch::nn::Linear decoder_embed_{nullptr}, decoder_pred_{nullptr}, decoder_pred_index_{nullptr};
  torch::Tensor mask_token_, decoder_pos_embed_;
  std::vector<std::shared_ptr<TransformerBlock>> decoder_blocks_;
  torch::nn::LayerNorm decoder_norm_{nullptr};
};

}  // namespace tilewright::learn
