// Updates in place, and what a plan comes to.
#include "graph/schedule.h"

#include <fmt/format.h>

#include <algorithm>

#include "ops/error.h"

namespace cotan {
namespace {

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

}  // namespace

void schedule(Plan& plan, const CompileOptions& options, bool one_by_one) {
  plan.workers = one_by_one ? 1 : options.threads;
  Users users(plan);
  for (const Update& u : options.updates) try_in_place(plan, users, u);
  if (one_by_one)
    for (std::size_t s = 0; s + 1 < plan.steps.size(); ++s) plan.steps[s + 1].after.push_back(static_cast<int>(s));
  assign_phases(plan);
  plan_memory(plan);
  for (const Step& step : plan.steps) {
    plan.seconds += step.kernel->flops() / 3e10 + step.kernel->bytes() / 1e10 + 2e-7;
    plan.report.kernels.push_back(
        {step.kernel->name(), step.nodes, step.phase, step.kernel->chunks(), step.kernel->flops(), step.kernel->bytes(), step.places, step.kernel->parts()});
  }
  plan.report.phases = static_cast<std::int64_t>(plan.phases.size());
  plan.report.temporary_bytes = plan.arena_bytes;
  plan.report.in_place_updates = plan.in_place.size();
}

}  // namespace cotan
