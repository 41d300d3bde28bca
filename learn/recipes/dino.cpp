// SPDX-License-Identifier: Apache-2.0
// Recipe dino: a student finds, from any crop, what its slow teacher says of the large ones.
#include <algorithm>
#include <cmath>

#include "geometry/error.h"
#include "learn/losses/contrastive.h"
#include "learn/models/heads.h"
#include "learn/models/named_tensors.h"
#include "learn/recipes/momentum.h"
#include "learn/recipes/rows.h"

namespace tilewright::learn {
namespace {

constexpr const char* kStudent = "student";
constexpr const char* kHead = "dino_head";
constexpr const char* kCentre = "centre";
constexpr double kFirstTeacherTemperature = 0.04;

/// The teacher is the root, so that its names stay flat for those who start from it; the student
/// lies below student, the centre is a buffer: a checkpoint holds them all.
/// Differs from the reference: the teacher runs in evaluation mode with the student's statistics
/// of batch norm; positions are fixed unless the model learns them.
class Dino : public Recipe {
 public:
  Dino(std::shared_ptr<FeatureEncoder> teacher, std::shared_ptr<FeatureEncoder> student,
       const RunConfig& run)
      : teacher_(std::move(teacher)), student_(std::move(student)), loss_(run.loss) {
    const DinoHead::Shape shape{.dim = teacher_->feature_dim(),
                                .hidden = run.model.head_hidden,
                                .bottleneck = run.model.head_bottleneck,
                                .out = run.model.head_out};
    teacher_head_ = teacher_->register_module(kHead, std::make_shared<DinoHead>(shape));
    student_head_ = student_->register_module(kHead, std::make_shared<DinoHead>(shape));
    follow_slowly(*student_, *teacher_, /*stays=*/0);
    for (auto& parameter : teacher_->parameters()) parameter.set_requires_grad(false);
    teacher_->register_buffer(kCentre, torch::zeros({shape.out}));
    teacher_->register_module(kStudent, student_);
  }

  [[nodiscard]] Delivery delivery() const override { return Delivery::crops; }
  [[nodiscard]] torch::nn::Module& module() override { return *teacher_; }
  [[nodiscard]] std::vector<std::string> encoder_prefixes() const override {
    return teacher_->encoder_prefixes();
  }
  ImageCode encode(const torch::Tensor& image_nchw, std::optional<int> tap) override {
    return teacher_->encode(image_nchw, tap);
  }

  torch::Tensor loss(const Batch& batch, const StepKey& key) override {
    for (auto& child : teacher_->named_children())
      if (child.key() != kStudent) child.value()->eval();
    const auto large = torch::cat({batch.image_nchw, batch.image2_nchw});
    fresh_rk_ = teacher_of(large);
    auto features = student_->forward(large);
    if (batch.small_rchw.defined())
      features = torch::cat({features, student_->forward(batch.small_rchw)});
    const auto student = student_head_->forward(features, key.epoch >= loss_.freeze_epochs);
    const auto crops = static_cast<int>(student.size(0) / batch.image_nchw.size(0));
    return dino(student.to(torch::kFloat32), fresh_rk_, centre(), crops,
                {.student = loss_.temperature, .teacher = teacher_temperature(key.epoch)});
  }

  void follow(const StepKey& key) override {
    follow_slowly(*teacher_, *student_,
                  cosine_between(loss_.momentum, loss_.momentum_end.value_or(1), key.progress));
    if (!fresh_rk_.defined()) return;
    const torch::NoGradGuard no_grad;
    centre().copy_(dino_centre(centre(), fresh_rk_, loss_.centre_momentum));
    fresh_rk_.reset();
  }

  /// The student begins as its teacher.
  void after_start() override { follow_slowly(*student_, *teacher_, /*stays=*/0); }

  [[nodiscard]] std::optional<double> expected_initial_loss(int) const override {
    return std::log(static_cast<double>(centre().size(0)));
  }

 private:
  torch::Tensor teacher_of(const torch::Tensor& image_nchw) {
    const torch::NoGradGuard no_grad;
    return teacher_head_->forward(teacher_->forward(image_nchw)).to(torch::kFloat32);
  }
  /// Moving a module to a device makes new buffers: ask for it by name.
  [[nodiscard]] torch::Tensor centre() const { return teacher_->named_buffers(false)[kCentre]; }

  [[nodiscard]] double teacher_temperature(std::int64_t epoch) const {
    if (loss_.teacher_warmup_epochs == 0) return loss_.teacher_temperature;
    const double share = std::clamp(
        static_cast<double>(epoch) / static_cast<double>(loss_.teacher_warmup_epochs), 0.0, 1.0);
    return kFirstTeacherTemperature +
           share * (loss_.teacher_temperature - kFirstTeacherTemperature);
  }

  std::shared_ptr<FeatureEncoder> teacher_, student_;
  std::shared_ptr<DinoHead> teacher_head_, student_head_;
  LossConfig loss_;
  torch::Tensor fresh_rk_;  ///< raw outputs of the teacher in this step
};

}  // namespace

std::unique_ptr<Recipe> make_dino(const RunConfig& run, const DatasetFile& dataset) {
  const auto image = image_shape(dataset);
  const int small_px = small_crop_px(run, image.size_px);
  if (run.crops.small > 0 && model_row(run.model.name).is_vit && small_px % run.model.patch_px != 0)
    throw Error::config("recipe dino: crops.small_px " + std::to_string(small_px) +
                        " is no multiple of patch_px " + std::to_string(run.model.patch_px) +
                        "; take one, or leave it out");
  if (run.crops.least_area > run.crops.large_area)
    throw Error::config("recipe dino: crops.least_area " + std::to_string(run.crops.least_area) +
                        " is above large_area " + std::to_string(run.crops.large_area) +
                        "; small crops lie between the two");
  return std::make_unique<Dino>(make_encoder(run.model, image), make_encoder(run.model, image),
                                run);
}

}  // namespace tilewright::learn
