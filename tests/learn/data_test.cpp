// SPDX-License-Identifier: Apache-2.0
// Tests of order, normalization, augmentation and of the loader that joins them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <type_traits>

#include "geometry/error.h"
#include "geometry/isa.h"
#include "learn/data/augment.h"
#include "learn/data/counter_random.h"
#include "learn/data/loader.h"
#include "learn/data/normalize.h"
#include "learn/data/scale_pixels.h"
#include "tests/learn/tiny_dataset.h"

namespace tilewright::learn {
namespace {

using testing::ScratchFolder;
using testing::TinySpec;

TEST(EpochOrder, HoldsEachSampleOnce) {
  for (const std::int64_t count : {1, 2, 17, 1000})
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
      const auto order = epoch_order(count, 7, epoch);
      EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(),
                static_cast<std::size_t>(count));
      EXPECT_EQ(*std::max_element(order.begin(), order.end()), count - 1);
    }
}

TEST(EpochOrder, ChangesWithSeedAndEpochOnly) {
  EXPECT_EQ(epoch_order(100, 7, 3), epoch_order(100, 7, 3));
  EXPECT_NE(epoch_order(100, 7, 3), epoch_order(100, 7, 4));
  EXPECT_NE(epoch_order(100, 7, 3), epoch_order(100, 8, 3));
}

TEST(CounterRandom, IsUniformAndNormal) {
  CounterRandom random{1, 2, 3};
  double sum = 0, squares = 0, mean = 0;
  const int n = 20000;
  for (int i = 0; i < n; ++i) {
    mean += random.uniform() / n;
    const double x = random.normal();
    sum += x / n, squares += x * x / n;
  }
  EXPECT_NEAR(mean, 0.5, 0.01);
  EXPECT_NEAR(sum, 0, 0.03);
  EXPECT_NEAR(squares, 1, 0.04);
}

BandStatistics some_statistics() {
  BandStatistics s;
  s.mean = 100, s.std = 20, s.min = 0, s.max = 200, s.p2 = 50, s.p98 = 150, s.count = 10;
  return s;
}

float normalized(const std::string& name, float x, ValueRange range = {}) {
  BandInfo band;
  band.scale = 0.01, band.offset = -0.1;
  return normalize_row(name).scaling(some_statistics(), band, range)(x);
}

TEST(Normalize, FollowsTheFormulasOfTheTable) {
  EXPECT_FLOAT_EQ(normalized("standard", 130), 1.5F);
  EXPECT_FLOAT_EQ(normalized("robust", 75), 0.25F);
  EXPECT_FLOAT_EQ(normalized("robust", 500), 1);
  EXPECT_FLOAT_EQ(normalized("mean2sigma", 60), 0);
  EXPECT_FLOAT_EQ(normalized("mean2sigma", 120), 0.75F);
  EXPECT_FLOAT_EQ(normalized("reflectance", 50), 0.4F);
  EXPECT_FLOAT_EQ(normalized("reflectance", 5), 0);
  EXPECT_FLOAT_EQ(normalized("sar_db", -10), 0.6F);
  EXPECT_FLOAT_EQ(normalized("sar_db", -60), 0);
  EXPECT_FLOAT_EQ(normalized("sar_db", 5), 1);
  EXPECT_FLOAT_EQ(normalized("minmax_local", 5, {0, 20}), 0.25F);
  EXPECT_FLOAT_EQ(normalized("minmax_local", 5, {5, 5}), 0);
  EXPECT_FLOAT_EQ(normalized("max_local", 5, {0, 20}), static_cast<float>(5 / (20 + 1e-5)));
  EXPECT_FLOAT_EQ(normalized("none", 5), 5);
  EXPECT_THROW(normalize_row("zscore"), Error);
}

Patch numbered_patch(int size) {
  Patch patch{.channels = 2, .size = size, .image = {}, .mask = {}};
  for (int i = 0; i < 2 * size * size; ++i) patch.image.push_back(static_cast<float>(i));
  for (int i = 0; i < size * size; ++i) patch.mask.push_back(static_cast<std::uint8_t>(i % 250));
  return patch;
}

TEST(Augment, GeometryMovesImageAndMaskTogether) {
  for (const auto& row : augmentations()) {
    if (!row.is_geometric || row.name == "crop") continue;
    for (std::uint64_t draw = 0; draw < 16; ++draw) {
      auto patch = numbered_patch(9);
      CounterRandom random{draw};
      row.apply(patch, random);
      for (std::size_t i = 0; i < patch.mask.size(); ++i)
        EXPECT_EQ(static_cast<int>(patch.image[i]) % 250, patch.mask[i]) << row.name;
      EXPECT_EQ(std::set<float>(patch.image.begin(), patch.image.end()).size(), patch.image.size())
          << row.name;
    }
  }
}

TEST(Augment, RotateTurnsAllFourWays) {
  std::set<std::vector<float>> seen;
  for (std::uint64_t draw = 0; draw < 40; ++draw) {
    auto patch = numbered_patch(3);
    CounterRandom random{draw};
    augmentations()[augmentation_rows({"rotate"})[0]].apply(patch, random);
    // A rotation keeps the cyclic order of the corners; a mirror image would not.
    const std::vector<float> corners = {patch.image[0], patch.image[2], patch.image[8],
                                        patch.image[6]};
    auto turned = corners;
    std::rotate(turned.begin(), std::find(turned.begin(), turned.end(), 0.0F), turned.end());
    EXPECT_EQ(turned, (std::vector<float>{0, 2, 8, 6}));
    seen.insert(patch.image);
  }
  EXPECT_EQ(seen.size(), 4U);
}

TEST(Augment, CropOfALinearRampStaysALinearRampInsideTheRange) {
  const auto crop = augmentation_rows({"crop"})[0];
  for (std::uint64_t draw = 0; draw < 20; ++draw) {
    Patch patch{.channels = 1, .size = 16, .image = {}, .mask = {}};
    for (int i = 0; i < 256; ++i)
      patch.image.push_back(static_cast<float>(i % 16)),
          patch.mask.push_back(static_cast<std::uint8_t>(i % 16));
    CounterRandom random{draw};
    augmentations()[crop].apply(patch, random);
    for (int y = 0; y < 16; ++y)
      for (int x = 0; x < 16; ++x) {
        EXPECT_LE(std::abs(patch.image[static_cast<std::size_t>(y * 16 + x)] -
                           patch.mask[static_cast<std::size_t>(y * 16 + x)]),
                  1.0F);
        if (x > 0) {
          EXPECT_GE(patch.image[static_cast<std::size_t>(y * 16 + x)],
                    patch.image[static_cast<std::size_t>(y * 16 + x - 1)]);
        }
      }
  }
}

TEST(Augment, RunsInTableOrderAndRefusesUnknownNames) {
  EXPECT_EQ(augmentation_rows({"noise", "crop"}), (std::vector<std::size_t>{0, 4}));
  EXPECT_THROW(augmentation_rows({"blur"}), Error);
}

TEST(ReadRaw, KeepsLargeUnsignedValues) {
  const ScratchFolder folder;
  const std::vector<std::uint16_t> values = {0, 40000, 65535, 32768};
  shard::ShardWriter writer(folder.path() / "a-000000.tar",
                            {{"a", "a.x.npy", shard::DType::u16, {1, 2, 2}, ""}});
  writer.put(0, std::as_bytes(std::span(values)));
  const auto member = writer.publish().members[0];
  const shard::MappedFile file(folder.path() / "a-000000.tar");
  std::vector<float> out(9);
  read_raw(shard::array_at(file, member.offset, member.length), std::vector<int>{0}, 3, out.data(),
           "a");
  EXPECT_EQ(out[0], 0.0F);
  EXPECT_EQ(out[1], 40000.0F);
  EXPECT_EQ(out[3], 65535.0F);
  EXPECT_EQ(out[4], 32768.0F);
  EXPECT_TRUE(std::isnan(out[2]) && std::isnan(out[8]));
}

LoaderConfig loader_config(const Corpus& corpus, int threads) {
  LoaderConfig config;
  config.plan.inputs = corpus.dataset().inputs;
  config.plan.augment = augmentation_rows({"crop", "flip", "noise"});
  config.plan.seed = 3;
  config.batch = 5;
  config.shuffle = true;
  config.threads = threads;
  return config;
}

TEST(Loader, GivesTheSameBatchesForAnyNumberOfThreads) {
  const ScratchFolder folder;
  const Corpus corpus(folder.path(), testing::write_tiny_dataset(folder.path(), {}));
  Loader one(corpus, corpus.part("train"), loader_config(corpus, 1)),
      four(corpus, corpus.part("train"), loader_config(corpus, 4));
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    one.start(epoch), four.start(epoch);
    std::multiset<std::int64_t> seen;
    while (const auto batch = one.next()) {
      const auto other = four.next();
      ASSERT_TRUE(other);
      EXPECT_EQ(batch->samples, other->samples);
      EXPECT_EQ(batch->image, other->image);
      EXPECT_EQ(batch->mask, other->mask);
      seen.insert(batch->samples.begin(), batch->samples.end());
    }
    EXPECT_FALSE(four.next());
    EXPECT_EQ(seen.size(), 12U);
    EXPECT_EQ(std::set<std::int64_t>(seen.begin(), seen.end()).size(), 12U);
  }
}

TEST(Loader, ContinuesInsideAnEpochAsIfItHadNotStopped) {
  const ScratchFolder folder;
  const Corpus corpus(folder.path(), testing::write_tiny_dataset(folder.path(), {}));
  Loader whole(corpus, corpus.part("train"), loader_config(corpus, 2)),
      rest(corpus, corpus.part("train"), loader_config(corpus, 2));
  whole.start(4);
  whole.next();
  rest.start(1);  // dropped by the next start
  rest.start(4, 1);
  while (const auto batch = whole.next()) EXPECT_EQ(batch->image, rest.next()->image);
  EXPECT_FALSE(rest.next());
}

TEST(Loader, LeavesOutALastBatchThatIsTooSmall) {
  const ScratchFolder folder;
  const Corpus corpus(folder.path(), testing::write_tiny_dataset(folder.path(), {.train = 11}));
  auto config = loader_config(corpus, 1);
  EXPECT_EQ(Loader(corpus, corpus.part("train"), config).batches(), 3);
  config.smallest_batch = 2;
  EXPECT_EQ(Loader(corpus, corpus.part("train"), config).batches(), 2);
}

TEST(Loader, TwinsAreTwoViewsOfALocationWherePairsAreAsked) {
  const ScratchFolder folder;
  const Corpus corpus(folder.path(),
                      testing::write_tiny_dataset(folder.path(), {.views = 3, .mode = "pairs"}));
  ASSERT_EQ(corpus.part("train").size(), 12U);
  auto config = loader_config(corpus, 1);
  config.plan.augment.clear();
  config.plan.draw_views = true;
  config.draws = 2;
  config.batch = 1;
  Loader loader(corpus, corpus.part("train"), config);
  loader.start(0);
  while (const auto batch = loader.next()) EXPECT_NE(batch->image, batch->twin);
}

TEST(Loader, DrawsCropsOfTheirOwnSizesAndAreas) {
  const ScratchFolder folder;
  const Corpus corpus(folder.path(),
                      testing::write_tiny_dataset(folder.path(), {.views = 3, .mode = "pairs"}));
  auto config = loader_config(corpus, 1);
  config.plan.augment.clear();
  config.plan.draw_views = true;
  config.plan.crops = {{0.4, 1, 0}, {0.4, 1, 0}, {0.05, 0.4, 8}, {0.05, 0.4, 8}};
  config.draws = 4;
  std::vector<RawBatch> first;
  Loader loader(corpus, corpus.part("train"), config);
  loader.start(2);
  while (auto batch = loader.next()) first.push_back(std::move(*batch));
  for (const auto& batch : first) {
    const auto values = static_cast<std::size_t>(batch.count) * 2;
    EXPECT_EQ(batch.image.size(), values * 16 * 16);
    EXPECT_EQ(batch.twin.size(), values * 16 * 16);
    ASSERT_EQ(batch.small.size(), 2U);
    for (const auto& small : batch.small) EXPECT_EQ(small.size(), values * 8 * 8);
    EXPECT_EQ(batch.small_size, 8);
    EXPECT_NE(batch.small[0], batch.small[1]);
  }
  config.threads = 3;
  Loader again(corpus, corpus.part("train"), config);
  again.start(2);
  for (const auto& batch : first) {
    const auto other = again.next();
    EXPECT_EQ(other->small, batch.small);
    EXPECT_EQ(other->twin, batch.twin);
  }
}

/// Share of a ramp's range that a crop shows along one axis.
TEST(Crop, ShowsTheAreaThatIsAskedFor) {
  Patch ramp{.channels = 2, .size = 64, .image = {}, .mask = {}};
  for (int c = 0; c < 2; ++c)
    for (int y = 0; y < 64; ++y)
      for (int x = 0; x < 64; ++x) ramp.image.push_back(static_cast<float>(c == 0 ? x : y));
  double least = 1, most = 0;
  for (std::uint64_t draw = 0; draw < 300; ++draw) {
    auto patch = ramp;
    CounterRandom random{draw};
    crop(patch, {.least_area = 0.1, .most_area = 0.3, .size_px = 20}, random);
    ASSERT_EQ(patch.size, 20);
    ASSERT_EQ(patch.image.size(), 800U);
    const double step_x = (patch.image[15] - patch.image[5]) / 10,
                 step_y = (patch.image[400 + 300] - patch.image[400 + 100]) / 10;
    const double share = step_x * step_y * 400 / (64 * 64);
    least = std::min(least, share), most = std::max(most, share);
  }
  EXPECT_NEAR(least, 0.1, 0.02);
  EXPECT_NEAR(most, 0.3, 0.02);
}

TEST(ScalePixels, FollowTheFormulaOnEveryProcessor) {
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  const BandScaling scalings[] = {
      {1000.5, 1 / 321.0}, {-25, 1 / 25.0, 0, 1}, {}, {0.1, 3e-3, -0.5, 0.25}};
  std::vector<const PixelKernels*> variants = {&kScalarPixels};
#if defined(__x86_64__)
  if (geometry::is_supported(geometry::Isa::avx2)) variants.push_back(&kAvx2Pixels);
  if (geometry::is_supported(geometry::Isa::avx512)) variants.push_back(&kAvx512Pixels);
#endif
  constexpr std::size_t kCount = 1037;  // no multiple of a vector or of a block
  CounterRandom random{11};
  for (const auto dtype : {shard::DType::u8, shard::DType::i8, shard::DType::u16, shard::DType::i16,
                           shard::DType::u32, shard::DType::i32, shard::DType::f32,
                           shard::DType::f64})
    shard::with_type(dtype, [&](auto zero) {
      using T = decltype(zero);
      std::vector<T> values(kCount);
      for (auto& value : values)
        if constexpr (std::is_floating_point_v<T>)
          value = static_cast<T>(1000 * random.normal());
        else
          value = static_cast<T>(random.next());
      if constexpr (std::is_floating_point_v<T>) {
        values[3] = static_cast<T>(nan), values[700] = static_cast<T>(-infinity);
        if (sizeof(T) == 8) values[1036] = static_cast<T>(1e300);  // not in float32
      }
      std::vector<std::byte> shifted(kCount * sizeof(T) + 1);
      std::memcpy(shifted.data() + 1, values.data(), kCount * sizeof(T));
      for (const auto& scaling : scalings)
        for (const auto* variant : variants)
          for (const auto* source : {reinterpret_cast<const std::byte*>(values.data()),
                                     static_cast<const std::byte*>(shifted.data() + 1)}) {
            std::vector<float> out(kCount);
            EXPECT_EQ(variant->scale(dtype, source, kCount, scaling, -7, out.data()),
                      !std::is_floating_point_v<T>);
            for (std::size_t i = 0; i < kCount; ++i) {
              const auto x = static_cast<float>(values[i]);
              ASSERT_EQ(out[i], std::isfinite(x) ? scaling(x) : -7.0F)
                  << shard::name(dtype) << " " << i << " " << x;
            }
          }
    });
  for (const auto* variant : variants) {
    std::vector<float> values = {1, nan, 3, infinity};
    EXPECT_FALSE(variant->scale_in_place(values.data(), 4, scalings[3], 9));
    EXPECT_EQ(values, (std::vector<float>{scalings[3](1), 9, scalings[3](3), 9}));
  }
}

TEST(MapClasses, FollowAnyTable) {
  std::vector<std::byte> source(300);
  for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<std::byte>(i * 7);
  std::vector<std::uint8_t> as_they_are(256, 255), turned(256, 255), none(256, 255);
  for (std::uint8_t k = 0; k < 5; ++k) as_they_are[k] = k, turned[k * 3] = k;
  for (const auto& table : {as_they_are, turned, none}) {
    std::vector<std::uint8_t> out(source.size());
    map_classes(source, table, out.data());
    for (std::size_t i = 0; i < source.size(); ++i)
      ASSERT_EQ(out[i], table[std::to_integer<std::size_t>(source[i])]) << i;
  }
}

TEST(ReadSample, InOnePassGivesTheSameBits) {
  for (const int nan_sample : {-1, 3})
    for (const std::string normalize : {"standard", "robust", "minmax_local", "max_local"}) {
      const ScratchFolder folder;
      const Corpus corpus(folder.path(),
                          testing::write_tiny_dataset(
                              folder.path(), {.normalize = normalize, .nan_sample = nan_sample}));
      const ReadPlan plan{.inputs = corpus.dataset().inputs};
      ASSERT_TRUE(is_read_in_one_pass(plan));
      Patch patch;
      std::vector<float> image(2 * 16 * 16, 99);
      std::vector<std::uint8_t> mask(16 * 16, 99);
      std::int64_t number = 0;
      for (const auto& sample : corpus.part("train")) {
        const bool is_finite = read_sample(corpus, sample, plan, 0, number, 0, patch);
        EXPECT_EQ(is_finite, number != nan_sample);
        EXPECT_EQ(
            read_in_one_pass(corpus, sample, plan, 0, number++, 0, image, mask.data()),
            is_finite);
        EXPECT_EQ(image, patch.image) << normalize;
        EXPECT_EQ(mask, patch.mask);
      }
    }
}

TEST(Loader, WritesIntoBuffersThatWereGivenBack) {
  const ScratchFolder folder;
  const Corpus corpus(folder.path(),
                      testing::write_tiny_dataset(folder.path(), {.train = 61, .nan_sample = 7}));
  for (const bool is_augmented : {false, true}) {
    auto config = loader_config(corpus, 2);
    if (!is_augmented) config.plan.augment.clear();
    Loader kept(corpus, corpus.part("train"), config), reused(corpus, corpus.part("train"), config);
    std::set<const float*> places;
    for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
      kept.start(epoch), reused.start(epoch);
      while (const auto batch = kept.next()) {
        auto other = reused.next();
        ASSERT_TRUE(other);
        EXPECT_EQ(batch->image, other->image);
        EXPECT_EQ(batch->mask, other->mask);
        EXPECT_EQ(batch->samples, other->samples);
        EXPECT_EQ(batch->non_finite, other->non_finite);
        places.insert(other->image.data());
        reused.give_back(std::move(*other));
      }
    }
    EXPECT_LE(places.size(), 20U) << "of 52 batches";
  }
}

TEST(Loader, NamesSamplesWithNaN) {
  const ScratchFolder folder;
  const Corpus corpus(folder.path(), testing::write_tiny_dataset(folder.path(), {.nan_sample = 3}));
  Loader loader(corpus, corpus.part("train"), loader_config(corpus, 1));
  loader.start(0);
  std::vector<std::string> bad;
  while (const auto batch = loader.next()) {
    bad.insert(bad.end(), batch->non_finite.begin(), batch->non_finite.end());
    for (const auto value : batch->image) ASSERT_TRUE(std::isfinite(value));
  }
  EXPECT_EQ(bad, std::vector<std::string>{"loc_00003.view0"});
}

/// Channels of one sample of train.
std::vector<float> channels_of(const Corpus& corpus, std::size_t sample,
                               const std::vector<std::string>& augment = {}) {
  ReadPlan plan;
  plan.inputs = corpus.dataset().inputs;
  plan.augment = augmentation_rows(augment);
  const auto number = static_cast<std::int64_t>(sample);
  Patch patch;
  read_sample(corpus, corpus.part("train")[sample], plan, 0, number, 0, patch);
  if (is_read_in_one_pass(plan)) {
    std::vector<float> direct(patch.image.size(), 99);  // what lay in the buffer before
    read_in_one_pass(corpus, corpus.part("train")[sample], plan, 0, number, 0, direct, nullptr);
    EXPECT_EQ(direct, patch.image);
  }
  return patch.image;
}

TEST(StackedDates, AreChannelsWithOneThatSaysWhichAreThere) {
  const ScratchFolder stacked, single;
  const TinySpec spec{.views = 2, .mode = "all", .lone_location = 1};
  TinySpec each = spec;
  each.mode = "each", each.lone_location = -1;
  const Corpus corpus(stacked.path(), write_tiny_dataset(stacked.path(), spec));
  const Corpus views(single.path(), write_tiny_dataset(single.path(), each));
  ASSERT_EQ(corpus.dataset().inputs.size(), 2U);
  EXPECT_EQ(corpus.dataset().inputs[1].bands[0].name, "band1@2");
  EXPECT_EQ(corpus.dataset().inputs[1].bands[2].name, "present@2");
  ASSERT_EQ(corpus.channels(), 6);
  const std::size_t pixels = 16 * 16;
  const auto whole = channels_of(corpus, 0), lone = channels_of(corpus, 1);
  for (std::size_t date = 0; date < 2; ++date) {
    const auto one = channels_of(views, date);
    for (std::size_t k = 0; k < 2 * pixels; ++k)
      ASSERT_EQ(whole[date * 3 * pixels + k], one[k]) << date;
    for (std::size_t k = 0; k < pixels; ++k) ASSERT_EQ(whole[(date * 3 + 2) * pixels + k], 1);
  }
  EXPECT_EQ(lone[2 * pixels], 1);
  for (std::size_t k = 3 * pixels; k < 6 * pixels; ++k) ASSERT_EQ(lone[k], 0);
  const auto bright = channels_of(corpus, 1, {"brightness", "flip"});
  for (std::size_t k = 3 * pixels; k < 6 * pixels; ++k)
    ASSERT_EQ(bright[k], 0) << "augmentations leave what is missing";
}

}  // namespace
}  // namespace tilewright::learn
