#include "graph/passes/composite_cost.h"

#include <algorithm>
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
    Figures{"softmax", {1500, 50, 2.0, 300, 0.33}, {0, 80, 2.5, 0, 0.2}},
    Figures{"softmax.vjp", {1500, 32, 0.55, 300, 0.33}, {0, 63, 1.3, 0, 0.2}},
    Figures{"layer_norm", {1500, 0, 0.66, 300, 0.33}, {0, 0, 2.6, 0, 0.2}},
    Figures{"layer_norm.vjp", {1500, 0, 2, 300, 0.33}, {0, 0, 11, 0, 0.2}},
};

// Below so many elements the work is one worker's: it is done before another has come.
constexpr double worth_a_worker = 1e4;

double rows_of(const CallSpec& spec, const Shape& shape) {
  const auto elements = static_cast<double>(shape.elements());
  if (spec.name.starts_with("batch_norm")) return static_cast<double>(shape[1]);
  if (const Attribute* dim = spec.attributes.find("dim")) return elements / static_cast<double>(shape[resolve_dim(std::get<std::int64_t>(*dim), shape.rank())]);
  const Attribute* sizes = spec.attributes.find("normalized_shape");
  double length = static_cast<double>(shape.back());
  if (sizes != nullptr)
    if (const auto& listed = std::get<std::vector<std::int64_t>>(*sizes); !listed.empty())
      length = static_cast<double>(std::accumulate(listed.begin(), listed.end(), std::int64_t{1}, std::multiplies<>()));
  return elements / length;
}

}  // namespace

CostTerms terms_of(const Node& call, int neighbours, int workers) {
  const Shape& shape = call.operand(0).shape();
  const auto elements = static_cast<double>(shape.elements());
  const double rows = rows_of(call.as<CallSpec>(), shape);
  const double share = elements < worth_a_worker ? 1 : std::max(std::min<double>(workers, rows), 1.0);
  return {1, rows / share, elements / share, static_cast<double>(neighbours), neighbours * elements / share};
}

std::optional<CompositeCost> composite_cost(const Node& call, int neighbours, int workers) {
  const auto* figures = std::ranges::find(known, call.as<CallSpec>().name, &Figures::name);
  if (figures == known.end()) return std::nullopt;
  const CostTerms terms = terms_of(call, neighbours, workers);
  const auto sum = [&](const CostTerms& constants) { return std::inner_product(terms.begin(), terms.end(), constants.begin(), 0.0); };
  return CompositeCost{sum(figures->primitive), sum(figures->inlined)};
}

}  // namespace cotan::passes
