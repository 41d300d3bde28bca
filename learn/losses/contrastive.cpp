// SPDX-License-Identifier: Apache-2.0
// MoCo, DINO, max-match alignment.
#include "learn/losses/contrastive.h"

#include <sstream>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

torch::Tensor unit(const torch::Tensor& x, std::int64_t axis) {
  return x / x.norm(2, {axis}, /*keepdim=*/true).clamp_min(1e-12);
}

torch::Tensor own_number(const torch::Tensor& rows) {
  return torch::arange(rows.size(0),
                       torch::TensorOptions().dtype(torch::kInt64).device(rows.device()));
}

void check(bool fits, const char* loss, const torch::Tensor& a, const torch::Tensor& b,
           const char* wanted) {
  if (fits) return;
  std::ostringstream text;
  text << loss << " of " << a.sizes() << " and " << b.sizes() << ": expected " << wanted;
  throw Error::failed(text.str());
}

}  // namespace

torch::Tensor moco(const torch::Tensor& q_nd, const torch::Tensor& k_nd,
                   const torch::Tensor& queue_dk, double temperature) {
  check(q_nd.dim() == 2 && q_nd.sizes() == k_nd.sizes(), "MoCo", q_nd, k_nd, "two equal [N, D]");
  check(queue_dk.dim() == 2 && queue_dk.size(0) == q_nd.size(1), "MoCo", q_nd, queue_dk,
        "[N, D] and a queue [D, K]");
  const auto q = unit(q_nd, 1), k = unit(k_nd.detach(), 1);
  const auto own = (q * k).sum(1, /*keepdim=*/true), others = q.matmul(queue_dk);
  const auto first = torch::zeros_like(own_number(q));
  return at::cross_entropy_loss(torch::cat({own, others}, 1) / temperature, first);
}

torch::Tensor moco_v3(const torch::Tensor& q_nd, const torch::Tensor& k_nd, double temperature) {
  check(q_nd.dim() == 2 && q_nd.sizes() == k_nd.sizes(), "MoCo v3", q_nd, k_nd, "two equal [N, D]");
  const auto similarity = unit(q_nd, 1).matmul(unit(k_nd.detach(), 1).t()) / temperature;
  return at::cross_entropy_loss(similarity, own_number(q_nd)) * (2 * temperature);
}

torch::Tensor dino(const torch::Tensor& student_rk, const torch::Tensor& teacher_rk,
                   const torch::Tensor& centre_k, int crops, DinoTemperatures temperatures) {
  const auto samples = teacher_rk.size(0) / 2;
  check(crops >= 2 && student_rk.dim() == 2 && teacher_rk.dim() == 2 &&
            teacher_rk.size(0) == 2 * samples && student_rk.size(0) == crops * samples &&
            student_rk.size(1) == teacher_rk.size(1),
        "DINO", student_rk, teacher_rk, "[crops * N, K] and [2 * N, K]");
  const auto student = torch::log_softmax(student_rk / temperatures.student, -1).chunk(crops);
  const auto teacher =
      torch::softmax((teacher_rk.detach() - centre_k) / temperatures.teacher, -1).chunk(2);
  torch::Tensor sum;
  int terms = 0;
  for (std::size_t i = 0; i < teacher.size(); ++i)
    for (std::size_t v = 0; v < student.size(); ++v) {
      if (v == i) continue;
      const auto term = -(teacher[i] * student[v]).sum(-1).mean();
      sum = sum.defined() ? sum + term : term;
      ++terms;
    }
  return sum / terms;
}

torch::Tensor dino_centre(const torch::Tensor& centre_k, const torch::Tensor& teacher_rk,
                          double decay) {
  return decay * centre_k + (1 - decay) * teacher_rk.detach().mean(0);
}

torch::Tensor mma(const torch::Tensor& e1_nchw, const torch::Tensor& e2_nchw, double temperature) {
  check(e1_nchw.dim() == 4 && e2_nchw.dim() == 4 && e1_nchw.size(0) == e2_nchw.size(0) &&
            e1_nchw.size(1) == e2_nchw.size(1) && e1_nchw.size(2) >= e2_nchw.size(2) &&
            e1_nchw.size(3) >= e2_nchw.size(3),
        "MMA", e1_nchw, e2_nchw, "[N, C, h1, w1] and [N, C, h2, w2] with h2 <= h1, w2 <= w1");
  const auto pixels = static_cast<double>(e2_nchw.size(2) * e2_nchw.size(3));
  const auto matches = torch::conv2d(unit(e1_nchw, 1), unit(e2_nchw, 1)) / pixels;
  const auto similarity = matches.amax({2, 3}) / temperature;
  const auto own = own_number(similarity);
  return (at::cross_entropy_loss(similarity, own) + at::cross_entropy_loss(similarity.t(), own)) /
         2;
}

}  // namespace tilewright::learn
