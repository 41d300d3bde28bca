// SPDX-License-Identifier: Apache-2.0
// Selecting locations by rule or rank; what a person decided wins.
#include "index/where.h"

#include <algorithm>

#include "geometry/error.h"
#include "index/manifest_sql.h"
#include "index/review.h"
#include "index/where_parse.h"

namespace tilewright::index {
namespace {

/// The last accept or reject of a location for the layer, NULL if there is none.
constexpr const char* kVerdict =
    "(SELECT verdict FROM verdict WHERE location_id = l.location_id AND layer = ?1 AND verdict != 'skip' ORDER BY id DESC LIMIT 1)";

void check_metric(const Manifest& m, const std::string& layer, const std::string& metric) {
  const auto metrics = metrics_of(m, layer);
  if (std::ranges::find(metrics, metric) != metrics.end()) return;
  std::string known;
  for (const auto& name : metrics) known += (known.empty() ? "" : ", ") + name;
  throw Error::config("subset rule: layer " + layer + " has no scores named \"" + metric + "\"; " +
                      (known.empty() ? "it has no scores: name metrics in curate.scores" : "there are " + known + ", and columns such as view_count and positive_frac"));
}

std::vector<std::string> ids_of(SQLite::Statement& statement) {
  std::vector<std::string> ids;
  while (statement.executeStep()) ids.push_back(statement.getColumn(0).getString());
  return ids;
}

}  // namespace

std::vector<std::string> check_where(const std::string& rule) { return parse_where(rule).metrics; }

std::vector<std::string> select_where(const Manifest& m, const std::string& layer, const std::string& rule) {
  const auto where = parse_where(rule);
  for (const auto& metric : where.metrics) check_metric(m, layer, metric);
  const std::string sql = "SELECT l.location_id FROM location l WHERE " + std::string(kOfLayer) + " AND CASE " + kVerdict +
                          " WHEN 'accept' THEN 1 WHEN 'reject' THEN 0 ELSE coalesce(" + where.condition + ", 0) END ORDER BY l.location_id";
  return with_purpose(m, "selecting by the rule \"" + rule + "\"", [&] {
    SQLite::Statement statement(m.database(), sql);
    bind_value(statement, 1, layer);
    for (std::size_t n = 0; n < where.values.size(); ++n)
      std::visit([&](const auto& value) { bind_value(statement, static_cast<int>(n) + 2, value); }, where.values[n]);
    return ids_of(statement);
  });
}

std::vector<std::string> select_top(const Manifest& m, const std::string& layer, const std::string& metric, bool smaller_is_better,
                                    std::int64_t top) {
  check_metric(m, layer, metric);
  const std::string sql = "SELECT id FROM (SELECT l.location_id AS id, s.value AS value, " + std::string(kVerdict) +
                          " AS verdict FROM location l JOIN score s ON s.location_id = l.location_id "
                          "WHERE s.layer = ?1 AND s.metric = ?2 AND s.tile_id IS NULL AND s.object_id IS NULL) "
                          "WHERE verdict IS NOT 'reject' ORDER BY verdict IS NOT 'accept', iif(?4, -value, value) DESC, id LIMIT ?3";
  return with_purpose(m, "selecting the best by " + metric, [&] {
    SQLite::Statement statement(m.database(), sql);
    bind_all(statement, layer, metric, top, std::int64_t{smaller_is_better});
    return ids_of(statement);
  });
}

}  // namespace tilewright::index
