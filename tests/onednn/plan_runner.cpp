#include "tests/onednn/plan_runner.h"

#include <cstring>
#include <stdexcept>

#include "backends/onednn/backend.h"
#include "graph/builder.h"
#include "graph/closed_loop.h"
#include "tests/onednn/claim_helpers.h"

namespace cotan {
namespace {

// A node by the reference, rounded to the buffers' types.
class ReferenceKernel final : public Kernel {
 public:
  ReferenceKernel(std::shared_ptr<const Function> alone, std::vector<View> in, std::vector<View> out)
      : alone_(std::move(alone)), in_(std::move(in)), out_(std::move(out)) {}
  [[nodiscard]] std::string name() const override { return "reference"; }
  void run(std::int64_t, std::span<void* const> buffers, void*) const override {
    std::vector<reference::Array> inputs;
    for (std::size_t i = 0; i < in_.size(); ++i) inputs.push_back(reference::from_buffer(buffers[i], in_[i]));
    const std::vector<reference::Array> results = reference::evaluate(*alone_, inputs);
    for (std::size_t i = 0; i < out_.size(); ++i) reference::to_buffer(results[i], buffers[in_.size() + i], out_[i]);
  }

 private:
  std::shared_ptr<const Function> alone_;
  std::vector<View> in_, out_;
};

class ReferenceBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "reference"; }
  [[nodiscard]] Match match(const Ref& node, const BackendOptions&) const override {
    if (node->kind == Kind::call) return Reason{};
    Claim claim;
    for (const Edge& e : node->operands()) claim.inputs.emplace_back(e);
    claim.results = {node};
    const auto alone = graph::make_function("alone", claim.inputs, [&](std::span<const Ref> p) { return graph::rebuild(*node.node(), p); });
    claim.compile = [alone](std::span<const View> in, std::span<const View> out, int) {
      return Made{std::make_shared<ReferenceKernel>(alone, std::vector(in.begin(), in.end()), std::vector(out.begin(), out.end())), {}, -1};
    };
    return claim;
  }
};

}  // namespace

std::span<const Backend* const> backends() {
  static const ReferenceBackend rest;
  static const std::array<const Backend*, 2> all{&onednn_backend(), &rest};
  return all;
}

KernelRef compile_copy(const View& from, const View& to, InstructionSet) {
  const Ref types[] = {graph::parameter("from", from.dtype, from.shape)};
  const auto same = graph::make_function("same", types, [](std::span<const Ref> p) { return std::vector(p.begin(), p.end()); });
  return std::make_shared<ReferenceKernel>(same, std::vector{from}, std::vector{to});
}
KernelRef compile_loop(const Cluster&, std::span<const View>, std::span<const View>, InstructionSet) { throw std::logic_error("these tests fuse no loops"); }
KernelRef compile_loop(const Cluster&, std::span<const LoopSum>, std::span<const View>, std::span<const View>, InstructionSet) {
  throw std::logic_error("these tests fuse no loops");
}
std::variant<BlockSum, Reason> block_sum(const SumSpec&, DType, const Shape&, const Shape&) { throw std::logic_error("these tests fuse no loops"); }
KernelRef compile_check(const CheckSpec&, const View&) { throw std::logic_error("these tests have no checks"); }
KernelRef compile_random(const View&) { throw std::logic_error("these tests draw nothing"); }

namespace onednn::testing {

PlanRun run_plan(const Function& function, std::span<const reference::Array> inputs, CompileOptions options) {
  options.passes = options.passes.with("inline_calls", false);  // every composite by its primitive, whatever it costs
  const std::vector<Node*> order = topological(function.results);
  const Plan plan = lower(function, order, options);
  std::vector<std::vector<std::byte>> buffers;
  for (const Buffer& b : plan.buffers) {
    buffers.emplace_back(b.bytes + 64, std::byte{0xff});
    if (b.kind == BufferKind::parameter) {
      const auto& in = inputs[static_cast<std::size_t>(b.index)];
      reference::to_buffer(in, buffers.back().data(), View::dense(in.dtype, in.shape));
    }
  }
  PlanRun run;
  for (const Step& step : plan.steps) {
    std::vector<void*> addresses;
    for (const Slot& slot : step.slots) addresses.push_back(buffers[static_cast<std::size_t>(slot.buffer)].data() + slot.byte_offset);
    run_chunks(*step.kernel, addresses, options.threads);
    run.kernels.push_back(step.kernel->name());
    const std::vector<std::string> parts = step.kernel->parts();
    run.kernels.insert(run.kernels.end(), parts.begin(), parts.end());
  }
  for (std::size_t r = 0; r < function.results.size(); ++r) {
    const Ref& result = function.results[r];
    run.results.push_back(
        reference::from_buffer(buffers[static_cast<std::size_t>(plan.result_buffers[r])].data(), View::dense(result.dtype(), result.shape())));
  }
  return run;
}

}  // namespace onednn::testing
}  // namespace cotan
