// SPDX-License-Identifier: Apache-2.0
// Sums over pixels with one class each.
#include "learn/train/part_sums.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <span>

#include "learn/train/bootstrap.h"

namespace tilewright::learn {
namespace {

class PixelSums : public PartSums {
 public:
  PixelSums(const DatasetFile& dataset, bool keep_samples)
      : classes_(static_cast<int>(dataset.target.classes.size())),
        total_(classes_),
        boundary_(classes_),
        keep_samples_(keep_samples) {
    columns_ = {"overall_accuracy", "iou_micro", "iou_macro"};
    for (const auto& info : dataset.target.classes) columns_.push_back("iou_" + info.name);
    columns_.insert(columns_.end(), {"pixels", "ignored_pixels"});
    for (const char* count : {"hits_", "truth_", "predicted_"})
      for (const auto& info : dataset.target.classes) columns_.push_back(count + info.name);
  }

  void add(const torch::Tensor& scores, const RawBatch& raw, const Batch& batch,
           const std::vector<CorpusSample>& samples) override {
    const auto log_likely = torch::log_softmax(scores, 1);
    const auto loss =
        at::cross_entropy_loss(scores, batch.mask_nhw, {}, at::Reduction::None, kIgnoreClass);
    const auto loss_n = loss.to(torch::kFloat64).sum({1, 2}).cpu().contiguous();
    const auto [best, number] = log_likely.max(1);
    const auto prediction = number.to(torch::kUInt8).cpu().contiguous();
    const auto confidence = best.exp().to(torch::kFloat32).cpu().contiguous();
    const auto pixels = static_cast<std::size_t>(raw.size) * static_cast<std::size_t>(raw.size);
    for (std::size_t i = 0; i < raw.samples.size(); ++i) {
      const auto truth = std::span(raw.mask).subspan(i * pixels, pixels);
      const std::span guess(prediction.data_ptr<std::uint8_t>() + i * pixels, pixels);
      Confusion one(classes_);
      one.add(truth, guess);
      calibration_.add({confidence.data_ptr<float>() + i * pixels, pixels}, truth, guess);
      total_.add(one);
      loss_ += loss_n.data_ptr<double>()[i];
      if (!keep_samples_) continue;
      keep(samples[static_cast<std::size_t>(raw.samples[i])], one, loss_n.data_ptr<double>()[i]);
      boundary_.add(truth, guess, raw.size);
    }
  }

  void finish(PartScore& score) override {
    score.loss = loss_ / static_cast<double>(std::max<std::int64_t>(total_.pixels(), 1));
    score.confusion = total_;
    score.ece = calibration_.expected_error();
    score.columns = columns_;
    score.each = std::move(each_);
    score.blocks = std::move(blocks_);
    if (keep_samples_) score.boundary = std::move(boundary_);
  }

 private:
  void keep(const CorpusSample& sample, const Confusion& one, double loss) {
    const auto m = metrics_of(one);
    std::vector<std::string> cells = {shown(m.overall_accuracy), shown(m.iou_micro),
                                      shown(m.iou_macro)};
    for (const auto& iou : m.iou) cells.push_back(shown(iou));
    cells.insert(cells.end(), {std::to_string(m.pixels), std::to_string(m.ignored)});
    add_counts(one, cells);
    each_.push_back({sample.name, sample.location,
                     loss / static_cast<double>(std::max<std::int64_t>(one.pixels(), 1)),
                     one.pixels(), std::move(cells)});
    blocks_.try_emplace(block_of(sample.location), classes_).first->second.add(one);
  }

  /// By class: pixels of it in both, in truth, in prediction.
  void add_counts(const Confusion& one, std::vector<std::string>& cells) const {
    std::vector<std::int64_t> truth(static_cast<std::size_t>(classes_)), predicted(truth);
    for (int k = 0; k < classes_; ++k) {
      cells.push_back(std::to_string(one.at(k, k)));
      for (int other = 0; other < classes_; ++other) {
        truth[static_cast<std::size_t>(k)] += one.at(k, other);
        predicted[static_cast<std::size_t>(k)] += one.at(other, k);
      }
    }
    for (const auto count : truth) cells.push_back(std::to_string(count));
    for (const auto count : predicted) cells.push_back(std::to_string(count));
  }

  int classes_;
  Confusion total_;
  BoundarySums boundary_;
  bool keep_samples_;
  std::vector<std::string> columns_;
  double loss_ = 0;
  Calibration calibration_;
  std::vector<SampleScore> each_;
  std::map<std::string, Confusion> blocks_;
};

}  // namespace

std::string shown(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}
std::string shown(const std::optional<double>& value) { return value ? shown(*value) : ""; }

std::unique_ptr<PartSums> make_part_sums(const DatasetFile& dataset, bool keep_samples) {
  if (dataset.target.kind == "class") return make_class_sums(dataset, keep_samples);
  if (dataset.target.kind == "classes") return make_classes_sums(dataset, keep_samples);
  return std::make_unique<PixelSums>(dataset, keep_samples);
}

}  // namespace tilewright::learn
