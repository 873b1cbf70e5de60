// Products, moments, norms, running sums, positions of extremes and tests of all entries.
#include <fmt/format.h>

#include <cmath>

#include "graph/composites/bodies.h"
#include "graph/composites/requirements.h"
#include "graph/composites/scaling.h"
#include "ops/error.h"
#include "ops/scalar_forms.h"

namespace cotan {
namespace {

using namespace formula_language;

constexpr double infinity = std::numeric_limits<double>::infinity();

// The square root, with derivative 0 at 0: of squared distances.
Ex root_of(Ex x) { return where(eq(x, 0), typed(Ex(0), dtype_of(x)), sqrt(x)); }

// |x|^p, with derivative 0 at 0, whatever the slope there.
Ex power_of_size(Ex x, double p) { return where(eq(x, 0), typed(Ex(p > 0 ? 0 : infinity), dtype_of(x)), pow(where(x < 0, -x, x), p)); }

// x, or 0 for what is infinite or NaN.
Ex finite_or_zero(Ex x) { return where(is_finite(x), x, typed(Ex(0), dtype_of(x))); }

}  // namespace

namespace graph {
namespace {

Ref reshaped(const Ref& x, const Shape& shape) { return x.shape() == shape ? x : nested_reshape(x, {.shape = Sizes(shape.begin(), shape.end())}); }

void require_numbers(const Ref& x, std::string_view name) {
  if (x.dtype() == DType::boolean) fail(fmt::format("{} of bool", name), "Cast it to i32 first");
}

// What a reduction of x over dimensions comes to.
struct Reduced {
  std::vector<bool> dims;
  Shape shape;             // of the result
  std::int64_t count = 1;  // of the entries that each entry of the result is made of

  Reduced(const Ref& x, const Dims& dim, bool keepdim) : dims(dim.among(x.shape().rank())) {
    for (std::size_t d = 0; d < dims.size(); ++d) {
      if (dims[d]) count *= x.shape()[d];
      if (!dims[d] || keepdim) shape.push_back(dims[d] ? 1 : x.shape()[d]);
    }
  }
};

// The coordinate, along one dimension, of the entry that an argmax or argmin finds. The reduction keeps no dimension: coordinates lie along an axis of their
// own, which with all of eight dimensions would be a ninth.
Ref position_along(Reduction reduction, const Ref& x, std::int64_t dim, bool keepdim) {
  const auto along = static_cast<std::size_t>(resolve_dim(dim, x.shape().rank()));
  if (x.shape()[along] == 0)
    fail(fmt::format("no element to choose from in dimension {} of {}", along, x.shape().text()), "Reduce dimensions that are not empty");
  ReduceSpec spec{reduction, {}, 0, Access(x.shape().rank())};
  for (std::size_t d = 0; d < x.shape().rank(); ++d) {
    if (d == along) continue;
    spec.access[d] = index_of(spec.outputs++);
    spec.domain.push_back(x.shape()[d]);
  }
  spec.access[along] = index_of(spec.outputs);
  spec.domain.push_back(x.shape()[along]);
  return reshaped(reduce(spec, x), Reduced(x, resolve_dim(dim, x.shape().rank()), keepdim).shape);
}

// The same along `dim`, or among all entries.
Ref position(Reduction reduction, const Ref& x, const std::optional<std::int64_t>& dim, bool keepdim) {
  if (dim) return position_along(reduction, x, *dim, keepdim);
  Shape kept;
  for (std::size_t d = 0; keepdim && d < x.shape().rank(); ++d) kept.push_back(1);
  return reshaped(position_along(reduction, reshaped(x, {x.shape().elements()}), 0, false), kept);
}

// s[i] = x[i] * s[i - 1]: the recurrence starts with its second operand, which is x there and 0 afterwards.
Ref running_product(const Ref& x, int axis) {
  SumSpec first;
  first.domain.assign(x.shape().begin(), x.shape().end());
  for (std::size_t d = 0; d < x.shape().rank(); ++d) first.output.push_back(index_of(static_cast<int>(d)));
  first.factors = {first.output};
  first.guards = {{index_of(axis), 1}};
  const Ref factors[] = {x};
  return scan(x, sum(std::move(first), x.shape(), factors), axis, false);
}

Ref root(const Ref& x) {
  return formula({x}, [](std::span<const Ex> in) { return root_of(in[0]); });
}

struct Moments {
  Ref mean, variance;  // the mean with reduced dimensions kept
};

Moments moments(const Ref& x, const Dims& dim, double correction, bool keepdim, std::string_view name) {
  require_floating_operand(name, x);
  const Reduced r(x, dim, keepdim);
  const double divisor = static_cast<double>(r.count) - correction;
  if (r.shape.elements() > 0 && (r.count == 0 || !(divisor > 0)))
    fail(fmt::format("{} of {} entries with a correction of {}", name, r.count, correction),
         "There must be more entries than the correction, and at least one");
  // Centred twice: beside entries that are large and nearly equal, a mean that is rounded may be wrong by more than they differ. No derivative passes through
  // the first one, since nothing changes where it is moved a little.
  const Ref centre = mean(x, {.dim = dim, .keepdim = true}), d = sub(x, stop_gradient(centre));
  const Ref squares = sum(square(sub(d, mean(d, {.dim = dim, .keepdim = true}))), {.dim = dim, .keepdim = keepdim});
  return {centre, formula({squares}, [&](std::span<const Ex> in) { return in[0] / divisor; })};
}

Ref norm_of(const Ref& x, double p, const Dims& dim, bool keepdim, std::string_view name) {
  require_floating_operand(name, x);
  if (std::isnan(p)) fail(fmt::format("{} of order nan", name), "Orders are numbers, or infinite");
  const Reduced r(x, dim, keepdim);
  if (r.count == 0 && (p < 0 || p == infinity))
    fail(fmt::format("{} of order {} over no element of {}", name, p, x.shape().text()), "Only orders from 0 up have a value there");
  if (p == infinity) return amax(abs(x), {.dim = dim, .keepdim = keepdim});
  if (p == -infinity) return amin(abs(x), {.dim = dim, .keepdim = keepdim});
  const SumOptions over{.dim = dim, .keepdim = keepdim};
  if (p == 0) return sum(cast(ne(x, fill(0, x.dtype(), {})), x.dtype()), over);
  if (p == 1) return sum(abs(x), over);
  auto power = [](const Ref& of, double by) { return formula({of}, [&](std::span<const Ex> in) { return power_of_size(in[0], by); }); };
  const auto unscaled = [&](const Ref& y) { return p == 2 ? root(sum(square(y), over)) : power(sum(power(y, p), over), 1 / p); };
  if (r.count == 0 || p < 0) return unscaled(x);
  const Ref scale = scale_for_powers(x, p, dim);
  return mul(unscaled(div(x, scale)), reshaped(scale, r.shape));
}

// The extreme of the truth of all entries over dimensions; of no entries the one that is nothing's.
Ref extreme_of_truth(Reduction reduction, const Ref& x, const Dims& dim, bool keepdim) {
  const std::vector<bool> reduced = dim.among(x.shape().rank());
  ReduceSpec spec{reduction, {}, 0, Access(x.shape().rank())};
  const auto index = [&](std::int64_t size) {
    spec.domain.push_back(size);
    return index_of(static_cast<int>(spec.domain.size()) - 1);
  };
  for (std::size_t d = 0; d < reduced.size(); ++d) {
    if (!reduced[d])
      spec.access[d] = index(x.shape()[d]);
    else if (keepdim)
      static_cast<void>(index(1));
  }
  spec.outputs = static_cast<int>(spec.domain.size());
  for (std::size_t d = 0; d < reduced.size(); ++d)
    if (reduced[d]) spec.access[d] = index(x.shape()[d]);
  return reduce(spec, cast(x, DType::boolean));
}

}  // namespace

Ref scale_for_powers(const Ref& x, double p, const Dims& dim) {
  const double most = std::exp2((x.dtype() == DType::f64 ? 640 : 80) / std::max(p, 1.0));
  const Ref largest = amax(abs(x), {.dim = dim, .keepdim = true});
  return stop_gradient(formula({largest}, [&](std::span<const Ex> in) {
    const Ex size = in[0], ordinary = size >= 1 / most && size <= most;
    return cotan::where(ordinary || formula_language::eq(size, 0) || !is_finite(size), typed(Ex(1), dtype_of(size)), size);
  }));
}

std::vector<Ref> any_body(std::span<const Ref> operands, const AnyOptions& options) {
  return {extreme_of_truth(Reduction::max, operands[0], options.dim, options.keepdim)};
}

std::vector<Ref> all_body(std::span<const Ref> operands, const AllOptions& options) {
  return {extreme_of_truth(Reduction::min, operands[0], options.dim, options.keepdim)};
}

std::vector<Ref> argmax_body(std::span<const Ref> operands, const ArgmaxOptions& options) {
  return {position(Reduction::argmax, operands[0], options.dim, options.keepdim)};
}

std::vector<Ref> argmin_body(std::span<const Ref> operands, const ArgminOptions& options) {
  return {position(Reduction::argmin, operands[0], options.dim, options.keepdim)};
}

std::vector<Ref> max_with_indices_body(std::span<const Ref> operands, const MaxWithIndicesOptions& options) {
  return {max(operands[0], {.dim = options.dim, .keepdim = options.keepdim}), position_along(Reduction::argmax, operands[0], options.dim, options.keepdim)};
}

std::vector<Ref> min_with_indices_body(std::span<const Ref> operands, const MinWithIndicesOptions& options) {
  return {min(operands[0], {.dim = options.dim, .keepdim = options.keepdim}), position_along(Reduction::argmin, operands[0], options.dim, options.keepdim)};
}

std::vector<Ref> prod_body(std::span<const Ref> operands, const ProdOptions& options) {
  Ref x = operands[0];
  require_numbers(x, "prod");
  const Reduced r(x, options.dim, options.keepdim);
  if (r.count == 0) return {fill(1, x.dtype(), r.shape)};
  // The dimensions of more than one entry, as one that comes last.
  Sizes order;
  Shape flat;
  for (const bool chosen : {false, true})
    for (std::size_t d = 0; d < r.dims.size(); ++d) {
      if (r.dims[d] != chosen) continue;
      order.push_back(static_cast<std::int64_t>(d));
      if (!chosen) flat.push_back(x.shape()[d]);
    }
  flat.push_back(r.count);
  if (!std::is_sorted(order.begin(), order.end())) x = permute(x, {.dims = order});
  const auto axis = static_cast<int>(flat.rank()) - 1;
  return {reshaped(slice(running_product(reshaped(x, flat), axis), {.dim = axis, .start = r.count - 1}), r.shape)};
}

std::vector<Ref> cumsum_body(std::span<const Ref> operands, const CumsumOptions& options) {
  const Ref& x = operands[0];
  const auto axis = static_cast<int>(resolve_dim(options.dim, x.shape().rank()));
  require_numbers(x, "cumsum");
  return {scan(fill(1, x.dtype(), x.shape()), x, axis, false)};
}

std::vector<Ref> cumprod_body(std::span<const Ref> operands, const CumprodOptions& options) {
  const auto axis = static_cast<int>(resolve_dim(options.dim, operands[0].shape().rank()));
  require_numbers(operands[0], "cumprod");
  return {running_product(operands[0], axis)};
}

std::vector<Ref> logsumexp_body(std::span<const Ref> operands, const LogsumexpOptions& options) {
  const Ref& x = operands[0];
  require_floating_operand("logsumexp", x);
  const Reduced r(x, options.dim, options.keepdim);
  if (r.count == 0) return {fill(-infinity, x.dtype(), r.shape)};
  // The shift carries no gradient, since the result does not depend on it; an infinite one would make NaN of what is infinite.
  const Ref largest = max(x, {.dim = options.dim, .keepdim = true});
  const Ref shift = stop_gradient(formula({largest}, [](std::span<const Ex> in) { return finite_or_zero(in[0]); }));
  return {add(log(sum(exp(sub(x, shift)), {.dim = options.dim, .keepdim = options.keepdim})), reshaped(shift, r.shape))};
}

std::vector<Ref> var_body(std::span<const Ref> operands, const VarOptions& options) {
  return {moments(operands[0], options.dim, options.correction, options.keepdim, "var").variance};
}

std::vector<Ref> std_body(std::span<const Ref> operands, const StdOptions& options) {
  return {root(moments(operands[0], options.dim, options.correction, options.keepdim, "std").variance)};
}

std::vector<Ref> var_mean_body(std::span<const Ref> operands, const VarMeanOptions& options) {
  const Moments m = moments(operands[0], options.dim, options.correction, options.keepdim, "var_mean");
  return {m.variance, reshaped(m.mean, m.variance.shape())};
}

std::vector<Ref> norm_body(std::span<const Ref> operands, const NormOptions& options) {
  return {norm_of(operands[0], options.p, options.dim, options.keepdim, "norm")};
}

std::vector<Ref> vector_norm_body(std::span<const Ref> operands, const VectorNormOptions& options) {
  return {norm_of(operands[0], options.ord, options.dim, options.keepdim, "vector_norm")};
}

}  // namespace graph
}  // namespace cotan
