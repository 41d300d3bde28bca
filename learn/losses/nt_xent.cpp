// SPDX-License-Identifier: Apache-2.0
// NT-Xent, the contrastive loss of SimCLR.
#include <limits>
#include <sstream>

#include "geometry/error.h"
#include "learn/losses/losses.h"

namespace tilewright::learn {

torch::Tensor nt_xent(const torch::Tensor& z1_nd, const torch::Tensor& z2_nd, double temperature) {
  if (z1_nd.dim() != 2 || z1_nd.sizes() != z2_nd.sizes()) {
    std::ostringstream text;
    text << "NT-Xent of views " << z1_nd.sizes() << " and " << z2_nd.sizes()
         << ": expected two equal [N, D]";
    throw Error::failed(text.str());
  }
  const auto pairs = z1_nd.size(0);
  const auto z = torch::cat({z1_nd, z2_nd});
  const auto unit = z / z.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12);
  const auto own =
      torch::eye(2 * pairs, torch::TensorOptions().dtype(torch::kBool).device(z.device()));
  const auto similarity = (unit.matmul(unit.t()) / temperature)
                              .masked_fill(own, -std::numeric_limits<double>::infinity());
  const auto partner =
      (torch::arange(2 * pairs, torch::TensorOptions().dtype(torch::kInt64).device(z.device())) +
       pairs)
          .remainder(2 * pairs);
  return at::cross_entropy_loss(similarity, partner);
}

}  // namespace tilewright::learn
