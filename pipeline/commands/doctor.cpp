// SPDX-License-Identifier: Apache-2.0
// `tilewright doctor`: what this program stands on, and whether it can train.
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "index/shard/failpoint.h"
#include "pipeline/commands/command.h"
#include "pipeline/runner/learn_process.h"
#include "pipeline/runner/machine.h"
#include "pipeline/runner/status.h"

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::ordered_json;

Json learn_json() {
  const auto program = find_learn();
  if (program.empty()) return {{"found", false}, {"remedy", "build with TILEWRIGHT_LEARN=ON, and keep both programs in one folder"}};
  Json out{{"found", true}, {"program", program.string()}};
  out["says"] = Json::array();
  std::istringstream lines(ask_learn("doctor"));
  for (std::string line; std::getline(lines, line);) out["says"].push_back(line);
  return out;
}

void print(const std::string& indent, const Json& value) {
  for (const auto& [key, item] : value.items()) {
    if (item.is_object()) {
      std::cout << indent << key << ":\n";
      print(indent + "  ", item);
    } else if (item.is_array()) {
      for (const auto& line : item) std::cout << indent << line.get<std::string>() << "\n";
    } else {
      std::cout << indent << key << ": " << (item.is_string() ? item.get<std::string>() : item.dump()) << "\n";
    }
  }
}

}  // namespace

int run_doctor(const Invocation& in) {
  if (in.list_failpoints) {
    for (const auto& name : shard::failpoint_names()) std::cout << name << "\n";
    return 0;
  }
  Json out{{"versions", Json::object()}};
  for (const auto& [name, version] : library_versions()) out["versions"][name] = version;
  out["machine"] = {{"cores", core_count()}, {"memory", bytes_text(static_cast<std::int64_t>(memory_total_bytes()))}};
  out["tilewright-learn"] = learn_json();
  if (in.json) std::cout << out.dump(2) << "\n";
  else print("", out);
  return 0;
}

}  // namespace tilewright::pipeline
