// Distributions as formulas over uniform numbers: what graph::random() leaves become.
//
// The operands u, v, a, b are such leaves, each a draw of its own, of the result's shape (permutation: one dimension). Parameters are scalar leaves, read at
// run time: other bounds or another p compile nothing anew. The callers have checked them.
#pragma once

#include <functional>
#include <span>

#include "graph/builder.h"
#include "graph/composites/composite_options.h"

namespace cotan::graph {

// Uniform in [low, high), of u's type, which holds both; low < high, and their difference is finite in that type.
[[nodiscard]] Ref uniform_between(const Ref& u, double low, double high);

// Normal with that mean and standard deviation, of u's and v's type, by Box and Muller's transform (1958). The largest distance from the mean is that of
// u's last number: 5.8 standard deviations for f32, 8.6 for f64.
[[nodiscard]] Ref normal(const Ref& u, const Ref& v, double mean, double std);

// 1 with probability p, otherwise 0, of type dtype. u is f64; p is floating and of u's shape, or a scalar. NaN where p is not from 0 to 1, if dtype is
// floating.
[[nodiscard]] Ref bernoulli(const Ref& u, const Ref& p, DType dtype);

// The most integers that integers_between() chooses from, and the largest magnitude of its bounds.
inline constexpr std::int64_t most_integers = std::int64_t{1} << 52, largest_integer = std::int64_t{1} << 53;

// Integers low .. high - 1 of type dtype, each with the same probability to within one part in 2^48. u and v are f64.
[[nodiscard]] Ref integers_between(const Ref& u, const Ref& v, std::int64_t low, std::int64_t high, DType dtype);

// The integers 0 .. n - 1 (i32) in random order. a and b are f64 of shape (n).
[[nodiscard]] Ref permutation(const Ref& a, const Ref& b);

// The share of numbers that dropout keeps: 1 - p, rounded up to what uniform numbers of the type can tell apart (2^-24 for f32, 2^-53 for f64), so that the
// mean over all draws is x exactly.
[[nodiscard]] double kept_share(double p, DType dtype);
// What is kept is multiplied with: 1 / kept_share(p), and 0 where nothing is.
[[nodiscard]] double kept_scale(double p, DType dtype);
// x * scale where u < share, 0 elsewhere, whatever x is there. u is of x's type and shape; share and scale are of that type and rank 0.
[[nodiscard]] Ref dropout(const Ref& x, const Ref& u, const Ref& share, const Ref& scale);

// scaled_dot_product_attention of query, key, value and attn_mask (which may be empty) with its weights as that function changes them: what dropout in it is.
[[nodiscard]] Ref attention(std::span<const Ref> operands, const ScaledDotProductAttentionOptions& options, const std::function<Ref(const Ref&)>& of_weights);

}  // namespace cotan::graph
