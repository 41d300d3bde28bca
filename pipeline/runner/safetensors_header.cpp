// SPDX-License-Identifier: Apache-2.0
// Reads and checks the header of a safetensors file; no tensor is loaded.
#include "pipeline/runner/safetensors_header.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "geometry/error.h"
#include "index/shard/shard_reader.h"

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kLongestHeader = 8 << 20;

const std::map<std::string, std::int64_t>& bytes_of_types() {
  static const std::map<std::string, std::int64_t> bytes{{"BOOL", 1}, {"U8", 1}, {"I8", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
                                                         {"U16", 2}, {"I16", 2}, {"F16", 2}, {"BF16", 2}, {"U32", 4}, {"I32", 4},
                                                         {"F32", 4}, {"U64", 8}, {"I64", 8}, {"F64", 8}};
  return bytes;
}

struct Problem {
  std::string file;
  [[noreturn]] void fail(const std::string& why) const { throw Error::failed(file + " is not a sound safetensors file: " + why); }
};

std::int64_t integer(const Json& json, const Problem& problem, const std::string& name) {
  if (!json.is_number_unsigned() || json.get<std::uint64_t>() > (std::uint64_t{1} << 62)) problem.fail("tensor " + name + " has a number out of range");
  return json.get<std::int64_t>();
}

TensorEntry parse_tensor(const std::string& name, const Json& json, const Problem& problem) {
  if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") || !json.contains("data_offsets") || !json["dtype"].is_string() ||
      !json["shape"].is_array() || !json["data_offsets"].is_array() || json["data_offsets"].size() != 2)
    problem.fail("tensor " + name + " lacks dtype, shape or data_offsets");
  TensorEntry tensor{.name = name, .dtype = json["dtype"].get<std::string>(), .shape = {},
                     .begin = integer(json["data_offsets"][0], problem, name), .end = integer(json["data_offsets"][1], problem, name)};
  const auto type = bytes_of_types().find(tensor.dtype);
  if (type == bytes_of_types().end()) problem.fail("tensor " + name + " has the unknown type " + tensor.dtype);
  std::int64_t bytes = type->second;
  for (const auto& axis : json["shape"]) {
    tensor.shape.push_back(integer(axis, problem, name));
    if (tensor.shape.back() > 0 && bytes > (std::int64_t{1} << 62) / tensor.shape.back()) problem.fail("tensor " + name + " is too large");
    bytes *= tensor.shape.back();
  }
  if (tensor.end < tensor.begin || tensor.end - tensor.begin != bytes) problem.fail("tensor " + name + " has " + std::to_string(tensor.end - tensor.begin) + " bytes, its shape needs " + std::to_string(bytes));
  return tensor;
}

/// Parses with duplicate keys refused, which the parser itself would drop silently.
Json parse_unique(std::string_view text, const Problem& problem) {
  std::vector<std::set<std::string>> keys;
  bool is_doubled = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > 8) problem.fail("its header is nested too deep");
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) is_doubled = true;
    return true;
  };
  Json json = Json::parse(text.begin(), text.end(), watch, false);
  if (json.is_discarded() || !json.is_object()) problem.fail("its header is not JSON");
  if (is_doubled) problem.fail("a key of its header stands twice");
  return json;
}

}  // namespace

std::int64_t TensorEntry::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t axis : shape) count *= axis;
  return count;
}

SafetensorsHeader read_safetensors_header(const std::filesystem::path& file) {
  const Problem problem{file.string()};
  const shard::MappedFile mapped(file);
  const auto bytes = mapped.bytes();
  if (bytes.size() < 8) problem.fail("only " + std::to_string(bytes.size()) + " bytes");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  if (length > kLongestHeader) problem.fail("a header of " + std::to_string(length) + " bytes; at most 8 MiB");
  if (length > bytes.size() - 8) problem.fail("it ends within its header");
  const Json json = parse_unique({reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<std::size_t>(length)}, problem);
  SafetensorsHeader header;
  for (const auto& [name, entry] : json.items()) {
    if (name != "__metadata__") {
      header.tensors.push_back(parse_tensor(name, entry, problem));
    } else if (entry.is_object()) {
      for (const auto& [key, value] : entry.items()) header.metadata.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  std::stable_sort(header.tensors.begin(), header.tensors.end(), [](const auto& a, const auto& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  std::int64_t at = 0;
  for (const auto& tensor : header.tensors) {
    if (tensor.begin != at) problem.fail("tensor " + tensor.name + " begins at " + std::to_string(tensor.begin) + ", expected " + std::to_string(at));
    at = tensor.end;
  }
  if (static_cast<std::uint64_t>(at) != bytes.size() - 8 - length) problem.fail("its tensors need " + std::to_string(at) + " bytes, " + std::to_string(bytes.size() - 8 - length) + " are there");
  return header;
}

}  // namespace tilewright::pipeline
