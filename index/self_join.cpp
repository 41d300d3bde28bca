// SPDX-License-Identifier: Apache-2.0
// Tasks of the self-join: which boxes look where, in pieces of bounded size, in a fixed order.
#include "index/self_join.h"

#include <algorithm>
#include <deque>

#include "index/grid_sort.h"
#include "index/in_parallel.h"

namespace tilewright::index {
namespace {

using geometry::Box;
using geometry::Isa;

constexpr std::size_t kBoxesPerTask = 8192;
constexpr std::size_t kPartnersPerTask = std::size_t{1} << 21;  ///< room of a task; one box may need more
constexpr std::size_t kSmall = 8192;                            ///< fewer boxes are not worth a second thread

const JoinKernels& kernels_of([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return kAvx512Join;
  if (isa == Isa::avx2) return kAvx2Join;
#endif
  return kScalarJoin;
}

bool touch(const Box& a, const Box& b) {
  return a.min_x <= b.max_x && b.min_x <= a.max_x && a.min_y <= b.max_y && b.min_y <= a.max_y;
}

/// Boxes [first, last) of the sorted order of one grid.
struct Task {
  std::size_t grid;
  std::uint32_t first, last;
};

/// What a thread needs for one task.
struct Scratch {
  Buffer<std::uint32_t> partner, doubtful;
};

}  // namespace

struct SelfJoin::State {
  State(int threads_, const JoinKernels& kernels_) : threads(threads_), kernels(kernels_) {}
  int threads;
  const JoinKernels& kernels;
  std::span<const Box> boxes;
  Buffer<LatticeBox> lattice;
  std::deque<ClassGrid> grids;
  std::size_t used_grids = 0;
  std::vector<Task> tasks;
  std::vector<TouchingRun> results = std::vector<TouchingRun>(slots_in_order(threads));

  void sort_into_grids();
  void list_tasks();
  void run(const Task& task, TouchingRun& result) const;
  void look_into_coarser_grids(const Task& task, Partners& out) const;
  void drop_what_only_seems_to_touch(Partners& out, std::span<const std::uint32_t> ids) const;
};

void SelfJoin::State::sort_into_grids() {
  const int used = boxes.size() < kSmall ? 1 : threads;
  LatticeBox* places = lattice.with_room(boxes.size());
  const auto statistics = to_lattice(boxes, used, kernels, places);
  const auto classes = size_classes(statistics.bins);
  while (grids.size() < classes.size()) grids.emplace_back();
  used_grids = classes.size();
  for (std::size_t n = 0; n < used_grids; ++n) grids[n].build(classes[n], {places, boxes.size()}, statistics, used);
}

/// As many boxes a task as leave room for the most partners that they can have.
void SelfJoin::State::list_tasks() {
  tasks.clear();
  for (std::size_t n = 0; n < used_grids; ++n) {
    std::size_t most = 5 * grids[n].fullest_cell();
    for (std::size_t coarser = n + 1; coarser < used_grids; ++coarser) most += 9 * grids[coarser].fullest_cell();
    const auto step = static_cast<std::uint32_t>(std::clamp<std::size_t>(kPartnersPerTask / std::max<std::size_t>(most, 1), 1, kBoxesPerTask));
    for (std::uint32_t first = 0; first < grids[n].count(); first += step) tasks.push_back({n, first, std::min(first + step, grids[n].count())});
  }
}

/// Adds, box by box, the partners in grids of larger boxes behind those of its own grid.
void SelfJoin::State::look_into_coarser_grids(const Task& task, Partners& out) const {
  const BoxArrays fine = grids[task.grid].view().boxes;
  const std::uint32_t boxes_here = task.last - task.first;
  std::vector<std::uint32_t> merged, end(boxes_here);
  std::vector<char> doubtful(boxes_here);
  for (std::uint32_t d = 0; d < out.doubts; ++d) doubtful[out.doubtful[d]] = 1;
  std::size_t room = 0;
  for (std::size_t n = task.grid + 1; n < used_grids; ++n) room += 9 * grids[n].fullest_cell();
  for (std::uint32_t k = 0; k < boxes_here; ++k) {
    const std::uint32_t at = task.first + k, from = k == 0 ? 0 : out.end[k - 1];
    const LatticeBox box{fine.min_x[at], fine.min_y[at], fine.max_x[at], fine.max_y[at]};
    const std::size_t own = out.end[k] - from, before = merged.size();
    merged.resize(before + own + room + 16);
    std::copy_n(out.partner + from, own, merged.begin() + static_cast<std::ptrdiff_t>(before));
    Partners more{merged.data() + before + own, nullptr, nullptr};
    for (std::size_t n = task.grid + 1; n < used_grids; ++n) {
      const auto view = grids[n].view();
      const auto reach = grids[n].reach(box);
      for (std::uint32_t row = reach.first_row; row <= reach.last_row; ++row) {
        const auto first = view.start[grids[n].cell(row, reach.first_col)], last = view.start[grids[n].cell(row, reach.last_col) + 1];
        if (kernels.against(view.boxes, first, last, box, more)) doubtful[k] = 1;
      }
    }
    merged.resize(before + own + more.count);
    end[k] = static_cast<std::uint32_t>(merged.size());
  }
  std::ranges::copy(merged, out.partner);
  std::ranges::copy(end, out.end);
  out.count = static_cast<std::uint32_t>(merged.size());
  out.doubts = 0;
  for (std::uint32_t k = 0; k < boxes_here; ++k)
    if (doubtful[k]) out.doubtful[out.doubts++] = k;
}

/// Equal lattice positions say nothing: those boxes are compared as they were given.
void SelfJoin::State::drop_what_only_seems_to_touch(Partners& out, std::span<const std::uint32_t> ids) const {
  if (out.doubts == 0) return;
  std::uint32_t kept = 0, from = 0, doubt = 0;
  for (std::uint32_t k = 0; k < ids.size(); ++k) {
    const std::uint32_t to = out.end[k];
    const bool doubtful = doubt < out.doubts && out.doubtful[doubt] == k;
    if (doubtful) ++doubt;
    for (std::uint32_t p = from; p < to; ++p)
      if (!doubtful || touch(boxes[ids[k]], boxes[out.partner[p]])) out.partner[kept++] = out.partner[p];
    out.end[k] = kept;
    from = to;
  }
  out.count = kept;
}

void SelfJoin::State::run(const Task& task, TouchingRun& result) const {
  thread_local Scratch scratch;
  const ClassGrid& grid = grids[task.grid];
  const auto view = grid.view();
  const std::uint32_t count = task.last - task.first;
  std::size_t most = 5 * grid.fullest_cell();
  for (std::size_t coarser = task.grid + 1; coarser < used_grids; ++coarser) most += 9 * grids[coarser].fullest_cell();
  result.box = {view.boxes.id + task.first, count};
  result.end.resize(count);
  Partners out{scratch.partner.with_room(count * most + 32), result.end.data(), scratch.doubtful.with_room(count)};
  kernels.within(view, grid.cell_at(task.first), task.first, task.last, out);
  if (task.grid + 1 < used_grids) look_into_coarser_grids(task, out);
  drop_what_only_seems_to_touch(out, result.box);
  result.partner.assign(out.partner, out.partner + out.count);
}

SelfJoin::SelfJoin(int threads, Isa isa) : state_(std::make_unique<State>(threads, kernels_of(isa))) {}
SelfJoin::SelfJoin(SelfJoin&&) noexcept = default;
SelfJoin& SelfJoin::operator=(SelfJoin&&) noexcept = default;
SelfJoin::~SelfJoin() = default;

void SelfJoin::each_run(std::span<const Box> boxes, const std::function<void(const TouchingRun&)>& use) {
  State& state = *state_;
  state.boxes = boxes;
  state.sort_into_grids();
  state.list_tasks();
  in_order(
      state.threads, state.tasks.size(), [&](std::size_t n, std::size_t slot) { state.run(state.tasks[n], state.results[slot]); },
      [&](std::size_t slot) { use(state.results[slot]); });
}

}  // namespace tilewright::index
