// SPDX-License-Identifier: Apache-2.0
// Cross-entropy and Dice of dense class scores.
#include <sstream>

#include "geometry/error.h"
#include "learn/losses/losses.h"
#include "learn/recipes/recipe.h"

namespace tilewright::learn {
void check_dense_shapes(const char* loss, const torch::Tensor& logits_nkhw,
                        const torch::Tensor& target_nhw) {
  const bool fits = logits_nkhw.dim() == 4 && target_nhw.dim() == 3 &&
                    logits_nkhw.size(0) == target_nhw.size(0) &&
                    logits_nkhw.size(2) == target_nhw.size(1) &&
                    logits_nkhw.size(3) == target_nhw.size(2);
  if (fits && target_nhw.scalar_type() == torch::kInt64) return;
  std::ostringstream text;
  text << loss << " of scores " << logits_nkhw.sizes() << " and a target " << target_nhw.sizes()
       << " of type " << target_nhw.scalar_type()
       << ": expected [N, K, H, W] and [N, H, W] of type Long";
  throw Error::failed(text.str());
}

torch::Tensor cross_entropy(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw,
                            const torch::Tensor& weights_k, Reduction reduction) {
  check_dense_shapes("cross-entropy", logits_nkhw, target_nhw);
  const auto sum = at::cross_entropy_loss(
      logits_nkhw, target_nhw, weights_k.defined() ? std::optional(weights_k) : std::nullopt,
      at::Reduction::Sum, kIgnoreClass);
  const auto counted = target_nhw != kIgnoreClass;
  auto divisor = counted.sum().to(logits_nkhw.scalar_type());
  if (weights_k.defined() && reduction == Reduction::weight_sum)
    divisor = (weights_k.index_select(0, target_nhw.masked_fill(~counted, 0).flatten()) *
               counted.flatten())
                  .sum();
  return sum / divisor.clamp_min(1e-12);
}

torch::Tensor dice(const torch::Tensor& logits_nkhw, const torch::Tensor& target_nhw) {
  check_dense_shapes("dice", logits_nkhw, target_nhw);
  const auto counted = target_nhw != kIgnoreClass;
  const auto inside = counted.unsqueeze(1).to(logits_nkhw.scalar_type());
  const auto truth = torch::one_hot(target_nhw.masked_fill(~counted, 0), logits_nkhw.size(1))
                         .permute({0, 3, 1, 2}) *
                     inside;
  const auto guess = torch::softmax(logits_nkhw, 1) * inside;
  const std::vector<std::int64_t> over = {0, 2, 3};
  const auto shared = (guess * truth).sum(over), all = guess.square().sum(over) + truth.sum(over);
  const auto present = (truth.sum(over) > 0).to(logits_nkhw.scalar_type());
  const auto distance = 1 - (2 * shared + 1) / (all + 1);
  return (distance * present).sum() / present.sum().clamp_min(1);
}

}  // namespace tilewright::learn
