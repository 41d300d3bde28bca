// SPDX-License-Identifier: Apache-2.0
// What one training run is: the `runs` section of a job, as plain structs without torch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "geometry/describe.h"

namespace tilewright::learn {

/// Where an encoder's weights come from: an earlier run of the job, or a file (safetensors or .pth).
struct EncoderSource {
  std::optional<std::string> run, file, sensor;
};
template <class V>
void describe(V&& v, EncoderSource& c) {
  v("run", c.run, "name of an earlier run of this job whose weights start the encoder");
  v("file", c.file, "file of weights with timm or MAE names: safetensors, or .pth or .pt of torch.save");
  v("sensor", c.sensor, "weights of several sensors: whose encoder to take, by the source's name; left out, the one whose source or bands the dataset has");
}

struct ModelConfig {
  std::string name = "unet";
  int width = 64;                 ///< UNet: channels of the first level
  bool bilinear = false;
  bool detailed = false;
  int patch_px = 8;
  int dim = 192, depth = 12, heads = 3;
  int decoder_dim = 96, decoder_depth = 2, decoder_heads = 3;
  double mask_ratio = 0.75;
  bool norm_pix = true;
  double noise_floor = 0;
  std::string positions = "fixed";
  std::string target = "hog";
  std::string fusion = "early";
  bool recompute = false;
  int head_hidden = 2048, head_bottleneck = 256, head_out = 65536;
  std::optional<EncoderSource> encoder;
};
template <class V>
void describe(V&& v, ModelConfig& c) {
  v("name", c.name, "unet, unet_resnet18, unet_resnet50, upernet or upconv (both on a vit of dim, depth, heads) or spectral_upconv (on a spectral_vit) for pixels; resnet18, resnet50, vit_tiny, vit_small, vit_base, vit_large, vit_huge, vit (dim, depth, heads), spectral_vit or spectral_resnet50 for whole images");
  v("width", c.width, "UNet: channels of the first level; 64 is the published network", at_least(2));
  v("bilinear", c.bilinear, "UNet: upsample bilinearly instead of by transposed convolution");
  v("detailed", c.detailed, "resnet: no max-pool, stem of stride 1, so that maps keep twice the detail (4 x the memory)");
  v("patch_px", c.patch_px, "ViT: edge of a token, pixels", at_least(1));
  v("dim", c.dim, "vit: width of the tokens", at_least(4));
  v("depth", c.depth, "vit: number of blocks", at_least(1));
  v("heads", c.heads, "vit: attention heads; divides dim", at_least(1));
  v("decoder_dim", c.decoder_dim, "mae: width of the decoder", at_least(4));
  v("decoder_depth", c.decoder_depth, "mae: blocks of the decoder", at_least(1));
  v("decoder_heads", c.decoder_heads, "mae: attention heads of the decoder", at_least(1));
  v("mask_ratio", c.mask_ratio, "mae: share of tokens that are hidden", between(0.05, 0.99));
  v("norm_pix", c.norm_pix, "mae, maskfeat: standardize the target of each token");
  v("noise_floor", c.noise_floor, "mae, maskfeat with norm_pix: least standard deviation that a token is divided by, in the units of the scaled pixels, so that flat tokens (water, fill) do not ask for their noise; 0 = as published", at_least(0));
  v("positions", c.positions, "vit: fixed = sines and cosines, or learned, as in the published dino and moco; mae has fixed ones", one_of({"fixed", "learned"}));
  v("target", c.target, "maskfeat: hog (each cell to length 1), hog_raw, pixels, or hog_index (hog, and vegetation, water and built-up index of red, green, nir and swir)", one_of({"hog", "hog_raw", "pixels", "hog_index"}));
  v("fusion", c.fusion, "several inputs in recipes classify and segment (unet, unet_resnet18, unet_resnet50, upernet, upconv): early = stacked bands for one encoder, late = an encoder for each input, features joined", one_of({"early", "late"}));
  v("recompute", c.recompute, "vit: blocks keep only their input and run again on the way back; less memory, about a third more time, the same bits");
  v("head_hidden", c.head_hidden, "dino: width of the head", at_least(1));
  v("head_bottleneck", c.head_bottleneck, "dino: what the head narrows to", at_least(1));
  v("head_out", c.head_out, "dino: directions that crops are told apart by; fewer for small corpora", at_least(2));
  v("encoder", c.encoder, "start the encoder from an earlier run or a file");
}

struct LossConfig {
  std::string name = "cross_entropy";
  std::string class_weights = "none";
  std::string reduction = "weight_sum";
  double temperature = 0.1;
  double gamma = 2, boundary_gain = 5, boundary_sigma_px = 3;
  int queue = 4096;
  double momentum = 0.99;
  std::optional<double> momentum_end;
  std::string contrast = "nt_xent";
  double mma_temperature = 0.1;
  double teacher_temperature = 0.04, centre_momentum = 0.9;
  int teacher_warmup_epochs = 0, freeze_epochs = 1;
};
template <class V>
void describe(V&& v, LossConfig& c) {
  v("name", c.name, "cross_entropy, dice, cross_entropy_dice, focal or boundary; classify takes cross_entropy or focal; other recipes have their own", one_of({"cross_entropy", "dice", "cross_entropy_dice", "focal", "boundary"}));
  v("class_weights", c.class_weights, "none, or auto: inverse frequency of the class in train", one_of({"none", "auto"}));
  v("reduction", c.reduction, "weighted cross-entropy: divide by the weight_sum or the pixel_count", one_of({"weight_sum", "pixel_count"}));
  v("temperature", c.temperature, "simclr, dual_simclr, moco: temperature of the softmax; dino: that of the student", above(0));
  v("gamma", c.gamma, "focal: exponent of (1 - probability of the truth)", at_least(0));
  v("boundary_gain", c.boundary_gain, "boundary: extra weight on the edge of a class", at_least(0));
  v("boundary_sigma_px", c.boundary_sigma_px, "boundary: how fast the extra weight falls off, pixels", above(0));
  v("queue", c.queue, "moco: keys of earlier batches (v2); 0 = the keys of the batch and a predictor (v3)", at_least(0));
  v("momentum", c.momentum, "moco, dino: how much of the slow encoder stays at each step", between(0, 1));
  v("momentum_end", c.momentum_end, "moco, dino: the same at the end, reached by half a cosine; left out, moco keeps momentum and dino ends at 1");
  v("contrast", c.contrast, "dual_simclr: nt_xent on vectors, mma (max-match alignment) on maps, or the sum of both", one_of({"nt_xent", "mma", "nt_xent_mma"}));
  v("mma_temperature", c.mma_temperature, "dual_simclr: temperature of mma", above(0));
  v("teacher_temperature", c.teacher_temperature, "dino: temperature of the teacher", above(0));
  v("teacher_warmup_epochs", c.teacher_warmup_epochs, "dino: epochs in which it rises from 0.04", at_least(0));
  v("centre_momentum", c.centre_momentum, "dino: how much of the teacher's centre stays at each step", between(0, 1));
  v("freeze_epochs", c.freeze_epochs, "dino: epochs in which the last layer of the head does not learn", at_least(0));
}

struct OptimizerConfig {
  std::string name = "adamw";
  double lr = 1e-3, weight_decay = 0.05, beta1 = 0.9, beta2 = 0.999, momentum = 0.9;
  double layer_decay = 1;
  std::optional<double> weight_decay_end;
  double ema = 0;
};
template <class V>
void describe(V&& v, OptimizerConfig& c) {
  v("name", c.name, "adamw, sgd or lars", one_of({"adamw", "sgd", "lars"}));
  v("lr", c.lr, "learning rate at the top of the schedule", above(0));
  v("weight_decay", c.weight_decay, "decoupled decay; not on biases and norms", at_least(0));
  v("beta1", c.beta1, "adamw: decay of the first moment", between(0, 1));
  v("beta2", c.beta2, "adamw: decay of the second moment", between(0, 1));
  v("momentum", c.momentum, "sgd, lars: momentum", between(0, 1));
  v("layer_decay", c.layer_decay, "vit: factor of the learning rate from each block to the one below it; 1 = equal rates", between(0.01, 1));
  v("weight_decay_end", c.weight_decay_end, "decay at the end, reached by half a cosine; left out, it stays");
  v("ema", c.ema, "average of the weights that is validated and saved in their place: share of it that stays at each step, such as 0.999; 0 = none", between(0, 0.999999));
}

/// Crops of recipe dino: two large ones and some small ones.
struct CropsConfig {
  int small = 8, small_px = 0;
  double least_area = 0.05, large_area = 0.4;
};
template <class V>
void describe(V&& v, CropsConfig& c) {
  v("small", c.small, "small crops of each sample, beside the two large ones", at_least(0));
  v("small_px", c.small_px, "edge of a small crop, pixels; 0 = half of the sample, cut to whole tokens", at_least(0));
  v("least_area", c.least_area, "least share of the sample that a small crop shows", between(0.001, 1));
  v("large_area", c.large_area, "least share that a large crop shows, and largest of a small one", between(0.001, 1));
}

struct ScheduleConfig {
  std::string name = "cosine";
  double warmup_epochs = 0, min_lr = 0, power = 1, factor = 0.1;
  std::vector<double> milestones;
};
template <class V>
void describe(V&& v, ScheduleConfig& c) {
  v("name", c.name, "constant, cosine, poly or step", one_of({"constant", "cosine", "poly", "step"}));
  v("warmup_epochs", c.warmup_epochs, "linear from 0 over so many epochs", at_least(0));
  v("min_lr", c.min_lr, "learning rate at the end", at_least(0));
  v("power", c.power, "poly: exponent", above(0));
  v("factor", c.factor, "step: factor at each milestone", above(0));
  v("milestones", c.milestones, "step: epochs after which the rate is multiplied by factor");
}

struct RunConfig {
  std::string dataset;
  std::string recipe = "segment";
  ModelConfig model;
  LossConfig loss;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  std::vector<std::string> augment;
  CropsConfig crops;
  std::string protocol = "full";
  int epochs = 20;
  int batch = 8;
  std::int64_t max_steps = 0;
  std::int64_t validate_steps = 0;
  int n_labels = 0;
  std::uint64_t label_draw = 1;
  std::uint64_t seed = 1;
  int threads = 2;
  std::string device = "auto";
  std::string repro = "normal";
  std::string precision = "float32";
  double clip_norm = 0;
  int accumulate = 1;
  int patience = 0;
  std::string non_finite = "stop";
  int checkpoint_epochs = 1;
  int keep_checkpoints = 2;
  std::optional<EncoderSource> init;
};
template <class V>
void describe(V&& v, RunConfig& c) {
  v("dataset", c.dataset, "name of a dataset of this job");
  v("recipe", c.recipe, "segment, classify, mae, maskfeat, simclr, dual_simclr, moco or dino");
  v("model", c.model, "the network");
  v("loss", c.loss, "the loss of supervised recipes");
  v("optimizer", c.optimizer, "the optimizer");
  v("schedule", c.schedule, "the learning-rate schedule");
  v("augment", c.augment, "any of crop, flip, rotate, brightness, noise");
  v("crops", c.crops, "crops of recipe dino");
  v("protocol", c.protocol, "full; frozen: the encoder does not learn; adapter: of the encoder only the spectral adapter learns; linear: frozen, with a linear head on standardized features; frozen_random: linear on random weights; scratch: full from random weights", one_of({"full", "frozen", "adapter", "linear", "frozen_random", "scratch"}));
  v("epochs", c.epochs, "passes over train", at_least(1));
  v("batch", c.batch, "samples a step", at_least(1));
  v("max_steps", c.max_steps, "stop after so many steps; 0 = epochs decide", at_least(0));
  v("validate_steps", c.validate_steps, "validate at the end of the first epoch after so many more steps, and at the end; 0 = after each epoch", at_least(0));
  v("n_labels", c.n_labels, "locations of train to learn from, drawn by their hash, of each class alike where one is given; the fewer lie within the more; 0 = all", at_least(0));
  v("label_draw", c.label_draw, "seed of that draw");
  v("seed", c.seed, "seed of initialization, order and augmentation");
  v("threads", c.threads, "CPU threads; part of the run's key because the bits depend on it", at_least(1));
  v("device", c.device, "auto, cpu or cuda", one_of({"auto", "cpu", "cuda"}));
  v("repro", c.repro, "normal, or strict: oneDNN off", one_of({"normal", "strict"}));
  v("precision", c.precision, "of training steps: float32, or bfloat16 where that is safe (weights, losses and validation stay float32)", one_of({"float32", "bfloat16"}));
  v("clip_norm", c.clip_norm, "clip the gradient norm; 0 = no clipping", at_least(0));
  v("accumulate", c.accumulate, "parts that a batch is computed in, to save memory; the step is that of the whole batch", at_least(1));
  v("patience", c.patience, "stop after so many epochs without a better validation; 0 = never", at_least(0));
  v("non_finite", c.non_finite, "a non-finite loss or gradient: stop the run, or skip the step", one_of({"stop", "skip"}));
  v("checkpoint_epochs", c.checkpoint_epochs, "epochs between checkpoints", at_least(1));
  v("keep_checkpoints", c.keep_checkpoints, "newest checkpoints kept, beside the best", at_least(1));
  v("init", c.init, "start all weights that fit from an earlier run or a file");
}

}  // namespace tilewright::learn
