// Losses on the scores of classes: cross entropy with class indices or probabilities, and the negative log-likelihood.
#include <fmt/format.h>

#include "graph/composites/bodies.h"
#include "graph/composites/losses.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

// The dimension of the classes: the only one, or the second.
std::size_t class_dim(const Ref& scores, std::string_view what) {
  require_floating(scores, what);
  if (scores.shape().rank() == 0) fail(fmt::format("{} of shape ()", what), "Scores are (classes), (rows, classes) or (rows, classes, ...)");
  const std::size_t classes = scores.shape().rank() == 1 ? 0 : 1;
  if (scores.shape()[classes] == 0) fail(fmt::format("{} of no classes, {}", what, scores.shape().text()), "Give at least one");
  return classes;
}

Shape without(Shape shape, std::size_t dim) {
  shape.erase(dim);
  return shape;
}

// The scores with the dimension of the classes moved to the end.
Ref classes_last(const Ref& scores, std::size_t classes) {
  if (classes + 1 == scores.shape().rank()) return scores;
  Sizes dims;
  for (std::size_t d = 0; d < scores.shape().rank(); ++d)
    if (d != classes) dims.push_back(static_cast<std::int64_t>(d));
  dims.push_back(static_cast<std::int64_t>(classes));
  return permute(scores, {.dims = dims});
}

void require_weight(const Ref& weight, std::int64_t classes) {
  if (weight) require_shape(weight, "a weight", {classes}, "Give one weight for each class");
}

void require_rows(const Shape& rows, const std::string& reduction) {
  if (reduction == "mean" && rows.elements() == 0) fail("a mean over no rows", "Skip empty batches");
}

void require_smoothing(double label_smoothing) {
  if (!(label_smoothing >= 0 && label_smoothing <= 1)) fail(fmt::format("label_smoothing {}", label_smoothing), "Give a part between 0 and 1");
}

// Class indices, and which of them count.
struct Target {
  Ref given;  // as the user gave them
  Ref index;  // those that count, 0 in place of the ignored ones
  double ignored = 0;
  bool ignores = false;  // whether the type can hold the ignored index at all

  Target(const Ref& target, std::int64_t ignore_index) : given(target), index(target), ignored(static_cast<double>(ignore_index)) {
    constexpr std::int64_t most = std::int64_t{1} << 53;
    if (ignore_index > most || ignore_index < -most) fail(fmt::format("ignore_index {}", ignore_index), "Give one that a float64 holds exactly, up to 2^53");
    ignores = takes_number(target.dtype(), ignored);
    if (ignores) index = formula({target}, [&](std::span<const Ex> t) { return cotan::where(formula_language::eq(t[0], ignored), 0, t[0]); });
  }

  // x where the target counts, 0 elsewhere.
  [[nodiscard]] Ref kept(const Ref& x) const {
    if (!ignores) return x;
    return formula({given, x}, [&](std::span<const Ex> in) { return cotan::where(formula_language::eq(in[0], ignored), 0, in[1]); });
  }

  // How many entries count, less one. A check fails where that is none.
  [[nodiscard]] Ref last_kept() const {
    using namespace formula_language;
    const Ref counts = formula({given}, [&](std::span<const Ex> t) { return cotan::cast(!formula_language::eq(t[0], ignored), DType::i64); });
    const Ref last = formula({sum(counts)}, [](std::span<const Ex> n) { return n[0] - 1; });
    return check(last, given.shape().elements(), "a mean over no rows: every entry of the target is ignore_index", "Skip such batches, or sum the losses");
  }
};

// The total of losses divided by the count of entries that are kept, or by the sum of their weights.
Ref mean_of_kept(const Ref& losses, const Target& target, const Ref& weights) {
  using namespace formula_language;
  if (!target.ignores) return weights ? div(sum(losses), sum(weights)) : mean(losses);
  const DType dtype = losses.dtype();
  if (!weights) return formula({target.last_kept(), sum(losses)}, [&](std::span<const Ex> in) { return in[1] / (formula_language::cast(in[0], dtype) + 1); });
  // The position is read, so that its check belongs to the loss.
  return formula({target.last_kept(), sum(losses), sum(target.kept(weights))},
                 [](std::span<const Ex> in) { return cotan::where(in[0] >= 0, in[1] / in[2], 0); });
}

// The loss on log-probabilities, whose classes are dimension `classes`.
Ref class_loss(const Ref& log_probabilities, std::size_t classes, const Ref& given, const Ref& weight, std::int64_t ignore_index, const std::string& reduction,
               double smoothing) {
  using namespace formula_language;
  const std::int64_t count = log_probabilities.shape()[classes];
  require_shape(given, "a target", without(log_probabilities.shape(), classes), "The target has one class index for each entry, the shape without the classes");
  require_weight(weight, count);
  require_rows(given.shape(), reduction);
  const Target target(given, ignore_index);
  const Ref scores = classes_last(log_probabilities, classes);
  const Ref picked = pick(scores, target.index);
  Ref losses, weights;
  if (weight) {
    weights = pick(broadcast(weight, scores.shape()), target.index);
    losses = neg(mul(picked, weights));
  } else {
    losses = neg(picked);
  }
  if (smoothing > 0) {
    const Ref all = weight ? matmul(scores, weight) : sum(scores, {.dim = -1});
    losses = formula({losses, all}, [&](std::span<const Ex> in) { return (1 - smoothing) * in[0] - (smoothing / static_cast<double>(count)) * in[1]; });
  }
  losses = target.kept(losses);
  return reduction == "mean" ? mean_of_kept(losses, target, weights) : reduced(losses, reduction);
}

void require_indices(const Ref& target) {
  if (kind_of(target.dtype()) != DTypeKind::integer)
    fail(fmt::format("a target of type {}", name_of(target.dtype())),
         is_floating(target.dtype()) ? "Class indices are integers: cast them to i32; probabilities are for cross_entropy_with_probabilities"
                                     : "Class indices are integers: cast them to i32");
}

}  // namespace

std::vector<Ref> cross_entropy_body(std::span<const Ref> operands, const CrossEntropyOptions& options) {
  const Ref &logits = operands[0], &target = operands[1];
  require_indices(target);
  require_reduction(options.reduction);
  require_smoothing(options.label_smoothing);
  const std::size_t classes = class_dim(logits, "logits");
  const Ref scores = log_softmax(logits, {.dim = static_cast<std::int64_t>(classes)});
  return {class_loss(scores, classes, target, operands[2], options.ignore_index, options.reduction, options.label_smoothing)};
}

std::vector<Ref> nll_loss_body(std::span<const Ref> operands, const NllLossOptions& options) {
  require_indices(operands[1]);
  require_reduction(options.reduction);
  return {class_loss(operands[0], class_dim(operands[0], "x"), operands[1], operands[2], options.ignore_index, options.reduction, 0)};
}

std::vector<Ref> cross_entropy_with_probabilities_body(std::span<const Ref> operands, const CrossEntropyWithProbabilitiesOptions& options) {
  using namespace formula_language;
  const Ref &logits = operands[0], &target = operands[1], &weight = operands[2];
  require_reduction(options.reduction);
  require_smoothing(options.label_smoothing);
  const std::size_t classes = class_dim(logits, "logits");
  if (!is_floating(target.dtype()))
    fail(fmt::format("a target of type {}", name_of(target.dtype())), "Probabilities are floating; class indices are for cross_entropy");
  require_alike(logits, target, "a target");
  const std::int64_t count = logits.shape()[classes];
  require_weight(weight, count);
  require_rows(without(logits.shape(), classes), options.reduction);
  const Ref scores = classes_last(log_softmax(logits, {.dim = static_cast<std::int64_t>(classes)}), classes);
  Ref wanted = classes_last(target, classes);
  if (const double smoothing = options.label_smoothing; smoothing > 0)
    wanted = formula({wanted}, [&](std::span<const Ex> t) { return (1 - smoothing) * t[0] + smoothing / static_cast<double>(count); });
  if (weight) wanted = mul(wanted, weight);
  return {reduced(neg(sum(mul(scores, wanted), {.dim = -1})), options.reduction)};
}

}  // namespace cotan::graph
