// What a sum computes, told from its index expressions alone.
//
// A sum node says nothing of matrix products or convolutions; it has accesses. Whether a library's primitive computes the same follows from which index occurs
// in which tensor, and from how. Every gradient of every order is again such a sum, so nothing here knows about gradients.
//
//   as_matmul        the sum as a product of matrices: which indices are batch, m, n and k
//   as_convolution   the sum as a convolution in one of three directions: which tensor and which index plays which role
//   as_pooling       a sum of one factor, or a maximum, as a pooling over windows, and either's gradient
//   recognise        the class of the sum, for reports and for the order in which backends try
//   arrange          a product's groups of indices as sizes and strides of given views
//
// Two words: an access is *viewable* where it is affine and in range over the whole domain, so that it is a base and strides; it is *radix* where, in every
// dimension, each coefficient exceeds what the smaller terms can reach, so that the dimension is a product of its indices' ranges. A recognised tensor is both
// (but for the windows of a convolution) and uses each index in one dimension only.
//
// The coefficient of the sum is nobody's condition here: who claims a sum looks at it himself.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph/kernel.h"
#include "graph/node.h"
#include "ops/sum_spec.h"

namespace cotan {

// A sum's tensors by number: 0 is the output, 1 the first factor, 2 the second.
constexpr int output_tensor = 0;

// c[batch, m, n] = sum over k of a[batch, m, k] * b[batch, k, n]. Groups hold indices of the domain; any of them but k may be empty (a size of 1).
struct MatmulForm {
  std::vector<int> batch, m, n, k;
  int a = 1, b = 2;  // tensors
  bool operator==(const MatmulForm&) const = default;
};

// source position = stride * position + dilation * tap - padding, in one dimension of the source.
struct ConvolutionWindow {
  int dimension = 0;  // of the source
  int position = -1;  // the index that counts the result's positions; -1: there is one
  int tap = -1;       // the index that counts the kernel's taps; -1: there is one
  std::int64_t stride = 1, dilation = 1;
  std::int64_t padding = 0;  // negative: so many first entries of the source are never met
  bool operator==(const ConvolutionWindow&) const = default;
};

enum class ConvolutionOutput : std::uint8_t { result, source, weights };  // which tensor the sum computes: forward, backward-data, backward-weights

// result[batch, group, out, position] = sum over in and tap of source[batch, group, in, stride * position + dilation * tap - padding] *
// weights[group, out, in, tap], or either of the two sums with the same product that compute the source's or the weights' part. Source positions out of range
// count for nothing.
struct ConvolutionForm {
  ConvolutionOutput output = ConvolutionOutput::result;
  int source = 1, weights = 2, result = 0;                    // tensors
  std::vector<ConvolutionWindow> windows;                     // 1 to 3, in order of the source's dimensions
  std::vector<int> batch, groups, in_channels, out_channels;  // indices of the domain
  bool operator==(const ConvolutionForm&) const = default;
};

// A pooling over windows: source[batch, stride * position + dilation * tap - padding] is met by result[batch, position], positions out of range counting for
// nothing. Both tensors have the batch's dimensions first, then the windows' in the same order, then channels; `gradient`: the source's part is computed from
// the result's.
struct PoolingWindows {
  bool gradient = false;
  std::int64_t batch = 1;           // of all dimensions in front of the windows
  std::int64_t channels = 1;        // of those behind them, where there are some in front
  Shape input, kernel, output;      // 1 to 3 windows
  Shape stride, dilation, padding;  // one for each window
  bool operator==(const PoolingWindows&) const = default;
};

// ---- the other classes

struct FillForm {};  // no factor: the coefficient everywhere
struct MaskForm {};  // no factor: the coefficient times a count of points
struct ViewForm {
  bool repeats = false;  // a broadcast: an index of the output that the factor does not have
};
struct PlacedCopyForm {};  // one factor, each entry at most once; padded, cut or guarded
struct ReductionForm {
  std::vector<int> over;
};
struct PoolingForm {
  bool gradient = false;  // windows in the output rather than in the factor
};
struct GatherForm {};   // a table's entry in a factor
struct ScatterForm {};  // a table's entry in the output
struct ProductForm {};  // several factors and nothing summed over: elementwise and outer products
struct GenericForm {
  std::string why;
};

using SumForm = std::variant<MatmulForm, ConvolutionForm, FillForm, MaskForm, ViewForm, PlacedCopyForm, ReductionForm, PoolingForm, GatherForm, ScatterForm,
                             ProductForm, GenericForm>;
// "matmul", "convolution", "backward-data convolution", "strided view", ...
[[nodiscard]] std::string_view name_of(const SumForm& form);

// The shapes of a sum's tensors: the output's, then each factor's.
using TensorShapes = std::vector<Shape>;
[[nodiscard]] TensorShapes tensor_shapes(const Node& sum);

// The class of the sum. A sum that is both a product and a convolution (a kernel as large as its stride cuts a dimension into two) is a product where dense
// tensors make it one product of matrices, or where nothing moves along a window.
[[nodiscard]] SumForm recognise(const SumSpec& spec, const TensorShapes& shapes);
[[nodiscard]] SumForm recognise(const Node& sum);

// Two factors, no guard, all three tensors viewable and radix, the output covered, every index in at least two tensors, something summed over.
[[nodiscard]] std::optional<MatmulForm> as_matmul(const SumSpec& spec, const TensorShapes& shapes);

// Two factors, no guard, exactly one tensor with windows, of which alone the windows may clip; every index in at least two tensors; the output covered, but
// for windows. Several readings fit one sum, since stride and dilation, batch and input channels may change places: the first one has the smallest kernel.
[[nodiscard]] std::vector<ConvolutionForm> as_convolution(const SumSpec& spec, const TensorShapes& shapes);

// A sum of one affine factor in which something slides: a tap moves along a window of some position. No guard.
[[nodiscard]] std::optional<PoolingWindows> as_pooling(const SumSpec& spec, const TensorShapes& shapes);
// A maximum likewise.
[[nodiscard]] std::optional<PoolingWindows> as_pooling(const ReduceSpec& spec, const Shape& x);

// A maximum's gradient: out[x's access at (o, position[o])] += coefficient * g[o], `position` being the argmax of that access, and g of the maximum's shape.
struct ExtremeGradient {
  Ref x;
  ReduceSpec max;  // the maximum of x whose gradient it is
};
// Whether a sum is one. This is the one place that says what it takes; what it answers may be computed by a primitive, and be masked before as well as behind.
[[nodiscard]] std::optional<ExtremeGradient> as_max_gradient(const Node& sum);

// Whether each window of the reduction is known to hold an entry of x: false for a window in padding alone, and where it cannot be told.
[[nodiscard]] bool every_window_meets(const ReduceSpec& spec, const Shape& x);

// ---- strides

// Where an access starts in a view (in elements after the view's first), and how far one step of each index of the domain moves.
struct IndexSteps {
  std::int64_t base = 0;
  std::vector<std::int64_t> of;
};
// `skip`: dimensions of the tensor that are left out, those of a convolution's windows.
[[nodiscard]] IndexSteps index_steps(const Access& access, const Shape& strides, std::size_t indices, std::span<const int> skip = {});

// Indices that move as one in all three tensors: so many steps, and how far one step goes in each tensor (0 where the tensor does not have them).
struct IndexRun {
  std::int64_t size = 1;
  std::array<std::int64_t, 3> strides{};
  bool operator==(const IndexRun&) const = default;
};
// The group as few runs, those with the widest steps first; none for indices of size 1 only. `steps` of the three tensors in any order, the runs' order.
[[nodiscard]] std::vector<IndexRun> runs_of(std::span<const int> group, const Domain& domain, const std::array<const IndexSteps*, 3>& steps);

// A product of matrices over views, its strides those of c, a, b: one run each for m, n and k; runs of m and n that do not join them are further batches, runs
// of k that do not are a loop around the products, which accumulates.
struct Arrangement {
  IndexRun m, n, k;
  std::vector<IndexRun> batch, k_loop;
  std::array<std::int64_t, 3> base{};
  int a = 1, b = 2;    // tensors; n is contiguous in c wherever it can be
  bool whole = false;  // one run for each group: nothing was added to the batch, no loop
};
// The best arrangement in which each matrix has a contiguous row or column and no entry twice; nothing where there is none.
// `strides` of the three tensors.
[[nodiscard]] std::optional<Arrangement> arrange(const MatmulForm& form, const SumSpec& spec, const std::array<Shape, 3>& strides);

// Whether a sum with both forms should be tried as a convolution first, given its tensors' strides.
[[nodiscard]] bool convolution_first(const ConvolutionForm& convolution, const std::optional<MatmulForm>& matmul, const SumSpec& spec,
                                     const std::array<Shape, 3>& strides);

}  // namespace cotan
