// SPDX-License-Identifier: Apache-2.0
// Scalars for TensorBoard, without protobuf.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "learn/train/append_file.h"

namespace tilewright::learn {

/// CRC-32C (Castagnoli); of "123456789" it is 0xE3069283.
std::uint32_t crc32c(std::string_view bytes);
/// Length, masked CRC of it, payload, masked CRC of it.
std::string event_record(std::string_view payload);

/// Appends to <folder>/events.out.tfevents.<unix time>.<host>.<pid>.0. One thread.
class EventWriter {
 public:
  /// `wall_s`: seconds since 1970, of the first event and in the name.
  EventWriter(const std::filesystem::path& folder, double wall_s);
  void add_scalar(std::string_view tag, double value, std::int64_t step, double wall_s);
  /// What was added reaches the file here, once an epoch, and in the destructor.
  void flush();
  ~EventWriter();
  EventWriter(EventWriter&&) = default;

 private:
  AppendFile file_;
  std::string pending_;
};

}  // namespace tilewright::learn
