// SPDX-License-Identifier: Apache-2.0
// The JSON Schema agrees with the loader: both come from describe().
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "pipeline/commands/init_text.h"
#include "pipeline/config/job_json.h"
#include "tests/pipeline/job_text.h"

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::ordered_json;

/// The little of JSON Schema that ours uses; "" or the path of the first mismatch.
std::string violation(const Json& schema, const Json& value, const std::string& path);

bool has_type(const std::string& type, const Json& value) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "integer") return value.is_number_integer();
  return type == "number" && value.is_number();
}

bool fits_type(const Json& type, const Json& value) {
  if (type.is_string()) return has_type(type, value);
  return std::any_of(type.begin(), type.end(), [&](const Json& one) { return has_type(one, value); });
}

std::string object_violation(const Json& schema, const Json& value, const std::string& path) {
  const auto patterns = schema.value("patternProperties", Json::object());
  const auto required = schema.value("required", Json::array());
  for (const auto& [key, item] : value.items()) {
    const auto here = path + "." + key;
    const Json* form = nullptr;
    if (schema.contains("properties") && schema["properties"].contains(key)) form = &schema["properties"][key];
    for (const auto& [pattern, candidate] : patterns.items())
      if (std::regex_search(key, std::regex(pattern))) form = &candidate;
    if (!form && schema.contains("additionalProperties")) {
      if (schema["additionalProperties"] == false) return here + " is not allowed";
      form = &schema["additionalProperties"];
    }
    if (schema.contains("propertyNames") && !std::regex_search(key, std::regex(schema["propertyNames"]["pattern"].get<std::string>()))) return here + " name";
    if (const auto text = form ? violation(*form, item, here) : ""; !text.empty()) return text;
  }
  for (const auto& key : required)
    if (!value.contains(key.get<std::string>())) return path + " lacks " + key.get<std::string>();
  return "";
}

std::string violation(const Json& schema, const Json& value, const std::string& path) {
  if (schema.contains("anyOf")) {
    std::string first;
    for (const auto& form : schema["anyOf"]) {
      const auto text = violation(form, value, path);
      if (text.empty()) return "";
      if (first.empty()) first = text;
    }
    return first;
  }
  if (schema.contains("type") && !fits_type(schema["type"], value)) return path + " type";
  if (schema.contains("enum") && std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) return path + " enum";
  if (value.is_number()) {
    const auto number = value.get<double>();
    if (schema.contains("minimum") && number < schema["minimum"].get<double>()) return path + " minimum";
    if (schema.contains("exclusiveMinimum") && number <= schema["exclusiveMinimum"].get<double>()) return path + " exclusiveMinimum";
    if (schema.contains("maximum") && number > schema["maximum"].get<double>()) return path + " maximum";
  }
  if (value.is_array()) {
    if (schema.contains("minItems") && value.size() < schema["minItems"].get<std::size_t>()) return path + " minItems";
    if (schema.contains("maxItems") && value.size() > schema["maxItems"].get<std::size_t>()) return path + " maxItems";
    for (std::size_t i = 0; schema.contains("items") && i < value.size(); ++i)
      if (const auto text = violation(schema["items"], value[i], path + "." + std::to_string(i)); !text.empty()) return text;
  }
  return value.is_object() ? object_violation(schema, value, path) : "";
}

/// YAML as JSON, by the core schema's rules for plain scalars.
Json json_of_yaml(const YAML::Node& node) {
  if (node.IsMap()) {
    auto out = Json::object();
    for (const auto& entry : node) out[entry.first.Scalar()] = json_of_yaml(entry.second);
    return out;
  }
  if (node.IsSequence()) {
    auto out = Json::array();
    for (const auto& item : node) out.push_back(json_of_yaml(item));
    return out;
  }
  if (node.IsNull()) return nullptr;
  const auto text = node.Scalar();
  if (node.Tag() == "!") return text;
  if (text == "true" || text == "false") return text == "true";
  static const std::regex number(R"([-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?)");
  if (std::regex_match(text, number)) return Json::parse(text[0] == '.' ? "0" + text : text, nullptr, false);
  return text;
}

TEST(Schema, AcceptsTheJobOfInitAndEveryConfig) {
  const auto schema = Json::parse(job_schema());
  EXPECT_EQ(violation(schema, json_of_yaml(YAML::Load(kInitText)), ""), "");
  for (const auto& entry : std::filesystem::directory_iterator(TILEWRIGHT_SOURCE_DIR "/configs"))
    if (entry.path().extension() == ".yaml") {
      EXPECT_EQ(violation(schema, json_of_yaml(YAML::LoadFile(entry.path())), ""), "") << entry.path();
    }
}

TEST(Schema, AcceptsWhatDumpWrites) {
  const auto job = load_text(kInitText);
  EXPECT_EQ(violation(schema_of_job(), json_of_job(job), ""), "");
}

TEST(Schema, RefusesWhatTheLoaderRefuses) {
  const auto schema = schema_of_job();
  for (const char* more : {"grid: {resolution_m: 0}\n", "views: {patch_px: 4}\n", "views: {placement: diagonal}\n", "viewz: {}\n", "limits: {untrusted: 1}\n",
                           "extract: {resampling: lanczos}\n", "split: {fractions: {train: 2}}\n", "grid: {origin_m: [1]}\n"}) {
    EXPECT_NE(problems_of(kSmallJob + more), "") << more;
    EXPECT_NE(violation(schema, json_of_yaml(YAML::Load(kSmallJob + more)), ""), "") << more;
  }
}

/// Every described key has a help text and is a key that the loader knows.
void check_properties(const Json& schema, int& count) {
  const auto properties = schema.is_object() ? schema.value("properties", Json::object()) : Json::object();
  for (const auto& [key, field] : properties.items()) {
    EXPECT_TRUE(field.contains("description") && !field["description"].get<std::string>().empty()) << key;
    ++count;
  }
  for (const auto& [key, item] : schema.items())
    if (item.is_structured()) check_properties(item, count);
}

TEST(Schema, ExplainsEveryKey) {
  int count = 0;
  check_properties(schema_of_job(), count);
  EXPECT_GT(count, 120);
}

}  // namespace
}  // namespace tilewright::pipeline
