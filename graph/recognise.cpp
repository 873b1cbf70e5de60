#include "graph/recognise.h"

#include <fmt/format.h>

#include "graph/recognise_tensor.h"

namespace cotan {
namespace {

std::array<Shape, 3> dense_strides_of(const TensorShapes& shapes) { return {dense_strides(shapes[0]), dense_strides(shapes[1]), dense_strides(shapes[2])}; }

// No entry of the output is met twice: the indices that it uses are determined by it.
bool writes_once(const TensorUse& output, const Domain& domain) {
  std::vector<bool> absent = output.uses;
  absent.flip();
  return is_injective(output.access, domain, absent);
}

SumForm with_tables(const std::vector<TensorUse>& t, const SumSpec& spec) {
  if (!spec.guards.empty()) return GenericForm{"entries of tables, under a guard"};
  if (!t[0].affine && std::any_of(t.begin() + 1, t.end(), [](const TensorUse& use) { return !use.affine; }))
    return GenericForm{"entries of tables on both sides"};
  if (t[0].affine) return GatherForm{};
  return ScatterForm{};
}

SumForm without_factor(const SumSpec& spec, bool reduces, bool covers) {
  if (spec.guards.empty() && !reduces && covers) return FillForm{};
  return MaskForm{};
}

SumForm of_one_factor(const TensorUse& output, const TensorUse& factor, const SumSpec& spec, const std::vector<int>& reduced, bool covers) {
  const Domain& domain = spec.domain;
  const bool once = writes_once(output, domain), in = factor.viewable(domain), out = output.viewable(domain);
  const auto windowed = [&](const TensorUse& use) {
    return std::any_of(use.access.begin(), use.access.end(), [&](const IndexExpr& e) { return !is_radix(e, domain); });
  };
  if (!spec.guards.empty()) return once && reduced.empty() ? SumForm(PlacedCopyForm{}) : SumForm(GenericForm{"a guarded reduction"});
  if (reduced.empty()) {
    if (covers && in) {
      bool repeats = false;
      for (std::size_t i = 0; i < domain.size(); ++i) repeats |= output.uses[i] && !factor.uses[i];
      return ViewForm{repeats};
    }
    if (once) return PlacedCopyForm{};
    return in ? SumForm(PoolingForm{true}) : SumForm(GenericForm{"overlapping entries of the output, clipped"});
  }
  if (!once) return in ? SumForm(PoolingForm{true}) : SumForm(GenericForm{"a reduction onto overlapping entries"});
  if (in && out && !windowed(factor)) return ReductionForm{reduced};
  // Windows overlap, or meet the border; any other clipped read is no pooling.
  for (std::size_t d = 0; d < factor.access.size(); ++d) {
    const IndexExpr& e = factor.access[d];
    const bool clips = !in_range(e, factor.shape[d], domain);
    if (clips && e.terms.size() != 2) return GenericForm{"a clipped reduction"};
  }
  return PoolingForm{false};
}

SumForm of_two_factors(const SumSpec& spec, const TensorShapes& shapes, bool reduces) {
  const std::optional<MatmulForm> matmul = as_matmul(spec, shapes);
  std::vector<ConvolutionForm> convolutions = as_convolution(spec, shapes);
  if (!convolutions.empty() && (reduces || !matmul) && convolution_first(convolutions[0], matmul, spec, dense_strides_of(shapes))) return convolutions[0];
  if (matmul) return *matmul;
  if (!spec.guards.empty()) return GenericForm{"a product under a guard"};
  return GenericForm{"a product whose accesses clip, repeat an index or overlap, or that has an index in one tensor only"};
}

struct NameOf {
  std::string_view operator()(const MatmulForm&) const { return "matmul"; }
  std::string_view operator()(const ConvolutionForm& form) const {
    switch (form.output) {
      case ConvolutionOutput::result: return "convolution";
      case ConvolutionOutput::source: return "backward-data convolution";
      case ConvolutionOutput::weights: return "backward-weights convolution";
    }
    __builtin_unreachable();
  }
  std::string_view operator()(const FillForm&) const { return "fill"; }
  std::string_view operator()(const MaskForm&) const { return "mask"; }
  std::string_view operator()(const ViewForm& form) const { return form.repeats ? "broadcast" : "strided view"; }
  std::string_view operator()(const PlacedCopyForm&) const { return "placed copy"; }
  std::string_view operator()(const ReductionForm&) const { return "reduction"; }
  std::string_view operator()(const PoolingForm& form) const { return form.gradient ? "pooling gradient" : "pooling"; }
  std::string_view operator()(const GatherForm&) const { return "gather"; }
  std::string_view operator()(const ScatterForm&) const { return "scatter"; }
  std::string_view operator()(const ProductForm&) const { return "product"; }
  std::string_view operator()(const GenericForm&) const { return "generic"; }
};

}  // namespace

std::string_view name_of(const SumForm& form) { return std::visit(NameOf{}, form); }

TensorShapes tensor_shapes(const Node& sum) {
  TensorShapes shapes{sum.shape};
  for (std::size_t k = 0; k < sum.as<SumSpec>().factors.size(); ++k) shapes.push_back(sum.operands()[k].node->shape_of(sum.operands()[k].result));
  return shapes;
}

SumForm recognise(const SumSpec& spec, const TensorShapes& shapes) {
  const std::vector<TensorUse> t = tensor_uses(spec, shapes);
  if (!has_points(spec.domain)) return GenericForm{"an empty domain"};
  if (std::any_of(t.begin(), t.end(), [](const TensorUse& use) { return !use.affine; })) return with_tables(t, spec);
  std::vector<int> reduced;
  for (int i = 0; i < static_cast<int>(spec.domain.size()); ++i)
    if (!t[0].has(i)) reduced.push_back(i);
  const bool covers = t[0].viewable(spec.domain) && writes_once(t[0], spec.domain) && t[0].covered(spec.domain);

  if (spec.factors.empty()) return without_factor(spec, !reduced.empty(), covers);
  if (spec.factors.size() == 1) return of_one_factor(t[0], t[1], spec, reduced, covers);
  const bool plain = spec.guards.empty() && std::all_of(t.begin(), t.end(), [&](const TensorUse& use) { return use.viewable(spec.domain); });
  if (reduced.empty() && covers && plain) return ProductForm{};
  if (spec.factors.size() == 2) return of_two_factors(spec, shapes, !reduced.empty());
  return GenericForm{fmt::format("{} factors", spec.factors.size())};
}

SumForm recognise(const Node& sum) { return recognise(sum.as<SumSpec>(), tensor_shapes(sum)); }

}  // namespace cotan
