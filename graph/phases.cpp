// Which step runs when: phases that are wide where memory allows it.
#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>

#include "graph/schedule.h"
#include "ops/error.h"

namespace cotan {
namespace {

// How much more than the best order of single steps may be live, so that steps can run together.
constexpr double worth_running_together = 1.04;
// Beyond so many steps only orders that take no search are tried.
constexpr std::size_t most_searched = 4096;
// How far ahead in the order a phase looks for steps to take in.
constexpr std::size_t window = 256;

std::size_t index(int i) { return static_cast<std::size_t>(i); }

class Phases {
 public:
  explicit Phases(Plan& plan) : plan_(plan), uses_(buffer_uses(plan)), readers_(plan.steps.size()), buffers_(plan.steps.size()) {
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
      auto& after = plan.steps[s].after;
      std::sort(after.begin(), after.end());
      after.erase(std::unique(after.begin(), after.end()), after.end());
      for (int a : after) readers_[index(a)].push_back(static_cast<int>(s));
    }
    for (std::size_t b = 0; b < uses_.size(); ++b)
      if (uses_[b].bytes > 0)
        for (int s : uses_[b].steps) buffers_[index(s)].push_back(b);
  }

  void run() {
    const std::vector<int> early = earliest();
    std::vector<std::vector<int>> orders{by_phase(early)};
    if (auto given = as_given()) orders.push_back(std::move(*given));
    if (plan_.steps.size() <= most_searched) orders.push_back(least_growth());
    std::size_t best = 0, least = ~std::size_t{0};
    for (std::size_t k = 0; k < orders.size(); ++k)
      if (const std::size_t peak = peak_of_live_bytes(plan_, uses_, times(orders[k])); peak < least) best = k, least = peak;
    const auto limit = static_cast<std::size_t>(static_cast<double>(least) * worth_running_together);
    set(peak_of_live_bytes(plan_, uses_, early) <= limit ? early : together(orders[best], limit));
  }

 private:
  // ---- orders of single steps

  [[nodiscard]] std::vector<int> waiting() const {
    std::vector<int> counts;
    for (const Step& s : plan_.steps) counts.push_back(static_cast<int>(s.after.size()));
    return counts;
  }

  // The earliest phase of each step.
  [[nodiscard]] std::vector<int> earliest() const {
    std::vector<int> phase(plan_.steps.size(), 0), counts = waiting(), ready;
    for (std::size_t s = 0; s < counts.size(); ++s)
      if (counts[s] == 0) ready.push_back(static_cast<int>(s));
    for (std::size_t at = 0; at < ready.size(); ++at) {
      const int s = ready[at];
      for (int r : readers_[index(s)]) {
        phase[index(r)] = std::max(phase[index(r)], phase[index(s)] + 1);
        if (--counts[index(r)] == 0) ready.push_back(r);
      }
    }
    if (ready.size() != plan_.steps.size()) throw InternalError("steps of a plan wait for each other");
    return phase;
  }

  static std::vector<int> by_phase(const std::vector<int>& phase) {
    std::vector<int> order(phase.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return phase[index(a)] < phase[index(b)]; });
    return order;
  }

  // The order in which lowering made them, unless an update in place has to wait for a later one.
  [[nodiscard]] std::optional<std::vector<int>> as_given() const {
    for (std::size_t s = 0; s < plan_.steps.size(); ++s)
      if (!plan_.steps[s].after.empty() && plan_.steps[s].after.back() > static_cast<int>(s)) return std::nullopt;
    std::vector<int> order(plan_.steps.size());
    std::iota(order.begin(), order.end(), 0);
    return order;
  }

  // Always the step next that adds least to what is live; of equals the one that works in least, so that the others find more of the rest gone.
  [[nodiscard]] std::vector<int> least_growth() const {
    std::vector<int> counts = waiting(), ready, order;
    std::vector<std::size_t> left(uses_.size());
    std::vector<char> begun(uses_.size(), 0);
    for (std::size_t b = 0; b < uses_.size(); ++b) left[b] = uses_[b].steps.size();
    auto growth = [&](int s) {
      std::int64_t bytes = 0;
      for (std::size_t b : buffers_[index(s)]) {
        if (!begun[b]) bytes += static_cast<std::int64_t>(uses_[b].bytes);
        if (left[b] == 1) bytes -= static_cast<std::int64_t>(uses_[b].bytes);
      }
      return bytes;
    };
    for (std::size_t s = 0; s < counts.size(); ++s)
      if (counts[s] == 0) ready.push_back(static_cast<int>(s));
    auto wants = [&](int s) {
      PhaseScratch scratch(plan_.workers);
      scratch.add(kernel(s));
      return std::tuple(growth(s), scratch.bytes(), s);
    };
    while (!ready.empty()) {
      auto least = ready.begin();
      auto bytes = wants(*least);
      for (auto it = ready.begin() + 1; it != ready.end(); ++it)
        if (const auto b = wants(*it); b < bytes) least = it, bytes = b;
      const int s = *least;
      ready.erase(least);
      order.push_back(s);
      for (std::size_t b : buffers_[index(s)]) begun[b] = 1, --left[b];
      for (int r : readers_[index(s)])
        if (--counts[index(r)] == 0) ready.push_back(r);
    }
    return order;
  }

  static std::vector<int> times(const std::vector<int>& order) {
    std::vector<int> time(order.size());
    for (std::size_t t = 0; t < order.size(); ++t) time[index(order[t])] = static_cast<int>(t);
    return time;
  }

  // ---- phases

  // The time of the first and of the last use of a buffer.
  [[nodiscard]] std::pair<int, int> life(std::size_t b, const std::vector<int>& time) const {
    int first = time[index(uses_[b].steps[0])], last = first;
    for (int s : uses_[b].steps) first = std::min(first, time[index(s)]), last = std::max(last, time[index(s)]);
    return {first, last};
  }

  [[nodiscard]] const Kernel& kernel(int s) const { return *plan_.steps[index(s)].kernel; }

  // The order, cut into phases: each takes in steps from further on as long as nowhere more than `limit` is live.
  [[nodiscard]] std::vector<int> together(const std::vector<int>& order, std::size_t limit) const {
    std::vector<int> time = times(order), phase(order.size(), -1), counts = waiting();
    std::vector<std::size_t> live(order.size() + 1, 0);
    auto add = [&](std::size_t b, bool remove) {
      const auto [first, last] = life(b, time);
      for (int t = first; t <= last; ++t) remove ? live[index(t)] -= uses_[b].bytes : live[index(t)] += uses_[b].bytes;
    };
    for (std::size_t b = 0; b < uses_.size(); ++b)
      if (uses_[b].bytes > 0 && !uses_[b].steps.empty()) add(b, false);
    auto move = [&](int s, int to) {
      for (std::size_t b : buffers_[index(s)]) add(b, true);
      time[index(s)] = to;
      for (std::size_t b : buffers_[index(s)]) add(b, false);
    };
    std::vector<PhaseScratch> scratch(order.size(), PhaseScratch(plan_.workers));
    for (std::size_t t = 0; t < order.size(); ++t) scratch[t].add(kernel(order[t]));
    auto fits = [&](int s, std::size_t first, std::size_t last) {
      PhaseScratch here = scratch[first];
      here.add(kernel(s));
      if (live[first] + here.bytes() > limit) return false;
      for (std::size_t t = first + 1; t <= last; ++t)
        if (live[t] + scratch[t].bytes() > limit) return false;
      return true;
    };
    int phases = 0;
    for (std::size_t at = 0; at < order.size(); ++at) {
      if (phase[index(order[at])] >= 0) continue;
      std::vector<int> taken{order[at]};
      phase[index(order[at])] = phases;
      for (std::size_t next = at + 1; next < std::min(order.size(), at + window); ++next) {
        const int s = order[next];
        if (phase[index(s)] >= 0 || counts[index(s)] > 0) continue;
        const int from = time[index(s)];
        move(s, static_cast<int>(at));
        scratch[index(from)] = PhaseScratch(plan_.workers);
        if (!fits(s, at, index(from))) {
          scratch[index(from)].add(kernel(s));
          move(s, from);
          continue;
        }
        scratch[at].add(kernel(s));
        phase[index(s)] = phases;
        taken.push_back(s);
      }
      for (int s : taken)
        for (int r : readers_[index(s)]) --counts[index(r)];
      ++phases;
    }
    return phase;
  }

  void set(const std::vector<int>& phase) {
    plan_.phases.clear();
    for (std::size_t s = 0; s < phase.size(); ++s) {
      plan_.steps[s].phase = phase[s];
      if (index(phase[s]) >= plan_.phases.size()) plan_.phases.resize(index(phase[s]) + 1);
      plan_.phases[index(phase[s])].push_back(static_cast<int>(s));
    }
  }

  Plan& plan_;
  std::vector<BufferUse> uses_;
  std::vector<std::vector<int>> readers_;          // the steps that wait for a step
  std::vector<std::vector<std::size_t>> buffers_;  // of the arena that a step uses
};

}  // namespace

std::vector<BufferUse> buffer_uses(const Plan& plan) {
  std::vector<BufferUse> uses(plan.buffers.size());
  for (std::size_t b = 0; b < uses.size(); ++b)
    if (plan.buffers[b].kind == BufferKind::arena) uses[b].bytes = arena_size(plan.buffers[b].bytes);
  for (std::size_t s = 0; s < plan.steps.size(); ++s)
    for (const Slot& slot : plan.steps[s].slots) {
      std::vector<int>& steps = uses[index(slot.buffer)].steps;
      if (steps.empty() || steps.back() != static_cast<int>(s)) steps.push_back(static_cast<int>(s));
    }
  return uses;
}

std::size_t peak_of_live_bytes(const Plan& plan, std::span<const BufferUse> uses, std::span<const int> time) {
  const int end = time.empty() ? 0 : *std::max_element(time.begin(), time.end()) + 1;
  std::vector<std::int64_t> change(index(end) + 1, 0);
  for (const BufferUse& use : uses) {
    if (use.bytes == 0 || use.steps.empty()) continue;
    int first = time[index(use.steps[0])], last = first;
    for (int s : use.steps) first = std::min(first, time[index(s)]), last = std::max(last, time[index(s)]);
    change[index(first)] += static_cast<std::int64_t>(use.bytes);
    change[index(last) + 1] -= static_cast<std::int64_t>(use.bytes);
  }
  std::vector<PhaseScratch> scratch(index(end), PhaseScratch(plan.workers));
  for (std::size_t s = 0; s < time.size(); ++s) scratch[index(time[s])].add(*plan.steps[s].kernel);
  std::int64_t live = 0, peak = 0;
  for (std::size_t t = 0; t < index(end); ++t) {
    live += change[t];
    peak = std::max(peak, live + static_cast<std::int64_t>(scratch[t].bytes()));
  }
  return static_cast<std::size_t>(peak);
}

void assign_phases(Plan& plan) { Phases(plan).run(); }

}  // namespace cotan
