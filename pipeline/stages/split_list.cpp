// SPDX-License-Identifier: Apache-2.0
// Columns by their usual names, grounds by raster headers, parts by the names of tables and folders.
#include "pipeline/stages/split_list.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <regex>

#include "geometry/error.h"
#include "index/manifest.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_reader.h"
#include "pipeline/io/raster.h"
#include "pipeline/io/vector_layer.h"
#include "pipeline/stages/split_locations.h"
#include "pipeline/stages/split_table.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using index::AuditedSample;
using Row = std::map<std::string, std::string>;  ///< column in small letters -> text

constexpr std::int64_t kMostPixels = std::int64_t{64} << 20;
constexpr double kPointHalf_m = 0.5;  ///< a place without extent counts as a square metre
constexpr std::array kPartColumns{"split", "part", "subset", "set"};
constexpr std::array kFileColumns{"file", "path", "image", "filename"};
constexpr std::array kNameColumns{"id", "name", "sample", "location_id"};
constexpr std::array kSceneColumns{"scene", "scene_id", "acquisition", "product", "tile_id"};
constexpr std::array kLocationColumns{"location", "place", "location_id"};
constexpr std::array kLonColumns{"lon", "longitude"};
constexpr std::array kLatColumns{"lat", "latitude"};

std::string in_small_letters(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// train, val or test as others write them; other names stay.
std::string part_of_name(const std::string& text) {
  static const std::map<std::string, std::string> kKnown{{"train", "train"}, {"training", "train"}, {"val", "val"}, {"valid", "val"}, {"validation", "val"}, {"validate", "val"},
                                                         {"dev", "val"}, {"test", "test"}, {"testing", "test"}, {"guard", "guard"}};
  const auto small = in_small_letters(text);
  const auto found = kKnown.find(small);
  return found == kKnown.end() ? small : found->second;
}

/// The part that a file or folder is named after, word by word: "test_files" is test.
std::optional<std::string> part_in_name(const std::string& name) {
  std::string word;
  for (const char c : name + "_") {
    if (std::isalpha(static_cast<unsigned char>(c))) {
      word += c;
      continue;
    }
    const auto part = part_of_name(word);
    if (part == "train" || part == "val" || part == "test") return part;
    word.clear();
  }
  return std::nullopt;
}

template <std::size_t N>
std::string first_of(const Row& row, const std::array<const char*, N>& columns) {
  for (const char* column : columns)
    if (const auto found = row.find(column); found != row.end() && !found->second.empty()) return found->second;
  return "";
}

/// Fills ground and zone from an outline.
void set_ground(AuditedSample& sample, const geometry::MapMultiPolygon& outline, const geometry::Crs& crs) {
  auto geom = geometry::geographic(outline, crs);
  const auto box = geometry::bounds(outline);
  const auto centre = geometry::geographic(geometry::MapXY{(box.min_x + box.max_x) / 2, (box.min_y + box.max_y) / 2}, crs);
  if (!geom || !centre) return;
  const bool is_own_plane = crs.is_metric() && crs.epsg() > 0;
  const int epsg = is_own_plane ? crs.epsg() : geometry::utm_epsg(*centre);
  const auto plane = is_own_plane ? outline : geometry::projected(outline, crs, geometry::Crs::from_epsg(epsg), 0).value_or(geometry::MapMultiPolygon{});
  if (plane.empty()) return;
  sample.where.box = geometry::bounds(plane);
  sample.where.geom = std::move(*geom);
  sample.where.epsg = epsg;
}

geometry::MapMultiPolygon square(double west, double south, double east, double north) {
  return {{{{west, south}, {east, south}, {east, north}, {west, north}, {west, south}}, {}}};
}

void set_point(AuditedSample& sample, geometry::MapXY point, const geometry::Crs& crs) {
  const auto place = geometry::geographic(point, crs);
  if (!place) return;
  const auto zone = geometry::Crs::from_epsg(geometry::utm_epsg(*place));
  if (const auto at = geometry::Transform(crs, zone)(point))
    set_ground(sample, square(at->x - kPointHalf_m, at->y - kPointHalf_m, at->x + kPointHalf_m, at->y + kPointHalf_m), zone);
}

void add_picture(AuditedSample& sample, std::span<const std::byte> bytes, shard::DType dtype, int width, int height) {
  std::vector<float> band(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  shard::with_type(dtype, [&](auto example) {
    const auto* from = reinterpret_cast<const decltype(example)*>(bytes.data());
    std::transform(from, from + band.size(), band.begin(), [](auto value) { return static_cast<float>(value); });
  });
  if (const auto picture = index::thumbnail(band, width, height)) sample.thumbnails.push_back(*picture);
}

/// Collects samples; counts what it could not use.
class ListReader {
 public:
  ListReader(const std::string& scene_pattern, const OpenPolicy& policy) : policy_(policy) {
    if (scene_pattern.empty()) return;
    try {
      scene_.emplace(scene_pattern);
    } catch (const std::regex_error& error) {
      throw Error::config("--scene: '" + scene_pattern + "' is not a regular expression (" + error.what() + ")");
    }
    if (scene_->mark_count() == 0) throw Error::config("--scene: '" + scene_pattern + "' has no group; put the scene in parentheses, such as '^([^/]+)/'");
  }

  /// `folder`: where files of the row are looked for.
  AuditedSample& add(const Row& row, const std::string& part, const fs::path& folder) {
    auto& sample = list.samples.emplace_back();
    const auto file = first_of(row, kFileColumns);
    sample.where.location_id = !file.empty() ? file : first_of(row, kNameColumns);
    sample.part = part_of_name(part);
    sample.location = first_of(row, kLocationColumns);
    if (const auto scene = scene_of(row, sample.where.location_id); !scene.empty()) sample.where.tile_ids = {scene};
    const auto lon = number(first_of(row, kLonColumns)), lat = number(first_of(row, kLatColumns));
    if (lon && lat) set_point(sample, {*lon, *lat}, geometry::wgs84());
    if (!file.empty()) add_file(sample, folder / file);
    return sample;
  }

  void finish() {
    if (list.kind == "table") join_doubled_names();
    if (missing_ > 0) list.notes.push_back(std::to_string(missing_) + " files of the list are not beside it, such as " + first_missing_ + ": their ground and pixels are not compared");
    if (unread_ > 0) list.notes.push_back(std::to_string(unread_) + " files cannot be read as rasters, such as " + first_unread_);
    if (too_large_ > 0) list.notes.push_back(std::to_string(too_large_) + " rasters are larger than 64 million pixels: near-equal pixels are not looked for in them");
    if (std::ranges::none_of(list.samples, [](const auto& sample) { return sample.part == "train"; }))
      throw Error::config("the list has " + std::to_string(list.samples.size()) + " samples, but none of the part 'train'; name the parts train, val and test");
  }

  SplitList list;

 private:
  static std::optional<double> number(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    return !text.empty() && *end == '\0' ? std::optional(value) : std::nullopt;
  }

  [[nodiscard]] std::string scene_of(const Row& row, const std::string& name) const {
    if (std::smatch match; scene_ && std::regex_search(name, match, *scene_)) return match[1];
    return scene_ ? "" : first_of(row, kSceneColumns);
  }

  void add_file(AuditedSample& sample, const fs::path& file) {
    if (!fs::is_regular_file(file)) {
      if (++missing_ == 1) first_missing_ = sample.where.location_id;
      return;
    }
    try {
      sample.contents.push_back(shard::sha256_file(file));
      const auto raster = Raster::open(file, policy_);
      const auto& info = raster.info();
      add_thumbnail(sample, raster);
      if (!info.has_georeference || !info.crs.known()) return;
      const auto w = static_cast<double>(info.width), h = static_cast<double>(info.height);
      std::vector<geometry::PixelXY> ring{{0, 0}, {0, h}, {w, h}, {w, 0}, {0, 0}};
      set_ground(sample, geometry::map_from_pixel(info.affine, {{std::move(ring), {}}}), info.crs);
    } catch (const index::ItemError& error) {
      if (++unread_ == 1) first_unread_ = sample.where.location_id + ": " + error.what();
    }
  }

  /// Of the first band; larger rasters than samples ever are stay without.
  void add_thumbnail(AuditedSample& sample, const Raster& raster) {
    const auto& info = raster.info();
    if (info.bands.empty() || info.width * info.height > kMostPixels) {
      too_large_ += !info.bands.empty();
      return;
    }
    std::vector<std::byte> bytes(static_cast<std::size_t>(info.width * info.height) * shard::byte_size(info.bands.front().dtype));
    raster.read(0, {0, 0, info.width, info.height}, bytes);
    add_picture(sample, bytes, info.bands.front().dtype, static_cast<int>(info.width), static_cast<int>(info.height));
  }

  /// Rows of one table with one name show one place, whatever their parts say.
  void join_doubled_names() {
    std::map<std::string, std::vector<AuditedSample*>> by_name;
    for (auto& sample : list.samples)
      if (!sample.where.location_id.empty()) by_name[sample.where.location_id].push_back(&sample);
    std::int64_t doubled = 0;
    std::string first;
    for (auto& [name, rows] : by_name) {
      if (rows.size() < 2) continue;
      if (doubled++ == 0) first = "'" + name + "' (" + rows[0]->part + " and " + rows[1]->part + ")";
      for (auto* row : rows)
        if (row->location.empty()) row->location = name;
    }
    if (doubled > 0) list.notes.push_back(std::to_string(doubled) + (doubled == 1 ? " name stands" : " names stand") + " in several rows, such as " + first + ": rows of one name count as one location");
  }

  const OpenPolicy& policy_;
  std::optional<std::regex> scene_;
  std::int64_t missing_ = 0, unread_ = 0, too_large_ = 0;
  std::string first_missing_, first_unread_;
};

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

/// `part`: of all rows; without it a column says.
void read_table(ListReader& reader, const fs::path& file, const std::optional<std::string>& part) {
  std::ifstream in(file);
  if (!in) throw Error::config("cannot read " + file.string());
  std::string line;
  std::getline(in, line);
  if (line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
  const auto header = csv_fields(line);
  for (int row_number = 2; std::getline(in, line); ++row_number) {
    const auto fields = csv_fields(line);
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (fields.size() != header.size())
      throw Error::config(file.string() + ":" + std::to_string(row_number) + " has " + std::to_string(fields.size()) + " fields, its header " + std::to_string(header.size()));
    Row row;
    for (std::size_t k = 0; k < header.size(); ++k) row[in_small_letters(header[k])] = fields[k];
    const auto own = part ? *part : first_of(row, kPartColumns);
    if (own.empty()) throw Error::config(file.string() + ":" + std::to_string(row_number) + " has no part; it needs a column split (or part, subset, set); it has " + joined(header));
    reader.add(row, own, file.parent_path());
  }
}

void read_vector(ListReader& reader, const fs::path& file, const OpenPolicy& policy) {
  const auto fields = check_vector_layer(file, "", {}, policy);
  const auto layer = read_vector_layer(file, "", fields, policy);
  for (const auto& feature : layer.features) {
    Row row;
    for (const auto& [name, value] : feature.attributes) row[in_small_letters(name)] = value;
    const auto part = first_of(row, kPartColumns);
    if (part.empty()) throw Error::config("feature " + feature.id + " of " + file.string() + " has no part; it needs a field split (or part, subset, set); the layer has " + joined(fields));
    auto& sample = reader.add(row, part, file.parent_path());
    if (sample.where.location_id.empty()) sample.where.location_id = feature.id;
    const auto outline = feature.polygons.empty() ? geometry::GatedPolygons{} : geometry::gate(feature.polygons);
    if (!outline.polygons.empty()) set_ground(sample, outline.polygons, layer.crs);
    else if (!feature.points.empty()) set_point(sample, feature.points.front(), layer.crs);
  }
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder)) out.push_back(entry.path());
  std::ranges::sort(out);
  return out;
}

/// Tables or subfolders that are named after parts. False if there are none.
bool read_folder(ListReader& reader, const fs::path& folder) {
  for (const auto& entry : sorted_entries(folder)) {
    const auto part = part_in_name(entry.stem().string());
    if (part && entry.extension() == ".csv" && fs::is_regular_file(entry)) {
      reader.list.kind = "tables";
      read_table(reader, entry, part);
    }
  }
  if (!reader.list.samples.empty()) return true;
  reader.list.kind = "folder";
  for (const auto& entry : sorted_entries(folder)) {
    const auto part = part_in_name(entry.filename().string());
    if (!part || !fs::is_directory(entry)) continue;
    std::vector<fs::path> files;
    for (const auto& inner : fs::recursive_directory_iterator(entry))
      if (inner.is_regular_file()) files.push_back(inner.path());
    std::ranges::sort(files);
    for (const auto& file : files) reader.add({{"file", file.lexically_relative(folder).generic_string()}}, *part, folder);
  }
  return !reader.list.samples.empty();
}

void read_workspace(SplitList& list, const fs::path& manifest_file) {
  list.kind = "workspace";
  const auto manifest = index::Manifest::open(manifest_file, index::Manifest::Mode::read_only);
  std::map<std::string, std::string> part_of;
  for (const auto& row : index::locations(manifest)) part_of[row.location_id] = row.split.value_or("");
  std::map<std::string, std::vector<index::MemberPlace>> places;
  std::map<std::string, std::unique_ptr<shard::MappedFile>> shards;
  for (const auto& view : index::views(manifest))
    if (view.place) places[view.location_id].push_back(*view.place);
  std::int64_t unsplit = 0;
  for (auto& location : split_locations_of(manifest)) {
    const auto& part = part_of[location.location_id];
    unsplit += part.empty();
    if (part.empty()) continue;
    auto& sample = list.samples.emplace_back();
    sample.part = part;
    for (const auto& place : places[location.location_id]) {
      sample.contents.push_back(place.sha256);
      auto& file = shards[place.shard];
      if (!file) file = std::make_unique<shard::MappedFile>(manifest_file.parent_path() / place.shard);
      const auto array = shard::array_at(*file, place.byte_offset, place.byte_length);
      add_picture(sample, array.data, array.header.dtype, static_cast<int>(array.header.shape.at(2)), static_cast<int>(array.header.shape.at(1)));
    }
    sample.where = std::move(location);
  }
  if (list.samples.empty()) throw Error::config(manifest_file.string() + " has no location with a part yet; run: tilewright split JOB");
  if (unsplit > 0) list.notes.push_back(std::to_string(unsplit) + " locations belong to no part yet: run tilewright split JOB");
}

}  // namespace

SplitList read_split_list(const fs::path& place, const std::string& scene_pattern, const OpenPolicy& policy) {
  ListReader reader(scene_pattern, policy);
  if (!fs::exists(place)) throw Error::config("there is no " + place.string() + "; name a table, a vector file, a folder, a job or a workspace");
  if (fs::is_directory(place)) {
    if (fs::exists(place / "manifest.gpkg")) read_workspace(reader.list, place / "manifest.gpkg");
    else if (!read_folder(reader, place))
      throw Error::config(place.string() + " is no workspace, and holds neither tables (train.csv, val.csv, test.csv) nor folders (train, val, test)");
  } else if (place.filename() == "manifest.gpkg") {
    read_workspace(reader.list, place);
  } else if (place.extension() == ".csv") {
    reader.list.kind = "table";
    read_table(reader, place, std::nullopt);
  } else {
    reader.list.kind = "vector";
    read_vector(reader, place, policy);
  }
  reader.finish();
  return std::move(reader.list);
}

}  // namespace tilewright::pipeline
