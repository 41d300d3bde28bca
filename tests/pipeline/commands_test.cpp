// SPDX-License-Identifier: Apache-2.0
// Every row of the command table has help, a manual page and the exit codes that it promises.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "index/reason.h"
#include "pipeline/commands/command.h"
#include "pipeline/config/job_json.h"
#include "tests/pipeline/job_text.h"

namespace tilewright::pipeline {

void PrintTo(const CommandRow& row, std::ostream* out) { *out << row.name; }

namespace {

using ::testing::HasSubstr;

const std::filesystem::path kRoot = TILEWRIGHT_SOURCE_DIR;

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Answer {
  int code = -1;
  std::string out, err;
};

Answer tilewright(const std::string& arguments) {
  const JobFolder folder;
  const auto err = (folder.path() / "err").string();
  const auto line = std::string("'" TILEWRIGHT_BIN_DIR "/tilewright' ") + arguments + " 2>" + err;
  Answer answer;
  FILE* pipe = ::popen(line.c_str(), "r");
  std::array<char, 4096> buffer{};
  for (std::size_t n; pipe && (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) answer.out.append(buffer.data(), n);
  const int status = pipe ? ::pclose(pipe) : -1;
  answer.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  answer.err = read_text(err);
  return answer;
}

class Command : public ::testing::TestWithParam<CommandRow> {};
std::vector<CommandRow> all_commands() { return {commands().begin(), commands().end()}; }

TEST_P(Command, HelpIsAsRecorded) {
  const std::string name(GetParam().name);
  const auto file = kRoot / "tests/golden/help" / (name + ".txt");
  const auto help = command_help(name);
  if (std::getenv("TILEWRIGHT_UPDATE_GOLDEN")) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << help;
  }
  EXPECT_EQ(help, read_text(file)) << "if the change is meant: TILEWRIGHT_UPDATE_GOLDEN=1 and run this test again";
}

TEST_P(Command, ProgramPrintsTheSameHelp) {
  const std::string name(GetParam().name);
  const auto answer = tilewright(name + " --help");
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.out, command_help(name));
}

TEST_P(Command, HasAManualPageWithEveryFlagAndItsExitCodes) {
  const std::string name(GetParam().name);
  const auto page = read_text(kRoot / "docs/manual" / (name + ".md"));
  ASSERT_THAT(page, HasSubstr("# tilewright " + name + "\n"));
  EXPECT_THAT(page, HasSubstr("## Exit codes"));
  for (const auto& flag : command_flags(name)) EXPECT_NE(page.find("`" + flag), std::string::npos) << name << " " << flag;
  EXPECT_THAT(read_text(kRoot / "docs/manual/README.md"), HasSubstr("[" + name + "](" + name + ".md)"));
}

TEST_P(Command, RefusesUsageMistakesWithCode2) {
  const std::string name(GetParam().name);
  EXPECT_EQ(tilewright(name + " --no-such-flag").code, 2);
  if (GetParam().argument.empty()) return;
  const auto missing = tilewright(name);
  EXPECT_EQ(missing.code, 2);
  EXPECT_EQ(missing.out, "");
  EXPECT_THAT(missing.err, HasSubstr("tilewright " + name));
}

TEST_P(Command, RefusesAMissingArgumentFileWithCode2) {
  const auto& row = GetParam();
  if (row.argument != "JOB" && row.argument != "PATH") return;
  const auto answer = tilewright(std::string(row.name) + " /no/such/place.yaml" + (row.second.empty() ? "" : " scan"));
  EXPECT_EQ(answer.code, 2) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("/no/such/place.yaml"));
}

INSTANTIATE_TEST_SUITE_P(Table, Command, ::testing::ValuesIn(all_commands()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Program, NamesTheNearestCommand) {
  const auto answer = tilewright("scna job.yaml");
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, HasSubstr("there is no command 'scna'; did you mean scan?"));
}

TEST(Program, SaysItsVersionAndItsCommands) {
  EXPECT_EQ(tilewright("--version").out.substr(0, 11), "tilewright ");
  const auto help = tilewright("--help");
  EXPECT_EQ(help.code, 0);
  for (const auto& row : commands()) EXPECT_THAT(help.out, HasSubstr("  " + std::string(row.name) + " "));
}

TEST(Program, AnswersErrorsInJsonToo) {
  const JobFolder folder;
  const auto file = folder.write("job.yaml", "workspace: w\nsourcez: {}\n");
  const auto answer = tilewright("check --json '" + file.string() + "'");
  EXPECT_EQ(answer.code, 2);
  const auto json = nlohmann::json::parse(answer.out);
  EXPECT_EQ(json["error"]["exit_code"], 2);
  EXPECT_THAT(json["error"]["text"].get<std::string>(), HasSubstr("did you mean sources?"));
}

/// Time of the processor that ended children took, milliseconds.
double children_cpu_ms() {
  rusage used{};
  getrusage(RUSAGE_CHILDREN, &used);
  const auto ms = [](const timeval& time) { return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3; };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

TEST(Program, StartsWithoutLoadingDrivers) {
  // The smallest of several starts, in time of the processor, so that a busy machine does not decide; registering
  // GDAL's drivers alone takes longer than this bound allows.
  double best_ms = 1e9;
  for (int i = 0; i < 5; ++i) {
    const double before_ms = children_cpu_ms();
    EXPECT_EQ(tilewright("--help").code, 0);
    best_ms = std::min(best_ms, children_cpu_ms() - before_ms);
  }
  EXPECT_LT(best_ms, 250);
}

TEST(Init, WritesAJobThatChecksAndKeepsWhatIsThere) {
  const JobFolder folder;
  const auto file = "'" + (folder.path() / "town.yaml").string() + "'";
  EXPECT_EQ(tilewright("init " + file).code, 0);
  const auto check = tilewright("check " + file);
  EXPECT_EQ(check.code, 0) << check.err;
  EXPECT_EQ(tilewright("init " + file).code, 2);
  EXPECT_EQ(tilewright("init --overwrite " + file).code, 0);
}

TEST(Check, SaysWhatIsNotInThisVersion) {
  const JobFolder folder;
  const auto file = folder.write("job.yaml", kSmallJob + "limits: {isolate: true}\n");
  const auto answer = tilewright("check '" + file.string() + "'");
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, HasSubstr("not in this version"));
}

TEST(Manual, ListsEveryReason) {
  const auto page = read_text(kRoot / "docs/manual/reasons.md");
  std::string table;
  for (const auto& row : index::reasons()) table += "| `" + std::string(row.code) + "` | " + std::string(row.meaning) + " |\n";
  EXPECT_THAT(page, HasSubstr(table));
}

/// Key paths of the schema: NAME for names, N for list places, CLASS for class numbers.
void collect_keys(const JobJson& schema, const std::string& path, std::set<std::string>& keys) {
  if (schema.contains("anyOf"))
    for (const auto& form : schema["anyOf"]) collect_keys(form, path, keys);
  if (schema.contains("properties"))
    for (const auto& [key, item] : schema["properties"].items()) {
      const auto here = path.empty() ? key : path + "." + key;
      keys.insert(here);
      collect_keys(item, here, keys);
    }
  if (schema.contains("additionalProperties") && schema["additionalProperties"].is_object()) collect_keys(schema["additionalProperties"], path + ".NAME", keys);
  if (schema.contains("items")) collect_keys(schema["items"], path + ".N", keys);
  if (schema.contains("patternProperties"))
    for (const auto& item : schema["patternProperties"]) collect_keys(item, path + ".CLASS", keys);
}

TEST(Manual, ListsEveryKeyOfAJobAndNoOther) {
  std::set<std::string> keys;
  collect_keys(schema_of_job(), "", keys);
  const auto page = read_text(kRoot / "docs/manual/job.md");
  for (const auto& key : keys) EXPECT_THAT(page, HasSubstr("| `" + key + "` |"));
  EXPECT_EQ(static_cast<std::size_t>(std::count(page.begin(), page.end(), '\n')), keys.size() + 8);
}

}  // namespace
}  // namespace tilewright::pipeline
