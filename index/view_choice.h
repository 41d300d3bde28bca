// SPDX-License-Identifier: Apache-2.0
// Which of the tiles that see a window become its views.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "index/coverage.h"

namespace tilewright::index {

/// A tile that shows a window.
struct Seen {
  std::size_t rank = 0;
  std::optional<double> cloud_frac;
  bool stays = false;  ///< a view of an earlier plan: no rule takes it away
};

/// What becomes of the tiles that show a window.
struct ViewChoice {
  struct LeftOut {
    std::optional<std::size_t> rank;  ///< nullopt: a gap, something that no tile shows
    Reason reason;
    std::string detail;
  };
  std::vector<Seen> kept;             ///< by (acquired, tile_id)
  std::vector<LeftOut> left_out;      ///< and what is missing; in no particular order
};

/// The rules of a job, applied in this order: periods or days apart, most views, pairs. Views that stay
/// come first in each rule, and all of them are kept. May be used from several threads.
class ViewChooser {
 public:
  ViewChooser(const CoverageSet& tiles, const PlannerConfig& config);
  /// True if each tile that shows a window counts for min_views.
  [[nodiscard]] bool counts_all() const { return config_.periods.empty() && config_.pairs.empty() && config_.min_days_apart <= 0; }
  /// What min_views counts where these tiles (ascending) show a window.
  [[nodiscard]] std::size_t count(std::span<const std::uint32_t> ranks) const;
  /// `seen` in order of rank.
  [[nodiscard]] ViewChoice choose(std::vector<Seen> seen) const;

 private:
  struct Facts {
    std::optional<double> day;          ///< since 1970, with its time
    std::optional<std::size_t> period;
    double from_middle = 0;             ///< days
    std::size_t source = 0;             ///< number of the source by name
    bool is_anchor = true;              ///< or there are no pairs
  };
  [[nodiscard]] bool is_earlier(std::size_t a, std::size_t b) const;
  [[nodiscard]] bool is_clearer(const Seen& a, const Seen& b) const;
  [[nodiscard]] std::optional<double> days_between(std::size_t a, std::size_t b) const;
  template <class Views>
  [[nodiscard]] std::optional<std::size_t> partner(std::size_t anchor, const PairRule& rule, const Views& views) const;
  [[nodiscard]] bool counts(std::uint32_t rank, std::span<const std::uint32_t> ranks) const;
  template <class Views>
  [[nodiscard]] bool is_paired(std::size_t rank, const Views& views) const;
  void keep_periods(std::vector<Seen>& views, const std::vector<Seen>& seen, ViewChoice& choice) const;
  void keep_apart(std::vector<Seen>& views, const std::vector<Seen>& seen, ViewChoice& choice) const;
  void keep_farthest(std::vector<Seen>& views, ViewChoice& choice) const;
  void add_partners(std::vector<Seen>& views, const std::vector<Seen>& seen, ViewChoice& choice) const;

  const CoverageSet& tiles_;
  const PlannerConfig& config_;
  std::vector<Facts> facts_;            ///< by rank
  std::vector<std::string> sources_;    ///< sorted
};

}  // namespace tilewright::index
