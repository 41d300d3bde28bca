// SPDX-License-Identifier: Apache-2.0
// Rows of a plan that grows: what it knows, what it changed, and single rows that go.
#include "index/manifest_sql.h"

namespace tilewright::index {
namespace {

/// A file of an older schema that is opened to read has no such tables.
bool has_plan(const Manifest& m) {
  return with_purpose(m, "looking for plan_change", [&] { return m.database().tableExists("plan_change"); });
}

}  // namespace

void insert(Manifest& m, const PlanTileRow& t) {
  write(m, "adding a tile to the plan",
        "INSERT INTO plan_tile(tile_id, content) VALUES (?1, ?2) ON CONFLICT(tile_id) DO UPDATE SET content = excluded.content", t.tile_id, t.content);
}

void insert(Manifest& m, const PlanChangeRow& c) {
  write(m, "adding a change of the plan", "INSERT INTO plan_change(plan, subject, change, detail) VALUES (?1, ?2, ?3, ?4)", c.plan, c.subject,
        c.change, c.detail);
}

void remove_view(Manifest& m, const std::string& location_id, const std::string& tile_id) {
  write(m, "removing a view", "DELETE FROM \"view\" WHERE location_id = ?1 AND tile_id = ?2", location_id, tile_id);
}

void remove_location(Manifest& m, const std::string& location_id) {
  write(m, "removing a location from the R-tree",
        "DELETE FROM rtree_location_geom WHERE id = (SELECT fid FROM location WHERE location_id = ?1)", location_id);
  write(m, "removing a location", "DELETE FROM location WHERE location_id = ?1", location_id);
}

void remove_plan_tile(Manifest& m, const std::string& tile_id) {
  write(m, "removing a tile from the plan", "DELETE FROM plan_tile WHERE tile_id = ?1", tile_id);
}

void set_view_count(Manifest& m, const std::string& location_id, int view_count) {
  write(m, "setting the number of views", "UPDATE location SET view_count = ?2 WHERE location_id = ?1", location_id, view_count);
}

void remove_mask(Manifest& m, const std::string& location_id, const std::string& layer) {
  write(m, "removing a mask", "DELETE FROM mask WHERE location_id = ?1 AND layer = ?2", location_id, layer);
}

void forget_view_places(Manifest& m, const std::string& source) {
  write(m, "forgetting places of views",
        "UPDATE \"view\" SET shard = NULL, member = NULL, byte_offset = NULL, byte_length = NULL, sha256 = NULL "
        "WHERE shard IS NOT NULL AND substr(tile_id, 1, length(?1) + 1) = ?1 || '-'", source);
  write(m, "forgetting numbers of shards", "DELETE FROM meta WHERE \"key\" = 'shards/next/' || ?1", source);
}

void remove_masks(Manifest& m, const std::string& layer) {
  write(m, "removing masks", "DELETE FROM mask WHERE layer = ?1", layer);
  write(m, "forgetting numbers of shards", "DELETE FROM meta WHERE \"key\" = 'shards/next/' || ?1", layer);
}

void remove_label_objects(Manifest& m, const std::string& layer) { write(m, "removing label objects", "DELETE FROM label_object WHERE layer = ?1", layer); }

void remove_labels(Manifest& m) {
  write(m, "removing label objects", "DELETE FROM label_object");
  write(m, "removing targets", "DELETE FROM target");
  write(m, "removing rejections of labels", "DELETE FROM rejection WHERE stage = 'label'");
}

void redo_shard(Manifest& m, const std::string& shard) {
  write(m, "marking views to be cut again", "UPDATE \"view\" SET sha256 = NULL WHERE shard = ?1", shard);
  write(m, "marking masks to be drawn again", "UPDATE mask SET sha256 = NULL WHERE shard = ?1", shard);
}

void start_over(Manifest& m) {
  for (const char* stage : {"views", "extract", "label", "split"}) clear_stage(m, stage);
  write(m, "removing masks", "DELETE FROM mask");
  write(m, "forgetting numbers of shards", "DELETE FROM meta WHERE \"key\" LIKE 'shards/next/%'");
}

void forget_facts(Manifest& m, const std::string& prefix) {
  write(m, "forgetting facts",
        "DELETE FROM meta WHERE \"key\" <> 'schema_version' AND \"key\" NOT LIKE 'local/%' AND substr(\"key\", 1, length(?1)) = ?1", prefix);
}

/// '0' is the character after '/': a range of the index instead of a scan.
void remove_rejections(Manifest& m, const std::string& stage, const std::string& subject) {
  write(m, "removing rejections", "DELETE FROM rejection WHERE stage = ?1 AND (?2 = '' OR subject = ?2 OR (subject > ?3 AND subject < ?4))", stage, subject,
        subject + "/", subject + "0");
}

std::vector<PlanTileRow> plan_tiles(const Manifest& m) {
  std::vector<PlanTileRow> rows;
  if (!has_plan(m)) return rows;
  each_row(m, "reading the tiles of the plan", "SELECT tile_id, content FROM plan_tile ORDER BY tile_id", [&](SQLite::Statement& row) {
    auto& t = rows.emplace_back();
    Columns(row) >> t.tile_id >> t.content;
  });
  return rows;
}

std::vector<PlanChangeRow> plan_changes(const Manifest& m, const std::string& subject) {
  std::vector<PlanChangeRow> rows;
  if (!has_plan(m)) return rows;
  each_row(m, "reading changes of the plan",
           "SELECT plan, subject, change, ifnull(detail, '') FROM plan_change WHERE ?1 = '' OR subject = ?1 ORDER BY plan, subject, change",
           [&](SQLite::Statement& row) {
             auto& c = rows.emplace_back();
             Columns(row) >> c.plan >> c.subject >> c.change >> c.detail;
           },
           subject);
  return rows;
}

}  // namespace tilewright::index
