// SPDX-License-Identifier: Apache-2.0
// Sums over images with one class, or with any number of classes.
#include <algorithm>
#include <span>

#include "learn/train/bootstrap.h"
#include "learn/train/part_sums.h"

namespace tilewright::learn {
namespace {

class ClassSums : public PartSums {
 public:
  ClassSums(const DatasetFile& dataset, bool keep_samples)
      : dataset_(dataset),
        total_(static_cast<int>(dataset.target.classes.size())),
        keep_samples_(keep_samples) {}

  void add(const torch::Tensor& scores, const RawBatch& raw, const Batch& batch,
           const std::vector<CorpusSample>& samples) override {
    const auto log_likely = torch::log_softmax(scores.to(torch::kFloat64), 1);
    const auto loss = -log_likely.gather(1, batch.label_n.unsqueeze(1)).squeeze(1).cpu();
    const auto [best, number] = log_likely.max(1);
    const auto prediction = number.to(torch::kUInt8).cpu().contiguous();
    const auto confidence = best.exp().to(torch::kFloat32).cpu().contiguous();
    for (std::size_t i = 0; i < raw.samples.size(); ++i) {
      const auto truth = std::span(raw.labels).subspan(i, 1);
      const std::span guess(prediction.data_ptr<std::uint8_t>() + i, 1);
      const float* sure = confidence.data_ptr<float>() + i;
      total_.add(truth, guess);
      calibration_.add({sure, 1}, truth, guess);
      const double one = loss[static_cast<std::int64_t>(i)].item<double>();
      loss_ += one;
      if (!keep_samples_) continue;
      const auto& sample = samples[static_cast<std::size_t>(raw.samples[i])];
      each_.push_back({sample.name,
                       sample.location,
                       one,
                       1,
                       {name_of(truth[0]), name_of(guess[0]), shown(static_cast<double>(*sure))}});
      blocks_.try_emplace(block_of(sample.location), total_.classes())
          .first->second.add(truth, guess);
    }
  }

  void finish(PartScore& score) override {
    score.loss = loss_ / static_cast<double>(std::max<std::int64_t>(total_.pixels(), 1));
    score.confusion = total_;
    score.is_of_images = true;
    score.ece = calibration_.expected_error();
    score.columns = {"truth", "prediction", "probability"};
    score.each = std::move(each_);
    score.blocks = std::move(blocks_);
  }

 private:
  [[nodiscard]] const std::string& name_of(std::uint8_t k) const {
    return dataset_.target.classes[k].name;
  }
  const DatasetFile& dataset_;
  Confusion total_;
  bool keep_samples_;
  double loss_ = 0;
  Calibration calibration_;
  std::vector<SampleScore> each_;
  std::map<std::string, Confusion> blocks_;
};

class ClassesSums : public PartSums {
 public:
  ClassesSums(const DatasetFile& dataset, bool keep_samples)
      : dataset_(dataset),
        total_(static_cast<int>(dataset.target.classes.size())),
        keep_samples_(keep_samples) {}

  void add(const torch::Tensor& scores, const RawBatch& raw, const Batch& batch,
           const std::vector<CorpusSample>& samples) override {
    const auto loss_n =
        at::binary_cross_entropy_with_logits(scores, batch.labels_nk, {}, {}, at::Reduction::None)
            .to(torch::kFloat64)
            .mean(1)
            .cpu()
            .contiguous();
    const auto guess_nk = (scores > 0).to(torch::kUInt8).cpu().contiguous();
    const auto classes = static_cast<std::size_t>(total_.classes());
    for (std::size_t i = 0; i < raw.samples.size(); ++i) {
      const auto truth = std::span(raw.labels).subspan(i * classes, classes);
      const std::span guess(guess_nk.data_ptr<std::uint8_t>() + i * classes, classes);
      const double one = loss_n.data_ptr<double>()[i];
      total_.add(truth, guess);
      loss_ += one;
      if (!keep_samples_) continue;
      LabelCounts own(total_.classes());
      own.add(truth, guess);
      const auto& sample = samples[static_cast<std::size_t>(raw.samples[i])];
      each_.push_back({sample.name,
                       sample.location,
                       one,
                       1,
                       {names_of(truth), names_of(guess), shown(metrics_of(own).f1_micro)}});
    }
  }

  void finish(PartScore& score) override {
    score.loss = loss_ / static_cast<double>(std::max<std::int64_t>(total_.samples(), 1));
    score.labels = total_;
    score.is_of_images = true;
    score.columns = {"truth", "prediction", "f1"};
    score.each = std::move(each_);
  }

 private:
  [[nodiscard]] std::string names_of(std::span<const std::uint8_t> flags) const {
    std::string text;
    for (std::size_t k = 0; k < flags.size(); ++k)
      if (flags[k]) text += (text.empty() ? "" : ";") + dataset_.target.classes[k].name;
    return text;
  }
  const DatasetFile& dataset_;
  LabelCounts total_;
  bool keep_samples_;
  double loss_ = 0;
  std::vector<SampleScore> each_;
};

}  // namespace

std::unique_ptr<PartSums> make_class_sums(const DatasetFile& dataset, bool keep_samples) {
  return std::make_unique<ClassSums>(dataset, keep_samples);
}
std::unique_ptr<PartSums> make_classes_sums(const DatasetFile& dataset, bool keep_samples) {
  return std::make_unique<ClassesSums>(dataset, keep_samples);
}

}  // namespace tilewright::learn
