// SPDX-License-Identifier: Apache-2.0
// Weights of fresh vision transformers for readers that we did not write: `write_vit_weights FOLDER`
// publishes FOLDER/NAME/weights.safetensors for vit_tiny, vit_small and vit_base, 224 pixels.
#include <filesystem>
#include <iostream>

#include "learn/models/model.h"
#include "learn/models/named_tensors.h"
#include "learn/train/published_weights.h"

int main(int count, char** arguments) {
  using namespace tilewright::learn;
  if (count != 2) {
    std::cerr << "usage: write_vit_weights FOLDER\n";
    return 2;
  }
  for (const std::string name : {"vit_tiny", "vit_small", "vit_base"}) {
    const auto folder = std::filesystem::path(arguments[1]) / name;
    std::filesystem::create_directories(folder);
    const auto encoder =
        make_encoder({.name = name, .patch_px = 16}, {.channels = 3, .size_px = 224});
    publish_weights(folder, state_of(*encoder), {{"format", "pt"}});
  }
}
