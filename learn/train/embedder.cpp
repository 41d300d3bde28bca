// SPDX-License-Identifier: Apache-2.0
// Features batch by batch into an npy file.
#include "learn/train/embedder.h"

#include <array>
#include <memory>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "index/shard/npy.h"
#include "learn/train/batch.h"
#include "learn/train/device.h"
#include "learn/train/loaded_run.h"
#include "learn/train/start_weights.h"

namespace tilewright::learn {
namespace {

/// A network, and how its input is read.
struct Encoding {
  std::unique_ptr<Recipe> recipe;  ///< on the device, in evaluation mode
  RunConfig run;
  std::vector<InputInfo> inputs;
  torch::Device device;
};

Encoding of_run(const EmbedRequest& request, const DatasetFile& dataset) {
  auto loaded = load_run(request.run_folder, dataset, request.device, request.threads);
  return {std::move(loaded.recipe), loaded.record.run, loaded.record.inputs, loaded.device};
}

/// The network of the run before its first step.
Encoding of_start(const EmbedRequest& request, const DatasetFile& dataset,
                  const LearnContext& context) {
  TrainRequest training;
  training.run = *request.run;
  training.init_folder = request.init_folder;
  training.init_file = request.init_file;
  const auto device = prepare_device(request.device, request.threads, training.run.repro);
  const auto start = read_start(training, dataset.inputs);
  if (!start)
    throw Error::config("the run " + request.run_folder +
                        " starts from no weights; name some by init or model.encoder, or embed "
                        "its own weights");
  training.run.model = with_encoder_shape(training.run.model, start, dataset);
  Encoding out{make_recipe(training.run, dataset), training.run,
               inputs_of_start(dataset.inputs, start), device};
  load_start(*out.recipe, *start, out.inputs, context);
  out.recipe->module().to(device);
  set_training(*out.recipe, out.run, false);
  return out;
}

/// An npy file that grows row by row; published when all rows are there.
class FeatureFile {
 public:
  FeatureFile(const std::filesystem::path& target, std::int64_t rows)
      : file_(target), rows_(rows) {}
  void append(const torch::Tensor& features_nd) {
    const auto values = features_nd.to(torch::kFloat32).cpu().contiguous();
    if (!has_header_) {
      file_.append(shard::npy_header(shard::DType::f32, std::array{rows_, values.size(1)}));
      has_header_ = true;
    }
    file_.append(std::as_bytes(
        std::span(values.data_ptr<float>(), static_cast<std::size_t>(values.numel()))));
  }
  void publish() { file_.publish(); }

 private:
  shard::PendingFile file_;
  std::int64_t rows_;
  bool has_header_ = false;
};

}  // namespace

torch::Tensor pooled_as(const std::string& pool, const ImageCode& code) {
  if (pool == "mean") return code.map_ndhw.mean({2, 3});
  if (pool == "cls" && !code.cls_nd.defined())
    throw Error::config("this network has no class token to embed; use --pool mean");
  return pooled(code);
}

void run_embed(const EmbedRequest& request, const LearnContext& context) {
  const Corpus corpus(request.workspace, request.dataset, request.samples);
  const auto& samples = corpus.part("all");
  if (corpus.dataset().views == "all")
    throw Error::config("embed: dataset " + corpus.dataset().name +
                        " stacks its dates (views: all), and features are of one view; use a dataset "
                        "with views: each");
  if (samples.empty()) throw Error::failed("there is no sample to embed in " + request.samples);
  auto encoding = request.run ? of_start(request, corpus.dataset(), context)
                              : of_run(request, corpus.dataset());
  const torch::NoGradGuard no_grad;
  encoding.run.batch = request.batch;
  const auto count = static_cast<std::int64_t>(samples.size());
  Loader loader(
      corpus, samples,
      loader_config(encoding.run, encoding.inputs, "each", Delivery::image, count, false));
  loader.start(0);
  FeatureFile file(request.output, count);
  std::int64_t done = 0;
  while (const auto raw = loader.next()) {
    const auto code =
        encoding.recipe->encode(to_batch(*raw, encoding.device).image_nchw, request.tap);
    file.append(pooled_as(request.pool, code));
    done += raw->count;
    context.on_progress(done, count, "samples");
    if (context.stop.stop_requested())
      throw Error::stopped("embedding stopped on request; the same command starts it again");
  }
  file.publish();
}

}  // namespace tilewright::learn
