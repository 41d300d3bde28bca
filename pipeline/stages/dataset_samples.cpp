// SPDX-License-Identifier: Apache-2.0
// Chooses the samples of a dataset from the rows of the manifest.
#include "pipeline/stages/dataset_samples.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "geometry/error.h"
#include "index/reason.h"
#include "index/shard/npy.h"
#include "index/tile_id.h"
#include "pipeline/stages/dataset_labels.h"

namespace tilewright::pipeline {
namespace {

using index::LocationRow;
using index::Reason;
using index::ViewRow;

constexpr double kSameDay = 1e-6;  ///< days; distances are rounded to seconds

std::string view_name(const ViewRow& view) { return index::view_of_tile(view.tile_id); }
std::string source_of(const ViewRow& view) { return index::source_of_tile(view.tile_id); }

/// Days since year 0 of `YYYY-MM-DDThh:mm:ss`, exact enough to compare distances in time.
std::optional<double> days_of(const index::Timestamp& time) {
  int y = 0, mon = 0, d = 0, h = 0, min = 0, s = 0;
  if (!time || std::sscanf(time->c_str(), "%d-%d-%dT%d:%d:%d", &y, &mon, &d, &h, &min, &s) < 3)
    return std::nullopt;
  const int a = (14 - mon) / 12, yy = y - a, mm = mon + 12 * a - 3;
  const int day = d + (153 * mm + 2) / 5 + 365 * yy + yy / 4 - yy / 100 + yy / 400;
  return day + (h * 3600 + min * 60 + s) / 86400.0;
}

/// The view nearest in time to `when`; without dates, or at a tie, the first.
const ViewRow& nearest(const std::vector<const ViewRow*>& views, const index::Timestamp& when) {
  const auto at = days_of(when);
  const auto distance = [&](const ViewRow* view) {
    const auto day = days_of(view->acquired);
    return at && day ? std::abs(*day - *at) : 1e9;
  };
  return **std::min_element(views.begin(), views.end(), [&](const auto* a, const auto* b) {
    return distance(a) < distance(b);
  });
}

const ViewRow& newest(const std::vector<const ViewRow*>& views) {
  return **std::max_element(views.begin(), views.end(), [](const auto* a, const auto* b) {
    return a->acquired.value_or("") < b->acquired.value_or("");
  });
}

const ViewRow& least_cloudy(const std::vector<const ViewRow*>& views) {
  return **std::min_element(views.begin(), views.end(), [](const auto* a, const auto* b) {
    const auto rank = [](const ViewRow& view) { return view.cloud_frac.value_or(0); };
    return std::make_tuple(rank(*a), b->acquired.value_or("")) <
           std::make_tuple(rank(*b), a->acquired.value_or(""));
  });
}

using ViewsByInput =
    std::vector<std::vector<const ViewRow*>>;  ///< [input], in order (acquired, tile_id)

/// The views that make one sample: [row] = (input, view); nullptr marks one that is missing.
using ChosenViews = std::vector<std::pair<int, const ViewRow*>>;

/// Stacked: with periods a row a period (or more, where views of an earlier plan stay), then views
/// of no period; else every view. What no view shows is a row without one.
void add_stack(const std::vector<const ViewRow*>& views, int input, const std::vector<index::Period>& periods, ChosenViews& rows) {
  if (periods.empty() && views.empty()) return void(rows.emplace_back(input, nullptr));
  const auto period_of = [&](const ViewRow& view) {
    std::size_t n = 0;
    while (n < periods.size() && !(view.acquired && index::days_from_middle(periods[n], *view.acquired))) ++n;
    return n;
  };
  for (std::size_t n = 0; n <= periods.size(); ++n) {
    const auto before = rows.size();
    for (const auto* view : views)
      if (period_of(*view) == n) rows.emplace_back(input, view);
    if (n < periods.size() && rows.size() == before) rows.emplace_back(input, nullptr);
  }
}

/// The samples of one location.
std::vector<ChosenViews> samples_of(const ViewsByInput& views, const std::string& mode, const std::vector<index::Period>& periods) {
  std::vector<ChosenViews> out;
  if (mode == "all" || mode == "pairs") {
    auto& rows = out.emplace_back();
    for (std::size_t input = 0; input < views.size(); ++input) {
      if (mode == "all") add_stack(views[input], static_cast<int>(input), periods, rows);
      else
        for (const auto* view : views[input]) rows.emplace_back(static_cast<int>(input), view);
    }
    return out;
  }
  std::vector<const ViewRow*> first = views[0];
  if (mode == "latest") first = {&newest(first)};
  if (mode == "best") first = {&least_cloudy(first)};
  for (const auto* view : first) {
    auto& rows = out.emplace_back();
    rows.emplace_back(0, view);
    for (std::size_t input = 1; input < views.size(); ++input)
      rows.emplace_back(static_cast<int>(input), &nearest(views[input], view->acquired));
  }
  return out;
}

/// `view` nullptr: a missing one, "-" in its columns.
learn::SampleRow row_of(const std::string& sample, const std::string& location_id, const ViewRow* view, int input,
                        const SampleLabel& label) {
  learn::SampleRow row;
  row.sample = sample;
  row.location = location_id;
  row.input = input;
  row.view = view ? view_name(*view) : "-";
  row.acquired = view ? view->acquired.value_or("-") : "-";
  row.shard = view ? view->place->shard : "-";
  row.offset = view ? view->place->byte_offset : 0;
  row.length = view ? view->place->byte_length : 0;
  row.target = label.value;
  if (label.mask) {
    row.mask_shard = label.mask->place->shard;
    row.mask_offset = label.mask->place->byte_offset;
    row.mask_length = label.mask->place->byte_length;
  }
  return row;
}

/// Members of the subset; nullopt: no filter.
std::optional<std::set<std::string>> subset_of(const Job& job, const index::Manifest& manifest,
                                               const DatasetConfig& config) {
  if (!config.subset) return std::nullopt;
  const auto members = index::subset_members(manifest, *config.subset);
  if (!members.empty()) return std::set<std::string>(members.begin(), members.end());
  std::string rule = "it is not under curate: subsets:";
  if (job.curate)
    for (const auto& [name, subset] : job.curate->subsets)
      if (name == *config.subset)
        rule = subset.where ? "its rule is where: " + *subset.where
               : !subset.draw.empty() ? "its draws are " + name + "_" + std::to_string(subset.draw.front()) + " and so on"
                            : "its rule is top: " + std::to_string(subset.top.value_or(0)) +
                                  " by " + subset.by.value_or("combined");
  throw Error::config("datasets: subset " + *config.subset + " has no member (" + rule +
                      "); loosen the rule, or run curate first: tilewright curate JOB");
}

std::map<std::string, std::vector<ViewRow>> views_by_location(const index::Manifest& manifest) {
  std::map<std::string, std::vector<ViewRow>> out;
  for (auto& view : index::views(manifest))
    if (view.place) out[view.location_id].push_back(view);
  if (out.empty())
    throw Error::config(
        "datasets: no view has pixels in the workspace yet; run: tilewright extract JOB");
  return out;
}

/// Decides over one location after the other; what is left out is counted.
class Chooser {
 public:
  Chooser(const Job& job, const index::Manifest& manifest, const DatasetConfig& config, Scope scope)
      : pairs_(job.views ? job.views->pairs : std::vector<index::PairRule>{}),
        periods_(job.views ? job.views->periods : std::vector<index::Period>{}),
        config_(config),
        scope_(scope),
        subset_(subset_of(job, manifest, config)),
        labels_(job, manifest, config),
        judge_config_(config) {
    if (!config.judge) return;
    judge_config_.target = config.judge;
    judge_.emplace(job, manifest, judge_config_);
  }

  void take(const LocationRow& location, const std::vector<ViewRow>& views, bool is_split) {
    const auto part = location.split.value_or(is_split ? "" : "train");
    const bool takes_all = scope_ == Scope::all;
    if (part == "guard" && !takes_all) return void(++set_.guard);
    if (part.empty() && !takes_all) return void(++set_.without_part);
    if (part == "train" && !takes_all && subset_ && !subset_->contains(location.location_id))
      return void(++set_.outside_subset);
    const auto& truth = judge_ && part != "train" ? *judge_ : labels_;
    // Without dates the label is the location's: asked once, for the first view.
    if (truth.is_wanted() && !truth.depends_on_date()) {
      const auto choice = truth.of(location.location_id, std::nullopt);
      if (!choice.label) return without_label(location, choice);
    }
    auto by_input = inputs_of(views);
    const std::size_t needed = config_.views == "all" ? 1 : by_input.size();  // the others may be marked as missing
    for (std::size_t i = 0; i < needed; ++i)
      if (by_input[i].empty())
        return leave_out(set_.without_input, location, Reason::no_partner,
                         "no view of " + config_.inputs[i].source);
    const auto labels = label_views(location, truth, by_input[0]);
    if (!by_input[0].empty()) add_samples(location, by_input, labels, part);
  }

  SampleSet finish() {
    std::sort(set_.samples.begin(), set_.samples.end(), [](const auto& a, const auto& b) {
      return a.rows.front().sample < b.rows.front().sample;
    });
    set_.target_kind = labels_.kind();
    set_.class_names = labels_.class_names();
    return std::move(set_);
  }

 private:
  void leave_out(std::int64_t& counter, const LocationRow& location, Reason reason,
                 const std::string& detail) {
    ++counter;
    set_.left_out.push_back({location.location_id, std::string(index::code(reason)), detail});
  }

  void without_label(const LocationRow& location, const LabelChoice& choice) {
    auto& counter = choice.reason == Reason::all_ignore ? set_.all_ignore : set_.without_mask;
    leave_out(counter, location, choice.reason, choice.detail);
  }

  [[nodiscard]] ViewsByInput inputs_of(const std::vector<ViewRow>& views) const {
    ViewsByInput out(config_.inputs.size());
    for (const auto& view : views)
      for (std::size_t i = 0; i < out.size(); ++i)
        if (source_of(view) == config_.inputs[i].source) out[i].push_back(&view);
    return out;
  }

  /// Labels of the views of the first input; those that find none are taken out, each with its reason.
  std::map<const ViewRow*, SampleLabel> label_views(const LocationRow& location, const DatasetLabels& truth, std::vector<const ViewRow*>& views) {
    std::map<const ViewRow*, SampleLabel> labels;
    if (!truth.is_wanted()) return labels;
    std::erase_if(views, [&](const ViewRow* view) {
      const auto choice = truth.of(location.location_id, view->acquired);
      if (choice.label) {
        labels[view] = *choice.label;
        return false;
      }
      ++set_.views_without_label;
      set_.left_out.push_back({location.location_id + "/" + view->tile_id, std::string(index::code(choice.reason)), choice.detail});
      return true;
    });
    return labels;
  }

  /// Every row carries the label of its own view, rows of further inputs that of the sample's first.
  void add_samples(const LocationRow& location, const ViewsByInput& views, const std::map<const ViewRow*, SampleLabel>& labels,
                   const std::string& part) {
    for (const auto& chosen : samples_of(views, config_.views, periods_)) {
      if (const auto missing = missing_partner(chosen)) {
        leave_out(set_.without_input, location, Reason::no_partner, *missing);
        continue;
      }
      const auto name = config_.views == "each"
                            ? location.location_id + "." + view_name(*chosen[0].second)
                            : location.location_id;
      auto& sample = set_.samples.emplace_back();
      sample.part = part;
      sample.width_px = location.size_px;
      const auto first = labels.find(views[0].front());
      for (const auto& [input, view] : chosen) {
        const auto own = labels.find(view);
        sample.rows.push_back(row_of(name, location.location_id, view, input, own != labels.end() ? own->second : first != labels.end() ? first->second : SampleLabel{}));
      }
    }
  }

  /// views.pairs: a view and the nearest of another source that lies too far away in time are no sample.
  [[nodiscard]] std::optional<std::string> missing_partner(const ChosenViews& chosen) const {
    if (config_.views == "all" || config_.views == "pairs") return std::nullopt;
    const auto& first = *chosen[0].second;
    for (const auto& [input, view] : chosen)
      for (const auto& pair : pairs_) {
        const std::set<std::string> both = {pair.anchor, pair.partner};
        if (both != std::set<std::string>{source_of(first), source_of(*view)}) continue;
        const auto a = days_of(first.acquired), b = days_of(view->acquired);
        if (!a || !b || std::abs(*a - *b) > pair.max_days + kSameDay)
          return "the view " + view_name(first) + " has none of " + source_of(*view) + " that is near enough in time";
      }
    return std::nullopt;
  }

  std::vector<index::PairRule> pairs_;
  std::vector<index::Period> periods_;
  const DatasetConfig& config_;
  Scope scope_;
  std::optional<std::set<std::string>> subset_;
  DatasetLabels labels_;
  DatasetConfig judge_config_;            ///< what val and test are measured against
  std::optional<DatasetLabels> judge_;
  SampleSet set_;
};

}  // namespace

SampleSet choose_samples(const Job& job, const index::Manifest& manifest,
                         const DatasetConfig& config, Scope scope) {
  if (config.inputs.empty())
    throw Error::config("datasets: a dataset needs inputs: at least one source");
  const auto views = views_by_location(manifest);
  const auto locations = index::locations(manifest);
  const bool is_split = std::any_of(locations.begin(), locations.end(),
                                    [](const auto& l) { return l.split.has_value(); });
  Chooser chooser(job, manifest, config, scope);
  for (const auto& location : locations) {
    const auto found = views.find(location.location_id);
    if (found != views.end()) chooser.take(location, found->second, is_split);
  }
  return chooser.finish();
}

}  // namespace tilewright::pipeline
