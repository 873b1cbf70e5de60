// Where intermediates lie: results in place of operands that die, and an arena laid out by lifetimes.
#include <algorithm>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <utility>

#include "graph/schedule.h"

namespace cotan {
namespace {

// With more buffers than that, they are laid out in one way only.
constexpr std::size_t most_compared = 1024;
// How often each order is mended.
constexpr int turns = 12;

std::size_t index(int i) { return static_cast<std::size_t>(i); }

// ---- results in the memory of operands

class Sharing {
 public:
  explicit Sharing(Plan& plan) : plan_(plan), uses_(buffer_uses(plan)) {}

  void run() {
    for (const auto& phase : plan_.phases)
      for (int s : phase)
        if (plan_.steps[index(s)].elementwise) share(s);
  }

 private:
  // Lets each output take the memory of an input of the step that nobody reads in this phase or later.
  void share(int s) {
    Step& step = plan_.steps[index(s)];
    for (std::size_t o = index(step.inputs); o < step.slots.size(); ++o) {
      if (!is_free_arena(step.slots[o])) continue;
      for (std::size_t k = 0; k < index(step.inputs); ++k) {
        const int from = step.slots[k].buffer, to = step.slots[o].buffer;
        if (from == to || !is_free_arena(step.slots[k]) || plan_.buffers[index(from)].bytes != plan_.buffers[index(to)].bytes || !dies_at(from, s)) continue;
        rename(to, from, s);
        break;
      }
    }
  }

  [[nodiscard]] bool is_free_arena(const Slot& slot) const { return slot.whole && plan_.buffers[index(slot.buffer)].kind == BufferKind::arena; }

  // Whether the step only reads the buffer, entry by entry, and all others use it in earlier phases.
  [[nodiscard]] bool dies_at(int buffer, int s) const {
    const Step& step = plan_.steps[index(s)];
    for (std::size_t k = 0; k < step.slots.size(); ++k)
      if (step.slots[k].buffer == buffer && (k >= index(step.inputs) || !step.slots[k].whole)) return false;
    return std::all_of(uses_[index(buffer)].steps.begin(), uses_[index(buffer)].steps.end(),
                       [&](int user) { return user == s || plan_.steps[index(user)].phase < step.phase; });
  }

  void rename(int buffer, int to, int writer) {
    std::vector<int>&from = uses_[index(buffer)].steps, &all = uses_[index(to)].steps;
    // Who used the old value came before; that now has to stay so.
    std::vector<int>& after = plan_.steps[index(writer)].after;
    for (int user : all)
      if (user != writer && std::find(after.begin(), after.end(), user) == after.end()) after.push_back(user);
    for (int user : from) {
      for (Slot& slot : plan_.steps[index(user)].slots)
        if (slot.buffer == buffer) slot.buffer = to;
      if (std::find(all.begin(), all.end(), user) == all.end()) all.push_back(user);
    }
    from.clear();
  }

  Plan& plan_;
  std::vector<BufferUse> uses_;
};

// ---- the arena

void find_lifetimes(Plan& plan) {
  for (Buffer& b : plan.buffers) b.first_phase = b.last_phase = -1;
  for (const Step& step : plan.steps)
    for (const Slot& slot : step.slots) {
      Buffer& b = plan.buffers[index(slot.buffer)];
      b.first_phase = b.first_phase < 0 ? step.phase : std::min(b.first_phase, step.phase);
      b.last_phase = std::max(b.last_phase, step.phase);
    }
}

void add_scratch(Plan& plan) {
  plan.scratch_buffers.assign(plan.phases.size(), -1);
  for (std::size_t p = 0; p < plan.phases.size(); ++p) {
    PhaseScratch scratch(plan.workers);
    for (int s : plan.phases[p]) scratch.add(*plan.steps[index(s)].kernel);
    if (scratch.bytes() == 0) continue;
    plan.scratch_bytes = std::max(plan.scratch_bytes, scratch.each());
    plan.scratch_buffers[p] = static_cast<int>(plan.buffers.size());
    plan.buffers.push_back({BufferKind::scratch, 0, scratch.bytes(), 0, static_cast<int>(p), static_cast<int>(p)});
  }
}

// The arena as blocks are taken and given back: what is free below its top.
class FreeMemory {
 public:
  // The smallest gap that is large enough, the lowest of several; or what lies at the top.
  std::size_t take(std::size_t bytes) {
    const auto fit = by_size_.lower_bound({bytes, 0});
    if (fit == by_size_.end()) return std::exchange(top_, top_ + bytes);
    const auto [size, at] = *fit;
    remove(at, size);
    if (size > bytes) add(at + bytes, size - bytes);
    return at;
  }

  void give(std::size_t at, std::size_t bytes) {
    auto next = by_offset_.lower_bound(at);
    if (next != by_offset_.begin()) {
      const auto [before, size] = *std::prev(next);
      if (before + size == at) at = before, bytes += size, remove(before, size);
    }
    next = by_offset_.lower_bound(at);
    if (next != by_offset_.end() && next->first == at + bytes) {
      const std::size_t size = next->second;
      remove(at + bytes, size);
      bytes += size;
    }
    if (at + bytes == top_)
      top_ = at;
    else
      add(at, bytes);
  }

 private:
  void add(std::size_t at, std::size_t bytes) {
    by_offset_.emplace(at, bytes);
    by_size_.emplace(bytes, at);
  }
  void remove(std::size_t at, std::size_t bytes) {
    by_offset_.erase(at);
    by_size_.erase({bytes, at});
  }

  std::size_t top_ = 0;
  std::map<std::size_t, std::size_t> by_offset_;
  std::set<std::pair<std::size_t, std::size_t>> by_size_;
};

// Places the buffers, which are in the order of their first phases, each in the smallest gap that those leave which live then. Returns the arena's bytes.
// Near-linear: graphs may have hundreds of thousands of buffers.
std::size_t place_in_time(Plan& plan, const std::vector<int>& order) {
  std::size_t end = 0;
  FreeMemory memory;
  using Ending = std::pair<int, int>;  // last phase, buffer
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> live;
  for (int b : order) {
    Buffer& buffer = plan.buffers[index(b)];
    for (; !live.empty() && live.top().first < buffer.first_phase; live.pop()) {
      const Buffer& ended = plan.buffers[index(live.top().second)];
      memory.give(ended.offset, arena_size(ended.bytes));
    }
    buffer.offset = memory.take(arena_size(buffer.bytes));
    end = std::max(end, buffer.offset + arena_size(buffer.bytes));
    live.emplace(buffer.last_phase, b);
  }
  return end;
}

// Places the buffers in any order, each in the smallest gap among those that live at the same time and are placed already. Returns the arena's bytes.
std::size_t place(Plan& plan, const std::vector<int>& order) {
  std::size_t end = 0;
  std::vector<int> placed;
  for (int b : order) {
    Buffer& buffer = plan.buffers[index(b)];
    const std::size_t bytes = arena_size(buffer.bytes);
    std::size_t at = 0, best = ~std::size_t{0}, best_gap = ~std::size_t{0};
    for (int p : placed) {  // by offset
      const Buffer& other = plan.buffers[index(p)];
      if (other.last_phase < buffer.first_phase || buffer.last_phase < other.first_phase) continue;
      if (other.offset >= at + bytes && other.offset - at < best_gap) best = at, best_gap = other.offset - at;
      at = std::max(at, other.offset + arena_size(other.bytes));
    }
    buffer.offset = best_gap == ~std::size_t{0} ? at : best;
    end = std::max(end, buffer.offset + bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), b, [&](int x, int y) { return plan.buffers[index(x)].offset < plan.buffers[index(y)].offset; }), b);
  }
  return end;
}

// The most bytes that live in one phase: no layout takes less.
std::size_t most_at_once(const Plan& plan) {
  std::vector<std::size_t> live(plan.phases.size() + 1, 0);
  for (const Buffer& b : plan.buffers) {
    if (!in_arena(b.kind) || b.first_phase < 0) continue;
    live[index(b.first_phase)] += arena_size(b.bytes);
    live[index(b.last_phase) + 1] -= arena_size(b.bytes);
  }
  std::size_t now = 0, most = 0;
  for (std::size_t change : live) most = std::max(most, now += change);  // unsigned: differences wrap around, their sums do not
  return most;
}

void lay_out_arena(Plan& plan) {
  std::vector<int> by_size;
  for (std::size_t b = 0; b < plan.buffers.size(); ++b)
    if (in_arena(plan.buffers[b].kind) && plan.buffers[b].first_phase >= 0 && plan.buffers[b].bytes > 0) by_size.push_back(static_cast<int>(b));
  auto bytes = [&](int b) { return static_cast<double>(plan.buffers[index(b)].bytes); };
  auto first = [&](int b) { return plan.buffers[index(b)].first_phase; };
  auto life = [&](int b) { return static_cast<double>(plan.buffers[index(b)].last_phase - first(b) + 1); };
  std::vector<int> by_time = by_size, by_life = by_size, by_both = by_size;
  std::stable_sort(by_size.begin(), by_size.end(), [&](int a, int b) { return bytes(a) > bytes(b); });
  std::stable_sort(by_time.begin(), by_time.end(), [&](int a, int b) { return first(a) != first(b) ? first(a) < first(b) : bytes(a) > bytes(b); });
  std::stable_sort(by_life.begin(), by_life.end(), [&](int a, int b) { return life(a) != life(b) ? life(a) > life(b) : bytes(a) > bytes(b); });
  std::stable_sort(by_both.begin(), by_both.end(), [&](int a, int b) { return bytes(a) * life(a) > bytes(b) * life(b); });
  std::vector<int> best = by_time;
  plan.arena_bytes = place_in_time(plan, by_time);
  bool in_time = true;
  if (by_time.size() > most_compared) return;
  // No order is the best for all plans; and where one leaves gaps, what sticks out most is placed first.
  const std::size_t least = most_at_once(plan), enough = least + least / 64;
  for (std::vector<int>* order : {&by_size, &by_life, &by_both})
    for (int turn = 0; turn < turns && plan.arena_bytes > enough; ++turn) {
      if (const std::size_t end = place(plan, *order); end < plan.arena_bytes) best = *order, plan.arena_bytes = end, in_time = false;
      auto end_of = [&](int b) { return plan.buffers[index(b)].offset + plan.buffers[index(b)].bytes; };
      const auto top = std::max_element(order->begin(), order->end(), [&](int a, int b) { return end_of(a) < end_of(b); });
      std::rotate(order->begin(), top, top + 1);
    }
  in_time ? place_in_time(plan, best) : place(plan, best);
}

}  // namespace

void plan_memory(Plan& plan) {
  Sharing(plan).run();
  find_lifetimes(plan);
  add_scratch(plan);
  lay_out_arena(plan);
}

}  // namespace cotan
