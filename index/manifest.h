// SPDX-License-Identifier: Apache-2.0
// The manifest database: opening, transactions and queries by row structs. SQL is bound only.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "index/rows.h"

namespace SQLite {
class Database;
}

namespace tilewright::index {

/// One connection; not shared between threads. Schema, pragmas and ST_ functions are set up on
/// opening. Errors name the file and the statement's purpose.
class Manifest {
 public:
  enum class Mode { create_or_write, read_only };
  /// Throws Error::failed for a foreign file, damage, or a newer schema (with both versions).
  static Manifest open(const std::filesystem::path& file, Mode mode);
  Manifest(Manifest&&) noexcept;
  ~Manifest();  ///< leaves WAL where this connection was the writer

  [[nodiscard]] SQLite::Database& database() const { return *database_; }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

  /// BEGIN IMMEDIATE ... COMMIT around `work`; rolled back if it throws.
  void in_transaction(const std::function<void()>& work);

  void begin_stage();  ///< WAL + FULL on a local disk, DELETE + EXTRA elsewhere
  void end_stage();    ///< bounds of the layers, checkpoint(TRUNCATE), journal_mode DELETE

  struct Statements;   ///< compiled statements of this connection, for this room
  [[nodiscard]] Statements& statements() const { return *statements_; }

 private:
  explicit Manifest(std::unique_ptr<SQLite::Database> database, std::filesystem::path file);
  std::unique_ptr<SQLite::Database> database_;
  std::unique_ptr<Statements> statements_;  ///< after database_: finalized before it closes
  std::filesystem::path file_;
};

// Writers. Call inside a transaction; `insert` of a feature row keeps its R-tree right.
void insert(Manifest&, const TileRow&);
void insert(Manifest&, const TileFileRow&);
void insert(Manifest&, const OverlapRow&);
void insert(Manifest&, const LocationRow&);
void insert(Manifest&, const ViewRow&);
void insert(Manifest&, const PlanTileRow&);
void insert(Manifest&, const PlanChangeRow&);
void insert(Manifest&, const MaskRow&);
void insert(Manifest&, const TargetRow&);
void insert(Manifest&, const LabelObjectRow&);
void insert(Manifest&, const ScoreRow&);
void insert(Manifest&, const VerdictRow&);
void insert(Manifest&, const SplitRow&);
void insert(Manifest&, const RejectionRow&);
void insert(Manifest&, const StageRunRow&);

void set_component(Manifest&, const std::string& tile_id, int component_id);
void set_view_place(Manifest&, const std::string& location_id, const std::string& tile_id,
                    const MemberPlace& place);
void set_location_split(Manifest&, const std::string& location_id,
                        const std::optional<std::string>& part);
void write_subset(Manifest&, const std::string& name, const std::string& rule,
                  const std::vector<std::string>& location_ids);

/// The plan of the views, row by row, where it only grows or shrinks. Removing a location leaves
/// its views to the caller.
void remove_view(Manifest&, const std::string& location_id, const std::string& tile_id);
void remove_location(Manifest&, const std::string& location_id);
void remove_plan_tile(Manifest&, const std::string& tile_id);
void set_view_count(Manifest&, const std::string& location_id, int view_count);
void remove_mask(Manifest&, const std::string& location_id, const std::string& layer);
/// Forgets where the views of a source, or the masks of a layer, lie: the series starts over. The
/// second removes its rows.
void forget_view_places(Manifest&, const std::string& source);
void remove_masks(Manifest&, const std::string& layer);
void remove_label_objects(Manifest&, const std::string& layer);
/// All label objects, targets, and rejections of the label stage; masks stay.
void remove_labels(Manifest&);
/// What lies in the shard has to be made again, and comes back there.
void redo_shard(Manifest&, const std::string& shard);
/// Everything of the plan and what rests on it, as in a new workspace: views, places, masks, parts.
void start_over(Manifest&);
/// Facts of `meta` whose key begins with `prefix`, but for the schema's and those under "local/".
void forget_facts(Manifest&, const std::string& prefix = "");
/// Rejections of `stage` whose subject is `subject` or begins with `subject` and a slash; "" = all.
void remove_rejections(Manifest&, const std::string& stage, const std::string& subject = "");

/// Removes what a stage wrote (its rows and rejections), before it writes anew.
/// scan: tile, tile_file; graph: overlap, component_id; views: location, view, plan_tile,
/// plan_change; extract, label: hashes of views and masks (they are made again in the same shards),
/// target, label_object; split: split, location.split; curate: score, subset, subset_member (verdicts are
/// never removed). stage_run of the stage goes too.
void clear_stage(Manifest&, const std::string& stage);

// Readers, in the canonical order named here.
std::vector<TileRow> tiles(const Manifest&, const std::string& source = "",
                           const std::string& status = "");                   ///< tile_id
std::optional<TileRow> tile(const Manifest&, const std::string& tile_id);
std::vector<TileFileRow> tile_files(const Manifest&, const std::string& tile_id = "");  ///< tile_id, rowid
std::vector<OverlapRow> overlaps(const Manifest&);                            ///< tile_a, tile_b
std::int64_t overlap_count(const Manifest&, const std::string& tile_id = "");  ///< without reading the rows; of one tile or all
/// What the graph needs of ok tiles, one by one in order of tile_id: outlines may be large.
struct TileGeometry {
  std::string tile_id;
  geometry::GeoMultiPolygon geom;
  Timestamp acquired;
};
void each_ok_tile_geometry(const Manifest&, const std::function<void(TileGeometry)>& use);
std::vector<LocationRow> locations(const Manifest&);                          ///< location_id
std::optional<LocationRow> location(const Manifest&, const std::string& location_id);
std::vector<ViewRow> views(const Manifest&, const std::string& location_id = "");  ///< location_id, acquired, tile_id
std::vector<PlanTileRow> plan_tiles(const Manifest&);                         ///< tile_id
std::vector<PlanChangeRow> plan_changes(const Manifest&, const std::string& subject = "");  ///< plan, subject
std::vector<MaskRow> masks(const Manifest&, const std::string& layer = "");   ///< layer, location_id, valid_from
std::vector<TargetRow> targets(const Manifest&, const std::string& name = ""); ///< name, location_id, valid_from
/// Distinct shard files that rows of "view" or "mask" point into, ordered.
std::vector<std::string> shard_files(const Manifest&, const std::string& table);
std::vector<LabelObjectRow> label_objects(const Manifest&, const std::string& layer = "");
std::vector<ScoreRow> scores(const Manifest&, const std::string& layer = "", const std::string& metric = "");
std::vector<VerdictRow> verdicts(const Manifest&);  ///< location_id, layer, in the order given
std::vector<SplitRow> splits(const Manifest&, const std::string& name);
std::vector<SubsetRow> subsets(const Manifest&);  ///< name
std::vector<std::string> subset_members(const Manifest&, const std::string& name);
std::vector<RejectionRow> rejections(const Manifest&, const std::string& stage = "");
std::optional<StageRunRow> stage_run(const Manifest&, const std::string& stage);
std::optional<std::string> meta(const Manifest&, const std::string& key);
void set_meta(Manifest&, const std::string& key, const std::string& value);
/// Values of `meta` whose key begins with `prefix`, by the rest of the key.
std::map<std::string, std::string> facts(const Manifest&, const std::string& prefix);

/// Ids of tiles or locations ("tile", "location") whose box touches [west, south, east, north].
std::vector<std::string> ids_in_box(const Manifest&, const std::string& layer,
                                    const geometry::Box& degrees);

/// Stat tuple of an input and its content hash: saves rehashing; internal, not registered.
struct FileStat {
  std::string path;  ///< "<root>:<relative>"
  std::int64_t size = 0, mtime_ns = 0, ctime_ns = 0, inode = 0;
  std::string sha256;
};
std::optional<FileStat> file_stat(const Manifest&, const std::string& path);
void upsert(Manifest&, const FileStat&);

/// What PRAGMA integrity_check and foreign_key_check find, empty if all is well.
std::vector<std::string> integrity_problems(const Manifest&);

/// Ordered dump of all data rows without run ids and clocks: what the tree hash covers. Left out:
/// keys of rows, clocks, model-based scores, and `meta` keys that begin with "local/".
std::string canonical_dump(const Manifest&);

}  // namespace tilewright::index
