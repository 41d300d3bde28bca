// SPDX-License-Identifier: Apache-2.0
// Joins masks and views by location, and reads their arrays.
#include "pipeline/stages/curate_views.h"

#include <algorithm>

#include "geometry/error.h"
#include "index/shard/npy.h"
#include "index/tile_id.h"

namespace tilewright::pipeline {

MaskPlaces mask_places(const index::Manifest& manifest, const std::string& layer) {
  MaskPlaces out;
  for (auto& mask : index::masks(manifest, layer))
    if (mask.place) out[mask.location_id] = *mask.place;
  return out;
}

void OpenShards::open(const std::string& shard) {
  auto& file = files_[shard];
  if (!file) file = std::make_unique<shard::MappedFile>(workspace_ / shard);
}

shard::ArrayView OpenShards::array(const index::MemberPlace& place) const { return shard::array_at(*files_.at(place.shard), place.byte_offset, place.byte_length); }

LabelledViews::LabelledViews(const StageInput& in, const MaskPlaces& masks, const std::string& source, const std::string& compare)
    : source_(source), shards_(in.workspace) {
  const auto others = compare.empty() ? MaskPlaces{} : mask_places(in.manifest, compare);
  std::map<std::string, std::vector<index::MemberPlace>> views;
  for (auto& view : index::views(in.manifest))
    if (view.place && index::source_of_tile(view.tile_id) == source && masks.contains(view.location_id)) views[view.location_id].push_back(*view.place);
  for (const auto& [id, mask] : masks) {
    Item item{id, mask, std::nullopt, std::move(views[id])};
    if (const auto other = others.find(id); other != others.end()) item.other = other->second;
    shards_.open(mask.shard);
    if (item.other) shards_.open(item.other->shard);
    for (const auto& view : item.views) shards_.open(view.shard);
    items_.push_back(std::move(item));
  }
}

LabelView LabelledViews::label(const index::MemberPlace& place) const {
  const auto array = shards_.array(place);
  const auto& shape = array.header.shape;
  if (array.header.dtype != shard::DType::u8 || shape.size() != 3)
    throw Error::failed("curate: the mask " + place.member + " in " + place.shard + " is not uint8 (1, H, W)");
  return {static_cast<int>(shape[2]), static_cast<int>(shape[1]), {reinterpret_cast<const std::uint8_t*>(array.data.data()), array.data.size()}};
}

std::vector<float> LabelledViews::band(const index::MemberPlace& place, const LabelView& label) const {
  const auto array = shards_.array(place);
  const auto& shape = array.header.shape;
  if (shape.at(1) != label.height || shape.at(2) != label.width)
    throw Error::config("curate: views of " + source_ + " have " + std::to_string(shape[2]) + " x " + std::to_string(shape[1]) + " pixels, masks " + std::to_string(label.width) +
                        " x " + std::to_string(label.height) + "; name a source with the grid's resolution in curate.source");
  std::vector<float> band(static_cast<std::size_t>(shape[1] * shape[2]));
  shard::with_type(array.header.dtype, [&](auto example) {
    const auto* from = reinterpret_cast<const decltype(example)*>(array.data.data());
    std::transform(from, from + band.size(), band.begin(), [](auto value) { return static_cast<float>(value); });
  });
  return band;
}

}  // namespace tilewright::pipeline
