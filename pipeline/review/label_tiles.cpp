// SPDX-License-Identifier: Apache-2.0
// Parts of masks become polygons; tiles, pictures and hashes go beside them.
#include "pipeline/review/label_tiles.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "geometry/bitmask.h"
#include "geometry/error.h"
#include "geometry/mask_parts.h"
#include "index/review.h"
#include "index/shard/commit.h"
#include "pipeline/synth/gdal_files.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "tilewright labels 1";

/// mask_parts knows 255 as no part: here it is one that people may redraw.
std::vector<TileObject> parts_of(const ClassPixels& mask, const std::vector<std::uint8_t>& values) {
  const auto parts = geometry::mask_parts({mask.width, mask.height, values});
  const auto pixels = geometry::pixels_of_parts(parts);
  std::vector<TileObject> out;
  for (std::size_t n = 0; n < parts.parts.size(); ++n)
    out.push_back({"", parts.parts[n].value, pixels[n]});
  return out;
}

std::vector<index::LocationRow> chosen(const index::Manifest& manifest, const TileChoice& choice) {
  index::ReviewQuery query{.layer = choice.layer, .sort = "location"};
  if (!choice.verdict.empty()) query.verdict = choice.verdict;
  std::set<std::string> ids;
  for (const auto& subset :
       choice.subsets.empty() ? std::vector<std::string>{""} : choice.subsets) {
    query.subset = subset;
    const auto order = index::review_order(manifest, query);
    for (const auto& row : index::review_rows(manifest, query, order, 0, order.size()))
      ids.insert(row.location_id);
  }
  std::vector<index::LocationRow> out;
  for (const auto& id : ids) out.push_back(*index::location(manifest, id));
  return out;
}

int zone_of(const std::vector<index::LocationRow>& locations, const TileChoice& choice) {
  if (locations.empty())
    throw Error::config("export: no tile of layer " + choice.layer +
                        (choice.verdict.empty() ? "" : " with the verdict " + choice.verdict) +
                        (choice.subsets.empty() ? "" : " in the subset " + choice.subsets.front()) +
                        "; choose others with --verdict and --subset");
  std::set<int> zones;
  for (const auto& location : locations) zones.insert(location.epsg);
  if (zones.size() > 1)
    throw Error::config(
        "export: the chosen tiles lie in several zones (EPSG:" + std::to_string(*zones.begin()) +
        " and EPSG:" + std::to_string(*zones.rbegin()) +
        "); choose a subset of one zone, with epsg = N in its rule");
  if (*zones.begin() == 0)
    throw Error::config(
        "export: the chosen tiles have no EPSG code; labels can be corrected on a grid with one");
  return *zones.begin();
}

FeatureToWrite window_feature(const index::LocationRow& location, const std::string& sha256,
                              const std::string& verdict) {
  const double edge = location.res_m * location.size_px, x = location.ulx, y = location.uly;
  FeatureToWrite feature;
  feature.polygon = geometry::MapPolygon{
      {{x, y}, {x, y - edge}, {x + edge, y - edge}, {x + edge, y}, {x, y}}, {}};
  feature.texts = {
      {"location_id", location.location_id}, {"label_sha256", sha256}, {"verdict", verdict}};
  return feature;
}

FeatureToWrite object_feature(const std::string& object, const std::string& location_id,
                              int object_class) {
  FeatureToWrite feature;
  feature.texts = {{"object", object}, {"location_id", location_id}};
  feature.integers = {{"class", object_class}};
  return feature;
}

/// The first view of the place as it lies in its shard, georeferenced.
std::optional<std::string> picture_of(const index::Manifest& manifest, MemberReader& reader,
                                      const index::LocationRow& location) {
  for (const auto& view : index::views(manifest, location.location_id)) {
    if (!view.place) continue;
    const auto array = reader.array(*view.place);
    const auto type = array.header.dtype;
    if (type != shard::DType::u8 && type != shard::DType::u16 && type != shard::DType::f32)
      continue;
    RasterToWrite raster{.epsg = location.epsg,
                         .affine = affine_of(location),
                         .width = static_cast<int>(array.header.shape[2]),
                         .height = static_cast<int>(array.header.shape[1]),
                         .dtype = type,
                         .bands = {},
                         .nodata = std::nullopt,
                         .pixels = array.data};
    const double ratio = static_cast<double>(location.size_px) /
                         raster.width;  // a source with pixels of its own size
    raster.affine.a *= ratio;
    raster.affine.e *= ratio;
    for (std::int64_t band = 0; band < array.header.shape[0]; ++band)
      raster.bands.push_back("b" + std::to_string(band + 1));
    return geotiff(raster);
  }
  return std::nullopt;
}

}  // namespace

geometry::Affine affine_of(const index::LocationRow& location) {
  return {location.res_m, 0, location.ulx, 0, -location.res_m, location.uly};
}

std::vector<TileObject> objects_of(const ClassPixels& mask, const std::string& location_id) {
  auto out = parts_of(mask, mask.classes);
  std::vector<std::uint8_t> unknown(mask.classes.size());
  std::transform(mask.classes.begin(), mask.classes.end(), unknown.begin(), [](std::uint8_t value) {
    return value == kNotKnown ? std::uint8_t{1} : std::uint8_t{0};
  });
  for (auto& object : parts_of(mask, unknown))
    out.push_back({"", kNotKnown, std::move(object.pixels)});
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.pixels.front() < b.pixels.front(); });
  for (std::size_t n = 0; n < out.size(); ++n) out[n].id = location_id + "/" + std::to_string(n);
  return out;
}

geometry::MapMultiPolygon outline_of(const std::vector<std::int32_t>& pixels,
                                     const ClassPixels& shape, const geometry::Affine& affine) {
  geometry::Bitmask mask(shape.width, shape.height);
  for (const auto pixel : pixels) mask.set(pixel % shape.width, pixel / shape.width, true);
  return geometry::map_from_pixel(affine, geometry::outline(mask));
}

LabelExport read_label_export(const fs::path& dir) {
  std::ifstream in(dir / "export.json", std::ios::binary);
  const auto json = in ? Json::parse(in, nullptr, false) : Json();
  if (!json.is_object() || json.value("format", "") != kFormat || !json.contains("tiles") ||
      !json["tiles"].is_array())
    throw Error::config(
        "import: " + dir.string() +
        " holds no export of labels (export.json of `tilewright export JOB DIR --to labels`)");
  LabelExport out{json.value("layer", ""), json.value("epsg", 0), {}};
  for (const auto& tile : json["tiles"])
    out.tiles.push_back({tile.value("location_id", ""), tile.value("label_sha256", "")});
  return out;
}

std::vector<fs::path> export_labels(const Job& job, const index::Manifest& manifest,
                                    const TileChoice& choice, const fs::path& dir) {
  const auto locations = chosen(manifest, choice);
  const int epsg = zone_of(locations, choice);
  if (!choice.overwrite)
    for (const char* name : {"labels.gpkg", "export.json"})
      if (fs::exists(dir / name))
        throw Error::config("export: " + (dir / name).string() +
                            " is there already; name another folder, or add --overwrite (what was "
                            "corrected in it is lost)");
  ReviewPixels pixels(job.workspace());
  MemberReader reader(job.workspace());
  LayerToWrite objects{"objects", {}, object_feature("", "", 0)}, tiles{"tiles", {}, {}};
  Json given{
      {"format", kFormat}, {"layer", choice.layer}, {"epsg", epsg}, {"tiles", Json::array()}};
  std::vector<fs::path> files;
  shard::make_folders(dir / "images");
  for (const auto& location : locations) {
    const auto masks = index::masks_at(manifest, location.location_id);
    const auto mask = std::find_if(masks.begin(), masks.end(), [&](const auto& row) {
      return row.layer == choice.layer && row.place;
    });
    if (mask == masks.end()) continue;
    const auto label = pixels.mask(*mask->place);
    for (const auto& object : objects_of(label, location.location_id))
      for (const auto& polygon : outline_of(object.pixels, label, affine_of(location))) {
        auto feature = object_feature(object.id, location.location_id, object.object_class);
        feature.polygon = polygon;
        objects.features.push_back(std::move(feature));
      }
    tiles.features.push_back(
        window_feature(location, mask->place->sha256,
                       index::verdict_at(manifest, location.location_id, choice.layer)));
    given["tiles"].push_back(
        {{"location_id", location.location_id}, {"label_sha256", mask->place->sha256}});
    if (const auto picture = picture_of(manifest, reader, location)) {
      files.push_back(dir / "images" / (location.location_id + ".tif"));
      shard::publish_file(files.back(), *picture);
    }
  }
  shard::publish_file(dir / "labels.gpkg", geopackage({objects, tiles}, epsg));
  shard::publish_file(dir / "export.json", given.dump(1) + "\n");
  files.insert(files.begin(), {dir / "labels.gpkg", dir / "export.json"});
  return files;
}

}  // namespace tilewright::pipeline
