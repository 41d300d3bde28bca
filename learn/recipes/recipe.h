// SPDX-License-Identifier: Apache-2.0
// A recipe: from a batch to one number to minimize. The trainer knows nothing else of it.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "learn/config/dataset_file.h"
#include "learn/config/run_config.h"
#include "learn/models/model.h"
#include "learn/train/random_state.h"

namespace tilewright::learn {

inline constexpr std::int64_t kIgnoreClass = 255;

/// What the loader hands over; a recipe says with `delivery` which fields it needs.
struct Batch {
  torch::Tensor image_nchw;  ///< float32, normalized; invalid pixels are 0
  torch::Tensor valid_nhw;   ///< bool, true = valid; undefined = all valid
  torch::Tensor mask_nhw;  ///< int64 index into dataset.target.classes, 255 = ignore; or undefined
  torch::Tensor image2_nchw;  ///< the other view of each pair, or undefined
  torch::Tensor label_n;      ///< int64 index into dataset.target.classes, or undefined
  torch::Tensor labels_nk;    ///< float32, 1 = the sample has the class; or undefined
  torch::Tensor small_rchw;   ///< small crops [crops * N, C, s, s], crop-major; or undefined
};

/// pair: two views a sample; sensors: the stacked inputs of a sample are the views; crops: two
/// large and several small ones.
enum class Delivery { image, image_and_mask, image_and_label, pair, sensors, crops };
/// True where the samples of a batch are compared with one another: it must be whole.
bool needs_whole_batch(Delivery delivery);

/// An image whose hidden patches are those that a decoder draws.
struct Reconstruction {
  torch::Tensor image_nchw;
  torch::Tensor hidden_nhw;  ///< bool
};

class Recipe {
 public:
  virtual ~Recipe() = default;
  [[nodiscard]] virtual Delivery delivery() const = 0;
  /// All weights, under flat reference names.
  [[nodiscard]] virtual torch::nn::Module& module() = 0;
  /// Names of the part that other runs start from, and that protocol `frozen` keeps as it is.
  [[nodiscard]] virtual std::vector<std::string> encoder_prefixes() const = 0;
  /// Scalar float32 with gradient. All randomness comes from `key`: same weights, batch and key,
  /// same value.
  virtual torch::Tensor loss(const Batch& batch, const StepKey& key) = 0;
  /// Loss that an untrained model should show on data without structure, for a batch of `samples`.
  [[nodiscard]] virtual std::optional<double> expected_initial_loss(int samples) const = 0;
  /// Class scores [N, K, H, W] of pixels or [N, K] of images; supervised recipes only, others throw
  /// Error::config.
  virtual torch::Tensor logits(const torch::Tensor& image_nchw);
  /// What people can look at of a recipe that hides and draws pixels; nullopt of all others.
  virtual std::optional<Reconstruction> reconstruct(const Batch&, const StepKey&) {
    return std::nullopt;
  }
  /// What the recipe's encoder knows of images; `tap` as in FeatureEncoder.
  virtual ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) = 0;
  /// After each optimizer step, without gradient: momentum encoders follow, queues move on.
  virtual void follow(const StepKey&) {}
  /// After weights of an earlier run or a file were loaded: copies of the encoder take them too.
  virtual void after_start() {}
};

struct RecipeRow {
  std::string_view name, paper;
  std::unique_ptr<Recipe> (*make)(const RunConfig&, const DatasetFile&);
};

std::span<const RecipeRow> recipes();
/// Seeds the global generator with run.seed, builds the recipe's model, applies the protocol.
/// Throws Error::config for unknown names and for what recipe, model and dataset cannot do
/// together.
std::unique_ptr<Recipe> make_recipe(const RunConfig& run, const DatasetFile& dataset);
/// Edge of the small crops of recipe dino: crops.small_px, or half of the sample, cut to whole
/// tokens.
int small_crop_px(const RunConfig& run, int size_px);
/// True for the protocols that leave the encoder as it is, but for its spectral adapter with
/// protocol `adapter`.
bool is_encoder_frozen(const RunConfig& run);
/// Training or evaluation mode; a frozen encoder stays in evaluation mode.
void set_training(Recipe& recipe, const RunConfig& run, bool is_training);

}  // namespace tilewright::learn
