// SPDX-License-Identifier: Apache-2.0
// Losses of recipes with a momentum encoder or two sensors, as pure functions.
#pragma once

#include <torch/torch.h>

namespace tilewright::learn {

/// MoCo: cross-entropy of the own key among it and a queue of others.
/// \param q_nd,k_nd [N, D], not normalized; k carries no gradient.  \param queue_dk [D, K] columns
/// of length 1.  \return scalar. Throws Error::failed on shape mismatch. Source: He et al. 2020,
/// eq. 1.
torch::Tensor moco(const torch::Tensor& q_nd, const torch::Tensor& k_nd,
                   const torch::Tensor& queue_dk, double temperature);

/// One direction of MoCo v3: 2 T times the cross-entropy of each row's key among all keys of the
/// batch. Source: Chen et al. 2021, arXiv 2104.02057, algorithm 1.
torch::Tensor moco_v3(const torch::Tensor& q_nd, const torch::Tensor& k_nd, double temperature);

struct DinoTemperatures {
  double student = 0.1, teacher = 0.04;
};
/// DINO: mean, over teacher crops i and student crops v != i, of the cross-entropy of the student's
/// softmax under the teacher's centred one.
/// \param student_rk [crops * N, K], crop-major; the first two crops are the teacher's.
/// \param teacher_rk [2 * N, K], carries no gradient.  \param centre_k [K].
/// \return scalar. Throws Error::failed on shape mismatch. Source: Caron et al. 2021, eq. 3.
torch::Tensor dino(const torch::Tensor& student_rk, const torch::Tensor& teacher_rk,
                   const torch::Tensor& centre_k, int crops, DinoTemperatures temperatures = {});
/// The centre after a step: decay * centre + (1 - decay) * mean of the teacher's raw outputs.
torch::Tensor dino_centre(const torch::Tensor& centre_k, const torch::Tensor& teacher_rk,
                          double decay = 0.9);

/// Max-match alignment of two sensors: maps [N, C, h1, w1] and [N, C, h2, w2] (h2 <= h1, w2 <= w1),
/// unit length over the channels; the similarity of a pair is the largest over all offsets of the
/// mean product. Mean of the cross-entropies over rows and over columns.
/// \return scalar. Throws Error::failed on shape mismatch.
torch::Tensor mma(const torch::Tensor& e1_nchw, const torch::Tensor& e2_nchw, double temperature);

}  // namespace tilewright::learn
