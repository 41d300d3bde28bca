// SPDX-License-Identifier: Apache-2.0
// Dates from names, metadata, tables or the job; always UTC, never the machine's zone.
#include "pipeline/io/dates.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <regex>
#include <sstream>

#include "index/reason.h"
#include "learn/config/json.h"
#include "pipeline/io/file_glob.h"
#include "pipeline/io/open_policy.h"
#include "pipeline/io/side_car.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kLongestTable = std::size_t{256} << 20;

std::optional<std::tm> by_format(const std::string& text, const std::string& format) {
  std::tm time{};
  time.tm_mday = 1;
  const char* end = strptime(text.c_str(), format.c_str(), &time);
  if (!end || (*end && std::string_view(end) != "Z")) return std::nullopt;
  return time;
}

bool has_time(const std::string& format) {
  for (const auto* field : {"%H", "%I", "%T", "%R", "%c", "%s", "%r", "%k", "%l"})
    if (format.find(field) != std::string::npos) return true;
  return false;
}

std::optional<Acquired> acquired_of(const std::tm& time, bool time_known) {
  using namespace std::chrono;
  const auto day = year_month_day(year(time.tm_year + 1900), month(static_cast<unsigned>(time.tm_mon + 1)), std::chrono::day(static_cast<unsigned>(time.tm_mday)));
  if (!day.ok() || time.tm_year + 1900 < 1 || time.tm_year + 1900 > 9999 || time.tm_sec > 60) return std::nullopt;
  char text[96];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.000Z", time.tm_year + 1900, time.tm_mon + 1, time.tm_mday, time_known ? time.tm_hour : 0,
                time_known ? time.tm_min : 0, time_known ? std::min(time.tm_sec, 59) : 0);
  return Acquired{text, time_known};
}

/// 2016-06-20, 2016-06-20T10:11:12.5Z, 2016-06-20T12:11:12+02:00, 2016:06:20 10:11:12
std::optional<Acquired> by_common_forms(const std::string& text) {
  static const std::regex form(R"re(\s*(\d{4})[-:](\d{2})[-:](\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?\s*)re");
  std::smatch m;
  if (!std::regex_match(text, m, form)) return std::nullopt;
  std::tm time{};
  time.tm_year = std::stoi(m[1]) - 1900;
  time.tm_mon = std::stoi(m[2]) - 1;
  time.tm_mday = std::stoi(m[3]);
  if (m[4].matched) {
    time.tm_hour = std::stoi(m[4]);
    time.tm_min = std::stoi(m[5]);
    time.tm_sec = m[6].matched ? std::stoi(m[6]) : 0;
  }
  if (time.tm_hour > 23 || time.tm_min > 59 || !acquired_of(time, false)) return std::nullopt;
  if (m[7].matched && m[7] != "Z") {
    const std::string zone = m[7];
    const int minutes = std::stoi(zone.substr(1, 2)) * 60 + std::stoi(zone.substr(zone.size() - 2));
    auto seconds = timegm(&time) - (zone[0] == '-' ? -60 : 60) * minutes;
    gmtime_r(&seconds, &time);
  }
  return acquired_of(time, m[4].matched);
}

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw index::ItemError(index::Reason::bad_date, "the date of " + path + ": " + what + "; correct `date:` of the source");
}

/// Rows of a small CSV; quotes around fields are dropped.
std::vector<std::vector<std::string>> csv_rows(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    auto& row = rows.emplace_back(1);
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      else if (c == ',' && !quoted) row.emplace_back();
      else row.back() += c;
    }
  }
  return rows;
}

std::map<std::string, std::string> read_table(const Job& job, const std::string& path) {
  const auto rows = csv_rows(read_side_car(job.resolve(path), kLongestTable));
  const auto column = [&](const std::string& name) {
    for (std::size_t i = 0; !rows.empty() && i < rows[0].size(); ++i)
      if (rows[0][i] == name) return i;
    throw Error::config("the date table " + path + " has no column '" + name + "'; its first line must be: file,date");
  };
  const auto file = column("file"), date = column("date");
  std::map<std::string, std::string> out;
  for (std::size_t i = 1; i < rows.size(); ++i)
    if (rows[i].size() > std::max(file, date)) out[rows[i][file]] = rows[i][date];
  return out;
}

}  // namespace

std::optional<Acquired> parse_time(const std::string& text, const std::string& format) {
  if (format == DateConfig{}.format) return by_common_forms(text);
  const auto time = by_format(text, format);
  return time ? acquired_of(*time, has_time(format)) : std::nullopt;
}

std::int64_t seconds_of(const std::string& timestamp) {
  std::tm time{};
  if (std::sscanf(timestamp.c_str(), "%d-%d-%dT%d:%d:%d", &time.tm_year, &time.tm_mon, &time.tm_mday, &time.tm_hour, &time.tm_min, &time.tm_sec) < 3) return 0;
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return timegm(&time);
}

DateRule::DateRule(const Job& job, const std::string& source) : config_(job.source(source).date) {
  if (!config_) return;
  if (config_->bands) bands_ = read_date_list(job, *config_->bands);
  if (config_->table) table_ = read_table(job, *config_->table);
}

std::vector<std::string> read_date_list(const Job& job, const std::string& path) {
  if (!std::filesystem::is_regular_file(job.resolve(path))) throw Error::config("date.bands: " + path + " is no file; correct the path");
  const auto json = learn::Json::parse(read_side_car(job.resolve(path), kLongestSideCar), nullptr, false);
  std::vector<std::string> out;
  for (std::size_t i = 0; json.is_array() && i < json.size(); ++i)
    if (json[i].is_string()) out.push_back(json[i].get<std::string>());
  if (out.empty() || out.size() != json.size())
    throw Error::config("date.bands: " + path + " is not a JSON array of dates, such as [\"2017-06-20\", \"2017-07-05\"], one a band");
  return out;
}

Acquired DateRule::acquired(const std::string& path, const std::map<std::string, std::string>& metadata, const std::string& band) const {
  if (!config_) return {};
  const auto relative = split_root(path).relative;
  std::string text;
  if (config_->name) {
    std::smatch match;
    if (!std::regex_search(relative, match, std::regex(*config_->name)) || match.size() < 2 || !match[1].matched)
      fail(path, "the pattern " + *config_->name + " captures nothing");
    text = match[1];
  } else if (config_->metadata) {
    const auto found = metadata.find(*config_->metadata);
    if (found == metadata.end()) fail(path, "the file has no metadata item " + *config_->metadata);
    text = found->second;
  } else if (config_->table) {
    const auto name = relative.substr(relative.rfind('/') + 1);
    auto found = table_.find(relative);
    if (found == table_.end()) found = table_.find(name);
    if (found == table_.end()) fail(path, "the table " + *config_->table + " has no row for it");
    text = found->second;
  } else if (config_->fixed) {
    text = *config_->fixed;
  } else {
    text = bands_.at(static_cast<std::size_t>(std::stoul(band)) - 1);
  }
  const auto out = parse_time(text, config_->format);
  if (!out) fail(path, "'" + text + "' is not a date of the form " + config_->format);
  return *out;
}

}  // namespace tilewright::pipeline
