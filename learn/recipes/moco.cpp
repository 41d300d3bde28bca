// SPDX-License-Identifier: Apache-2.0
// Recipe moco: a query finds its key, which a slowly following copy of the encoder makes.
#include <cmath>

#include "geometry/error.h"
#include "learn/losses/contrastive.h"
#include "learn/models/heads.h"
#include "learn/recipes/momentum.h"
#include "learn/recipes/rows.h"

namespace tilewright::learn {
namespace {

constexpr int kProjectedDim = 128, kHiddenV3 = 512, kProjectedDimV3 = 256;
constexpr const char* kKeyPrefix = "key_encoder";

/// An encoder with its projection.
std::shared_ptr<FeatureEncoder> with_projector(std::shared_ptr<FeatureEncoder> encoder,
                                               bool is_v3) {
  const int dim = encoder->feature_dim();
  encoder->register_module("projector", is_v3
                                            ? moco_v3_mlp(3, dim, kHiddenV3, kProjectedDimV3, true)
                                            : projection_head(dim, dim, kProjectedDim));
  return encoder;
}

torch::Tensor projected(FeatureEncoder& encoder, const torch::Tensor& image_nchw) {
  const auto features = encoder.forward(image_nchw);
  for (const auto& child : encoder.named_children())
    if (child.key() == "projector")
      return child.value()->as<torch::nn::Sequential>()->forward(features).to(torch::kFloat32);
  return features;
}

/// The query encoder is the root, so that its names stay flat; the key encoder lies below
/// key_encoder, the queue and its place are buffers: a checkpoint holds them all.
/// Differs from the reference on one device: no shuffled batch norm; keys are made in evaluation
/// mode, so that no statistics of the batch tell which key belongs to a query.
class Moco : public Recipe {
 public:
  Moco(std::shared_ptr<FeatureEncoder> query, std::shared_ptr<FeatureEncoder> key,
       const LossConfig& loss)
      : query_(with_projector(std::move(query), loss.queue == 0)),
        key_(with_projector(std::move(key), loss.queue == 0)),
        loss_(loss) {
    follow_slowly(*key_, *query_, /*stays=*/0);
    key_->eval();
    for (auto& parameter : key_->parameters()) parameter.set_requires_grad(false);
    query_->register_module(kKeyPrefix, key_);
    if (loss.queue == 0) {
      predictor_ = query_->register_module(
          "predictor", moco_v3_mlp(2, kProjectedDimV3, kHiddenV3, kProjectedDimV3, false));
      return;
    }
    const auto noise = torch::randn({kProjectedDim, loss.queue});
    query_->register_buffer("queue", noise / noise.norm(2, 0, true));
    query_->register_buffer("queue_place", torch::zeros({}, torch::kInt64));
  }

  [[nodiscard]] Delivery delivery() const override { return Delivery::pair; }
  [[nodiscard]] torch::nn::Module& module() override { return *query_; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return query_->encoder_prefixes();
  }
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return query_->encode(image_nchw, tap);
  }

  torch::Tensor loss(const Batch& batch, const StepKey&) override {
    key_->eval();
    if (loss_.queue > 0) {
      fresh_keys_nd_ = keys_of(batch.image2_nchw);
      return moco(projected(*query_, batch.image_nchw), fresh_keys_nd_, queue_now(),
                  loss_.temperature);
    }
    const auto q1 = predictor_->forward(projected(*query_, batch.image_nchw)),
               q2 = predictor_->forward(projected(*query_, batch.image2_nchw));
    return moco_v3(q1, keys_of(batch.image2_nchw), loss_.temperature) +
           moco_v3(q2, keys_of(batch.image_nchw), loss_.temperature);
  }

  /// The key encoder follows (its batch norms take the query's statistics), the queue takes the
  /// keys of this step in the place of its oldest.
  void follow(const StepKey& key) override {
    const torch::NoGradGuard no_grad;
    follow_slowly(
        *key_, *query_,
        cosine_between(loss_.momentum, loss_.momentum_end.value_or(loss_.momentum), key.progress));
    if (loss_.queue == 0 || !fresh_keys_nd_.defined()) return;
    auto queue = queue_now();
    auto place = buffer("queue_place");
    const auto keys = (fresh_keys_nd_ / fresh_keys_nd_.norm(2, 1, true).clamp_min(1e-12)).t();
    const auto first = place.item<std::int64_t>();
    const auto places =
        (torch::arange(keys.size(1), torch::TensorOptions().dtype(torch::kInt64)) + first)
            .remainder(loss_.queue)
            .to(queue.device());
    queue.index_copy_(1, places, keys);
    place.fill_((first + keys.size(1)) % loss_.queue);
    fresh_keys_nd_.reset();
  }

  void after_start() override { follow_slowly(*key_, *query_, /*stays=*/0); }

  /// An untrained encoder maps all images to nearly one direction, which an even queue does not
  /// know: s of the own key is 1, of the others about 0.
  [[nodiscard]] std::optional<double> expected_initial_loss(int samples) const override {
    if (loss_.queue > 0) return std::nullopt;
    return 4 * loss_.temperature * std::log(static_cast<double>(samples));
  }

 private:
  torch::Tensor keys_of(const torch::Tensor& image_nchw) {
    const torch::NoGradGuard no_grad;
    return projected(*key_, image_nchw);
  }
  /// Moving a module to a device makes new buffers: ask for them by name.
  torch::Tensor buffer(const char* name) { return query_->named_buffers(false)[name]; }
  torch::Tensor queue_now() { return buffer("queue"); }

  std::shared_ptr<FeatureEncoder> query_, key_;
  LossConfig loss_;
  torch::nn::Sequential predictor_{nullptr};
  torch::Tensor fresh_keys_nd_;
};

}  // namespace

std::unique_ptr<Recipe> make_moco(const RunConfig& run, const DatasetFile& dataset) {
  if (run.batch < 2)
    throw Error::config("recipe moco: batch " + std::to_string(run.batch) +
                        " has no negatives; take batch 2 or more");
  if (run.loss.queue > 0 && run.loss.queue < run.batch)
    throw Error::config("recipe moco: loss.queue " + std::to_string(run.loss.queue) +
                        " is smaller than the batch of " + std::to_string(run.batch) +
                        "; take a larger queue, or 0 for the keys of the batch");
  const auto image = image_shape(dataset);
  return std::make_unique<Moco>(make_encoder(run.model, image), make_encoder(run.model, image),
                                run.loss);
}

}  // namespace tilewright::learn
