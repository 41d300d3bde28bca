// SPDX-License-Identifier: Apache-2.0
// Reads a CSV of target values.
#include "pipeline/stages/target_table.h"

#include <algorithm>
#include <fstream>

#include "geometry/error.h"
#include "pipeline/config/load.h"
#include "pipeline/stages/split_table.h"

namespace tilewright::pipeline {
namespace {

class Columns {
 public:
  Columns(const std::string& target, const std::string& file, std::vector<std::string> header)
      : target_(target), file_(file), header_(std::move(header)) {}

  [[nodiscard]] std::size_t of(const std::string& name) const {
    const auto found = std::ranges::find(header_, name);
    if (found != header_.end()) return static_cast<std::size_t>(found - header_.begin());
    const auto near = nearest_name(name, header_);
    std::string known;
    for (const auto& column : header_) known += (known.empty() ? "" : ", ") + column;
    throw Error::config("targets." + target_ + ": " + file_ + " has no column '" + name + "'" + (near.empty() ? "; it has: " + known : "; did you mean '" + near + "'?"));
  }
  [[nodiscard]] std::size_t count() const { return header_.size(); }

 private:
  std::string target_, file_;
  std::vector<std::string> header_;
};

}  // namespace

TargetTable read_target_table(const Job& job, const std::string& target, const TargetConfig& config) {
  std::ifstream in(job.resolve(*config.table));
  if (!in) throw Error::config("targets." + target + ".table: " + *config.table + " cannot be read at " + job.resolve(*config.table).string() + "; correct the path");
  std::string line;
  std::getline(in, line);
  if (line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
  const Columns columns(target, *config.table, csv_fields(line));
  const auto key = columns.of(*config.key);
  std::vector<std::size_t> values;
  for (const auto& name : config.value) values.push_back(columns.of(name));
  const std::size_t from = config.from ? columns.of(*config.from) : 0, to = config.to ? columns.of(*config.to) : 0;
  TargetTable table;
  while (std::getline(in, line)) {
    auto fields = csv_fields(line);
    if (fields.size() == 1 && fields[0].empty()) continue;  // an empty line
    fields.resize(std::max(fields.size(), columns.count()));
    auto& row = table.rows.emplace_back();
    row.key = fields[key];
    for (const auto column : values) row.cells.push_back(fields[column]);
    row.period = ValidPeriod{};
    if (config.from) {
      row.dates = fields[from] + (config.to ? " to " + fields[to] : "");
      row.period = config.to && !fields[to].empty() ? period_of(fields[from], fields[to]) : period_of(fields[from]);
    }
    table.by_key.emplace(row.key, table.rows.size() - 1);
  }
  return table;
}

}  // namespace tilewright::pipeline
