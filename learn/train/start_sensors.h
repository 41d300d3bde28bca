// SPDX-License-Identifier: Apache-2.0
// Starting from, and starting, networks with an encoder a sensor.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "learn/models/load_matching.h"
#include "learn/train/start_weights.h"

namespace tilewright::learn {

/// True if names of encoder_1, encoder_2, ... are among them.
bool has_sensors(const TensorMap& tensors);
bool has_sensors(const torch::nn::Module& module);
/// True if the run's network has an encoder a sensor.
bool takes_sensors(const RunConfig& run);

/// Leaves of `start` the encoder of one sensor, under bare names, with its input: the one that
/// `sensor` names, else the only one of the source of `own`, else the only one with all its bands.
/// Throws Error::config that lists the sensors.
void take_sensor(StartWeights& start, const std::optional<std::string>& sensor,
                 const std::vector<InputInfo>& own);

/// Each sensor of `module` takes the encoder (and head) of the equal source in `start`, else of the
/// same place; weights of one encoder go to every sensor whose bands they know. Throws
/// Error::config if nothing fits.
LoadReport load_sensors(torch::nn::Module& module, const StartWeights& start,
                        const std::vector<std::string>& start_bands,
                        const std::vector<InputInfo>& inputs);

}  // namespace tilewright::learn
