// SPDX-License-Identifier: Apache-2.0
// Writes a job back: as JSON for keys, as YAML for people.
#include "pipeline/config/job_json.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <stdexcept>

#include "pipeline/config/field_traits.h"
#include "pipeline/config/load.h"
#include "pipeline/config/yaml_tree.h"

namespace tilewright::pipeline {
namespace {

JobJson write_value(const OriginField& value) { return value ? JobJson{(*value)[0], (*value)[1]} : JobJson("auto"); }
JobJson write_value(const PeriodField& value) { return value ? JobJson{(*value)[0], (*value)[1]} : JobJson(nullptr); }
JobJson write_value(const NodataConfig& value) {
  if (!value.per_band.empty()) {
    auto out = JobJson::object();
    for (const auto& [band, rule] : value.per_band) out[band] = write_value(rule);
    return out;
  }
  switch (value.mode) {
    case NodataMode::declared: return "declared";
    case NodataMode::detect: return "detect";
    case NodataMode::none: return "none";
    case NodataMode::value: break;
  }
  return std::isnan(value.value) ? JobJson("nan") : JobJson(value.value);
}
JobJson write_value(const AreaConfig& value) {
  if (!value.bounds) return value.file ? JobJson(*value.file) : JobJson(nullptr);
  return JobJson{(*value.bounds)[0], (*value.bounds)[1], (*value.bounds)[2], (*value.bounds)[3]};
}
JobJson write_value(const BandList& value) {
  const bool is_mapping = !value.empty() && value[0].path_suffix;
  auto out = is_mapping ? JobJson::object() : JobJson::array();
  for (const auto& band : value) {
    if (is_mapping) out[band.name] = band.path_suffix.value_or("");
    else out.push_back(band.name);
  }
  return out;
}
std::string extent_text(const ExtentConfig& value) {
  switch (value.kind) {
    case ExtentKind::bounds: return "bounds";
    case ExtentKind::hull: return "hull";
    case ExtentKind::all: return "all";
    case ExtentKind::file: break;
  }
  return value.file;
}
/// The short form where it says all.
JobJson write_value(const ExtentConfig& value) {
  if (!value.layer && value.margin_m == 0) return extent_text(value);
  JobJson out{{"within", extent_text(value)}};
  if (value.layer) out["layer"] = *value.layer;
  out["margin_m"] = value.margin_m;
  return out;
}

JobJson write_value(const ClassRule& value);
JobJson write_value(const ClassStyles& value);
template <class T>
JobJson write_value(const T& value);

struct FieldWriter {
  JobJson& out;
  template <class T, class... Rest>
  void operator()(const char* key, T& field, const char*, Rest&&...) const { out[key] = write_value(field); }
};

JobJson write_value(const ClassRule& value) {
  if (!value.by_condition.empty()) return write_value(value.by_condition);
  return value.by_field ? write_value(*value.by_field) : JobJson(value.constant);
}
JobJson write_value(const ClassStyles& value) {
  auto out = JobJson::object();
  for (const auto& [id, style] : value) out[std::to_string(id)] = write_value(style);
  return out;
}

template <class T>
JobJson write_value(const T& value) {
  if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(name_of(value));
  } else if constexpr (IsOptional<T>::value) {
    return value ? write_value(*value) : JobJson(nullptr);
  } else if constexpr (IsNamedList<T>::value) {
    auto out = JobJson::object();
    for (const auto& [name, item] : value) out[name] = write_value(item);
    return out;
  } else if constexpr (IsVector<T>::value) {
    auto out = JobJson::array();
    for (const auto& item : value) out.push_back(write_value(item));
    return out;
  } else {
    auto out = JobJson::object();
    describe(FieldWriter{out}, const_cast<T&>(value));
    return out;
  }
}

/// Texts that every YAML reader takes for the same text without quotes.
bool is_plain(const std::string& text) {
  static const std::regex safe("[A-Za-z_][A-Za-z0-9_./-]*");
  static const std::regex word("(?:true|false|null|yes|no|on|off|y|n|nan|inf)", std::regex::icase);
  return std::regex_match(text, safe) && !std::regex_match(text, word);
}

void emit_text(YAML::Emitter& out, const std::string& text) {
  if (is_plain(text)) out << text;
  else out << YAML::DoubleQuoted << text;
}

void emit(YAML::Emitter& out, const JobJson& value, int depth) {
  if (value.is_object()) {
    const bool is_flow = value.empty() || depth > 3;
    out << (is_flow ? YAML::Flow : YAML::Block) << YAML::BeginMap;
    for (const auto& [key, item] : value.items()) {
      out << YAML::Key;
      emit_text(out, key);
      out << YAML::Value;
      emit(out, item, depth + 1);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    const bool is_flow = value.empty() || !value[0].is_structured();
    out << (is_flow ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
    for (const auto& item : value) emit(out, item, depth + 1);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    emit_text(out, value.get<std::string>());
  } else if (value.is_null()) {
    out << YAML::Null;
  } else {
    out << value.dump();
  }
}

/// Sources, layers and lists of files are sets: in another order they make the same corpus, so a key
/// has them by name. (The first of views.sources means something: they stay as they are.)
void forget_order(const std::string& section, JobJson& value) {
  if ((section != "sources" && section != "layers") || !value.is_object()) return;
  std::map<std::string, JobJson> by_name;
  for (const auto& [name, item] : value.items()) by_name[name] = item;
  value = JobJson::object();
  for (const auto& [name, item] : by_name) {
    value[name] = item;
    if (item.contains("files")) std::sort(value[name]["files"].begin(), value[name]["files"].end());
  }
}

}  // namespace

JobJson json_of_job(const Job& job) { return write_value(job); }

std::string dump_job(const Job& job) {
  YAML::Emitter out;
  emit(out, json_of_job(job), 0);
  return std::string(out.c_str()) + "\n";
}

std::string section_json(const Job& job, const std::string& section) {
  auto value = json_of_job(job);
  std::string path;
  for (std::size_t begin = 0; begin <= section.size();) {
    const auto end = std::min(section.find('.', begin), section.size());
    const auto key = section.substr(begin, end - begin);
    if (value.is_null()) break;  // a key of a section that is not there
    if (!value.is_object() || !value.contains(key)) throw std::logic_error("no section " + section);
    JobJson next = value[key];
    value = std::move(next);
    begin = end + 1;
  }
  forget_order(section, value);
  return value.dump();
}

}  // namespace tilewright::pipeline
