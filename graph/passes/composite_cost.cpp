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
// In the order of CostTerm: call, rows, short rows, lines, elements, far, strided, neighbours' elements.
struct Figures {
  std::string_view name;
  CostTerms primitive, inlined;
};
constexpr std::array known = {
    Figures{"softmax", {1.55e+03, 23.5, 36.9, 0, 1.99, 0.086, 0, 0.755}, {1.74e+03, 29.7, 0, 0, 1.94, 0.103, 0, 0.306}},
    Figures{"softmax.vjp", {1.66e+03, 18, 9.46, 0, 0.635, 0.189, 0, 0.617}, {850, 8.54, 8.96, 0, 1.02, 0.528, 0, 0.333}},
    Figures{"layer_norm", {3.67e+03, 20.6, 0, 0, 0.688, 0.0141, 0, 0.623}, {2.11e+03, 26.2, 19.5, 0, 1.32, 0.173, 0, 0.282}},
    Figures{"layer_norm.vjp", {4.42e+03, 0.707, 23.6, 0, 1.74, 0, 0, 0.733}, {2.25e+03, 35.8, 55.6, 0, 2.55, 0.309, 0, 0.411}},
    Figures{"batch_norm_training", {2.32e+03, 3.87e+03, 0, 13.7, 2.81, 0.375, 1.68, 0.64}, {2.05e+03, 0, 0, 210, 0.545, 0.306, 1.05, 0.232}},
    Figures{"batch_norm_training.vjp", {1.45e+03, 5.56e+03, 0, 19.5, 3.24, 1.09, 1.43, 0.588}, {2.35e+03, 0, 0, 278, 0.5, 0.59, 1.4, 0.239}},
};

constexpr double worth_a_worker = 1e4;  // elements below which the work is one worker's: it is done before another has come
constexpr double far = 1 << 18;         // elements of a tensor that the second cache does not hold, with what else is read
constexpr double block = 16;            // channels of a batch norm that a primitive is called for

// What a call's terms depend on beside the number of elements.
struct Layout {
  double rows = 1, short_rows = 0, lines = 0;
  bool strided = false;
};

Layout of_rows(double rows, double length) { return {rows, length < 32 ? rows : 0, 0, false}; }

Layout layout_of(const CallSpec& spec, const Shape& shape) {
  const auto elements = static_cast<double>(shape.elements());
  if (spec.name.starts_with("batch_norm")) {
    const auto lines = static_cast<double>(shape[0] * shape[1]);
    return {std::ceil(static_cast<double>(shape[1]) / block), 0, lines < elements ? lines : 0, lines == elements};
  }
  double length = static_cast<double>(shape.back());
  if (const Attribute* dim = spec.attributes.find("dim")) {
    length = static_cast<double>(shape[static_cast<std::size_t>(resolve_dim(std::get<std::int64_t>(*dim), shape.rank()))]);
  } else if (const auto sizes = spec.attributes.get<std::vector<std::int64_t>>("normalized_shape"); !sizes.empty()) {
    length = static_cast<double>(Shape{std::span<const std::int64_t>(sizes)}.elements());
  }
  return of_rows(elements / length, length);
}

}  // namespace

CostTerms terms_of(const Node& call, int neighbours, int workers) {
  const Shape shape = call.operand(0).shape();
  const auto all = static_cast<double>(shape.elements());
  const Layout layout = layout_of(call.as<CallSpec>(), shape);
  const double share = all < worth_a_worker ? 1 : std::clamp(layout.rows, 1.0, static_cast<double>(std::max(workers, 1)));
  const double elements = all / share;
  return {1,        layout.rows / share,      layout.short_rows / share,     layout.lines / share,
          elements, all > far ? elements : 0, layout.strided ? elements : 0, neighbours * elements};
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
  // Where its bits must not depend on what else is computed, nor may the choice.
  cost = composite_cost(call, options.backends.reproducible ? 0 : neighbours, options.grid());
  return !cost || cost->primitive <= cost->inlined;
}

}  // namespace cotan::passes
