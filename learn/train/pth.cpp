// SPDX-License-Identifier: Apache-2.0
// Tensors out of the zip container of torch.save.
#include "learn/train/pth.h"

#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "geometry/error.h"
#include "learn/train/pickle.h"

namespace tilewright::learn {
namespace {

using Kind = PickleValue::Kind;

struct StorageRow {
  std::string_view name;
  torch::ScalarType type;
};
constexpr std::array kStorages{
    StorageRow{"torch FloatStorage", torch::kFloat32},
    StorageRow{"torch DoubleStorage", torch::kFloat64},
    StorageRow{"torch HalfStorage", torch::kFloat16},
    StorageRow{"torch BFloat16Storage", torch::kBFloat16},
    StorageRow{"torch LongStorage", torch::kInt64},
    StorageRow{"torch IntStorage", torch::kInt32},
    StorageRow{"torch ShortStorage", torch::kInt16},
    StorageRow{"torch CharStorage", torch::kInt8},
    StorageRow{"torch ByteStorage", torch::kUInt8},
    StorageRow{"torch BoolStorage", torch::kBool},
};
constexpr std::array<std::string_view, 3> kWrappers{"model", "state_dict", "teacher"};

[[noreturn]] void refuse(const std::string& what, const std::string& why) {
  throw Error::failed("the weight file " + what + " cannot be used: " + why +
                      "; it is damaged or no state dict: make or fetch it again");
}

bool is_zip(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::array<char, 4> start{};
  in.read(start.data(), start.size());
  return in && start == std::array<char, 4>{'P', 'K', 3, 4};
}

class Archive {
 public:
  explicit Archive(const std::filesystem::path& file)
      : what_(file.filename().string()), reader_(file.string()) {
    if (reader_.hasRecord("byteorder") && record("byteorder") != "little")
      refuse(what_, "its numbers are big-endian");
  }

  TensorMap tensors() {
    const auto pickle = parse_pickle(record("data.pkl"), what_);
    TensorMap found;
    for (const auto& [key, value] : state_of(*pickle.root).pairs)
      if (key->kind == Kind::text && is_tensor(*value)) found[key->text] = tensor_of(*value);
    if (found.empty()) refuse(what_, "it holds no named tensors");
    return found;
  }

 private:
  std::string record(const std::string& name) {
    if (!reader_.hasRecord(name)) refuse(what_, "it lacks the record " + name);
    const auto [data, bytes] = reader_.getRecord(name);
    return {static_cast<const char*>(data.get()), bytes};
  }

  static bool is_tensor(const PickleValue& value) {
    return value.kind == Kind::call && value.text.starts_with("torch._utils _rebuild_");
  }
  const PickleValue& state_of(const PickleValue& root) const {
    if (root.kind != Kind::dict) refuse(what_, "it holds no dict");
    for (const auto wrapper : kWrappers)
      for (const auto& [key, value] : root.pairs)
        if (key->text == wrapper && value->kind == Kind::dict) return *value;
    return root;
  }

  [[nodiscard]] const PickleValue& argument(const PickleValue& call, std::size_t i,
                                            Kind kind) const {
    if (i >= call.items.size() || call.items[i]->kind != kind)
      refuse(what_, "a tensor lacks its argument " + std::to_string(i));
    return *call.items[i];
  }
  [[nodiscard]] std::vector<std::int64_t> numbers(const PickleValue& list) const {
    std::vector<std::int64_t> out;
    for (const auto& item : list.items) {
      if (item->kind != Kind::integer || item->integer < 0)
        refuse(what_, "a tensor has a shape that is no list of sizes");
      out.push_back(item->integer);
    }
    return out;
  }

  /// A parameter is a tensor in a wrapper.
  [[nodiscard]] const PickleValue& bare(const PickleValue& call) const {
    return call.text.ends_with("_rebuild_parameter") ? argument(call, 0, Kind::call) : call;
  }
  torch::Tensor tensor_of(const PickleValue& call) {
    if (call.text.ends_with("_rebuild_parameter")) return tensor_of(argument(call, 0, Kind::call));
    const auto& storage = argument(call, 0, Kind::persistent);
    const auto type = type_of(argument(storage, 1, Kind::global).text);
    const auto bytes = record("data/" + argument(storage, 2, Kind::text).text);
    const auto offset = argument(call, 1, Kind::integer).integer;
    const auto sizes = numbers(argument(call, 2, Kind::list)),
               strides = numbers(argument(call, 3, Kind::list));
    const auto width = static_cast<std::int64_t>(c10::elementSize(type));
    check_reach(sizes, strides, offset, static_cast<std::int64_t>(bytes.size()) / width);
    return torch::from_blob(const_cast<char*>(bytes.data()) + offset * width, sizes, strides, type)
        .clone(at::MemoryFormat::Contiguous);
  }
  [[nodiscard]] torch::ScalarType type_of(const std::string& storage) const {
    for (const auto& row : kStorages)
      if (row.name == storage) return row.type;
    refuse(what_, "it holds tensors of the type " + storage);
  }
  /// The last element must lie in the storage; the product must not overflow on the way.
  void check_reach(const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& strides,
                   std::int64_t offset, std::int64_t count) const {
    if (sizes.size() != strides.size() || offset < 0)
      refuse(what_, "a tensor has " + std::to_string(sizes.size()) + " sizes and " +
                        std::to_string(strides.size()) + " strides");
    std::int64_t last = offset, elements = 1;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      std::int64_t step = 0;
      const bool is_far =
          sizes[i] > 0 && (__builtin_mul_overflow(sizes[i] - 1, strides[i], &step) ||
                           __builtin_add_overflow(last, step, &last));
      if (is_far || __builtin_mul_overflow(elements, sizes[i], &elements))
        refuse(what_, "a tensor is larger than its storage");
    }
    if (elements > 0 && (last >= count || elements > count))
      refuse(what_, "a tensor reaches element " + std::to_string(last) + " of a storage of " +
                        std::to_string(count));
  }

  std::string what_;
  caffe2::serialize::PyTorchStreamReader reader_;
};

}  // namespace

TensorMap read_pth(const std::filesystem::path& file) {
  const auto what = file.filename().string();
  if (!is_zip(file))
    throw Error::failed("the weight file " + what +
                        " is no zip container (PyTorch before 1.6, or not weights at all); convert "
                        "it in Python: safetensors.torch.save_file(torch.load(FILE), NEW)");
  try {
    return Archive(file).tensors();
  } catch (const c10::Error& error) {  // the border of the container's reader
    refuse(what, error.what_without_backtrace());
  }
}

}  // namespace tilewright::learn
