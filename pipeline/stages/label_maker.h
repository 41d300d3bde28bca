// SPDX-License-Identifier: Apache-2.0
// Turns one feature after the other into an object to draw, or into a rejection.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "geometry/crs.h"
#include "pipeline/io/vector_layer.h"
#include "pipeline/stages/label_objects.h"
#include "pipeline/stages/line_network.h"
#include "pipeline/stages/width_rules.h"

namespace tilewright::pipeline {

/// Value and rank of a feature's class.
class ObjectClasses {
 public:
  explicit ObjectClasses(const LayerConfig& config);
  /// The class, or nullopt and why.
  std::optional<int> of(const Feature& feature, std::string& why) const;
  /// Classes that a priority does not list lie below all that it lists.
  [[nodiscard]] int rank(int value) const;

 private:
  std::optional<int> by_field(const Feature& feature, std::string& why) const;
  const LayerConfig& config_;
  std::map<int, int> ranks_;
  std::map<std::string, std::size_t> by_text_;  ///< places in `values`: the first of equal ones
  std::map<double, std::size_t> by_number_;
};

/// Call add for each feature, then finish.
class LabelMaker {
 public:
  LabelMaker(const LayerConfig& config, const std::optional<WidthRules>& widths, LineNetwork& network, NearTest near, LabelObjects& out);
  void add(Feature&& feature);
  /// Ends by the network, periods in order of time, extents of bounds and hulls.
  void finish();

 private:
  /// Of the drawable objects of a period, for extents.
  struct Spread {
    geometry::Box box;
    std::vector<geometry::MapXY> points;
  };
  struct Dated {
    std::optional<ValidPeriod> period;  ///< of an object; nullopt = every period
  };

  bool make(Feature& feature, LabelObject& object);
  bool add_polygons(Feature& feature, LabelObject& object);
  bool add_lines(Feature& feature, LabelObject& object);
  bool add_points(Feature& feature, LabelObject& object);
  bool set_width(const Feature& feature, LabelObject& object);
  bool set_class(const Feature& feature, LabelObject& object);
  bool set_level(const Feature& feature, LabelObject& object);
  bool set_period(const Feature& feature, LabelObject& object);
  bool refuse(LabelObject& object, index::Reason reason, const std::string& detail);
  void leave_unknown_hull(const Feature& feature, LabelObject& object);
  void leave_unknown_lines(Feature& feature, LabelObject& object);
  void note_place(const LabelObject& object);
  void count_extent(const LabelObject& object);
  void keep(LabelObject&& object);

  const LayerConfig& config_;
  const std::optional<WidthRules>& widths_;
  ObjectClasses classes_;
  LineNetwork& network_;
  NearTest near_;
  LabelObjects& out_;
  geometry::Transform degrees_;
  std::optional<ValidPeriod> period_;  ///< of the feature in hand
  std::vector<Dated> dated_;           ///< of out_.objects
  std::set<ValidPeriod> periods_;      ///< of all drawable objects
  std::map<ValidPeriod, Spread> spreads_;
};

}  // namespace tilewright::pipeline
