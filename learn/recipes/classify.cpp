// SPDX-License-Identifier: Apache-2.0
// Recipe classify: supervised classes of whole images, one or several each.
#include <cmath>

#include "geometry/error.h"
#include "learn/models/sensors.h"
#include "learn/recipes/rows.h"

namespace tilewright::learn {
namespace {

constexpr std::size_t kMostClasses = 254;

/// N(0, 0.01) and zero bias, so that the first loss is ln K; on features that a batch norm without
/// affine standardizes where the encoder is frozen (the linear probe of MAE).
torch::nn::Sequential make_head(int dim, int classes, bool is_standardized) {
  torch::nn::Sequential head;
  if (is_standardized)
    head->push_back(
        "norm", torch::nn::BatchNorm1d(torch::nn::BatchNorm1dOptions(dim).affine(false).eps(1e-6)));
  torch::nn::Linear linear(dim, classes);
  const torch::NoGradGuard no_grad;
  linear->weight.normal_(0, 0.01);
  linear->bias.zero_();
  head->push_back("fc", linear);
  return head;
}

/// Encoder and head share one module, so that the encoder's names stay flat.
class Classify : public Recipe {
 public:
  Classify(std::shared_ptr<FeatureEncoder> encoder, int classes, bool is_standardized)
      : encoder_(std::move(encoder)), classes_(classes) {
    head_ = encoder_->register_module("head",
                                      make_head(encoder_->feature_dim(), classes, is_standardized));
  }

  [[nodiscard]] Delivery delivery() const override { return Delivery::image_and_label; }
  [[nodiscard]] torch::nn::Module& module() override { return *encoder_; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return encoder_->encoder_prefixes();
  }
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return encoder_->encode(image_nchw, tap);
  }
  torch::Tensor logits(const torch::Tensor& image_nchw) override {
    return head_->forward(encoder_->forward(image_nchw)).to(torch::kFloat32);
  }

 protected:
  [[nodiscard]] int classes() const { return classes_; }

 private:
  std::shared_ptr<FeatureEncoder> encoder_;
  torch::nn::Sequential head_{nullptr};
  int classes_;
};

/// One class an image: the losses of pixels, on images of one pixel.
class SingleLabel : public Classify {
 public:
  SingleLabel(std::shared_ptr<FeatureEncoder> encoder, int classes, bool is_standardized,
              const LossRow& loss, SegmentationLossSettings settings)
      : Classify(std::move(encoder), classes, is_standardized),
        loss_(loss),
        settings_(std::move(settings)) {}

  torch::Tensor loss(const Batch& batch, const StepKey&) override {
    if (settings_.weights_k.defined())
      settings_.weights_k = settings_.weights_k.to(batch.image_nchw.device());
    return loss_.loss(logits(batch.image_nchw).unsqueeze(-1).unsqueeze(-1),
                      batch.label_n.view({-1, 1, 1}), settings_);
  }
  [[nodiscard]] std::optional<double> expected_initial_loss(int) const override {
    if (loss_.name != "cross_entropy" || settings_.weights_k.defined()) return std::nullopt;
    return std::log(static_cast<double>(classes()));
  }

 private:
  const LossRow& loss_;
  SegmentationLossSettings settings_;
};

/// Any number of classes an image: a yes or no for each.
class MultiLabel : public Classify {
 public:
  using Classify::Classify;
  torch::Tensor loss(const Batch& batch, const StepKey&) override {
    return torch::binary_cross_entropy_with_logits(logits(batch.image_nchw), batch.labels_nk);
  }
  [[nodiscard]] std::optional<double> expected_initial_loss(int) const override {
    return std::log(2.0);
  }
};

/// One encoder for the stacked bands, or one for each input.
std::shared_ptr<FeatureEncoder> encoder_of(const ModelConfig& model, const DatasetFile& dataset) {
  const auto image = image_shape(dataset);
  if (model.fusion == "early") return make_encoder(model, image);
  if (dataset.inputs.size() < 2)
    throw Error::config("recipe classify: fusion late joins several inputs, but dataset '" +
                        dataset.name + "' has one; name more, or use fusion: early");
  return std::make_shared<LateFusion>(model, sensor_channels(dataset), image.size_px);
}

void check_loss(const RunConfig& run, bool is_single) {
  const auto& loss = run.loss;
  const bool fits = loss.name == "cross_entropy" || (is_single && loss.name == "focal");
  if (!fits)
    throw Error::config("recipe classify: loss " + loss.name + " is one of pixels; use " +
                        (is_single ? "cross_entropy or focal"
                                   : "cross_entropy, which is a yes or no for each class"));
  if (!is_single && loss.class_weights != "none")
    throw Error::config(
        "recipe classify with several classes an image has no class weights; use "
        "class_weights: none");
}

}  // namespace

std::unique_ptr<Recipe> make_classify(const RunConfig& run, const DatasetFile& dataset) {
  const auto& target = dataset.target;
  const bool is_single = target.kind == "class";
  if ((!is_single && target.kind != "classes") || target.classes.empty() ||
      target.classes.size() > kMostClasses)
    throw Error::config("recipe classify: dataset '" + dataset.name + "' has target '" +
                        target.kind + "' with " + std::to_string(target.classes.size()) +
                        " classes; give it a target of one class or a list of classes a location, "
                        "with 1 to 254 of them");
  check_loss(run, is_single);
  const auto classes = static_cast<int>(target.classes.size());
  const bool is_standardized = run.protocol == "linear" || run.protocol == "frozen_random";
  auto encoder = encoder_of(run.model, dataset);
  if (!is_single) return std::make_unique<MultiLabel>(std::move(encoder), classes, is_standardized);
  return std::make_unique<SingleLabel>(std::move(encoder), classes, is_standardized,
                                       segmentation_loss(run.loss.name),
                                       loss_settings(run.loss, target));
}

}  // namespace tilewright::learn
