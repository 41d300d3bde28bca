// SPDX-License-Identifier: Apache-2.0
// What runs look like: their worst samples, classes taken for others, hidden patches drawn again.
#include <algorithm>
#include <fstream>
#include <map>

#include "learn/config/dataset_file.h"
#include "pipeline/report/picture.h"
#include "pipeline/report/run_examples.h"
#include "pipeline/stages/run_groups.h"
#include "pipeline/stages/run_samples.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
constexpr Rgb kIgnored = {255, 255, 255}, kBackground = {238, 238, 232}, kHidden = {120, 120, 120};

/// Members of a tar by name.
class Arrays {
 public:
  explicit Arrays(const fs::path& file) : file_(file) {
    for (auto& entry : shard::read_index(shard::index_file(file))) places_.emplace(entry.member, std::pair(entry.offset, entry.length));
  }
  [[nodiscard]] bool has(const std::string& member) const { return places_.contains(member); }
  [[nodiscard]] shard::ArrayView array(const std::string& member) const { return shard::array_at(file_, places_.at(member).first, places_.at(member).second); }
  [[nodiscard]] ReportJson json(const std::string& member) const {
    const auto [offset, length] = places_.at(member);
    const auto bytes = file_.bytes().subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
    return ReportJson::parse(reinterpret_cast<const char*>(bytes.data()), reinterpret_cast<const char*>(bytes.data()) + bytes.size(), nullptr, false);
  }

 private:
  shard::MappedFile file_;
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> places_;
};

Picture sized(const shard::ArrayView& array) {
  Picture out{static_cast<int>(array.header.shape.at(2)), static_cast<int>(array.header.shape.at(1)), {}};
  out.rgb.resize(3 * static_cast<std::size_t>(out.width) * static_cast<std::size_t>(out.height), 255);
  return out;
}

/// A mask in the colours of its classes.
Picture colored(const shard::ArrayView& mask, const std::map<int, Rgb>& colors) {
  auto out = sized(mask);
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x) {
      const auto found = colors.find(std::to_integer<int>(mask.data[static_cast<std::size_t>(y) * static_cast<std::size_t>(out.width) + static_cast<std::size_t>(x)]));
      out.set(x, y, found == colors.end() ? kIgnored : found->second);
    }
  return out;
}

/// Bands of float32 stretched between two values each, hidden pixels grey if `hidden` is given.
Picture stretched(const shard::ArrayView& image, const std::vector<std::pair<float, float>>& ranges, const shard::ArrayView* hidden) {
  auto out = sized(image);
  const auto pixels = static_cast<std::size_t>(out.width) * static_cast<std::size_t>(out.height);
  const auto* values = reinterpret_cast<const float*>(image.data.data());
  for (std::size_t i = 0; i < pixels; ++i) {
    Rgb color = kHidden;
    if (!hidden || std::to_integer<int>(hidden->data[i]) == 0)
      for (std::size_t b = 0; b < 3; ++b) {
        const auto band = std::min(b, ranges.size() - 1);
        const auto [low, high] = ranges[band];
        color[b] = static_cast<std::uint8_t>(std::clamp((values[band * pixels + i] - low) / std::max(high - low, 1e-6F), 0.0F, 1.0F) * 255);
      }
    out.set(static_cast<int>(i) % out.width, static_cast<int>(i) / out.width, color);
  }
  return out;
}

std::vector<std::pair<float, float>> ranges_of(const shard::ArrayView& image) {
  const auto pixels = static_cast<std::size_t>(image.header.shape.at(1) * image.header.shape.at(2));
  const auto* values = reinterpret_cast<const float*>(image.data.data());
  std::vector<std::pair<float, float>> out;
  for (std::int64_t band = 0; band < image.header.shape.at(0); ++band) {
    std::vector<float> sorted(values + static_cast<std::size_t>(band) * pixels, values + (static_cast<std::size_t>(band) + 1) * pixels);
    std::sort(sorted.begin(), sorted.end());
    out.emplace_back(sorted[sorted.size() / 50], sorted[sorted.size() - 1 - sorted.size() / 50]);
  }
  return out;
}

std::map<int, Rgb> class_colors(const learn::DatasetFile& dataset) {
  std::map<int, Rgb> colors;
  for (const auto& info : dataset.target.classes) colors[info.id] = info.id == 0 && info.color.empty() ? kBackground : rgb_from_hex(info.color);
  return colors;
}

/// Input, label and prediction side by side, worst first.
ReportJson worst_masks(const ReportInput& input, const std::string& run, const learn::DatasetFile& dataset) {
  ReportJson out = ReportJson::array();
  const auto file = input.workspace / "runs" / run / "worst-000000.tar";
  if (!fs::exists(file)) return out;
  const Arrays arrays(file);
  MemberReader reader(input.workspace);
  std::map<std::string, learn::SampleRow> rows;
  for (const auto& [name, part] : dataset.parts)
    if (name != "train")
      for (auto& row : learn::read_part(input.workspace / "datasets" / dataset.name / part.file)) rows.emplace(row.sample, row);
  std::vector<std::string> bands;
  for (const auto& band : dataset.inputs.front().bands) bands.push_back(band.name);
  auto shown = shown_bands(bands);
  for (auto& band : shown) band = dataset.inputs.front().band_indices.at(static_cast<std::size_t>(band));
  const auto colors = class_colors(dataset);
  for (const std::string part : {"test", "val"})
    for (int rank = 1; arrays.has(part + "_" + std::to_string(rank) + ".json"); ++rank) {
      const auto key = part + "_" + std::to_string(rank);
      const auto about = arrays.json(key + ".json");
      const auto row = rows.find(about.value("sample", ""));
      if (row == rows.end()) continue;
      const index::MemberPlace place{row->second.shard, "", row->second.offset, row->second.length, ""};
      out.push_back({{"title", about.value("sample", "")}, {"text", part + ", loss " + fixed(about.value("loss", 0.0), 3)}, {"image", data_uri(reader.picture(place, shown))},
                     {"truth", data_uri(colored(arrays.array(key + ".truth.npy"), colors))}, {"prediction", data_uri(colored(arrays.array(key + ".prediction.npy"), colors))}});
    }
  return out;
}

/// Images that were taken for another class with the most certainty.
ReportJson worst_images(const ReportInput& input, const RunSamples& samples, std::size_t count) {
  std::vector<const RunSample*> wrong;
  for (const auto& row : samples.rows)
    if (row.truth != row.prediction) wrong.push_back(&row);
  std::stable_sort(wrong.begin(), wrong.end(), [](const auto* a, const auto* b) { return a->loss > b->loss; });
  ChipMaker chips(input);
  ReportJson out = ReportJson::array();
  for (std::size_t i = 0; i < std::min(count, wrong.size()); ++i) {
    const auto image = chips.chip(wrong[i]->location, "");
    if (image.empty()) continue;
    out.push_back({{"image", image}, {"title", wrong[i]->sample}, {"text", wrong[i]->part + ": " + wrong[i]->truth + " taken for " + (wrong[i]->prediction.empty() ? "nothing" : wrong[i]->prediction)}});
  }
  return out;
}

/// Classes most often taken for another, of the confusion of one part.
ReportJson pairs_of(const ReportJson& part, std::size_t count) {
  struct Taken {
    std::int64_t number;
    double share;
    std::string text;
  };
  std::vector<Taken> all;
  for (std::size_t a = 0; a < part["confusion"].size(); ++a) {
    std::int64_t total = 0;
    for (const auto& cell : part["confusion"][a]) total += cell.get<std::int64_t>();
    for (std::size_t b = 0; b < part["confusion"][a].size(); ++b) {
      const auto number = part["confusion"][a][b].get<std::int64_t>();
      if (a != b && number > 0) all.push_back({number, static_cast<double>(number) / static_cast<double>(total), part["classes"][a].value("name", "?") + " taken for " + part["classes"][b].value("name", "?")});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& x, const auto& y) { return x.number > y.number; });
  ReportJson out = ReportJson::array();
  for (std::size_t i = 0; i < std::min(count, all.size()); ++i) out.push_back({{"pair", all[i].text}, {"number", grouped(all[i].number)}, {"percent", fixed(100 * all[i].share, 1)}});
  return out;
}

/// Image, what was hidden, and what was drawn in its place.
ReportJson reconstructions(const fs::path& file) {
  ReportJson out = ReportJson::array();
  if (!fs::exists(file)) return out;
  const Arrays arrays(file);
  for (const std::string part : {"val", "test"})
    for (int rank = 1; arrays.has(part + "_" + std::to_string(rank) + ".json"); ++rank) {
      const auto key = part + "_" + std::to_string(rank);
      const auto image = arrays.array(key + ".image.npy"), drawn = arrays.array(key + ".drawn.npy"), hidden = arrays.array(key + ".hidden.npy");
      const auto ranges = ranges_of(image);
      out.push_back({{"title", arrays.json(key + ".json").value("sample", "")}, {"image", data_uri(stretched(image, ranges, nullptr))}, {"hidden", data_uri(stretched(image, ranges, &hidden))}, {"drawn", data_uri(stretched(drawn, ranges, nullptr))}});
    }
  return out;
}

ReportJson groups_of(const ReportInput& input, const learn::RunConfig& run, const RunSamples& samples) {
  ReportJson out = ReportJson::array();
  for (const auto& row : run_groups(input.job, input.manifest, input.workspace, run, samples))
    out.push_back({{"by", row.by}, {"value", row.value}, {"part", row.part}, {"samples", grouped(row.samples)}, {"score", row.score ? fixed(*row.score, 3) : "-"}, {"loss", fixed(row.loss, 3)}});
  return out;
}

}  // namespace

ReportJson confusion_pairs(const ReportInput& input, const ReportJson& part) {
  return pairs_of(part, static_cast<std::size_t>(input.job.evaluate.value_or(EvaluateConfig{}).worst));
}

void add_examples(const ReportInput& input, const std::string& name, const learn::RunConfig& run, ReportJson& out) {
  const auto file = input.workspace / "datasets" / run.dataset / "dataset.json";
  if (!fs::exists(file)) return;
  const auto drawn = reconstructions(input.workspace / "runs" / name / "reconstructions-000000.tar");
  if (!drawn.empty()) out["drawing"] = {{"reconstructions", drawn}};
  const auto samples = read_run_samples(input.workspace, name, run.dataset);
  if (!samples) return;
  const auto dataset = learn::read_dataset(file);
  const auto count = static_cast<std::size_t>(input.job.evaluate.value_or(EvaluateConfig{}).worst);
  const auto triplets = dataset.target.kind == "mask" ? worst_masks(input, name, dataset) : ReportJson::array();
  if (!triplets.empty()) out["worst_masks"] = {{"triplets", triplets}};
  const auto images = dataset.target.kind == "mask" ? ReportJson::array() : worst_images(input, *samples, count);
  if (!images.empty()) out["worst_images"] = {{"chips", images}};
  const auto groups = groups_of(input, run, *samples);
  if (!groups.empty()) out["grouped"] = {{"score_name", score_name(samples->target_kind)}, {"groups", groups}};
}

}  // namespace tilewright::pipeline
