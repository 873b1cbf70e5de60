// Losses that compare entry by entry, and the cosine between vectors.
#include "graph/composites/losses.h"

#include <fmt/format.h>

#include "graph/composites/bodies.h"
#include "graph/composites/scaling.h"
#include "ops/error.h"
#include "ops/scalar_forms.h"

namespace cotan::graph {

void require_reduction(const std::string& reduction) { require_choice("reduction", reduction, {"mean", "sum", "none"}); }

void require_alike(const Ref& x, const Ref& other, std::string_view what) {
  require_shape(other, what, x.shape(), "A loss broadcasts nothing: give both one shape");
  if (other.dtype() != x.dtype())
    fail(fmt::format("{} of type {} for one of type {}", what, name_of(other.dtype()), name_of(x.dtype())), casts_to_write(x.dtype(), other.dtype()));
}

Ref reduced(const Ref& losses, const std::string& reduction) {
  require_reduction(reduction);
  return reduction == "none" ? losses : reduction == "sum" ? sum(losses) : mean(losses);
}

namespace {

using namespace formula_language;

void require_pair(const Ref& x, const Ref& target) {
  require_floating(x, "x");
  require_alike(x, target, "a target");
}

// The loss of x and target, element by element.
Ref of_pair(std::span<const Ref> operands, const std::function<Ex(Ex, Ex)>& loss) {
  require_pair(operands[0], operands[1]);
  return formula({operands[0], operands[1]}, [&](std::span<const Ex> in) { return loss(in[0], in[1]); });
}

Ref weighted(const Ref& losses, const Ref& weight) {
  if (!weight) return losses;
  require_broadcasts(weight, "a weight", losses.shape(), "x");
  return mul(losses, weight);
}

}  // namespace

std::vector<Ref> mse_loss_body(std::span<const Ref> operands, const MseLossOptions& options) {
  return {reduced(of_pair(operands, [](Ex x, Ex t) { return (x - t) * (x - t); }), options.reduction)};
}

std::vector<Ref> l1_loss_body(std::span<const Ref> operands, const L1LossOptions& options) {
  return {reduced(of_pair(operands, [](Ex x, Ex t) { return abs_of(x - t); }), options.reduction)};
}

std::vector<Ref> smooth_l1_loss_body(std::span<const Ref> operands, const SmoothL1LossOptions& options) {
  const double beta = options.beta;
  if (!(beta >= 0)) fail(fmt::format("beta {}", beta), "Give the size of the smooth part, at least 0");
  return {reduced(of_pair(operands,
                          [&](Ex x, Ex t) {
                            const Ex d = x - t;
                            if (beta == 0) return abs_of(d);
                            return cotan::where(d >= beta, d - 0.5 * beta, cotan::where(d <= -beta, -d - 0.5 * beta, 0.5 / beta * (d * d)));
                          }),
                  options.reduction)};
}

std::vector<Ref> huber_loss_body(std::span<const Ref> operands, const HuberLossOptions& options) {
  const double delta = options.delta;
  if (!(delta > 0)) fail(fmt::format("delta {}", delta), "Give the size of the quadratic part, above 0");
  return {reduced(of_pair(operands,
                          [&](Ex x, Ex t) {
                            const Ex d = x - t;
                            return cotan::where(d > delta, delta * (d - 0.5 * delta), cotan::where(d < -delta, delta * (-d - 0.5 * delta), 0.5 * (d * d)));
                          }),
                  options.reduction)};
}

std::vector<Ref> binary_cross_entropy_body(std::span<const Ref> operands, const BinaryCrossEntropyOptions& options) {
  const Ref losses = of_pair(operands, [](Ex x, Ex t) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    return -(t * clip_of(formula_language::log(x), -100, inf) + (1 - t) * clip_of(formula_language::log1p(-x), -100, inf));
  });
  return {reduced(weighted(losses, operands[2]), options.reduction)};
}

std::vector<Ref> binary_cross_entropy_with_logits_body(std::span<const Ref> operands, const BinaryCrossEntropyWithLogitsOptions& options) {
  const Ref &x = operands[0], &target = operands[1], &weight = operands[2], &pos_weight = operands[3];
  require_pair(x, target);
  if (pos_weight) require_broadcasts(pos_weight, "a pos_weight", x.shape(), "x");
  // For targets from 0 to 1 both terms are positive, so nothing cancels. The sign of x decides which of them needs the logarithm alone.
  auto loss = [](Ex x, Ex positive, Ex negative) {
    const Ex above = formula_language::log1p(formula_language::exp(-x)), below = formula_language::log1p(formula_language::exp(x));
    return cotan::where(x >= 0, positive * above + negative * (x + above), positive * (below - x) + negative * below);
  };
  const Ref losses = pos_weight ? formula({x, target, pos_weight}, [&](std::span<const Ex> in) { return loss(in[0], in[2] * in[1], 1 - in[1]); })
                                : formula({x, target}, [&](std::span<const Ex> in) { return loss(in[0], in[1], 1 - in[1]); });
  return {reduced(weighted(losses, weight), options.reduction)};
}

std::vector<Ref> kl_div_body(std::span<const Ref> operands, const KlDivOptions& options) {
  require_choice("reduction", options.reduction, {"mean", "sum", "none", "batchmean"});
  const Ref losses = of_pair(operands, [&](Ex x, Ex t) {
    if (options.log_target) return formula_language::exp(t) * (t - x);
    return cotan::where(formula_language::eq(t, 0), 0, t * (formula_language::log(t) - x));
  });
  if (options.reduction != "batchmean") return {reduced(losses, options.reduction)};
  if (losses.shape().rank() == 0) fail("batchmean of x of shape ()", "The first dimension counts the rows");
  if (losses.shape()[0] == 0) fail("a mean over no rows", "Skip empty batches");
  const double rows = static_cast<double>(losses.shape()[0]);
  return {formula({sum(losses)}, [&](std::span<const Ex> in) { return in[0] / rows; })};
}

std::vector<Ref> cosine_similarity_body(std::span<const Ref> operands, const CosineSimilarityOptions& options) {
  const Ref &x1 = operands[0], &x2 = operands[1];
  require_floating(x1, "x1");
  require_floating(x2, "x2");
  if (!(options.eps > 0)) fail(fmt::format("eps {}", options.eps), "Give the least norm to divide by, above 0");
  const Shape shape = broadcast_shapes(x1.shape(), x2.shape());
  Ref a = broadcast(x1, shape), b = broadcast(x2, shape);
  auto along = [&](const Ref& x) { return sum(x, {.dim = options.dim}); };
  // Both are divided by scales of their own, and so are the least norms.
  const auto scaled = [&](Ref& x) {
    if (shape[static_cast<std::size_t>(resolve_dim(options.dim, shape.rank()))] == 0) return fill(options.eps, x.dtype(), along(x).shape());
    const Ref scale = scale_for_powers(x, 2, options.dim);
    x = div(x, scale);
    const Shape rows = along(x).shape();
    return formula({nested_reshape(scale, {.shape = Sizes(rows.begin(), rows.end())})}, [&](std::span<const Ex> in) { return options.eps / in[0]; });
  };
  const Ref least_a = scaled(a), least_b = scaled(b);
  auto norm = [](Ex squares, Ex least) {
    const Ex length = formula_language::sqrt(squares);
    return cotan::where(length <= least, least, length);
  };
  return {formula({along(mul(a, b)), along(square(a)), along(square(b)), least_a, least_b},
                  [&](std::span<const Ex> in) { return in[0] / (norm(in[1], in[3]) * norm(in[2], in[4])); })};
}

}  // namespace cotan::graph
