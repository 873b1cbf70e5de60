// Claims of softmax and of its gradient.
#include <fmt/format.h>

#include "backends/onednn/call_list.h"
#include "backends/onednn/claims.h"
#include "backends/onednn/primitive_cache.h"
#include "backends/onednn/tiles.h"
#include "ops/options.h"

namespace cotan::onednn {
namespace {

// A softmax over a dense tensor: `rows` outer entries, the axis, `inner` entries behind it.
struct Rows {
  std::int64_t rows = 1, axis = 1, inner = 1;

  Rows(const Shape& shape, std::size_t dim) : axis(shape[dim]) {
    for (std::size_t d = 0; d < dim; ++d) rows *= shape[d];
    for (std::size_t d = dim + 1; d < shape.rank(); ++d) inner *= shape[d];
  }
  [[nodiscard]] double elements() const { return static_cast<double>(rows) * static_cast<double>(axis * inner); }
  [[nodiscard]] SoftmaxProblem problem(SoftmaxDirection direction, std::int64_t some_rows) const {
    SoftmaxProblem p;
    p.direction = direction;
    p.shape = inner == 1 ? Shape{some_rows, axis} : Shape{some_rows, axis, inner};
    p.axis = 1;
    p.x_strides = p.y_strides = dense_strides(p.shape);
    return p;
  }
};

// A pass over an element costs about ten multiply-adds.
constexpr double work_of_an_element = 10;

Attempt compile_rows(const Rows& rows, SoftmaxDirection direction, int threads) {
  const bool forward = direction == SoftmaxDirection::forward;
  const std::size_t inputs = forward ? 1 : 2;
  const Cut tiles = threads > 1 && rows.elements() * work_of_an_element >= worth_a_tile ? cut(rows.rows, threads) : Cut{rows.rows, rows.rows};
  std::vector<std::size_t> order(inputs);
  for (std::size_t i = 0; i < inputs; ++i) order[i] = i;
  auto kernel = std::make_shared<CallList>();
  for (std::int64_t i = 0; i < tiles.parts(); ++i) {
    const Part part = tiles.part(i);
    const Made made = shared_primitive(rows.problem(direction, part.size));
    if (!made) return declined(made);
    const std::int64_t at = part.first * rows.axis * rows.inner;
    kernel->add_call(kernel->add_primitive(made.primitive, order, {inputs}), std::vector<std::int64_t>(inputs + 1, at));
    kernel->end_chunk();
  }
  const std::string sizes = rows.inner == 1 ? fmt::format("{}x{}", rows.rows, rows.axis) : fmt::format("{}x{}x{}", rows.rows, rows.axis, rows.inner);
  kernel->describe(fmt::format("softmax{} {}", forward ? "" : " backward", sizes), 4 * rows.elements(), 4 * static_cast<double>(inputs + 1) * rows.elements());
  return {kernel, {}};
}

// The whole in one chunk was tried when the call was matched, so this always gives a kernel, or the input to copy.
cotan::Made compile_softmax(const Rows& rows, SoftmaxDirection direction, std::span<const View> inputs, int threads) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].is_dense()) return {nullptr, {ReasonCode::layout, "softmax works on dense rows"}, static_cast<int>(i)};
  Attempt attempt = compile_rows(rows, direction, threads);
  if (!attempt.kernel && threads > 1) attempt = compile_rows(rows, direction, 1);
  return {attempt.kernel, attempt.reason, -1};
}

bool only_first(const Attributes& attributes, std::string_view name) { return attributes.get<std::vector<std::int64_t>>(name) == std::vector<std::int64_t>{0}; }

}  // namespace

Match match_softmax(const Ref& node) {
  const auto& call = node->as<CallSpec>();
  const bool forward = call.name == "softmax", backward = call.name == "softmax.vjp";
  if (!forward && !backward) return Reason{ReasonCode::not_recognised, call.name};
  if (backward && !(only_first(call.attributes, "wrt") && only_first(call.attributes, "cotangents"))) return Reason{ReasonCode::not_recognised, call.name};
  if (node.dtype() != f32) return Reason{ReasonCode::dtype, fmt::format("oneDNN is used for f32 only, not for {}", name_of(node.dtype()))};
  const Shape shape = node.shape();
  const Rows rows(shape, static_cast<std::size_t>(resolve_dim(call.attributes.get<std::int64_t>("dim"), shape.rank())));
  const SoftmaxDirection direction = forward ? SoftmaxDirection::forward : SoftmaxDirection::backward;
  const Made whole = shared_primitive(rows.problem(direction, rows.rows));
  if (!whole) return declined(whole).reason;

  Claim claim;
  // Of the gradient's operands (x, y, cotangent), the primitive reads y and the cotangent.
  claim.inputs = forward ? std::vector{node->operand(0)} : std::vector{node->operand(1), node->operand(2)};
  claim.results = {node};
  claim.in_place = true;
  claim.compile = [rows, direction](std::span<const View> inputs, std::span<const View>, int threads) {
    return compile_softmax(rows, direction, inputs, threads);
  };
  return claim;
}

}  // namespace cotan::onednn
