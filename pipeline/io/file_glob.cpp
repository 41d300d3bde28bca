// SPDX-License-Identifier: Apache-2.0
// Walks a root along the components of a pattern; links may not lead out.
#include "pipeline/io/file_glob.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "geometry/error.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

/// Matches a bracket expression at pattern[at] == '['; moves `at` behind it. nullopt: no closing ].
std::optional<bool> matches_class(std::string_view pattern, std::size_t& at, char c) {
  std::size_t i = at + 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool found = false;
  for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
    const auto low = static_cast<unsigned char>(pattern[i]);
    auto high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      high = static_cast<unsigned char>(pattern[i + 2]);
      i += 2;
    }
    found = found || (low <= static_cast<unsigned char>(c) && static_cast<unsigned char>(c) <= high);
    ++i;
  }
  if (i >= pattern.size()) return std::nullopt;
  at = i + 1;
  return found != negated;
}

/// One step without `*`: does pattern[p] accept `c`? Moves p behind what was used.
bool accepts(std::string_view pattern, std::size_t& p, char c) {
  if (p >= pattern.size()) return false;
  if (pattern[p] == '[')
    if (const auto in_class = matches_class(pattern, p, c)) return *in_class;
  return pattern[p] == '?' || pattern[p] == c ? (++p, true) : false;
}

std::vector<std::string> components(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= text.size();) {
    const auto slash = std::min(text.find('/', at), text.size());
    if (slash > at) out.push_back(text.substr(at, slash - at));
    at = slash + 1;
  }
  return out;
}

bool is_inside(const fs::path& folder, const fs::path& inner) {
  return std::mismatch(folder.begin(), folder.end(), inner.begin(), inner.end()).first == folder.end();
}

class Walk {
 public:
  Walk(fs::path root, std::vector<std::string> pattern, std::string text)
      : root_(std::move(root)), canonical_root_(fs::canonical(root_)), pattern_(std::move(pattern)), text_(std::move(text)) {}

  std::vector<std::string> files() {
    descend("", 0, false);
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    return std::move(found_);
  }

 private:
  /// One name of a folder; what a link leads to is looked up, everything else the folder itself says.
  struct Entry {
    std::string name;
    bool is_link = false, is_file = false, is_folder = false;
  };

  /// `relative`: "" or ends with a slash. `by_link`: a link was followed on the way.
  void descend(const std::string& relative, std::size_t depth, bool by_link) {
    const auto& part = pattern_[depth];
    const bool is_last = depth + 1 == pattern_.size();
    const bool is_deep = part == "**";
    if (is_deep && !is_last) descend(relative, depth + 1, by_link);
    for (const auto& entry : entries_of(relative)) {
      if (is_deep ? entry.name.starts_with('.') : !matches(part, entry.name)) continue;
      const auto next = relative + entry.name;
      if (is_last && entry.is_file) take(next, by_link || entry.is_link);
      // Below ** links to folders are not followed: they could lead in circles.
      if (is_deep && entry.is_folder && !entry.is_link) descend(next + "/", depth, by_link);
      if (!is_deep && !is_last && entry.is_folder) descend(next + "/", depth + 1, by_link || entry.is_link);
    }
  }

  [[nodiscard]] std::vector<Entry> entries_of(const std::string& relative) const {
    std::vector<Entry> out;
    std::error_code error, ignored;
    for (auto entry = fs::directory_iterator(root_ / relative, fs::directory_options::skip_permission_denied, error);
         !error && entry != fs::directory_iterator(); entry.increment(error))
      out.push_back({entry->path().filename().string(), entry->is_symlink(ignored), entry->is_regular_file(ignored), entry->is_directory(ignored)});
    return out;
  }

  void take(const std::string& relative, bool by_link) {
    if (by_link) {
      const auto target = fs::canonical(root_ / relative);
      if (!is_inside(canonical_root_, target))
        throw Error::config("files: '" + text_ + "' finds " + relative + ", a link that leads out of its root to " + target.string() +
                            "; copy the file below the root, or name another root");
    }
    found_.push_back(relative);
  }

  fs::path root_, canonical_root_;
  std::vector<std::string> pattern_;
  std::string text_;
  std::vector<std::string> found_;
};

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  if (name.starts_with('.') && !pattern.starts_with('.')) return false;
  std::size_t p = 0, n = 0, star = std::string_view::npos, after_star = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = n;
    } else if (accepts(pattern, p, name[n])) {
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++after_star;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

RootedPath split_root(const std::string& path) {
  const auto colon = path.find(':');
  const auto is_name = [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '_'; };
  if (colon != std::string::npos && colon > 0 && std::all_of(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(colon), is_name))
    return {path.substr(0, colon), path.substr(colon + 1)};
  return {"job", path};
}

std::vector<FoundFile> glob_files(const Job& job, const std::string& pattern) {
  const auto rooted = split_root(pattern);
  const auto root = job.resolve(rooted.root + ":");
  if (!fs::is_directory(root))
    throw Error::config("files: '" + pattern + "': the root '" + rooted.root + "' is " + root.string() + ", which is no folder; correct `roots:` or give --root " +
                        rooted.root + "=DIR");
  const auto parts = components(rooted.relative);
  if (parts.empty() || rooted.relative.starts_with('/') || std::find(parts.begin(), parts.end(), "..") != parts.end())
    throw Error::config("files: '" + pattern + "' leaves its root; give a path below a root, such as data:folder/*.tif");
  std::vector<FoundFile> out;
  for (auto& relative : Walk(root, parts, pattern).files()) out.push_back({rooted.root + ":" + relative, root / relative});
  return out;
}

}  // namespace tilewright::pipeline
