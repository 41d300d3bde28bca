// SPDX-License-Identifier: Apache-2.0
// The commented job file of a synthetic region.
#pragma once

#include <string>

#include "pipeline/synth/region.h"

namespace tilewright::pipeline {

/// Small regions get a few epochs of small models; the default region gets models that find its label noise.
std::string job_text(const SynthOptions& options);

}  // namespace tilewright::pipeline
