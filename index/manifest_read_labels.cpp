// SPDX-License-Identifier: Apache-2.0
// Reading masks, targets, objects, scores, subsets, splits, rejections, runs and meta values.
#include "index/manifest_sql.h"

namespace tilewright::index {

std::vector<std::string> shard_files(const Manifest& m, const std::string& table) {
  const bool of_views = table == "view";
  std::vector<std::string> out;
  each_row(m, "listing shards",
           of_views ? "SELECT DISTINCT shard FROM view WHERE shard IS NOT NULL ORDER BY shard"
                    : "SELECT DISTINCT shard FROM mask WHERE shard IS NOT NULL ORDER BY shard",
           [&](SQLite::Statement& row) { Columns(row) >> out.emplace_back(); });
  return out;
}

std::vector<MaskRow> masks(const Manifest& m, const std::string& layer) {
  std::vector<MaskRow> rows;
  each_row(m, "reading masks",
           "SELECT location_id, layer, valid_from, valid_to, shard, member, byte_offset, byte_length, sha256, positive_frac, ignore_frac, "
           "object_count, shard FROM mask WHERE (?1 = '' OR layer = ?1) ORDER BY layer, location_id, valid_from, member",
           [&](SQLite::Statement& row) {
             auto& k = rows.emplace_back();
             Columns(row) >> k.location_id >> k.layer >> k.valid_from >> k.valid_to >> k.place >> k.positive_frac >> k.ignore_frac >>
                 k.object_count >> k.home;
           },
           layer);
  return rows;
}

std::vector<TargetRow> targets(const Manifest& m, const std::string& name) {
  std::vector<TargetRow> rows;
  each_row(m, "reading targets",
           "SELECT location_id, name, kind, ifnull(value, ''), unit, source, valid_from, valid_to FROM target WHERE (?1 = '' OR name = ?1) "
           "ORDER BY name, location_id, valid_from, value",
           [&](SQLite::Statement& row) {
             auto& t = rows.emplace_back();
             Columns(row) >> t.location_id >> t.name >> t.kind >> t.value >> t.unit >> t.source >> t.valid_from >> t.valid_to;
           },
           name);
  return rows;
}

std::vector<LabelObjectRow> label_objects(const Manifest& m, const std::string& layer) {
  std::vector<LabelObjectRow> rows;
  each_row(m, "reading label objects",
           "SELECT layer, object_id, class, rule, width_m, width_sigma_m, offset_m, status, reason, source, lon, lat FROM label_object "
           "WHERE (?1 = '' OR layer = ?1) ORDER BY layer, object_id, status, reason",
           [&](SQLite::Statement& row) {
             auto& o = rows.emplace_back();
             Columns(row) >> o.layer >> o.object_id >> o.object_class >> o.rule >> o.width_m >> o.width_sigma_m >> o.offset_m >>
                 o.status >> o.reason >> o.source >> o.lon_deg >> o.lat_deg;
           },
           layer);
  return rows;
}

std::vector<ScoreRow> scores(const Manifest& m, const std::string& layer, const std::string& metric) {
  std::vector<ScoreRow> rows;
  each_row(m, "reading scores",
           "SELECT location_id, tile_id, layer, object_id, metric, value FROM score WHERE (?1 = '' OR layer = ?1) AND (?2 = '' OR metric = ?2) "
           "ORDER BY layer, metric, location_id, tile_id, object_id",
           [&](SQLite::Statement& row) {
             auto& s = rows.emplace_back();
             Columns(row) >> s.location_id >> s.tile_id >> s.layer >> s.object_id >> s.metric >> s.value;
           },
           layer, metric);
  return rows;
}

std::vector<VerdictRow> verdicts(const Manifest& m) {
  std::vector<VerdictRow> rows;
  each_row(m, "reading verdicts",
           "SELECT location_id, layer, verdict, ifnull(who, ''), at, ifnull(note, '') FROM verdict ORDER BY location_id, layer, id",
           [&](SQLite::Statement& row) {
             auto& v = rows.emplace_back();
             Columns(row) >> v.location_id >> v.layer >> v.verdict >> v.who >> v.at >> v.note;
           });
  return rows;
}

std::vector<SplitRow> splits(const Manifest& m, const std::string& name) {
  std::vector<SplitRow> rows;
  each_row(m, "reading a split", "SELECT name, location_id, part, fold FROM split WHERE name = ?1 ORDER BY location_id",
           [&](SQLite::Statement& row) {
             auto& s = rows.emplace_back();
             Columns(row) >> s.name >> s.location_id >> s.part >> s.fold;
           },
           name);
  return rows;
}

std::vector<SubsetRow> subsets(const Manifest& m) {
  std::vector<SubsetRow> out;
  each_row(m, "reading subsets", "SELECT name, rule FROM subset ORDER BY name", [&](SQLite::Statement& row) { out.push_back({row.getColumn(0).getString(), row.getColumn(1).getString()}); });
  return out;
}

std::vector<std::string> subset_members(const Manifest& m, const std::string& name) {
  std::vector<std::string> ids;
  each_row(m, "reading a subset", "SELECT location_id FROM subset_member WHERE name = ?1 ORDER BY location_id",
           [&](SQLite::Statement& row) { ids.push_back(row.getColumn(0).getString()); }, name);
  return ids;
}

std::vector<RejectionRow> rejections(const Manifest& m, const std::string& stage) {
  std::vector<RejectionRow> rows;
  each_row(m, "reading rejections",
           "SELECT stage, subject, reason, ifnull(detail, '') FROM rejection WHERE (?1 = '' OR stage = ?1) "
           "ORDER BY stage, subject, reason, detail",
           [&](SQLite::Statement& row) {
             auto& r = rows.emplace_back();
             Columns(row) >> r.stage >> r.subject >> r.reason >> r.detail;
           },
           stage);
  return rows;
}

std::optional<StageRunRow> stage_run(const Manifest& m, const std::string& stage) {
  std::optional<StageRunRow> found;
  each_row(m, "reading a stage run",
           "SELECT stage, \"key\", ifnull(started, ''), ifnull(finished, ''), ifnull(config_json, ''), ifnull(versions_json, ''), "
           "ifnull(counts_json, '') FROM stage_run WHERE stage = ?1",
           [&](SQLite::Statement& row) {
             auto& r = found.emplace();
             Columns(row) >> r.stage >> r.key >> r.started >> r.finished >> r.config_json >> r.versions_json >> r.counts_json;
           },
           stage);
  return found;
}

std::optional<std::string> meta(const Manifest& m, const std::string& key) {
  std::optional<std::string> value;
  each_row(m, "reading a meta value", "SELECT ifnull(value, '') FROM meta WHERE \"key\" = ?1",
           [&](SQLite::Statement& row) { value = row.getColumn(0).getString(); }, key);
  return value;
}

std::map<std::string, std::string> facts(const Manifest& m, const std::string& prefix) {
  std::map<std::string, std::string> found;
  each_row(m, "reading facts", "SELECT substr(\"key\", length(?1) + 1), ifnull(value, '') FROM meta WHERE substr(\"key\", 1, length(?1)) = ?1",
           [&](SQLite::Statement& row) { found[row.getColumn(0).getString()] = row.getColumn(1).getString(); }, prefix);
  return found;
}

std::optional<FileStat> file_stat(const Manifest& m, const std::string& path) {
  std::optional<FileStat> found;
  each_row(m, "reading a file's state", "SELECT path, size, mtime_ns, ctime_ns, inode, sha256 FROM file_stat WHERE path = ?1",
           [&](SQLite::Statement& row) {
             auto& f = found.emplace();
             Columns(row) >> f.path >> f.size >> f.mtime_ns >> f.ctime_ns >> f.inode >> f.sha256;
           },
           path);
  return found;
}

}  // namespace tilewright::index
