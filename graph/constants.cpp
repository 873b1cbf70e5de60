// What a plan's steps compute from nothing but constants is computed once, when the plan is made: in both modes in which the plan may run, and only where their
// bits agree. Subnormal numbers among constants are left to the run.
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "graph/plan.h"
#include "ops/float_mode.h"

namespace cotan {
namespace {

constexpr std::size_t most_bytes = 64 * 1024;       // of one constant
constexpr std::size_t most_bytes_in_all = 1 << 20;  // of a plan's constants
constexpr std::size_t alignment = 64;               // of what kernels read, write and work in

using Memory = std::shared_ptr<std::byte>;

// Not of the pool, which is a backend's: a plan is made without any.
Memory room_for(std::size_t bytes) {
  const std::size_t whole = std::max((bytes + alignment - 1) / alignment, std::size_t{1}) * alignment;
  return {static_cast<std::byte*>(::operator new(whole, std::align_val_t{alignment})), [](std::byte* p) { ::operator delete(p, std::align_val_t{alignment}); }};
}

// Runs the step on memory that `base` gives for each of its slots' buffers.
template <class Base>
void run_alone(const Step& step, bool flush_subnormals, Base&& base) {
  std::vector<void*> addresses;
  for (std::size_t k = 0; k < step.slots.size(); ++k) addresses.push_back(base(k) + step.slots[k].byte_offset);
  const Memory scratch = room_for(step.kernel->scratch_bytes());
  const FloatScope mode(FloatMode::of_programs(flush_subnormals));
  for (std::int64_t chunk = 0; chunk < step.kernel->chunks(); ++chunk) step.kernel->run(chunk, addresses, scratch.get());
}

class Folding {
 public:
  Folding(Plan& plan, const TargetMachine& target) : plan_(plan), runs_(runs_here(target)) {}

  void run() {
    std::vector<int> to(plan_.steps.size(), -1);  // where each step is afterwards
    std::vector<Step> kept;
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
      Step& step = plan_.steps[s];
      if (computed(step)) continue;
      to[s] = static_cast<int>(kept.size());
      std::vector<int> after;
      for (int a : step.after)
        if (to[static_cast<std::size_t>(a)] >= 0) after.push_back(to[static_cast<std::size_t>(a)]);
      step.after = std::move(after);
      kept.push_back(std::move(step));
    }
    plan_.steps = std::move(kept);
  }

 private:
  Buffer& buffer(const Slot& slot) { return plan_.buffers[static_cast<std::size_t>(slot.buffer)]; }

  // Whether the step reads constants only and its results are small, and are not handed out: the caller may write into those.
  bool is_constant(const Step& step) {
    std::size_t bytes = 0;
    for (std::size_t k = 0; k < step.slots.size(); ++k) {
      const Buffer& b = buffer(step.slots[k]);
      if (k < static_cast<std::size_t>(step.inputs)) {
        if (b.kind != BufferKind::constant) return false;
        continue;
      }
      if (b.kind != BufferKind::arena || !step.slots[k].whole) return false;
      bytes += b.bytes;
    }
    return bytes <= most_bytes && bytes_ + bytes <= most_bytes_in_all;
  }

  bool computed(const Step& step) {
    if (!is_constant(step)) return false;
    const auto inputs = static_cast<std::size_t>(step.inputs);
    const auto run_in = [&](bool flush_subnormals) {
      std::vector<Memory> results;
      for (std::size_t k = inputs; k < step.slots.size(); ++k) results.push_back(room_for(buffer(step.slots[k]).bytes));
      if (runs_) run_alone(step, flush_subnormals, [&](std::size_t k) {
        return k < inputs ? plan_.constants[static_cast<std::size_t>(buffer(step.slots[k]).index)].get() : results[k - inputs].get();
      });
      return results;
    };
    std::vector<Memory> results;
    try {
      results = run_in(true);
      const std::vector<Memory> kept = run_in(false);
      for (std::size_t r = 0; runs_ && r < results.size(); ++r)
        if (std::memcmp(results[r].get(), kept[r].get(), buffer(step.slots[inputs + r]).bytes) != 0) return false;
    } catch (const CheckFailure&) {
      return false;  // each run is to fail
    }
    for (std::size_t r = 0; r < results.size(); ++r) {
      Buffer& b = buffer(step.slots[inputs + r]);
      bytes_ += b.bytes;
      b.kind = BufferKind::constant;
      b.index = static_cast<int>(plan_.constants.size());
      plan_.constants.push_back(std::move(results[r]));
    }
    return true;
  }

  Plan& plan_;
  bool runs_;  // otherwise the plan is only to be looked at, and no value is needed
  std::size_t bytes_ = 0;
};

}  // namespace

void fold_constants(Plan& plan, const TargetMachine& target) { Folding(plan, target).run(); }

std::vector<std::byte> bytes_of_constant(const Ref& constant, const BackendOptions& backends) {
  CompileOptions options;
  options.backends = backends;
  options.backends.target = this_machine();  // the bits are the same for every one
  options.passes = PassSwitches("-all");
  const Function f{"constant", {}, {constant}, {}};
  const Plan plan = lower(f, topological(f.results), options);
  const auto result = static_cast<std::size_t>(plan.result_buffers[0]);
  const auto bytes_in = [&](bool flush_subnormals) {
    std::vector<Memory> memory;
    for (const Buffer& b : plan.buffers) memory.push_back(room_for(b.bytes));
    for (const Step& step : plan.steps)
      run_alone(step, flush_subnormals, [&](std::size_t k) { return memory[static_cast<std::size_t>(step.slots[k].buffer)].get(); });
    return std::vector<std::byte>(memory[result].get(), memory[result].get() + plan.buffers[result].bytes);
  };
  std::vector<std::byte> bytes = bytes_in(true);
  if (bytes != bytes_in(false)) bytes.clear();
  return bytes;
}

}  // namespace cotan
