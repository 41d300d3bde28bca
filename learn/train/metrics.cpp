// SPDX-License-Identifier: Apache-2.0
// Segmentation metrics from integer counts.
#include "learn/train/metrics.h"

#include <algorithm>
#include <numeric>

namespace tilewright::learn {
namespace {

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// Mean over the entries that have a value; 0 if none has.
double mean_of(const std::vector<std::optional<double>>& values) {
  double sum = 0;
  int count = 0;
  for (const auto& value : values)
    if (value) sum += *value, ++count;
  return count == 0 ? 0 : sum / count;
}

}  // namespace

Confusion::Confusion(int classes)
    : classes_(classes),
      counts_(static_cast<std::size_t>(classes) * static_cast<std::size_t>(classes), 0) {}

void Confusion::add(std::span<const std::uint8_t> truth, std::span<const std::uint8_t> prediction) {
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] >= classes_)
      ++ignored_;
    else
      ++counts_[static_cast<std::size_t>(truth[i]) * static_cast<std::size_t>(classes_) +
                prediction[i]];
  }
}

void Confusion::add(const Confusion& other) {
  std::transform(counts_.begin(), counts_.end(), other.counts_.begin(), counts_.begin(),
                 std::plus<>());
  ignored_ += other.ignored_;
}

std::int64_t Confusion::at(int truth, int prediction) const {
  return counts_[static_cast<std::size_t>(truth) * static_cast<std::size_t>(classes_) +
                 static_cast<std::size_t>(prediction)];
}

std::int64_t Confusion::pixels() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

SegmentationMetrics metrics_of(const Confusion& confusion) {
  SegmentationMetrics out;
  out.pixels = confusion.pixels();
  out.ignored = confusion.ignored();
  std::int64_t right = 0, unions = 0;
  for (int k = 0; k < confusion.classes(); ++k) {
    std::int64_t in_truth = 0, in_prediction = 0;
    for (int other = 0; other < confusion.classes(); ++other) {
      in_truth += confusion.at(k, other);
      in_prediction += confusion.at(other, k);
    }
    const auto hit = confusion.at(k, k), either = in_truth + in_prediction - hit;
    right += hit;
    unions += either;
    if (either == 0) ++out.empty_classes;
    out.iou.push_back(either == 0 ? std::nullopt : std::optional(ratio(hit, either)));
    out.f1.push_back(either == 0 ? std::nullopt
                                 : std::optional(ratio(2 * hit, in_truth + in_prediction)));
  }
  out.overall_accuracy = ratio(right, out.pixels);
  out.iou_micro = ratio(right, unions);
  out.iou_macro = mean_of(out.iou);
  out.f1_macro = mean_of(out.f1);
  return out;
}

}  // namespace tilewright::learn
