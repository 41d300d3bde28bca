// SPDX-License-Identifier: Apache-2.0
// Arrays of a few samples.
#include "learn/train/examples.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "index/shard/shard_reader.h"
#include "index/shard/shard_writer.h"
#include "learn/config/json.h"
#include "learn/train/batch.h"

namespace tilewright::learn {
namespace {

constexpr std::size_t kMostBands = 3;

/// A member and its bytes.
struct Member {
  shard::MemberSpec spec;
  std::vector<std::byte> bytes;
};

Member array_member(const std::string& key, const std::string& name, const torch::Tensor& chw) {
  const bool is_float = chw.dtype() == torch::kFloat32;
  const auto values = chw.cpu().contiguous();
  Member out{{key, key + "." + name + ".npy", is_float ? shard::DType::f32 : shard::DType::u8,
              values.sizes().vec(), ""},
             std::vector<std::byte>(values.nbytes())};
  std::memcpy(out.bytes.data(), values.data_ptr(), out.bytes.size());
  return out;
}

Member text_member(const std::string& key, const Json& json) {
  return {{key, key + ".json", std::nullopt, {}, json.dump() + "\n"}, {}};
}

void write_tar(const std::filesystem::path& file, const std::vector<Member>& members) {
  std::filesystem::remove(file);  // of an earlier evaluation
  std::filesystem::remove(shard::index_file(file));
  if (members.empty()) return;
  std::vector<shard::MemberSpec> specs;
  for (const auto& member : members) specs.push_back(member.spec);
  shard::ShardWriter writer(file, std::move(specs));
  for (std::size_t i = 0; i < members.size(); ++i)
    if (members[i].spec.dtype) writer.put(i, members[i].bytes);
  writer.publish();
}

std::string key_of(const std::string& part, std::size_t rank) {
  return part + "_" + std::to_string(rank + 1);
}

/// Calls each(number, image batch of one) for `samples` in order.
template <class Each>
void each_alone(LoadedRun& loaded, const Corpus& corpus, const std::vector<CorpusSample>& samples,
                Each each) {
  const torch::NoGradGuard no_grad;
  auto run = loaded.record.run;
  run.batch = 1;
  Loader loader(
      corpus, samples,
      loader_config(run, loaded.record.inputs, corpus.dataset().views, loaded.recipe->delivery(),
                    static_cast<std::int64_t>(samples.size()), false));
  loader.start(0);
  while (const auto raw = loader.next())
    each(static_cast<std::size_t>(raw->samples.front()), to_batch(*raw, loaded.device));
}

/// Of class numbers [1, H, W] int64, 255 = ignore, the values that the dataset's masks have.
torch::Tensor values_of(const torch::Tensor& numbers, const std::vector<ClassInfo>& classes) {
  auto table = torch::full({256}, 255, torch::kUInt8);
  for (std::size_t k = 0; k < classes.size(); ++k)
    table[static_cast<std::int64_t>(k)] = classes[k].id;
  return table.index_select(0, numbers.cpu().flatten()).reshape(numbers.sizes());
}

/// Red, green and blue where bands are called so, else the first bands.
std::vector<std::int64_t> shown_bands(const std::vector<std::string>& names) {
  for (const auto& wanted : {std::array{"red", "green", "blue"}, std::array{"B04", "B03", "B02"}}) {
    std::vector<std::int64_t> found;
    for (const auto* name : wanted)
      if (const auto at = std::find(names.begin(), names.end(), name); at != names.end())
        found.push_back(at - names.begin());
    if (found.size() == kMostBands) return found;
  }
  std::vector<std::int64_t> first;
  for (std::size_t i = 0; i < std::min(names.size(), kMostBands); ++i)
    first.push_back(static_cast<std::int64_t>(i));
  return first;
}

}  // namespace

std::vector<WorstSample> worst_of(const std::string& part, const PartScore& score, int count) {
  std::vector<WorstSample> out;
  for (const auto& one : score.each)
    if (one.counted > 0) out.push_back({part, one});
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.score.loss > b.score.loss; });
  out.resize(std::min(out.size(), static_cast<std::size_t>(std::max(count, 0))));
  return out;
}

void write_worst(LoadedRun& loaded, const Corpus& corpus, const std::vector<WorstSample>& worst,
                 const std::filesystem::path& run_folder) {
  std::vector<CorpusSample> samples;
  std::vector<std::string> keys;
  for (std::size_t i = 0, rank = 0; i < worst.size(); ++i, ++rank) {
    if (i > 0 && worst[i].part != worst[i - 1].part) rank = 0;
    for (const auto& sample : corpus.part(worst[i].part))
      if (sample.name == worst[i].score.sample) samples.push_back(sample);
    keys.push_back(key_of(worst[i].part, rank));
  }
  const auto& classes = corpus.dataset().target.classes;
  std::vector<Member> members;
  each_alone(loaded, corpus, samples, [&](std::size_t i, const Batch& batch) {
    const auto guess = loaded.recipe->logits(batch.image_nchw).argmax(1);
    members.push_back(array_member(keys[i], "prediction", values_of(guess, classes)));
    members.push_back(array_member(keys[i], "truth", values_of(batch.mask_nhw, classes)));
    members.push_back(text_member(keys[i], {{"sample", samples[i].name},
                                            {"location", samples[i].location},
                                            {"part", worst[i].part},
                                            {"loss", worst[i].score.loss}}));
  });
  write_tar(run_folder / shard::shard_file_name("worst", 0), members);
}

void write_reconstructions(LoadedRun& loaded, const Corpus& corpus, const std::string& part,
                           int count, const std::filesystem::path& run_folder) {
  auto samples = corpus.part(part);
  samples.resize(std::min(samples.size(), static_cast<std::size_t>(std::max(count, 0))));
  const auto names = band_names(loaded.record.inputs);
  const auto bands = shown_bands(names);
  Json shown = Json::array();
  for (const auto band : bands) shown.push_back(names[static_cast<std::size_t>(band)]);
  const auto chosen = torch::tensor(bands);
  std::vector<Member> members;
  each_alone(loaded, corpus, samples, [&](std::size_t i, const Batch& batch) {
    const auto drawn = loaded.recipe->reconstruct(
        batch, {.seed = loaded.record.run.seed, .epoch = -1, .step = static_cast<std::int64_t>(i)});
    if (!drawn) return;
    const auto key = key_of(part, i);
    const auto of = [&](const torch::Tensor& nchw) {
      return nchw[0].cpu().index_select(0, chosen);
    };
    members.push_back(array_member(key, "image", of(batch.image_nchw)));
    members.push_back(array_member(key, "drawn", of(drawn->image_nchw)));
    members.push_back(array_member(key, "hidden", drawn->hidden_nhw.to(torch::kUInt8)));
    members.push_back(text_member(key, {{"sample", samples[i].name},
                                        {"location", samples[i].location},
                                        {"part", part},
                                        {"bands", shown}}));
  });
  write_tar(run_folder / shard::shard_file_name("reconstructions", 0), members);
}

}  // namespace tilewright::learn
