// SPDX-License-Identifier: Apache-2.0
// TensorBoard event records: framing with masked CRC32C around hand-written protobuf fields.
#include "learn/train/events.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <cmath>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0U);
    table[i] = value;
  }
  return table;
}

std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8U; }

template <class T>
void append_little_endian(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

// Protobuf keys: field number * 8 + wire type (0 varint, 1 eight bytes, 2 length and bytes, 5 four
// bytes).
void append_double(std::string& out, int field, double value) {
  append_varint(out, static_cast<std::uint64_t>(field * 8 + 1));
  append_little_endian(out, std::bit_cast<std::uint64_t>(value));
}

void append_float(std::string& out, int field, float value) {
  append_varint(out, static_cast<std::uint64_t>(field * 8 + 5));
  append_little_endian(out, std::bit_cast<std::uint32_t>(value));
}

void append_bytes(std::string& out, int field, std::string_view bytes) {
  append_varint(out, static_cast<std::uint64_t>(field * 8 + 2));
  append_varint(out, bytes.size());
  out.append(bytes);
}

std::filesystem::path event_file(const std::filesystem::path& folder, double wall_s) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return folder / ("events.out.tfevents." + std::to_string(static_cast<std::int64_t>(wall_s)) +
                   "." + host.data() + "." + std::to_string(::getpid()) + ".0");
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = crc_table();
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes)
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~crc;
}

std::string event_record(std::string_view payload) {
  std::string record;
  append_little_endian(record, static_cast<std::uint64_t>(payload.size()));
  append_little_endian(record, masked(crc32c(record)));
  record.append(payload);
  append_little_endian(record, masked(crc32c(payload)));
  return record;
}

EventWriter::EventWriter(const std::filesystem::path& folder, double wall_s)
    : file_(event_file(folder, wall_s)) {
  std::string event;
  append_double(event, 1, wall_s);
  append_bytes(event, 3, "brain.Event:2");
  pending_ = event_record(event);
}

void EventWriter::add_scalar(std::string_view tag, double value, std::int64_t step, double wall_s) {
  std::string entry, summary, event;
  append_bytes(entry, 1, tag);
  append_float(entry, 2, static_cast<float>(value));
  append_bytes(summary, 1, entry);
  append_double(event, 1, wall_s);
  append_varint(event, 2 * 8);
  append_varint(event, static_cast<std::uint64_t>(step));
  append_bytes(event, 5, summary);
  pending_ += event_record(event);
}

void EventWriter::flush() {
  file_.append(pending_);
  pending_.clear();
}

EventWriter::~EventWriter() {
  try {
    if (!pending_.empty()) flush();
  } catch (const Error&) {
    // The run's own files say what matters; a destructor must not throw.
  }
}

}  // namespace tilewright::learn
