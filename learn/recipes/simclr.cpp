// SPDX-License-Identifier: Apache-2.0
// Recipe simclr: two views of a place attract, all others repel.
#include <cmath>

#include "geometry/error.h"
#include "learn/losses/losses.h"
#include "learn/models/heads.h"
#include "learn/recipes/rows.h"

namespace tilewright::learn {
namespace {

constexpr int kProjectedDim = 128;

/// Encoder and projector share one module, so that the encoder's names stay flat and other recipes
/// find them.
class Simclr : public Recipe {
 public:
  Simclr(std::shared_ptr<FeatureEncoder> encoder, double temperature)
      : encoder_(std::move(encoder)), temperature_(temperature) {
    const int dim = encoder_->feature_dim();
    projector_ = encoder_->register_module("projector", projection_head(dim, dim, kProjectedDim));
  }

  [[nodiscard]] Delivery delivery() const override { return Delivery::pair; }
  [[nodiscard]] torch::nn::Module& module() override { return *encoder_; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return encoder_->encoder_prefixes();
  }
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return encoder_->encode(image_nchw, tap);
  }

  torch::Tensor loss(const Batch& batch, const StepKey&) override {
    const auto both = encoder_->forward(torch::cat({batch.image_nchw, batch.image2_nchw}));
    const auto z = projector_->forward(both).to(torch::kFloat32).chunk(2);
    return nt_xent(z[0], z[1], temperature_);
  }

  /// An untrained encoder maps all images to nearly one direction.
  [[nodiscard]] std::optional<double> expected_initial_loss(int samples) const override {
    return std::log(2.0 * samples - 1);
  }

 private:
  std::shared_ptr<FeatureEncoder> encoder_;
  torch::nn::Sequential projector_{nullptr};
  double temperature_;
};

}  // namespace

std::unique_ptr<Recipe> make_simclr(const RunConfig& run, const DatasetFile& dataset) {
  if (run.batch < 2)
    throw Error::config("recipe simclr: batch " + std::to_string(run.batch) +
                        " has no negatives; take batch 2 or more");
  return std::make_unique<Simclr>(make_encoder(run.model, image_shape(dataset)),
                                  run.loss.temperature);
}

}  // namespace tilewright::learn
