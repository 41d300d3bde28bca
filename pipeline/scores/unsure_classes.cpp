// SPDX-License-Identifier: Apache-2.0
// Thresholds of confident learning as factors of odds.
#include "pipeline/scores/unsure_classes.h"

namespace tilewright::pipeline {
namespace {

constexpr double kSure = 0.5, kUnknown = 0.1, kLeastContrast = 2;

}  // namespace

void ClassMeans::add(const LabelView& label, const Probabilities& model) {
  const auto classes = model.class_ids.size(), n = model.pixels();
  const auto planes = model.plane_of_class();
  labelled_sum_.resize(classes), sum_.resize(classes), labelled_.resize(classes);
  for (std::size_t k = 0; k < classes; ++k)
    for (std::size_t i = 0; i < n; ++i) {
      const int own = planes[label.pixels[i]];
      if (own < 0) continue;
      const auto p = static_cast<double>(model.khw[k * n + i]);
      sum_[k] += p;
      if (own != static_cast<int>(k)) continue;
      labelled_sum_[k] += p;
      ++labelled_[k];
      ++pixels_;
    }
}

void ClassMeans::add(const ClassMeans& other) {
  const auto classes = other.sum_.size();
  if (classes == 0) return;
  labelled_sum_.resize(classes), sum_.resize(classes), labelled_.resize(classes);
  for (std::size_t k = 0; k < classes; ++k) {
    labelled_sum_[k] += other.labelled_sum_[k];
    sum_[k] += other.sum_[k];
    labelled_[k] += other.labelled_[k];
  }
  pixels_ += other.pixels_;
}

double ClassMeans::where_labelled(std::size_t plane) const { return labelled_[plane] > 0 ? labelled_sum_[plane] / static_cast<double>(labelled_[plane]) : 1; }

double ClassMeans::elsewhere(std::size_t plane) const {
  const auto others = pixels_ - labelled_[plane];
  return others > 0 ? (sum_[plane] - labelled_sum_[plane]) / static_cast<double>(others) : 1;
}

std::vector<double> ClassMeans::factors() const {
  std::vector<double> out(sum_.size(), 1);
  for (std::size_t k = 0; k < out.size(); ++k) {
    const double own = where_labelled(k);
    if (own < kSure && own >= kUnknown && own >= kLeastContrast * elsewhere(k)) out[k] = (1 - own) / own;
  }
  return out;
}

void raise_odds(std::span<float> khw, std::span<const double> factors) {
  const auto n = khw.size() / factors.size();
  for (std::size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < factors.size(); ++k) sum += static_cast<double>(khw[k * n + i]) * factors[k];
    for (std::size_t k = 0; k < factors.size(); ++k) khw[k * n + i] = static_cast<float>(static_cast<double>(khw[k * n + i]) * factors[k] / sum);
  }
}

}  // namespace tilewright::pipeline
