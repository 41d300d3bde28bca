// SPDX-License-Identifier: Apache-2.0
// What each view is trained against: the mask or value whose period fits its date.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "index/manifest.h"
#include "index/reason.h"
#include "pipeline/config/job.h"
#include "pipeline/config/valid_period.h"

namespace tilewright::pipeline {

/// Either a mask or a value.
struct SampleLabel {
  const index::MaskRow* mask = nullptr;  ///< owned by DatasetLabels
  std::string value = "-";               ///< JSON, as part files hold it: class ids for kinds class and classes
};

/// The label of a view, or why it has none.
struct LabelChoice {
  std::optional<SampleLabel> label;
  index::Reason reason = index::Reason::no_partner;
  std::string detail;
};

class DatasetLabels {
 public:
  /// Throws Error::config for a target that the job or the workspace does not have, and for
  /// `match: mean` on anything but numbers.
  DatasetLabels(const Job& job, const index::Manifest& manifest, const DatasetConfig& config);
  DatasetLabels(const DatasetLabels&) = delete;  // labels point into it
  DatasetLabels& operator=(const DatasetLabels&) = delete;

  [[nodiscard]] bool is_wanted() const { return config_.target.has_value(); }
  /// True if labels have dates and `match` looks at them: then the label depends on the view.
  [[nodiscard]] bool depends_on_date() const { return mode_ != "any"; }
  /// Of a view of the location, acquired at `time`. Ties of distance go to the earlier period.
  [[nodiscard]] LabelChoice of(const std::string& location_id, const index::Timestamp& time) const;

  /// "" for masks; class, classes, scalar or vector.
  [[nodiscard]] const std::string& kind() const { return kind_; }
  /// Classes of the kinds class and classes in the order of their ids, with those ids; the job's order,
  /// else the names of the whole workspace sorted. Of a layer target: none, its layer knows them.
  [[nodiscard]] const std::vector<std::string>& class_names() const { return class_names_; }

 private:
  struct Candidate {
    ValidPeriod period;
    SampleLabel label;
    std::vector<double> numbers;  ///< of scalar and vector
  };
  void take_masks(const index::Manifest& manifest);
  void take_values(const index::Manifest& manifest, const TargetConfig& target);
  [[nodiscard]] std::string ids_of(const std::string& value) const;
  [[nodiscard]] LabelChoice nearest(const std::vector<Candidate>& candidates, const index::Timestamp& time) const;
  [[nodiscard]] LabelChoice mean(const std::vector<Candidate>& candidates, const index::Timestamp& time) const;

  const DatasetConfig& config_;
  std::string mode_ = "any", kind_;
  std::vector<std::string> class_names_;
  std::vector<index::MaskRow> masks_;
  std::map<std::string, std::vector<Candidate>> candidates_;  ///< by location, in order of time
};

}  // namespace tilewright::pipeline
