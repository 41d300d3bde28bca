// SPDX-License-Identifier: Apache-2.0
// Queries of the review; every value is bound.
#include "index/review.h"

#include <algorithm>

#include "geometry/error.h"
#include "index/manifest_sql.h"
#include "index/where_parse.h"

namespace tilewright::index {
namespace {

/// Key of the verdict that counts at l: the last accept or reject, else the last skip.
constexpr const char* kDeciding =
    "(SELECT id FROM verdict WHERE location_id = l.location_id AND layer = ?1 ORDER BY verdict = "
    "'skip', id DESC LIMIT 1)";

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

/// The value of the sort over l with ?1 the layer, and the metric where that has to be bound as ?2.
struct SortSql {
  std::string value;
  std::optional<std::string> metric;
};
SortSql sort_sql(const Manifest& m, const ReviewQuery& query) {
  if (query.sort == "location") return {"NULL", std::nullopt};
  if (auto column = number_column(query.sort)) return {std::move(*column), std::nullopt};
  const auto known = metrics_of(m, query.layer);
  if (std::ranges::find(known, query.sort) == known.end())
    throw Error::config("sort: layer " + query.layer + " has no score named \"" + query.sort +
                        "\"; there are location, view_count, positive_frac, object_count" +
                        (known.empty() ? "" : ", " + listed(known)));
  return {
      "(SELECT value FROM score WHERE location_id = l.location_id AND layer = ?1 AND metric = ?2 "
      "AND tile_id IS NULL AND object_id IS NULL)",
      query.sort};
}

/// Condition on the verdict of l; ?3 is who asks.
std::string verdict_sql(const std::string& verdict) {
  if (verdict == "any") return "1";
  if (verdict == "not_mine")
    return "NOT EXISTS (SELECT 1 FROM verdict WHERE location_id = l.location_id AND layer = ?1 AND "
           "who = ?3)";
  const std::string any =
      "EXISTS (SELECT 1 FROM verdict WHERE location_id = l.location_id AND layer = ?1)";
  if (verdict == "open") return "NOT " + any;
  if (verdict == "accept" || verdict == "reject" || verdict == "skip")
    return any + " AND (SELECT verdict FROM verdict WHERE id = " + std::string(kDeciding) +
           ") = '" + verdict + "'";
  throw Error::config("verdict: '" + verdict +
                      "' is none of any, open, accept, reject, skip, not_mine");
}

/// The rule's condition with its values numbered from `first` on instead of ?2.
std::string renumbered(const WhereSql& where, int first) {
  std::string out;
  for (std::size_t i = 0; i < where.condition.size();) {
    out += where.condition[i];
    if (where.condition[i++] != '?') continue;
    int number = 0;
    while (i < where.condition.size() && where.condition[i] >= '0' && where.condition[i] <= '9')
      number = number * 10 + (where.condition[i++] - '0');
    out += std::to_string(number == 1 ? 1 : number - 2 + first);
  }
  return out;
}

void check_metrics(const Manifest& m, const ReviewQuery& query, const WhereSql& where) {
  const auto known = metrics_of(m, query.layer);
  for (const auto& metric : where.metrics)
    if (std::ranges::find(known, metric) == known.end())
      throw Error::config("rule \"" + query.where + "\": layer " + query.layer +
                          " has no scores named \"" + metric + "\"; " +
                          (known.empty() ? "it has no scores" : "there are " + listed(known)) +
                          ", and columns such as view_count and positive_frac");
}

}  // namespace

std::vector<std::int64_t> review_order(const Manifest& m, const ReviewQuery& query) {
  constexpr int kFirstRuleValue = 5;
  const auto sort = sort_sql(m, query);
  WhereSql where{.condition = "1", .values = {}, .metrics = {}};
  if (!query.where.empty()) where = parse_where(query.where);
  check_metrics(m, query, where);
  // Materialized: else the value is looked up once for each of its places in the order.
  const auto sql = "WITH listed AS MATERIALIZED (SELECT l.fid AS fid, l.location_id AS id, " +
                   sort.value + " AS value FROM location l WHERE " + kOfLayer + " AND " +
                   verdict_sql(query.verdict) +
                   " AND (?4 = '' OR EXISTS (SELECT 1 FROM subset_member WHERE name = ?4 AND "
                   "location_id = l.location_id)) AND coalesce(" +
                   renumbered(where, kFirstRuleValue) +
                   ", 0)) SELECT fid FROM listed ORDER BY value IS NULL, value" +
                   (query.is_ascending ? "" : " DESC") + ", id";
  return with_purpose(m, "listing locations for review", [&] {
    SQLite::Statement statement(m.database(), sql);
    bind_value(statement, 1, query.layer);
    const auto bind_if_used = [&](int n, const std::string& value) {
      if (statement.getIndex(("?" + std::to_string(n)).c_str()) > 0)
        bind_value(statement, n, value);
    };
    const std::string metric = sort.metric.value_or("");
    bind_if_used(2, metric);
    bind_if_used(3, query.who);
    bind_value(statement, 4, query.subset);
    for (std::size_t n = 0; n < where.values.size(); ++n)
      std::visit(
          [&](const auto& value) {
            bind_value(statement, static_cast<int>(n) + kFirstRuleValue, value);
          },
          where.values[n]);
    std::vector<std::int64_t> fids;
    while (statement.executeStep()) fids.push_back(statement.getColumn(0).getInt64());
    return fids;
  });
}

std::optional<std::int64_t> location_key(const Manifest& m, const std::string& location_id) {
  std::optional<std::int64_t> key;
  each_row(
      m, "looking for a location", "SELECT fid FROM location WHERE location_id = ?1",
      [&](SQLite::Statement& row) { Columns(row) >> key; }, location_id);
  return key;
}

std::vector<ReviewRow> review_rows(const Manifest& m, const ReviewQuery& query,
                                   const std::vector<std::int64_t>& order, std::size_t from,
                                   std::size_t count) {
  const auto sort = sort_sql(m, query);
  const auto sql =
      "SELECT l.location_id, " + sort.value +
      ", ifnull(v.verdict, ''), ifnull(v.who, '') FROM location l LEFT JOIN verdict v ON v.id = " +
      kDeciding + " WHERE l.fid = ?3";
  return with_purpose(m, "reading a page of the list", [&] {
    SQLite::Statement statement(m.database(), sql);
    const std::string metric = sort.metric.value_or("");
    std::vector<ReviewRow> rows;
    for (std::size_t n = from; n < std::min(order.size(), from + count); ++n) {
      bind_value(statement, 1, query.layer);
      if (sort.metric) bind_value(statement, 2, metric);
      bind_value(statement, 3, order[n]);
      if (statement.executeStep()) {
        auto& row = rows.emplace_back();
        Columns(statement) >> row.location_id >> row.value >> row.verdict >> row.who;
      }
      statement.reset();
    }
    return rows;
  });
}

ReviewCounts review_counts(const Manifest& m, const std::string& layer) {
  ReviewCounts counts;
  each_row(
      m, "counting locations for review",
      "SELECT count(*) FROM location l WHERE " + std::string(kOfLayer),
      [&](SQLite::Statement& row) { Columns(row) >> counts.locations; }, layer);
  each_row(
      m, "counting verdicts",
      "SELECT v.verdict, count(*) FROM (SELECT DISTINCT location_id FROM verdict WHERE layer = ?1) "
      "d JOIN location l ON l.location_id = d.location_id JOIN verdict v ON v.id = " +
          std::string(kDeciding) + " GROUP BY v.verdict",
      [&](SQLite::Statement& row) {
        std::string verdict;
        std::int64_t count = 0;
        Columns(row) >> verdict >> count;
        (verdict == "accept"   ? counts.accept
         : verdict == "reject" ? counts.reject
                               : counts.skip) += count;
      },
      layer);
  return counts;
}

std::string verdict_at(const Manifest& m, const std::string& location_id,
                       const std::string& layer) {
  std::string out;
  each_row(
      m, "reading a verdict",
      "SELECT verdict FROM verdict WHERE location_id = ?1 AND layer = ?2 ORDER BY verdict = "
      "'skip', id DESC LIMIT 1",
      [&](SQLite::Statement& row) { Columns(row) >> out; }, location_id, layer);
  return out;
}

std::vector<GivenVerdict> verdicts_at(const Manifest& m, const std::string& location_id,
                                      const std::string& layer) {
  std::vector<GivenVerdict> out;
  each_row(
      m, "reading verdicts",
      "SELECT id, location_id, layer, verdict, ifnull(who, ''), at, ifnull(note, '') FROM verdict "
      "WHERE location_id = ?1 AND layer = ?2 ORDER BY id DESC",
      [&](SQLite::Statement& row) {
        auto& given = out.emplace_back();
        Columns(row) >> given.id >> given.row.location_id >> given.row.layer >> given.row.verdict >>
            given.row.who >> given.row.at >> given.row.note;
      },
      location_id, layer);
  return out;
}

std::int64_t give_verdict(Manifest& m, const VerdictRow& row) {
  std::int64_t id = 0;
  m.in_transaction([&] {
    const auto known = verdicts_at(m, row.location_id, row.layer);
    const auto is_same = [&](const VerdictRow& other) {
      return other.verdict == row.verdict && other.who == row.who && other.note == row.note;
    };
    if (!known.empty() && is_same(known.front().row)) {
      id = known.front().id;
      return;
    }
    insert(m, row);
    id = m.database().getLastInsertRowid();
  });
  return id;
}

std::optional<VerdictRow> verdict_of(const Manifest& m, std::int64_t id) {
  std::optional<VerdictRow> out;
  each_row(
      m, "reading a verdict",
      "SELECT location_id, layer, verdict, ifnull(who, ''), at, ifnull(note, '') FROM verdict "
      "WHERE id = ?1",
      [&](SQLite::Statement& row) {
        auto& v = out.emplace();
        Columns(row) >> v.location_id >> v.layer >> v.verdict >> v.who >> v.at >> v.note;
      },
      id);
  return out;
}

std::optional<GivenVerdict> latest_verdict(const Manifest& m, const std::string& layer,
                                           const std::string& who) {
  std::optional<std::int64_t> id;
  each_row(
      m, "reading the latest verdict", "SELECT max(id) FROM verdict WHERE layer = ?1 AND who = ?2",
      [&](SQLite::Statement& row) { Columns(row) >> id; }, layer, who);
  if (!id) return std::nullopt;
  return GivenVerdict{*id, *verdict_of(m, *id)};
}

void take_back_verdict(Manifest& m, std::int64_t id) {
  m.in_transaction(
      [&] { write(m, "taking back a verdict", "DELETE FROM verdict WHERE id = ?1", id); });
}

std::vector<std::string> reviewers(const Manifest& m) {
  std::vector<std::string> out;
  each_row(m, "listing reviewers",
           "SELECT who FROM verdict WHERE ifnull(who, '') != '' GROUP BY who ORDER BY max(id) DESC",
           [&](SQLite::Statement& row) { Columns(row) >> out.emplace_back(); });
  return out;
}

/// From metric to metric through the index: millions of scores are not walked.
std::vector<std::string> metrics_of(const Manifest& m, const std::string& layer) {
  std::vector<std::string> out;
  each_row(
      m, "listing metrics",
      "WITH RECURSIVE found(metric) AS (SELECT min(metric) FROM score WHERE layer = ?1 UNION ALL "
      "SELECT (SELECT min(metric) FROM score WHERE layer = ?1 AND metric > found.metric) FROM "
      "found WHERE found.metric IS NOT NULL) SELECT metric FROM found WHERE metric IS NOT NULL AND "
      "EXISTS (SELECT 1 FROM score WHERE layer = ?1 AND metric = found.metric AND tile_id IS NULL "
      "AND object_id IS NULL)",
      [&](SQLite::Statement& row) { Columns(row) >> out.emplace_back(); }, layer);
  return out;
}

std::vector<ScoreRow> scores_at(const Manifest& m, const std::string& location_id,
                                const std::string& layer) {
  std::vector<ScoreRow> out;
  each_row(
      m, "reading scores",
      "SELECT location_id, layer, metric, value FROM score WHERE location_id = ?1 AND layer = ?2 "
      "AND tile_id IS NULL AND object_id IS NULL ORDER BY metric",
      [&](SQLite::Statement& row) {
        auto& score = out.emplace_back();
        Columns(row) >> score.location_id >> score.layer >> score.metric >> score.value;
      },
      location_id, layer);
  return out;
}

std::vector<MaskRow> masks_at(const Manifest& m, const std::string& location_id) {
  std::vector<MaskRow> rows;
  each_row(
      m, "reading masks",
      "SELECT location_id, layer, valid_from, valid_to, shard, member, byte_offset, byte_length, "
      "sha256, positive_frac, ignore_frac, object_count, shard FROM mask WHERE location_id = ?1 "
      "ORDER BY layer, valid_from, member",
      [&](SQLite::Statement& row) {
        auto& k = rows.emplace_back();
        Columns(row) >> k.location_id >> k.layer >> k.valid_from >> k.valid_to >> k.place >>
            k.positive_frac >> k.ignore_frac >> k.object_count >> k.home;
      },
      location_id);
  return rows;
}

std::vector<std::string> mask_layers(const Manifest& m) {
  std::vector<std::string> out;
  each_row(m, "listing layers", "SELECT DISTINCT layer FROM mask ORDER BY layer",
           [&](SQLite::Statement& row) { Columns(row) >> out.emplace_back(); });
  return out;
}

std::vector<std::string> subsets_at(const Manifest& m, const std::string& location_id) {
  std::vector<std::string> out;
  each_row(
      m, "reading subsets",
      "SELECT s.name FROM subset s WHERE EXISTS (SELECT 1 FROM subset_member WHERE name = s.name "
      "AND location_id = ?1) ORDER BY s.name",
      [&](SQLite::Statement& row) { Columns(row) >> out.emplace_back(); }, location_id);
  return out;
}

/// '0' is the character after '/': a range of the index instead of a scan.
std::vector<LabelObjectRow> proposals_at(const Manifest& m, const std::string& location_id,
                                         const std::string& layer) {
  std::vector<LabelObjectRow> rows;
  each_row(
      m, "reading proposals",
      "SELECT layer, object_id, class, rule, offset_m, status, reason FROM label_object WHERE "
      "layer = ?1 AND object_id > ?2 AND object_id < ?3 ORDER BY object_id",
      [&](SQLite::Statement& row) {
        auto& o = rows.emplace_back();
        Columns(row) >> o.layer >> o.object_id >> o.object_class >> o.rule >> o.offset_m >>
            o.status >> o.reason;
      },
      layer, location_id + "/", location_id + "0");
  return rows;
}

}  // namespace tilewright::index
