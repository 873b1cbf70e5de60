// Scalars in rows whose option names a dimension (a Dim, see ops/options.h): there a scalar counts as a vector of one entry, as in PyTorch.
#pragma once

#include <algorithm>
#include <concepts>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "graph/builder.h"

namespace cotan::graph {

// The dimension that the options name by a Dim; nothing where they have none, or leave it out.
template <class Options>
[[nodiscard]] std::optional<std::int64_t> named_dim(const Options& options) {
  if constexpr (requires {
                  { options.dim } -> std::same_as<const Dim&>;
                })
    return options.dim.value;
  else if constexpr (requires {
                       { options.dim } -> std::same_as<const std::optional<Dim>&>;
                     })
    return options.dim ? std::optional(options.dim->value) : std::nullopt;
  else
    return std::nullopt;
}

// The operand that results have the rank of.
template <class Options>
constexpr std::size_t shaped_like = std::is_same_v<Options, GatherOptions> ? 1 : 0;

// What `record` gives for the operands, scalars among them as vectors of one entry, and results that are such vectors as scalars again. Nothing where that is
// not called for: no dimension is named, no operand is a scalar, or one has more dimensions than a vector. Throws Error where the dimension is none of a
// scalar's.
template <class Options, class Record>
[[nodiscard]] std::optional<std::vector<Ref>> with_scalars_as_vectors(std::span<const Ref> operands, const Options& options, const Record& record) {
  const std::optional<std::int64_t> dim = named_dim(options);
  if (!dim) return std::nullopt;
  const auto is_scalar = [](const Ref& r) { return r && r.shape().rank() == 0; };
  if (std::none_of(operands.begin(), operands.end(), is_scalar)) return std::nullopt;
  if (std::any_of(operands.begin(), operands.end(), [](const Ref& r) { return r && r.shape().rank() > 1; })) return std::nullopt;
  if (std::all_of(operands.begin(), operands.end(), is_scalar)) require_dim_of_scalar(*dim);
  std::vector<Ref> vectors(operands.begin(), operands.end());
  for (Ref& r : vectors)
    if (is_scalar(r)) r = nested_reshape(r, {.shape = {1}});
  std::vector<Ref> results = record(std::span<const Ref>(vectors));
  if (!is_scalar(operands[shaped_like<Options>])) return results;
  for (Ref& r : results)
    if (r.shape() == Shape{1}) r = nested_reshape(r, {.shape = {}});
  return results;
}

}  // namespace cotan::graph
