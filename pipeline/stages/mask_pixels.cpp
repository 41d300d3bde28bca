// SPDX-License-Identifier: Apache-2.0
// Counts the bytes of a mask where its shard is mapped.
#include "pipeline/stages/mask_pixels.h"

namespace tilewright::pipeline {

std::array<std::int64_t, 256> MaskPixels::count(const index::MaskRow& mask) {
  auto file = files_.find(mask.place->shard);
  if (file == files_.end()) file = files_.emplace(mask.place->shard, shard::MappedFile(workspace_ / mask.place->shard)).first;
  std::array<std::int64_t, 256> pixels{};
  for (const auto value : shard::array_at(file->second, mask.place->byte_offset, mask.place->byte_length).data) ++pixels[static_cast<std::size_t>(value)];
  return pixels;
}

}  // namespace tilewright::pipeline
