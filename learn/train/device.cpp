// SPDX-License-Identifier: Apache-2.0
// Chooses the device; libtorch_cuda is loaded before the first question about devices, or never.
#include "learn/train/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

/// Empty if the CUDA backend is registered and has a device, else why not.
std::string load_cuda() {
  // After any question about devices it is too late: the CPU-only hooks are then kept for good.
  static const std::string problem = []() -> std::string {
    if (::dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      const char* why = ::dlerror();
      return why ? why : "libtorch_cuda.so cannot be loaded";
    }
    return torch::cuda::is_available() ? ""
                                       : "libtorch_cuda.so is there, but no usable CUDA device";
  }();
  return problem;
}

}  // namespace

torch::Device prepare_device(const std::string& device, int threads, const std::string& repro) {
  at::set_num_threads(threads);
  const bool want_cuda = device != "cpu";
  const auto problem = want_cuda ? load_cuda() : "";
  if (device == "cuda" && !problem.empty())
    throw Error::config("device: cuda is not usable here (" + problem +
                        "); use device: auto or cpu");
  auto& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(true);
  if (repro == "strict") context.setUserEnabledMkldnn(false);
  return want_cuda && problem.empty() ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
}

std::string device_summary() {
  const auto problem = load_cuda();
  const auto cpu = "CPU (" + at::get_cpu_capability() + ", " +
                   std::to_string(at::get_num_threads()) + " threads by default)";
  return problem.empty()
             ? "CUDA, " + std::to_string(torch::cuda::device_count()) + " device(s); " + cpu
             : cpu + "; no CUDA: " + problem;
}

}  // namespace tilewright::learn
