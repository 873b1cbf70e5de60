// A proof that a plan's steps read what they are meant to read.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "graph/plan.h"
#include "ops/error.h"

namespace cotan {
namespace {

std::size_t index(int i) { return static_cast<std::size_t>(i); }

class Proof {
 public:
  explicit Proof(const Plan& plan) : plan_(plan), last_writer_(plan.buffers.size(), -1) {}

  void run() {
    check_order();
    if (plan_.scratch_buffers.size() != plan_.phases.size()) throw InternalError("phases without a word on what their kernels work in");
    for (std::size_t p = 0; p < plan_.phases.size(); ++p) {
      const auto& phase = plan_.phases[p];
      for (int s : phase) check_reads(s);
      std::vector<int> written(plan_.buffers.size(), -1);  // by buffer: the step of this phase
      for (int s : phase) write(s, written);
      const int scratch = plan_.scratch_buffers[p];
      check_scratch(phase, scratch);
      if (scratch >= 0) take(scratch);
      for (int s : phase) check_conflicts(s, written);
      if (scratch >= 0 && !owns(scratch)) throw InternalError(fmt::format("the memory that phase {} works in overlaps another buffer", p));
      for (int s : phase)
        for (std::size_t k = index(plan_.steps[index(s)].inputs); k < plan_.steps[index(s)].slots.size(); ++k) last_writer_[index(buffer(s, k))] = s;
    }
    for (int b : plan_.result_buffers)
      if (plan_.buffers[index(b)].kind == BufferKind::result && last_writer_[index(b)] < 0)
        throw InternalError(fmt::format("nobody writes result buffer {}", b));
    check_updates();
  }

 private:
  [[nodiscard]] int buffer(int s, std::size_t slot) const { return plan_.steps[index(s)].slots[slot].buffer; }
  [[nodiscard]] bool in_arena(int b) const { return cotan::in_arena(plan_.buffers[index(b)].kind) && plan_.buffers[index(b)].bytes > 0; }

  // Every step once, in the phase it says, after those it waits for.
  void check_order() const {
    std::vector<int> seen(plan_.steps.size(), 0);
    for (std::size_t p = 0; p < plan_.phases.size(); ++p)
      for (int s : plan_.phases[p]) {
        if (plan_.steps.at(index(s)).phase != static_cast<int>(p)) throw InternalError(fmt::format("step {} is in a phase that is not its own", s));
        ++seen[index(s)];
      }
    for (std::size_t s = 0; s < seen.size(); ++s) {
      if (seen[s] != 1) throw InternalError(fmt::format("step {} runs {} times", s, seen[s]));
      for (int a : plan_.steps[s].after)
        if (plan_.steps[index(a)].phase >= plan_.steps[s].phase) throw InternalError(fmt::format("step {} does not come after step {}", s, a));
    }
  }

  // What the step reads is there, whole, and is the value that it waits for.
  void check_reads(int s) const {
    const Step& step = plan_.steps[index(s)];
    for (std::size_t k = 0; k < index(step.inputs); ++k) {
      const int b = buffer(s, k), writer = last_writer_[index(b)];
      if (writer < 0) {
        if (plan_.buffers[index(b)].kind == BufferKind::parameter || plan_.buffers[index(b)].kind == BufferKind::constant) continue;
        throw InternalError(fmt::format("step {} reads buffer {}, which is not written yet", s, b));
      }
      if (std::find(step.after.begin(), step.after.end(), writer) == step.after.end())
        throw InternalError(fmt::format("step {} reads what step {} wrote over, in buffer {}", s, writer, b));
      if (in_arena(b) && !owns(b)) throw InternalError(fmt::format("step {} reads buffer {}, whose memory has been reused", s, b));
    }
  }

  [[nodiscard]] bool owns(int b) const {
    const auto found = owners_.find(plan_.buffers[index(b)].offset);
    return found != owners_.end() && found->second == b;
  }

  // The memory becomes the buffer's; others that had some of it have lost theirs.
  void write(int s, std::vector<int>& written) {
    const Step& step = plan_.steps[index(s)];
    for (std::size_t k = index(step.inputs); k < step.slots.size(); ++k) {
      const int b = buffer(s, k);
      if (plan_.buffers[index(b)].kind == BufferKind::constant) throw InternalError(fmt::format("step {} writes constant {}", s, b));
      if (written[index(b)] >= 0) throw InternalError(fmt::format("steps {} and {} write buffer {} in one phase", written[index(b)], s, b));
      written[index(b)] = s;
      if (in_arena(b)) take(b);
    }
  }

  void take(int b) {
    const Buffer& mine = plan_.buffers[index(b)];
    if (end_of(b) > plan_.arena_bytes) throw InternalError(fmt::format("buffer {} lies outside the arena", b));
    auto it = owners_.lower_bound(mine.offset);
    if (it != owners_.begin() && end_of(std::prev(it)->second) > mine.offset) --it;
    while (it != owners_.end() && it->first < end_of(b)) it = owners_.erase(it);
    owners_[mine.offset] = b;
  }

  // There is room for each of the phase's kernels.
  void check_scratch(const std::vector<int>& phase, int scratch) const {
    std::int64_t chunks = 0;
    std::size_t most = 0;
    for (int s : phase) {
      chunks += plan_.steps[index(s)].kernel->chunks();
      most = std::max(most, plan_.steps[index(s)].kernel->scratch_bytes());
    }
    const std::size_t room = scratch < 0 ? 0 : plan_.buffers[index(scratch)].bytes;
    if (room < most * static_cast<std::size_t>(std::min<std::int64_t>(chunks, plan_.workers))) throw InternalError("a phase has too little memory to work in");
  }

  [[nodiscard]] std::size_t end_of(int b) const { return plan_.buffers[index(b)].offset + plan_.buffers[index(b)].bytes; }

  // After the phase's writes everything that it read and wrote is still there, and nobody else wrote what a step reads.
  void check_conflicts(int s, const std::vector<int>& written) const {
    const Step& step = plan_.steps[index(s)];
    for (std::size_t k = 0; k < step.slots.size(); ++k) {
      const int b = buffer(s, k);
      if (k < index(step.inputs) && written[index(b)] >= 0 && (written[index(b)] != s || !step.in_place))
        throw InternalError(fmt::format("step {} reads buffer {}, which step {} writes in the same phase", s, b, written[index(b)]));
      if (step.phase < plan_.buffers[index(b)].first_phase || step.phase > plan_.buffers[index(b)].last_phase)
        throw InternalError(fmt::format("step {} uses buffer {} outside its lifetime", s, b));
      if (in_arena(b) && !owns(b)) throw InternalError(fmt::format("buffer {} of step {} overlaps one that is written in the same phase", b, s));
    }
  }

  void check_updates() const {
    int last_check = -1;
    for (const Step& step : plan_.steps)
      if (step.is_check) last_check = std::max(last_check, step.phase);
    for (std::size_t b = 0; b < plan_.buffers.size(); ++b) {
      if (plan_.buffers[b].kind != BufferKind::parameter || last_writer_[b] < 0) continue;
      const auto updates = [&](const Update& u) { return plan_.result_buffers[index(u.result)] == static_cast<int>(b); };
      if (std::none_of(plan_.in_place.begin(), plan_.in_place.end(), updates))
        throw InternalError(fmt::format("parameter buffer {} is written, but no update of it is planned", b));
      if (last_check >= plan_.steps[index(last_writer_[b])].phase) throw InternalError("a check comes after an update in place");
    }
  }

  const Plan& plan_;
  std::vector<int> last_writer_;       // by buffer: of the phases before
  std::map<std::size_t, int> owners_;  // by offset: whose value lies there; no two overlap
};

}  // namespace

void verify_plan(const Plan& plan) { Proof(plan).run(); }

}  // namespace cotan
