// SPDX-License-Identifier: Apache-2.0
// Reads and writes dataset.json and its part files.
#include "learn/config/dataset_file.h"

#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "learn/config/json.h"

namespace tilewright::learn {
namespace {

constexpr int kDatasetVersion = 1;
constexpr std::size_t kColumns = 13;

std::string number_text(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t begin = 0;;) {
    const auto end = line.find('\t', begin);
    fields.push_back(line.substr(begin, end - begin));
    if (end == std::string_view::npos) return fields;
    begin = end + 1;
  }
}

/// Reads one number column; "-" leaves `value` as it is.
template <class T>
void read_number(std::string_view text, T& value, const char* column, const std::string& where) {
  if (text == "-") return;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw Error::failed(
        where + ": column " + column + " is '" + std::string(text) +
        "', expected a number; make the dataset again: tilewright dataset JOB --force dataset");
}

SampleRow parse_row(std::string_view line, const std::string& where) {
  const auto f = fields_of(line);
  if (f.size() != kColumns)
    throw Error::failed(where + " has " + std::to_string(f.size()) + " columns, expected " +
                        std::to_string(kColumns) +
                        "; make the dataset again: tilewright dataset JOB --force dataset");
  SampleRow row;
  row.sample = f[0];
  row.location = f[1];
  read_number(f[2], row.input, "input", where);
  row.view = f[3];
  row.acquired = f[4];
  row.shard = f[5];
  read_number(f[6], row.offset, "offset", where);
  read_number(f[7], row.length, "length", where);
  row.mask_shard = f[8];
  read_number(f[9], row.mask_offset, "mask_offset", where);
  read_number(f[10], row.mask_length, "mask_length", where);
  row.target = f[11];
  read_number(f[12], row.weight, "weight", where);
  return row;
}

std::string identity_of(Json document) {
  document.erase("sha256");
  return shard::sha256_hex(document.dump());
}

Json parse_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    throw Error::failed("cannot open the dataset " + file.string() +
                        "; run: tilewright dataset JOB");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  Json document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object())
    throw Error::failed(
        file.string() +
        " is not a JSON document; make the dataset again: tilewright dataset JOB --force dataset");
  return document;
}

}  // namespace

std::string format_row(const SampleRow& row) {
  const bool has_view = row.shard != "-", has_mask = row.mask_shard != "-";
  const auto number = [](bool is_there, std::int64_t value) { return is_there ? std::to_string(value) : "-"; };
  std::ostringstream out;
  out << row.sample << '\t' << row.location << '\t' << row.input << '\t' << row.view << '\t'
      << row.acquired << '\t' << row.shard << '\t' << number(has_view, row.offset) << '\t'
      << number(has_view, row.length) << '\t' << row.mask_shard << '\t'
      << number(has_mask, row.mask_offset) << '\t' << number(has_mask, row.mask_length) << '\t' << row.target << '\t'
      << number_text(row.weight);
  return out.str();
}

std::vector<SampleRow> read_part(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    throw Error::failed("cannot open the part file " + file.string() +
                        "; run: tilewright dataset JOB");
  std::string line;
  if (!std::getline(in, line) || line != kPartHeader)
    throw Error::failed(file.string() +
                        ":1 is not the header of a part file; make the dataset again: tilewright "
                        "dataset JOB --force dataset");
  std::vector<SampleRow> rows;
  for (std::int64_t number = 2; std::getline(in, line); ++number)
    rows.push_back(parse_row(line, file.string() + ":" + std::to_string(number)));
  return rows;
}

DatasetFile read_dataset(const std::filesystem::path& dataset_json) {
  const Json document = parse_file(dataset_json);
  if (const auto found = document.value("version", 0); found != kDatasetVersion)
    throw Error::failed(dataset_json.string() + " has version " + std::to_string(found) +
                        ", this program reads version " + std::to_string(kDatasetVersion) +
                        "; make the dataset again: tilewright dataset JOB --force dataset");
  DatasetFile dataset;
  read_json(document, dataset, dataset_json.string());
  if (const auto found = identity_of(document); found != dataset.sha256)
    throw Error::failed(dataset_json.string() + " was changed after it was written (sha256 " +
                        found + ", recorded " + dataset.sha256 +
                        "); make the dataset again: tilewright dataset JOB --force dataset");
  return dataset;
}

std::string format_dataset(const DatasetFile& dataset) {
  Json document = json_of(dataset);
  document["sha256"] = identity_of(document);
  return document.dump(2) + "\n";
}

}  // namespace tilewright::learn
