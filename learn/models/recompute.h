// SPDX-License-Identifier: Apache-2.0
// Transformer blocks that keep only their input: less memory for a second forward pass.
#pragma once

#include <torch/torch.h>

namespace tilewright::learn {

class TransformerBlock;

/// block.forward(tokens_nld); its inner tensors are made again on the way back, with the same bits.
/// \param block must live until then. Without gradients it is the plain forward pass.
/// Source: Chen et al. 2016, arXiv 1604.06174.
torch::Tensor recomputed(TransformerBlock& block, const torch::Tensor& tokens_nld);

}  // namespace tilewright::learn
