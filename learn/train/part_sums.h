// SPDX-License-Identifier: Apache-2.0
// Sums of a supervised recipe over a part, batch by batch; one kind for each kind of target.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <vector>

#include "learn/data/loader.h"
#include "learn/train/evaluator.h"

namespace tilewright::learn {

class PartSums {
 public:
  virtual ~PartSums() = default;
  /// \param scores of recipe.logits() for the batch.
  virtual void add(const torch::Tensor& scores, const RawBatch& raw, const Batch& batch,
                   const std::vector<CorpusSample>& samples) = 0;
  virtual void finish(PartScore& score) = 0;
};

/// The sums for dataset.target.kind mask, class or classes; `keep_samples` as in EvaluateOptions.
std::unique_ptr<PartSums> make_part_sums(const DatasetFile& dataset, bool keep_samples);
/// Images with one class each, and with any number of classes.
std::unique_ptr<PartSums> make_class_sums(const DatasetFile& dataset, bool keep_samples);
std::unique_ptr<PartSums> make_classes_sums(const DatasetFile& dataset, bool keep_samples);

/// A number as the shortest text that reads back; "" without a value.
std::string shown(double value);
std::string shown(const std::optional<double>& value);

}  // namespace tilewright::learn
