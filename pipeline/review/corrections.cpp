// SPDX-License-Identifier: Apache-2.0
// From edited polygons to masks, to what changed, to a vector file that is a layer of its own.
#include "pipeline/review/corrections.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "geometry/error.h"
#include "geometry/rasterize.h"
#include "index/review.h"
#include "index/shard/commit.h"
#include "pipeline/io/vector_layer.h"
#include "pipeline/synth/gdal_files.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using Kind = ObjectChange::Kind;

/// A tile of the export with its label as it is now, which is the one that was given out.
struct Tile {
  index::LocationRow location;
  ClassPixels before;
  std::vector<std::uint8_t> after;
  std::vector<TileObject> objects;  ///< of `before`
  struct Drawn {
    std::string object;  ///< attribute, "" if none
    std::string fid;
    int object_class = 0;
    std::vector<std::int32_t> pixels;  ///< under its polygon, ascending
  };
  std::vector<Drawn> drawn;
};

[[noreturn]] void refuse(const std::string& text) { throw Error::config("import: " + text); }

std::string at_of(const std::map<std::string, std::string>& attributes, const std::string& name) {
  const auto found = attributes.find(name);
  return found == attributes.end() ? "" : found->second;
}

std::vector<Tile> tiles_of(const Job& job, const index::Manifest& manifest,
                           const LabelExport& given) {
  ReviewPixels pixels(job.workspace());
  std::vector<Tile> out;
  for (const auto& tile : given.tiles) {
    const auto location = index::location(manifest, tile.location_id);
    if (!location)
      refuse("the location " + tile.location_id +
             " is not in the workspace (any more); export again");
    const auto masks = index::masks_at(manifest, tile.location_id);
    const auto mask = std::find_if(masks.begin(), masks.end(), [&](const auto& row) {
      return row.layer == given.layer && row.place;
    });
    if (mask == masks.end())
      refuse("the location " + tile.location_id + " has no label of layer " + given.layer +
             " (any more); run: tilewright label JOB, then export again");
    if (mask->place->sha256 != tile.label_sha256)
      refuse("the label " + given.layer + " of " + tile.location_id +
             " is not the one that was given out (hash " + tile.label_sha256.substr(0, 12) +
             " then, " + mask->place->sha256.substr(0, 12) +
             " now); export again and copy the corrections over");
    auto label = pixels.mask(*mask->place);
    out.push_back({*location,
                   label,
                   std::vector<std::uint8_t>(label.classes.size(), 0),
                   objects_of(label, tile.location_id),
                   {}});
  }
  if (out.empty()) refuse("the export has no tiles");
  return out;
}

/// Windows are what they were: nobody moved, removed or added one.
void check_windows(const fs::path& file, const std::vector<Tile>& tiles, int epsg) {
  const auto layer = read_vector_layer(file, "tiles", {"location_id"}, {});
  if (layer.crs.epsg() != epsg)
    refuse(file.string() + " is in " +
           (layer.crs.epsg() == 0 ? layer.crs.name() : "EPSG:" + std::to_string(layer.crs.epsg())) +
           ", it was given out in EPSG:" + std::to_string(epsg) + "; save it in that system");
  std::map<std::string, geometry::Box> found;
  for (const auto& feature : layer.features) {
    const auto id = at_of(feature.attributes, "location_id");
    if (feature.polygons.empty() || !found.emplace(id, geometry::bounds(feature.polygons)).second)
      refuse("the layer tiles of " + file.string() + " has the tile '" + id +
             "' twice or without a window; keep that layer as it was");
  }
  for (const auto& tile : tiles) {
    const auto& location = tile.location;
    const auto window = found.find(location.location_id);
    if (window == found.end())
      refuse("the tile " + location.location_id + " is not in the layer tiles of " + file.string() +
             "; keep that layer as it was");
    const double edge = location.res_m * location.size_px, tolerance = location.res_m / 100;
    const auto& box = window->second;
    const bool is_same = std::abs(box.min_x - location.ulx) < tolerance &&
                         std::abs(box.max_x - location.ulx - edge) < tolerance &&
                         std::abs(box.max_y - location.uly) < tolerance &&
                         std::abs(box.min_y - location.uly + edge) < tolerance;
    if (!is_same)
      refuse("the tile " + location.location_id + " was moved or reshaped in " + file.string() +
             "; keep the layer tiles as it was");
    found.erase(window);
  }
  if (!found.empty())
    refuse("the tile '" + found.begin()->first + "' in " + file.string() +
           " was not given out; export it, too");
}

/// Classes that objects may have: those of the layer and "not known".
std::set<int> known_classes(const Job& job, const std::string& layer,
                            const std::vector<Tile>& tiles) {
  std::set<int> out;
  for (const auto& [name, config] : job.layers)
    if (name == layer)
      for (const auto& [id, style] : config.classes) out.insert(id);
  for (const auto& tile : tiles)
    for (const auto& object : tile.objects)
      if (object.object_class != kNotKnown) out.insert(object.object_class);
  if (out.empty()) out.insert(1);
  return out;
}

int class_of(const Feature& feature, const std::set<int>& known, const std::string& where) {
  const auto text = at_of(feature.attributes, "class");
  if (text.empty() && known.size() == 1) return *known.begin();
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() &&
      (value == kNotKnown || known.contains(value)))
    return value;
  std::string all;
  for (const int one : known) all += (all.empty() ? "" : ", ") + std::to_string(one);
  refuse(where + " has the class '" + text + "'; classes of the layer are " + all +
         ", and 255 for what is not known");
}

/// May a shape in `box` cover a pixel of the tile?
bool reaches(const geometry::Box& box, const index::LocationRow& location) {
  const double edge = location.res_m * location.size_px;
  return box.max_x >= location.ulx && box.min_x <= location.ulx + edge &&
         box.max_y >= location.uly - edge && box.min_y <= location.uly;
}

/// Pixels of the tile under the polygons.
std::vector<std::int32_t> pixels_under(const geometry::MapMultiPolygon& polygons,
                                       const Tile& tile) {
  std::vector<std::uint8_t> mask(tile.before.classes.size(), 0);
  const geometry::RasterFrame frame{affine_of(tile.location),
                                    {0, 0, tile.before.width, tile.before.height}};
  geometry::fill_polygons({frame, mask}, polygons, std::uint8_t{1});
  std::vector<std::int32_t> out;
  for (std::size_t n = 0; n < mask.size(); ++n)
    if (mask[n]) out.push_back(static_cast<std::int32_t>(n));
  return out;
}

/// Draws every object into the tiles that it touches, in the file's order.
std::int64_t draw_objects(const fs::path& file, const Job& job, const std::string& layer, int epsg,
                          std::vector<Tile>& tiles) {
  const auto objects = read_vector_layer(file, "objects", {"class", "object"}, {});
  if (objects.crs.epsg() != epsg)
    refuse("the layer objects of " + file.string() + " is not in EPSG:" + std::to_string(epsg) +
           "; save it in that system");
  const auto known = known_classes(job, layer, tiles);
  for (const auto& feature : objects.features) {
    const auto where = "the object fid " + feature.id + " of " + file.string();
    if (feature.polygons.empty())
      refuse(where + " is no polygon; draw areas, and remove what is empty");
    auto gated = geometry::gate(feature.polygons);
    if (gated.outcome == geometry::Gate::rejected || gated.outcome == geometry::Gate::empty)
      refuse(where + " cannot be drawn (" + (gated.reason[0] ? gated.reason : "empty") +
             "); repair or remove it");
    const int object_class = class_of(feature, known, where);
    const auto box = geometry::bounds(gated.polygons);
    bool is_inside = false;
    for (auto& tile : tiles) {
      if (!reaches(box, tile.location)) continue;
      auto pixels = pixels_under(gated.polygons, tile);
      if (pixels.empty()) continue;
      is_inside = true;
      for (const auto pixel : pixels)
        tile.after[static_cast<std::size_t>(pixel)] = static_cast<std::uint8_t>(object_class);
      tile.drawn.push_back(
          {at_of(feature.attributes, "object"), feature.id, object_class, std::move(pixels)});
    }
    if (!is_inside)
      refuse(where + " covers no pixel of a tile that was given out; move or remove it");
  }
  return static_cast<std::int64_t>(objects.features.size());
}

std::int64_t shared(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b) {
  std::vector<std::int32_t> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return static_cast<std::int64_t>(both.size());
}

/// Several features of one object (it was cut in pieces) count as one.
void compare(const Tile& tile, std::vector<ObjectChange>& out) {
  std::map<std::string, std::pair<std::vector<std::int32_t>, int>> after;
  std::set<std::string> ids;
  for (const auto& object : tile.objects) ids.insert(object.id);
  for (const auto& drawn : tile.drawn) {
    if (!ids.contains(drawn.object)) {
      out.push_back({Kind::added, tile.location.location_id, "fid " + drawn.fid, 0,
                     drawn.object_class, 0, static_cast<std::int64_t>(drawn.pixels.size()), 0});
      continue;
    }
    auto& [pixels, object_class] = after[drawn.object];
    std::vector<std::int32_t> both;
    std::set_union(pixels.begin(), pixels.end(), drawn.pixels.begin(), drawn.pixels.end(),
                   std::back_inserter(both));
    pixels = std::move(both);
    object_class = drawn.object_class;
  }
  for (const auto& object : tile.objects) {
    ObjectChange change{Kind::removed,
                        tile.location.location_id,
                        object.id,
                        object.object_class,
                        0,
                        static_cast<std::int64_t>(object.pixels.size()),
                        0,
                        0};
    if (const auto found = after.find(object.id); found != after.end()) {
      const auto& [pixels, object_class] = found->second;
      if (pixels == object.pixels && object_class == object.object_class) continue;
      change.kind = pixels == object.pixels ? Kind::reclassified : Kind::moved_or_reshaped;
      change.class_after = object_class;
      change.pixels_after = static_cast<std::int64_t>(pixels.size());
      change.pixels_shared = shared(object.pixels, pixels);
    }
    out.push_back(change);
  }
}

std::string changes_csv(const std::vector<ObjectChange>& changes) {
  std::string out =
      "location_id,object,change,class_before,class_after,pixels_before,pixels_after,pixels_"
      "shared\n";
  for (const auto& c : changes)
    out += c.location_id + "," + c.object + "," + std::string(name(c.kind)) + "," +
           std::to_string(c.class_before) + "," + std::to_string(c.class_after) + "," +
           std::to_string(c.pixels_before) + "," + std::to_string(c.pixels_after) + "," +
           std::to_string(c.pixels_shared) + "\n";
  return out;
}

/// The corrected masks as polygons, so that drawing them gives these masks; `known` is where they
/// are not 255.
std::string version_file(const std::vector<Tile>& tiles, int epsg) {
  FeatureToWrite like;
  like.integers = {{"class", std::nullopt}};
  like.texts = {{"location_id", std::nullopt}};
  LayerToWrite objects{"objects", {}, like}, known{"known", {}, {}};
  const auto add = [](LayerToWrite& layer, const geometry::MapMultiPolygon& polygons,
                      const Tile& tile, std::optional<int> object_class) {
    for (const auto& polygon : polygons) {
      FeatureToWrite feature;
      feature.polygon = polygon;
      feature.texts = {{"location_id", tile.location.location_id}};
      if (object_class) feature.integers = {{"class", object_class}};
      layer.features.push_back(std::move(feature));
    }
  };
  for (const auto& tile : tiles) {
    const ClassPixels after{tile.before.width, tile.before.height, tile.after};
    const auto affine = affine_of(tile.location);
    for (const auto& object : objects_of(after, tile.location.location_id))
      if (object.object_class != kNotKnown)
        add(objects, outline_of(object.pixels, after, affine), tile, object.object_class);
    std::vector<std::int32_t> labelled;
    for (std::size_t n = 0; n < tile.after.size(); ++n)
      if (tile.after[n] != kNotKnown) labelled.push_back(static_cast<std::int32_t>(n));
    if (!labelled.empty()) add(known, outline_of(labelled, after, affine), tile, std::nullopt);
  }
  return geopackage({objects, known}, epsg);
}

/// "buildings_v3" after buildings_v2, which the folder or the job has.
std::string next_version(const Job& job, const fs::path& folder, const std::string& layer) {
  auto base = layer;
  const auto at = layer.rfind("_v");
  if (at != std::string::npos && at + 2 < layer.size() &&
      layer.find_first_not_of("0123456789", at + 2) == std::string::npos)
    base = layer.substr(0, at);
  for (int number = 2;; ++number) {
    const auto version = base + "_v" + std::to_string(number);
    const bool is_in_job = std::any_of(job.layers.begin(), job.layers.end(),
                                       [&](const auto& own) { return own.first == version; });
    if (!is_in_job && !fs::exists(folder / (version + ".gpkg"))) return version;
  }
}

/// As YAML takes it literally.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

std::string lines_for_job(const Job& job, const std::string& layer, const std::string& version,
                          const std::vector<Tile>& tiles) {
  const auto path = (job.workspace() / "corrections" / (version + ".gpkg"))
                        .lexically_relative(job.folder())
                        .generic_string();
  std::string values, classes;
  for (const int id : known_classes(job, layer, tiles))
    values +=
        (values.empty() ? "" : ", ") + ("'" + std::to_string(id) + "': ") + std::to_string(id);
  for (const auto& [name, config] : job.layers)
    if (name == layer)
      for (const auto& [id, style] : config.classes)
        classes += (classes.empty() ? "" : ", ") + std::to_string(id) +
                   ": {name: " + quoted(style.name) + ", color: " + quoted(style.color) + "}";
  std::string out =
      "  " + version + ":\n    vector: " + quoted(path) +
      "\n    layer: objects\n    draw: polygons\n    class: {field: class, values: {" + values +
      "}}\n";
  if (!classes.empty()) out += "    classes: {" + classes + "}\n";
  return out + "    extent: {within: " + quoted(path) + ", layer: known}\n";
}

}  // namespace

std::string_view name(ObjectChange::Kind kind) {
  switch (kind) {
    case Kind::added:
      return "added";
    case Kind::removed:
      return "removed";
    case Kind::reclassified:
      return "reclassified";
    default:
      return "moved_or_reshaped";
  }
}

CorrectionReport import_labels(const Job& job, const index::Manifest& manifest,
                               const fs::path& dir) {
  const auto given = read_label_export(dir);
  auto tiles = tiles_of(job, manifest, given);
  const auto file = dir / "labels.gpkg";
  check_windows(file, tiles, given.epsg);
  CorrectionReport report;
  report.layer = given.layer;
  report.objects = draw_objects(file, job, given.layer, given.epsg, tiles);
  for (const auto& tile : tiles) {
    compare(tile, report.changes);
    report.tiles_changed += tile.after != tile.before.classes ? 1 : 0;
  }
  report.tiles = static_cast<std::int64_t>(tiles.size());
  const auto folder = job.workspace() / "corrections";
  report.version = next_version(job, folder, given.layer);
  report.job_lines = lines_for_job(job, given.layer, report.version, tiles);
  report.files = {folder / (report.version + ".gpkg"), folder / (report.version + "_changes.csv")};
  shard::make_folders(folder);
  shard::publish_file(report.files[1], changes_csv(report.changes));
  shard::publish_file(report.files[0], version_file(tiles, given.epsg));
  return report;
}

}  // namespace tilewright::pipeline
