// SPDX-License-Identifier: Apache-2.0
// Recipe mae: masked autoencoding of one view.
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

  /// Xavier's variance of the output, 2 D / (D + p p C), on top of the targets' variance of 1.
  [[nodiscard]] std::optional<double> expected_initial_loss(int) const override {
    const auto& shape = model_->shape();
    if (!shape.norm_pix) return std::nullopt;
    const double values = static_cast<double>(shape.encoder.patch_px) * shape.encoder.patch_px *
                          shape.encoder.channels;
    return 1 + 2.0 * shape.decoder_dim / (shape.decoder_dim + values);
  }

 private:
  std::shared_ptr<MaskedAutoencoder> model_;
};

}  // namespace

std::unique_ptr<Recipe> make_mae(const RunConfig& run, const DatasetFile& dataset) {
  const auto& model = run.model;
  return std::make_unique<Mae>(MaeShape{.encoder = vit_shape(model, image_shape(dataset)),
                                        .decoder_dim = model.decoder_dim,
                                        .decoder_depth = model.decoder_depth,
                                        .decoder_heads = model.decoder_heads,
                                        .mask_ratio = model.mask_ratio,
                                        .norm_pix = model.norm_pix});
}

}  // namespace tilewright::learn
