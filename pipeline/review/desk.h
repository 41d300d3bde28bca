// SPDX-License-Identifier: Apache-2.0
// What the review's page asks and decides, without HTTP: lists, places, verdicts.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "index/review.h"
#include "pipeline/config/job.h"
#include "pipeline/review/pixels.h"
#include "pipeline/runner/workspace.h"

namespace tilewright::pipeline {

using ReviewJson = nlohmann::ordered_json;

/// Status in the sense of HTTP: 200; 400 the question means nothing; 403 not yours; 404, 410 not
/// there (any more).
struct ReviewAnswer {
  int status = 200;
  ReviewJson json;
};

/// Bytes of a picture (PNG) or of classes (width x height bytes).
struct ReviewBytes {
  int status = 200;
  std::string error;          ///< where status is not 200
  int width = 0, height = 0;  ///< of classes
  std::vector<std::uint8_t> bytes;
};

/// One workspace under review: holds its lock, so that neither a run nor a second review changes it
/// meanwhile. Safe in several threads. Memory: 8 bytes a location of each list that is open,
/// kMostOrders at most.
class ReviewDesk {
 public:
  /// Throws Error::failed where the workspace is in use or cannot be written, Error::config where
  /// nothing is to review.
  explicit ReviewDesk(Job job);

  [[nodiscard]] const std::vector<std::string>& layers() const { return layers_; }
  ReviewAnswer state();
  /// Rows [from, from + count) of a list; `edition` is any text: another one sorts and filters
  /// anew. `find`: a location whose place in the list is told, too ("" = none).
  ReviewAnswer list(const index::ReviewQuery& query, const std::string& edition, std::size_t from,
                    std::size_t count, const std::string& find);
  ReviewAnswer place(const std::string& layer, const std::string& location_id);
  /// Committed and synced to the disk when this returns 200: a kill loses nothing.
  ReviewAnswer give(const index::VerdictRow& verdict);
  /// The latest verdict of a person on a layer: what undo takes back.
  ReviewAnswer latest(const std::string& layer, const std::string& who);
  /// Removes one's own verdict; one that is gone already is no error.
  ReviewAnswer take_back(std::int64_t id, const std::string& who);

  /// `show`: image or edges.
  ReviewBytes picture(const std::string& location_id, const std::string& tile_id,
                      const std::string& show);
  /// The view that is shown first, with the outlines of the layer's label.
  ReviewBytes thumbnail(const std::string& layer, const std::string& location_id);
  ReviewBytes mask(const std::string& location_id, const std::string& layer,
                   const std::string& valid_from);
  ReviewBytes prediction(const std::string& location_id, const std::string& tile_id,
                         const std::string& run);

  static constexpr std::size_t kMostOrders = 4, kMostRows = 500;

 private:
  struct Order {
    std::string key;
    std::vector<std::int64_t> fids;
  };
  const Order& order_of(const index::ReviewQuery& query, const std::string& edition);
  std::vector<std::string> band_names(const std::string& source);
  ReviewJson layer_json(const std::string& layer);
  std::vector<index::ViewRow> views_with_pixels(const std::string& location_id);
  std::size_t first_shown(const std::vector<index::ViewRow>& views);
  ReviewJson overlays_of(const std::string& layer, const std::string& location_id,
                         const std::vector<index::ViewRow>& views);
  ReviewJson counts_json(const std::string& layer);
  void count(const std::string& layer, const std::string& before, const std::string& after);

  Job job_;
  WorkspaceLock lock_;
  index::Manifest manifest_;  ///< guarded by asking_, as all below
  ReviewPixels pixels_;
  std::mutex asking_;
  std::vector<std::string> layers_;
  std::map<std::string, index::ReviewCounts> counts_;
  std::map<std::string, std::vector<std::string>> band_names_;
  std::list<Order> orders_;  ///< the latest first
};

}  // namespace tilewright::pipeline
