// SPDX-License-Identifier: Apache-2.0
// Element types and the npy v1.0 header of 128 bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright::shard {

enum class DType { u8, i8, u16, i16, u32, i32, f32, f64 };

std::size_t byte_size(DType type);
std::string_view descr(DType type);  ///< numpy's: "|u1", "|i1", "<u2", ...
std::string_view name(DType type);   ///< "uint8", "float32": what the manifest's dtype says
std::optional<DType> dtype_from_descr(std::string_view text);
std::optional<DType> dtype_from_name(std::string_view text);

/// Calls `f(T{})` with the C++ type of `type`.
template <class F>
decltype(auto) with_type(DType type, F&& f) {
  switch (type) {
    case DType::u8: return f(std::uint8_t{});
    case DType::i8: return f(std::int8_t{});
    case DType::u16: return f(std::uint16_t{});
    case DType::i16: return f(std::int16_t{});
    case DType::u32: return f(std::uint32_t{});
    case DType::i32: return f(std::int32_t{});
    case DType::f32: return f(float{});
    case DType::f64: break;
  }
  return f(double{});
}

inline constexpr std::int64_t kNpyHeaderBytes = 128;

struct NpyHeader {
  DType dtype = DType::u8;
  std::vector<std::int64_t> shape;
  std::int64_t header_bytes = kNpyHeaderBytes;  ///< where the data starts
  [[nodiscard]] std::int64_t elements() const;
};

/// Exactly 128 bytes, v1.0, C order.
std::string npy_header(DType dtype, std::span<const std::int64_t> shape);
/// Parses v1.0 to v3.0; refuses Fortran order, big-endian, objects, header > 10,000 bytes and
/// shape x itemsize != bytes left, before allocating. Throws Error::failed naming `what`.
NpyHeader parse_npy(std::span<const std::byte> file, const std::string& what);

}  // namespace tilewright::shard
