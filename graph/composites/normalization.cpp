// Normalisation: what is computed over which dimensions differs, the formulas are shared.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>

#include "graph/composites/bodies.h"
#include "graph/composites/closed_gradients.h"
#include "graph/composites/requirements.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

using namespace formula_language;

void require_norm(const Ref& x, std::string_view name, double eps) {
  require_floating_operand(name, x);
  if (!(eps > 0)) fail(fmt::format("an eps of {}", eps), "It keeps the square root away from 0: give a small number above 0");
}

// An operand of x's type with a number for each entry of `shape`; it may be left out.
void require_shape(const Ref& operand, std::string_view name, const Ref& x, const Shape& shape, const char* remedy) {
  if (!operand) return;
  if (operand.dtype() != x.dtype())
    fail(fmt::format("a {} of {} for x of {}", name, name_of(operand.dtype()), name_of(x.dtype())), "Cast one of them: types do not mix");
  if (operand.shape() != shape) fail(fmt::format("a {} of shape {} where {} is due", name, operand.shape().text(), shape.text()), remedy);
}

void require_channels(const Ref& x, std::size_t least_rank) {
  if (x.shape().rank() < least_rank) fail(fmt::format("x of shape {}", x.shape().text()), least_rank == 2 ? "x is (N, C, ...)" : "x is (N, C, L, ...)");
}

// Nothing to normalise has no statistics, and needs none.
bool is_empty(const Ref& x) { return x.shape().elements() == 0; }

void require_per_channel(const Ref& operand, std::string_view name, const Ref& x) {
  require_shape(operand, name, x, {x.shape()[1]}, "It has one entry for each channel, dimension 1 of x");
}

Ref shaped(const Ref& x, const Shape& shape) { return reshape(x, {.shape = Sizes(shape.begin(), shape.end())}); }

// A vector over dimension `dim` of a tensor of `rank` dimensions, with the other dimensions of size one.
Ref along(const Ref& vector, std::size_t dim, std::size_t rank) {
  Shape shape;
  for (std::size_t d = 0; d < rank; ++d) shape.push_back(d == dim ? vector.shape().elements() : 1);
  return shaped(vector, shape);
}

struct Moments {
  Ref mean, variance;  // dimensions that they are taken over have size one
  Ref rest = {};       // what rounding left of the mean, which is subtracted as well; empty: nothing
};

// x less its mean as that is rounded. No derivative passes through the mean, since nothing changes where it is moved a little.
Ref centred(const Ref& x, const Ref& rounded) { return sub(x, stop_gradient(rounded)); }

// The moments of x with its mean, shaped to broadcast to x. Beside entries that are large and nearly equal, the mean may be wrong by more than they differ; so
// what rounding left of it, `rest`, is found in the pass that adds up squares, which are of differences from the mean: no difference of large sums.
Moments moments_about(const Ref& x, const Ref& mean_of_x, const Dims& dims) {
  const MeanOptions over{.dim = dims, .keepdim = true};
  const Ref d = centred(x, mean_of_x), rest = mean(d, over);
  const Ref variance = formula({mean(square(d), over), rest}, [](std::span<const Ex> in) {
    const Ex v = in[0] - in[1] * in[1];
    return cotan::where(v < 0, 0, v);
  });
  return {mean_of_x, variance, rest};
}

Moments moments_over(const Ref& x, const Dims& dims) { return moments_about(x, mean(x, {.dim = dims, .keepdim = true}), dims); }

Ref reciprocal_deviation(const Ref& variance, double eps) {
  return formula({variance}, [eps](std::span<const Ex> in) { return 1 / formula_language::sqrt(in[0] + Ex(eps)); });
}

// (x - mean) / sqrt(variance + eps) * weight + bias, everything broadcasting to x; weight and bias may be left out. One map over x.
Ref normalised(const Ref& x, const Moments& m, const Ref& weight, const Ref& bias, double eps) {
  std::vector<Ref> operands{x, m.rest ? stop_gradient(m.mean) : m.mean, reciprocal_deviation(m.variance, eps)};
  for (const Ref* more : {&m.rest, &weight, &bias})
    if (*more) operands.push_back(*more);
  const bool exact = static_cast<bool>(m.rest), scaled = static_cast<bool>(weight), moved = static_cast<bool>(bias);
  return formula(operands, [=](std::span<const Ex> in) {
    Ex d = in[0] - in[1];
    if (exact) d = d - in[3];
    Ex y = d * in[2];
    if (scaled) y = y * in[exact ? 4 : 3];
    return moved ? y + in.back() : y;
  });
}

// The dimensions at the end that normalized_shape names.
Dims last_dims(const Ref& x, const Sizes& normalized_shape, Shape& sizes) {
  const std::size_t rank = x.shape().rank();
  if (rank == 0) fail("x has 0 dimensions", "The last dimension is the least that is normalised over");
  sizes = normalized_shape.empty() ? Shape{x.shape()[rank - 1]} : Shape{std::span<const std::int64_t>(normalized_shape)};
  bool fits = sizes.rank() <= rank;
  std::vector<std::int64_t> dims;
  for (std::size_t i = 0; fits && i < sizes.rank(); ++i) {
    const std::size_t d = rank - sizes.rank() + i;
    fits = x.shape()[d] == sizes[i];
    dims.push_back(static_cast<std::int64_t>(d));
  }
  if (!fits)
    fail(fmt::format("normalized_shape ({}) for x of shape {}", fmt::join(normalized_shape, ", "), x.shape().text()),
         "It is the sizes of the last dimensions of x");
  return Dims(dims);
}

// All dimensions but the channels'.
Dims all_but_channels(const Ref& x) {
  std::vector<std::int64_t> dims;
  for (std::size_t d = 0; d < x.shape().rank(); ++d)
    if (d != 1) dims.push_back(static_cast<std::int64_t>(d));
  return Dims(dims);
}

// For each group of channels of each sample.
Ref group_normalised(const Ref& x, std::int64_t groups, const Ref& weight, const Ref& bias, double eps) {
  if (is_empty(x)) return x;
  const std::int64_t batch = x.shape()[0], channels = x.shape()[1], each = channels / groups, space = x.shape().elements() / (batch * channels);
  if (batch * each * space == 1) fail(fmt::format("one value for each mean in x of shape {}", x.shape().text()), "A single value has no variance");
  const Ref grouped = shaped(x, {batch, groups, each, space});
  const Moments m = moments_over(grouped, {2, 3});
  const auto per_channel = [&](const Ref& v) { return v ? shaped(v, {1, groups, each, 1}) : v; };
  return shaped(normalised(grouped, m, per_channel(weight), per_channel(bias), eps), x.shape());
}

// What the calls of the norms' gradients are given: x, then weight and bias where there are such, y, mean, variance, and the cotangent of y.
struct GradientOperands {
  Ref x, weight, mean, variance, g;
  std::vector<std::int64_t> given{0, 1, 2};  // which of x, weight and bias the operands in front are
  std::vector<std::int64_t> wrt;             // positions in `given`

  GradientOperands(const CallSpec& call, std::span<const Ref> operands) : wrt(call.attributes.get<std::vector<std::int64_t>>("wrt")) {
    if (const Attribute* some = call.attributes.find("given")) given = std::get<std::vector<std::int64_t>>(*some);
    for (std::size_t k = 0; k < given.size(); ++k)
      if (given[k] < 2) (given[k] == 0 ? x : weight) = operands[k];
    mean = operands[given.size() + 1], variance = operands[given.size() + 2], g = operands[given.size() + 3];
  }
  // The results that are asked for, of the cotangents of x, weight and bias.
  [[nodiscard]] std::vector<Ref> asked(const std::function<Ref(std::int64_t)>& cotangent) const {
    std::vector<Ref> results;
    for (const std::int64_t k : wrt) results.push_back(cotangent(given[static_cast<std::size_t>(k)]));
    return results;
  }
};

// x as the forward pass normalised it: less its mean and what rounding left of that, times 1 / sqrt(variance + eps).
struct Normal {
  Ref x, mean, rest, scale;

  // g * (x - mean) * scale
  [[nodiscard]] Ref times(const Ref& g) const {
    return formula({g, x, mean, rest, scale}, [](std::span<const Ex> in) { return in[0] * ((in[1] - in[2] - in[3]) * in[4]); });
  }
  // The sum or mean of times(g), of the sum or mean of g and that of g * (x - mean) in the same pass over x.
  [[nodiscard]] Ref total(const Ref& of_g, const Ref& of_products) const {
    return formula({of_g, of_products, rest, scale}, [](std::span<const Ex> in) { return (in[1] - in[2] * in[0]) * in[3]; });
  }
  [[nodiscard]] Ref products(const Ref& g) const {
    return formula({g, x, mean}, [](std::span<const Ex> in) { return in[0] * (in[1] - in[2]); });
  }
  // (d - its mean - n * the mean of d * n) * scale, with n = (x - mean) * scale: what is left of d less what moves the mean and the variance.
  [[nodiscard]] Ref less_moments(const Ref& d, const Ref& mean_of_d, const Ref& mean_of_products) const {
    return formula({d, x, mean, rest, scale, mean_of_d, mean_of_products},
                   [](std::span<const Ex> in) { return (in[0] - in[5] - (in[1] - in[2] - in[3]) * in[4] * in[6]) * in[4]; });
  }
};

}  // namespace

std::vector<Ref> layer_norm_body(std::span<const Ref> operands, const LayerNormOptions& options) {
  const Ref &x = operands[0], &weight = operands[1], &bias = operands[2];
  require_norm(x, "layer_norm", options.eps);
  Shape sizes;
  const Dims dims = last_dims(x, options.normalized_shape, sizes);
  for (const auto& [operand, name] : {std::pair(&weight, "weight"), {&bias, "bias"}})
    require_shape(*operand, name, x, sizes, "It has the shape that is normalised");
  if (sizes.elements() == 0) {
    Shape rows = x.shape();
    for (std::size_t d = rows.rank() - sizes.rank(); d < rows.rank(); ++d) rows[d] = 1;
    return {x, fill(0, x.dtype(), rows), fill(0, x.dtype(), rows)};
  }
  const Moments m = moments_over(x, dims);
  return {normalised(x, m, weight, bias, options.eps), m.mean, m.variance};
}

std::vector<Ref> layer_norm_gradient(const CallSpec& call, std::span<const Ref> operands) {
  const GradientOperands in(call, operands);
  Shape sizes;
  const Dims inner = last_dims(in.x, call.attributes.get<std::vector<std::int64_t>>("normalized_shape"), sizes);
  std::vector<std::int64_t> before;
  for (std::size_t d = 0; d + sizes.rank() < in.x.shape().rank(); ++d) before.push_back(static_cast<std::int64_t>(d));
  const auto over_rows = [&](const Ref& each) { return before.empty() ? each : sum(each, {.dim = Dims(before)}); };
  if (sizes.elements() == 0) return in.asked([&](std::int64_t k) { return k == 0 ? in.g : over_rows(in.g); });
  const MeanOptions over{.dim = inner, .keepdim = true};
  const Normal normal{in.x, in.mean, mean(centred(in.x, in.mean), over), reciprocal_deviation(in.variance, call.attributes.get<double>("eps"))};
  return in.asked([&](std::int64_t k) {
    if (k == 2) return over_rows(in.g);
    if (k == 1) return over_rows(normal.times(in.g));
    const Ref d = in.weight ? mul(in.g, in.weight) : in.g;
    const Ref of_d = mean(d, over);
    return normal.less_moments(d, of_d, normal.total(of_d, mean(normal.products(d), over)));
  });
}

std::vector<Ref> rms_norm_body(std::span<const Ref> operands, const RmsNormOptions& options) {
  const Ref &x = operands[0], &weight = operands[1];
  const double machine = x.dtype() == DType::f64 ? std::numeric_limits<double>::epsilon() : double{std::numeric_limits<float>::epsilon()};
  const double eps = options.eps.value_or(machine);
  require_norm(x, "rms_norm", eps);
  Shape sizes;
  const Dims dims = last_dims(x, options.normalized_shape, sizes);
  require_shape(weight, "weight", x, sizes, "It has the shape that is normalised");
  if (is_empty(x)) return {x};
  const Ref scale = reciprocal_deviation(mean(square(x), {.dim = dims, .keepdim = true}), eps);
  if (!weight) return {mul(x, scale)};
  return {formula({x, scale, weight}, [](std::span<const Ex> in) { return in[0] * in[1] * in[2]; })};
}

std::vector<Ref> batch_norm_training_body(std::span<const Ref> operands, const BatchNormTrainingOptions& options) {
  const Ref &x = operands[0], &weight = operands[1], &bias = operands[2];
  require_norm(x, "batch_norm_training", options.eps);
  require_channels(x, 2);
  require_per_channel(weight, "weight", x);
  require_per_channel(bias, "bias", x);
  const std::int64_t channels = x.shape()[1];
  const std::size_t rank = x.shape().rank();
  if (is_empty(x)) fail(fmt::format("x of shape {} has no elements", x.shape().text()), "Skip empty batches, or use running statistics");
  if (x.shape().elements() == channels)
    fail(fmt::format("one value for each channel of x of shape {}", x.shape().text()),
         "A single value has no variance: use more samples, or running statistics");
  const auto per_channel = [&](const Ref& v) { return v ? along(v, 1, rank) : v; };
  // Everything reads the statistics as they are given, (C), so that the gradient reads the results and computes nothing again.
  const Dims dims = all_but_channels(x);
  const Ref average = mean(x, {.dim = dims});
  const Moments m = moments_about(x, per_channel(average), dims);
  const Ref variance = shaped(m.variance, {channels});
  return {normalised(x, {m.mean, per_channel(variance), m.rest}, per_channel(weight), per_channel(bias), options.eps), average, variance};
}

std::vector<Ref> batch_norm_training_gradient(const CallSpec& call, std::span<const Ref> operands) {
  const GradientOperands in(call, operands);
  const std::size_t rank = in.x.shape().rank();
  const Dims dims = all_but_channels(in.x);
  const Ref average = along(in.mean, 1, rank);
  const Ref rest = mean(centred(in.x, average), {.dim = dims, .keepdim = true});
  const Normal normal{in.x, average, rest, along(reciprocal_deviation(in.variance, call.attributes.get<double>("eps")), 1, rank)};
  // The weight is one number for each mean, so that the sums for weight and bias serve x as well.
  const Ref of_bias = sum(in.g, {.dim = dims});
  const Ref of_weight = shaped(normal.total(along(of_bias, 1, rank), sum(normal.products(in.g), {.dim = dims, .keepdim = true})), in.mean.shape());
  return in.asked([&](std::int64_t k) {
    if (k == 2) return of_bias;
    if (k == 1) return of_weight;
    const double each = static_cast<double>(in.x.shape()[1]) / static_cast<double>(in.x.shape().elements());
    const auto of_each = [&](const Ref& total) { return along(mul(total, fill(each, total.dtype(), total.shape())), 1, rank); };
    const Ref of_x = normal.less_moments(in.g, of_each(of_bias), of_each(of_weight));
    return in.weight ? mul(of_x, along(in.weight, 1, rank)) : of_x;
  });
}

std::vector<Ref> batch_norm_body(std::span<const Ref> operands, const BatchNormOptions& options) {
  const Ref &x = operands[0], &running_mean = operands[1], &running_var = operands[2], &weight = operands[3], &bias = operands[4];
  require_norm(x, "batch_norm", options.eps);
  require_channels(x, 2);
  for (const auto& [operand, name] : {std::pair(&running_mean, "running_mean"), {&running_var, "running_var"}, {&weight, "weight"}, {&bias, "bias"}})
    require_per_channel(*operand, name, x);
  if (options.training) return {batch_norm_training(x, weight, bias, {.eps = options.eps}).y};
  for (const auto& [operand, name] : {std::pair(&running_mean, "running_mean"), {&running_var, "running_var"}})
    if (!*operand) fail(fmt::format("no {}", name), "Give both running statistics, or normalise by those of x");
  const std::size_t rank = x.shape().rank();
  const auto per_channel = [&](const Ref& v) { return v ? along(v, 1, rank) : v; };
  return {normalised(x, {per_channel(running_mean), per_channel(running_var)}, per_channel(weight), per_channel(bias), options.eps)};
}

std::vector<Ref> group_norm_body(std::span<const Ref> operands, const GroupNormOptions& options) {
  const Ref &x = operands[0], &weight = operands[1], &bias = operands[2];
  require_norm(x, "group_norm", options.eps);
  require_channels(x, 2);
  if (options.num_groups < 1) fail(fmt::format("{} groups", options.num_groups), "num_groups is at least 1");
  if (x.shape()[1] % options.num_groups != 0)
    fail(fmt::format("{} channels in {} groups", x.shape()[1], options.num_groups), "Channels are a multiple of num_groups");
  require_per_channel(weight, "weight", x);
  require_per_channel(bias, "bias", x);
  return {group_normalised(x, options.num_groups, weight, bias, options.eps)};
}

std::vector<Ref> instance_norm_body(std::span<const Ref> operands, const InstanceNormOptions& options) {
  const Ref &x = operands[0], &running_mean = operands[1], &running_var = operands[2], &weight = operands[3], &bias = operands[4];
  require_norm(x, "instance_norm", options.eps);
  require_channels(x, 3);
  for (const auto& [operand, name] : {std::pair(&running_mean, "running_mean"), {&running_var, "running_var"}, {&weight, "weight"}, {&bias, "bias"}})
    require_per_channel(*operand, name, x);
  if (!options.use_input_stats) return {batch_norm(x, running_mean, running_var, weight, bias, {.eps = options.eps})};
  if (!is_empty(x) && x.shape().elements() == x.shape()[0] * x.shape()[1])
    fail(fmt::format("one value for each mean in x of shape {}", x.shape().text()), "A single value has no variance");
  return {group_normalised(x, x.shape()[1], weight, bias, options.eps)};
}

}  // namespace cotan::graph
