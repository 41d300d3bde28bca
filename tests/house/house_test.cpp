// SPDX-License-Identifier: Apache-2.0
// The house rules that a machine can check: who may include whom, who may touch files, sizes.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct SourceFile {
  std::string path;  ///< relative to the repository
  std::vector<std::string> lines;
};

std::vector<std::string> read_lines(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<SourceFile> sources_below(const std::vector<std::string>& folders) {
  const fs::path root = TILEWRIGHT_SOURCE_DIR;
  std::vector<SourceFile> files;
  for (const auto& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      files.push_back({fs::relative(entry.path(), root).string(), read_lines(entry.path())});
    }
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

const std::vector<SourceFile>& rooms() {
  static const auto files = sources_below({"geometry", "index", "pipeline", "learn"});
  return files;
}

bool starts_with_any(const std::string& text, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const auto& prefix) { return text.starts_with(prefix); });
}

/// One row of the include table: longest matching folder wins.
struct Room {
  std::string folder;
  std::vector<std::string> may_include;  ///< own headers
  std::vector<std::string> third_party;  ///< libraries that only this room may include
};

const std::vector<Room>& include_table() {
  static const std::vector<std::string> values = {"geometry/error.h", "geometry/describe.h",
                                                  "geometry/version.h"};
  static const auto with_values = [](std::vector<std::string> more) {
    more.insert(more.end(), values.begin(), values.end());
    return more;
  };
  static const std::vector<Room> table = {
      {"geometry/", {"geometry/"}, {"proj.h", "geodesic.h", "boost/"}},
      {"index/", {"geometry/", "index/"}, {"SQLiteCpp/", "sqlite3.h", "boost/", "tbb/", "oneapi/"}},
      {"index/shard/", with_values({"index/shard/"}), {"openssl/"}},
      {"pipeline/", {"geometry/", "index/", "pipeline/", "learn/config/"},
       {"gdal", "ogr", "cpl_", "tbb/", "oneapi/", "CLI/", "yaml-cpp/", "nlohmann/", "spdlog/", "kainjow/", "SQLiteCpp/", "sqlite3.h", "proj.h", "boost/math/", "httplib.h"}},
      {"learn/", with_values({"learn/", "index/shard/", "geometry/isa.h"}), {"torch/", "ATen/", "c10/", "nlohmann/", "caffe2/"}},
      {"learn/config/", with_values({"learn/config/", "index/shard/"}), {"nlohmann/"}},
  };
  return table;
}

const Room& room_of(const std::string& path) {
  const Room* best = nullptr;
  for (const auto& room : include_table())
    if (path.starts_with(room.folder) && (!best || room.folder.size() > best->folder.size())) best = &room;
  return *best;
}

TEST(House, RoomsIncludeOnlyWhatTheTableAllows) {
  const std::regex own(R"re(^\s*#include "([^"]+)")re");
  const std::regex library(R"re(^\s*#include <([^>]+)>)re");
  const std::vector<std::string> guarded = {"proj.h", "geodesic.h", "boost/", "SQLiteCpp/", "sqlite3.h", "tbb/", "oneapi/", "openssl/",
                                            "gdal", "ogr", "cpl_", "CLI/", "yaml-cpp/", "nlohmann/", "spdlog/", "kainjow/", "httplib.h", "torch/", "ATen/", "c10/"};
  for (const auto& file : rooms()) {
    const auto& room = room_of(file.path);
    for (const auto& line : file.lines) {
      std::smatch match;
      if (std::regex_search(line, match, own)) {
        EXPECT_TRUE(starts_with_any(match[1], room.may_include)) << file.path << " includes " << match[1];
      } else if (std::regex_search(line, match, library) && starts_with_any(match[1], guarded)) {
        EXPECT_TRUE(starts_with_any(match[1], room.third_party)) << file.path << " includes <" << match[1] << ">";
      }
    }
  }
}

TEST(House, FilesBeginWithTheLicenceAndASentence) {
  for (const auto& file : rooms()) {
    ASSERT_GE(file.lines.size(), 2U) << file.path;
    EXPECT_EQ(file.lines[0], "// SPDX-License-Identifier: Apache-2.0") << file.path;
    EXPECT_TRUE(file.lines[1].starts_with("// ")) << file.path;
  }
}

TEST(House, FilesStayReadable) {
  std::vector<std::size_t> sizes;
  for (const auto& file : rooms()) {
    EXPECT_LE(file.lines.size(), 600U) << file.path;
    sizes.push_back(file.lines.size());
    if (file.path.starts_with("pipeline/commands/")) {
      EXPECT_LE(file.lines.size(), 150U) << file.path << " is a command: move the work elsewhere";
    }
  }
  std::sort(sizes.begin(), sizes.end());
  EXPECT_LE(sizes[sizes.size() * 9 / 10], 350U);
}

/// Where a pattern may stand; anywhere else in the rooms it is an error.
struct Lint {
  const char* pattern;
  std::vector<std::string> allowed;
  const char* why;
};

TEST(House, DangerousCallsStandWhereTheyBelong) {
  const std::vector<Lint> lints = {
      {R"re(\bGDALOpen(Ex|Shared)?\s*\()re", {"pipeline/io/open_policy.cpp"}, "foreign files are opened by one policy"},
      {R"re((^|[^\w.:>])(::|std::)?rename\s*\(|filesystem::rename)re", {"index/shard/"}, "files are published by the commit function"},
      {R"re(\bofstream\b|\bfopen\s*\()re", {"index/shard/"}, "outputs are written by the commit function"},
      {R"re((^|[^\w.:>])(std::)?exit\s*\()re", {"pipeline/main.cpp", "learn/main.cpp"}, "errors travel as Error"},
      {R"re(\bfork\s*\()re", {}, "threads do not survive a fork: use posix_spawn"},
      {R"re((^|[^\w])delete\s+\w|(^|[^\w"])new\s+[A-Z]\w*\s*[({])re", {}, "handles are members with deleters"},
  };
  for (const auto& file : rooms()) {
    for (const auto& lint : lints) {
      if (starts_with_any(file.path, lint.allowed)) continue;
      const std::regex pattern(lint.pattern);
      for (std::size_t i = 0; i < file.lines.size(); ++i) {
        const auto code = file.lines[i].substr(0, file.lines[i].find("//"));
        EXPECT_FALSE(std::regex_search(code, pattern)) << file.path << ":" << i + 1 << ": " << lint.why << "\n" << file.lines[i];
      }
    }
  }
}

TEST(House, HeadersDoNotOpenNamespaces) {
  for (const auto& file : rooms()) {
    if (!file.path.ends_with(".h")) continue;
    EXPECT_NE(std::find(file.lines.begin(), file.lines.end(), "#pragma once"), file.lines.end()) << file.path;
    for (const auto& line : file.lines) EXPECT_FALSE(line.starts_with("using namespace")) << file.path;
  }
}

/// Two types of one name in one namespace are one type to the linker, which keeps the functions of either.
TEST(House, ATypeHasOneDefinitionInItsRoom) {
  const std::regex definition(R"re(^(struct|class|enum class) (\w+)( final)?( : [^;]*)?( \{.*)?$)re");
  std::map<std::string, std::string> header_of;
  for (const auto& file : rooms()) {
    if (!file.path.ends_with(".h")) continue;
    const auto room = file.path.substr(0, file.path.find('/'));
    for (const auto& line : file.lines) {
      std::smatch match;
      if (line.ends_with(";") || !std::regex_match(line, match, definition)) continue;
      const auto [entry, is_first] = header_of.emplace(room + "::" + match[2].str(), file.path);
      EXPECT_TRUE(is_first || entry->second == file.path) << entry->first << " is defined in " << entry->second << " and in " << file.path;
    }
  }
}

TEST(House, NoFolderIsCalledCommon) {
  for (const auto& file : rooms())
    for (const auto& part : fs::path(file.path).parent_path())
      for (const char* name : {"util", "utils", "common", "core", "helpers"}) EXPECT_NE(part.string(), name) << file.path;
}

}  // namespace
