// SPDX-License-Identifier: Apache-2.0
// Writing and reading GeoPackage geometry blobs.
#include "index/geopackage_blob.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "geometry/error.h"

namespace tilewright::index {
namespace {

static_assert(std::endian::native == std::endian::little, "blobs are written in host order");

constexpr std::uint8_t kLittleEndian = 0x01, kXyEnvelope = 0x02, kEmpty = 0x10;
constexpr std::uint32_t kWkbPolygon = 3, kWkbMultiPolygon = 6;

class Writer {
 public:
  template <class T>
  void put(T value) {
    std::array<std::byte, sizeof(T)> raw;
    std::memcpy(raw.data(), &value, sizeof(T));
    bytes_.insert(bytes_.end(), raw.begin(), raw.end());
  }
  void reserve(std::size_t size) { bytes_.reserve(size); }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

[[noreturn]] void fail(const std::string& what) {
  throw Error::failed("reading a geometry of the manifest: " + what + "; the file is damaged or was written by another program");
}

/// Reads numbers of either byte order and never past the end.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  void set_little(bool little) { swap_ = !little; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }
  void skip(std::size_t count) {
    if (count > left()) fail("the blob ends too early");
    at_ += count;
  }
  template <class T>
  T take() {
    if (sizeof(T) > left()) fail("the blob ends too early");
    std::array<std::byte, sizeof(T)> raw;
    std::memcpy(raw.data(), bytes_.data() + at_, sizeof(T));
    if (swap_) std::reverse(raw.begin(), raw.end());
    at_ += sizeof(T);
    T value;
    std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool swap_ = false;
};

void write_ring(Writer& out, const std::vector<geometry::LonLat>& ring) {
  out.put(static_cast<std::uint32_t>(ring.size()));
  for (const auto& point : ring) {
    out.put(point.lon_deg);
    out.put(point.lat_deg);
  }
}

struct Header {
  bool empty = false;
  std::optional<geometry::Box> envelope;
};

Header read_header(Reader& in) {
  if (in.take<std::uint8_t>() != 'G' || in.take<std::uint8_t>() != 'P') fail("it does not begin with GP");
  in.skip(1);
  const auto flags = in.take<std::uint8_t>();
  in.set_little((flags & kLittleEndian) != 0);
  in.skip(4);
  Header header{.empty = (flags & kEmpty) != 0, .envelope = {}};
  const int kind = (flags >> 1) & 7;
  if (kind > 4) fail("unknown envelope type " + std::to_string(kind));
  if (kind == 0) return header;
  geometry::Box box;
  box.min_x = in.take<double>();
  box.max_x = in.take<double>();
  box.min_y = in.take<double>();
  box.max_y = in.take<double>();
  in.skip(kind == 1 ? 0 : kind == 4 ? 32 : 16);
  header.envelope = box;
  return header;
}

std::vector<geometry::LonLat> read_ring(Reader& in, std::size_t extra_bytes) {
  const auto count = in.take<std::uint32_t>();
  if (count > in.left() / (16 + extra_bytes)) fail("a ring claims more points than the blob holds");
  std::vector<geometry::LonLat> ring(count);
  for (auto& point : ring) {
    point.lon_deg = in.take<double>();
    point.lat_deg = in.take<double>();
    in.skip(extra_bytes);
  }
  return ring;
}

struct WkbType {
  std::uint32_t base = 0;
  std::size_t extra_bytes = 0;  ///< Z and M of each point
};

WkbType read_type(Reader& in) {
  in.set_little(in.take<std::uint8_t>() != 0);
  const auto raw = in.take<std::uint32_t>();
  const bool old_z = (raw & 0x80000000U) != 0, old_m = (raw & 0x40000000U) != 0;
  const auto code = raw & 0x0FFFFFFFU;
  const auto dimension = code / 1000;
  if (dimension > 3) fail("unknown geometry type " + std::to_string(code));
  const bool z = old_z || dimension == 1 || dimension == 3;
  const bool m = old_m || dimension == 2 || dimension == 3;
  return {code % 1000, (z ? 8U : 0U) + (m ? 8U : 0U)};
}

geometry::GeoPolygon read_polygon(Reader& in, const WkbType& type) {
  const auto rings = in.take<std::uint32_t>();
  if (rings > in.left() / 4) fail("a polygon claims more rings than the blob holds");
  geometry::GeoPolygon polygon;
  for (std::uint32_t n = 0; n < rings; ++n) {
    auto ring = read_ring(in, type.extra_bytes);
    if (n == 0)
      polygon.outer = std::move(ring);
    else
      polygon.holes.push_back(std::move(ring));
  }
  return polygon;
}

geometry::GeoMultiPolygon read_wkb(Reader& in) {
  const auto type = read_type(in);
  if (type.base == kWkbPolygon) return {read_polygon(in, type)};
  if (type.base != kWkbMultiPolygon) fail("expected a multipolygon, found WKB type " + std::to_string(type.base));
  const auto count = in.take<std::uint32_t>();
  if (count > in.left() / 9) fail("a multipolygon claims more parts than the blob holds");
  geometry::GeoMultiPolygon polygons;
  for (std::uint32_t n = 0; n < count; ++n) {
    const auto part = read_type(in);
    if (part.base != kWkbPolygon) fail("a part of a multipolygon is not a polygon");
    polygons.push_back(read_polygon(in, part));
  }
  return polygons;
}

}  // namespace

std::vector<std::byte> geopackage_blob(const geometry::GeoMultiPolygon& polygons) {
  const bool empty = polygons.empty();
  Writer out;
  std::size_t points = 0;
  for (const auto& polygon : polygons) {
    points += polygon.outer.size();
    for (const auto& hole : polygon.holes) points += hole.size();
  }
  out.reserve(64 + polygons.size() * 32 + points * 16);
  for (const std::uint8_t byte : {std::uint8_t{'G'}, std::uint8_t{'P'}, std::uint8_t{0}}) out.put(byte);
  out.put(static_cast<std::uint8_t>(kLittleEndian | (empty ? kEmpty : kXyEnvelope)));
  out.put(std::int32_t{4326});
  if (!empty) {
    const auto box = geometry::bounds(polygons);
    for (const double side : {box.min_x, box.max_x, box.min_y, box.max_y}) out.put(side);
  }
  out.put(std::uint8_t{1});
  out.put(kWkbMultiPolygon);
  out.put(static_cast<std::uint32_t>(polygons.size()));
  for (const auto& polygon : polygons) {
    out.put(std::uint8_t{1});
    out.put(kWkbPolygon);
    out.put(static_cast<std::uint32_t>(1 + polygon.holes.size()));
    write_ring(out, polygon.outer);
    for (const auto& hole : polygon.holes) write_ring(out, hole);
  }
  return out.take();
}

geometry::GeoMultiPolygon polygons_of_blob(std::span<const std::byte> blob) {
  Reader in(blob);
  const auto header = read_header(in);
  if (header.empty) return {};
  return read_wkb(in);
}

std::optional<geometry::Box> box_of_blob(std::span<const std::byte> blob) try {
  Reader in(blob);
  const auto header = read_header(in);
  if (header.empty) return std::nullopt;
  const auto box = header.envelope ? *header.envelope : geometry::bounds(read_wkb(in));
  const bool finite = std::isfinite(box.min_x) && std::isfinite(box.max_x) && std::isfinite(box.min_y) && std::isfinite(box.max_y);
  if (!finite || box.empty()) return std::nullopt;
  return box;
} catch (const Error&) {
  return std::nullopt;  // asked from a SQL function: a broken blob has no box
}

}  // namespace tilewright::index
