// Matrix products. oneDNN wants the result's n contiguous; where m is instead, the transposed product c' = b' a' is the same computation.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>

#include "backends/onednn/post_ops.h"

namespace cotan::onednn {
namespace {

using Dims = dnnl::memory::dims;

// Rows and columns of one matrix and its strides.
struct Matrix {
  std::int64_t rows, columns, row_stride, column_stride;

  [[nodiscard]] Matrix transposed() const { return {columns, rows, column_stride, row_stride}; }

  // The stride of a dimension of size 1 says nothing; the library still reads it when it looks for a fast implementation. Gives it the value that makes the
  // matrix look dense.
  [[nodiscard]] Matrix tidied() const {
    Matrix tidy = *this;
    if (columns == 1) tidy.column_stride = 1;
    if (rows == 1) tidy.row_stride = tidy.column_stride == 1 ? columns : 1;
    return tidy;
  }
};

Matrix matrix_of(std::int64_t rows, std::int64_t columns, const Shape& strides) {
  const std::size_t rank = strides.rank();
  return {rows, columns, strides[rank - 2], strides[rank - 1]};
}

// The library's layout of a matrix under batch dimensions. A stride of 0 repeats the operand along that dimension: its size there becomes 1, which the library
// broadcasts.
Layout layout_of(const Shape& batch, const Shape& strides, const Matrix& matrix) {
  Dims sizes, steps;
  for (std::size_t i = 0; i < batch.rank(); ++i) {
    sizes.push_back(strides[i] == 0 ? 1 : batch[i]);
    steps.push_back(strides[i]);
  }
  const Matrix tidy = matrix.tidied();
  sizes.insert(sizes.end(), {tidy.rows, tidy.columns});
  steps.insert(steps.end(), {tidy.row_stride, tidy.column_stride});
  std::int64_t dense = tidy.rows * tidy.columns;  // a stride for the dimensions of size 1
  for (std::size_t i = batch.rank(); i-- > 0;) {
    if (sizes[i] == 1) steps[i] = dense;
    dense *= sizes[i];
  }
  return {sizes, dnnl::memory::data_type::f32, steps};
}

// Sizes and strides without the batch dimensions of size 1: fewer dimensions reach more of the library's fast paths.
MatmulProblem without_units(const MatmulProblem& problem) {
  MatmulProblem lean = problem;
  for (std::size_t i = lean.batch.rank(); i-- > 0;) {
    if (lean.batch[i] != 1) continue;
    lean.batch.erase(i);
    lean.a_strides.erase(i);
    lean.b_strides.erase(i);
    lean.c_strides.erase(i);
    for (PostOp& op : lean.after)
      if (reads_tensor(op.kind)) op.strides.erase(i);
  }
  return lean;
}

// The first fault in the problem's strides.
Made refuse_strides(const MatmulProblem& problem) {
  for (const auto& [name, strides] : {std::pair("a", &problem.a_strides), {"b", &problem.b_strides}, {"c", &problem.c_strides}}) {
    if (strides->rank() != problem.batch.rank() + 2) {
      return refuse(Refusal::malformed, fmt::format("{} has {} strides where {} are due", name, strides->rank(), problem.batch.rank() + 2));
    }
    for (std::int64_t stride : *strides) {
      if (stride < 0) return refuse(Refusal::layout, fmt::format("{} has a negative stride ({})", name, stride));
    }
  }
  for (const PostOp& op : problem.after) {
    if (reads_tensor(op.kind) && op.strides.rank() != problem.batch.rank() + 2)
      return refuse(Refusal::malformed, fmt::format("a post-operation's tensor has {} strides where {} are due", op.strides.rank(), problem.batch.rank() + 2));
  }
  for (std::size_t i = 0; i < problem.batch.rank(); ++i) {
    if (problem.batch[i] > 1 && problem.c_strides[i] == 0) return refuse(Refusal::layout, "the result repeats along a batch dimension (stride 0)");
  }
  return {};
}

// The fault of a matrix that no fast implementation reads.
Made refuse_matrix(const char* name, const Matrix& matrix) {
  const Matrix tidy = matrix.tidied();
  if (tidy.row_stride == 0 || tidy.column_stride == 0) return refuse(Refusal::layout, fmt::format("{} repeats its elements (stride 0)", name));
  if (tidy.row_stride != 1 && tidy.column_stride != 1) {
    return refuse(Refusal::layout,
                  fmt::format("{} has neither rows nor columns contiguous (strides {} and {})", name, matrix.row_stride, matrix.column_stride));
  }
  return {};
}

// A factor of a product: a number, times numbers in memory that are the first elements of these inputs.
struct Scaling {
  float factor = 1;
  std::vector<std::size_t> numbers;
};

// What the steps multiply the product by, where all but the last do no more than that and the last one accumulates, the first with a number from memory.
std::optional<Scaling> scaling_of(std::span<const PostOp> after, std::span<const Reach> reaches) {
  if (after.size() < 2 || after.back().kind != PostOpKind::accumulate || after[0].kind != PostOpKind::mul) return std::nullopt;
  Scaling scaling;
  for (std::size_t i = 0; i + 1 < after.size(); ++i) {
    if (after[i].kind == PostOpKind::mul && reaches[i] == Reach::everything)
      scaling.numbers.push_back(2 + scaling.numbers.size());
    else if (after[i].kind == PostOpKind::linear && after[i].beta == 0)
      scaling.factor *= after[i].alpha;
    else
      return std::nullopt;
  }
  return scaling;
}

// The factors and the result of a scaled update.
struct ScaledMatrices {
  Matrix a, b, c;
};

// The greatest absolute value of a matrix, or infinity where not all of it is finite.
float greatest_of(const Matrix& matrix, const float* x) {
  float greatest = 0;
  for (std::int64_t i = 0; i < matrix.rows; ++i)
    for (std::int64_t j = 0; j < matrix.columns; ++j) {
      const float v = std::abs(x[i * matrix.row_stride + j * matrix.column_stride]);
      greatest = v <= greatest ? greatest : std::isfinite(v) ? v : std::numeric_limits<float>::infinity();
    }
  return greatest;
}

// What is left of c += 0 * a * b: NaN where the product is not finite.
void add_zero_times_product(const ScaledMatrices& matrices, const float* a, const float* b, float* c) {
  const auto& [of_a, of_b, of_c] = matrices;
  const double bound = static_cast<double>(greatest_of(of_a, a)) * static_cast<double>(greatest_of(of_b, b)) * static_cast<double>(of_a.columns);
  if (bound <= static_cast<double>(std::numeric_limits<float>::max())) return;
  for (std::int64_t i = 0; i < of_c.rows; ++i)
    for (std::int64_t j = 0; j < of_c.columns; ++j) {
      double product = 0;
      for (std::int64_t k = 0; k < of_a.columns; ++k)
        product += static_cast<double>(a[i * of_a.row_stride + k * of_a.column_stride]) * static_cast<double>(b[k * of_b.row_stride + j * of_b.column_stride]);
      if (!std::isfinite(static_cast<float>(product))) c[i * of_c.row_stride + j * of_c.column_stride] = std::numeric_limits<float>::quiet_NaN();
    }
}

// c += s * a * b: for products that the library does not scale by post-operations on the way to an output that it adds to; s becomes a factor of the product
// itself. With a factor of 0 the library leaves c as it is, whatever the product would be; what follows sees to that. The library's first
// input is input `first`.
Made make_scaled(const Layout& a, const Layout& b, const Layout& c, const ScaledMatrices& matrices, std::size_t first, Scaling scaling) {
  const Descriptor descriptor = describe_scaled_update(a, b, c);
  if (is_reference(descriptor)) return refuse_reference(descriptor, "a scaled update");
  auto program = std::make_unique<Program>();
  program->set_afterwards([matrices, first, scaling](std::span<const void* const> inputs, std::span<void* const> outputs) {
    float number = scaling.factor;
    for (std::size_t input : scaling.numbers) number *= *static_cast<const float*>(inputs[input]);
    if (number != 0) return;
    const auto matrix = [&](std::size_t input) { return static_cast<const float*>(inputs[input]); };
    add_zero_times_product(matrices, matrix(first), matrix(1 - first), static_cast<float*>(outputs[0]));
  });
  const Place number = program->multiply(std::move(scaling.numbers), scaling.factor);
  program->append(descriptor, {{DNNL_ARG_SRC, a, {Place::In::input, first}},
                               {DNNL_ARG_WEIGHTS, b, {Place::In::input, 1 - first}},
                               {DNNL_ARG_DST, c, {Place::In::output}},
                               {scaled_update_number(), Layout({1}, dnnl::memory::data_type::f32, Dims{1}), number}});
  program->set_implementation(fmt::format("{}, scaled", descriptor.impl_info_str()));
  return {.primitive = std::make_shared<const Primitive>(std::move(program)), .refusal = Refusal::none, .reason = {}};
}

}  // namespace

Made Primitive::make(const MatmulProblem& given) {
  if (Made refused = refuse_common(given.dtype, {given.batch, Shape{given.m, given.n, given.k}}); refused.refusal != Refusal::none) return refused;
  if (Made refused = refuse_strides(given); refused.refusal != Refusal::none) return refused;
  if (Made refused = refuse_steps(given.after); refused.refusal != Refusal::none) return refused;
  const MatmulProblem problem = without_units(given);

  Matrix a = matrix_of(problem.m, problem.k, problem.a_strides);
  Matrix b = matrix_of(problem.k, problem.n, problem.b_strides);
  Matrix c = matrix_of(problem.m, problem.n, problem.c_strides);
  for (const auto& [name, matrix] : {std::pair("a", &a), {"b", &b}, {"c", &c}}) {
    if (Made refused = refuse_matrix(name, *matrix); refused.refusal != Refusal::none) return refused;
  }
  const bool transposed = c.tidied().column_stride != 1;
  Shape a_strides = problem.a_strides, b_strides = problem.b_strides;
  if (transposed) {
    std::swap(a, b);
    std::swap(a_strides, b_strides);
    a = a.transposed();
    b = b.transposed();
    c = c.transposed();
  }

  // What the post-operations see: the result's sizes and strides, its rows and columns exchanged where the product is.
  Shape sizes = problem.batch, c_strides = problem.c_strides;
  for (std::int64_t size : {c.rows, c.columns}) sizes.push_back(size);
  const std::size_t last = sizes.rank() - 1;
  std::vector<PostOp> after = problem.after;
  std::vector<Reach> reaches;
  if (transposed) std::swap(c_strides[last - 1], c_strides[last]);
  for (PostOp& op : after) {
    reaches.push_back(Reach::everything);
    if (!reads_tensor(op.kind)) continue;
    if (transposed) std::swap(op.strides[last - 1], op.strides[last]);
    const std::optional<Reach> reach = reach_of(sizes, op.strides, last);
    if (!reach) return refuse(Refusal::layout, "a post-operation's tensor repeats along some dimensions of the result and not along others");
    reaches.back() = *reach;
    if (*reach != Reach::entry) continue;
    for (std::size_t i = 0; i <= last; ++i)
      if (sizes[i] > 1 && op.strides[i] != c_strides[i]) return refuse(Refusal::layout, "a post-operation's tensor is not laid out like the result");
  }

  return make_held([&]() -> Made {
    const Layout a_layout = layout_of(problem.batch, a_strides, a);
    const Layout b_layout = layout_of(problem.batch, b_strides, b);
    const Layout c_layout = layout_of(problem.batch, problem.c_strides, c);
    const PostOpTarget target{Dims(sizes.begin(), sizes.end()), last, c_layout};
    const auto made = [&](bool biased) -> Made {
      const std::size_t rank = sizes.rank();
      const AttachedPostOps attached = attach(after, reaches, target, biased ? std::optional(rank) : std::nullopt);
      const std::optional<Layout> bias = biased ? std::optional(bias_layout(target, rank)) : std::nullopt;
      const Descriptor descriptor = describe_matmul(a_layout, b_layout, bias ? &*bias : nullptr, c_layout, attached.ops);
      if (is_reference(descriptor)) return refuse_reference(descriptor, fmt::format("a matrix product of these sizes and strides{}", text_of(after)).c_str());
      auto program = std::make_unique<Program>();
      std::vector<Program::Argument> arguments{{DNNL_ARG_SRC, a_layout, {Place::In::input, transposed ? 1u : 0u}},
                                               {DNNL_ARG_WEIGHTS, b_layout, {Place::In::input, transposed ? 0u : 1u}},
                                               {DNNL_ARG_DST, c_layout, {Place::In::output}}};
      for (const auto& tensor : attached.tensors) arguments.push_back({tensor.name, tensor.layout, {Place::In::input, tensor.input}});
      program->append(descriptor, std::move(arguments));
      program->set_implementation(fmt::format("{}{}", descriptor.impl_info_str(), transposed ? ", transposed product" : ""));
      return {.primitive = std::make_shared<const Primitive>(std::move(program)), .refusal = Refusal::none, .reason = {}};
    };
    // The library reads a bias while it stores, at no cost; as an addition it takes one or two percent. Not every implementation has one.
    if (starts_with_bias(after, reaches)) {
      try {
        if (Made biased = made(true)) return biased;
      } catch (const dnnl::error&) {
      }
    }
    Made direct = made(false);
    std::optional<Scaling> scaling = problem.batch.empty() ? scaling_of(after, reaches) : std::nullopt;
    if (direct || !scaling) return direct;
    Made scaled = make_scaled(a_layout, b_layout, c_layout, {a, b, c}, transposed ? 1 : 0, std::move(*scaling));
    return scaled ? scaled : direct;
  });
}

}  // namespace cotan::onednn
