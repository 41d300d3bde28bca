// SPDX-License-Identifier: Apache-2.0
// Cross-entropies that weight each pixel: focal, and by the distance to a boundary.
#include <cmath>

#include "learn/losses/losses.h"
#include "learn/recipes/recipe.h"

namespace tilewright::learn {
namespace {

struct PixelTerms {
  torch::Tensor counted_nhw;  ///< 1 = not ignored
  torch::Tensor nll_nhw;      ///< -log of the truth's probability
  torch::Tensor weight_nhw;   ///< the class's weight; 0 where ignored
};

PixelTerms terms_of(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw,
                    const torch::Tensor& weights_k) {
  const auto is_counted = target_nhw != kIgnoreClass;
  const auto truth = target_nhw.masked_fill(~is_counted, 0);
  PixelTerms terms;
  terms.counted_nhw = is_counted.to(logits_nkhw.scalar_type());
  terms.nll_nhw = -torch::log_softmax(logits_nkhw, 1).gather(1, truth.unsqueeze(1)).squeeze(1);
  terms.weight_nhw =
      weights_k.defined()
          ? terms.counted_nhw * weights_k.index_select(0, truth.flatten()).view(truth.sizes())
          : terms.counted_nhw;
  return terms;
}

/// `factor_nhw` weighs the terms; `divisor_nhw` summed divides them for weight_sum.
torch::Tensor reduced(const PixelTerms& terms, const torch::Tensor& factor_nhw,
                      const torch::Tensor& divisor_nhw, Reduction reduction) {
  const auto sum = (terms.nll_nhw * terms.weight_nhw * factor_nhw).sum();
  const auto divisor = (reduction == Reduction::weight_sum ? divisor_nhw : terms.counted_nhw).sum();
  return sum / divisor.clamp_min(1e-12);
}

/// Largest of map * exp(-offset^2 / 2 sigma^2) over offsets along `axis`: the two axes one after
/// the other give exp(-d^2 / 2 sigma^2) of the nearest mark.
torch::Tensor spread(const torch::Tensor& map_nhw, std::int64_t axis, double sigma_px) {
  auto best = map_nhw;
  const auto size = map_nhw.size(axis);
  const auto reach =
      std::min<std::int64_t>(static_cast<std::int64_t>(std::ceil(5 * sigma_px)), size - 1);
  for (std::int64_t offset = 1; offset <= reach; ++offset) {
    const double share =
        std::exp(-0.5 * static_cast<double>(offset * offset) / (sigma_px * sigma_px));
    const auto before = map_nhw.slice(axis, 0, size - offset) * share,
               after = map_nhw.slice(axis, offset) * share;
    auto next = best.clone();
    next.slice(axis, offset).copy_(torch::maximum(next.slice(axis, offset), before));
    next.slice(axis, 0, size - offset)
        .copy_(torch::maximum(next.slice(axis, 0, size - offset), after));
    best = next;
  }
  return best;
}

/// 1 where a neighbour along `axis` is of another class, neither ignored.
void mark_changes(torch::Tensor marks_nhw, const torch::Tensor& target_nhw, std::int64_t axis) {
  const auto size = target_nhw.size(axis);
  const auto first = target_nhw.slice(axis, 0, size - 1), second = target_nhw.slice(axis, 1);
  const auto differs = ((first != second) & (first != kIgnoreClass) & (second != kIgnoreClass))
                           .to(marks_nhw.scalar_type());
  for (const std::int64_t begin : {0, 1}) {
    auto side = marks_nhw.slice(axis, begin, begin + size - 1);
    side.copy_(torch::maximum(side, differs));
  }
}

}  // namespace

torch::Tensor focal(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw, double gamma,
                    const torch::Tensor& weights_k, Reduction reduction) {
  check_dense_shapes("focal loss", logits_nkhw, target_nhw);
  const auto terms = terms_of(logits_nkhw, target_nhw, weights_k);
  const auto miss = (1 - torch::exp(-terms.nll_nhw)).clamp_min(0);
  const auto factor = gamma == 0 ? torch::ones_like(miss) : torch::pow(miss, gamma);
  return reduced(terms, factor, terms.weight_nhw, reduction);
}

torch::Tensor boundary_weights(const torch::Tensor& target_nhw, double gain, double sigma_px) {
  const torch::NoGradGuard no_grad;
  const auto counted = (target_nhw != kIgnoreClass).to(torch::kFloat32);
  auto marks = torch::zeros_like(counted);
  mark_changes(marks, target_nhw, 1);
  mark_changes(marks, target_nhw, 2);
  const auto near = spread(spread(marks, 2, sigma_px), 1, sigma_px);
  const auto weights = (1 + gain * near) * counted;
  return weights * (counted.sum() / weights.sum().clamp_min(1e-12));
}

torch::Tensor boundary_cross_entropy(const torch::Tensor& logits_nkhw,
                                     const torch::Tensor& target_nhw, double gain, double sigma_px,
                                     const torch::Tensor& weights_k, Reduction reduction) {
  if (gain == 0) return cross_entropy(logits_nkhw, target_nhw, weights_k, reduction);
  check_dense_shapes("boundary-weighted cross-entropy", logits_nkhw, target_nhw);
  const auto terms = terms_of(logits_nkhw, target_nhw, weights_k);
  const auto near = boundary_weights(target_nhw, gain, sigma_px).to(logits_nkhw.scalar_type());
  return reduced(terms, near, terms.weight_nhw * near, reduction);
}

}  // namespace tilewright::learn
