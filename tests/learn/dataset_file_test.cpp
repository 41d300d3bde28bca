// SPDX-License-Identifier: Apache-2.0
// Tests of dataset.json and its part files.
#include "learn/config/dataset_file.h"

#include <gtest/gtest.h>

#include "geometry/error.h"
#include "tests/learn/tiny_dataset.h"

namespace tilewright::learn {
namespace {

using testing::ScratchFolder;

SampleRow row_with_mask() {
  SampleRow row;
  row.sample = "loc.view", row.location = "loc", row.view = "view",
  row.acquired = "2016-06-20T00:00:00.000Z";
  row.shard = "shards/a-000000.tar", row.offset = 512, row.length = 4224;
  row.mask_shard = "shards/m-000000.tar", row.mask_offset = 1536, row.mask_length = 1152,
  row.weight = 0.25;
  return row;
}

TEST(PartFile, ReadsBackWhatWasFormatted) {
  const ScratchFolder folder;
  auto plain = row_with_mask();
  plain.mask_shard = "-", plain.mask_offset = plain.mask_length = 0, plain.weight = 1;
  const auto file = folder.path() / "train.tsv";
  shard::publish_file(file, std::string(kPartHeader) + "\n" + format_row(row_with_mask()) + "\n" +
                                format_row(plain) + "\n");
  const auto rows = read_part(file);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(format_row(rows[0]), format_row(row_with_mask()));
  EXPECT_EQ(format_row(rows[1]), format_row(plain));
  EXPECT_EQ(rows[0].weight, 0.25);
}

TEST(PartFile, AMissingViewHasDashesForItsPlace) {
  const ScratchFolder folder;
  auto missing = row_with_mask();
  missing.view = missing.acquired = missing.shard = "-", missing.offset = missing.length = 0;
  const auto line = format_row(missing);
  EXPECT_NE(line.find("\t-\t-\t-\t-\t-\tshards/m-000000.tar"), std::string::npos) << line;
  const auto file = folder.path() / "train.tsv";
  shard::publish_file(file, std::string(kPartHeader) + "\n" + line + "\n");
  EXPECT_EQ(format_row(read_part(file).at(0)), line);
}

TEST(PartFile, NamesFileAndLineOfABrokenRow) {
  const ScratchFolder folder;
  const auto file = folder.path() / "train.tsv";
  auto broken = format_row(row_with_mask());
  broken.replace(broken.find("512"), 3, "5x2");
  shard::publish_file(
      file, std::string(kPartHeader) + "\n" + format_row(row_with_mask()) + "\n" + broken + "\n");
  try {
    read_part(file);
    FAIL() << "a broken row was read";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("train.tsv:3"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("5x2"), std::string::npos) << error.what();
  }
}

TEST(DatasetJson, KeepsItsIdentityOverWriteAndRead) {
  const ScratchFolder folder;
  const auto file = testing::write_tiny_dataset(folder.path(), {});
  const auto dataset = read_dataset(file);
  EXPECT_EQ(dataset.sha256.size(), 64U);
  shard::publish_file(folder.path() / "again.json", format_dataset(dataset));
  EXPECT_EQ(read_dataset(folder.path() / "again.json").sha256, dataset.sha256);
}

TEST(DatasetJson, RefusesAFileThatWasEdited) {
  const ScratchFolder folder;
  auto dataset = read_dataset(testing::write_tiny_dataset(folder.path(), {}));
  auto text = format_dataset(dataset);
  text.replace(text.find("26000"), 5, "26001");
  shard::publish_file(folder.path() / "edited.json", text);
  EXPECT_THROW(read_dataset(folder.path() / "edited.json"), Error);
}

}  // namespace
}  // namespace tilewright::learn
