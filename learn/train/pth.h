// SPDX-License-Identifier: Apache-2.0
// Weights of torch.save, read without running anything of them.
#pragma once

#include <filesystem>

#include "learn/models/named_tensors.h"

namespace tilewright::learn {

/// Tensors of a state dict, also below {'model': ...}, {'state_dict': ...} or {'teacher': ...};
/// other entries (epoch, optimizer, settings) are left out. Throws Error::failed for files that are
/// no zip container (PyTorch before 1.6), that name anything but tensors, or whose tensors reach
/// beyond their storage; see parse_pickle.
TensorMap read_pth(const std::filesystem::path& file);

}  // namespace tilewright::learn
