// SPDX-License-Identifier: Apache-2.0
// Counts over the rows of a plan, made by the database.
#include "index/plan_rows.h"

#include "index/manifest_sql.h"

namespace tilewright::index {

std::vector<std::string> tile_ids(const Manifest& m, const std::string& source) {
  std::vector<std::string> ids;
  each_row(
      m, "listing tiles", "SELECT tile_id FROM tile WHERE source = ?1 ORDER BY tile_id",
      [&](SQLite::Statement& row) { Columns(row) >> ids.emplace_back(); }, source);
  return ids;
}

PlanCounts plan_counts(const Manifest& m) {
  PlanCounts counts;
  each_row(m, "counting locations", "SELECT count(*) FROM location",
           [&](SQLite::Statement& row) { Columns(row) >> counts.locations; });
  each_row(m, "counting views", "SELECT count(*), ifnull(sum(resampled), 0) FROM \"view\"",
           [&](SQLite::Statement& row) { Columns(row) >> counts.views >> counts.resampled; });
  each_row(m, "listing tiles that are seen", "SELECT DISTINCT tile_id FROM \"view\"",
           [&](SQLite::Statement& row) {
             std::string tile_id;
             Columns(row) >> tile_id;
             counts.tiles.insert(std::move(tile_id));
           });
  each_row(m, "listing zones", "SELECT DISTINCT ifnull(epsg, 0) FROM location",
           [&](SQLite::Statement& row) {
             int epsg = 0;
             Columns(row) >> epsg;
             counts.zones.insert(epsg);
           });
  return counts;
}

void each_rejection(const Manifest& m, const std::string& stage,
                    const std::function<void(RejectionRow)>& use) {
  each_row(
      m, "reading rejections",
      "SELECT stage, subject, reason, ifnull(detail, '') FROM rejection WHERE stage = ?1 ORDER BY "
      "subject, reason",
      [&](SQLite::Statement& row) {
        RejectionRow r;
        Columns(row) >> r.stage >> r.subject >> r.reason >> r.detail;
        use(std::move(r));
      },
      stage);
}

std::map<std::string, std::int64_t> rejection_counts(const Manifest& m, const std::string& stage) {
  std::map<std::string, std::int64_t> counts;
  each_row(
      m, "counting rejections",
      "SELECT reason, count(*) FROM rejection WHERE stage = ?1 GROUP BY reason",
      [&](SQLite::Statement& row) {
        std::string reason;
        Columns(row) >> reason >> counts[reason];
      },
      stage);
  return counts;
}

}  // namespace tilewright::index
