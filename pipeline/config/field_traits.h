// SPDX-License-Identifier: Apache-2.0
// What kind of field a described struct holds: shared by the reader, the writer and the schema.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "pipeline/config/job.h"

namespace tilewright::pipeline {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsNamedList : std::false_type {};
template <class T>
struct IsNamedList<std::vector<std::pair<std::string, T>>> : std::true_type {};

/// Fields that may be written in more than one form; each visitor has an overload for each of them.
using OriginField = std::optional<std::array<double, 2>>;
using PeriodField = std::optional<std::array<std::string, 2>>;
using ClassStyles = std::map<int, ClassStyle>;
using QualityList = std::vector<QualityConfig>;
using BandList = std::vector<BandRule>;
using TextList = std::vector<std::string>;
using InputList = std::vector<DatasetInput>;
using PeriodList = std::vector<index::Period>;

}  // namespace tilewright::pipeline
