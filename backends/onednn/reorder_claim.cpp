// Claims of tensors that are put into blocks of channels or out of them (graph/layouts/blocking.h).
#include <fmt/format.h>

#include <algorithm>

#include "backends/onednn/call_list.h"
#include "backends/onednn/claims.h"
#include "backends/onednn/primitive_cache.h"
#include "backends/onednn/program.h"
#include "backends/onednn/tiles.h"
#include "graph/recognise_tensor.h"

namespace cotan::onednn {
namespace {

// Elements below which a loop is done before the library has begun.
constexpr std::int64_t worth_a_reorder = 4096;
// Elements of a tile for one worker, at least.
constexpr std::int64_t worth_a_part = 16384;
// The library's compiled copies know so many dimensions.
constexpr std::size_t most_runs = 6;

// Whether the last dimension of one tensor counts within blocks of a dimension of the other that is not its last: what splits a row as it lies is no matter of
// layouts.
bool gathers_blocks(const Access& blocked, const Access& plain) {
  if (blocked.empty() || plain.size() < 2) return false;
  const int last = blocked.back().plain();
  return last >= 0 && std::any_of(plain.begin(), plain.end() - 1, [&](const IndexExpr& e) { return e.terms.size() > 1 && e.coefficient(last) == 1; });
}

// A permutation of the entries of dense tensors into blocks or out of them.
bool is_blocking(const SumSpec& spec, const TensorShapes& shapes) {
  if (spec.factors.size() != 1 || spec.coefficient != 1 || !spec.guards.empty() || !has_points(spec.domain)) return false;
  if (!gathers_blocks(spec.output, spec.factors[0]) && !gathers_blocks(spec.factors[0], spec.output)) return false;
  for (const TensorUse& use : tensor_uses(spec, shapes)) {
    if (!use.affine || !use.plain(spec.domain) || !use.covered(spec.domain)) return false;
    for (std::size_t i = 0; i < spec.domain.size(); ++i)
      if (!use.uses[i] && spec.domain[i] > 1) return false;
  }
  return true;
}

Attempt compile_reorder(const SumSpec& spec, const View& from, const View& to, int threads) {
  const IndexSteps in = index_steps(spec.factors[0], from.strides, spec.domain.size()), out = index_steps(spec.output, to.strides, spec.domain.size());
  std::vector<int> all;
  for (std::size_t i = 0; i < spec.domain.size(); ++i) all.push_back(static_cast<int>(i));
  const std::vector<IndexRun> runs = runs_of(all, spec.domain, {&out, &in, &in});
  if (runs.empty() || runs.size() > most_runs) return declined(ReasonCode::layout, fmt::format("a copy over {} dimensions", runs.size()));
  ReorderProblem problem;
  for (const IndexRun& run : runs) {
    if (run.strides[0] <= 0 || run.strides[1] <= 0) return declined(ReasonCode::layout, "a view that repeats or runs backwards");
    problem.sizes.push_back(run.size);
    problem.to.push_back(run.strides[0]);
    problem.from.push_back(run.strides[1]);
  }
  const std::int64_t elements = problem.sizes.elements();
  auto kernel = std::make_shared<CallList>();
  const Cut tiles = cut(runs[0].size, std::clamp<std::int64_t>(elements / worth_a_part, 1, threads));
  for (std::int64_t i = 0; i < tiles.parts(); ++i) {
    const Part part = tiles.part(i);
    ReorderProblem tile = problem;
    tile.sizes[0] = part.size;
    const Made made = shared_primitive(tile);
    if (!made) return declined(made);
    const std::int64_t offsets[] = {in.base + part.first * problem.from[0], out.base + part.first * problem.to[0]};
    kernel->add_call(kernel->add_primitive(made.primitive, {0}, {1}), offsets);
    kernel->end_chunk();
  }
  kernel->describe(fmt::format("reorder of {}", elements), 0, 8 * static_cast<double>(elements));
  return {kernel, {}};
}

}  // namespace

Made Primitive::make(const ReorderProblem& problem) {
  if (Made refused = refuse_common(f32, {problem.sizes, problem.from, problem.to}); refused.refusal != Refusal::none) return refused;
  return make_held([&]() -> Made {
    const auto dims = [](const Shape& shape) { return dnnl::memory::dims(shape.begin(), shape.end()); };
    constexpr auto element = dnnl::memory::data_type::f32;
    const Layout from(dims(problem.sizes), element, dims(problem.from)), to(dims(problem.sizes), element, dims(problem.to));
    const Descriptor descriptor = describe_reorder(from, to);
    if (std::string_view(descriptor.impl_info_str()).find("jit") == std::string_view::npos) return refuse_reference(descriptor, "this copy");
    auto program = std::make_unique<Program>();
    program->append(descriptor, {{DNNL_ARG_FROM, from, {Place::In::input, 0}}, {DNNL_ARG_TO, to, {Place::In::output, 0}}});
    program->set_implementation(descriptor.impl_info_str());
    return {.primitive = std::make_shared<const Primitive>(std::move(program)), .refusal = Refusal::none, .reason = {}};
  });
}

std::optional<Match> match_reorder(const Ref& node) {
  const auto spec = node->shared<SumSpec>();
  if (node->operand_count != 1 || node.dtype() != f32 || !is_blocking(*spec, tensor_shapes(*node.node()))) return std::nullopt;
  if (node.shape().elements() < worth_a_reorder) return Reason{ReasonCode::not_profitable, fmt::format("a copy of {} elements", node.shape().elements())};
  Claim claim;
  claim.inputs = {node->operand(0)};
  claim.results = {node};
  claim.compile = [spec](std::span<const View> inputs, std::span<const View> outputs, int threads) {
    const Attempt attempt = compile_reorder(*spec, inputs[0], outputs[0], threads);
    return cotan::Made{attempt.kernel, attempt.reason, -1};
  };
  return claim;
}

}  // namespace cotan::onednn
