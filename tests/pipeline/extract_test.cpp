// SPDX-License-Identifier: Apache-2.0
// extract: pixels of aligned views are those of the file, others come from the kernel alone, and
// nothing depends on threads, memory or a run that was cut off.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "geometry/resample.h"
#include "index/manifest.h"
#include "index/shard/shard_reader.h"
#include "pipeline/config/load.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/runner/verify.h"
#include "pipeline/stages/sampling.h"
#include "pipeline/stages/stage.h"
#include "pipeline/synth/gdal_files.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using geometry::PixelXY;
using tests::ScratchFolder;
using tests::write_text;

constexpr int kEpsg = 32633, kPatch = 32, kBands = 3;
constexpr double kResolution = 10, kWest = 500000, kNorth = 5600000;

struct Scene {
  const char* id;
  const char* acquired;
  double shift_px;              ///< of its upper-left corner from the lattice, both axes
  int width, height;
};
/// Two scenes on the lattice, two off it.
constexpr Scene kScenes[] = {{"a-0000000000a1", "2020-05-01T00:00:00.000Z", 0, 300, 200},
                             {"a-0000000000a2", "2020-06-01T00:00:00.000Z", 0, 300, 200},
                             {"a-0000000000a3", "2020-07-01T00:00:00.000Z", 0.37, 310, 210},
                             {"a-0000000000a4", "2020-08-01T00:00:00.000Z", -2.5, 310, 210}};

std::uint16_t pixel_of(std::size_t scene, int band, std::int64_t row, std::int64_t col) {
  const auto mixed = static_cast<std::uint64_t>(scene * 1000003 + static_cast<std::size_t>(band) * 7919) + static_cast<std::uint64_t>(row * 4099 + col * 131);
  return static_cast<std::uint16_t>(1 + (mixed * 2654435761U >> 8) % 65000);
}

std::vector<std::uint16_t> pixels_of(std::size_t scene) {
  std::vector<std::uint16_t> pixels;
  for (int band = 0; band < kBands; ++band)
    for (int row = 0; row < kScenes[scene].height; ++row)
      for (int col = 0; col < kScenes[scene].width; ++col) pixels.push_back(pixel_of(scene, band, row, col));
  return pixels;
}

geometry::GeoMultiPolygon some_place() {
  return {{.outer = {{15, 50}, {16, 50}, {16, 51}, {15, 51}, {15, 50}}, .holes = {}}};
}

/// A job, its files, and a manifest as scan and views would have left it.
class Extract : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder / "in");
    fs::create_directories(folder / "work");
    write_text(folder / "job.yaml",
               "workspace: work\nsources:\n  a: {files: 'in/*.tif', nodata: 0}\ngrid: {resolution_m: 10}\n"
               "views: {patch_px: 32}\nextract: {shard_mb: 1}\n");
    job = load_job(folder / "job.yaml");
    for (std::size_t s = 0; s < std::size(kScenes); ++s) write_scene(s);
    write_manifest();
  }

  [[nodiscard]] static geometry::Affine affine_of(const Scene& scene) {
    return {.a = kResolution, .b = 0, .c = kWest + scene.shift_px * kResolution, .d = 0, .e = -kResolution, .f = kNorth - scene.shift_px * kResolution};
  }

  void write_scene(std::size_t s) {
    const auto pixels = pixels_of(s);
    write_text(folder / (std::string("in/") + kScenes[s].id + ".tif"),
               geotiff({.epsg = kEpsg, .affine = affine_of(kScenes[s]), .width = kScenes[s].width, .height = kScenes[s].height,
                        .dtype = shard::DType::u16, .bands = {"b1", "b2", "b3"}, .nodata = 0, .pixels = std::as_bytes(std::span(pixels))}));
  }

  /// Windows of the lattice that lie in all scenes: 8 x 5 of them, each seen by all four.
  void write_manifest() {
    auto manifest = open_manifest();
    manifest.in_transaction([&] {
      for (const Scene& scene : kScenes) {
        index::TileRow tile{.tile_id = scene.id, .source = "a", .path = std::string("job:in/") + scene.id + ".tif", .sha256 = "-"};
        tile.geom = some_place();
        tile.acquired = scene.acquired;
        tile.epsg = kEpsg;
        tile.width_px = scene.width;
        tile.height_px = scene.height;
        tile.band_count = kBands;
        tile.dtype = "uint16";
        tile.status = "ok";
        index::insert(manifest, tile);
        index::insert(manifest, index::TileFileRow{.tile_id = scene.id, .band = "", .path = tile.path, .sha256 = "-"});
      }
      SourceBands bands;
      for (const char* name : {"b1", "b2", "b3"}) {
        TileBand band{.info = {}, .dtype = shard::DType::u16};
        band.info.name = name;
        bands.all.push_back(band);
      }
      write_source_bands(manifest, "a", bands);
      for (int y = 0; y < 5; ++y)
        for (int x = 0; x < 8; ++x) insert_location(manifest, 1 + x * kPatch, 3 + y * kPatch);
    });
  }

  /// A location whose upper-left pixel is (col, row) of the aligned scenes.
  void insert_location(index::Manifest& manifest, int col, int row) {
    const geometry::Lattice lattice{.epsg = kEpsg, .resolution_m = kResolution, .origin = {0, 0}};
    const geometry::LatticeWindow window{.i = 50000 + col, .j = 560000 - row, .size_px = kPatch};
    index::LocationRow location{.location_id = geometry::location_id(lattice, window), .geom = some_place(), .epsg = kEpsg};
    location.ulx = kWest + col * kResolution;
    location.uly = kNorth - row * kResolution;
    location.res_m = kResolution;
    location.size_px = kPatch;
    location.view_count = static_cast<int>(std::size(kScenes));
    index::insert(manifest, location);
    for (const Scene& scene : kScenes) {
      index::ViewRow view{.location_id = location.location_id, .tile_id = scene.id, .acquired = scene.acquired};
      view.col_off = col - scene.shift_px;
      view.row_off = row - scene.shift_px;
      view.resampled = scene.shift_px != 0;
      index::insert(manifest, view);
    }
  }

  [[nodiscard]] index::Manifest open_manifest() const {
    return index::Manifest::open(folder / "work/manifest.gpkg", index::Manifest::Mode::create_or_write);
  }

  StageReport extract(int threads = 2, std::size_t memory_bytes = std::size_t{1} << 30) {
    auto manifest = open_manifest();
    RunContext context;
    context.threads = threads;
    context.memory_bytes = memory_bytes;
    return run_extract({.job = job, .manifest = manifest, .workspace = folder / "work"}, context);
  }

  void clear() {
    auto manifest = open_manifest();
    manifest.in_transaction([&] { index::clear_stage(manifest, "extract"); });
  }

  [[nodiscard]] std::vector<std::uint16_t> array_of(const index::ViewRow& view) const {
    const shard::MappedFile tar(folder / "work" / view.place->shard);
    const auto array = shard::array_at(tar, view.place->byte_offset, view.place->byte_length);
    EXPECT_EQ(array.header.shape, (std::vector<std::int64_t>{kBands, kPatch, kPatch}));
    std::vector<std::uint16_t> values(array.data.size() / 2);
    std::memcpy(values.data(), array.data.data(), array.data.size());
    return values;
  }

  ScratchFolder folder;
  Job job;
};

std::size_t scene_of(const std::string& tile_id) { return static_cast<std::size_t>(tile_id.back() - '1'); }

TEST_F(Extract, AlignedViewsEqualTheSourcePixelsBitForBit) {
  extract();
  int copied = 0;
  for (const auto& view : index::views(open_manifest())) {
    if (view.resampled) continue;
    ASSERT_TRUE(view.place.has_value());
    const auto values = array_of(view);
    for (int band = 0; band < kBands; ++band)
      for (int row = 0; row < kPatch; ++row)
        for (int col = 0; col < kPatch; ++col)
          ASSERT_EQ(values[static_cast<std::size_t>((band * kPatch + row) * kPatch + col)],
                    pixel_of(scene_of(view.tile_id), band, std::llround(view.row_off) + row, std::llround(view.col_off) + col));
    ++copied;
  }
  EXPECT_EQ(copied, 80);
}

/// Bilinear by its textbook formula, from the whole scene in double precision.
double bilinear(std::size_t scene, int band, PixelXY point) {
  const double x = point.col - 0.5, y = point.row - 0.5;
  const auto col = static_cast<std::int64_t>(std::floor(x)), row = static_cast<std::int64_t>(std::floor(y));
  const double u = x - static_cast<double>(col), v = y - static_cast<double>(row);
  const auto at = [&](std::int64_t dr, std::int64_t dc) { return static_cast<double>(pixel_of(scene, band, row + dr, col + dc)); };
  return (1 - v) * ((1 - u) * at(0, 0) + u * at(0, 1)) + v * ((1 - u) * at(1, 0) + u * at(1, 1));
}

TEST_F(Extract, OtherViewsAreBilinearOfTheWholeScene) {
  extract();
  int resampled = 0;
  for (const auto& view : index::views(open_manifest())) {
    if (!view.resampled) continue;
    const auto values = array_of(view);
    for (int band = 0; band < kBands; ++band)
      for (int row = 0; row < kPatch; ++row)
        for (int col = 0; col < kPatch; ++col) {
          const PixelXY centre{.col = view.col_off + col + 0.5, .row = view.row_off + row + 0.5};
          ASSERT_NEAR(values[static_cast<std::size_t>((band * kPatch + row) * kPatch + col)], bilinear(scene_of(view.tile_id), band, centre), 0.501)
              << view.location_id << " " << view.tile_id << " " << band << " " << row << " " << col;
        }
    ++resampled;
  }
  EXPECT_EQ(resampled, 80);
}

TEST_F(Extract, MembersStandInOrderAndTheJsonClosesEachLocation) {
  const StageReport report = extract();
  EXPECT_EQ(report.counts, (std::vector<std::pair<std::string, std::int64_t>>{
                               {"views", 160}, {"copied", 80}, {"resampled", 80}, {"shards", 2}, {"bytes", 160 * (128 + kBands * kPatch * kPatch * 2)}}));
  std::vector<std::string> order;
  for (const char* name : {"a-000000.tar", "a-000001.tar"})
    for (const auto& entry : shard::read_index(shard::index_file(folder / "work/shards" / name))) order.push_back(entry.member);
  std::vector<std::string> expected;
  for (const auto& location : index::locations(open_manifest())) {
    for (const auto& scene : kScenes) expected.push_back(location.location_id + "." + std::string(scene.id).substr(2) + ".npy");
    expected.push_back(location.location_id + ".json");
  }
  EXPECT_EQ(order, expected);
  const shard::MappedFile tar(folder / "work/shards/a-000000.tar");
  const auto entry = shard::read_index(folder / "work/shards/a-000000.idx")[4];
  const auto bytes = tar.range(entry.offset, entry.length);
  const auto json = nlohmann::json::parse(reinterpret_cast<const char*>(bytes.data()), reinterpret_cast<const char*>(bytes.data()) + bytes.size());
  const auto location = index::location(open_manifest(), entry.key);
  EXPECT_EQ(json["location_id"], entry.key);
  EXPECT_EQ(json["affine"], (std::vector<double>{10, 0, location->ulx, 0, -10, location->uly}));
  EXPECT_EQ(json["bands"], (std::vector<std::string>{"b1", "b2", "b3"}));
  EXPECT_EQ(json["tile_ids"].size(), 4U);
  EXPECT_EQ(json["dates"][0], "2020-05-01T00:00:00.000Z");
}

TEST_F(Extract, ThreadsAndMemoryChangeNoByte) {
  extract(1);
  const std::string golden = tree_hash(folder / "work");
  for (const auto& [threads, memory] : std::vector<std::pair<int, std::size_t>>{{4, std::size_t{1} << 30}, {3, 1}, {1, 100000}}) {
    clear();
    extract(threads, memory);
    EXPECT_EQ(tree_hash(folder / "work"), golden) << threads << " threads, " << memory << " bytes";
  }
}

TEST_F(Extract, ASecondRunWritesNothing) {
  extract();
  const auto before = fs::last_write_time(folder / "work/shards/a-000000.tar");
  const auto report = extract();
  EXPECT_EQ(report.counts.front().second, 160);
  EXPECT_EQ(fs::last_write_time(folder / "work/shards/a-000000.tar"), before);
}

/// Forgets the places in shards from number `first` on, as a kill before their transaction would.
void forget_shards(const fs::path& workspace, const std::string& shard) {
  auto manifest = index::Manifest::open(workspace / "manifest.gpkg", index::Manifest::Mode::create_or_write);
  const auto views = index::views(manifest);
  manifest.in_transaction([&] {
    index::clear_stage(manifest, "extract");
    for (const auto& view : views)
      if (view.place && view.place->shard != shard) index::set_view_place(manifest, view.location_id, view.tile_id, *view.place);
  });
}

TEST_F(Extract, ARunThatWasCutOffGoesOnToTheSameBytes) {
  extract();
  const std::string golden = tree_hash(folder / "work");
  forget_shards(folder / "work", "shards/a-000001.tar");
  write_text(folder / "work/shards/a-000001.tar", "half of a shard that no row names");
  write_text(folder / "work/shards/.tmp-a-000001.tar-1", "and its temporary");
  write_text(folder / "work/shards/a-000007.idx", "an orphan");
  extract();
  EXPECT_EQ(tree_hash(folder / "work"), golden);
  EXPECT_TRUE(verify_workspace(folder / "work", {}).is_sound());
  EXPECT_FALSE(fs::exists(folder / "work/shards/a-000007.idx"));
}

TEST_F(Extract, AMissingShardIsWrittenAgain) {
  extract();
  const std::string golden = tree_hash(folder / "work");
  fs::remove(folder / "work/shards/a-000000.tar");
  extract();
  EXPECT_EQ(tree_hash(folder / "work"), golden);
}

TEST_F(Extract, NewViewsOfOldLocationsGoIntoNewShards) {
  extract();
  const std::string first = tests::read_text(folder / "work/shards/a-000001.tar");
  {
    auto manifest = open_manifest();
    manifest.in_transaction([&] { insert_location(manifest, 1 + 8 * kPatch, 3); });
  }
  extract();
  EXPECT_EQ(tests::read_text(folder / "work/shards/a-000001.tar"), first) << "old shards stay";
  EXPECT_TRUE(fs::exists(folder / "work/shards/a-000002.tar"));
  EXPECT_EQ(shard::read_index(folder / "work/shards/a-000002.idx").size(), 5U);
}

TEST_F(Extract, OtherSettingsCutEverythingAnew) {
  extract();
  const std::string golden = tree_hash(folder / "work");
  job.extract.resampling = geometry::Resampling::nearest;
  extract();
  EXPECT_NE(tree_hash(folder / "work"), golden);
  job.extract.resampling = geometry::Resampling::bilinear;
  extract();
  EXPECT_EQ(tree_hash(folder / "work"), golden);
}

TEST_F(Extract, ATileThatCannotBeReadAnyMoreIsNamed) {
  fs::resize_file(folder / "in/a-0000000000a2.tif", fs::file_size(folder / "in/a-0000000000a2.tif") / 2);
  try {
    extract();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("a-0000000000a2.tif"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("scan"), std::string::npos) << error.what();
  }
  for (const auto& entry : fs::directory_iterator(folder / "work/shards"))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".tmp-")) << "a temporary stays";
  write_scene(1);
  extract();
  EXPECT_TRUE(verify_workspace(folder / "work", {}).is_sound());
}

TEST_F(Extract, AnInvalidPixelInAViewIsAnErrorThatNamesIt) {
  auto pixels = pixels_of(0);
  pixels[static_cast<std::size_t>(10 * kScenes[0].width + 10)] = 0;  // nodata in band 1
  write_text(folder / "in/a-0000000000a1.tif",
             geotiff({.epsg = kEpsg, .affine = affine_of(kScenes[0]), .width = kScenes[0].width, .height = kScenes[0].height,
                      .dtype = shard::DType::u16, .bands = {"b1", "b2", "b3"}, .nodata = 0, .pixels = std::as_bytes(std::span(pixels))}));
  try {
    extract();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("_x50001_y559997/a-0000000000a1"), std::string::npos) << error.what();
  }
}

TEST_F(Extract, AStopRequestIsHonoured) {
  auto manifest = open_manifest();
  std::stop_source stop;
  stop.request_stop();
  RunContext context;
  context.stop = stop.get_token();
  try {
    run_extract({.job = job, .manifest = manifest, .workspace = folder / "work"}, context);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::stopped);
  }
}

/// One lattice cell a pixel to 0.01 px at all four corners, or else resampled: CONTRACTS 3.
TEST(CellIfCopied, TheLimitIsAHundredthOfAPixelAtEveryCorner) {
  const geometry::Lattice lattice{32633, 10, {3, 7}};
  const auto is_copied = [&](const geometry::Affine& affine, int epsg = 32633) {
    return cell_if_copied(lattice, {affine, 1000, 800, geometry::Crs::from_epsg(epsg)}).has_value();
  };
  const double x = 500003, y = 5600007;
  EXPECT_TRUE(is_copied({10, 0, x, 0, -10, y}));
  for (const double sign : {-1.0, 1.0}) {
    EXPECT_TRUE(is_copied({10, 0, x + sign * 0.099, 0, -10, y}));
    EXPECT_FALSE(is_copied({10, 0, x + sign * 0.101, 0, -10, y}));
    EXPECT_TRUE(is_copied({10, 0, x, 0, -10, y + sign * 0.099}));
    EXPECT_FALSE(is_copied({10, 0, x, 0, -10, y + sign * 0.101}));
    EXPECT_TRUE(is_copied({10 + sign * 0.99e-4, 0, x, 0, -10, y})) << "the far corner is 0.0099 px off";
    EXPECT_FALSE(is_copied({10 + sign * 1.01e-4, 0, x, 0, -10, y}));
    EXPECT_TRUE(is_copied({10, sign * 1.2e-4, x, 0, -10, y})) << "sheared: 0.0096 px at the lower corners";
    EXPECT_FALSE(is_copied({10, sign * 1.3e-4, x, 0, -10, y}));
  }
  EXPECT_FALSE(is_copied({10, 0, x, 0, 10, y - 8000})) << "south-up";
  EXPECT_FALSE(is_copied({10, 0, x, 0, -10, y}, 32632));
  const auto cell = cell_if_copied(lattice, {{10, 0, x, 0, -10, y}, 1000, 800, geometry::Crs::from_epsg(32633)});
  EXPECT_EQ(cell->i, 50000);
  EXPECT_EQ(cell->j, 560000);
}

}  // namespace
}  // namespace tilewright::pipeline
