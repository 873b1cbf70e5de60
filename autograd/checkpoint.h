// Checkpoints: less memory for more computation.
#pragma once

#include <utility>
#include <vector>

#include "autograd/function.h"

namespace cotan {

namespace functions {

// checkpoint() of lists.
[[nodiscard]] std::vector<Tensor> checkpoint(const TensorFunction& f, const std::vector<Tensor>& inputs, const SourceLine& where);

}  // namespace functions

// A function like f. Where a gradient goes through it, what it computes between its inputs and its results is computed a second time instead of being kept:
//
//     Tensor h = x;
//     for (const auto& block : blocks) h = checkpoint(block)(h);
//
// Values and gradients are those of f: random draws are the same both times, and assignments run once. f is called once; it may read variables, and capture
// tensors, which count as inputs. Not worth its while for a function that computes little between few and small results (Chen, Xu, Zhang and Guestrin,
// "Training Deep Nets with Sublinear Memory Cost", 2016).
template <functions::OfTensors F>
[[nodiscard]] auto checkpoint(F&& f, std::source_location where = std::source_location::current()) {
  return [f = std::forward<F>(f), where]<class... T>(const T&... x)
    requires functions::Takes<const std::remove_cvref_t<F>, T...>
  {
    using Held = const std::remove_cvref_t<F>;
    return functions::unlisted<Held, T...>(functions::checkpoint(functions::as_list(f), functions::inputs_of(x...), where));
  };
}

}  // namespace cotan
