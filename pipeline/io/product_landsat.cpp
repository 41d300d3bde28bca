// SPDX-License-Identifier: Apache-2.0
// Landsat MTL, the text form (KEY = VALUE in groups) and the JSON form of Collections 1 and 2.
#include <algorithm>
#include <map>
#include <sstream>

#include "index/reason.h"
#include "learn/config/json.h"
#include "pipeline/io/dates.h"
#include "pipeline/io/product_metadata.h"
#include "pipeline/io/xml_tree.h"

namespace tilewright::pipeline {
namespace {

using Items = std::map<std::string, std::string>;

std::string trimmed(const std::string& text) {
  constexpr const char* kAround = " \t\r\n\"";
  const auto first = text.find_first_not_of(kAround);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(kAround) - first + 1);
}

/// Keys are unique but for those of groups that repeat what a Level 1 file said: the first counts.
Items items_of_text(const std::string& text) {
  Items out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (const auto equals = line.find('='); equals != std::string::npos) out.emplace(trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 1)));
  return out;
}

void add_items(const learn::Json& json, int depth, Items& out) {
  constexpr int kDeepest = 8;
  for (const auto& [key, value] : json.items()) {
    if (value.is_object() && depth < kDeepest) add_items(value, depth + 1, out);
    else if (value.is_string()) out.emplace(key, trimmed(value.get<std::string>()));
    else if (value.is_number()) out.emplace(key, value.dump());
  }
}

std::optional<std::string> find(const Items& items, const std::string& key) {
  const auto found = items.find(key);
  return found == items.end() ? std::nullopt : std::optional(found->second);
}
std::optional<double> number(const Items& items, const std::string& key) { return xml_number(find(items, key)); }

/// Reflectance, else temperature of Level 2, else radiance.
learn::BandInfo band_of(const Items& items, const std::string& id) {
  learn::BandInfo band;
  band.name = "B" + id;
  for (const auto& [multiply, add] : {std::pair<std::string, std::string>{"REFLECTANCE_MULT_BAND_" + id, "REFLECTANCE_ADD_BAND_" + id},
                                      {"TEMPERATURE_MULT_BAND_ST_B" + id, "TEMPERATURE_ADD_BAND_ST_B" + id},
                                      {"RADIANCE_MULT_BAND_" + id, "RADIANCE_ADD_BAND_" + id}}) {
    band.scale = number(items, multiply);
    if (!band.scale) continue;
    band.offset = number(items, add);
    break;
  }
  return band;
}

std::string digits_of(const std::string& text) {
  std::string out;
  for (const char c : text)
    if (c >= '0' && c <= '9') out += c;
  return out;
}

}  // namespace

ProductMetadata parse_landsat_mtl(const std::string& text, const std::string& what) {
  Items items;
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] == '{') {
    const auto json = learn::Json::parse(text, nullptr, false);
    if (json.is_object()) add_items(json, 0, items);
  } else {
    items = items_of_text(text);
  }
  const auto day = find(items, "DATE_ACQUIRED"), time = find(items, "SCENE_CENTER_TIME");
  if (!day) throw index::ItemError(index::Reason::unreadable, "the side-car " + what + " names no DATE_ACQUIRED; repair or remove it");
  ProductMetadata out;
  out.kind = "landsat";
  if (const auto at = time ? parse_time(*day + "T" + *time, DateConfig{}.format) : std::nullopt) out.acquired = at->time;
  if (const auto share = number(items, "CLOUD_COVER"); share && *share >= 0 && *share <= 100) out.cloud_frac = *share / 100;
  // The day of processing also stands in the product's name, which speaks where there is no such file.
  for (const char* key : {"DATE_PRODUCT_GENERATED", "FILE_DATE"})
    if (const auto at = find(items, key); at && out.version.empty()) out.version = digits_of(*at).substr(0, 8);
  for (int n = 1; n <= 11; ++n)
    for (const auto& id : {std::to_string(n), std::to_string(n) + "_VCID_1", std::to_string(n) + "_VCID_2"})
      if (auto band = band_of(items, id); band.scale) out.bands.push_back(std::move(band));
  return out;
}

}  // namespace tilewright::pipeline
