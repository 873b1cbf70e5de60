// Composites on windows: convolutions with a bias, averages that count what is inside, adaptive pooling.
#include <fmt/format.h>

#include <numeric>

#include "graph/composites/bodies.h"
#include "graph/composites/requirements.h"
#include "ops/error.h"
#include "ops/window_rows.h"

namespace cotan::graph {
namespace {

using rows::Window;

// The windows of an average over x, its options checked.
template <std::size_t N>
rows::Windows<N> windows_of_input(const Ref& x, const Spatial<N>& kernel_size, const Spatial<N>& stride, const Spatial<N>& padding, bool ceil_mode) {
  return rows::pool_windows<N>({0, x.dtype(), x.shape()}, kernel_size, stride, padding, Spatial<N>(1), ceil_mode);
}

// The identity access of a tensor of this rank.
Access all_dimensions(std::size_t rank) {
  Access access;
  for (std::size_t d = 0; d < rank; ++d) access.push_back(index_of(static_cast<int>(d)));
  return access;
}

// y + bias[channel]; the channels are the dimension before the spatial ones. y where there is no bias.
std::vector<Ref> with_bias(const Ref& y, const Ref& bias, std::size_t spatial) {
  if (!bias) return {y};
  const std::size_t channels = y.shape().rank() - spatial - 1;
  if (bias.shape() != Shape{y.shape()[channels]})
    fail(fmt::format("a bias of shape {} for {} output channels", bias.shape().text(), y.shape()[channels]), "The bias has one entry for each output channel");
  SumSpec spec;
  spec.domain.assign(y.shape().begin(), y.shape().end());
  spec.output = all_dimensions(y.shape().rank());
  spec.factors = {{index_of(static_cast<int>(channels))}};
  return {add(y, sum(std::move(spec), y.shape(), std::array{bias}))};
}

// ---- averages

// How many entries each window of a pooling has: those inside the input, or inside its padding too. A tensor over the spatial positions.
template <std::size_t N>
Ref window_counts(const Ref& x, const rows::Windows<N>& windows, bool include_pad) {
  SumSpec spec;
  Shape shape;
  for (const Window& w : windows) {
    spec.output.push_back(index_of(static_cast<int>(spec.domain.size())));
    spec.domain.push_back(w.positions);
    shape.push_back(w.positions);
  }
  for (std::size_t d = 0; d < N; ++d) {
    const Window& w = windows[d];
    const std::int64_t input = x.shape()[x.shape().rank() - N + d];
    const IndexExpr at = w.at(spec.output[d], index_of(static_cast<int>(spec.domain.size())));
    spec.domain.push_back(w.taps);
    if (include_pad)
      spec.guards.push_back({at + w.before, input + 2 * w.before});
    else
      spec.guards.push_back({at, input});
  }
  return sum(std::move(spec), shape, {}, {}, x.dtype());
}

// Whether all windows have as many entries: their last one ends inside, and the padding counts or is not there.
template <std::size_t N>
bool uniform(const Ref& x, const rows::Windows<N>& windows, bool include_pad) {
  for (std::size_t d = 0; d < N; ++d) {
    const Window& w = windows[d];
    const std::int64_t padding = include_pad ? 2 * w.before : 0, end = (w.positions - 1) * w.stride + w.taps;
    if (end > x.shape()[x.shape().rank() - N + d] + padding || (!include_pad && w.before > 0)) return false;
  }
  return true;
}

template <std::size_t N>
double volume(const rows::Windows<N>& windows) {
  double entries = 1;
  for (const Window& w : windows) entries *= static_cast<double>(w.taps);
  return entries;
}

// `pool` is the sum_pool of the same options, which divides by a number. Where windows are cut, their counts are a tensor.
template <std::size_t N, class Options, class Pool>
std::vector<Ref> average(const Ref& x, const Options& options, std::optional<std::int64_t> divisor, const Pool& pool) {
  require_floating_operand("mean", x);
  const rows::Windows<N> windows = windows_of_input(x, options.kernel_size, options.stride, options.padding, options.ceil_mode);
  if (divisor && *divisor == 0) fail("divisor_override 0", "Leave it out, or give another number");
  if (divisor) return {pool(static_cast<double>(*divisor))};
  if (uniform(x, windows, options.count_include_pad)) return {pool(volume(windows))};
  return {div(pool(1.0), window_counts(x, windows, options.count_include_pad))};
}

// ---- adaptive pooling
//
// Part i of `out` parts of n entries is [floor(i * n / out), ceil((i + 1) * n / out)). Where out divides n this is a plain window of n / out entries, and the
// operation an ordinary pooling. Otherwise the parts differ in length, and no expression of i alone says where they start, as there is no division. But
// whether entry h lies in part i is a linear condition:  -out < out * h - n * i < n.  So a mean is a sum under that guard, divided by how many points it has;
// its gradients of any order are sums under the same guard. (A product with a matrix of weights would be one of matrices, but 0 * inf is NaN: an infinity would
// reach every part.) For a maximum, which has no guards, the parts are gathered through a table of positions, in which shorter parts repeat their last entry:
// the first of equals stays the first.

// Where the result's size is put: the first spatial dimension, and the sizes from there on, those of the input where output_size leaves them open.
template <std::size_t N>
struct Parts {
  std::size_t first;
  Spatial<N> sizes = 1;

  // Throws Error for an input of the wrong rank or without entries, and for sizes out of range.
  Parts(const Ref& x, const OutputSize<N>& output_size) : first(rows::require_batch_of<N>({0, x.dtype(), x.shape()}) + 1) {
    for (std::size_t d = 0; d < N; ++d) sizes.values[d] = output_size[d].value_or(x.shape()[first + d]);
    for (std::size_t d = 0; d < N; ++d)
      if (x.shape()[first + d] == 0) fail(fmt::format("an input of shape {}", x.shape().text()), "No part of nothing has a value: skip empty inputs");
    rows::require_option("output_size", sizes, 1);
  }
};

// The windows of an ordinary pooling: the parts of those dimensions that output_size divides; single entries of the others.
template <std::size_t N>
Spatial<N> even_windows(const Ref& x, std::size_t first, const Spatial<N>& output_size) {
  Spatial<N> kernel = 1;
  for (std::size_t d = 0; d < N; ++d)
    if (x.shape()[first + d] % output_size[d] == 0) kernel.values[d] = x.shape()[first + d] / output_size[d];
  return kernel;
}

// x with dimension `along` replaced by the means of its `out` parts.
Ref means_of_parts(const Ref& x, std::size_t along, std::int64_t out) {
  const std::int64_t n = x.shape()[along];
  const std::size_t rank = x.shape().rank();
  const auto inside = [&](const IndexExpr& part, const IndexExpr& entry) { return Guard{out * entry - n * part + (out - 1), n + out - 1}; };
  SumSpec total;
  total.domain.assign(x.shape().begin(), x.shape().end());
  total.domain.push_back(out);
  const IndexExpr part = index_of(static_cast<int>(rank));
  total.factors = {all_dimensions(rank)};
  total.output = all_dimensions(rank);
  total.output[along] = part;
  total.guards = {inside(part, index_of(static_cast<int>(along)))};
  Shape shape = x.shape();
  shape[along] = out;

  SumSpec length;  // along the same dimension, seen from the last one
  length.domain = {out, n};
  length.output.assign(rank - along, IndexExpr(0));
  length.output[0] = index_of(0);
  length.guards = {inside(index_of(0), index_of(1))};
  Shape lengths{out};
  for (std::size_t d = along + 1; d < rank; ++d) lengths.push_back(1);
  return div(sum(std::move(total), shape, std::array{x}), sum(std::move(length), lengths, {}, {}, x.dtype()));
}

template <std::size_t N, class Pool>
std::vector<Ref> adaptive_average(const Ref& x, const OutputSize<N>& given, const Pool& pool) {
  require_floating_operand("mean", x);
  const Parts<N> parts(x, given);
  const std::size_t first = parts.first;
  const Spatial<N>& output_size = parts.sizes;
  const Spatial<N> kernel = even_windows(x, first, output_size);
  Ref y = kernel == Spatial<N>(1) ? x : pool(kernel, static_cast<double>(Shape(std::span<const std::int64_t>(kernel.values)).elements()));
  for (std::size_t d = 0; d < N; ++d)
    if (y.shape()[first + d] != output_size[d]) y = means_of_parts(y, first + d, output_size[d]);
  return {y};
}

// A column (i32) for the parts: how many of n entries e have  out * (e + 1) + late <= n * (part + since).
Ref entries_before(std::int64_t n, std::int64_t out, std::int64_t since, std::int64_t late) {
  SumSpec count;
  count.domain = {out, n};
  count.output = {index_of(0), 0};
  count.guards = {{n * (index_of(0) + since) - out * (index_of(1) + 1) - late, n * out}};
  return sum(std::move(count), {out, 1}, {}, {}, DType::i32);
}

// Where each part of n entries begins: floor(part * n / out), which is how many entries end by there.
Ref starts_of_parts(std::int64_t n, std::int64_t out) { return entries_before(n, out, 0, 0); }

// The positions of the entries of each part, a row for each.
Ref positions_of_parts(std::int64_t n, std::int64_t out) {
  const Ref last = entries_before(n, out, 1, 1);  // ceil((part + 1) * n / out) - 1: how many entries, but for the first one, begin before there
  const std::int64_t longest = (n - std::gcd(n, out) + out - 1) / out + 1;
  return minimum(add(starts_of_parts(n, out), iota(DType::i32, {longest}, 0)), last);
}

template <std::size_t N>
std::vector<Ref> adaptive_maximum(const Ref& x, const OutputSize<N>& given) {
  const Parts<N> parts(x, given);
  const std::size_t first = parts.first;
  const Spatial<N>& output_size = parts.sizes;
  if (x.dtype() == DType::boolean) fail(fmt::format("an extreme of {}", name_of(x.dtype())), "Cast it to u8 first");
  const Spatial<N> kernel = even_windows(x, first, output_size);
  // Uneven dimensions become two, part and entry, by a gather; then one maximum over all windows.
  SumSpec gather;
  Shape shape;
  std::vector<Ref> tables;
  ReduceSpec extreme;
  extreme.outputs = static_cast<int>(x.shape().rank());
  gather.factors.resize(1);
  const auto axis = [&](std::int64_t size) {
    gather.output.push_back(index_of(static_cast<int>(gather.domain.size())));
    gather.domain.push_back(size);
    shape.push_back(size);
    return gather.output.back();
  };
  for (std::size_t d = 0; d < first; ++d) {
    gather.factors[0].push_back(axis(x.shape()[d]));
    extreme.access.push_back(index_of(static_cast<int>(d)));
    extreme.domain.push_back(x.shape()[d]);
  }
  for (std::int64_t size : output_size.values) extreme.domain.push_back(size);
  for (std::size_t d = 0; d < N; ++d) {
    const std::int64_t n = x.shape()[first + d], out = output_size[d];
    const IndexExpr part = index_of(static_cast<int>(first + d)), entry = index_of(static_cast<int>(extreme.domain.size()));
    if (n % out == 0) {
      gather.factors[0].push_back(axis(n));
      extreme.access.push_back(kernel[d] * part + entry);
      extreme.domain.push_back(kernel[d]);
      continue;
    }
    const Ref positions = positions_of_parts(n, out);
    const Access at{axis(out), axis(positions.shape()[1])};
    gather.factors[0].push_back(entry_of(static_cast<int>(tables.size()), at));
    tables.push_back(positions);
    extreme.access.push_back(part);
    extreme.access.push_back(entry);
    extreme.domain.push_back(positions.shape()[1]);
  }
  return {reduce(extreme, tables.empty() ? x : sum(std::move(gather), shape, std::array{x}, tables))};
}

}  // namespace

// Entry i of a result of `out` entries is entry floor(i * n / out) of the n there are: a repetition or a slice where one size divides the other, a gather
// otherwise.
std::vector<Ref> interpolate_body(std::span<const Ref> operands, const InterpolateOptions& options) {
  const Ref& x = operands[0];
  const std::size_t rank = x.shape().rank();
  if (rank < 3 || rank > 5) fail(fmt::format("an input of shape {}", x.shape().text()), "Give (N, C) and one to three spatial dimensions");
  if (options.size.empty() == options.scale_factor.empty()) fail("both or none of size and scale_factor", "Give one of them");
  const Sizes& given = options.size.empty() ? options.scale_factor : options.size;
  require_count(given, rank - 2);
  rows::require_sizes({0, x.dtype(), x.shape()}, "an input");

  SumSpec spec;
  Shape shape = x.shape();
  std::vector<Ref> tables;
  spec.factors.resize(1);
  const auto index = [&](std::int64_t size) {
    spec.domain.push_back(size);
    return index_of(static_cast<int>(spec.domain.size()) - 1);
  };
  for (std::size_t d = 0; d < rank; ++d) {
    const std::int64_t n = x.shape()[d];
    if (d < 2) {
      spec.factors[0].push_back(index(n));
      spec.output.push_back(spec.factors[0].back());
      continue;
    }
    if (given[d - 2] < 1 || given[d - 2] > rows::most_option || n == 0)
      fail(fmt::format("{} for dimension {} of an input of shape {}", given[d - 2], d, x.shape().text()), "Sizes and factors are at least 1, and at most 2^30");
    const std::int64_t out = options.size.empty() ? product_of_sizes(n, given[d - 2]) : given[d - 2];
    shape[d] = out;
    if (out % n == 0) {
      const IndexExpr entry = index(n), copy = index(out / n);
      spec.factors[0].push_back(entry);
      spec.output.push_back((out / n) * entry + copy);
    } else if (n % out == 0) {
      spec.output.push_back(index(out));
      spec.factors[0].push_back((n / out) * spec.output.back());
    } else {
      spec.output.push_back(index(out));
      spec.factors[0].push_back(entry_of(static_cast<int>(tables.size()), {spec.output.back(), 0}));
      tables.push_back(starts_of_parts(n, out));
    }
  }
  return {sum(std::move(spec), shape, std::array{x}, tables)};
}

// The same for one, two and three dimensions.
#define COTAN_WINDOW_BODIES(N)                                                                                                                                \
  std::vector<Ref> conv##N##d_body(std::span<const Ref> in, const Conv##N##dOptions& o) {                                                                     \
    return with_bias(convolution##N##d(in[0], in[1], {.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups}), in[2], N);      \
  }                                                                                                                                                           \
  std::vector<Ref> conv_transpose##N##d_body(std::span<const Ref> in, const ConvTranspose##N##dOptions& o) {                                                  \
    const TransposedConvolution##N##dOptions options{                                                                                                         \
        .stride = o.stride, .padding = o.padding, .output_padding = o.output_padding, .groups = o.groups, .dilation = o.dilation};                            \
    return with_bias(transposed_convolution##N##d(in[0], in[1], options), in[2], N);                                                                          \
  }                                                                                                                                                           \
  std::vector<Ref> adaptive_avg_pool##N##d_body(std::span<const Ref> in, const AdaptiveAvgPool##N##dOptions& o) {                                             \
    return adaptive_average<N>(in[0], o.output_size,                                                                                                          \
                               [&](const Spatial<N>& kernel, double entries) { return sum_pool##N##d(in[0], {.kernel_size = kernel, .divisor = entries}); }); \
  }                                                                                                                                                           \
  std::vector<Ref> adaptive_max_pool##N##d_body(std::span<const Ref> in, const AdaptiveMaxPool##N##dOptions& o) {                                             \
    return adaptive_maximum<N>(in[0], o.output_size);                                                                                                         \
  }                                                                                                                                                           \
  std::vector<Ref> avg_pool##N##d_body(std::span<const Ref> in, const AvgPool##N##dOptions& o) {                                                              \
    return average<N>(in[0], o, COTAN_DIVISOR_##N, [&](double divisor) {                                                                                      \
      return sum_pool##N##d(in[0], {.kernel_size = o.kernel_size, .stride = o.stride, .padding = o.padding, .ceil_mode = o.ceil_mode, .divisor = divisor});   \
    });                                                                                                                                                       \
  }
#define COTAN_DIVISOR_1 std::nullopt
#define COTAN_DIVISOR_2 o.divisor_override
#define COTAN_DIVISOR_3 o.divisor_override
COTAN_WINDOW_BODIES(1)
COTAN_WINDOW_BODIES(2)
COTAN_WINDOW_BODIES(3)
#undef COTAN_DIVISOR_3
#undef COTAN_DIVISOR_2
#undef COTAN_DIVISOR_1
#undef COTAN_WINDOW_BODIES

}  // namespace cotan::graph
