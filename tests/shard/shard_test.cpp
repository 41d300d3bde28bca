// SPDX-License-Identifier: Apache-2.0
// Shards: what is written is what readers find, byte for byte, in whatever order it was put.
#include "index/shard/shard_writer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_reader.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::shard {
namespace {

namespace fs = std::filesystem;
using tests::read_text;
using tests::ScratchFolder;
using tests::write_text;

/// Three locations: two, one and three views with a json each.
std::vector<MemberSpec> example_members() {
  std::vector<MemberSpec> members;
  int location = 0;
  for (const int views : {2, 1, 3}) {
    const std::string key = "e32633_r10000000_s8_x" + std::to_string(location++) + "_ym4";
    for (int v = 0; v < views; ++v)
      members.push_back({.key = key, .name = key + ".00000000000" + std::to_string(v) + ".npy",
                         .dtype = DType::u16, .shape = {4, 8, 8}, .text = {}});
    members.push_back({.key = key, .name = key + ".json", .dtype = {}, .shape = {}, .text = "{\"location_id\":\"" + key + "\"}\n"});
  }
  return members;
}

std::vector<std::uint16_t> pixels_of(std::size_t member) {
  std::vector<std::uint16_t> pixels(4 * 8 * 8);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint16_t>(member * 9973 + i * 257);
  return pixels;
}

WrittenShard write_example(const fs::path& file, unsigned seed, int threads = 1) {
  const auto members = example_members();
  ShardWriter writer(file, members);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < members.size(); ++i)
    if (members[i].dtype) order.push_back(i);
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      for (std::size_t i = static_cast<std::size_t>(t); i < order.size(); i += static_cast<std::size_t>(threads)) {
        const auto pixels = pixels_of(order[i]);
        writer.put(order[i], std::as_bytes(std::span(pixels)));
      }
    });
  for (auto& worker : workers) worker.join();
  return writer.publish();
}

TEST(Shard, BytesDoNotDependOnOrderOrThreads) {
  const ScratchFolder folder;
  const auto first = write_example(folder / "a-000000.tar", 1);
  const auto second = write_example(folder / "b-000000.tar", 2, 3);
  EXPECT_EQ(read_text(folder / "a-000000.tar"), read_text(folder / "b-000000.tar"));
  EXPECT_EQ(read_text(folder / "a-000000.idx"), read_text(folder / "b-000000.idx"));
  EXPECT_EQ(first.tar.sha256, second.tar.sha256);
  EXPECT_EQ(first.tar.sha256, sha256_file(folder / "a-000000.tar"));
}

TEST(Shard, LayoutIsKnownBeforeThePixels) {
  const ScratchFolder folder;
  const auto layout = layout_shard(example_members());
  const auto written = write_example(folder / "a-000000.tar", 1);
  EXPECT_EQ(layout.bytes, written.tar.bytes);
  ASSERT_EQ(layout.members.size(), written.members.size());
  for (std::size_t i = 0; i < layout.members.size(); ++i) {
    EXPECT_EQ(layout.members[i].offset, written.members[i].offset);
    EXPECT_EQ(layout.members[i].length, written.members[i].length);
    EXPECT_EQ(layout.members[i].offset % 512, 0);
  }
}

TEST(Shard, IndexTarAndArraysAgree) {
  const ScratchFolder folder;
  const auto members = example_members();
  const auto written = write_example(folder / "a-000000.tar", 3);
  const auto index = read_index(folder / "a-000000.idx");
  EXPECT_EQ(index_text(scan_tar(folder / "a-000000.tar")), read_text(folder / "a-000000.idx"));
  const MappedFile tar(folder / "a-000000.tar");
  ASSERT_EQ(index.size(), members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    EXPECT_EQ(index[i].member, members[i].name);
    EXPECT_EQ(index[i].key, members[i].key);
    EXPECT_EQ(index[i].sha256, sha256_hex(tar.range(index[i].offset, index[i].length)));
    EXPECT_EQ(index[i].sha256, written.members[i].sha256);
    if (!members[i].dtype) continue;
    const ArrayView array = array_at(tar, index[i].offset, index[i].length);
    const auto pixels = pixels_of(i);
    EXPECT_EQ(array.header.shape, members[i].shape);
    EXPECT_EQ(std::memcmp(array.data.data(), pixels.data(), array.data.size()), 0);
    EXPECT_EQ((index[i].offset + 128) % 64, 0);
  }
}

TEST(Shard, GnuTarListsAndExtractsIt) {
  const ScratchFolder folder;
  write_example(folder / "a-000000.tar", 4);
  const std::string command = "cd '" + folder.path().string() + "' && tar --format=ustar -xf a-000000.tar 2>err.txt";
  if (std::system("tar --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no tar program here";
  ASSERT_EQ(std::system(command.c_str()), 0) << read_text(folder / "err.txt");
  for (const auto& entry : read_index(folder / "a-000000.idx"))
    EXPECT_EQ(sha256_file(folder / entry.member), entry.sha256) << entry.member;
}

TEST(Shard, MembersThatAreMissingTwiceOrOfTheWrongSizeAreErrors) {
  const ScratchFolder folder;
  ShardWriter writer(folder / "a-000000.tar", example_members());
  const auto pixels = pixels_of(0);
  const auto bytes = std::as_bytes(std::span(pixels));
  writer.put(0, bytes);
  EXPECT_THROW(writer.put(0, bytes), Error);
  EXPECT_THROW(writer.put(1, bytes.first(10)), Error);
  EXPECT_THROW(writer.put(2, bytes), Error) << "member 2 is a json";
  EXPECT_THROW(writer.put(99, bytes), Error);
  EXPECT_THROW(writer.publish(), Error);
  EXPECT_FALSE(fs::exists(folder / "a-000000.tar"));
}

TEST(Shard, NamesThatReadersWouldTearApartAreRefused) {
  const auto layout_of = [](const std::string& key, const std::string& name) {
    const MemberSpec member{.key = key, .name = name, .dtype = {}, .shape = {}, .text = "x"};
    return layout_shard(std::span(&member, 1));
  };
  EXPECT_NO_THROW(layout_of("k", "k." + std::string(98, 'a')));
  EXPECT_THROW(layout_of("k", "k." + std::string(99, 'a')), Error) << "101 bytes";
  EXPECT_THROW(layout_of("k.1", "k.1.npy"), Error) << "dot in the key";
  EXPECT_THROW(layout_of("k", "other.npy"), Error);
  EXPECT_THROW(layout_of("", ".npy"), Error);
  EXPECT_THROW(layout_of("k", "k.a\tb"), Error);
  EXPECT_THROW(layout_of("../k", "../k.npy"), Error);
  auto twice = example_members();
  twice.push_back(twice.front());
  EXPECT_THROW(layout_shard(twice), Error);
}

TEST(CutIntoShards, KeepsKeysTogetherAndWithinTheLimit) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<MemberSpec> members;
    for (int key = 0; key < 40; ++key)
      for (unsigned v = 0; v <= random() % 3; ++v)
        members.push_back({.key = "k" + std::to_string(key), .name = "k" + std::to_string(key) + "." + std::to_string(v),
                           .dtype = DType::u8, .shape = {static_cast<std::int64_t>(random() % 3000)}, .text = {}});
    const auto ranges = cut_into_shards(members, 20000);
    std::size_t next = 0;
    for (const auto& [begin, end] : ranges) {
      ASSERT_EQ(begin, next);
      ASSERT_LT(begin, end);
      next = end;
      const std::span<const MemberSpec> shard(members.data() + begin, end - begin);
      EXPECT_LE(layout_shard(shard).bytes, 20000);
      if (end < members.size()) {
        EXPECT_NE(members[end - 1].key, members[end].key);
        std::size_t more = end;
        while (more < members.size() && members[more].key == members[end].key) ++more;
        EXPECT_GT(layout_shard(std::span(members.data() + begin, more - begin)).bytes, 20000) << "cut too early";
      }
    }
    EXPECT_EQ(next, members.size());
  }
  EXPECT_TRUE(cut_into_shards({}, 1000).empty());
  EXPECT_EQ(cut_into_shards(example_members(), 1).size(), 3U) << "one key each at least";
}

TEST(ShardFileName, HasSixDigits) { EXPECT_EQ(shard_file_name("naip", 12), "naip-000012.tar"); }

TEST(ScanTar, RefusesWhatIsNotPlainUstar) {
  const ScratchFolder folder;
  if (std::system("tar --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no tar program here";
  const auto made_by = [&](const std::string& arguments) {
    const std::string command = "cd '" + folder.path().string() +
                                "' && rm -rf d x.tar && mkdir d && echo hello > d/a.txt && ln -s a.txt d/l && " + arguments;
    EXPECT_EQ(std::system(command.c_str()), 0);
    return folder / "x.tar";
  };
  EXPECT_EQ(scan_tar(made_by("tar --format=ustar -cf x.tar -C d a.txt")).size(), 1U);
  EXPECT_THROW(scan_tar(made_by("tar --format=gnu -cf x.tar -C d a.txt")), Error);
  EXPECT_THROW(scan_tar(made_by("tar --format=pax --pax-option=a=b -cf x.tar -C d a.txt")), Error);
  EXPECT_THROW(scan_tar(made_by("tar --format=ustar -cf x.tar -C d l")), Error) << "link";
  EXPECT_THROW(scan_tar(made_by("tar --format=ustar -cf x.tar d")), Error) << "folder";
}

TEST(ScanTar, CutOffFilesAreErrors) {
  const ScratchFolder folder;
  write_example(folder / "a-000000.tar", 5);
  const std::string whole = read_text(folder / "a-000000.tar");
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes)
    EXPECT_THROW(scan_tar(std::as_bytes(std::span(whole).first(bytes)), "cut off"), Error) << bytes;
}

TEST(ScanTar, NoFlippedBitGoesUnseen) {
  const ScratchFolder folder;
  write_example(folder / "a-000000.tar", 6);
  const std::string whole = read_text(folder / "a-000000.tar");
  const std::string index = read_text(folder / "a-000000.idx");
  ASSERT_EQ(deviation_from_layout(folder / "a-000000.tar", scan_tar(folder / "a-000000.tar")), "");
  std::mt19937 random(9);
  for (int i = 0; i < 500; ++i) {
    std::string copy = whole;
    const std::size_t at = random() % copy.size();
    copy[at] = static_cast<char>(copy[at] ^ (1U << (random() % 8)));
    write_text(folder / "flip.tar", copy);
    try {
      const auto entries = scan_tar(folder / "flip.tar");
      const bool is_seen = index_text(entries) != index || !deviation_from_layout(folder / "flip.tar", entries).empty();
      EXPECT_TRUE(is_seen) << "bit of byte " << at;
    } catch (const Error&) {
    }
  }
}

/// Arbitrary edits of a text: bytes, cuts, doubled pieces.
std::string mutated(std::string text, std::mt19937& random) {
  for (unsigned k = random() % 6 + 1; k > 0 && !text.empty(); --k) {
    const std::size_t at = random() % text.size();
    switch (random() % 4) {
      case 0: text[at] = static_cast<char>(random()); break;
      case 1: text.erase(at, random() % 40); break;
      case 2: text.insert(at, text.substr(random() % text.size(), random() % 40)); break;
      default: text[at] = "0123456789\t\nx-"[random() % 14];
    }
  }
  return text;
}

TEST(ReadIndex, TwentyThousandMutantsNeverCrash) {
  const ScratchFolder folder;
  write_example(folder / "a-000000.tar", 7);
  const std::string good = read_text(folder / "a-000000.idx");
  const MappedFile tar(folder / "a-000000.tar");
  std::mt19937 random(11);
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    try {
      for (const auto& entry : parse_index(mutated(good, random), "mutant"))
        if (entry.dtype) (void)array_at(tar, entry.offset, entry.length);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 10000);
}

TEST(ScanTar, TwentyThousandMutantsNeverCrash) {
  const ScratchFolder folder;
  std::vector<MemberSpec> members{{.key = "k", .name = "k.a.npy", .dtype = DType::u8, .shape = {2, 2}, .text = {}},
                                  {.key = "k", .name = "k.json", .dtype = {}, .shape = {}, .text = "{}"}};
  ShardWriter writer(folder / "a-000000.tar", members);
  writer.put(0, std::as_bytes(std::span("abcd", 4)));
  writer.publish();
  const std::string good = read_text(folder / "a-000000.tar");
  std::mt19937 random(13);
  for (int i = 0; i < 20000; ++i) {
    std::string file = good;
    for (unsigned k = random() % 4 + 1; k > 0; --k) file[random() % file.size()] = static_cast<char>(random());
    // A right checksum lets the mutant past the first door.
    if (random() % 2 == 0) {
      unsigned sum = 0;
      for (std::size_t b = 0; b < 512; ++b) sum += b >= 148 && b < 156 ? ' ' : static_cast<unsigned char>(file[b]);
      char text[8];
      std::snprintf(text, sizeof text, "%06o", sum);
      file.replace(148, 6, text, 6);
    }
    if (random() % 8 == 0) file.resize(random() % file.size());
    const std::vector<char> tight(file.begin(), file.end());  // no bytes beyond the end to read by accident
    try {
      for (const auto& entry : scan_tar(std::as_bytes(std::span(tight)), "mutant")) EXPECT_LE(entry.offset + entry.length, 4096);
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace tilewright::shard
