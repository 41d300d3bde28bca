// SPDX-License-Identifier: Apache-2.0
// Where tensors live: CPU, or CUDA where a machine has it, found at run time.
#pragma once

#include <torch/torch.h>

#include <string>

namespace tilewright::learn {

/// Threads, device and determinism of this process. Call once, before any tensor exists.
/// `device`: auto (CUDA if it works, else CPU), cpu, cuda (Error::config if there is none).
/// `repro`: normal, or strict: oneDNN off, so that the bits do not depend on the thread count.
torch::Device prepare_device(const std::string& device, int threads, const std::string& repro);

/// For `doctor`: "CPU (AVX2)" or the CUDA device, and why CUDA is not used.
std::string device_summary();

}  // namespace tilewright::learn
