// SPDX-License-Identifier: Apache-2.0
// Verb `embed`: what an encoder knows of each sample, as rows of one array.
#pragma once

#include <optional>
#include <string>

#include "learn/config/request.h"
#include "learn/models/model.h"
#include "learn/train/learn_context.h"

namespace tilewright::learn {

/// [N, D]: pool own (class token, else mean), cls or mean (of the map). Throws Error::config for
/// cls of a network without class token.
torch::Tensor pooled_as(const std::string& pool, const ImageCode& code);

/// Writes the features of all samples of `request.samples`, without augmentation. Throws
/// Error::stopped on request; then there is no file.
void run_embed(const EmbedRequest& request, const LearnContext& context);

}  // namespace tilewright::learn
