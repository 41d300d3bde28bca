// SPDX-License-Identifier: Apache-2.0
// Matching weights by name and shape; bands and positions are adapted.
#include "learn/models/load_matching.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <sstream>

#include "geometry/error.h"
#include "learn/models/vit.h"

namespace tilewright::learn {
namespace {

constexpr std::array kFirstLayers{"patch_embed.proj.weight", "inc.double_conv.0.weight",
                                  "conv1.weight"};
constexpr std::array kPrefixes{"module.", "model.", "encoder.", "backbone."};

std::string text_of(const torch::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// Without the wrappers that frameworks put in front of names.
std::string bare_name(std::string name) {
  for (bool is_stripped = true; is_stripped;) {
    is_stripped = false;
    for (const std::string prefix : kPrefixes) {
      if (!name.starts_with(prefix)) continue;
      name.erase(0, prefix.size());
      is_stripped = true;
    }
  }
  return name;
}

bool is_first_layer(const std::string& name) {
  return std::find(kFirstLayers.begin(), kFirstLayers.end(), name) != kFirstLayers.end();
}

/// The kernel over the module's bands, picked by name out of the file's.
torch::Tensor picked_bands(const torch::Tensor& kernel, const std::vector<std::string>& file_bands,
                           const std::vector<std::string>& bands) {
  std::vector<std::int64_t> indices;
  for (const auto& band : bands) {
    const auto found = std::find(file_bands.begin(), file_bands.end(), band);
    if (found == file_bands.end())
      throw Error::config("cannot start from these weights: they were trained on the bands " +
                          joined(file_bands) + ", this dataset also has '" + band +
                          "'; choose bands that the earlier run had");
    indices.push_back(found - file_bands.begin());
  }
  return kernel.index_select(1, torch::tensor(indices));
}

/// Undefined if the kernel cannot be adapted.
torch::Tensor adapted_kernel(const torch::Tensor& kernel, const torch::Tensor& own,
                             const std::vector<std::string>& file_bands,
                             const std::vector<std::string>& bands) {
  if (kernel.dim() != 4 || kernel.size(0) != own.size(0) || kernel.size(2) != own.size(2) ||
      kernel.size(3) != own.size(3))
    return {};
  if (!file_bands.empty() && static_cast<std::int64_t>(file_bands.size()) == kernel.size(1))
    return picked_bands(kernel, file_bands, bands);
  if (kernel.size(1) == own.size(1)) return kernel;
  if (kernel.size(1) == 3 && own.size(1) == 1) return kernel.sum(1, /*keepdim=*/true);
  throw Error::config("cannot start from these weights: they take " +
                      std::to_string(kernel.size(1)) + " unnamed bands, this dataset has " +
                      std::to_string(own.size(1)) + " (" + joined(bands) +
                      "); choose as many bands");
}

/// Positions of another image size, resampled bicubically; undefined if the width differs.
torch::Tensor resampled_positions(const torch::Tensor& positions, const torch::Tensor& own) {
  if (positions.dim() != 3 || positions.size(2) != own.size(2)) return {};
  const auto side = std::lround(std::sqrt(static_cast<double>(own.size(1) - 1)));
  return resized_positions(positions, side, side);
}

struct Fit {
  torch::Tensor value;  ///< undefined: does not fit
  std::string how;      ///< empty: as it is
};

Fit fit(const std::string& name, const torch::Tensor& given, const torch::Tensor& own,
        const std::vector<std::string>& file_bands, const std::vector<std::string>& bands) {
  if (is_first_layer(name)) {
    auto kernel = adapted_kernel(given, own, file_bands, bands);
    const bool is_same = kernel.defined() && given.size(1) == own.size(1) &&
                         (file_bands.empty() || file_bands == bands);
    return {kernel, is_same ? "" : "bands " + joined(bands)};
  }
  if (given.sizes() == own.sizes()) return {given, ""};
  if (name == "pos_embed" && own.dim() == 3)
    return {resampled_positions(given, own), "resampled from " + text_of(given)};
  return {};
}

void check_needed(const LoadReport& report, const std::vector<std::string>& needed) {
  const auto is_needed = [&](const std::string& name) {
    return lies_below(name.substr(0, name.find(':')), needed);
  };
  if (needed.empty() || std::any_of(report.loaded.begin(), report.loaded.end(), is_needed)) return;
  throw Error::config(
      "cannot start from these weights: nothing in the file fits the encoder (" + joined(needed) +
      ")" +
      (report.mismatched.empty() ? std::string() : "; first misfit: " + report.mismatched.front()) +
      "; use the model name, width and patch_px of the earlier run");
}

}  // namespace

LoadReport load_matching(torch::nn::Module& module, const TensorMap& file,
                         const std::vector<std::string>& file_bands,
                         const std::vector<std::string>& bands,
                         const std::vector<std::string>& needed) {
  std::map<std::string, torch::Tensor> given;
  for (const auto& [name, tensor] : file) given.emplace(bare_name(name), tensor);
  LoadReport report;
  std::vector<std::pair<torch::Tensor, torch::Tensor>>
      copies;  // all or nothing: errors come before the first copy
  std::set<std::string> used;
  for (const auto& [name, own] : state_of(module)) {
    const auto found = given.find(name);
    if (found == given.end()) {
      report.kept.push_back(name);
      continue;
    }
    used.insert(name);
    const auto [value, how] = fit(name, found->second, own, file_bands, bands);
    if (!value.defined()) {
      report.mismatched.push_back(name + ": " + text_of(found->second) + " does not fit " +
                                  text_of(own));
      continue;
    }
    copies.emplace_back(own, value);
    if (how.empty())
      report.loaded.push_back(name);
    else
      report.adapted.push_back(name + ": " + how);
  }
  for (const auto& [name, tensor] : given)
    if (!used.contains(name)) report.unused.push_back(name);
  check_needed(report, needed);
  const torch::NoGradGuard no_grad;
  for (auto& [own, value] : copies) own.copy_(value);
  return report;
}

std::pair<torch::Tensor, torch::Tensor> fold_to_one_band(const torch::Tensor& weight,
                                                         const torch::Tensor& bias,
                                                         const std::vector<double>& mean,
                                                         const std::vector<double>& std) {
  const torch::NoGradGuard no_grad;
  const auto wide = weight.to(torch::kFloat64);
  const auto scaled = wide / torch::tensor(std, torch::kFloat64).view({1, -1, 1, 1});
  const auto shift =
      (scaled * torch::tensor(mean, torch::kFloat64).view({1, -1, 1, 1})).sum({1, 2, 3});
  return {scaled.sum(1, /*keepdim=*/true).to(weight.scalar_type()),
          (bias.to(torch::kFloat64) - shift).to(bias.scalar_type())};
}

}  // namespace tilewright::learn
