// SPDX-License-Identifier: Apache-2.0
// JSON Schema of jobs, made from the same describe() that reads them.
#include <cmath>
#include <set>

#include "pipeline/config/field_traits.h"
#include "pipeline/config/job_json.h"
#include "pipeline/config/load.h"

namespace tilewright::pipeline {
namespace {

template <class T>
struct Type {};  ///< chooses an overload without a value

JobJson typed(const char* type) { return JobJson{{"type", type}}; }
JobJson any_of(std::initializer_list<JobJson> forms) { return JobJson{{"anyOf", JobJson(std::vector<JobJson>(forms))}}; }
JobJson words(const std::vector<std::string>& names) { return JobJson{{"enum", names}}; }
JobJson list_of(const JobJson& item) { return JobJson{{"type", "array"}, {"items", item}}; }
JobJson map_of(const JobJson& item) { return JobJson{{"type", "object"}, {"additionalProperties", item}}; }
JobJson fixed_list(const JobJson& item, int size) {
  auto out = list_of(item);
  out["minItems"] = out["maxItems"] = size;
  return out;
}
/// `form`, or an empty value.
JobJson or_null(const JobJson& form) { return any_of({form, typed("null")}); }

JobJson schema(Type<OriginField>) { return any_of({words({"auto"}), fixed_list(typed("number"), 2), typed("null")}); }
JobJson schema(Type<PeriodField>) { return or_null(fixed_list(typed("string"), 2)); }
JobJson schema(Type<AreaConfig>) { return any_of({typed("string"), fixed_list(typed("number"), 4)}); }
JobJson schema(Type<BandList>) { return any_of({list_of(typed("string")), map_of(typed("string")), typed("null")}); }
JobJson schema(Type<TextList>) { return any_of({typed("string"), list_of(typed("string")), typed("null")}); }
JobJson schema(Type<NodataConfig>) {
  const auto word = any_of({words({"declared", "detect", "none", "nan"}), typed("number")});
  return any_of({words({"declared", "detect", "none", "nan"}), typed("number"), map_of(word)});
}

template <class T>
JobJson schema(Type<T>);

JobJson struct_schema(Type<BandGroup>);
JobJson schema(Type<BandGroup>) { return any_of({list_of(typed("string")), struct_schema(Type<BandGroup>{})}); }
JobJson schema(Type<ClassRule>) {
  return any_of({JobJson{{"type", "integer"}, {"minimum", 1}, {"maximum", 255}}, schema(Type<FieldClasses>{}), list_of(schema(Type<ClassCondition>{}))});
}
JobJson schema(Type<ExtentConfig>) {
  return any_of({JobJson{{"type", "string"}, {"examples", {"bounds", "hull", "all", "data:complete.geojson"}}}, schema(Type<ExtentParts>{})});
}
JobJson schema(Type<ClassStyles>) {
  return or_null(JobJson{{"type", "object"}, {"patternProperties", {{"^[0-9]+$", schema(Type<ClassStyle>{})}}}, {"additionalProperties", false}});
}
JobJson schema(Type<PeriodList>) { return any_of({words({"seasons"}), list_of(schema(Type<index::Period>{})), typed("null")}); }
JobJson schema(Type<QualityList>) {
  const auto one = schema(Type<QualityConfig>{});
  return any_of({one, list_of(one), typed("null")});
}
JobJson schema(Type<InputList>) {
  const auto input = any_of({typed("string"), schema(Type<DatasetInput>{})});
  return any_of({typed("string"), list_of(input)});
}

void add_limits(JobJson& field, const Limits& limits) {
  if (!limits.one_of.empty()) field = words({limits.one_of.begin(), limits.one_of.end()});
  if (std::abs(limits.min) < 1e308) field[limits.min_is_open ? "exclusiveMinimum" : "minimum"] = limits.min;
  if (std::abs(limits.max) < 1e308) field["maximum"] = limits.max;
}

/// Limits belong to the first form where a field may also be empty.
void add_limits_to_form(JobJson& field, const Limits& limits) {
  if (field.contains("anyOf")) add_limits(field["anyOf"][0], limits);
  else add_limits(field, limits);
}

struct FieldSchema {
  JobJson& properties;
  template <class T>
  void operator()(const char* key, T& field, const char* help, const Limits& limits = {}) const {
    auto form = schema(Type<T>{});
    add_limits_to_form(form, limits);
    form["description"] = help;
    if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) form["default"] = field;
    else if constexpr (std::is_enum_v<T>) form["default"] = std::string(name_of(field));
    properties[key] = std::move(form);
  }
};

template <class T>
JobJson schema(Type<T>) {
  if constexpr (std::is_same_v<T, bool>) {
    return typed("boolean");
  } else if constexpr (std::is_integral_v<T>) {
    return typed("integer");
  } else if constexpr (std::is_floating_point_v<T>) {
    return typed("number");
  } else if constexpr (std::is_same_v<T, std::string>) {
    return JobJson{{"type", {"string", "number"}}};  // plain 5 is read as the text 5
  } else if constexpr (std::is_enum_v<T>) {
    std::vector<std::string> names;
    for (const auto& entry : EnumNames<T>::values) names.emplace_back(entry.name);
    return words(names);
  } else if constexpr (IsOptional<T>::value) {
    return or_null(schema(Type<typename T::value_type>{}));
  } else if constexpr (IsNamedList<T>::value) {
    return or_null(map_of(schema(Type<typename T::value_type::second_type>{})));
  } else if constexpr (IsVector<T>::value) {
    return or_null(list_of(schema(Type<typename T::value_type>{})));
  } else {
    auto properties = JobJson::object();
    T defaults{};
    describe(FieldSchema{properties}, defaults);
    return JobJson{{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
  }
}

JobJson struct_schema(Type<BandGroup>) {
  auto properties = JobJson::object();
  BandGroup defaults;
  describe(FieldSchema{properties}, defaults);
  return JobJson{{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
}

/// Sections whose keys name an entity.
void add_name_patterns(JobJson& properties) {
  for (const char* section : {"roots", "sources", "layers", "targets", "datasets", "runs"})
    properties[section]["anyOf"][0]["propertyNames"] = JobJson{{"pattern", "^[a-z0-9_]+$"}};
}

/// The grid of a run is unfolded before runs are read, so that it is no field of one.
void add_grid(JobJson& properties) {
  auto grid = or_null(map_of(any_of({JobJson{{"type", "array"}}, map_of(or_null(typed("object")))})));
  grid["description"] = kGridHelp;
  properties["runs"]["anyOf"][0]["additionalProperties"]["properties"]["grid"] = std::move(grid);
}

}  // namespace

JobJson schema_of_job() {
  const auto job = schema(Type<Job>{});
  JobJson out{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Tilewright job"}};
  out.update(job);
  add_name_patterns(out["properties"]);
  add_grid(out["properties"]);
  out["required"] = {"workspace", "sources"};
  return out;
}

std::string job_schema() { return schema_of_job().dump(2) + "\n"; }

}  // namespace tilewright::pipeline
