// SPDX-License-Identifier: Apache-2.0
// What people decide of labels: lists to look through, the facts of one location, verdicts given
// and taken back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "index/manifest.h"

namespace tilewright::index {

/// Which locations of a layer a person looks through, and in which order.
struct ReviewQuery {
  std::string layer;
  std::string sort;  ///< a metric, a column of numbers (view_count, positive_frac ...), or location
  bool is_ascending =
      true;           ///< by value; locations without one come last, ties in order of location_id
  std::string where;  ///< rule in the grammar of index/where.h, "" = all; verdicts do not change
                      ///< what it finds
  std::string verdict =
      "any";           ///< any | open | accept | reject | skip | not_mine (nothing yet from `who`)
  std::string subset;  ///< only its members; "" = all
  std::string who;
};

/// Keys of the rows of `location` in the wanted order: 8 bytes a location. Throws Error::config for
/// a rule or sort that means nothing, with what there is.
std::vector<std::int64_t> review_order(const Manifest&, const ReviewQuery& query);

/// Key of the row of `location`, nullopt if there is none.
std::optional<std::int64_t> location_key(const Manifest&, const std::string& location_id);

/// One line of the list.
struct ReviewRow {
  std::string location_id;
  std::optional<double> value;  ///< of `sort`
  std::string verdict;          ///< "" = open, accept, reject or skip
  std::string who;              ///< whose verdict that is
};
/// Rows of the keys [from, from + count) of `order`; a location that is gone since is left out.
std::vector<ReviewRow> review_rows(const Manifest&, const ReviewQuery& query,
                                   const std::vector<std::int64_t>& order, std::size_t from,
                                   std::size_t count);

struct ReviewCounts {
  std::int64_t locations = 0;  ///< that have a mask or a score of the layer
  std::int64_t accept = 0, reject = 0, skip = 0;
};
/// Walks all verdicts of the layer: for the start, not for every key press.
ReviewCounts review_counts(const Manifest&, const std::string& layer);

/// What counts at a location: the last accept or reject; skip where there is none of them; "" =
/// open.
std::string verdict_at(const Manifest&, const std::string& location_id, const std::string& layer);

/// A row of `verdict` with its key.
struct GivenVerdict {
  std::int64_t id = 0;
  VerdictRow row;
};
std::vector<GivenVerdict> verdicts_at(const Manifest&, const std::string& location_id,
                                      const std::string& layer);  ///< newest first
/// Adds `row` in a transaction of its own and gives its key. Where the newest verdict of that
/// location and layer is the same word of the same person, that one's key: a request that was sent
/// twice counts once.
std::int64_t give_verdict(Manifest&, const VerdictRow& row);
/// The row of the key, nullopt if there is none.
std::optional<VerdictRow> verdict_of(const Manifest&, std::int64_t id);
/// The latest verdict that `who` gave on the layer, nullopt if there is none.
std::optional<GivenVerdict> latest_verdict(const Manifest&, const std::string& layer,
                                           const std::string& who);
void take_back_verdict(Manifest&, std::int64_t id);

std::vector<std::string> reviewers(const Manifest&);  ///< who gave the latest verdict first
std::vector<std::string> metrics_of(const Manifest&,
                                    const std::string& layer);  ///< of whole locations, by name
std::vector<ScoreRow> scores_at(const Manifest&, const std::string& location_id,
                                const std::string& layer);  ///< of the whole location
std::vector<MaskRow> masks_at(const Manifest&,
                              const std::string& location_id);  ///< layer, valid_from
std::vector<std::string> mask_layers(const Manifest&);          ///< that have masks, by name
std::vector<std::string> subsets_at(const Manifest&, const std::string& location_id);
/// Objects of `layer` whose object_id begins with `<location_id>/`: proposals of a repair.
std::vector<LabelObjectRow> proposals_at(const Manifest&, const std::string& location_id,
                                         const std::string& layer);

}  // namespace tilewright::index
