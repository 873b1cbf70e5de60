// Claims of sums: which of them are worth a primitive, and which primitive is tried first.
#include <fmt/format.h>

#include "backends/onednn/claims.h"

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

Attempt attempt_forms(const Forms& forms, const SumSpec& spec, const SumViews& views, const BackendOptions& options, int threads) {
  const std::array<Shape, 3> strides{views[0].strides, views[1].strides, views[2].strides};
  const bool sliding = !forms.convolutions.empty() && convolution_first(forms.convolutions[0], forms.matmul, spec, strides);
  Attempt first;
  bool tried = false;
  const auto keep = [&](Attempt attempt) {
    if (attempt.kernel || !tried) first = std::move(attempt);
    tried = true;
    return first.kernel != nullptr;
  };
  if (!sliding && forms.matmul && keep(attempt_matmul(*forms.matmul, spec, views, threads))) return first;
  for (const ConvolutionForm& form : forms.convolutions)
    if (keep(attempt_convolution(form, spec, views, options, threads))) return first;
  if (sliding && forms.matmul) keep(attempt_matmul(*forms.matmul, spec, views, threads));
  return first;
}

Attempt declined(const Made& made) { return declined(code_of(made.refusal), made.reason); }

cotan::Made with_copies(std::span<const View> inputs, double work, const std::function<Attempt(std::span<const View>)>& attempt) {
  Attempt first = attempt(inputs);
  if (first.kernel) return {first.kernel, {}, -1};
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

Match match_sum(const Ref& node, const BackendOptions& options) {
  const auto spec = node->shared<SumSpec>();
  if (auto match = match_average(node, options)) return *std::move(match);
  if (auto match = match_max_gradient(node, options)) return *std::move(match);
  const auto no = [](ReasonCode code, std::string detail) { return Match(Reason{code, std::move(detail)}); };
  if (spec->factors.size() != 2 || node->operand_count != 2) return no(ReasonCode::not_recognised, std::string(name_of(recognise(*node.node()))));
  const TensorShapes shapes = tensor_shapes(*node.node());
  Forms forms{as_matmul(*spec, shapes), as_convolution(*spec, shapes)};
  if (!forms.matmul && forms.convolutions.empty()) return no(ReasonCode::not_recognised, std::string(name_of(recognise(*node.node()))));
  if (spec->coefficient != 1) return no(ReasonCode::not_recognised, fmt::format("scaled by {}", spec->coefficient));
  for (const Edge& e : node->operands())
    if (e.node->dtype_of(e.result) != f32)
      return no(ReasonCode::dtype, fmt::format("oneDNN is used for f32 only, not for {}", name_of(e.node->dtype_of(e.result))));

  const double points = points_of(*spec);
  const double least = forms.matmul ? worth_a_product : worth_a_convolution;
  if (points < least) return no(ReasonCode::not_profitable, fmt::format("{} multiply-adds", points));
  if (forms.matmul) {
    const bool row = size_of_group(forms.matmul->m, *spec) == 1, column = size_of_group(forms.matmul->n, *spec) == 1;
    if (row && column) return no(ReasonCode::not_profitable, "a dot product reads each entry once");
    if ((row || column) && points < worth_a_vector) return no(ReasonCode::not_profitable, fmt::format("{} multiply-adds with a vector", points));
  }

  Claim claim;
  claim.inputs = {node->operand(0), node->operand(1)};
  claim.results = {node};
  claim.compile = [spec, forms = std::move(forms), options, points](std::span<const View> inputs, std::span<const View> outputs, int threads) {
    return with_copies(inputs, points, [&](std::span<const View> in) { return attempt_forms(forms, *spec, {outputs[0], in[0], in[1]}, options, threads); });
  };
  return claim;
}

}  // namespace cotan::onednn
