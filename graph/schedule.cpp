// Phases, updates in place, and the arena.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <queue>

#include "graph/plan.h"
#include "ops/error.h"

namespace cotan {
namespace {

constexpr std::size_t alignment = 64;

// The steps that can reach `from` backwards along `after`: true where `to` is among what `from` waits for.
bool waits_for(const Plan& plan, int from, int to) {
  std::vector<char> seen(plan.steps.size(), 0);
  std::vector<int> stack{from};
  while (!stack.empty()) {
    const int s = stack.back();
    stack.pop_back();
    if (s == to) return true;
    if (seen[static_cast<std::size_t>(s)]) continue;
    seen[static_cast<std::size_t>(s)] = 1;
    for (int a : plan.steps[static_cast<std::size_t>(s)].after) stack.push_back(a);
  }
  return false;
}

// Who reads and who writes each buffer, and where parameters lie.
struct Users {
  std::vector<std::vector<int>> readers;  // steps by buffer
  std::vector<int> writer;                // -1: none
  std::vector<int> results;               // how many results are the buffer
  std::vector<int> parameter_buffers;     // by parameter
  std::vector<int> checks;                // steps

  explicit Users(const Plan& plan) : readers(plan.buffers.size()), writer(plan.buffers.size(), -1), results(plan.buffers.size(), 0) {
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
      const Step& step = plan.steps[s];
      if (step.is_check) checks.push_back(static_cast<int>(s));
      for (std::size_t k = 0; k < step.slots.size(); ++k) {
        const auto b = static_cast<std::size_t>(step.slots[k].buffer);
        if (k >= static_cast<std::size_t>(step.inputs))
          writer[b] = writer[b] < 0 ? static_cast<int>(s) : writer[b];
        else if (readers[b].empty() || readers[b].back() != static_cast<int>(s))
          readers[b].push_back(static_cast<int>(s));
      }
    }
    for (int r : plan.result_buffers) ++results[static_cast<std::size_t>(r)];
    for (std::size_t b = 0; b < plan.buffers.size(); ++b) {
      if (plan.buffers[b].kind != BufferKind::parameter) continue;
      const auto p = static_cast<std::size_t>(plan.buffers[b].index);
      if (p >= parameter_buffers.size()) parameter_buffers.resize(p + 1, -1);
      parameter_buffers[p] = static_cast<int>(b);
    }
  }

  [[nodiscard]] int buffer_of(int parameter) const {
    const auto p = static_cast<std::size_t>(parameter);
    if (p >= parameter_buffers.size() || parameter_buffers[p] < 0) throw InternalError(fmt::format("parameter {} has no buffer", parameter));
    return parameter_buffers[p];
  }
};

// Lets update u write over the old value, if the step that makes the new one reads the old one entry by entry and everybody else can read it before.
void try_in_place(Plan& plan, Users& users, const Update& u) {
  const int result = plan.result_buffers[static_cast<std::size_t>(u.result)], old = users.buffer_of(u.parameter);
  if (result == old) return;  // unchanged
  auto &of_result = users.readers[static_cast<std::size_t>(result)], &of_old = users.readers[static_cast<std::size_t>(old)];
  const int writer = users.writer[static_cast<std::size_t>(result)];
  auto refuse = [&](const char* why) {
    plan.report.misses.push_back({"in place", writer >= 0 ? plan.steps[static_cast<std::size_t>(writer)].nodes[0] : 0, {ReasonCode::operand_in_use, why}});
  };
  if (writer < 0 || plan.buffers[static_cast<std::size_t>(result)].kind != BufferKind::result) return refuse("the new value is another tensor's");
  if (plan.buffers[static_cast<std::size_t>(result)].bytes != plan.buffers[static_cast<std::size_t>(old)].bytes) return refuse("the sizes differ");
  if (users.results[static_cast<std::size_t>(old)] > 0) return refuse("the old value is a result");
  if (users.results[static_cast<std::size_t>(result)] > 1) return refuse("the new value is two results");
  Step& step = plan.steps[static_cast<std::size_t>(writer)];
  if (!step.in_place) return refuse("the kernel does not work in place");
  for (int k = 0; k < step.inputs; ++k)
    if (const Slot& slot = step.slots[static_cast<std::size_t>(k)]; slot.buffer == old && !slot.whole) return refuse("the old value is read in another order");
  for (int r : of_old) {
    if (r == writer) continue;
    if (waits_for(plan, r, writer)) return refuse("the old value is read after the new one");
  }
  for (int c : users.checks)
    if (waits_for(plan, c, writer)) return refuse("a check needs the new value, and checks come before writes");
  // Every reader of the old value, and every check, comes before the write.
  for (int r : of_old)
    if (r != writer) step.after.push_back(r);
  step.after.insert(step.after.end(), users.checks.begin(), users.checks.end());
  auto move_to_old = [&](int s) {
    for (Slot& slot : plan.steps[static_cast<std::size_t>(s)].slots)
      if (slot.buffer == result) slot.buffer = old;
  };
  move_to_old(writer);
  for (int r : of_result) move_to_old(r);
  of_old.insert(of_old.end(), of_result.begin(), of_result.end());
  users.writer[static_cast<std::size_t>(old)] = writer;
  users.results[static_cast<std::size_t>(old)] = 1;
  plan.result_buffers[static_cast<std::size_t>(u.result)] = old;
  plan.in_place.push_back(u);
}

void assign_phases(Plan& plan) {
  std::vector<int> waiting(plan.steps.size(), 0);
  std::vector<std::vector<int>> readers(plan.steps.size());
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    auto& after = plan.steps[s].after;
    std::sort(after.begin(), after.end());
    after.erase(std::unique(after.begin(), after.end()), after.end());
    for (int a : after) readers[static_cast<std::size_t>(a)].push_back(static_cast<int>(s));
    waiting[s] = static_cast<int>(after.size());
  }
  std::queue<int> ready;
  for (std::size_t s = 0; s < waiting.size(); ++s)
    if (waiting[s] == 0) ready.push(static_cast<int>(s));
  std::size_t done = 0;
  while (!ready.empty()) {
    const int s = ready.front();
    ready.pop();
    ++done;
    const Step& step = plan.steps[static_cast<std::size_t>(s)];
    if (static_cast<std::size_t>(step.phase) >= plan.phases.size()) plan.phases.resize(static_cast<std::size_t>(step.phase) + 1);
    plan.phases[static_cast<std::size_t>(step.phase)].push_back(s);
    for (int r : readers[static_cast<std::size_t>(s)]) {
      Step& later = plan.steps[static_cast<std::size_t>(r)];
      later.phase = std::max(later.phase, step.phase + 1);
      if (--waiting[static_cast<std::size_t>(r)] == 0) ready.push(r);
    }
  }
  if (done != plan.steps.size()) throw InternalError("steps of a plan wait for each other");
  for (auto& phase : plan.phases) std::sort(phase.begin(), phase.end());
}

void find_lifetimes(Plan& plan) {
  for (Buffer& b : plan.buffers) b.first_phase = b.last_phase = -1;
  for (const Step& step : plan.steps)
    for (const Slot& slot : step.slots) {
      Buffer& b = plan.buffers[static_cast<std::size_t>(slot.buffer)];
      b.first_phase = b.first_phase < 0 ? step.phase : std::min(b.first_phase, step.phase);
      b.last_phase = std::max(b.last_phase, step.phase);
    }
}

// The arena's memory during a sweep over the phases: what is free, by offset.
class Arena {
 public:
  // The offset of a block of this size: in the smallest hole that holds it, else at the end.
  std::size_t take(std::size_t bytes) {
    auto best = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it)
      if (it->second >= bytes && (best == free_.end() || it->second < best->second)) best = it;
    if (best == free_.end()) {
      std::size_t at = end_;
      if (!free_.empty()) {  // a hole that touches the end grows with it
        auto last = std::prev(free_.end());
        if (last->first + last->second == end_) {
          at = last->first;
          free_.erase(last);
        }
      }
      end_ = at + bytes;
      return at;
    }
    const auto [offset, size] = *best;
    free_.erase(best);
    if (size > bytes) free_.emplace(offset + bytes, size - bytes);
    return offset;
  }

  void give_back(std::size_t offset, std::size_t bytes) {
    if (bytes == 0) return;
    auto next = free_.lower_bound(offset);
    if (next != free_.end() && offset + bytes == next->first) {
      bytes += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      auto before = std::prev(next);
      if (before->first + before->second == offset) {
        before->second += bytes;
        return;
      }
    }
    free_.emplace(offset, bytes);
  }

  [[nodiscard]] std::size_t end() const { return end_; }

 private:
  std::map<std::size_t, std::size_t> free_;
  std::size_t end_ = 0;
};

std::size_t rounded(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

// Calls begin(buffer) and finish(buffer) for the arena's buffers as a walk over the phases meets the first and passes the last use of each.
template <class Begin, class Finish>
void sweep_lifetimes(const Plan& plan, Begin&& begin, Finish&& finish) {
  std::vector<std::vector<std::size_t>> starts(plan.phases.size()), ends(plan.phases.size());
  for (std::size_t b = 0; b < plan.buffers.size(); ++b) {
    const Buffer& buffer = plan.buffers[b];
    if (buffer.kind != BufferKind::arena || buffer.first_phase < 0) continue;
    starts[static_cast<std::size_t>(buffer.first_phase)].push_back(b);
    ends[static_cast<std::size_t>(buffer.last_phase)].push_back(b);
  }
  for (std::size_t p = 0; p < plan.phases.size(); ++p) {
    std::stable_sort(starts[p].begin(), starts[p].end(), [&](std::size_t a, std::size_t b) { return plan.buffers[a].bytes > plan.buffers[b].bytes; });
    for (std::size_t b : starts[p]) begin(b);
    for (std::size_t b : ends[p]) finish(b);
  }
}

void lay_out_arena(Plan& plan) {
  Arena arena;
  sweep_lifetimes(
      plan, [&](std::size_t b) { plan.buffers[b].offset = arena.take(rounded(plan.buffers[b].bytes)); },
      [&](std::size_t b) { arena.give_back(plan.buffers[b].offset, rounded(plan.buffers[b].bytes)); });
  plan.arena_bytes = arena.end();
}

}  // namespace

void schedule(Plan& plan, const CompileOptions& options, bool one_by_one) {
  Users users(plan);
  for (const Update& u : options.updates) try_in_place(plan, users, u);
  if (one_by_one)
    for (std::size_t s = 0; s + 1 < plan.steps.size(); ++s) plan.steps[s + 1].after.push_back(static_cast<int>(s));
  assign_phases(plan);
  find_lifetimes(plan);
  lay_out_arena(plan);
  for (const Step& step : plan.steps) {
    plan.scratch_bytes = std::max(plan.scratch_bytes, rounded(step.kernel->scratch_bytes()));
    plan.seconds += step.kernel->flops() / 3e10 + step.kernel->bytes() / 1e10 + 2e-7;
    plan.report.kernels.push_back(
        {step.kernel->name(), step.nodes, step.phase, step.kernel->chunks(), step.kernel->flops(), step.kernel->bytes(), step.places});
  }
  plan.report.phases = static_cast<std::int64_t>(plan.phases.size());
  plan.report.temporary_bytes = plan.arena_bytes;
  plan.report.in_place_updates = plan.in_place.size();
}

void verify_plan(const Plan& plan) {
  for (std::size_t s = 0; s < plan.steps.size(); ++s)
    for (int a : plan.steps[s].after)
      if (plan.steps[static_cast<std::size_t>(a)].phase >= plan.steps[s].phase) throw InternalError(fmt::format("step {} does not come after step {}", s, a));
  std::map<std::size_t, std::size_t> live;  // offset -> end
  sweep_lifetimes(
      plan,
      [&](std::size_t i) {
        const Buffer& b = plan.buffers[i];
        if (b.bytes == 0) return;
        if (b.offset + b.bytes > plan.arena_bytes) throw InternalError("a buffer lies outside the arena");
        auto after = live.lower_bound(b.offset);
        if (after != live.end() && after->first < b.offset + b.bytes) throw InternalError(fmt::format("buffer {} overlaps one that lives", i));
        if (after != live.begin() && std::prev(after)->second > b.offset) throw InternalError(fmt::format("buffer {} overlaps one that lives", i));
        live.emplace(b.offset, b.offset + b.bytes);
      },
      [&](std::size_t i) {
        if (plan.buffers[i].bytes > 0) live.erase(plan.buffers[i].offset);
      });
  int last_check = -1;
  for (const Step& step : plan.steps)
    if (step.is_check) last_check = std::max(last_check, step.phase);
  const Users users(plan);
  for (const Update& u : plan.in_place) {
    const int buffer = users.buffer_of(u.parameter), writer = users.writer[static_cast<std::size_t>(buffer)];
    const int phase = plan.steps[static_cast<std::size_t>(writer)].phase;
    if (last_check >= phase) throw InternalError("a check comes after an update in place");
    for (int s : users.readers[static_cast<std::size_t>(buffer)])
      if (s != writer && plan.steps[static_cast<std::size_t>(s)].phase == phase) throw InternalError("an updated buffer is read in the phase that writes it");
  }
}

}  // namespace cotan
