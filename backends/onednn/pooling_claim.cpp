// Claims of poolings and of their gradients.
//
// A maximum and its gradient are a pair: where the gradient is wanted, the forward kernel also writes the library's workspace (where in each window the
// maximum stands, a byte each), and the gradient's kernel reads it in place of the argmax that the graph names, which then nobody computes. Both cut the planes
// into the same tiles, whose workspaces lie one after the other.
#include <fmt/format.h>

#include <cmath>

#include "backends/onednn/call_list.h"
#include "backends/onednn/claims.h"
#include "backends/onednn/primitive_cache.h"
#include "backends/onednn/tiles.h"
#include "graph/builder.h"

namespace cotan::onednn {
namespace {

// Windows' entries below which a loop is done before the library has begun.
constexpr double worth_a_pooling = 4e3;
// A tile is made of so many planes, or of multiples of it, where channels are not innermost: the library's block of channels.
constexpr std::int64_t grain = 16;

PoolingProblem problem_of(const PoolingWindows& windows, PoolingDirection direction, bool max, double factor) {
  PoolingProblem p;
  p.direction = direction;
  p.max = max;
  p.planes = windows.batch;
  p.channels = windows.channels;
  p.input = windows.input;
  p.kernel = windows.kernel;
  p.output = windows.output;
  p.stride = windows.stride;
  p.dilation = windows.dilation;
  p.padding = windows.padding;
  p.factor = factor;
  return p;
}

double work_of(const PoolingProblem& p) { return static_cast<double>(p.planes * p.channels) * static_cast<double>(p.output.elements() * p.kernel.elements()); }

Made tile_of(const PoolingProblem& whole, std::int64_t planes) {
  PoolingProblem tile = whole;
  tile.planes = planes;
  return shared_primitive(tile);
}

// How the planes are cut: the same for a maximum and its gradient, whatever the directions' primitives say of each other's tiles.
Cut tiles_of(const PoolingProblem& p, int threads) {
  const Cut whole{p.planes, p.planes};
  if (threads <= 1 || work_of(p) < worth_a_tile) return whole;
  const Cut tiles = cut(p.planes, threads, p.channels > 1 ? 1 : grain);
  for (std::int64_t i : {std::int64_t{0}, tiles.parts() - 1})
    for (PoolingDirection direction : {PoolingDirection::forward, PoolingDirection::training, PoolingDirection::backward}) {
      PoolingProblem some = p;
      some.direction = direction;
      if (!tile_of(some, tiles.part(i).size)) return whole;
    }
  return tiles;
}

Attempt compile_pooling(const PoolingProblem& p, std::size_t workspace_bytes, int threads) {
  const bool backward = p.direction == PoolingDirection::backward, with_workspace = p.max && p.direction != PoolingDirection::forward;
  const Cut tiles = tiles_of(p, threads);
  std::vector<std::size_t> inputs{0}, outputs{1};
  if (with_workspace && backward) inputs = {0, 1}, outputs = {2};
  if (with_workspace && !backward) outputs = {1, 2};
  auto kernel = std::make_shared<CallList>();
  const std::int64_t in = p.channels * (backward ? p.output : p.input).elements(), out = p.channels * (backward ? p.input : p.output).elements();
  std::int64_t workspace = 0;
  for (std::int64_t i = 0; i < tiles.parts(); ++i) {
    const Part part = tiles.part(i);
    const Made made = tile_of(p, part.size);
    if (!made) return declined(made);
    std::vector<std::int64_t> offsets{part.first * in};
    if (with_workspace && backward) offsets.push_back(workspace);
    offsets.push_back(part.first * out);
    if (with_workspace && !backward) offsets.push_back(workspace);
    if (with_workspace) kernel->set_workspace(backward ? 1 : 2);
    workspace += static_cast<std::int64_t>(made.primitive->workspace_bytes());
    kernel->add_call(kernel->add_primitive(made.primitive, inputs, outputs), offsets);
    kernel->end_chunk();
  }
  if (with_workspace && workspace > static_cast<std::int64_t>(workspace_bytes))
    return declined(ReasonCode::primitive_refused, fmt::format("tiles' workspaces of {} bytes where {} were expected", workspace, workspace_bytes));
  kernel->describe(fmt::format("{} pooling{} {}x{}, window {}", p.max ? "max" : "average", backward ? " backward" : "", p.planes * p.channels,
                               fmt::join(p.input, "x"), fmt::join(p.kernel, "x")),
                   work_of(p), 4 * static_cast<double>(p.planes) * static_cast<double>(in + out));
  return {kernel, {}};
}

// A claim whose kernel reads `x` (and partners' memory).
Claim claim_of(const PoolingProblem& p, const Ref& x, const Ref& node, std::size_t workspace_bytes) {
  Claim claim;
  claim.inputs = {x};
  claim.results = {node};
  claim.compile = [p, workspace_bytes](std::span<const View> inputs, std::span<const View> outputs, int threads) -> cotan::Made {
    if (!inputs[0].is_dense()) return {nullptr, {ReasonCode::layout, "pooling works on dense planes"}, 0};
    PoolingProblem some = p;
    if (outputs.size() == 2) some.direction = PoolingDirection::training;
    const Attempt attempt = compile_pooling(some, workspace_bytes, threads);
    return {attempt.kernel, attempt.reason, -1};
  };
  return claim;
}

// Why not, from what all poolings have in common.
std::optional<Reason> against(const PoolingProblem& p, DType dtype) {
  if (dtype != f32) return Reason{ReasonCode::dtype, fmt::format("oneDNN is used for f32 only, not for {}", name_of(dtype))};
  if (work_of(p) < worth_a_pooling) return Reason{ReasonCode::not_profitable, fmt::format("windows of {} entries in all", work_of(p))};
  const Made whole = shared_primitive(p);
  if (!whole) return declined(whole).reason;
  return std::nullopt;
}

}  // namespace

std::optional<Match> match_average(const Ref& node) {
  const auto& spec = node->as<SumSpec>();
  if (spec.factors.size() != 1 || node->operand_count != 1) return std::nullopt;
  const auto windows = as_pooling(spec, tensor_shapes(*node.node()));
  if (!windows) return std::nullopt;
  const PoolingProblem p = problem_of(*windows, windows->gradient ? PoolingDirection::backward : PoolingDirection::forward, false, spec.coefficient);
  if (auto reason = against(p, node.dtype())) return *std::move(reason);
  return claim_of(p, node->operand(0), node, 0);
}

Match match_max(const Ref& node) {
  const auto windows = as_pooling(node->as<ReduceSpec>(), node->operand(0).shape());
  if (!windows) return Reason{ReasonCode::not_recognised, "a reduction over no windows"};
  if (!every_window_meets(node->as<ReduceSpec>(), node->operand(0).shape()))
    return Reason{ReasonCode::primitive_refused, "a window in padding alone, whose maximum is -inf"};
  const PoolingProblem p = problem_of(*windows, PoolingDirection::forward, true, 1);
  if (auto reason = against(p, node.dtype())) return *std::move(reason);
  PoolingProblem training = p;
  training.direction = PoolingDirection::training;
  const Made made = shared_primitive(training);
  const std::size_t bytes = made ? made.primitive->workspace_bytes() : 0;
  Claim claim = claim_of(p, node->operand(0), node, bytes);
  if (made) claim.extra = ResultType{u8, Shape{static_cast<std::int64_t>(bytes)}};
  return claim;
}

std::optional<Match> match_max_gradient(const Ref& node) {
  const auto gradient = as_max_gradient(*node.node());  // all that a gradient has to fulfil
  if (!gradient) return std::nullopt;
  const auto windows = as_pooling(gradient->max, gradient->x.shape());
  if (!windows) return std::nullopt;
  const PoolingProblem p = problem_of(*windows, PoolingDirection::backward, true, node->as<SumSpec>().coefficient);
  if (auto reason = against(p, node.dtype())) return *std::move(reason);
  const Ref forward = graph::reduce(gradient->max, gradient->x);
  const Match partner = match_max(forward);
  const auto* makes = std::get_if<Claim>(&partner);
  if (makes == nullptr || !makes->extra) return Reason{ReasonCode::partner_missing, "the pooling itself is not claimed"};
  Claim claim = claim_of(p, node->operand(0), node, static_cast<std::size_t>(makes->extra->shape[0]));
  claim.wants = {forward};
  return claim;
}

}  // namespace cotan::onednn
