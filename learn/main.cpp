// SPDX-License-Identifier: Apache-2.0
// tilewright-learn: one verb, one JSON request, one exit code.
#include <sys/prctl.h>
#include <torch/version.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string_view>
#include <thread>

#include "geometry/error.h"
#include "geometry/version.h"
#include "learn/config/json.h"
#include "learn/config/request.h"
#include "learn/train/device.h"
#include "learn/train/embedder.h"
#include "learn/train/evaluator.h"
#include "learn/train/folds.h"
#include "learn/train/learn_context.h"
#include "learn/train/predictor.h"
#include "learn/train/trainer.h"

namespace {

using namespace tilewright;
using namespace tilewright::learn;
namespace fs = std::filesystem;

Json read_request(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error::config("cannot open the request " + file.string());
  auto document = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) throw Error::config("the request " + file.string() + " is not JSON");
  return document;
}

/// Paths of a request are relative to its folder.
void anchor(std::string& path, const fs::path& folder) {
  path = (folder / path).lexically_normal().string();
}
void anchor(std::optional<std::string>& path, const fs::path& folder) {
  if (path) anchor(*path, folder);
}

template <class Request>
Request request_from(const fs::path& file) {
  Request request;
  read_json(read_request(file), request, file.filename().string());
  return request;
}

void train(const fs::path& file, const LearnContext& context) {
  auto request = request_from<TrainRequest>(file);
  for (auto* path : {&request.workspace, &request.dataset, &request.run_folder})
    anchor(*path, file.parent_path());
  anchor(request.init_folder, file.parent_path());
  anchor(request.init_file, file.parent_path());
  run_train(request, context);
}

void evaluate(const fs::path& file, const LearnContext& context) {
  auto request = request_from<EvaluateRequest>(file);
  for (auto* path : {&request.workspace, &request.dataset, &request.run_folder})
    anchor(*path, file.parent_path());
  run_evaluate(request, context);
}

void predict(const fs::path& file, const LearnContext& context) {
  auto request = request_from<PredictRequest>(file);
  for (auto* path :
       {&request.run_folder, &request.dataset, &request.input_shard, &request.output_shard})
    anchor(*path, file.parent_path());
  run_predict(request, context);
}

void embed(const fs::path& file, const LearnContext& context) {
  auto request = request_from<EmbedRequest>(file);
  for (auto* path : {&request.workspace, &request.dataset, &request.samples, &request.output,
                     &request.run_folder})
    anchor(*path, file.parent_path());
  anchor(request.init_folder, file.parent_path());
  anchor(request.init_file, file.parent_path());
  run_embed(request, context);
}

void folds(const fs::path& file, const LearnContext& context) {
  auto request = request_from<FoldsRequest>(file);
  for (auto* path : {&request.workspace, &request.dataset, &request.samples, &request.folds,
                     &request.output_folder})
    anchor(*path, file.parent_path());
  run_folds(request, context);
}

struct Verb {
  std::string_view name, what;
  void (*run)(const fs::path& request, const LearnContext&);
};
constexpr Verb kVerbs[] = {
    {"train", "trains or resumes a run", train},
    {"evaluate", "evaluation.json and samples.csv of a run", evaluate},
    {"predict", "class probabilities of windows", predict},
    {"embed", "features of samples", embed},
    {"folds", "out-of-fold predictions for curation", folds},
};

int help(std::ostream& out, int code) {
  out << "tilewright-learn VERB REQUEST.json\n\nStarted by tilewright; the request is one JSON "
         "file.\n";
  for (const auto& verb : kVerbs)
    out << "  " << verb.name << std::string(12 - verb.name.size(), ' ') << verb.what << "\n";
  out << "  doctor      versions and devices\n  --version   version\n";
  return code;
}

int doctor() {
  std::cout << "tilewright-learn " << kVersion << "\nLibTorch " << TORCH_VERSION
            << "\ndevices: " << device_summary() << "\n";
  return 0;
}

/// The child of a killed tilewright ends too: nobody would read its result, and a second run may
/// start in the same folder.
bool parent_is_alive() {
  const char* parent = std::getenv("TILEWRIGHT_PARENT");
  if (!parent) return true;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return std::to_string(::getppid()) == parent;
}

/// SIGINT and SIGTERM become a stop request. They are blocked in every thread and waited for here.
class SignalWatch {
 public:
  SignalWatch() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::jthread([this](const std::stop_token& end) {
      constexpr timespec wait{.tv_sec = 0, .tv_nsec = 50'000'000};
      while (!end.stop_requested())
        if (::sigtimedwait(&signals_, nullptr, &wait) > 0) asked_.request_stop();
    });
  }
  [[nodiscard]] std::stop_token token() const { return asked_.get_token(); }

 private:
  sigset_t signals_{};
  std::stop_source asked_;
  std::jthread thread_;
};

/// Progress at most ten times a second, and always the last.
LearnContext context_of(const SignalWatch& watch) {
  LearnContext context;
  context.stop = watch.token();
  context.on_progress = [last = std::chrono::steady_clock::time_point{}](
                            std::int64_t done, std::int64_t total,
                            const std::string& unit) mutable {
    const auto now = std::chrono::steady_clock::now();
    if (done < total && now - last < std::chrono::milliseconds(100)) return;
    last = now;
    std::cerr << "@progress " << done << " " << total << " " << unit << std::endl;
  };
  context.say = [](const std::string& text) { std::cerr << text << std::endl; };
  return context;
}

int run_verb(const Verb& verb, const fs::path& request) {
  try {
    const SignalWatch watch;
    verb.run(fs::absolute(request), context_of(watch));
    return 0;
  } catch (const Error& error) {
    std::cerr << "error: " << error.what() << std::endl;
    return static_cast<int>(error.kind());
  } catch (const c10::Error& error) {
    std::cerr << "error: " << verb.name << " failed: " << error.what_without_backtrace() << std::endl;
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "error: " << verb.name << " failed: " << error.what() << std::endl;
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (!parent_is_alive()) return 1;
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--version") {
    std::cout << "tilewright-learn " << kVersion << "\n";
    return 0;
  }
  if (first == "--help" || first == "-h") return help(std::cout, 0);
  if (first == "doctor") return doctor();
  for (const auto& verb : kVerbs)
    if (verb.name == first && argc == 3) return run_verb(verb, argv[2]);
  return help(std::cerr, 2);
}
