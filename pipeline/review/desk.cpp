// SPDX-License-Identifier: Apache-2.0
// Answers of the review, and the verdicts that it keeps.
#include "pipeline/review/desk.h"

#include <algorithm>
#include <set>

#include "geometry/error.h"
#include "geometry/version.h"
#include "index/tile_id.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/runner/log.h"
#include "pipeline/scores/score.h"
#include "pipeline/stages/curate_predicted.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kLongestName = 80, kLongestNote = 2000;

WorkspaceLock lock_for_review(const Job& job) {
  const auto workspace = job.workspace();
  if (std::error_code error; !std::filesystem::exists(workspace / "manifest.gpkg", error) && !error)
    throw Error::config("the workspace " + workspace.string() +
                        " has no manifest yet; run: tilewright run " +
                        job.file.filename().string() + " --to curate");
  try {
    return WorkspaceLock(workspace);
  } catch (const Error& error) {  // the same, with what it means here
    throw Error(error.kind(),
                std::string(error.what()) +
                    " (verdicts are kept in the workspace, by one program at a time)");
  }
}

ReviewAnswer refused(int status, const std::string& text) { return {status, {{"error", text}}}; }
ReviewBytes no_bytes(int status, const std::string& text) {
  return {.status = status, .error = text, .bytes = {}};
}

const LayerConfig* layer_config(const Job& job, const std::string& layer) {
  const auto found = std::find_if(job.layers.begin(), job.layers.end(),
                                  [&](const auto& own) { return own.first == layer; });
  return found == job.layers.end() ? nullptr : &found->second;
}

/// Classes of a layer, those of `x` for `x_repaired` and `x_predicted`.
ReviewJson classes_json(const Job& job, const std::string& layer) {
  const auto* config = layer_config(job, layer);
  for (const std::string_view made : {"_repaired", "_predicted"})
    if (!config && layer.ends_with(made))
      config = layer_config(job, layer.substr(0, layer.size() - made.size()));
  auto out = ReviewJson::array();
  if (config)
    for (const auto& [id, style] : config->classes)
      out.push_back({{"id", id}, {"name", style.name}, {"color", style.color}});
  return out;
}

/// Layers with masks: the curated ones and their repairs first.
std::vector<std::string> layers_to_review(const Job& job, const index::Manifest& manifest) {
  std::vector<std::string> wanted, out;
  if (job.curate)
    for (const auto& layer : job.curate->layers) {
      wanted.push_back(layer);
      wanted.push_back(layer + "_repaired");
    }
  for (const auto& [layer, config] : job.layers) wanted.push_back(layer);
  std::set<std::string> there;
  for (const auto& layer : index::mask_layers(manifest)) there.insert(layer);
  for (const auto& layer : wanted)
    if (there.contains(layer) && std::find(out.begin(), out.end(), layer) == out.end())
      out.push_back(layer);
  if (out.empty())
    throw Error::config("the workspace " + job.workspace().string() +
                        " has no layer with masks; run: tilewright label " +
                        job.file.filename().string());
  return out;
}

bool is_plain(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

std::string meaning_of(const std::string& metric) {
  if (metric == "combined") return "weighted mean of the ranks, 1 = best";
  const auto* row = find_score(metric);
  return row ? std::string(row->meaning) : "";
}

bool is_smaller_better(const std::string& metric) {
  const auto* row = find_score(metric);
  return row && row->smaller_is_better;
}

template <class T>
ReviewJson or_null(const std::optional<T>& value) {
  return value ? ReviewJson(*value) : ReviewJson(nullptr);
}

}  // namespace

ReviewDesk::ReviewDesk(Job job)
    : job_(std::move(job)),
      lock_(lock_for_review(job_)),
      manifest_(index::Manifest::open(job_.workspace() / "manifest.gpkg",
                                      index::Manifest::Mode::create_or_write)),
      pixels_(job_.workspace()),
      layers_(layers_to_review(job_, manifest_)) {
  manifest_.begin_stage();  // WAL with synchronous FULL on a local disk: a commit is on the disk
  for (const auto& layer : layers_) counts_[layer] = index::review_counts(manifest_, layer);
}

ReviewJson ReviewDesk::counts_json(const std::string& layer) {
  const auto& counts = counts_[layer];
  return {{"locations", counts.locations},
          {"accept", counts.accept},
          {"reject", counts.reject},
          {"skip", counts.skip}};
}

void ReviewDesk::count(const std::string& layer, const std::string& before,
                       const std::string& after) {
  auto& counts = counts_[layer];
  const auto add = [&](const std::string& verdict, int by) {
    if (!verdict.empty())
      (verdict == "accept"   ? counts.accept
       : verdict == "reject" ? counts.reject
                             : counts.skip) += by;
  };
  add(before, -1);
  add(after, 1);
}

ReviewJson ReviewDesk::layer_json(const std::string& layer) {
  auto metrics = ReviewJson::array();
  for (const auto& metric : index::metrics_of(manifest_, layer))
    metrics.push_back({{"name", metric},
                       {"meaning", meaning_of(metric)},
                       {"smaller_is_better", is_smaller_better(metric)}});
  return {{"name", layer},
          {"classes", classes_json(job_, layer)},
          {"metrics", metrics},
          {"counts", counts_json(layer)}};
}

ReviewAnswer ReviewDesk::state() {
  const std::lock_guard lock(asking_);
  auto layers = ReviewJson::array(), subsets = ReviewJson::array();
  for (const auto& layer : layers_) layers.push_back(layer_json(layer));
  for (const auto& subset : index::subsets(manifest_)) subsets.push_back(subset.name);
  const auto stem = job_.file.stem().string();
  return {200,
          {{"title",
            stem == "job" || stem == "job.resolved" ? job_.folder().filename().string() : stem},
           {"version", kVersion},
           {"layers", layers},
           {"subsets", subsets},
           {"people", index::reviewers(manifest_)}}};
}

const ReviewDesk::Order& ReviewDesk::order_of(const index::ReviewQuery& query,
                                              const std::string& edition) {
  const auto key = ReviewJson{query.layer,   query.sort,   query.is_ascending, query.where,
                              query.verdict, query.subset, query.who,          edition}
                       .dump();
  const auto found = std::find_if(orders_.begin(), orders_.end(),
                                  [&](const auto& order) { return order.key == key; });
  if (found != orders_.end()) {
    orders_.splice(orders_.begin(), orders_, found);
    return orders_.front();
  }
  Order order{key, index::review_order(manifest_, query)};
  orders_.push_front(std::move(order));
  while (orders_.size() > kMostOrders) orders_.pop_back();
  return orders_.front();
}

ReviewAnswer ReviewDesk::list(const index::ReviewQuery& query, const std::string& edition,
                              std::size_t from, std::size_t count, const std::string& find) {
  const std::lock_guard lock(asking_);
  if (!counts_.contains(query.layer))
    return refused(400, "there is no layer '" + query.layer + "' to review");
  try {
    const auto& order = order_of(query, edition);
    auto rows = ReviewJson::array();
    for (const auto& row :
         index::review_rows(manifest_, query, order.fids, from, std::min(count, kMostRows)))
      rows.push_back({{"location", row.location_id},
                      {"value", or_null(row.value)},
                      {"verdict", row.verdict},
                      {"who", row.who}});
    ReviewJson found = nullptr;
    if (const auto key = find.empty() ? std::nullopt : index::location_key(manifest_, find)) {
      const auto at = std::find(order.fids.begin(), order.fids.end(), *key);
      if (at != order.fids.end()) found = at - order.fids.begin();
    }
    return {200,
            {{"total", order.fids.size()},
             {"from", from},
             {"rows", rows},
             {"found", found},
             {"counts", counts_json(query.layer)}}};
  } catch (
      const Error& error) {  // a rule that a person types is answered, not an end of the server
    if (error.kind() != ErrorKind::config) throw;
    return refused(400, error.what());
  }
}

std::vector<std::string> ReviewDesk::band_names(const std::string& source) {
  const auto found = band_names_.find(source);
  if (found != band_names_.end()) return found->second;
  auto& names = band_names_[source];
  const bool is_known = std::any_of(job_.sources.begin(), job_.sources.end(),
                                    [&](const auto& own) { return own.first == source; });
  if (is_known && read_source_bands(manifest_, source))
    for (const auto& band : source_bands(job_, manifest_, source)) names.push_back(band.info.name);
  return names;
}

std::vector<index::ViewRow> ReviewDesk::views_with_pixels(const std::string& location_id) {
  auto views = index::views(manifest_, location_id);
  std::erase_if(views, [](const auto& view) { return !view.place; });
  return views;
}

/// The first view of a source with colours, else of the curated source, else the first.
std::size_t ReviewDesk::first_shown(const std::vector<index::ViewRow>& views) {
  constexpr std::size_t kColours = 3;
  const auto has_colours = [&](const auto& view) {
    return band_names(index::source_of_tile(view.tile_id)).size() >= kColours;
  };
  const auto is_curated = [&](const auto& view) {
    return job_.curate && job_.curate->source && index::source_of_tile(view.tile_id) == *job_.curate->source;
  };
  auto found = std::find_if(views.begin(), views.end(), has_colours);
  if (found == views.end()) found = std::find_if(views.begin(), views.end(), is_curated);
  return found == views.end() ? 0 : static_cast<std::size_t>(found - views.begin());
}

ReviewJson ReviewDesk::overlays_of(const std::string& layer, const std::string& location_id,
                                   const std::vector<index::ViewRow>& views) {
  auto out = ReviewJson::array();
  auto masks = index::masks_at(manifest_, location_id);
  std::stable_partition(masks.begin(), masks.end(),
                        [&](const auto& mask) { return mask.layer == layer; });
  for (const auto& mask : masks) {
    const bool is_predicted = mask.layer == predicted_layer(layer);
    if (!mask.place || !(counts_.contains(mask.layer) || is_predicted)) continue;
    out.push_back({{"kind", "mask"},
                   {"layer", mask.layer},
                   {"valid_from", mask.valid_from.value_or("")},
                   {"is_reviewed", mask.layer == layer},
                   {"is_predicted", is_predicted},
                   {"classes", classes_json(job_, mask.layer)},
                   {"positive_frac", mask.positive_frac},
                   {"ignore_frac", mask.ignore_frac},
                   {"object_count", mask.object_count}});
  }
  for (const auto& [run, config] : job_.runs)
    for (const auto& view : views)
      if (pixels_.has_prediction(run, view.tile_id)) {
        out.push_back({{"kind", "prediction"},
                       {"run", run},
                       {"tile", view.tile_id},
                       {"classes", classes_json(job_, layer)}});
        break;  // one of the place: of the first date that has one
      }
  return out;
}

ReviewAnswer ReviewDesk::place(const std::string& layer, const std::string& location_id) {
  const std::lock_guard lock(asking_);
  const auto location = index::location(manifest_, location_id);
  if (!location)
    return refused(410, "the location " + location_id +
                            " is not in the workspace (any more); load the list again");
  auto views = ReviewJson::array(), scores = ReviewJson::array(), verdicts = ReviewJson::array(),
       proposals = ReviewJson::array();
  const auto rows = views_with_pixels(location_id);
  for (const auto& view : rows)
    views.push_back({{"tile", view.tile_id},
                     {"source", index::source_of_tile(view.tile_id)},
                     {"acquired", view.acquired.value_or("")},
                     {"cloud_frac", or_null(view.cloud_frac)},
                     {"hash", view.place->sha256.substr(0, 12)}});
  for (const auto& score : index::scores_at(manifest_, location_id, layer))
    scores.push_back({{"metric", score.metric}, {"value", score.value}});
  for (const auto& given : index::verdicts_at(manifest_, location_id, layer))
    verdicts.push_back({{"id", given.id},
                        {"verdict", given.row.verdict},
                        {"who", given.row.who},
                        {"at", given.row.at.value_or("")},
                        {"note", given.row.note}});
  for (const auto& object : index::proposals_at(manifest_, location_id, layer + "_repaired"))
    proposals.push_back(
        {{"rule", object.rule.value_or("")}, {"reason", object.reason.value_or("")}});
  return {200,
          {{"location", location_id},
           {"epsg", location->epsg},
           {"ulx", location->ulx},
           {"uly", location->uly},
           {"res_m", location->res_m},
           {"size_px", location->size_px},
           {"split", or_null(location->split)},
           {"views", views},
           {"first", first_shown(rows)},
           {"overlays", overlays_of(layer, location_id, rows)},
           {"scores", scores},
           {"verdicts", verdicts},
           {"proposals", proposals},
           {"subsets", index::subsets_at(manifest_, location_id)}}};
}

ReviewAnswer ReviewDesk::give(const index::VerdictRow& verdict) {
  const std::lock_guard lock(asking_);
  if (verdict.verdict != "accept" && verdict.verdict != "reject" && verdict.verdict != "skip")
    return refused(400, "verdict: '" + verdict.verdict + "' is none of accept, reject, skip");
  if (verdict.who.empty() || verdict.who.size() > kLongestName || !is_plain(verdict.who))
    return refused(400, "who: a verdict needs a name of 1 to 80 characters on one line");
  if (verdict.note.size() > kLongestNote)
    return refused(400, "note: longer than 2000 characters; shorten it");
  if (!counts_.contains(verdict.layer))
    return refused(400, "there is no layer '" + verdict.layer + "' to review");
  if (!index::location(manifest_, verdict.location_id))
    return refused(
        410, "the location " + verdict.location_id +
                 " is not in the workspace (any more): nothing was recorded; load the list again");
  auto row = verdict;
  row.at = now_utc();
  const auto before = index::verdict_at(manifest_, row.location_id, row.layer);
  const auto id = index::give_verdict(manifest_, row);
  const auto after = index::verdict_at(manifest_, row.location_id, row.layer);
  count(row.layer, before, after);
  return {200,
          {{"id", id}, {"at", *row.at}, {"verdict", after}, {"counts", counts_json(row.layer)}}};
}

ReviewAnswer ReviewDesk::latest(const std::string& layer, const std::string& who) {
  const std::lock_guard lock(asking_);
  const auto found = index::latest_verdict(manifest_, layer, who);
  if (!found) return {200, {{"id", nullptr}}};
  return {
      200,
      {{"id", found->id}, {"location", found->row.location_id}, {"verdict", found->row.verdict}}};
}

ReviewAnswer ReviewDesk::take_back(std::int64_t id, const std::string& who) {
  const std::lock_guard lock(asking_);
  const auto row = index::verdict_of(manifest_, id);
  if (!row) return {200, {{"taken_back", false}}};
  if (row->who != who)
    return refused(403, "that verdict is " + row->who +
                            "'s: only who gave it can take it back; give your own instead");
  const auto before = index::verdict_at(manifest_, row->location_id, row->layer);
  index::take_back_verdict(manifest_, id);
  const auto after = index::verdict_at(manifest_, row->location_id, row->layer);
  if (counts_.contains(row->layer)) count(row->layer, before, after);
  return {200,
          {{"taken_back", true},
           {"location", row->location_id},
           {"verdict", after},
           {"counts", counts_json(row->layer)}}};
}

ReviewBytes ReviewDesk::picture(const std::string& location_id, const std::string& tile_id,
                                const std::string& show) {
  std::optional<index::MemberPlace> place;
  std::vector<std::string> names;
  {
    const std::lock_guard lock(asking_);
    for (const auto& view : index::views(manifest_, location_id))
      if (view.tile_id == tile_id) place = view.place;
    names = band_names(index::source_of_tile(tile_id));
  }
  if (!place)
    return no_bytes(404,
                    "the location " + location_id + " has no view of " + tile_id + " with pixels");
  return {.status = 200,
          .error = "",
          .bytes = show == "edges" ? pixels_.edges(*place) : pixels_.view(*place, names)};
}

ReviewBytes ReviewDesk::thumbnail(const std::string& layer, const std::string& location_id) {
  std::optional<index::MemberPlace> view, mask;
  std::vector<std::string> names;
  {
    const std::lock_guard lock(asking_);
    const auto views = views_with_pixels(location_id);
    if (views.empty())
      return no_bytes(404, "the location " + location_id + " has no view with pixels");
    const auto& shown = views[first_shown(views)];
    view = shown.place;
    names = band_names(index::source_of_tile(shown.tile_id));
    for (const auto& row : index::masks_at(manifest_, location_id))
      if (row.layer == layer && row.place && counts_.contains(layer)) mask = row.place;
  }
  return {.status = 200, .error = "", .bytes = pixels_.thumbnail(*view, names, mask)};
}

ReviewBytes ReviewDesk::mask(const std::string& location_id, const std::string& layer,
                             const std::string& valid_from) {
  std::optional<index::MemberPlace> place;
  {
    const std::lock_guard lock(asking_);
    for (const auto& mask : index::masks_at(manifest_, location_id))
      if (mask.layer == layer && mask.valid_from.value_or("") == valid_from &&
          (counts_.contains(layer) || is_predicted_layer(job_, layer)))
        place = mask.place;
  }
  if (!place) return no_bytes(404, "the location " + location_id + " has no mask of " + layer);
  auto found = pixels_.mask(*place);
  return {.status = 200,
          .error = "",
          .width = found.width,
          .height = found.height,
          .bytes = std::move(found.classes)};
}

ReviewBytes ReviewDesk::prediction(const std::string& location_id, const std::string& tile_id,
                                   const std::string& run) {
  std::optional<index::LocationRow> location;
  bool is_known = false;
  {
    const std::lock_guard lock(asking_);
    location = index::location(manifest_, location_id);
    is_known = std::any_of(job_.runs.begin(), job_.runs.end(),
                           [&](const auto& own) { return own.first == run; }) &&
               index::tile(manifest_, tile_id);
  }
  if (!location || !is_known) return no_bytes(404, "the run " + run + " has no map of " + tile_id);
  auto found = pixels_.prediction(run, tile_id, *location);
  if (!found)
    return no_bytes(404, "the map of " + run + " on " + tile_id + " does not reach " + location_id);
  return {.status = 200,
          .error = "",
          .width = found->width,
          .height = found->height,
          .bytes = std::move(found->classes)};
}

}  // namespace tilewright::pipeline
