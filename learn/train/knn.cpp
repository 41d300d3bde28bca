// SPDX-License-Identifier: Apache-2.0
// Weighted k-NN on features.
#include "learn/train/knn.h"

#include <algorithm>

#include "geometry/error.h"
#include "learn/train/batch.h"

namespace tilewright::learn {
namespace {

constexpr std::int64_t kAskedAtOnce = 256;

torch::Tensor unit(const torch::Tensor& x_nd) {
  return x_nd / x_nd.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12);
}

}  // namespace

torch::Tensor knn_classes(const torch::Tensor& known_md, const torch::Tensor& known_m,
                          const torch::Tensor& asked_nd, int classes, const KnnSettings& settings) {
  const torch::NoGradGuard no_grad;
  const auto known = unit(known_md).t();
  const auto k = std::min<std::int64_t>(settings.neighbours, known_md.size(0));
  std::vector<torch::Tensor> found;
  for (const auto& asked : unit(asked_nd).split(kAskedAtOnce)) {
    const auto [similarity, place] = asked.matmul(known).topk(k, 1);
    const auto votes = torch::zeros({asked.size(0), classes}, asked.options());
    found.push_back(torch::scatter_add(votes, 1,
                                       known_m.index_select(0, place.flatten()).view(place.sizes()),
                                       (similarity / settings.temperature).exp())
                        .argmax(1));
  }
  return torch::cat(found);
}

torch::Tensor features_of_part(Recipe& recipe, const RunConfig& run,
                               const std::vector<InputInfo>& inputs, const Corpus& corpus,
                               const std::string& part, torch::Device device,
                               const LearnContext& context) {
  const torch::NoGradGuard no_grad;
  set_training(recipe, run, false);
  const auto& samples = corpus.part(part);
  Loader loader(corpus, samples,
                loader_config(run, inputs, corpus.dataset().views, Delivery::image,
                              static_cast<std::int64_t>(samples.size()), false));
  loader.start(0);
  std::vector<torch::Tensor> features;
  while (const auto raw = loader.next()) {
    features.push_back(pooled(recipe.encode(to_batch(*raw, device).image_nchw, std::nullopt))
                           .to(torch::kFloat32)
                           .cpu());
    if (context.stop.stop_requested())
      throw Error::stopped("stopped on request; the same command starts it again");
  }
  return features.empty() ? torch::empty({0, 1}) : torch::cat(features);
}

}  // namespace tilewright::learn
