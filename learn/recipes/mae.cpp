// SPDX-License-Identifier: Apache-2.0
// Recipes mae and maskfeat: masked tokens of one view are predicted, as pixels or as gradients.
#include "learn/models/mae.h"

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
    return vit_prefixes();
  }

  torch::Tensor loss(const Batch& batch, const StepKey& key) override {
    const auto noise = uniform_noise({batch.image_nchw.size(0), model_->shape().encoder.tokens()},
                                     key, kMaskPurpose);
    return model_->forward(batch.image_nchw, noise.to(batch.image_nchw.device()), batch.valid_nhw)
        .loss;
  }

  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return model_->encode(image_nchw, tap);
  }

  /// Xavier's variance of the output, 2 D / (D + V), on top of the mean square of the V targets: 1
  /// if they are standardized, 1/9 for nine bins of length 1.
  [[nodiscard]] std::optional<double> expected_initial_loss(int) const override {
    const auto& shape = model_->shape();
    if (!shape.norm_pix && shape.target != MaskedTarget::hog) return std::nullopt;
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

std::unique_ptr<Recipe> make_masked(const RunConfig& run, const DatasetFile& dataset,
                                    MaskedTarget target) {
  const auto& model = run.model;
  return std::make_unique<Mae>(MaeShape{.encoder = vit_shape(model, image_shape(dataset)),
                                        .decoder_dim = model.decoder_dim,
                                        .decoder_depth = model.decoder_depth,
                                        .decoder_heads = model.decoder_heads,
                                        .mask_ratio = model.mask_ratio,
                                        .norm_pix = model.norm_pix,
                                        .target = target});
}

}  // namespace

std::unique_ptr<Recipe> make_mae(const RunConfig& run, const DatasetFile& dataset) {
  return make_masked(run, dataset, MaskedTarget::pixels);
}

std::unique_ptr<Recipe> make_maskfeat(const RunConfig& run, const DatasetFile& dataset) {
  return make_masked(run, dataset, target_named(run.model.target));
}

}  // namespace tilewright::learn
