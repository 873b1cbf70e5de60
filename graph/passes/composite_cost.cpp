#include "graph/passes/composite_cost.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>

#include "ops/options.h"

namespace cotan::passes {
namespace {

struct Figures {
  std::string_view name;
  CostTerms primitive, inlined;
};
constexpr std::array known = {
    Figures{"softmax", {}, {}},        Figures{"softmax.vjp", {}, {}},         Figures{"layer_norm", {}, {}},
    Figures{"layer_norm.vjp", {}, {}}, Figures{"batch_norm_training", {}, {}}, Figures{"batch_norm_training.vjp", {}, {}},
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

}  // namespace cotan::passes
