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
  std::condition_variable changed;
  std::int64_t epoch = 0, epoch_tag = 0;
  std::int64_t next_to_fill = 0, next_to_give = 0;
  std::vector<std::int64_t> order;
  std::map<std::int64_t, RawBatch> ready;
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

  RawBatch fill(std::int64_t number, std::int64_t of_epoch, std::vector<std::int64_t> chosen) const;
  void work(const std::stop_token& stop);
};

namespace {

void append(RawBatch& batch, const ReadResult& read, int draw) {
  auto& image = draw == 0   ? batch.image
                : draw == 1 ? batch.twin
                            : batch.small[static_cast<std::size_t>(draw) - 2];
  image.insert(image.end(), read.patch.image.begin(), read.patch.image.end());
  if (draw > 1) batch.small_size = read.patch.size;
  if (draw == 0)
    batch.mask.insert(batch.mask.end(), read.patch.mask.begin(), read.patch.mask.end());
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

RawBatch Loader::State::fill(std::int64_t number, std::int64_t of_epoch,
                             std::vector<std::int64_t> chosen) const {
  RawBatch batch;
  batch.number = number;
  batch.count = static_cast<int>(chosen.size());
  batch.channels = corpus.channels();
  batch.size = corpus.size_px();
  const auto values = chosen.size() * static_cast<std::size_t>(batch.channels) *
                      static_cast<std::size_t>(batch.size) * static_cast<std::size_t>(batch.size);
  batch.image.reserve(values);
  if (config.draws > 1) batch.twin.reserve(values);
  if (config.draws > 2) batch.small.resize(static_cast<std::size_t>(config.draws) - 2);
  for (const auto sample : chosen) {
    const auto& entry = samples[static_cast<std::size_t>(sample)];
    for (int draw = 0; draw < config.draws; ++draw) {
      const auto read = read_sample(corpus, entry, config.plan, of_epoch, sample, draw);
      if (read.has_non_finite &&
          (batch.non_finite.empty() || batch.non_finite.back() != entry.name))
        batch.non_finite.push_back(entry.name);
      append(batch, read, draw);
    }
  }
  for (const auto sample : chosen)
    append_labels(batch, corpus.dataset(), samples[static_cast<std::size_t>(sample)]);
  batch.samples = std::move(chosen);
  return batch;
}

void Loader::State::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return stop.stop_requested() || may_fill(); });
    if (stop.stop_requested()) return;
    const auto number = next_to_fill++;
    const auto tag = epoch_tag, of_epoch = epoch;
    const auto begin = number * config.batch,
               end = std::min<std::int64_t>(begin + config.batch,
                                            static_cast<std::int64_t>(samples.size()));
    std::vector<std::int64_t> chosen(order.begin() + begin, order.begin() + end);
    lock.unlock();
    std::exception_ptr error;
    RawBatch batch;
    try {
      batch = fill(number, of_epoch, std::move(chosen));
    } catch (...) {  // a thread's border: the caller of next() sees it
      error = std::current_exception();
    }
    lock.lock();
    if (tag != epoch_tag) continue;
    if (error)
      failure = error;
    else
      ready.emplace(number, std::move(batch));
    changed.notify_all();
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
  state_->changed.notify_all();
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
  state_->changed.notify_all();
}

std::optional<RawBatch> Loader::next() {
  std::unique_lock lock(state_->mutex);
  if (state_->next_to_give >= state_->batch_count) return std::nullopt;
  state_->changed.wait(
      lock, [&] { return state_->failure || state_->ready.contains(state_->next_to_give); });
  if (!state_->ready.contains(state_->next_to_give)) std::rethrow_exception(state_->failure);
  auto batch = std::move(state_->ready.extract(state_->next_to_give).mapped());
  ++state_->next_to_give;
  lock.unlock();
  state_->changed.notify_all();
  return batch;
}

}  // namespace tilewright::learn
