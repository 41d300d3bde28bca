// SPDX-License-Identifier: Apache-2.0
// Which sensor's weights go where.
#include "learn/train/start_sensors.h"

#include <algorithm>

#include "geometry/error.h"
#include "learn/models/sensors.h"

namespace tilewright::learn {
namespace {

/// Tensors below `prefix`, without it.
TensorMap below(const TensorMap& tensors, const std::string& prefix) {
  TensorMap found;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix + ".")) found.emplace(name.substr(prefix.size() + 1), tensor);
  return found;
}

std::string projector_prefix(std::size_t number) {
  return "projector_" + std::to_string(number + 1);
}

std::string series_of(const std::vector<InputInfo>& inputs) {
  std::string names;
  for (const auto& input : inputs) names += (names.empty() ? "" : ", ") + input.series;
  return names;
}

bool holds_all(const std::vector<std::string>& bands, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& band) {
    return std::find(bands.begin(), bands.end(), band) != bands.end();
  });
}

/// Places of the inputs for which `fits` holds.
template <class Predicate>
std::vector<std::size_t> places_where(const std::vector<InputInfo>& inputs, Predicate fits) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (fits(inputs[i])) places.push_back(i);
  return places;
}

std::size_t sensor_for(const StartWeights& start, const std::optional<std::string>& sensor,
                       const std::vector<InputInfo>& own) {
  const auto& inputs = start.inputs;
  auto places = places_where(inputs, [&](const InputInfo& input) {
    return input.series == (sensor ? *sensor : own.size() == 1 ? own.front().series : "");
  });
  if (places.empty() && !sensor)
    places = places_where(inputs, [&](const InputInfo& input) {
      return holds_all(band_names({input}), band_names(own));
    });
  if (places.size() == 1) return places.front();
  throw Error::config("the weights of " + start.what + " hold an encoder for each of " +
                      (inputs.empty() ? "several sensors" : series_of(inputs)) + ", and " +
                      (sensor ? "none is called '" + *sensor + "'"
                              : "none or several of them know the bands of " + series_of(own)) +
                      "; name one: encoder: {run: NAME, sensor: SOURCE}");
}

void append(LoadReport& all, const LoadReport& part, const std::string& prefix) {
  const auto add = [&](std::vector<std::string>& to, const std::vector<std::string>& names) {
    for (const auto& name : names) to.push_back(prefix + "." + name);
  };
  add(all.loaded, part.loaded);
  add(all.adapted, part.adapted);
  add(all.kept, part.kept);
  add(all.mismatched, part.mismatched);
}

std::shared_ptr<torch::nn::Module> child_of(torch::nn::Module& module, const std::string& name) {
  for (const auto& child : module.named_children())
    if (child.key() == name) return child.value();
  return nullptr;
}

/// Place in `start` of the sensor that `own` is, if it has sensors.
std::size_t partner_of(const StartWeights& start, const InputInfo& own, std::size_t place) {
  const auto found = places_where(
      start.inputs, [&](const InputInfo& input) { return input.series == own.series; });
  return found.empty() ? place : found.front();
}

}  // namespace

bool has_sensors(const TensorMap& tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const auto& entry) {
    return entry.first.starts_with(sensor_prefix(0) + ".");
  });
}

bool has_sensors(const torch::nn::Module& module) {
  return module.named_children().contains(sensor_prefix(0));
}

bool takes_sensors(const RunConfig& run) {
  return run.recipe == "dual_simclr" || run.model.fusion == "late";
}

void take_sensor(StartWeights& start, const std::optional<std::string>& sensor,
                 const std::vector<InputInfo>& own) {
  const auto place = sensor_for(start, sensor, own);
  start.file.tensors = below(start.file.tensors, sensor_prefix(place));
  start.inputs = {start.inputs[place]};
  start.what += ", sensor " + start.inputs.front().series;
  if (start.record) start.record->inputs = start.inputs;
}

LoadReport load_sensors(torch::nn::Module& module, const StartWeights& start,
                        const std::vector<std::string>& start_bands,
                        const std::vector<InputInfo>& inputs) {
  const bool is_dual = has_sensors(start.file.tensors);
  LoadReport report;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto name = sensor_prefix(i);
    auto* encoder = dynamic_cast<FeatureEncoder*>(child_of(module, name).get());
    if (!encoder) throw Error::failed("this network has no " + name);
    const auto place = partner_of(start, inputs[i], i);
    const auto bands = !is_dual                      ? start_bands
                       : place < start.inputs.size() ? band_names({start.inputs[place]})
                                                     : std::vector<std::string>{};
    const auto wanted = band_names({inputs[i]});
    if (!is_dual && !bands.empty() && !holds_all(bands, wanted)) continue;
    const auto tensors =
        is_dual ? below(start.file.tensors, sensor_prefix(place)) : start.file.tensors;
    append(report, load_matching(*encoder, tensors, bands, wanted, encoder->encoder_prefixes()),
           name);
    const auto head = child_of(module, projector_prefix(i));
    if (is_dual && head)
      append(report,
             load_matching(*head, below(start.file.tensors, projector_prefix(place)), {}, {}, {}),
             projector_prefix(i));
  }
  if (report.loaded.empty())
    throw Error::config("cannot start from " + start.what + ": it knows the bands of none of " +
                        series_of(inputs) + "; use weights of these bands");
  return report;
}

}  // namespace tilewright::learn
