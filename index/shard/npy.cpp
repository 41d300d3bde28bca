// SPDX-License-Identifier: Apache-2.0
// Element types, writing of the 128-byte npy header and a parser that trusts no byte of it.
#include "index/shard/npy.h"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "geometry/error.h"

namespace tilewright::shard {
namespace {

struct TypeRow {
  DType type;
  std::size_t bytes;
  std::string_view descr, name;
};
constexpr std::array<TypeRow, 8> kTypes = {{{DType::u8, 1, "|u1", "uint8"},
                                            {DType::i8, 1, "|i1", "int8"},
                                            {DType::u16, 2, "<u2", "uint16"},
                                            {DType::i16, 2, "<i2", "int16"},
                                            {DType::u32, 4, "<u4", "uint32"},
                                            {DType::i32, 4, "<i4", "int32"},
                                            {DType::f32, 4, "<f4", "float32"},
                                            {DType::f64, 8, "<f8", "float64"}}};

const TypeRow& row_of(DType type) { return kTypes[static_cast<std::size_t>(type)]; }

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kLongestHeader = 10000;
constexpr std::size_t kMostAxes = 32;

/// Reads the Python dict of an npy header: three known keys, each once, nothing else.
class HeaderText {
 public:
  HeaderText(std::string_view text, const std::string& what) : rest_(text), what_(what) {}

  NpyHeader parse() {
    expect('{');
    while (!take('}')) {
      const std::string key = quoted();
      expect(':');
      read_value(key);
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (!rest_.empty()) fail("text after the header's dict");
    if (!has_descr_ || !has_order_ || !has_shape_) fail("descr, fortran_order or shape is missing");
    return header_;
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw Error::failed(what_ + " is not an npy array that we read: " + why);
  }

 private:
  void read_value(const std::string& key) {
    bool& seen = key == "descr" ? has_descr_ : key == "fortran_order" ? has_order_ : has_shape_;
    if (key != "descr" && key != "fortran_order" && key != "shape") fail("unknown key '" + key + "'");
    if (std::exchange(seen, true)) fail("key '" + key + "' stands twice");
    if (key == "descr") return read_descr();
    if (key == "shape") return read_shape();
    if (take_word("True")) fail("Fortran order; save it in C order");
    if (!take_word("False")) fail("fortran_order is neither True nor False");
  }

  void read_descr() {
    skip_blanks();
    if (rest_.starts_with('[')) fail("structured elements");
    const std::string text = quoted();
    if (const auto type = dtype_from_descr(text)) {
      header_.dtype = *type;
    } else {
      fail("element type '" + text + "'; known are |u1 |i1 <u2 <i2 <u4 <i4 <f4 <f8");
    }
  }

  void read_shape() {
    expect('(');
    header_.shape.reserve(4);
    while (!take(')')) {
      if (header_.shape.size() == kMostAxes) fail("more than 32 axes");
      header_.shape.push_back(number());
      if (!take(',')) {
        expect(')');
        break;
      }
    }
  }

  std::int64_t number() {
    skip_blanks();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{} || value < 0) fail("an axis of the shape is not a number from 0");
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  std::string quoted() {
    skip_blanks();
    const char mark = rest_.empty() ? 0 : rest_.front();
    if (mark != '\'' && mark != '"') fail("a quoted text is missing");
    const auto end = rest_.find(mark, 1);
    if (end == std::string_view::npos || end > 64) fail("a quoted text does not end");
    const std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }

  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n' || rest_.front() == '\t'))
      rest_.remove_prefix(1);
  }
  bool take(char mark) {
    skip_blanks();
    if (!rest_.starts_with(mark)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_word(std::string_view word) {
    skip_blanks();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  void expect(char mark) {
    if (!take(mark)) fail(std::string("'") + mark + "' is missing in the header");
  }

  std::string_view rest_;
  const std::string& what_;
  NpyHeader header_;
  bool has_descr_ = false, has_order_ = false, has_shape_ = false;
};

std::uint8_t byte_at(std::span<const std::byte> file, std::size_t index) {
  return std::to_integer<std::uint8_t>(file[index]);
}

/// Bytes of all elements, nullopt where the product leaves 63 bits.
std::optional<std::int64_t> array_bytes(const NpyHeader& header) {
  std::int64_t bytes = static_cast<std::int64_t>(byte_size(header.dtype));
  bool is_empty = false;
  for (const std::int64_t axis : header.shape) {
    if (axis == 0) is_empty = true;
    if (axis > 0 && bytes > std::numeric_limits<std::int64_t>::max() / axis) return std::nullopt;
    if (axis > 0) bytes *= axis;
  }
  return is_empty ? 0 : bytes;
}

}  // namespace

std::size_t byte_size(DType type) { return row_of(type).bytes; }
std::string_view descr(DType type) { return row_of(type).descr; }
std::string_view name(DType type) { return row_of(type).name; }

std::optional<DType> dtype_from_descr(std::string_view text) {
  for (const TypeRow& row : kTypes)
    if (text == row.descr || (row.bytes == 1 && text.size() == 3 && text[0] == '<' && text.substr(1) == row.descr.substr(1)))
      return row.type;
  return std::nullopt;
}

std::optional<DType> dtype_from_name(std::string_view text) {
  for (const TypeRow& row : kTypes)
    if (text == row.name) return row.type;
  return std::nullopt;
}

std::int64_t NpyHeader::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t axis : shape) count *= axis;
  return count;
}

std::string npy_header(DType dtype, std::span<const std::int64_t> shape) {
  std::string text = "{'descr': '" + std::string(descr(dtype)) + "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) throw Error::failed("cannot write an array with an axis of " + std::to_string(shape[i]) + " elements");
    text += (i == 0 ? "" : " ") + std::to_string(shape[i]) + (i + 1 < shape.size() || shape.size() == 1 ? "," : "");
  }
  text += "), }";
  constexpr std::size_t kTextBytes = kNpyHeaderBytes - 10;
  if (text.size() >= kTextBytes)
    throw Error::failed("cannot write an array of " + std::to_string(shape.size()) + " axes: its header leaves 128 bytes");
  text.resize(kTextBytes - 1, ' ');
  text += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(kTextBytes & 255U), static_cast<char>(kTextBytes >> 8)};
  return header + text;
}

NpyHeader parse_npy(std::span<const std::byte> file, const std::string& what) {
  const HeaderText nothing({}, what);
  if (file.size() < 10) nothing.fail("only " + std::to_string(file.size()) + " bytes");
  for (std::size_t i = 0; i < kMagic.size(); ++i)
    if (byte_at(file, i) != static_cast<std::uint8_t>(kMagic[i])) nothing.fail("it does not begin with \\x93NUMPY");
  const unsigned version = byte_at(file, 6);
  if (version < 1 || version > 3 || byte_at(file, 7) != 0) nothing.fail("version " + std::to_string(version) + "; known are 1.0 to 3.0");
  const std::size_t start = version == 1 ? 10 : 12;
  if (file.size() < start) nothing.fail("only " + std::to_string(file.size()) + " bytes");
  std::size_t length = byte_at(file, 8) | (std::size_t{byte_at(file, 9)} << 8);
  if (version > 1) length |= (std::size_t{byte_at(file, 10)} << 16) | (std::size_t{byte_at(file, 11)} << 24);
  if (length > kLongestHeader) nothing.fail("a header of " + std::to_string(length) + " bytes; at most 10000");
  if (length > file.size() - start) nothing.fail("the file ends within its header");
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + start, length);
  NpyHeader header = HeaderText(text, what).parse();
  header.header_bytes = static_cast<std::int64_t>(start + length);
  const auto bytes = array_bytes(header);
  const auto left = static_cast<std::int64_t>(file.size()) - header.header_bytes;
  if (!bytes || *bytes != left)
    nothing.fail("its shape needs " + (bytes ? std::to_string(*bytes) : std::string("more than 2^63")) +
                 " bytes, " + std::to_string(left) + " are there");
  return header;
}

}  // namespace tilewright::shard
