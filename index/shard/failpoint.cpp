// SPDX-License-Identifier: Apache-2.0
// Obeys TILEWRIGHT_FAILPOINT: counts the visits of each named place and acts on the chosen one.
#include "index/shard/failpoint.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "geometry/error.h"

namespace tilewright::shard {
namespace {

constexpr std::array kNames = {
    "commit.open",           "commit.write",           "commit.before_fsync",
    "commit.after_fsync",    "commit.after_rename",    "commit.after_folder_fsync",
    "checkpoint.written",    "checkpoint.before_rename", "checkpoint.after_rename",
    "shard.open",            "shard.put",              "shard.before_publish",
    "shard.after_tar",       "shard.after_index",      "manifest.before_commit",
    "manifest.after_commit", "stage.before_record",    "stage.after_record",
    "manifest.before_migration",
};

enum class Action { kill, eio, enospc, throws, delay, pause };

struct Order {
  std::size_t place = 0;
  int hit = 1;
  bool from_then_on = false;
  Action action = Action::kill;
};

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  std::string known;
  for (const char* name : kNames) known += std::string(known.empty() ? "" : ", ") + name;
  throw Error::config("TILEWRIGHT_FAILPOINT has '" + std::string(text) + "': " + why +
                      "; expected name@hit:action with an action of kill, eio, enospc, throw, delay, "
                      "pause and a name of " + known);
}

std::size_t place_of(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (name == kNames[i]) return i;
  return kNames.size();
}

Action parse_action(std::string_view text, std::string_view order) {
  if (text == "kill") return Action::kill;
  if (text == "eio") return Action::eio;
  if (text == "enospc") return Action::enospc;
  if (text == "throw") return Action::throws;
  if (text == "delay") return Action::delay;
  if (text == "pause") return Action::pause;
  refuse(order, "unknown action '" + std::string(text) + "'");
}

Order parse_order(std::string_view text) {
  Order order;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) refuse(text, "no action");
  std::string_view name = text.substr(0, colon);
  order.action = parse_action(text.substr(colon + 1), text);
  if (const auto at = name.find('@'); at != std::string_view::npos) {
    std::string_view hit = name.substr(at + 1);
    name = name.substr(0, at);
    if (hit.ends_with('+')) {
      order.from_then_on = true;
      hit.remove_suffix(1);
    }
    const auto [end, error] = std::from_chars(hit.data(), hit.data() + hit.size(), order.hit);
    if (error != std::errc{} || end != hit.data() + hit.size() || order.hit < 1)
      refuse(text, "hit is not a number from 1");
  }
  order.place = place_of(name);
  if (order.place == kNames.size()) refuse(text, "unknown name '" + std::string(name) + "'");
  return order;
}

struct Orders {
  std::vector<Order> list;
  std::array<std::atomic<int>, kNames.size()> visits{};

  Orders() {
    const char* text = std::getenv("TILEWRIGHT_FAILPOINT");
    if (text == nullptr || *text == 0) return;
    std::string_view rest = text;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      list.push_back(parse_order(rest.substr(0, comma)));
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    }
  }
};

bool act(const Order& order) {
  switch (order.action) {
    case Action::kill:
      ::kill(::getpid(), SIGKILL);
      break;
    case Action::eio:
      errno = EIO;
      return true;
    case Action::enospc:
      errno = ENOSPC;
      return true;
    case Action::throws:
      throw Error::failed(std::string("failpoint ") + kNames[order.place] + " was told to throw");
    case Action::delay:
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      break;
    case Action::pause:
      while (true) ::pause();
  }
  return false;
}

}  // namespace

bool failpoint(const char* name) {
  static Orders orders;  // the environment is read once; visits are counted over all threads
  if (orders.list.empty()) return false;
  const std::size_t place = place_of(name);
  if (place == kNames.size()) return false;
  const int visit = ++orders.visits[place];
  for (const Order& order : orders.list)
    if (order.place == place && (visit == order.hit || (order.from_then_on && visit > order.hit)))
      return act(order);
  return false;
}

const std::vector<std::string>& failpoint_names() {
  static const std::vector<std::string> names(kNames.begin(), kNames.end());
  return names;
}

}  // namespace tilewright::shard
