// SPDX-License-Identifier: Apache-2.0
// Opening the manifest, its pragmas, transactions and the journal mode of stages.
#include "index/manifest.h"

#include <sqlite3.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "geometry/error.h"
#include "geometry/version.h"
#include "index/manifest_schema.h"
#include "index/manifest_sql.h"
#include "index/shard/failpoint.h"

namespace tilewright::index {
namespace {

constexpr int kBusyTimeoutMs = 10'000;

std::string remedy(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "another program holds the file: close it and run the command again";
    case SQLITE_FULL: return "the disk is full: free some space and run the command again";
    case SQLITE_READONLY: return "the file or its folder cannot be written: check their permissions";
    case SQLITE_CANTOPEN: return "check that the file exists and that its folder can be read";
    case SQLITE_IOERR: return "the disk reports an error: check it and run the command again";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return "the file is damaged: restore a copy, or remove it and run the job again";
    case SQLITE_CONSTRAINT: return "the row is there already or lacks a value";
    default: return "run the command again; if it stays, the file may be damaged";
  }
}

std::string error_text(const std::filesystem::path& file, const std::string& purpose, const SQLite::Exception& error) {
  return purpose + " in " + file.string() + ": SQLite says \"" + error.what() + "\" (" +
         std::to_string(error.getExtendedErrorCode()) + "); " + remedy(error.getErrorCode());
}

int pragma_int(SQLite::Database& database, const char* sql) { return database.execAndGet(sql).getInt(); }

/// Settings of every connection: RELIABILITY 3 and 4.
void set_up(SQLite::Database& database) {
  database.setBusyTimeout(kBusyTimeoutMs);
  sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // Triggers are for other programs: what a foreign file holds never runs here, and our inserts and
  // deletes keep the R-trees themselves (SQLite 3.40 calls R-trees in triggers unsafe without trust).
  sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  register_st_functions(database);
  for (const char* pragma : {"PRAGMA cell_size_check = ON", "PRAGMA mmap_size = 0", "PRAGMA foreign_keys = ON",
                             "PRAGMA synchronous = EXTRA", "PRAGMA temp_store = MEMORY"})
    database.exec(pragma);
}

bool is_new(SQLite::Database& database) {
  return pragma_int(database, "PRAGMA application_id") == 0 && pragma_int(database, "SELECT count(*) FROM sqlite_master") == 0;
}

std::optional<int> schema_version(SQLite::Database& database) {
  if (!database.tableExists("meta")) return std::nullopt;
  SQLite::Statement query(database, "SELECT value FROM meta WHERE \"key\" = 'schema_version'");
  if (!query.executeStep()) return std::nullopt;
  const std::string text = query.getColumn(0).getString();
  int version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return version;
}

void check_schema(SQLite::Database& database, const std::filesystem::path& file) {
  const bool is_geopackage = pragma_int(database, "PRAGMA application_id") == kApplicationId;
  const auto version = is_geopackage ? schema_version(database) : std::nullopt;
  if (!version)
    throw Error::failed("opening " + file.string() + ": it is a database, but not a manifest of Tilewright (no meta.schema_version); name another workspace or move the file away");
  if (*version > kSchemaVersion)
    throw Error::failed("opening " + file.string() + ": its schema version is " + std::to_string(*version) + ", this program (" + kVersion +
                        ") knows versions up to " + std::to_string(kSchemaVersion) + "; use a newer Tilewright");
  if (*version < 1)
    throw Error::failed("opening " + file.string() + ": schema version " + std::to_string(*version) + " does not exist; the file is damaged");
}

void create_if_new(SQLite::Database& database) {
  if (!is_new(database)) return;
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  if (is_new(database)) create_schema(database);  // another process may have been faster
  transaction.commit();
}

/// All steps in one transaction: a kill leaves the old version, which the next opening takes up again.
void migrate_if_old(SQLite::Database& database) {
  if (schema_version(database) == kSchemaVersion) return;
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  const auto version = schema_version(database);  // another process may have been faster
  if (version && *version < kSchemaVersion) migrate_schema(database, *version);
  if (TW_FAILPOINT("manifest.before_migration")) throw SQLite::Exception("failpoint", SQLITE_FULL);
  transaction.commit();
}

/// Path as a URI that SQLite opens without locks and side files.
std::string immutable_uri(const std::filesystem::path& file) {
  constexpr const char* hex = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(file).string()) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '?' || c == '#' || c == '%' || byte < 0x20 || byte > 0x7e) {
      uri += '%';
      uri += hex[byte >> 4];
      uri += hex[byte & 15];
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

bool has_unmerged_log(const std::filesystem::path& file) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(file.string() + "-wal", ignored);
  return !ignored && size > 0;
}

/// Reads one page, so that what is wrong with the file shows here.
void touch(SQLite::Database& database) { pragma_int(database, "SELECT count(*) FROM sqlite_master"); }

/// A file in WAL mode in a folder that cannot be written needs `immutable`: nobody can be writing.
std::unique_ptr<SQLite::Database> open_read_only(const std::filesystem::path& file) {
  try {
    auto database = std::make_unique<SQLite::Database>(file.string(), SQLite::OPEN_READONLY);
    database->setBusyTimeout(kBusyTimeoutMs);
    touch(*database);
    return database;
  } catch (const SQLite::Exception& error) {
    const int code = error.getErrorCode() & 0xff;
    const bool folder_is_read_only = code == SQLITE_CANTOPEN || code == SQLITE_READONLY;
    if (!folder_is_read_only || has_unmerged_log(file) || !std::filesystem::exists(file)) throw;
  }
  return std::make_unique<SQLite::Database>(immutable_uri(file), SQLite::OPEN_READONLY | SQLite::OPEN_URI);
}

/// Only file systems that are known to be local and coherent may hold a WAL.
bool is_local_disk(const std::filesystem::path& file) {
  constexpr std::array<std::int64_t, 9> kLocal = {
      0xEF53,      // ext2, ext3, ext4
      0x58465342,  // xfs
      0x9123683E,  // btrfs
      0x01021994,  // tmpfs
      0x858458F6,  // ramfs
      0x794C7630,  // overlayfs
      0x2FC12FC1,  // zfs
      0xF2F52010,  // f2fs
      0x4244,      // hfs
  };
  struct statfs info {};
  if (statfs(file.c_str(), &info) != 0) return false;
  return std::ranges::find(kLocal, static_cast<std::int64_t>(info.f_type) & 0xFFFFFFFF) != kLocal.end();
}

void update_bounds(Manifest& manifest) {
  manifest.in_transaction([&] {
    for (const auto& table : tables()) {
      if (!table.has_geometry) continue;
      const std::string name(table.name);
      const std::string bounds = "SELECT min(ST_MinX(geom)), min(ST_MinY(geom)), max(ST_MaxX(geom)), max(ST_MaxY(geom)) FROM " + name;
      manifest.database().exec("UPDATE gpkg_contents SET (min_x, min_y, max_x, max_y) = (" + bounds +
                               "), last_change = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE table_name = '" + name + "'");
    }
  });
}

void leave_wal(SQLite::Database& database) {
  if (database.execAndGet("PRAGMA journal_mode").getString() != "wal") return;
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.exec("PRAGMA journal_mode = DELETE");
  database.exec("PRAGMA synchronous = EXTRA");
}

}  // namespace

void throw_sql_error(const Manifest& manifest, const std::string& purpose, const SQLite::Exception& error) {
  throw Error::failed(error_text(manifest.file(), purpose, error));
}

Manifest::Manifest(std::unique_ptr<SQLite::Database> database, std::filesystem::path file)
    : database_(std::move(database)), statements_(std::make_unique<Statements>()), file_(std::move(file)) {}

Manifest::Manifest(Manifest&&) noexcept = default;

Manifest::~Manifest() {
  if (!database_) return;
  statements_.reset();
  if (sqlite3_db_readonly(database_->getHandle(), "main") != 0) return;
  try {
    leave_wal(*database_);
  } catch (const std::exception&) {
    return;  // a reader is still there: the next writer leaves WAL
  }
}

Manifest Manifest::open(const std::filesystem::path& file, Mode mode) {
  try {
    if (mode == Mode::read_only) {
      auto database = open_read_only(file);
      set_up(*database);
      check_schema(*database, file);
      return Manifest(std::move(database), file);
    }
    auto database = std::make_unique<SQLite::Database>(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    set_up(*database);
    create_if_new(*database);
    check_schema(*database, file);
    migrate_if_old(*database);
    return Manifest(std::move(database), file);
  } catch (const SQLite::Exception& error) {
    throw Error::failed(error_text(file, "opening the manifest", error));
  }
}

void Manifest::in_transaction(const std::function<void()>& work) {
  with_purpose(*this, "writing a transaction", [&] {
    SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
    work();
    if (TW_FAILPOINT("manifest.before_commit")) throw SQLite::Exception("failpoint", SQLITE_FULL);
    transaction.commit();
    if (TW_FAILPOINT("manifest.after_commit")) throw SQLite::Exception("failpoint", SQLITE_IOERR);
  });
}

void Manifest::begin_stage() {
  with_purpose(*this, "starting a stage", [&] {
    if (!is_local_disk(file_)) return;  // DELETE + EXTRA, as opened
    database_->exec("PRAGMA journal_mode = WAL");
    database_->exec("PRAGMA synchronous = FULL");
  });
}

void Manifest::end_stage() {
  with_purpose(*this, "ending a stage", [&] {
    update_bounds(*this);
    database_->exec("PRAGMA optimize");
    leave_wal(*database_);
  });
}

std::vector<std::string> integrity_problems(const Manifest& manifest) {
  std::vector<std::string> problems;
  each_row(manifest, "checking integrity", "PRAGMA integrity_check", [&](SQLite::Statement& row) {
    const auto text = row.getColumn(0).getString();
    if (text != "ok") problems.push_back(text);
  });
  each_row(manifest, "checking foreign keys", "PRAGMA foreign_key_check", [&](SQLite::Statement& row) {
    problems.push_back("a row of " + row.getColumn(0).getString() + " refers to nothing");
  });
  return problems;
}

}  // namespace tilewright::index
