// SPDX-License-Identifier: Apache-2.0
// Recipe segment: supervised classes of pixels.
#include <cmath>

#include "geometry/error.h"
#include "learn/models/late_segmenters.h"
#include "learn/recipes/rows.h"

namespace tilewright::learn {
namespace {

class Segment : public Recipe {
 public:
  Segment(std::shared_ptr<Segmenter> model, const LossRow& loss, SegmentationLossSettings settings,
          int classes)
      : model_(std::move(model)), loss_(loss), settings_(std::move(settings)), classes_(classes) {}

  [[nodiscard]] Delivery delivery() const override { return Delivery::image_and_mask; }
  [[nodiscard]] torch::nn::Module& module() override { return *model_; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return model_->encoder_prefixes();
  }
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return model_->encode(image_nchw, tap);
  }
  torch::Tensor logits(const torch::Tensor& image_nchw) override {
    return model_->forward(image_nchw).to(torch::kFloat32);
  }

  torch::Tensor loss(const Batch& batch, const StepKey&) override {
    if (settings_.weights_k.defined())
      settings_.weights_k = settings_.weights_k.to(batch.image_nchw.device());
    const auto of = [&](const torch::Tensor& logits_nkhw) {
      return loss_.loss(logits_nkhw.to(torch::kFloat32), batch.mask_nhw, settings_);
    };
    if (!model_->is_training()) return of(logits(batch.image_nchw));
    torch::Tensor sum;
    for (const auto& [logits_nkhw, weight] : model_->training_outputs(batch.image_nchw))
      sum = sum.defined() ? sum + weight * of(logits_nkhw) : weight * of(logits_nkhw);
    return sum;
  }

  [[nodiscard]] std::optional<double> expected_initial_loss(int) const override {
    if (loss_.name != "cross_entropy" || settings_.weights_k.defined()) return std::nullopt;
    return std::log(static_cast<double>(classes_)) * model_->total_loss_weight();
  }

 private:
  std::shared_ptr<Segmenter> model_;
  const LossRow& loss_;
  SegmentationLossSettings settings_;
  int classes_;
};

/// One encoder for the stacked bands, or one for each input.
std::shared_ptr<Segmenter> segmenter_of(const ModelConfig& model, const DatasetFile& dataset,
                                        int classes) {
  const auto image = image_shape(dataset);
  if (model.fusion == "early") return make_segmenter(model, image, classes);
  if (dataset.inputs.size() < 2)
    throw Error::config("recipe segment: fusion late joins several inputs, but dataset '" +
                        dataset.name + "' has one; name more, or use fusion: early");
  return make_late_segmenter(model, sensor_channels(dataset), image.size_px, classes);
}

}  // namespace

SegmentationLossSettings loss_settings(const LossConfig& config, const TargetInfo& target) {
  SegmentationLossSettings settings;
  settings.reduction =
      config.reduction == "pixel_count" ? Reduction::pixel_count : Reduction::weight_sum;
  settings.gamma = config.gamma;
  settings.boundary_gain = config.boundary_gain;
  settings.boundary_sigma_px = config.boundary_sigma_px;
  if (config.class_weights != "auto") return settings;
  std::vector<std::int64_t> counts;
  for (const auto& entry : target.classes)
    counts.push_back(target.kind == "mask" ? entry.pixels : entry.samples);
  settings.weights_k = torch::tensor(balanced_class_weights(counts), torch::kFloat32);
  return settings;
}

std::unique_ptr<Recipe> make_segment(const RunConfig& run, const DatasetFile& dataset) {
  const auto classes = static_cast<int>(dataset.target.classes.size());
  if (dataset.target.kind != "mask" || classes < 2)
    throw Error::config(
        "recipe segment: dataset '" + dataset.name + "' has target '" + dataset.target.kind +
        "' with " + std::to_string(classes) +
        " classes; give it a `target:` layer with at least background and one class");
  return std::make_unique<Segment>(segmenter_of(run.model, dataset, classes),
                                   segmentation_loss(run.loss.name),
                                   loss_settings(run.loss, dataset.target), classes);
}

}  // namespace tilewright::learn
