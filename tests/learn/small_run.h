// SPDX-License-Identifier: Apache-2.0
// A small run on a tiny dataset: its request, and what tests read of it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "learn/config/json.h"
#include "learn/train/trainer.h"

namespace tilewright::learn {

namespace fs = std::filesystem;

inline std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::vector<Json> rows_of(const fs::path& run) {
  std::vector<Json> rows;
  std::ifstream in(run / "metrics.jsonl");
  for (std::string line; std::getline(in, line);) rows.push_back(Json::parse(line));
  return rows;
}

/// A small UNet on a tiny dataset, with everything on that could differ after a resume.
inline TrainRequest segment_request(const fs::path& workspace, const std::string& name) {
  TrainRequest request;
  request.workspace = workspace;
  request.dataset = workspace / "datasets/tiny/dataset.json";
  request.run_folder = workspace / "runs" / name;
  request.run.dataset = "tiny";
  request.run.model.width = 4;
  request.run.augment = {"crop", "flip", "rotate", "brightness", "noise"};
  request.run.batch = 5;
  request.run.epochs = 4;
  request.run.threads = 1;
  request.run.device = "cpu";
  request.run.optimizer.lr = 3e-3;
  request.run.schedule.warmup_epochs = 1;
  return request;
}

inline std::string weights_hash(const TrainRequest& request) {
  return shard::sha256_file(fs::path(request.run_folder) / "weights.safetensors");
}

/// Asks for a stop after `step` steps and expects the run to obey.
inline void train_and_stop_at(const TrainRequest& request, std::int64_t step) {
  std::stop_source source;
  LearnContext context;
  context.stop = source.get_token();
  context.on_progress = [&](std::int64_t done, std::int64_t, const std::string&) {
    if (done >= step) source.request_stop();
  };
  try {
    run_train(request, context);
    FAIL() << "the run did not stop";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::stopped) << error.what();
    EXPECT_THAT(error.what(), ::testing::HasSubstr("step " + std::to_string(step)));
  }
}

inline std::string error_of(const TrainRequest& request, ErrorKind kind) {
  try {
    run_train(request, {});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace tilewright::learn
