// SPDX-License-Identifier: Apache-2.0
// Evaluates a model over a part, batch by batch, in the order of the part file.
#include "learn/train/evaluator.h"

#include <algorithm>
#include <span>

#include "geometry/error.h"
#include "learn/train/batch.h"

namespace tilewright::learn {
namespace {

constexpr int kMostClassesInLog = 32;

/// Sums over one part, sample by sample.
class SegmentationSums {
 public:
  SegmentationSums(const Corpus& corpus, bool keep_samples)
      : classes_(static_cast<int>(corpus.dataset().target.classes.size())),
        total_(classes_),
        keep_samples_(keep_samples) {}

  void add(const torch::Tensor& logits, const RawBatch& raw, const torch::Tensor& mask,
           const std::vector<CorpusSample>& samples) {
    const auto loss =
        torch::nn::functional::cross_entropy(logits, mask,
                                             torch::nn::functional::CrossEntropyFuncOptions()
                                                 .ignore_index(kIgnoreClass)
                                                 .reduction(torch::kNone));
    const auto loss_n = loss.to(torch::kFloat64).sum({1, 2}).cpu().contiguous();
    const auto prediction = logits.argmax(1).to(torch::kUInt8).cpu().contiguous();
    const auto pixels = static_cast<std::size_t>(raw.size) * static_cast<std::size_t>(raw.size);
    for (std::size_t i = 0; i < raw.samples.size(); ++i) {
      Confusion one(classes_);
      one.add(std::span(raw.mask).subspan(i * pixels, pixels),
              {prediction.data_ptr<std::uint8_t>() + i * pixels, pixels});
      const double sum = loss_n.data_ptr<double>()[i];
      loss_ += sum;
      total_.add(one);
      if (!keep_samples_) continue;
      const auto& sample = samples[static_cast<std::size_t>(raw.samples[i])];
      each_.push_back({sample.name, sample.location,
                       sum / static_cast<double>(std::max<std::int64_t>(one.pixels(), 1)),
                       metrics_of(one)});
    }
  }

  void finish(PartScore& score) {
    score.loss = loss_ / static_cast<double>(std::max<std::int64_t>(total_.pixels(), 1));
    score.confusion = total_;
    score.each = std::move(each_);
  }

 private:
  int classes_;
  Confusion total_;
  bool keep_samples_;
  double loss_ = 0;
  std::vector<SampleScore> each_;
};

}  // namespace

NamedValues PartScore::values(const std::vector<ClassInfo>& classes) const {
  NamedValues out = {{"loss", loss}};
  if (!confusion) return out;
  const auto m = metrics_of(*confusion);
  out.insert(out.end(), {{"iou_micro", m.iou_micro},
                         {"iou_macro", m.iou_macro},
                         {"f1_macro", m.f1_macro},
                         {"overall_accuracy", m.overall_accuracy}});
  for (std::size_t k = 0; k < classes.size() && k < kMostClassesInLog; ++k)
    if (m.iou[k]) out.emplace_back("iou_" + classes[k].name, *m.iou[k]);
  return out;
}

PartScore evaluate_part(Recipe& recipe, const RunConfig& run, const std::vector<InputInfo>& inputs,
                        const Corpus& corpus, const std::string& part,
                        const EvaluateOptions& options, const LearnContext& context) {
  const torch::NoGradGuard no_grad;
  set_training(recipe, run, false);
  const auto& samples = corpus.part(part);
  const bool supervised = recipe.delivery() == Delivery::image_and_mask;
  Loader loader(corpus, samples,
                loader_config(run, inputs, corpus.dataset().views, recipe.delivery(),
                              static_cast<std::int64_t>(samples.size()), false));
  loader.start(0);
  SegmentationSums sums(corpus, options.keep_samples);
  PartScore score;
  double weighted = 0;
  while (const auto raw = loader.next()) {
    const auto batch = to_batch(*raw, options.device);
    if (supervised)
      sums.add(recipe.logits(batch.image_nchw), *raw, batch.mask_nhw, samples);
    else
      weighted +=
          recipe.loss(batch, {.seed = run.seed, .epoch = -1, .step = raw->number}).item<double>() *
          raw->count;
    score.samples += raw->count;
    context.on_progress(score.samples, static_cast<std::int64_t>(samples.size()), "samples");
    if (options.keep_samples && context.stop.stop_requested())
      throw Error::stopped("evaluation stopped on request; the same command starts it again");
  }
  if (supervised)
    sums.finish(score);
  else
    score.loss = score.samples == 0 ? 0 : weighted / static_cast<double>(score.samples);
  return score;
}

}  // namespace tilewright::learn
