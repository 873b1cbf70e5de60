// Plans of training steps, and what their steps would need in other orders.
#pragma once

#include <vector>

#include "autograd/evaluate.h"
#include "autograd/profile/observer.h"
#include "graph/plan.h"
#include "graph/schedule.h"
#include "tests/support/random.h"
#include "training/models.h"

namespace cotan::testing {

// The plan of an evaluation, made again from what the evaluation shows.
class PlanOfEvaluation final : public EvaluationObserver {
 public:
  std::vector<Plan> plans;
  RunObserver* begins(const EvaluationTrace& trace) override {
    std::vector<Node*> images;
    const Function f = close(trace.structure, trace.roots, images);
    plans.push_back(lower(f, images, trace.options));
    schedule(plans.back(), trace.options);
    verify_plan(plans.back());
    return nullptr;
  }
};

// The greatest number of bytes live at once when the steps run one after another in this order: what a step's kernel asks for to work in, and every
// intermediate from the step that makes it to the last that reads it. Written without the planner's own counting.
[[nodiscard]] inline std::size_t live_bytes(const Plan& plan, const std::vector<int>& order, std::size_t workers) {
  std::vector<int> left(plan.buffers.size(), 0);
  for (const Step& s : plan.steps)
    for (const Slot& slot : s.slots) ++left[static_cast<std::size_t>(slot.buffer)];
  std::vector<bool> begun(plan.buffers.size(), false);
  std::size_t live = 0, peak = 0;
  for (int s : order) {
    const Step& step = plan.steps[static_cast<std::size_t>(s)];
    for (const Slot& slot : step.slots) {
      const auto b = static_cast<std::size_t>(slot.buffer);
      if (plan.buffers[b].kind == BufferKind::arena && !begun[b]) live += plan.buffers[b].bytes;
      begun[b] = true;
    }
    const std::int64_t parts = std::min<std::int64_t>(static_cast<std::int64_t>(workers), step.kernel->chunks());
    peak = std::max(peak, live + static_cast<std::size_t>(parts) * step.kernel->scratch_bytes());
    for (const Slot& slot : step.slots) {
      const auto b = static_cast<std::size_t>(slot.buffer);
      if (--left[b] == 0 && plan.buffers[b].kind == BufferKind::arena) live -= plan.buffers[b].bytes;
    }
  }
  return peak;
}

// An order in which the steps can run, any of those that there are.
[[nodiscard]] inline std::vector<int> random_order(const Plan& plan, Random& random) {
  std::vector<int> waiting(plan.steps.size(), 0), ready, order;
  std::vector<std::vector<int>> readers(plan.steps.size());
  for (std::size_t s = 0; s < plan.steps.size(); ++s)
    for (int a : plan.steps[s].after) readers[static_cast<std::size_t>(a)].push_back(static_cast<int>(s)), ++waiting[s];
  for (std::size_t s = 0; s < waiting.size(); ++s)
    if (waiting[s] == 0) ready.push_back(static_cast<int>(s));
  while (!ready.empty()) {
    const auto at = ready.begin() + random.integer(0, static_cast<std::int64_t>(ready.size()) - 1);
    order.push_back(*at);
    ready.erase(at);
    for (int r : readers[static_cast<std::size_t>(order.back())])
      if (--waiting[static_cast<std::size_t>(r)] == 0) ready.push_back(r);
  }
  return order;
}

}  // namespace cotan::testing
