// SPDX-License-Identifier: Apache-2.0
// Losses as pure functions, and the table of those that a segmentation run can name.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright::learn {

/// What a weighted cross-entropy is divided by: the weights of the counted pixels (torch), or their
/// number (MMSegmentation; it also counts ignored pixels, we do not).
enum class Reduction { weight_sum, pixel_count };

/// Cross-entropy over the batch.
/// \param logits_nkhw [N, K, H, W] floating point, any device.  \param target_nhw [N, H, W] int64,
/// 255 = ignore. \param weights_k [K] or undefined (all 1). \return scalar; 0 with zero gradient if
/// every pixel is ignored. Throws Error::failed on shape mismatch.
torch::Tensor cross_entropy(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw,
                            const torch::Tensor& weights_k = {},
                            Reduction reduction = Reduction::weight_sum);

/// Soft Dice loss over the batch; arguments and errors as above.
/// \return scalar in [0, 1]; 0 with zero gradient if every pixel is ignored.
/// Source: Milletari et al. 2016 (V-Net), eq. for D; differs: smoothing 1, mean over classes
/// present in the batch.
torch::Tensor dice(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw);

/// Focal loss: each pixel's cross-entropy times (1 - probability of the truth)^gamma; gamma 0 is
/// cross_entropy. Arguments, ignored pixels, divisor and errors as there.
/// Source: Lin et al. 2017, eq. 4.
torch::Tensor focal(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw, double gamma,
                    const torch::Tensor& weights_k = {},
                    Reduction reduction = Reduction::weight_sum);

/// 1 + gain exp(-d^2 / 2 sigma^2), d = distance in pixels to the nearest pixel that has one of its
/// four neighbours in another class, scaled to the mean 1 over counted pixels.
/// \return [N, H, W] float32; 0 on ignored pixels, which make no boundary.
torch::Tensor boundary_weights(const torch::Tensor& target_nhw, double gain, double sigma_px);

/// Cross-entropy with boundary_weights; gain 0 is cross_entropy bit by bit.
torch::Tensor boundary_cross_entropy(const torch::Tensor& logits_nkhw,
                                     const torch::Tensor& target_nhw, double gain, double sigma_px,
                                     const torch::Tensor& weights_k = {},
                                     Reduction reduction = Reduction::weight_sum);

/// Throws Error::failed unless logits are [N, K, H, W] and the target [N, H, W] of type Long.
void check_dense_shapes(const char* loss, const torch::Tensor& logits_nkhw,
                        const torch::Tensor& target_nhw);

/// NT-Xent (SimCLR): mean over 2N of the cross-entropy of each row's partner among all other rows.
/// \param z1_nd,z2_nd [N, D] the two views, not normalized; N >= 2 (with one pair it is constant
/// 0). \return scalar; ln(2N - 1) if all rows are equal. Throws Error::failed on shape mismatch.
/// Source: Chen et al. 2020, eq. 1; google-research/simclr adds the two directions: exactly twice
/// this.
torch::Tensor nt_xent(const torch::Tensor& z1_nd, const torch::Tensor& z2_nd, double temperature);

/// Inverse class frequency, scaled so that the mean over all pixels is 1; classes without pixels
/// get 0.
std::vector<double> balanced_class_weights(const std::vector<std::int64_t>& pixels);

struct SegmentationLossSettings {
  torch::Tensor weights_k;  ///< undefined: none
  Reduction reduction = Reduction::weight_sum;
  double gamma = 2, boundary_gain = 5, boundary_sigma_px = 3;
};

struct LossRow {
  std::string_view name, paper;
  torch::Tensor (*loss)(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw,
                        const SegmentationLossSettings&);
};

std::span<const LossRow> segmentation_losses();
/// Throws Error::config with the names that exist.
const LossRow& segmentation_loss(const std::string& name);

}  // namespace tilewright::learn
