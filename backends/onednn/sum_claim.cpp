// Claims of sums: which of them are worth a primitive, and which primitive is tried first.
#include <fmt/format.h>

#include "backends/onednn/claims.h"
#include "graph/builder.h"
#include "graph/views.h"

namespace cotan::onednn {
namespace {

// Multiply-adds below which a loop nest is done before the library has begun.
constexpr double worth_a_product = 2e3;
constexpr double worth_a_convolution = 3e3;
constexpr double worth_a_vector = 2e4;  // matrix times vector: every entry of the matrix is read once, so that loops are nearly as fast

double points_of(const SumSpec& spec) {
  double points = 1;
  for (std::int64_t size : spec.domain) points *= static_cast<double>(size);
  return points;
}

std::int64_t size_of_group(const std::vector<int>& group, const SumSpec& spec) {
  std::int64_t size = 1;
  for (int i : group) size *= spec.domain[static_cast<std::size_t>(i)];
  return size;
}

ReasonCode code_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::dtype: return ReasonCode::dtype;
    case Refusal::layout:
    case Refusal::malformed: return ReasonCode::layout;
    default: return ReasonCode::primitive_refused;
  }
}

}  // namespace

Attempt attempt_forms(const Forms& forms, const SumSpec& spec, const SumViews& views, const Tail& tail, const BackendOptions& options, int threads) {
  const std::array<Shape, 3> strides{views[0].strides, views[1].strides, views[2].strides};
  const bool sliding = !forms.convolutions.empty() && convolution_first(forms.convolutions[0], forms.matmul, spec, strides);
  Attempt first;
  bool tried = false;
  const auto keep = [&](Attempt attempt) {
    if (attempt.kernel || !tried) first = std::move(attempt);
    tried = true;
    return first.kernel != nullptr;
  };
  if (!sliding && forms.matmul && keep(attempt_matmul(*forms.matmul, spec, views, tail, options, threads))) return first;
  for (const ConvolutionForm& form : forms.convolutions)
    if (keep(attempt_convolution(form, spec, views, tail, threads))) return first;
  if (sliding && forms.matmul) keep(attempt_matmul(*forms.matmul, spec, views, tail, options, threads));
  return first;
}

Attempt declined(const Made& made) { return declined(code_of(made.refusal), made.reason); }

cotan::Made with_copies(std::span<const View> inputs, double work, const std::function<Attempt(std::span<const View>)>& attempt) {
  Attempt first = attempt(inputs);
  if (first.kernel) return {first.kernel, {}, -1, {first.parts}};
  const std::size_t sets = std::size_t{1} << inputs.size();
  for (std::size_t set = 1; set < sets; ++set) {
    std::vector<View> views(inputs.begin(), inputs.end());
    double copied = 0;
    int which = -1;
    bool needless = false;
    for (std::size_t i = inputs.size(); i-- > 0;) {
      if ((set >> i & 1) == 0) continue;
      needless |= views[i].is_dense();
      views[i] = View::dense(views[i].dtype, views[i].shape);
      copied += elements_of(views[i]);
      which = static_cast<int>(i);
    }
    if (needless || 4 * copied > work || !attempt(views).kernel) continue;
    return {nullptr, first.reason, which};
  }
  return {nullptr, first.reason, -1};
}

namespace {

// A product or a convolution that is worth a primitive.
struct Product {
  SumSpecRef spec;
  Forms forms;
  double points = 0;
};

std::variant<Product, Reason> product_of(const Ref& node) {
  const auto spec = node->shared<SumSpec>();
  const auto no = [](ReasonCode code, std::string detail) { return Reason{code, std::move(detail)}; };
  if (spec->factors.size() != 2 || node->operand_count != 2) return no(ReasonCode::not_recognised, std::string(name_of(recognise(*node.node()))));
  const TensorShapes shapes = tensor_shapes(*node.node());
  Product product{spec, {as_matmul(*spec, shapes), as_convolution(*spec, shapes)}, points_of(*spec)};
  const auto& [matmul, convolutions] = product.forms;
  if (!matmul && convolutions.empty()) return no(ReasonCode::not_recognised, std::string(name_of(recognise(*node.node()))));
  if (spec->coefficient != 1) return no(ReasonCode::not_recognised, fmt::format("scaled by {}", spec->coefficient));
  for (const Edge& e : node->operands())
    if (e.node->dtype_of(e.result) != f32)
      return no(ReasonCode::dtype, fmt::format("oneDNN is used for f32 only, not for {}", name_of(e.node->dtype_of(e.result))));

  const double points = product.points;
  const double least = matmul ? worth_a_product : worth_a_convolution;
  if (points < least) return no(ReasonCode::not_profitable, fmt::format("{} multiply-adds", points));
  if (matmul) {
    const bool row = size_of_group(matmul->m, *spec) == 1, column = size_of_group(matmul->n, *spec) == 1;
    if (row && column) return no(ReasonCode::not_profitable, "a dot product reads each entry once");
    if ((row || column) && points < worth_a_vector) return no(ReasonCode::not_profitable, fmt::format("{} multiply-adds with a vector", points));
  }
  return product;
}

// The claim on a product whose kernel also reads `others` and ends with the tail's steps.
Claim claim_of(const Ref& node, const Ref& result, Product product, std::span<const Ref> others, Tail tail, const BackendOptions& options) {
  Claim claim;
  claim.inputs = {node->operand(0), node->operand(1)};
  claim.inputs.insert(claim.inputs.end(), others.begin(), others.end());
  claim.results = {result};
  claim.compile = [product = std::move(product), tail = std::move(tail), options](std::span<const View> inputs, std::span<const View> outputs, int threads) {
    Tail here = tail;
    here.tensors.assign(inputs.begin() + 2, inputs.end());
    if (!here.empty() && !outputs[0].is_dense()) return cotan::Made{nullptr, {ReasonCode::layout, "a result that is not dense"}, -1};
    if (here.old && !inputs[*here.old].is_dense()) return cotan::Made{nullptr, {ReasonCode::layout, "the old value is not dense"}, -1};
    return with_copies(inputs.first(2), product.points, [&](std::span<const View> in) {
      return attempt_forms(product.forms, *product.spec, {outputs[0], in[0], in[1]}, here, options, threads);
    });
  };
  return claim;
}

}  // namespace

Match match_sum(const Ref& node, const BackendOptions& options) {
  if (auto match = match_average(node)) return *std::move(match);
  if (auto match = match_max_gradient(node)) return *std::move(match);
  if (auto match = match_reorder(node)) return *std::move(match);
  auto product = product_of(node);
  if (auto* why = std::get_if<Reason>(&product)) return std::move(*why);
  return claim_of(node, node, std::get<Product>(std::move(product)), {}, {}, options);
}

std::vector<Blocking> blockings_of(const Ref& node, const BackendOptions& options) {
  const auto product = product_of(node);
  const auto* p = std::get_if<Product>(&product);
  if (p == nullptr || p->forms.convolutions.empty()) return {};
  const TensorShapes shapes = tensor_shapes(*node.node());
  const std::array<Shape, 3> strides{dense_strides(shapes[0]), dense_strides(shapes[1]), dense_strides(shapes[2])};
  if (!convolution_first(p->forms.convolutions[0], p->forms.matmul, *p->spec, strides)) return {};
  std::vector<Blocking> blockings = convolution_blockings(p->forms.convolutions[0], *p->spec, shapes);
  if (blockings.empty()) return {};
  // Whether the convolution in blocks is found again, and takes them as they are, shows when it is made. The primitive is kept for the real thing.
  const auto spec = in_blocks(*p->spec, shapes, blockings);
  if (!spec) return {};
  std::vector<Ref> factors;
  for (std::size_t t = 1; t < shapes.size(); ++t)
    factors.push_back(graph::parameter(t == 1 ? "a" : "b", f32, blockings[t].empty() ? shapes[t] : shape_of(blockings[t])));
  const Ref blocked = graph::sum(*spec, blockings[0].empty() ? shapes[0] : shape_of(blockings[0]), factors);
  const TensorShapes in_blocks_of = tensor_shapes(*blocked.node());
  const Forms forms{std::nullopt, as_convolution(blocked->as<SumSpec>(), in_blocks_of)};
  const SumViews views{View::dense(f32, in_blocks_of[0]), View::dense(f32, in_blocks_of[1]), View::dense(f32, in_blocks_of[2])};
  return attempt_forms(forms, blocked->as<SumSpec>(), views, {}, options, 1).kernel ? blockings : std::vector<Blocking>();
}

Match match_sum_with(const Ref& node, const Epilogue& epilogue, const BackendOptions& options) {
  auto product = product_of(node);
  if (auto* why = std::get_if<Reason>(&product)) return std::move(*why);
  if (epilogue.formula->dtype() != f32) return Reason{ReasonCode::dtype, fmt::format("a result of {}", name_of(epilogue.formula->dtype()))};
  auto matched = steps_of(*epilogue.formula, options);
  if (auto* why = std::get_if<Reason>(&matched)) return std::move(*why);
  Tail tail;
  std::vector<Ref> others(epilogue.operands.begin(), epilogue.operands.end());
  auto& steps = std::get<Steps>(matched);
  const bool updates = epilogue.updates > 0;
  if (updates) {
    // factor * (a * b) + old: every part of the product may add to the old value by itself.
    if (steps.rest && options.reproducible)
      return Reason{ReasonCode::not_reproducible, fmt::format("{} is rounded in another way than by a loop", steps.names[steps.ops.size()])};
    if (steps.rest) return Reason{ReasonCode::not_recognised, fmt::format("{} in an update", steps.names[steps.ops.size()])};
    for (TailStep& step : steps.ops) {
      const bool last = &step == &steps.ops.back();
      if (last && step.op.kind == PostOpKind::add && step.operand == epilogue.updates)
        step.op.kind = PostOpKind::accumulate;
      else if (last || (step.op.kind != PostOpKind::mul && !(step.op.kind == PostOpKind::linear && step.op.beta == 0)) || step.operand == epilogue.updates)
        return Reason{ReasonCode::not_recognised, fmt::format("{} in an update", name_of(step.op.kind))};
    }
    tail.old = static_cast<std::size_t>(epilogue.updates) + 1;
    const Ref old = source_of(epilogue.operands[static_cast<std::size_t>(epilogue.updates) - 1]);
    for (const Edge& e : node->operands())
      if (source_of(Ref(e)) == old) return Reason{ReasonCode::operand_in_use, "the product reads the old value"};
  }
  for (const TailStep& step : steps.ops) {
    if (options.reproducible && !rounded_as_in_loops(step.op.kind))
      return Reason{ReasonCode::not_reproducible, fmt::format("{} is rounded in another way than by a loop", name_of(step.op.kind))};
    tail.ops.push_back(step.op);
    if (reads_tensor(step.op.kind)) tail.reads.push_back(static_cast<std::size_t>(step.operand) + 1);
  }
  tail.rest = steps.rest;
  tail.instructions = options.target.instructions;
  for (int operand : steps.rest_operands) tail.rest_reads.push_back(static_cast<std::size_t>(operand) + 1);
  tail.names = steps.names;
  if (updates) tail.names.back() = name_of(PostOpKind::accumulate);
  Claim claim = claim_of(node, epilogue.result, std::get<Product>(std::move(product)), others, std::move(tail), options);
  claim.in_place = updates;
  return claim;
}

}  // namespace cotan::onednn
