// The bodies of the rows in sums/windows.def and reductions/windows.def, once for any number of spatial dimensions.
//
// Every one of these operations reads (or, transposed, writes) a dimension at  stride * position + dilation * tap - before.  A Window holds these numbers for
// one dimension; conv_window, pool_window and transposed_size find them from the options, with PyTorch's formulas for sizes, and refuse what does not fit.
// The tensors are (N, C, spatial...) or, without a batch, (C, spatial...).
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "ops/sum_rows.h"

namespace cotan::rows {

// One spatial dimension of an operation on windows.
struct Window {
  std::int64_t stride = 1, dilation = 1;
  std::int64_t before = 0;  // entries of padding before the first one of the input
  std::int64_t taps = 1;
  std::int64_t positions = 1;

  // The entry of the dimension at a position and a tap.
  [[nodiscard]] IndexExpr at(const IndexExpr& position, const IndexExpr& tap) const { return stride * position + dilation * tap - before; }
};
template <std::size_t N>
using Windows = std::array<Window, N>;

// Numbers beyond these make no tensor that fits a machine; within them no expression leaves 64 bits.
constexpr std::int64_t most_option = std::int64_t{1} << 30;
constexpr std::int64_t most_size = std::int64_t{1} << 32;

// Each of an option's numbers lies in least <= number <= most_option.
template <std::size_t N>
void require_option(const char* name, const Spatial<N>& given, std::int64_t least) {
  for (std::int64_t number : given.values)
    require(
        number >= least && number <= most_option, [&] { return fmt::format("{} ({})", name, fmt::join(given.values, ", ")); },
        least > 0 ? "It is at least 1 in each dimension, and at most 2^30" : "It is at least 0 in each dimension, and at most 2^30");
}

// Every dimension is one that windows can move over.
inline void require_sizes(const Operand& x, const char* what) {
  for (std::int64_t size : x.shape)
    require(
        size <= most_size, [&] { return fmt::format("{} of shape {}", what, x.shape.text()); }, "Windows move over dimensions of at most 2^32 entries: cut it");
}

// Whether x has a batch: 1 for (N, C, spatial...), 0 for (C, spatial...), which is also the place of the channels.
template <std::size_t N>
std::size_t require_batch_of(const Operand& x) {
  require(
      x.shape.rank() == N + 1 || x.shape.rank() == N + 2,
      [&] {
        return fmt::format("an input of shape {}, which has {} dimensions, not {} (or {} without a batch)", x.shape.text(), x.shape.rank(), N + 2, N + 1);
      },
      "Reshape it");
  require_sizes(x, "an input");
  return x.shape.rank() - N - 1;
}

// The windows of a convolution over an input of this size.
inline Window conv_window(std::int64_t input, std::int64_t taps, std::int64_t stride, std::int64_t before, std::int64_t after, std::int64_t dilation) {
  require(
      taps > 0 && taps <= most_option, [&] { return fmt::format("a kernel of {} entries", taps); }, "A kernel has at least 1 entry, and at most 2^30");
  const std::int64_t reach = dilation * (taps - 1) + 1, space = input + before + after;
  require(
      input > 0 && reach <= space, [&] { return fmt::format("a window of {} is larger than the padded input of {}", reach, space); },
      "Pad more, or use a smaller kernel");
  return {stride, dilation, before, taps, (space - reach) / stride + 1};
}

// PyTorch's windows of a pooling: with ceil_mode a last window that does not fit counts too, as long as it starts before the end.
inline Window pool_window(std::int64_t input, std::int64_t taps, std::int64_t stride, std::int64_t padding, std::int64_t dilation, bool ceil_mode) {
  const std::int64_t reach = dilation * (taps - 1) + 1;
  require(
      2 * padding <= reach, [&] { return fmt::format("padding {} is more than half the kernel of {}", padding, reach); },
      "Pad less: a window that meets nothing has no value");
  Window window = conv_window(input, taps, stride, padding, padding, dilation);
  const std::int64_t left = input + 2 * padding - reach - (window.positions - 1) * stride;  // behind the last window
  if (ceil_mode && left > 0 && window.positions * stride < input + padding) ++window.positions;
  return window;
}

// All windows of a pooling over x, after checks of the options; a stride of 0 means the kernel's size.
template <std::size_t N>
Windows<N> pool_windows(const Operand& x, const Spatial<N>& kernel_size, const Spatial<N>& stride, const Spatial<N>& padding, const Spatial<N>& dilation,
                        bool ceil_mode) {
  const std::size_t channels = require_batch_of<N>(x);
  require_option("kernel_size", kernel_size, 1);
  require_option("stride", stride, 0);
  require_option("padding", padding, 0);
  require_option("dilation", dilation, 1);
  Windows<N> windows;
  for (std::size_t d = 0; d < N; ++d)
    windows[d] = pool_window(x.shape[channels + 1 + d], kernel_size[d], stride[d] == 0 ? kernel_size[d] : stride[d], padding[d], dilation[d], ceil_mode);
  return windows;
}

// ---- what the bodies are made of

// An index for each window's position, or for each one's tap.
template <std::size_t N>
std::vector<Index> positions_of(const Windows<N>& windows) {
  std::vector<Index> all;
  for (const Window& w : windows) all.emplace_back(w.positions);
  return all;
}
template <std::size_t N>
std::vector<Index> taps_of(const Windows<N>& windows) {
  std::vector<Index> all;
  for (const Window& w : windows) all.emplace_back(w.taps);
  return all;
}

// An access that goes on with these indices, each alone in its dimension; or with what the windows read.
inline Access joined(Access first, std::span<const Index> then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}
template <std::size_t N>
Access joined(Access first, const Windows<N>& windows, std::span<const Index> positions, std::span<const Index> taps) {
  for (std::size_t d = 0; d < N; ++d) first.push_back(windows[d].at(positions[d], taps[d]));
  return first;
}

// The beginning of an access: an index over the batch where there is one.
inline Access batch_of(const Operand& x, std::size_t batched) { return batched ? Access{Index(x.shape[0])} : Access{}; }

// Indices as the digits of one number, the last one moving fastest.
inline IndexExpr flattened(std::span<const Index> indices, IndexExpr leading = 0) {
  for (const Index& i : indices) leading = i.size * leading + i;
  return leading;
}
// How many such numbers there are.
inline std::int64_t count_of(std::span<const Index> indices) {
  std::int64_t count = 1;
  for (const Index& i : indices) {
    require(
        i.size <= most_option / count, [&] { return fmt::format("windows of {} x {} entries or positions", count, i.size); },
        "At most 2^30 become one dimension: cut the input");
    count *= i.size;
  }
  return count;
}

// ---- convolutions

// The options' ranges, and weight's rank.
template <std::size_t N>
void require_convolution(const Operand& weight, const Spatial<N>& stride, const Spatial<N>& padding, const Spatial<N>& dilation, std::int64_t groups) {
  require_rank(weight, "weight", N + 2);
  require_sizes(weight, "weight");
  require_option("stride", stride, 1);
  require_option("padding", padding, 0);
  require_option("dilation", dilation, 1);
  require(
      groups > 0 && groups <= most_option, [&] { return fmt::format("{} groups", groups); }, "groups is at least 1, and at most 2^30");
}

// The input has the channels that weight and groups say, and groups divides both sides'.
inline void require_channels(std::int64_t channels, std::int64_t inputs, std::int64_t outputs, std::int64_t groups, const char* remedy) {
  require(
      channels == inputs && inputs % groups == 0,
      [&] { return fmt::format("an input of {} channels for a weight of {} input channels in {} groups", channels, inputs, groups); }, remedy);
  require(
      outputs % groups == 0, [&] { return fmt::format("{} output channels for {} groups", outputs, groups); }, "Output channels are a multiple of groups");
}

// result[n, (g, o), i] = sum over c, p of x[n, (g, c), stride * i + dilation * p - padding] * weight[(g, o), c, p].
template <std::size_t N>
SumDef convolution(const Operand& x, const Operand& weight, const Spatial<N>& stride, const Padding<N>& padding, const Spatial<N>& dilation,
                   std::int64_t groups, std::span<const Operand> operands) {
  const std::size_t batched = require_batch_of<N>(x);
  require_convolution(weight, stride, padding.sizes(), dilation, groups);
  require_channels(x.shape[batched], weight.shape[1] * groups, weight.shape[0], groups, "Input channels are weight.shape[1] * groups");
  const bool same = padding.word() == "same";
  require(
      same || !padding.word() || padding.word() == "valid", [&] { return fmt::format("padding {}", quoted(*padding.word())); },
      "Give numbers, \"same\" or \"valid\"");
  require(
      !same || stride == Spatial<N>(1), [&] { return fmt::format("padding \"same\" with stride ({})", fmt::join(stride.values, ", ")); },
      "Only with a stride of 1 does the result have the input's size: give the padding in numbers");

  Windows<N> windows;
  Shape shape = x.shape;
  shape[batched] = weight.shape[0];
  for (std::size_t d = 0; d < N; ++d) {
    const std::int64_t around = same ? dilation[d] * (weight.shape[d + 2] - 1) : 2 * padding.sizes()[d], before = around / 2;
    windows[d] = conv_window(x.shape[batched + 1 + d], weight.shape[d + 2], stride[d], before, around - before, dilation[d]);
    shape[batched + 1 + d] = windows[d].positions;
  }
  const Access n = batch_of(x, batched);
  const Index g(groups), o(weight.shape[0] / groups), c(weight.shape[1]);
  const auto at = positions_of(windows), p = taps_of(windows);
  Access in = n, out = n;
  in.push_back(c.size * g + c);
  out.push_back(o.size * g + o);
  return sum(shape, joined(out, at), x.at(joined(in, windows, at, p)) * weight.at(joined({o.size * g + o, c}, p)), operands);
}

// result[n, (g, o), stride * i + dilation * p - padding] = sum over c, p of x[n, (g, c), i] * weight[(g, c), o, p]: the convolution's gradient by its input.
template <std::size_t N>
SumDef transposed_convolution(const Operand& x, const Operand& weight, const Spatial<N>& stride, const Spatial<N>& padding, const Spatial<N>& output_padding,
                              std::int64_t groups, const Spatial<N>& dilation, std::span<const Operand> operands) {
  const std::size_t batched = require_batch_of<N>(x);
  require_convolution(weight, stride, padding, dilation, groups);
  require_option("output_padding", output_padding, 0);
  require_channels(x.shape[batched], weight.shape[0], weight.shape[1] * groups, groups, "Input channels are weight.shape[0], a multiple of groups");

  Windows<N> windows;
  Shape shape = x.shape;
  shape[batched] = weight.shape[1] * groups;
  for (std::size_t d = 0; d < N; ++d) {
    const std::int64_t input = x.shape[batched + 1 + d], taps = weight.shape[d + 2];
    require(
        output_padding[d] < std::max(stride[d], dilation[d]),
        [&] { return fmt::format("output_padding {} for stride {} and dilation {}", output_padding[d], stride[d], dilation[d]); },
        "It is smaller than stride or dilation: a whole stride more is another input size");
    require(
        taps > 0 && taps <= most_option && input > 0, [&] { return fmt::format("a kernel of {} entries on an input of {}", taps, input); },
        "Both have at least 1 entry");
    const std::int64_t output = (input - 1) * stride[d] + dilation[d] * (taps - 1) + 1 - 2 * padding[d] + output_padding[d];
    require(
        output > 0, [&] { return fmt::format("padding {} leaves {} entries of dimension {}", padding[d], output, d); }, "Pad less: it is cut from the result");
    windows[d] = {stride[d], dilation[d], padding[d], taps, input};
    shape[batched + 1 + d] = output;
  }
  const Access n = batch_of(x, batched);
  const Index g(groups), o(weight.shape[1]), c(weight.shape[0] / groups);
  const auto at = positions_of(windows), p = taps_of(windows);
  Access in = n, out = n;
  in.push_back(c.size * g + c);
  out.push_back(o.size * g + o);
  return sum(shape, joined(out, windows, at, p), x.at(joined(in, at)) * weight.at(joined({c.size * g + c, o}, p)), operands);
}

// ---- pooling

// result[n, c, i] = the sum over p of x[n, c, stride * i + p - padding], divided by a number.
template <std::size_t N>
SumDef sum_pool(const Operand& x, const Windows<N>& windows, double divisor, std::span<const Operand> operands) {
  require(
      std::isfinite(divisor) && std::isfinite(1 / divisor), [&] { return fmt::format("divisor {}", divisor); }, "Divide by the number of entries that count");
  const std::size_t batched = x.shape.rank() - N - 1;
  Access out = batch_of(x, batched);
  out.push_back(Index(x.shape[batched]));
  const auto at = positions_of(windows), p = taps_of(windows);
  Shape shape = x.shape;
  for (std::size_t d = 0; d < N; ++d) shape[batched + 1 + d] = windows[d].positions;
  return sum(shape, joined(out, at), 1 / divisor * x.at(joined(out, windows, at, p)), operands);
}

// result[n, c, i] = the largest of x[n, c, stride * i + dilation * p - padding] over p.
template <std::size_t N>
ReduceSpec max_pool(const Operand& x, const Windows<N>& windows) {
  const std::size_t batched = x.shape.rank() - N - 1;
  Access in = batch_of(x, batched);
  in.push_back(Index(x.shape[batched]));
  const auto at = positions_of(windows), p = taps_of(windows);
  return reduce_over(Reduction::max, static_cast<int>(x.shape.rank()), x, joined(in, windows, at, p));
}

// ---- windows as columns

// The windows of unfold and fold over an image of this size; PyTorch has them for two dimensions only.
inline Windows<2> column_windows(const Pair& size, const Pair& kernel_size, const Pair& dilation, const Pair& padding, const Pair& stride) {
  require_option("kernel_size", kernel_size, 1);
  require_option("dilation", dilation, 1);
  require_option("padding", padding, 0);
  require_option("stride", stride, 1);
  Windows<2> windows;
  for (std::size_t d = 0; d < 2; ++d) windows[d] = conv_window(size[d], kernel_size[d], stride[d], padding[d], padding[d], dilation[d]);
  return windows;
}

}  // namespace cotan::rows
