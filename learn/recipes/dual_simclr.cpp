// SPDX-License-Identifier: Apache-2.0
// Recipe dual_simclr: what two sensors see of one place attracts, all else of the batch repels.
#include <cmath>

#include "geometry/error.h"
#include "learn/losses/contrastive.h"
#include "learn/losses/losses.h"
#include "learn/models/heads.h"
#include "learn/models/sensors.h"
#include "learn/recipes/rows.h"

namespace tilewright::learn {
namespace {

constexpr int kProjectedDim = 128;

/// The head on every place of the map.
torch::Tensor projected_map(torch::nn::Sequential& head, const torch::Tensor& map_ndhw) {
  return head->forward(map_ndhw.permute({0, 2, 3, 1})).permute({0, 3, 1, 2}).to(torch::kFloat32);
}

/// Without a quarter on each side: what may lie anywhere on the other sensor's map.
torch::Tensor middle(const torch::Tensor& map_nchw) {
  const auto rows = map_nchw.size(2) / 4, columns = map_nchw.size(3) / 4;
  return map_nchw.slice(2, rows, map_nchw.size(2) - rows)
      .slice(3, columns, map_nchw.size(3) - columns);
}

/// An encoder and a projector a sensor: encoder_1, projector_1, encoder_2, projector_2.
class DualSimclr : public Recipe {
 public:
  DualSimclr(const RunConfig& run, const std::vector<int>& channels, int size_px)
      : encoders_(*module_, run.model, channels, size_px), loss_(run.loss) {
    const int dim = encoders_.feature_dim();
    for (std::size_t i = 0; i < channels.size(); ++i)
      projectors_.push_back(module_->register_module("projector_" + std::to_string(i + 1),
                                                     projection_head(dim, dim, kProjectedDim)));
  }

  [[nodiscard]] Delivery delivery() const override { return Delivery::sensors; }
  [[nodiscard]] torch::nn::Module& module() override { return *module_; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return encoders_.prefixes();
  }
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return encoders_.joined(image_nchw, tap);
  }

  torch::Tensor loss(const Batch& batch, const StepKey&) override {
    const auto codes = encoders_.codes(batch.image_nchw, std::nullopt);
    if (loss_.contrast == "nt_xent") return of_vectors(codes);
    if (loss_.contrast == "mma") return of_maps(codes);
    return of_vectors(codes) + of_maps(codes);
  }

  /// On maps every pair is as alike as any other. On vectors it depends on how alike images are to
  /// two untrained encoders whose directions have nothing in common: from ln(2N - 1) to
  /// ln((N - 1) exp(1 / T) + N).
  [[nodiscard]] std::optional<double> expected_initial_loss(int samples) const override {
    if (loss_.contrast != "mma") return std::nullopt;
    return std::log(static_cast<double>(samples));
  }

 private:
  torch::Tensor of_vectors(const std::vector<ImageCode>& codes) {
    const auto z1 = projectors_[0]->forward(pooled(codes[0])).to(torch::kFloat32),
               z2 = projectors_[1]->forward(pooled(codes[1])).to(torch::kFloat32);
    return nt_xent(z1, z2, loss_.temperature);
  }
  /// Both directions, so that no sensor is the one that is cut.
  torch::Tensor of_maps(const std::vector<ImageCode>& codes) {
    const auto e1 = projected_map(projectors_[0], codes[0].map_ndhw),
               e2 = projected_map(projectors_[1], codes[1].map_ndhw);
    return (mma(e1, middle(e2), loss_.mma_temperature) +
            mma(e2, middle(e1), loss_.mma_temperature)) /
           2;
  }

  std::shared_ptr<torch::nn::Module> module_ = std::make_shared<torch::nn::Module>();
  SensorEncoders encoders_;
  std::vector<torch::nn::Sequential> projectors_;
  LossConfig loss_;
};

}  // namespace

std::unique_ptr<Recipe> make_dual_simclr(const RunConfig& run, const DatasetFile& dataset) {
  if (dataset.inputs.size() != 2)
    throw Error::config("recipe dual_simclr contrasts two sensors, but dataset '" + dataset.name +
                        "' has " + std::to_string(dataset.inputs.size()) +
                        " inputs; name two, such as inputs: [s1, s2]");
  if (run.batch < 2)
    throw Error::config("recipe dual_simclr: batch " + std::to_string(run.batch) +
                        " has no negatives; take batch 2 or more");
  return std::make_unique<DualSimclr>(run, sensor_channels(dataset), image_shape(dataset).size_px);
}

}  // namespace tilewright::learn
