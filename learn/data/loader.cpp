// SPDX-License-Identifier: Apache-2.0
// Loader threads: each takes the next batch number, fills its buffers, and puts them in their
// place.
#include "learn/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

namespace tilewright::learn {

struct Loader::State {
  const Corpus& corpus;
  const std::vector<CorpusSample>& samples;
  LoaderConfig config;
  std::int64_t batch_count = 0;

  std::mutex mutex;
  std::condition_variable has_room;   ///< threads wait for it
  std::condition_variable is_filled;  ///< next() waits for it
  std::int64_t epoch = 0, epoch_tag = 0;
  std::int64_t next_to_fill = 0, next_to_give = 0;
  std::vector<std::int64_t> order;
  std::map<std::int64_t, RawBatch> ready;
  std::vector<RawBatch> spare;  ///< buffers that were given back
  std::exception_ptr failure;
  std::vector<std::jthread> threads;  // last member: joined before the rest goes

  State(const Corpus& c, const std::vector<CorpusSample>& s, LoaderConfig l)
      : corpus(c), samples(s), config(std::move(l)) {
    const auto count = static_cast<std::int64_t>(samples.size());
    batch_count =
        count / config.batch + (count % config.batch >= std::max(config.smallest_batch, 1) ? 1 : 0);
    next_to_fill = next_to_give = batch_count;  // nothing to do before start()
  }

  [[nodiscard]] bool may_fill() const {
    return !failure && next_to_fill < batch_count && next_to_fill < next_to_give + config.ahead;
  }

  void fill(RawBatch& batch, std::int64_t of_epoch, Patch& patch) const;
  void read(RawBatch& batch, std::size_t place, std::int64_t of_epoch, int draw,
            Patch& patch) const;
  void work(const std::stop_token& stop);
};

namespace {

/// Where the image of a draw goes, with place for `values` of every sample.
float* image_of(RawBatch& batch, int draw, std::size_t place, std::size_t values) {
  auto& image = draw == 0   ? batch.image
                : draw == 1 ? batch.twin
                            : batch.small[static_cast<std::size_t>(draw) - 2];
  image.resize(values * batch.samples.size());
  return image.data() + place * values;
}

void append_labels(RawBatch& batch, const DatasetFile& dataset, const CorpusSample& sample) {
  if (dataset.target.kind == "class") {
    batch.labels.insert(batch.labels.end(), sample.classes.begin(), sample.classes.end());
  } else if (dataset.target.kind == "classes") {
    const auto first = batch.labels.size();
    batch.labels.resize(first + dataset.target.classes.size(), 0);
    for (const auto k : sample.classes) batch.labels[first + k] = 1;
  }
}

}  // namespace

/// One draw of one sample.
void Loader::State::read(RawBatch& batch, std::size_t place, std::int64_t of_epoch, int draw,
                         Patch& patch) const {
  const auto number = batch.samples[place];
  const auto& sample = samples[static_cast<std::size_t>(number)];
  const auto pixels = static_cast<std::size_t>(batch.size) * static_cast<std::size_t>(batch.size);
  auto* mask = draw == 0 && !batch.mask.empty() ? batch.mask.data() + place * pixels : nullptr;
  if (mask != nullptr && !has_mask(sample)) {
    std::fill(mask, mask + pixels, 255);
    mask = nullptr;
  }
  bool is_finite = true;
  if (is_read_in_one_pass(config.plan)) {
    const auto values = static_cast<std::size_t>(batch.channels) * pixels;
    auto* image = image_of(batch, draw, place, values);
    is_finite = read_in_one_pass(corpus, sample, config.plan, of_epoch, number, draw,
                                 {image, values}, mask);
  } else {
    is_finite = read_sample(corpus, sample, config.plan, of_epoch, number, draw, patch);
    std::copy(patch.image.begin(), patch.image.end(),
              image_of(batch, draw, place, patch.image.size()));
    if (mask != nullptr) std::copy(patch.mask.begin(), patch.mask.end(), mask);
  }
  if (draw > 1) batch.small_size = is_read_in_one_pass(config.plan) ? batch.size : patch.size;
  if (!is_finite && (batch.non_finite.empty() || batch.non_finite.back() != sample.name))
    batch.non_finite.push_back(sample.name);
}

/// Fills the buffers of `batch` for its number and samples.
void Loader::State::fill(RawBatch& batch, std::int64_t of_epoch, Patch& patch) const {
  const bool is_masked = std::any_of(
      batch.samples.begin(), batch.samples.end(),
      [&](std::int64_t number) { return has_mask(samples[static_cast<std::size_t>(number)]); });
  batch.count = static_cast<int>(batch.samples.size());
  batch.channels = corpus.channels();
  batch.size = corpus.size_px();
  batch.small.resize(static_cast<std::size_t>(std::max(config.draws - 2, 0)));
  batch.mask.resize(is_masked ? batch.samples.size() * static_cast<std::size_t>(batch.size) *
                                    static_cast<std::size_t>(batch.size)
                              : 0);
  batch.labels.clear();
  batch.non_finite.clear();
  for (std::size_t place = 0; place < batch.samples.size(); ++place)
    for (int draw = 0; draw < config.draws; ++draw) read(batch, place, of_epoch, draw, patch);
  for (const auto number : batch.samples)
    append_labels(batch, corpus.dataset(), samples[static_cast<std::size_t>(number)]);
}

void Loader::State::work(const std::stop_token& stop) {
  Patch patch;
  std::unique_lock lock(mutex);
  while (true) {
    has_room.wait(lock, [&] { return stop.stop_requested() || may_fill(); });
    if (stop.stop_requested()) return;
    const auto number = next_to_fill++;
    const auto tag = epoch_tag, of_epoch = epoch;
    const auto begin = number * config.batch,
               end = std::min<std::int64_t>(begin + config.batch,
                                            static_cast<std::int64_t>(samples.size()));
    RawBatch batch;
    if (!spare.empty()) {
      batch = std::move(spare.back());
      spare.pop_back();
    }
    batch.number = number;
    batch.samples.assign(order.begin() + begin, order.begin() + end);
    lock.unlock();
    std::exception_ptr error;
    try {
      fill(batch, of_epoch, patch);
    } catch (...) {  // a thread's border: the caller of next() sees it
      error = std::current_exception();
    }
    lock.lock();
    if (tag != epoch_tag) continue;
    if (error)
      failure = error;
    else
      ready.emplace(number, std::move(batch));
    lock.unlock();  // who wakes up would only wait for it
    is_filled.notify_all();
    lock.lock();
  }
}

Loader::Loader(const Corpus& corpus, const std::vector<CorpusSample>& samples, LoaderConfig config)
    : state_(std::make_unique<State>(corpus, samples, std::move(config))) {
  for (int i = 0; i < std::max(state_->config.threads, 1); ++i)
    state_->threads.emplace_back(
        [state = state_.get()](const std::stop_token& stop) { state->work(stop); });
}

Loader::~Loader() {
  for (auto& thread : state_->threads) thread.request_stop();
  {
    const std::lock_guard lock(state_->mutex);  // no thread is between its check and its sleep
  }
  state_->has_room.notify_all();
}

std::int64_t Loader::batches() const { return state_->batch_count; }

void Loader::start(std::int64_t epoch, std::int64_t first) {
  const auto count = static_cast<std::int64_t>(state_->samples.size());
  std::vector<std::int64_t> order;
  if (state_->config.shuffle)
    order = epoch_order(count, state_->config.plan.seed, epoch);
  else
    for (std::int64_t i = 0; i < count; ++i) order.push_back(i);
  {
    const std::lock_guard lock(state_->mutex);
    ++state_->epoch_tag;
    state_->epoch = epoch;
    state_->order = std::move(order);
    state_->ready.clear();
    state_->failure = nullptr;
    state_->next_to_fill = state_->next_to_give = first;
  }
  state_->has_room.notify_all();
}

std::optional<RawBatch> Loader::next() {
  std::unique_lock lock(state_->mutex);
  if (state_->next_to_give >= state_->batch_count) return std::nullopt;
  state_->is_filled.wait(
      lock, [&] { return state_->failure || state_->ready.contains(state_->next_to_give); });
  if (!state_->ready.contains(state_->next_to_give)) std::rethrow_exception(state_->failure);
  auto batch = std::move(state_->ready.extract(state_->next_to_give).mapped());
  ++state_->next_to_give;
  lock.unlock();
  state_->has_room.notify_one();
  return batch;
}

void Loader::give_back(RawBatch batch) {
  const std::lock_guard lock(state_->mutex);
  if (static_cast<int>(state_->spare.size()) < state_->config.ahead)
    state_->spare.push_back(std::move(batch));
}

}  // namespace tilewright::learn
