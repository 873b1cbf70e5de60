// Programs: plans that run on the team of workers, and functions that run on the reference.
#include "graph/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "backends/memory/poison.h"
#include "backends/parallel/parallel.h"
#include "backends/parallel/walk.h"
#include "backends/reference/reference.h"
#include "graph/plan.h"
#include "graph/subnormals.h"
#include "ops/float_mode.h"
#include "ops/philox.h"

namespace cotan {
namespace {

constexpr double worth_a_fork = 2e-5;  // seconds of work on one core below which the calling thread does it alone
constexpr std::size_t slot_bytes = 64;

std::int64_t now() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

class CompiledProgram final : public Program {
 public:
  CompiledProgram(const Function& function, std::span<Node* const> order, const CompileOptions& options)
      : kept_(function), target_(options.backends.target), plan_(lower(function, order, options)) {
    schedule(plan_, options);
    verify_plan(plan_);
    for (const auto& phase : plan_.phases) add_chunks(phase);
    for (std::size_t p = 0; p < plan_.phases.size(); ++p) {
      const int b = plan_.scratch_buffers[p];
      const std::int64_t parts = std::min<std::int64_t>(plan_.workers, chunks_[p]);
      scratch_.push_back(b < 0 ? Scratch{0, 0}
                               : Scratch{plan_.buffers[static_cast<std::size_t>(b)].offset,
                                         plan_.buffers[static_cast<std::size_t>(b)].bytes / static_cast<std::size_t>(parts)});
    }
    for (const Step& step : plan_.steps) {
      first_slot_.push_back(slots_);
      slots_ += step.slots.size();
    }
    used_result_.resize(plan_.buffers.size());
    updated_in_place_.resize(plan_.buffers.size());
    for (int b : plan_.result_buffers) used_result_[static_cast<std::size_t>(b)] = true;
    for (std::size_t b = 0; b < plan_.buffers.size(); ++b)
      if (plan_.buffers[b].kind == BufferKind::result && used_result_[b]) plan_.report.result_bytes += plan_.buffers[b].bytes;
    for (const Update& u : plan_.in_place) updated_in_place_[static_cast<std::size_t>(plan_.result_buffers[static_cast<std::size_t>(u.result)])] = true;
  }

  std::vector<StorageRef> run(std::span<const InputValue> inputs, RunObserver* observer) const override {
    if (!runs_here(target_))
      fail(fmt::format("the program is for a machine with {} instructions, and this one has {}", name_of(target_.instructions),
                       name_of(this_machine().instructions)),
           "Compile it for this machine, or run it on one that has these instructions");
    const FloatScope mode(FloatMode::of_programs(flush_subnormals()));  // helpers take it over for as long as they help
    std::vector<StorageRef> storage(plan_.buffers.size());
    bind_inputs(inputs, storage);
    const StorageRef arena = allocate(plan_.arena_bytes);
    for (std::size_t b = 0; b < plan_.buffers.size(); ++b)
      if (plan_.buffers[b].kind == BufferKind::result && used_result_[b]) storage[b] = allocate(plan_.buffers[b].bytes);

    std::vector<void*> addresses(slots_);
    for (std::size_t s = 0; s < plan_.steps.size(); ++s)
      for (std::size_t k = 0; k < plan_.steps[s].slots.size(); ++k) {
        const Slot& slot = plan_.steps[s].slots[k];
        const Buffer& b = plan_.buffers[static_cast<std::size_t>(slot.buffer)];
        std::byte* base = b.kind == BufferKind::arena      ? static_cast<std::byte*>(arena->data()) + b.offset
                          : b.kind == BufferKind::constant ? plan_.constants[static_cast<std::size_t>(b.index)].get()
                                                           : static_cast<std::byte*>(storage[static_cast<std::size_t>(slot.buffer)]->data());
        addresses[first_slot_[s] + k] = base + slot.byte_offset;
      }

    const bool serial = plan_.seconds < worth_a_fork;
    const std::size_t workers = serial ? 1 : static_cast<std::size_t>(parallel::worker_count());
    // The plan has room for the workers that it was made for; others may have set another number since.
    const bool planned = workers <= static_cast<std::size_t>(plan_.workers);
    const StorageRef more = planned ? nullptr : allocate(plan_.scratch_bytes * workers);
    auto body = [&](std::int64_t phase, std::int64_t chunk, int worker) {
      const Chunk& here = work_[first_work_[static_cast<std::size_t>(phase)] + static_cast<std::size_t>(chunk)];
      const auto s = static_cast<std::size_t>(here.step);
      const Step& step = plan_.steps[s];
      const std::int64_t start = observer == nullptr ? 0 : now();
      try {
        step.kernel->run(here.chunk, std::span(addresses).subspan(first_slot_[s], step.slots.size()),
                         planned ? scratch_at(static_cast<std::byte*>(arena->data()), phase, chunk, worker)
                                 : static_cast<std::byte*>(more->data()) + plan_.scratch_bytes * static_cast<std::size_t>(worker));
      } catch (const CheckFailure& failure) {
        throw CheckFailed{step.nodes[0], step.check, failure};
      }
      if (observer != nullptr) observer->ran({static_cast<int>(s), worker, start, now()});
    };
    if (memory::poison())
      run_poisoning(body, static_cast<std::byte*>(arena->data()), serial);
    else
      parallel::run_phases(chunks_, body, serial);

    std::vector<StorageRef> results;
    for (int b : plan_.result_buffers) results.push_back(storage[static_cast<std::size_t>(b)]);
    return results;
  }

  [[nodiscard]] const ProgramReport& report() const override { return plan_.report; }

 private:
  struct Chunk {
    int step;
    std::int64_t chunk;
  };
  struct Scratch {
    std::size_t offset, each;
  };

  // The phase's chunks, so that the workers' shares of them, which lie one behind the other, are also their shares of each step: kernels that are cut alike
  // then find their parts of a tensor in the caches of the worker that wrote them, whatever else runs beside them.
  void add_chunks(const std::vector<int>& phase) {
    first_work_.push_back(work_.size());
    const auto workers = static_cast<std::uint64_t>(plan_.workers);
    for (std::uint64_t owner = 0; owner < workers; ++owner)
      for (int s : phase) {
        const auto chunks = static_cast<std::uint64_t>(plan_.steps[static_cast<std::size_t>(s)].kernel->chunks());
        const std::uint64_t end = parallel::share_begin(owner + 1, chunks, workers);
        for (std::uint64_t c = parallel::share_begin(owner, chunks, workers); c < end; ++c) work_.push_back({s, static_cast<std::int64_t>(c)});
      }
    chunks_.push_back(static_cast<std::int64_t>(work_.size() - first_work_.back()));
  }

  // After each phase, one that fills what ends with it: a step that reads it all the same computes NaNs.
  template <class Body>
  void run_poisoning(Body& body, std::byte* arena, bool serial) const {
    std::vector<std::int64_t> chunks;
    for (std::int64_t c : chunks_) chunks.insert(chunks.end(), {c, 1});
    const auto both = [&](std::int64_t phase, std::int64_t chunk, int worker) {
      if (phase % 2 == 0) return body(phase / 2, chunk, worker);
      for (const Buffer& b : plan_.buffers)
        if (in_arena(b.kind) && b.last_phase == phase / 2) memory::fill_with_poison(arena + b.offset, (b.bytes + 7) / 8 * 8);
    };
    parallel::run_phases(chunks, both, serial);
  }

  // Where a chunk works: a phase has room for each of its workers, or for each of its chunks where those are fewer.
  [[nodiscard]] std::byte* scratch_at(std::byte* arena, std::int64_t phase, std::int64_t chunk, int worker) const {
    const auto [offset, each] = scratch_[static_cast<std::size_t>(phase)];
    const std::int64_t part = chunks_[static_cast<std::size_t>(phase)] <= plan_.workers ? chunk : worker;
    return arena + offset + each * static_cast<std::size_t>(part);
  }

  void bind_inputs(std::span<const InputValue> inputs, std::vector<StorageRef>& storage) const {
    for (std::size_t b = 0; b < plan_.buffers.size(); ++b) {
      const Buffer& buffer = plan_.buffers[b];
      if (buffer.kind != BufferKind::parameter) continue;
      const auto p = static_cast<std::size_t>(buffer.index);
      const InputValue& in = inputs[p];
      switch (plan_.parameter_roles[p]) {
        case LeafRole::scalar:
          storage[b] = allocate(slot_bytes);
          visit_dtype(plan_.parameter_types[p], [&](auto zero) {
            const auto v = static_cast<decltype(zero)>(in.scalar);
            std::memcpy(storage[b]->data(), &v, sizeof v);
          });
          break;
        case LeafRole::random:
          storage[b] = allocate(slot_bytes);
          std::memcpy(storage[b]->data(), &in.random, sizeof in.random);
          break;
        default:
          storage[b] = in.storage;
          // Two references: the caller's, and the binding's. Anybody else still wants the old value.
          if (!updated_in_place_[b]) break;
          if (in.storage.use_count() > 3) {
            storage[b] = allocate(buffer.bytes);
            std::memcpy(storage[b]->data(), in.storage->data(), buffer.bytes);
          } else {
            // Counting alone orders nothing: a reference given up here comes after those that other threads gave up, and after what they read.
            StorageRef(in.storage).reset();
          }
      }
    }
  }

  Function kept_;         // its nodes hold the specifications that the cache's keys point to
  TargetMachine target_;  // that it was compiled for
  Plan plan_;
  std::vector<Chunk> work_;              // all phases' chunks, in the order in which they are handed out
  std::vector<std::size_t> first_work_;  // where each phase's begin
  std::vector<std::int64_t> chunks_;     // of each phase
  std::vector<Scratch> scratch_;         // of each phase, in the arena
  std::vector<std::size_t> first_slot_;  // of each step in the addresses
  std::size_t slots_ = 0;
  std::vector<bool> used_result_, updated_in_place_;  // by buffer
};

reference::Array random_array(const RandomState& state, const Ref& leaf) {
  reference::Array a = reference::Array::zeros(leaf.dtype(), leaf.shape());
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] = philox::uniform(state.key, state.counter, i, leaf.dtype());
  return a;
}

class ReferenceProgram final : public Program {
 public:
  ReferenceProgram(const Function& function, std::span<Node* const> order, bool exact)
      : function_(function), order_(order.begin(), order.end()), exact_(exact) {
    for (std::size_t i = 0; i < order.size(); ++i)
      if (order[i]->operand_count > 0) report_.kernels.push_back({fmt::format("reference {}", name_of(order[i]->kind)), {static_cast<int>(i)}, 0, 1, 0, 0});
  }

  std::vector<StorageRef> run(std::span<const InputValue> inputs, RunObserver*) const override {
    std::vector<reference::Array> in;
    for (std::size_t p = 0; p < inputs.size(); ++p) {
      const Ref& parameter = function_.parameters[p];
      const LeafRole role = parameter->as<LeafSpec>().role;
      if (role == LeafRole::scalar)
        in.push_back({parameter.dtype(), {}, {round_to(parameter.dtype(), inputs[p].scalar)}});
      else if (role == LeafRole::random)
        in.push_back(random_array(inputs[p].random, parameter));
      else
        in.push_back(reference::from_buffer(inputs[p].storage->data(), View::dense(parameter.dtype(), parameter.shape())));
    }
    std::vector<StorageRef> results;
    for (const reference::Array& a : evaluated(in)) {
      results.push_back(allocate(a.values.size() * size_of(a.dtype)));
      reference::to_buffer(a, results.back()->data(), View::dense(a.dtype, a.shape));
    }
    return results;
  }

  [[nodiscard]] const ProgramReport& report() const override { return report_; }

 private:
  [[nodiscard]] reference::Options options() const { return {.exact = exact_, .flush_subnormals = flush_subnormals()}; }

  [[nodiscard]] std::vector<reference::Array> evaluated(const std::vector<reference::Array>& in) const {
    try {
      return reference::evaluate(function_, in, options());
    } catch (const Error&) {
      find_failed_check(function_, order_, in);
      throw;
    }
  }

  // Says which check failed: the reference knows no positions of nodes. A check inside a call's body has the call's position.
  void find_failed_check(const Function& f, std::span<Node* const> nodes, std::span<const reference::Array> in, int call = -1) const {
    auto operands_of = [&](const Node& n) {
      Function operands{"", f.parameters, {}, {}};
      for (std::size_t k = 0; k < n.operand_count; ++k) operands.results.push_back(n.operand(k));
      return reference::evaluate(operands, in, options());
    };
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const Node& n = *nodes[i];
      const int position = call >= 0 ? call : static_cast<int>(i);
      if (n.kind == Kind::call) find_failed_check(*n.as<CallSpec>().body, topological(n.as<CallSpec>().body->results), operands_of(n), position);
      if (n.kind != Kind::check) continue;
      const auto& spec = n.as<CheckSpec>();
      const std::vector<double> values = operands_of(n)[0].values;
      for (std::size_t k = 0; k < values.size(); ++k)
        if (values[k] < 0 || values[k] >= static_cast<double>(spec.below))
          throw CheckFailed{position, spec, {static_cast<std::int64_t>(values[k]), static_cast<std::int64_t>(k)}};
    }
  }

  Function function_;
  std::vector<Node*> order_;  // kept alive by function_
  bool exact_;
  ProgramReport report_;
};

}  // namespace

std::shared_ptr<const Program> compile_program(const Function& function, std::span<Node* const> order, const CompileOptions& options) {
  if (options.mode != ExecutionMode::compiled) return std::make_shared<ReferenceProgram>(function, order, options.mode == ExecutionMode::exact);
  return std::make_shared<CompiledProgram>(function, order, options);
}

}  // namespace cotan
