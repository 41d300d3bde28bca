// SPDX-License-Identifier: Apache-2.0
// The HOG layer.
#include "learn/models/hog.h"

#include <numbers>
#include <sstream>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

/// Gaussian window with sigma = edge / 2 and the sum 1, repeated over [rows, cols].
torch::Tensor tiled_window(int edge_px, const torch::Tensor& like, std::int64_t rows,
                           std::int64_t cols) {
  const auto place = (torch::arange(edge_px, like.options()) - (edge_px - 1) / 2.0) / (edge_px / 2);
  const auto line = torch::exp(-0.5 * place.square());
  const auto window = line.unsqueeze(1) * line.unsqueeze(0);
  return (window / window.sum())
      .repeat({(rows + edge_px - 1) / edge_px, (cols + edge_px - 1) / edge_px})
      .slice(0, 0, rows)
      .slice(1, 0, cols);
}

}  // namespace

torch::Tensor hog(const torch::Tensor& image_nchw, const HogSettings& settings) {
  const torch::NoGradGuard no_grad;
  const auto n = image_nchw.size(0), c = image_nchw.size(1), h = image_nchw.size(2),
             w = image_nchw.size(3);
  const int pool = settings.pool_px;
  if (h % pool != 0 || w % pool != 0) {
    std::ostringstream text;
    text << "HOG of images " << image_nchw.sizes() << ": sides must be multiples of the cell of "
         << pool << " px";
    throw Error::failed(text.str());
  }
  const auto kernel = torch::tensor({1., 0., -1., 2., 0., -2., 1., 0., -1.}, image_nchw.options())
                          .view({1, 1, 3, 3});
  const auto planes = at::reflection_pad2d(image_nchw.reshape({n * c, 1, h, w}), {1, 1, 1, 1});
  const auto gx = torch::conv2d(planes, kernel), gy = torch::conv2d(planes, kernel.transpose(2, 3));
  auto length = torch::hypot(gx, gy);
  if (settings.window_px > 0) length = length * tiled_window(settings.window_px, length, h, w);
  const auto phase = torch::atan2(gx, gy) / std::numbers::pi * settings.bins;
  const auto bin = phase.floor().to(torch::kInt64).remainder(settings.bins);
  auto votes = torch::zeros({n * c, settings.bins, h, w}, image_nchw.options());
  votes.scatter_add_(1, bin, length);
  auto cells = votes.reshape({n, c, settings.bins, h / pool, pool, w / pool, pool}).sum({4, 6});
  if (settings.is_normed) cells = cells / cells.norm(2, {2}, /*keepdim=*/true).clamp_min(1e-12);
  return cells;
}

torch::Tensor hog_of_tokens(const torch::Tensor& hog_ncbhw, int cells_per_side) {
  const auto n = hog_ncbhw.size(0), c = hog_ncbhw.size(1), b = hog_ncbhw.size(2),
             rows = hog_ncbhw.size(3) / cells_per_side, cols = hog_ncbhw.size(4) / cells_per_side;
  return hog_ncbhw.reshape({n, c, b, rows, cells_per_side, cols, cells_per_side})
      .permute({0, 3, 5, 1, 2, 4, 6})
      .reshape({n, rows * cols, c * b * cells_per_side * cells_per_side});
}

}  // namespace tilewright::learn
