// SPDX-License-Identifier: Apache-2.0
// When an acquisition was taken, by the rule of its source.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/config/job.h"

namespace tilewright::pipeline {

struct Acquired {
  std::optional<std::string> time;  ///< `YYYY-MM-DDThh:mm:ss.000Z`, nullopt: no rule
  bool time_known = false;          ///< false: only the day
};

/// The rule of one source; its table is read once. Safe to use from several threads.
class DateRule {
 public:
  /// Throws Error::config for a table that cannot be read or a way that is not in this version.
  DateRule(const Job& job, const std::string& source);
  /// `path` = "<root>:<relative>" of the first band file, `metadata` its own, `band` its TileFile's
  /// (a number where bands are dates). Throws index::ItemError(bad_date).
  [[nodiscard]] Acquired acquired(const std::string& path, const std::map<std::string, std::string>& metadata, const std::string& band = "") const;
  /// False: the job says nothing of dates.
  [[nodiscard]] bool is_given() const { return config_.has_value(); }

 private:
  std::optional<DateConfig> config_;
  std::map<std::string, std::string> table_;
  std::vector<std::string> bands_;
};

/// The list of `date: {bands: FILE}`, one text a band. Throws Error::config for what is no JSON array
/// of texts.
std::vector<std::string> read_date_list(const Job& job, const std::string& path);

/// `text` by a strptime `format`, UTC; the default format also takes ISO 8601 and EXIF times.
/// nullopt if it does not match or is no date.
std::optional<Acquired> parse_time(const std::string& text, const std::string& format);
/// Seconds since 1970 of a timestamp as above.
std::int64_t seconds_of(const std::string& timestamp);

}  // namespace tilewright::pipeline
