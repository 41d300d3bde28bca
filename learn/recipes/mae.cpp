// SPDX-License-Identifier: Apache-2.0
// Recipes mae and maskfeat: masked tokens of one view are predicted, as pixels or as gradients.
#include "learn/models/mae.h"

#include <algorithm>
#include <initializer_list>

#include "geometry/error.h"
#include "learn/recipes/rows.h"

namespace tilewright::learn {
namespace {

constexpr std::uint64_t kMaskPurpose = 0x6d61736b;  // "mask"

class Mae : public Recipe {
 public:
  explicit Mae(const MaeShape& shape) : model_(std::make_shared<MaskedAutoencoder>(shape)) {}

  [[nodiscard]] Delivery delivery() const override { return Delivery::image; }
  [[nodiscard]] torch::nn::Module& module() override { return *model_; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return model_->shape().is_spectral ? spectral_vit_prefixes() : vit_prefixes();
  }

  torch::Tensor loss(const Batch& batch, const StepKey& key) override {
    const auto noise = uniform_noise({batch.image_nchw.size(0), model_->shape().encoder.tokens()},
                                     key, kMaskPurpose);
    return model_->forward(batch.image_nchw, noise.to(batch.image_nchw.device()), batch.valid_nhw)
        .loss;
  }

  /// Standardized targets are brought back by the mean and variance of the true patch, as the
  /// reference draws them.
  std::optional<Reconstruction> reconstruct(const Batch& batch, const StepKey& key) override {
    const auto& shape = model_->shape();
    if (shape.target != MaskedTarget::pixels) return std::nullopt;
    const auto& image = batch.image_nchw;
    const auto noise = uniform_noise({image.size(0), shape.encoder.tokens()}, key, kMaskPurpose);
    const auto out = model_->forward(image, noise.to(image.device()), batch.valid_nhw);
    const auto patches = patchify(image, shape.encoder.patch_px);
    auto drawn = out.pred_nlv;
    if (shape.norm_pix)
      drawn = drawn * target_scale(patches, shape.noise_floor) +
              patches.mean(-1, /*keepdim=*/true);
    const auto hidden = out.mask_nl.unsqueeze(-1) > 0;
    const auto back = [&](const torch::Tensor& values_nlv) {
      return unpatchify(values_nlv, shape.encoder.patch_px, shape.encoder.channels);
    };
    return Reconstruction{
        .image_nchw = back(torch::where(hidden, drawn, patches)),
        .hidden_nhw = back(hidden.expand_as(patches).to(torch::kUInt8)).select(1, 0) > 0};
  }

  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return model_->encode(image_nchw, tap);
  }

  /// Xavier's variance of the output, 2 D / (D + V), on top of the mean square of the V targets: 1
  /// if they are standardized (less with a floor: not known), 1/9 for nine bins of length 1.
  [[nodiscard]] std::optional<double> expected_initial_loss(int) const override {
    const auto& shape = model_->shape();
    if ((!shape.norm_pix && shape.target != MaskedTarget::hog) || shape.index_bands ||
        shape.noise_floor > 0)
      return std::nullopt;
    return (shape.norm_pix ? 1 : 1.0 / 9) +
           2.0 * shape.decoder_dim / (shape.decoder_dim + shape.target_values());
  }

 private:
  std::shared_ptr<MaskedAutoencoder> model_;
};

MaskedTarget target_named(const std::string& name) {
  if (name == "pixels") return MaskedTarget::pixels;
  return name == "hog_raw" ? MaskedTarget::hog_raw : MaskedTarget::hog;
}

/// Channels of red, green, nir and swir by the names of their bands.
IndexBands find_index_bands(const DatasetFile& dataset) {
  std::vector<std::string> names;
  for (const auto& input : dataset.inputs) {
    for (const auto& band : input.bands) names.push_back(band.name);
    if (input.normalize == "standard" || input.normalize == "none")
      throw Error::config("model.target hog_index: dataset '" + dataset.name +
                          "' has normalize: " + input.normalize +
                          ", whose values may be negative; use mean2sigma, "
                          "robust or reflectance");
  }
  const auto place = [&](std::initializer_list<const char*> known) {
    for (const auto* name : known)
      if (const auto at = std::find(names.begin(), names.end(), name); at != names.end())
        return static_cast<int>(at - names.begin());
    throw Error::config("model.target hog_index: dataset '" + dataset.name + "' has no band " +
                        *known.begin() +
                        "; it needs red, green, nir and swir (or B04, B03, B08 "
                        "and B11)");
  };
  return {.red = place({"red", "B04", "B4"}),
          .green = place({"green", "B03", "B3"}),
          .nir = place({"nir", "B08", "B8"}),
          .swir = place({"swir", "swir1", "B11"})};
}

std::optional<IndexBands> index_bands_of(const ModelConfig& model, const DatasetFile& dataset) {
  if (model.target != "hog_index") return std::nullopt;
  return find_index_bands(dataset);
}

std::unique_ptr<Recipe> make_masked(const RunConfig& run, const DatasetFile& dataset,
                                    MaskedTarget target) {
  const auto& model = run.model;
  return std::make_unique<Mae>(MaeShape{.encoder = vit_shape(model, image_shape(dataset)),
                                        .decoder_dim = model.decoder_dim,
                                        .decoder_depth = model.decoder_depth,
                                        .decoder_heads = model.decoder_heads,
                                        .mask_ratio = model.mask_ratio,
                                        .norm_pix = model.norm_pix,
                                        .noise_floor = model.noise_floor,
                                        .target = target,
                                        .is_spectral = model.name == "spectral_vit",
                                        .index_bands = target == MaskedTarget::pixels
                                                           ? std::nullopt
                                                           : index_bands_of(model, dataset)});
}

}  // namespace

std::unique_ptr<Recipe> make_mae(const RunConfig& run, const DatasetFile& dataset) {
  return make_masked(run, dataset, MaskedTarget::pixels);
}

std::unique_ptr<Recipe> make_maskfeat(const RunConfig& run, const DatasetFile& dataset) {
  return make_masked(run, dataset, target_named(run.model.target));
}

}  // namespace tilewright::learn
