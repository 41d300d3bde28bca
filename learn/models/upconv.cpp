// SPDX-License-Identifier: Apache-2.0
// UpConv.
#include "learn/models/upconv.h"

#include <algorithm>
#include <bit>

#include "geometry/error.h"

namespace tilewright::learn {
namespace nn = torch::nn;

UpConvHead::UpConvHead(int dim, int patch_px, int classes) {
  if (patch_px < 2 || !std::has_single_bit(static_cast<unsigned>(patch_px)))
    throw Error::config("model upconv: patch_px " + std::to_string(patch_px) +
                        " is no power of two, which its doublings need; take 2, 4, 8 or 16");
  const int stages = std::countr_zero(static_cast<unsigned>(patch_px));
  nn::ModuleList convs, norms;
  int in = dim;
  for (int i = 0; i < stages; ++i) {
    const bool is_last = i + 1 == stages;
    const int out = is_last ? classes : std::max(128 >> i, 1);
    convs_.emplace_back(nn::Conv2dOptions(in, out, 3).padding(1));
    convs->push_back(convs_.back());
    in = out;
    if (is_last) continue;
    norms_.emplace_back(out);
    norms->push_back(norms_.back());
  }
  register_module("convs", convs);
  register_module("norms", norms);
  const torch::NoGradGuard no_grad;
  convs_.back()->weight.normal_(0, 0.003);  // nine pixels of many maps: the first loss is ln K
  convs_.back()->bias.zero_();
}

torch::Tensor UpConvHead::forward(const torch::Tensor& map_nchw) {
  auto x = map_nchw;
  for (std::size_t i = 0; i < convs_.size(); ++i) {
    x = at::upsample_bilinear2d(x, {2 * x.size(2), 2 * x.size(3)}, /*align_corners=*/false);
    x = convs_[i]->forward(x);
    if (i < norms_.size()) x = torch::relu(norms_[i]->forward(x));
  }
  return x;
}

UpConv::UpConv(const VitShape& shape, int classes) : trunk_(*this, shape) {
  initialize_vit(*this);
  if (shape.learns_positions) learn_positions(*this);
  head_ = register_module("decode_head",
                          std::make_shared<UpConvHead>(shape.dim, shape.patch_px, classes));
}

torch::Tensor UpConv::forward(const torch::Tensor& image_nchw) {
  return head_->forward(trunk_.code(image_nchw, std::nullopt).map_ndhw);
}

}  // namespace tilewright::learn
