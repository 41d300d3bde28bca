// SPDX-License-Identifier: Apache-2.0
// Table of segmentation losses, and class weights.
#include "learn/losses/losses.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

torch::Tensor weighted_cross_entropy(const torch::Tensor& logits_nkhw,
                                     const torch::Tensor& target_nhw,
                                     const SegmentationLossSettings& s) {
  return cross_entropy(logits_nkhw, target_nhw, s.weights_k, s.reduction);
}

torch::Tensor plain_dice(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw,
                         const SegmentationLossSettings&) {
  return dice(logits_nkhw, target_nhw);
}

torch::Tensor cross_entropy_dice(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw,
                                 const SegmentationLossSettings& s) {
  return weighted_cross_entropy(logits_nkhw, target_nhw, s) + dice(logits_nkhw, target_nhw);
}

torch::Tensor plain_focal(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw,
                          const SegmentationLossSettings& s) {
  return focal(logits_nkhw, target_nhw, s.gamma, s.weights_k, s.reduction);
}

torch::Tensor at_boundaries(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw,
                            const SegmentationLossSettings& s) {
  return boundary_cross_entropy(logits_nkhw, target_nhw, s.boundary_gain, s.boundary_sigma_px,
                                s.weights_k, s.reduction);
}

constexpr std::array kLosses{
    LossRow{"cross_entropy", "-", weighted_cross_entropy},
    LossRow{"dice", "Milletari et al. 2016, arXiv 1606.04797", plain_dice},
    LossRow{"cross_entropy_dice", "sum of both, as milesial/Pytorch-UNet trains",
            cross_entropy_dice},
    LossRow{"focal", "Lin et al. 2017, arXiv 1708.02002", plain_focal},
    LossRow{"boundary", "cross-entropy that weighs pixels near an edge of a class more",
            at_boundaries},
};

}  // namespace

std::vector<double> balanced_class_weights(const std::vector<std::int64_t>& pixels) {
  const auto total =
      static_cast<double>(std::accumulate(pixels.begin(), pixels.end(), std::int64_t{0}));
  const auto present =
      static_cast<double>(pixels.size() - std::count(pixels.begin(), pixels.end(), 0));
  std::vector<double> weights;
  for (const auto count : pixels)
    weights.push_back(count > 0 ? total / (present * static_cast<double>(count)) : 0);
  return weights;
}

std::span<const LossRow> segmentation_losses() { return kLosses; }

const LossRow& segmentation_loss(const std::string& name) {
  std::string names;
  for (const auto& row : kLosses) {
    if (row.name == name) return row;
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  throw Error::config("loss '" + name + "' does not exist; there are " + names);
}

}  // namespace tilewright::learn
