// SPDX-License-Identifier: Apache-2.0
// The table of models.
#include "learn/models/model.h"

#include <array>

#include "geometry/error.h"
#include "learn/models/resnet_unet.h"
#include "learn/models/spectral.h"
#include "learn/models/unet.h"
#include "learn/models/upconv.h"
#include "learn/models/upernet.h"
#include "learn/models/vit.h"

namespace tilewright::learn {
namespace {

std::shared_ptr<Segmenter> make_unet(const ModelConfig& config, ImageShape image, int classes) {
  return std::make_shared<Unet>(unet_shape(config, image, classes), image.size_px);
}

std::shared_ptr<FeatureEncoder> make_unet_encoder(const ModelConfig& config, ImageShape image) {
  return std::make_shared<UnetEncoder>(unet_shape(config, image, 1));
}

std::shared_ptr<FeatureEncoder> make_vit_encoder(const ModelConfig& config, ImageShape image) {
  return std::make_shared<VitEncoder>(vit_shape(config, image));
}

std::shared_ptr<Segmenter> make_upernet(const ModelConfig& config, ImageShape image, int classes) {
  return std::make_shared<UperNet>(vit_shape(config, image), classes);
}

std::shared_ptr<Segmenter> make_upconv(const ModelConfig& config, ImageShape image, int classes) {
  return std::make_shared<UpConv>(vit_shape(config, image), classes);
}

std::shared_ptr<Segmenter> make_resnet_unet(const ModelConfig& config, ImageShape image,
                                            int classes) {
  return std::make_shared<ResnetUnet>(resnet_shape(config, image), image.size_px, classes);
}

std::shared_ptr<FeatureEncoder> make_resnet(const ModelConfig& config, ImageShape image) {
  return std::make_shared<ResnetEncoder>(resnet_shape(config, image));
}

std::shared_ptr<FeatureEncoder> make_spectral_vit(const ModelConfig& config, ImageShape image) {
  return std::make_shared<SpectralVit>(vit_shape(config, image));
}

std::shared_ptr<Segmenter> make_spectral_upconv(const ModelConfig& config, ImageShape image,
                                                int classes) {
  return std::make_shared<SpectralUpConv>(vit_shape(config, image), classes);
}

std::shared_ptr<FeatureEncoder> make_spectral_resnet(const ModelConfig&, ImageShape image) {
  return std::make_shared<SpectralResnet>(image.channels);
}

constexpr const char* kResnetPaper = "He et al. 2016, arXiv 1512.03385";
constexpr const char* kSpectralPaper = "Braham et al. 2024, arXiv 2408.08447";
constexpr const char* kUnetPaper = "Ronneberger et al. 2015, arXiv 1505.04597";
constexpr const char* kVitPaper = "Dosovitskiy et al. 2021, arXiv 2010.11929";

constexpr std::array kModels{
    ModelRow{"unet", kUnetPaper, make_unet, make_unet_encoder, false},
    ModelRow{"vit", kVitPaper, nullptr, make_vit_encoder, true},
    ModelRow{"vit_tiny", kVitPaper, nullptr, make_vit_encoder, true},
    ModelRow{"vit_small", kVitPaper, nullptr, make_vit_encoder, true},
    ModelRow{"vit_base", kVitPaper, nullptr, make_vit_encoder, true},
    ModelRow{"vit_large", kVitPaper, nullptr, make_vit_encoder, true},
    ModelRow{"vit_huge", kVitPaper, nullptr, make_vit_encoder, true},
    ModelRow{"resnet18", kResnetPaper, nullptr, make_resnet, false},
    ModelRow{"resnet50", kResnetPaper, nullptr, make_resnet, false},
    ModelRow{"spectral_vit", kSpectralPaper, nullptr, make_spectral_vit, false},
    ModelRow{"spectral_resnet50", kSpectralPaper, nullptr, make_spectral_resnet, false},
    ModelRow{"spectral_upconv", kSpectralPaper, make_spectral_upconv, nullptr, false},
    ModelRow{"unet_resnet18", kUnetPaper, make_resnet_unet, make_resnet, false},
    ModelRow{"unet_resnet50", kUnetPaper, make_resnet_unet, make_resnet, false},
    ModelRow{"upconv", "a ladder of doublings on a plain ViT", make_upconv, nullptr, false},
    ModelRow{"upernet", "Xiao et al. 2018, arXiv 1807.10221", make_upernet, nullptr, false},
};

/// Names of the rows for which `can` holds, for error texts.
template <class Predicate>
std::string names_where(Predicate can) {
  std::string names;
  for (const auto& row : kModels)
    if (can(row)) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

}  // namespace

torch::Tensor pooled(const ImageCode& code) {
  return code.cls_nd.defined() ? code.cls_nd : code.map_ndhw.mean({2, 3});
}

ImageCode code_of_maps(std::span<const torch::Tensor> maps, std::optional<int> tap) {
  const auto last = static_cast<int>(maps.size()) - 1;
  if (tap && (*tap < 0 || *tap > last))
    throw Error::config("tap " + std::to_string(*tap) + ": this network has the levels 0 to " +
                        std::to_string(last));
  return {.cls_nd = {}, .map_ndhw = maps[static_cast<std::size_t>(tap.value_or(last))]};
}

std::span<const ModelRow> models() { return kModels; }

const ModelRow& model_row(const std::string& name) {
  for (const auto& row : kModels)
    if (row.name == name) return row;
  throw Error::config("model '" + name + "' does not exist; there are " +
                      names_where([](const auto&) { return true; }));
}

std::shared_ptr<Segmenter> make_segmenter(const ModelConfig& config, ImageShape image,
                                          int classes) {
  const auto& row = model_row(config.name);
  if (!row.make_segmenter)
    throw Error::config("model '" + config.name + "' has no head for recipe segment; use one of " +
                        names_where([](const auto& r) { return r.make_segmenter != nullptr; }));
  return row.make_segmenter(config, image, classes);
}

std::shared_ptr<FeatureEncoder> make_encoder(const ModelConfig& config, ImageShape image) {
  const auto& row = model_row(config.name);
  if (!row.make_encoder)
    throw Error::config("model '" + config.name + "' is no image encoder; use one of " +
                        names_where([](const auto& r) { return r.make_encoder != nullptr; }));
  return row.make_encoder(config, image);
}

}  // namespace tilewright::learn
