// SPDX-License-Identifier: Apache-2.0
// Cross-fitting: K models, each blind for the samples that it predicts.
#include "learn/train/folds.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>

#include "geometry/error.h"
#include "index/shard/shard_writer.h"
#include "learn/train/batch.h"
#include "learn/train/device.h"
#include "learn/train/stepper.h"

namespace tilewright::learn {
namespace {

constexpr std::uint64_t kCropPurpose = 0x63726f70;  // "crop"

std::map<std::string, int> read_folds(const std::filesystem::path& file, int fold_count) {
  std::ifstream in(file);
  if (!in) throw Error::failed("cannot open the list of folds " + file.string());
  std::map<std::string, int> folds;
  std::string line;
  for (std::int64_t number = 1; std::getline(in, line); ++number) {
    const auto tab = line.find('\t');
    int fold = -1;
    if (tab != std::string::npos)
      std::from_chars(line.data() + tab + 1, line.data() + line.size(), fold);
    if (number == 1 && fold < 0) continue;  // a header line
    if (fold < 0 || fold > fold_count)
      throw Error::failed(file.string() + ":" + std::to_string(number) + " is '" + line +
                          "', expected a location, a tab and a fold 0.." +
                          std::to_string(fold_count - 1) + ", or " + std::to_string(fold_count) +
                          " to train only");
    folds[line.substr(0, tab)] = fold;
  }
  return folds;
}

/// Samples of one fold, and of all others.
struct FoldSamples {
  std::vector<CorpusSample> training, own;
};

std::vector<FoldSamples> samples_by_fold(const std::vector<CorpusSample>& samples,
                                         const FoldsRequest& request) {
  const auto fold_of = read_folds(request.folds, request.fold_count);
  std::vector<FoldSamples> out(static_cast<std::size_t>(request.fold_count));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto found = fold_of.find(samples[i].location);
    if (found == fold_of.end())
      throw Error::failed("the location " + samples[i].location + " has no fold in " +
                          request.folds);
    for (int fold = 0; fold < request.fold_count; ++fold) {
      auto& group = out[static_cast<std::size_t>(fold)];
      (found->second == fold ? group.own : group.training).push_back(samples[i]);
    }
  }
  for (std::size_t fold = 0; fold < out.size(); ++fold)
    if (!out[fold].own.empty() && out[fold].training.empty())
      throw Error::failed("fold " + std::to_string(fold) + " holds all " +
                          std::to_string(samples.size()) +
                          " samples, so that nothing is left to train its model; take smaller "
                          "blocks (split.block_m) or fewer folds");
  return out;
}

/// The same random window of each sample's image and mask, `crop_px` wide: cheaper steps.
RawBatch cropped(const RawBatch& raw, int crop_px, const StepKey& key) {
  const int size = crop_px == 0 ? raw.size : std::min(crop_px, raw.size);
  if (size == raw.size) return raw;
  RawBatch out = raw;
  out.size = size;
  out.image.clear(), out.mask.clear();
  for (int i = 0; i < raw.count; ++i) {
    CounterRandom random{key.seed, static_cast<std::uint64_t>(key.step),
                         static_cast<std::uint64_t>(i), kCropPurpose};
    const auto left = random.below(raw.size - size + 1), top = random.below(raw.size - size + 1);
    const auto copy = [&](const auto& from, auto& to, std::int64_t plane) {
      for (int y = 0; y < size; ++y) {
        const auto start = from.begin() + (plane * raw.size + top + y) * raw.size + left;
        to.insert(to.end(), start, start + size);
      }
    };
    for (int c = 0; c < raw.channels; ++c)
      copy(raw.image, out.image, std::int64_t{i} * raw.channels + c);
    copy(raw.mask, out.mask, i);
  }
  return out;
}

class FoldsRun {
 public:
  FoldsRun(const FoldsRequest& request, const LearnContext& context)
      : request_(request),
        context_(context),
        device_(prepare_device(request.run.device, request.run.threads, request.run.repro)),
        corpus_(request.workspace, request.dataset, request.samples),
        folds_(samples_by_fold(corpus_.part("all"), request)) {}

  void run() {
    for (int seed = 0; seed < request_.seeds; ++seed) {
      run_.seed = request_.run.seed + static_cast<std::uint64_t>(seed);
      for (int fold = 0; fold < request_.fold_count; ++fold, ++done_) {
        const auto& samples = folds_[static_cast<std::size_t>(fold)];
        const auto file = std::filesystem::path(request_.output_folder) / fold_shard(fold, seed);
        if (samples.own.empty() || std::filesystem::exists(file)) continue;
        const auto recipe = train(samples.training);
        predict(*recipe, samples.own, file);
      }
    }
  }

 private:
  std::unique_ptr<Recipe> train(const std::vector<CorpusSample>& samples) {
    auto recipe = make_recipe(run_, corpus_.dataset());
    recipe->module().to(device_);
    set_training(*recipe, run_, true);
    Loader loader(
        corpus_, samples,
        loader_config(run_, corpus_.dataset().inputs, corpus_.dataset().views, recipe->delivery(),
                      static_cast<std::int64_t>(samples.size()), true));
    const auto length = length_of(run_, loader.batches());
    Stepper stepper(*recipe, run_, length, device_);
    std::int64_t step = 0;
    for (std::int64_t epoch = 0; step < length.total_steps; ++epoch) {
      loader.start(epoch);
      while (step < length.total_steps) {
        const auto raw = loader.next();
        if (!raw) break;
        check_stop();
        const StepKey key{.seed = run_.seed, .epoch = epoch, .step = step++};
        stepper.step(cropped(*raw, request_.crop_px, key), samples, key);
        context_.on_progress(done_ * length.total_steps + step,
                             std::int64_t{request_.fold_count} * request_.seeds * length.total_steps,
                             "steps");
      }
    }
    stepper.optimizer().swap_average();
    return recipe;
  }

  /// Places of the answers in the shard, in the order of the samples.
  std::vector<shard::MemberSpec> members_of(const std::vector<CorpusSample>& samples) {
    const auto classes = static_cast<std::int64_t>(corpus_.dataset().target.classes.size());
    std::vector<shard::MemberSpec> members;
    for (const auto& sample : samples) {
      const auto& row = sample.rows[0];
      const auto& shape = corpus_.array(row.shard, row.offset, row.length).header.shape;
      members.push_back({sample.location, sample.location + "." + row.view + ".prob.npy",
                         shard::DType::f32, {classes, shape[1], shape[2]}, ""});
    }
    return members;
  }

  void predict(Recipe& recipe, const std::vector<CorpusSample>& own,
               const std::filesystem::path& file) {
    shard::ShardWriter writer(file, members_of(own));
    const torch::NoGradGuard no_grad;
    set_training(recipe, run_, false);
    Loader loader(
        corpus_, own,
        loader_config(run_, corpus_.dataset().inputs, corpus_.dataset().views, recipe.delivery(),
                      static_cast<std::int64_t>(own.size()), false));
    loader.start(0);
    while (const auto raw = loader.next()) {
      check_stop();
      const auto probabilities =
          recipe.logits(to_batch(*raw, device_).image_nchw).softmax(1).to(torch::kFloat32).cpu();
      for (std::size_t i = 0; i < raw->samples.size(); ++i) {
        const auto number = static_cast<std::size_t>(raw->samples[i]);
        const auto& row = own[number].rows[0];
        const auto& shape = corpus_.array(row.shard, row.offset, row.length).header.shape;
        const auto one = probabilities[static_cast<std::int64_t>(i)]
                             .slice(1, 0, shape[1])
                             .slice(2, 0, shape[2])
                             .contiguous();
        writer.put(number, std::as_bytes(std::span(one.data_ptr<float>(),
                                                   static_cast<std::size_t>(one.numel()))));
      }
    }
    writer.publish();
  }

  void check_stop() const {
    if (context_.stop.stop_requested())
      throw Error::stopped(
          "out-of-fold models stopped on request; models that are done stay, the same command goes on");
  }

  const FoldsRequest& request_;
  const LearnContext& context_;
  torch::Device device_;
  Corpus corpus_;
  std::vector<FoldSamples> folds_;
  RunConfig run_ = request_.run;
  std::int64_t done_ = 0;  ///< models, trained or found
};

}  // namespace

void run_folds(const FoldsRequest& request, const LearnContext& context) {
  FoldsRun(request, context).run();
}

}  // namespace tilewright::learn
