// SPDX-License-Identifier: Apache-2.0
// A workspace to review: any number of locations with pictures of two dates, an elevation, a label
// and scores.
#pragma once

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "index/manifest.h"
#include "index/shard/commit.h"
#include "index/shard/shard_writer.h"
#include "pipeline/io/tile_reader.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::tests {

/// Location n shows one of kPatterns pictures; its label lies (n mod 7) pixels beside the house,
/// and `combined` falls with that. Every tenth location has no edge_agreement.
class ReviewWorld {
 public:
  static constexpr int kSize = 64, kPatterns = 16, kAcross = 400;
  static constexpr const char* kTiles[] = {"optical-aaaaaaaaaaaa", "optical-bbbbbbbbbbbb",
                                           "dsm-cccccccccccc"};

  /// Writes job.yaml and its workspace `work` into `folder`.
  ReviewWorld(std::filesystem::path folder, int count) : folder_(std::move(folder)) {
    shard::make_folders(work() / "shards");
    write_text(job(), kJob);
    write_shards();
    auto manifest =
        index::Manifest::open(work() / "manifest.gpkg", index::Manifest::Mode::create_or_write);
    manifest.in_transaction([&] {
      write_bands(manifest);
      for (int n = 0; n < count; ++n) write_location(manifest, n);
    });
  }

  [[nodiscard]] std::filesystem::path job() const { return folder_ / "job.yaml"; }
  [[nodiscard]] std::filesystem::path work() const { return folder_ / "work"; }
  static std::string id(int n) {
    return "e32632_r1000000_s64_x" + std::to_string(n % kAcross * kSize) + "_y" +
           std::to_string(n / kAcross * kSize);
  }
  static int shift(int n) { return n % 7; }
  static double combined(int n) { return 1 - shift(n) / 7.0 - n % 100 * 1e-4; }

  static std::vector<std::uint8_t> label(int shift_px) {
    std::vector<std::uint8_t> out(kSize * kSize, 0);
    for (int row = 0; row < kSize; ++row)
      for (int col = 0; col < kSize; ++col)
        if (is_house(col - shift_px, row, 0)) out[static_cast<std::size_t>(row * kSize + col)] = 1;
    for (int col = 0; col < kSize; ++col)
      out[static_cast<std::size_t>(col)] = 255;  // the northern row is not known
    return out;
  }

 private:
  static constexpr const char* kJob =
      "workspace: work\n"
      "sources:\n  optical: {files: 'optical/*.tif'}\n  dsm: {files: 'dsm/*.tif'}\n"
      "grid: {resolution_m: 1}\nviews: {patch_px: 64}\n"
      "layers:\n  buildings: {vector: labels.geojson, class: 1, classes: {1: {name: building, "
      "color: '#cc3333'}}}\n"
      "split: {block_m: 500}\n"
      "curate:\n  layers: [buildings]\n  scores: [edge_agreement, clipped_frac]\n  source: dsm\n  "
      "weights: {edge_agreement: 1}\n"
      "  subsets: {clean: {where: 'combined >= 0.5'}}\n"
      "datasets: {town: {inputs: [optical], target: buildings, subset: clean}}\n"
      "runs: {unet: {dataset: town, recipe: segment, model: {name: unet, width: 4}, epochs: 1}}\n";

  static bool is_house(int col, int row, int pattern) {
    return (col >= 14 && col < 30 && row >= 18 && row < 34) ||
           (col >= 40 - pattern / 4 && col < 54 && row >= 40 && row < 52);
  }

  static std::vector<std::uint8_t> image(int pattern, int date) {
    std::vector<std::uint8_t> out(3 * kSize * kSize);
    for (int row = 0; row < kSize; ++row)
      for (int col = 0; col < kSize; ++col) {
        const int grass = 70 + (col * 7 + row * 13 + pattern * 31) % 29 + date * 12;
        const bool is_roof = is_house(col, row, 0);
        const int rgb[] = {is_roof ? 190 : grass, is_roof ? 90 + pattern * 3 : grass + 35,
                           is_roof ? 80 : grass - 20};
        for (std::size_t band = 0; band < 3; ++band)
          out[(band * kSize + static_cast<std::size_t>(row)) * kSize +
              static_cast<std::size_t>(col)] = static_cast<std::uint8_t>(rgb[band]);
      }
    return out;
  }

  static std::vector<float> elevation(int pattern) {
    std::vector<float> out(kSize * kSize);
    for (int row = 0; row < kSize; ++row)
      for (int col = 0; col < kSize; ++col)
        out[static_cast<std::size_t>(row * kSize + col)] = 100 + 0.02F * static_cast<float>(col) +
                                                           (is_house(col, row, 0) ? 6.0F : 0.0F) +
                                                           static_cast<float>(pattern) * 0.1F;
    return out;
  }

  template <class T, class Make>
  std::vector<index::MemberPlace> write_series(const std::string& name, shard::DType type,
                                               std::int64_t bands, int count, Make make) {
    std::vector<shard::MemberSpec> members;
    for (int n = 0; n < count; ++n)
      members.push_back({"p" + std::to_string(n),
                         "p" + std::to_string(n) + "." + name + ".npy",
                         type,
                         {bands, kSize, kSize},
                         ""});
    const auto path = "shards/" + name + "-000000.tar";
    shard::ShardWriter writer(work() / path, members);
    for (int n = 0; n < count; ++n) {
      const std::vector<T> pixels = make(n);
      writer.put(static_cast<std::size_t>(n), std::as_bytes(std::span(pixels)));
    }
    std::vector<index::MemberPlace> places;
    for (const auto& member : writer.publish().members)
      places.push_back({path, member.name, member.offset, member.length, member.sha256});
    return places;
  }

  void write_shards() {
    for (int date = 0; date < 2; ++date)
      views_.push_back(write_series<std::uint8_t>("optical_" + std::to_string(date),
                                                  shard::DType::u8, 3, kPatterns,
                                                  [&](int n) { return image(n, date); }));
    views_.push_back(write_series<float>("dsm", shard::DType::f32, 1, kPatterns, elevation));
    masks_ = write_series<std::uint8_t>("buildings", shard::DType::u8, 1, 7, label);
  }

  static void write_bands(index::Manifest& manifest) {
    pipeline::SourceBands optical, dsm;
    for (const char* name : {"red", "green", "blue"}) optical.all.emplace_back().info.name = name;
    dsm.all.emplace_back().info.name = "elevation";
    pipeline::write_source_bands(manifest, "optical", optical);
    pipeline::write_source_bands(manifest, "dsm", dsm);
  }

  void write_location(index::Manifest& manifest, int n) {
    index::LocationRow location;
    location.location_id = id(n);
    location.epsg = 32632;
    location.ulx = 500000 + n % kAcross * kSize;
    location.uly = 5300000 + n / kAcross * kSize;
    location.res_m = 1;
    location.size_px = kSize;
    location.view_count = 3;
    location.split = n % 5 == 0 ? "val" : "train";
    index::insert(manifest, location);
    const char* dates[] = {"2021-06-01T00:00:00.000Z", "2023-08-15T00:00:00.000Z",
                           "2020-03-01T00:00:00.000Z"};
    for (std::size_t k = 0; k < 3; ++k) {
      index::ViewRow view;
      view.location_id = location.location_id;
      view.tile_id = kTiles[k];
      view.acquired = dates[k];
      view.place = views_[k][static_cast<std::size_t>(n % kPatterns)];
      index::insert(manifest, view);
    }
    index::MaskRow mask;
    mask.location_id = location.location_id;
    mask.layer = "buildings";
    mask.place = masks_[static_cast<std::size_t>(shift(n))];
    mask.positive_frac = 0.1;
    mask.ignore_frac = 1.0 / kSize;
    mask.object_count = n % 4;
    index::insert(manifest, mask);
    const auto score = [&](const char* metric, double value) {
      index::insert(manifest, index::ScoreRow{location.location_id, std::nullopt, "buildings",
                                              std::nullopt, metric, value});
    };
    score("combined", combined(n));
    score("clipped_frac", n % 11 / 10.0);
    if (n % 10 != 9) score("edge_agreement", 2 - shift(n) * 0.2);
  }

  std::filesystem::path folder_;
  std::vector<std::vector<index::MemberPlace>> views_;  ///< by view, by pattern
  std::vector<index::MemberPlace> masks_;               ///< by shift
};

}  // namespace tilewright::tests
