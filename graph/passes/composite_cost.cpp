#include "graph/passes/composite_cost.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>

#include "ops/options.h"

namespace cotan::passes {
namespace {

// Measured by bench/composites.cpp, which prints these rows: `composites all 0 constants`. AVX-512, one worker and two; cycles for each of a call's terms.
// Of the order of CostTerm: call, rows, lines, elements, far, strided, neighbours' elements.
struct Figures {
  std::string_view name;
  CostTerms primitive, inlined;
};
constexpr std::array known = {
    Figures{"softmax", {2.5e+03, 10, 0, 2.81, 0.21, 0, 0.348}, {4.34e+03, 3.3, 0, 3.26, 0.132, 0, 0.567}},
    Figures{"softmax.vjp", {2.2e+03, 6.82, 0, 0.701, 0.192, 0.488, 0.597}, {995, 5.12, 0, 1.5, 0.532, 0, 0.337}},
    Figures{"layer_norm", {3.56e+03, 21, 0, 0.789, 0.106, 0, 0.715}, {1.89e+03, 37.2, 0, 1.55, 0.566, 0, 0.448}},
    Figures{"layer_norm.vjp", {4.31e+03, 20.2, 0, 1.75, 0.255, 0, 0.689}, {1.86e+03, 66.7, 0, 3.09, 1.59, 0, 0.466}},
    Figures{"batch_norm_training", {2.28e+03, 3.91e+03, 23.1, 2.64, 0.956, 2.03, 0.724}, {1.87e+03, 0, 220, 1.01, 0.585, 0.799, 0.432}},
    Figures{"batch_norm_training.vjp", {928, 6.13e+03, 22.5, 3.3, 1.5, 1.65, 0.679}, {2.38e+03, 0, 321, 1.2, 1.22, 1.17, 0.402}},
};

constexpr double worth_a_worker = 1e4;  // elements below which the work is one worker's: it is done before another has come
constexpr double far = 1 << 18;         // elements of a tensor that the second cache does not hold, with what else is read
constexpr double block = 16;            // channels of a batch norm that a primitive is called for

struct Layout {
  double rows = 1, lines = 0;
  bool strided = false;
};

Layout layout_of(const CallSpec& spec, const Shape& shape) {
  const auto elements = static_cast<double>(shape.elements());
  if (spec.name.starts_with("batch_norm")) {
    const double lines = static_cast<double>(shape[0] * shape[1]);
    return {std::ceil(static_cast<double>(shape[1]) / block), lines < elements ? lines : 0, lines == elements};
  }
  if (spec.name.starts_with("softmax")) {
    const std::size_t dim = static_cast<std::size_t>(resolve_dim(spec.attributes.get<std::int64_t>("dim"), shape.rank()));
    return {elements / static_cast<double>(shape[dim]), 0, dim + 1 < shape.rank()};
  }
  const auto sizes = spec.attributes.get<std::vector<std::int64_t>>("normalized_shape");
  const Shape normalised{std::span<const std::int64_t>(sizes)};
  return {elements / static_cast<double>(sizes.empty() ? shape.back() : normalised.elements()), 0, false};
}

}  // namespace

CostTerms terms_of(const Node& call, int neighbours, int workers) {
  const Shape shape = call.operand(0).shape();
  const auto all = static_cast<double>(shape.elements());
  const Layout layout = layout_of(call.as<CallSpec>(), shape);
  const double share = all < worth_a_worker ? 1 : std::clamp(layout.rows, 1.0, static_cast<double>(std::max(workers, 1)));
  const double elements = all / share;
  return {1, layout.rows / share, layout.lines / share, elements, all > far ? elements : 0, layout.strided ? elements : 0, neighbours * elements};
}

std::optional<CompositeCost> composite_cost(const Node& call, int neighbours, int workers) {
  const auto* figures = std::ranges::find(known, call.as<CallSpec>().name, &Figures::name);
  if (figures == known.end()) return std::nullopt;
  const CostTerms terms = terms_of(call, neighbours, workers);
  const auto sum = [&](const CostTerms& constants) { return std::inner_product(terms.begin(), terms.end(), constants.begin(), 0.0); };
  return CompositeCost{sum(figures->primitive), sum(figures->inlined)};
}

bool by_primitive(const Node& call, int neighbours, const CompileOptions& options, std::optional<CompositeCost>& cost) {
  if (const auto all_inlined = options.passes.said("inline_calls")) return !*all_inlined;
  cost = composite_cost(call, neighbours, options.grid());
  return !cost || cost->primitive <= cost->inlined;
}

}  // namespace cotan::passes
