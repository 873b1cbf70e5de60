// What a plan's steps compute from nothing but constants is computed once, when the plan is made.
#include <algorithm>

#include "graph/plan.h"

namespace cotan {
namespace {

constexpr std::size_t most_bytes = 64 * 1024;       // of one constant
constexpr std::size_t most_bytes_in_all = 1 << 20;  // of a plan's constants
constexpr std::size_t scratch_alignment = 64;

class Folding {
 public:
  explicit Folding(Plan& plan) : plan_(plan) {}

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
    std::vector<StorageRef> results;
    std::vector<void*> addresses;
    for (const Slot& slot : step.slots) {
      const Buffer& b = buffer(slot);
      if (b.kind != BufferKind::constant) results.push_back(allocate(b.bytes));
      Storage& storage = b.kind == BufferKind::constant ? *plan_.constants[static_cast<std::size_t>(b.index)] : *results.back();
      addresses.push_back(static_cast<std::byte*>(storage.data()) + slot.byte_offset);
    }
    const StorageRef scratch = allocate(std::max(step.kernel->scratch_bytes(), scratch_alignment));
    try {
      for (std::int64_t chunk = 0; chunk < step.kernel->chunks(); ++chunk) step.kernel->run(chunk, addresses, scratch->data());
    } catch (const CheckFailure&) {
      return false;  // each run is to fail
    }
    for (std::size_t r = 0; r < results.size(); ++r) {
      Buffer& b = buffer(step.slots[static_cast<std::size_t>(step.inputs) + r]);
      bytes_ += b.bytes;
      b.kind = BufferKind::constant;
      b.index = static_cast<int>(plan_.constants.size());
      plan_.constants.push_back(std::move(results[r]));
    }
    return true;
  }

  Plan& plan_;
  std::size_t bytes_ = 0;
};

}  // namespace

void fold_constants(Plan& plan) { Folding(plan).run(); }

}  // namespace cotan
