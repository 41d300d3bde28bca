// SPDX-License-Identifier: Apache-2.0
// verify finds every damaged byte; the tree hash follows content and nothing else; inspect tells.
#include "pipeline/runner/verify.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "geometry/error.h"
#include "index/manifest.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_writer.h"
#include "learn/config/dataset_file.h"
#include "pipeline/runner/inspect.h"
#include "pipeline/stages/predict_mosaic.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using tests::read_text;
using tests::ScratchFolder;
using tests::write_text;

geometry::GeoMultiPolygon square(double lon, double lat) {
  return {{.outer = {{lon, lat}, {lon + 1, lat}, {lon + 1, lat + 1}, {lon, lat + 1}, {lon, lat}}, .holes = {}}};
}

/// A manifest with one tile and two locations, their two views in one shard, one dataset.
void make_workspace(const fs::path& workspace) {
  fs::create_directories(workspace / "shards");
  std::vector<shard::MemberSpec> members;
  const std::vector<std::string> locations{"e32633_r10000000_s4_x0_y0", "e32633_r10000000_s4_x4_y0"};
  for (const auto& id : locations) {
    members.push_back({.key = id, .name = id + ".0123456789ab.npy", .dtype = shard::DType::u8, .shape = {1, 4, 4}, .text = {}});
    members.push_back({.key = id, .name = id + ".json", .dtype = {}, .shape = {}, .text = "{}\n"});
  }
  shard::ShardWriter writer(workspace / "shards/a-000000.tar", members);
  for (const std::size_t m : {std::size_t{0}, std::size_t{2}}) writer.put(m, std::as_bytes(std::span("0123456789abcdef", 16)));
  const auto written = writer.publish();

  auto manifest = index::Manifest::open(workspace / "manifest.gpkg", index::Manifest::Mode::create_or_write);
  manifest.in_transaction([&] {
    index::TileRow tile{.tile_id = "a-0123456789ab", .source = "a", .path = "job:a.tif", .sha256 = std::string(64, '0')};
    tile.geom = square(10, 50);
    tile.status = "ok";
    index::insert(manifest, tile);
    for (std::size_t i = 0; i < 2; ++i) {
      index::LocationRow location{.location_id = locations[i], .geom = square(10, 50), .epsg = 32633};
      location.size_px = 4;
      index::insert(manifest, location);
      index::insert(manifest, index::ViewRow{.location_id = locations[i], .tile_id = "a-0123456789ab"});
      const auto& member = written.members[2 * i];
      index::set_view_place(manifest, locations[i], "a-0123456789ab",
                            {.shard = "shards/a-000000.tar", .member = member.name, .byte_offset = member.offset,
                             .byte_length = member.length, .sha256 = member.sha256});
    }
  });
}

void add_dataset(const fs::path& workspace) {
  fs::create_directories(workspace / "datasets/d");
  const std::string part = std::string(learn::kPartHeader) + "\n";
  write_text(workspace / "datasets/d/train.tsv", part);
  learn::DatasetFile dataset;
  dataset.name = "d";
  dataset.target.kind = "none";
  dataset.parts = {{"train", {.file = "train.tsv", .samples = 0, .sha256 = shard::sha256_hex(std::string_view(part))}}};
  write_text(workspace / "datasets/d/dataset.json", learn::format_dataset(dataset));
}

void add_checkpoint(const fs::path& workspace) {
  const fs::path folder = workspace / "runs/r/checkpoints/step-0000000001";
  fs::create_directories(folder);
  write_text(folder / "weights.safetensors", "not looked into");
  write_text(folder / "checkpoint.json",
             R"({"files": {"weights.safetensors": {"sha256": ")" + shard::sha256_hex(std::string_view("not looked into")) + "\"}}}");
}

class Verify : public testing::Test {
 protected:
  void SetUp() override { make_workspace(folder.path()); }
  [[nodiscard]] VerifyReport report() const { return verify_workspace(folder.path(), {}); }
  ScratchFolder folder;
};

TEST_F(Verify, ASoundWorkspaceHasNoDamage) {
  add_dataset(folder.path());
  add_checkpoint(folder.path());
  const VerifyReport found = report();
  EXPECT_TRUE(found.is_sound()) << verify_text(found);
  EXPECT_EQ(found.members, 4);
  EXPECT_EQ(found.tree_hash, tree_hash(folder.path()));
  const auto json = nlohmann::json::parse(verify_json(found));
  EXPECT_TRUE(json["sound"]);
  EXPECT_EQ(json["tree_hash"], found.tree_hash);
}

TEST_F(Verify, NoFlippedBitOfShardOrIndexGoesUnseen) {
  std::mt19937 random(3);
  for (const char* name : {"shards/a-000000.tar", "shards/a-000000.idx"}) {
    const std::string whole = read_text(folder / name);
    for (int i = 0; i < 250; ++i) {
      std::string copy = whole;
      const std::size_t at = random() % copy.size();
      copy[at] = static_cast<char>(copy[at] ^ (1U << (random() % 8)));
      write_text(folder / name, copy);
      EXPECT_FALSE(report().is_sound()) << name << " byte " << at;
    }
    write_text(folder / name, whole);
  }
  EXPECT_TRUE(report().is_sound());
}

TEST_F(Verify, MissingAndShortenedFilesAreNamed) {
  const std::string whole = read_text(folder / "shards/a-000000.tar");
  write_text(folder / "shards/a-000000.tar", whole.substr(0, 2000));
  ASSERT_FALSE(report().is_sound());
  EXPECT_EQ(report().damages.front().file, "shards/a-000000.tar");
  fs::remove(folder / "shards/a-000000.tar");
  EXPECT_EQ(report().damages.front().file, "shards/a-000000.tar");
  write_text(folder / "shards/a-000000.tar", whole);
  fs::remove(folder / "shards/a-000000.idx");
  EXPECT_EQ(report().damages.front().file, "shards/a-000000.idx");
}

TEST_F(Verify, APlaceThatTheManifestHasWrongIsNamedWithItsView) {
  auto manifest = index::Manifest::open(folder / "manifest.gpkg", index::Manifest::Mode::create_or_write);
  auto view = index::views(manifest).front();
  view.place->byte_offset += 512;
  manifest.in_transaction([&] { index::set_view_place(manifest, view.location_id, view.tile_id, *view.place); });
  const VerifyReport found = report();
  ASSERT_EQ(found.damages.size(), 1U);
  EXPECT_EQ(found.damages[0].object, view.place->member);
  EXPECT_NE(found.damages[0].found.find(view.location_id), std::string::npos);
}

TEST_F(Verify, DatasetsAndCheckpointsAreRehashed) {
  add_dataset(folder.path());
  add_checkpoint(folder.path());
  write_text(folder / "datasets/d/train.tsv", "edited\n");
  write_text(folder / "runs/r/checkpoints/step-0000000001/weights.safetensors", "not looked into!");
  write_text(folder / "runs/r/weights.safetensors", "no header");
  const VerifyReport found = report();
  ASSERT_EQ(found.damages.size(), 3U) << verify_text(found);
  EXPECT_EQ(found.damages[0].file, "datasets/d/train.tsv");
  EXPECT_EQ(found.damages[1].file, "runs/r/checkpoints/step-0000000001/weights.safetensors");
  EXPECT_EQ(found.damages[2].file, "runs/r/weights.safetensors");
}

TEST_F(Verify, WeightsAndMapsAreRehashed) {
  const auto listed = [](const std::string& content) { return R"({"bytes": 4, "sha256": ")" + shard::sha256_hex(std::string_view(content)) + "\"}"; };
  fs::create_directories(folder / "runs/r");
  write_text(folder / "runs/r/weights.safetensors", "good");
  write_text(folder / "runs/r/weights.json", R"({"files": {"weights.safetensors": )" + listed("good") + "}}");
  fs::create_directories(folder / "predictions");
  for (const char* name : {"r_a.tif", "r_b.tif"}) write_text(folder / "predictions" / name, "good");
  {
    auto manifest = index::Manifest::open(folder / "manifest.gpkg", index::Manifest::Mode::create_or_write);
    manifest.in_transaction([&] {
      for (const char* name : {"r_a.tif", "r_b.tif"}) index::set_meta(manifest, std::string(kMapFact) + name, listed("good"));
    });
  }
  const auto sound = report();
  EXPECT_TRUE(sound.is_sound()) << verify_text(sound);
  write_text(folder / "runs/r/weights.safetensors", "gooe");
  write_text(folder / "predictions/r_a.tif", "gooe");
  fs::remove(folder / "predictions/r_b.tif");
  const VerifyReport found = report();
  ASSERT_EQ(found.damages.size(), 3U) << verify_text(found);
  EXPECT_EQ(found.damages[0].file, "predictions/r_a.tif");
  EXPECT_EQ(found.damages[1].file, "predictions/r_b.tif");
  EXPECT_EQ(found.damages[2].file, "runs/r/weights.safetensors");
  write_text(folder / "runs/r/weights.json", R"({"files": {"weights.safetensors": )" + listed("gooe") + "}}");
  EXPECT_NE(report().tree_hash, sound.tree_hash);
}

TEST_F(Verify, ADamagedManifestIsADamageNotACrash) {
  const std::string whole = read_text(folder / "manifest.gpkg");
  std::string copy = whole;
  for (std::size_t i = 4096; i < copy.size(); i += 3) copy[i] = static_cast<char>(copy[i] ^ 0x55);
  write_text(folder / "manifest.gpkg", copy);
  const VerifyReport found = report();
  EXPECT_FALSE(found.is_sound());
  EXPECT_EQ(found.damages.front().file, "manifest.gpkg");
  write_text(folder / "manifest.gpkg", "nothing like it");
  EXPECT_FALSE(report().is_sound());
  fs::remove(folder / "manifest.gpkg");
  EXPECT_THROW(report(), Error);
}

TEST_F(Verify, TreeHashFollowsContentOnly) {
  const ScratchFolder twin;
  make_workspace(twin.path());
  EXPECT_EQ(tree_hash(folder.path()), tree_hash(twin.path()));
  write_text(twin / "shards/.tmp-a-1", "left by a kill");
  write_text(twin / "log.jsonl", "a clock");
  EXPECT_EQ(tree_hash(folder.path()), tree_hash(twin.path()));
  auto manifest = index::Manifest::open(twin / "manifest.gpkg", index::Manifest::Mode::create_or_write);
  manifest.in_transaction([&] { index::set_location_split(manifest, "e32633_r10000000_s4_x0_y0", "train"); });
  EXPECT_NE(tree_hash(folder.path()), tree_hash(twin.path()));
}

TEST_F(Verify, InspectTellsWhatAPathIs) {
  add_dataset(folder.path());
  const auto kind = [&](const std::string& path) { return nlohmann::json::parse(inspect_path(folder / path, true))["kind"].get<std::string>(); };
  EXPECT_EQ(kind(""), "manifest");
  EXPECT_EQ(kind("manifest.gpkg"), "manifest");
  EXPECT_EQ(kind("shards/a-000000.tar"), "shard");
  EXPECT_EQ(kind("shards/a-000000.idx"), "shard");
  EXPECT_EQ(kind("datasets/d"), "dataset");
  EXPECT_NE(inspect_path(folder / "shards/a-000000.tar", false).find("members: 4"), std::string::npos);
  write_text(folder / "odd.bin", "x");
  EXPECT_THROW(inspect_path(folder / "odd.bin", false), Error);
  EXPECT_THROW(inspect_path(folder / "missing", false), Error);
}

std::string safetensors(const std::string& header, std::size_t data_bytes) {
  std::string file(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(header.size() >> (8 * i));
  return file + header + std::string(data_bytes, 'x');
}

TEST(SafetensorsHeader, SoundFilesAreDescribedAndAttacksAreErrors) {
  const ScratchFolder folder;
  const auto inspect = [&](const std::string& content) {
    write_text(folder / "w.safetensors", content);
    return inspect_path(folder / "w.safetensors", true);
  };
  const std::string a = R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]})";
  const std::string b = R"("b":{"dtype":"U8","shape":[5],"data_offsets":[24,29]})";
  const auto json = nlohmann::json::parse(inspect(safetensors("{\"__metadata__\":{\"k\":\"v\"}," + a + "," + b + "}  ", 29)));
  EXPECT_EQ(json["elements"], 11);
  EXPECT_EQ(json["metadata"]["k"], "v");
  for (const std::string& attack :
       {std::string("short"), safetensors("{" + a + "}", 23), safetensors("{" + a + "}", 25), safetensors("{" + a + "," + a + "}", 24),
        safetensors("{" + b + "}", 29), safetensors(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,20]}})", 20),
        safetensors(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0),
        safetensors(R"({"a":{"dtype":"X","shape":[1],"data_offsets":[0,1]}})", 1), safetensors("[" + a, 24), safetensors(std::string(100, '['), 0),
        safetensors(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,-1]}})", 0), std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)})
    EXPECT_THROW(inspect(attack), Error) << attack;
}

}  // namespace
}  // namespace tilewright::pipeline
