// Functions on functions: derivatives of C++ functions of tensors, to any order.
//
//     auto f = [](const Tensor& x) { return sum(sin(x)); };
//     Tensor slope = grad(f)(x);                        // cos(x)
//     Tensor bend = grad([&](const Tensor& x) { return sum(grad(f)(x)); })(x);
//     auto [y, gradients] = vjp(f, {x}, {cotangent});
//
// f is called once, on tensors that stand for the inputs, and what it records is differentiated; nothing is computed. The derivatives are by the inputs alone:
// what f captures counts as constant, the same tensor captured too. They may be compiled, and f may be a compiled function.
#pragma once

#include <array>
#include <utility>
#include <vector>

#include "autograd/function.h"

namespace cotan {

// What vjp() of a function gives.
struct VjpResult {
  std::vector<Tensor> outputs;    // the function's results
  std::vector<Tensor> gradients;  // of the sum over outputs of <cotangent, output>, by each input
};
// What jvp() of a function gives.
struct JvpResult {
  std::vector<Tensor> outputs;   // the function's results
  std::vector<Tensor> tangents;  // of each output, as the inputs move along theirs
};

namespace functions {

// The functions below, of lists.
[[nodiscard]] VjpResult vjp(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& cotangents, const SourceLine& where);
[[nodiscard]] JvpResult jvp(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& tangents, const SourceLine& where);
[[nodiscard]] std::pair<Tensor, std::vector<Tensor>> value_with_gradients(const char* name, const TensorFunction& f, const std::vector<Tensor>& inputs,
                                                                          const SourceLine& where);
[[nodiscard]] std::vector<Tensor> hvp(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& vectors, const SourceLine& where);
[[nodiscard]] Tensor jacobian(const TensorFunction& f, const Tensor& x, const SourceLine& where);

// Gradients as they are returned: one by one input, a list by a list, else an array.
template <class... T>
[[nodiscard]] auto gradients_of(std::vector<Tensor> all) {
  if constexpr (sizeof...(T) == 1 && (std::same_as<T, std::vector<Tensor>> && ...))
    return all;
  else if constexpr (sizeof...(T) == 1)
    return std::move(all[0]);
  else
    return result_of<std::array<Tensor, sizeof...(T)>>(std::move(all));
}

}  // namespace functions

// The results of f at the inputs, and the products of cotangents, one for each result and shaped and typed like it, with the Jacobian. Throws Error where f
// throws, and where shapes, types or counts do not fit.
template <functions::OfTensors F>
[[nodiscard]] VjpResult vjp(F&& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& cotangents,
                            std::source_location where = std::source_location::current()) {
  return functions::vjp(functions::as_list(f), inputs, cotangents, where);
}

// The results of f at the inputs, and the products of the Jacobian with tangents, one for each input and shaped and typed like it, by forward mode.
template <functions::OfTensors F>
[[nodiscard]] JvpResult jvp(F&& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& tangents,
                            std::source_location where = std::source_location::current()) {
  return functions::jvp(functions::as_list(f), inputs, tangents, where);
}

// The function that gives f's value, a floating scalar, and its gradients: one by f's only argument, a list where f takes a list, else an array.
template <functions::OfTensors F>
[[nodiscard]] auto value_and_grad(F&& f, std::source_location where = std::source_location::current()) {
  return [f = std::forward<F>(f), where]<class... T>(const T&... x)
    requires functions::Takes<const std::remove_cvref_t<F>, T...>
  {
    auto [value, all] = functions::value_with_gradients("value_and_grad", functions::as_list(f), functions::inputs_of(x...), where);
    return std::pair(std::move(value), functions::gradients_of<T...>(std::move(all)));
  };
}

// The function that gives the gradients alone, as value_and_grad() does.
template <functions::OfTensors F>
[[nodiscard]] auto grad(F&& f, std::source_location where = std::source_location::current()) {
  return [f = std::forward<F>(f), where]<class... T>(const T&... x)
    requires functions::Takes<const std::remove_cvref_t<F>, T...>
  {
    return functions::gradients_of<T...>(functions::value_with_gradients("grad", functions::as_list(f), functions::inputs_of(x...), where).second);
  };
}

// The products of the Hessian of f, whose value is a floating scalar, with vectors shaped and typed like the inputs: forward mode over reverse mode, at the
// cost of a few gradients (Pearlmutter, "Fast Exact Multiplication by the Hessian", Neural Computation 6, 1994).
template <functions::OfTensors F>
[[nodiscard]] std::vector<Tensor> hvp(F&& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& vectors,
                                      std::source_location where = std::source_location::current()) {
  return functions::hvp(functions::as_list(f), inputs, vectors, where);
}

// All derivatives of f's only result by its only argument, shaped (result's sizes..., x's sizes...): as many products as the smaller of the two has elements.
template <functions::OfTensors F>
[[nodiscard]] Tensor jacobian(F&& f, const Tensor& x, std::source_location where = std::source_location::current()) {
  return functions::jacobian(functions::as_list(f), x, where);
}

}  // namespace cotan
