// SPDX-License-Identifier: Apache-2.0
// The safetensors format: u64 header length, JSON header, tensors back to back.
#include "learn/train/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 8U << 20;

struct TypeRow {
  std::string_view name;
  torch::ScalarType type;
};
constexpr std::array kTypes{
    TypeRow{"F64", torch::kFloat64}, TypeRow{"F32", torch::kFloat32},
    TypeRow{"F16", torch::kFloat16}, TypeRow{"BF16", torch::kBFloat16},
    TypeRow{"I64", torch::kInt64},   TypeRow{"I32", torch::kInt32},
    TypeRow{"I16", torch::kInt16},   TypeRow{"I8", torch::kInt8},
    TypeRow{"U8", torch::kUInt8},    TypeRow{"BOOL", torch::kBool},
};

[[noreturn]] void refuse(const std::string& what, const std::string& why) {
  throw Error::failed("the weight file " + what + " cannot be used: " + why +
                      "; it is damaged or no safetensors file: make or fetch it again");
}

std::string_view type_name(const std::string& tensor, torch::ScalarType type) {
  for (const auto& row : kTypes)
    if (row.type == type) return row.name;
  throw Error::failed("cannot write tensor '" + tensor + "': safetensors has no type " +
                      c10::toString(type) + "; convert it to float32");
}

std::string_view bytes_of(const torch::Tensor& contiguous) {
  return {static_cast<const char*>(contiguous.const_data_ptr()), contiguous.nbytes()};
}

/// The header with its length in front, padded with spaces to 8 bytes; `tensors` in file order.
std::string header_of(const NamedTensors& tensors, const Metadata& metadata) {
  nlohmann::ordered_json header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto end = offset + tensor.nbytes();
    header[name] = {{"dtype", type_name(name, tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  auto text = tensors.empty() && metadata.empty() ? std::string("{}") : header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string out;
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(text.size() >> (8 * i)));
  return out + text;
}

/// Refuses duplicate keys and depth before nlohmann builds anything large.
struct StrictKeys {
  const std::string& what;
  std::vector<std::set<std::string>> open;
  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    if (depth > 4) refuse(what, "its header is nested too deeply");
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event == Json::parse_event_t::key && !open.back().insert(value.get<std::string>()).second)
      refuse(what, "its header names '" + value.get<std::string>() + "' twice");
    return true;
  }
};

Json parse_header(std::string_view text, const std::string& what) {
  StrictKeys strict{what, {}};
  const auto header = Json::parse(text, std::ref(strict), /*allow_exceptions=*/false);
  if (!header.is_object()) refuse(what, "its header is not a JSON object");
  return header;
}

std::uint64_t header_length(std::string_view bytes, std::uint64_t file_bytes,
                            const std::string& what) {
  if (bytes.size() < 8)
    refuse(what, "it has " + std::to_string(bytes.size()) +
                     " bytes, fewer than the header's length needs");
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = length << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  if (length > kMaxHeaderBytes)
    refuse(what, "its header of " + std::to_string(length) + " bytes is above the limit of 8 MB");
  if (length > file_bytes - 8)
    refuse(what, "its header of " + std::to_string(length) + " bytes passes the end of the file");
  return length;
}

struct Entry {
  std::string name;
  torch::ScalarType type = torch::kFloat32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

std::vector<std::uint64_t> unsigned_list(const Json& item, const char* key, const std::string& name,
                                         const std::string& what) {
  const auto found = item.find(key);
  if (found == item.end() || !found->is_array() || found->size() > 16)
    refuse(what, "tensor '" + name + "' has no proper " + key);
  std::vector<std::uint64_t> values;
  for (const auto& value : *found) {
    if (!value.is_number_unsigned())
      refuse(what, std::string(key) + " of tensor '" + name + "' holds " + value.dump() +
                       ", expected whole numbers");
    values.push_back(value.get<std::uint64_t>());
  }
  return values;
}

Entry parse_entry(const std::string& name, const Json& item, const std::string& what) {
  if (!item.is_object()) refuse(what, "tensor '" + name + "' has no description");
  if (item.size() != 3)
    refuse(what, "tensor '" + name + "' has other keys than dtype, shape, data_offsets");
  const auto dtype = item.find("dtype");
  if (dtype == item.end() || !dtype->is_string())
    refuse(what, "tensor '" + name + "' has no dtype");
  const auto type = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& row) {
    return row.name == dtype->get<std::string>();
  });
  if (type == kTypes.end())
    refuse(what, "tensor '" + name + "' has the type " + dtype->get<std::string>() +
                     ", which is not supported");
  Entry entry{.name = name, .type = type->type};
  // Sizes beside a 0 must not overflow either: LibTorch multiplies them for its strides.
  std::uint64_t bytes = c10::elementSize(type->type);
  bool is_empty = false;
  for (const auto size : unsigned_list(item, "shape", name, what)) {
    is_empty = is_empty || size == 0;
    if (__builtin_mul_overflow(bytes, std::max<std::uint64_t>(size, 1), &bytes) ||
        bytes > INT64_MAX)
      refuse(what, "the shape of tensor '" + name + "' overflows");
    entry.shape.push_back(static_cast<std::int64_t>(size));
  }
  if (is_empty) bytes = 0;
  const auto offsets = unsigned_list(item, "data_offsets", name, what);
  if (offsets.size() != 2 || offsets[1] < offsets[0] || offsets[1] - offsets[0] != bytes)
    refuse(what, "data_offsets of tensor '" + name + "' do not span the " + std::to_string(bytes) +
                     " bytes of its shape");
  entry.begin = offsets[0];
  entry.end = offsets[1];
  return entry;
}

std::vector<Entry> parse_entries(const Json& header, std::uint64_t data_bytes,
                                 const std::string& what) {
  std::vector<Entry> entries;
  for (const auto& [name, item] : header.items())
    if (name != "__metadata__") entries.push_back(parse_entry(name, item, what));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t reached = 0;
  for (const auto& entry : entries) {
    if (entry.begin != reached)
      refuse(what, "tensor '" + entry.name + "' begins at byte " + std::to_string(entry.begin) +
                       ", expected " + std::to_string(reached) + " (overlap or hole)");
    reached = entry.end;
  }
  if (reached != data_bytes)
    refuse(what, "its tensors end at byte " + std::to_string(reached) + " of " +
                     std::to_string(data_bytes));
  return entries;
}

Metadata parse_metadata(const Json& header, const std::string& what) {
  Metadata metadata;
  const auto found = header.find("__metadata__");
  if (found == header.end()) return metadata;
  if (!found->is_object()) refuse(what, "its __metadata__ is not a mapping");
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) refuse(what, "its __metadata__ entry '" + key + "' is not a text");
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

std::string read_bytes(std::ifstream& in, std::uint64_t count) {
  std::string bytes(count, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

std::ifstream open_weights(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in || std::filesystem::is_directory(file))
    throw Error::failed("cannot open the weight file " + file.string() +
                        "; check the path and that it is readable");
  return in;
}

}  // namespace

shard::Published write_safetensors(const std::filesystem::path& file, const NamedTensors& tensors,
                                   const Metadata& metadata) {
  auto sorted = tensors;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return std::pair(-a.second.element_size(), a.first) <
           std::pair(-b.second.element_size(), b.first);
  });
  shard::PendingFile pending(file);
  pending.append(header_of(sorted, metadata));
  for (const auto& [name, tensor] : sorted)
    pending.append(bytes_of(tensor.detach().cpu().contiguous()));
  return pending.publish();
}

SafetensorsFile parse_safetensors(std::string_view bytes, const std::string& what) {
  const auto length = header_length(bytes, bytes.size(), what);
  const auto header = parse_header(bytes.substr(8, length), what);
  const auto data = bytes.substr(8 + length);
  SafetensorsFile file{.tensors = {}, .metadata = parse_metadata(header, what)};
  for (const auto& entry : parse_entries(header, data.size(), what)) {
    auto tensor = torch::empty(entry.shape, entry.type);
    if (entry.end > entry.begin)
      std::memcpy(tensor.data_ptr(), data.data() + entry.begin, entry.end - entry.begin);
    file.tensors.emplace(entry.name, std::move(tensor));
  }
  return file;
}

SafetensorsFile read_safetensors(const std::filesystem::path& file) {
  auto in = open_weights(file);
  return parse_safetensors(read_bytes(in, std::filesystem::file_size(file)), file.string());
}

Metadata read_safetensors_metadata(const std::filesystem::path& file) {
  auto in = open_weights(file);
  const auto length =
      header_length(read_bytes(in, 8), std::filesystem::file_size(file), file.string());
  return parse_metadata(parse_header(read_bytes(in, length), file.string()), file.string());
}

}  // namespace tilewright::learn
