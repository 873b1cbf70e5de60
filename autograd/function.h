// Functions of tensors: what compile(), grad() and the like take, and how their arguments and results become lists.
//
// Such a function takes any number of Tensors, or one std::vector<Tensor>, and gives a Tensor, a std::vector<Tensor>, a tuple, pair or array of these (of
// lists at most one), or nothing.
#pragma once

#include <concepts>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/tensor.h"

namespace cotan {

// Any of them, once arguments and results are lists.
using TensorFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

namespace functions {

// Appends the tensors of a result, tuples inside tuples too, in order.
template <class R>
void append_tensors(std::vector<Tensor>& list, R&& result) {
  using Result = std::remove_cvref_t<R>;
  if constexpr (std::same_as<Result, Tensor>)
    list.push_back(std::forward<R>(result));
  else if constexpr (std::same_as<Result, std::vector<Tensor>>)
    list.insert(list.end(), result.begin(), result.end());
  else
    std::apply([&](auto&&... each) { (append_tensors(list, std::forward<decltype(each)>(each)), ...); }, std::forward<R>(result));
}

// The results of a function as a list.
template <class R>
[[nodiscard]] std::vector<Tensor> list_of(R&& result) {
  if constexpr (std::same_as<std::remove_cvref_t<R>, std::vector<Tensor>>) {
    return std::forward<R>(result);
  } else {
    std::vector<Tensor> list;
    append_tensors(list, std::forward<R>(result));
    return list;
  }
}

// How many tensors a result has outside its list, if it has one.
template <class Result>
[[nodiscard]] consteval std::size_t tensors_beside_list() {
  if constexpr (std::same_as<Result, Tensor>)
    return 1;
  else if constexpr (std::same_as<Result, std::vector<Tensor>>)
    return 0;
  else
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return (tensors_beside_list<std::tuple_element_t<I, Result>>() + ... + 0);
    }(std::make_index_sequence<std::tuple_size_v<Result>>{});
}

// The next tensors of a list as a result; `listed` of them are in its own list.
template <class Result>
[[nodiscard]] Result next_result(std::vector<Tensor>& list, std::size_t& next, std::size_t listed) {
  if constexpr (std::same_as<Result, Tensor>) {
    return std::move(list.at(next++));
  } else if constexpr (std::same_as<Result, std::vector<Tensor>>) {
    const auto first = list.begin() + static_cast<std::ptrdiff_t>(next);
    next += listed;
    return Result(first, first + static_cast<std::ptrdiff_t>(listed));
  } else {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return Result{next_result<std::tuple_element_t<I, Result>>(list, next, listed)...};  // in braces, from left to right
    }(std::make_index_sequence<std::tuple_size_v<Result>>{});
  }
}

// And back.
template <class Result>
[[nodiscard]] Result result_of(std::vector<Tensor> list) {
  if constexpr (std::same_as<Result, std::vector<Tensor>>) {
    return list;
  } else {
    std::size_t next = 0;
    const std::size_t listed = list.size() - tensors_beside_list<Result>();
    return next_result<Result>(list, next, listed);
  }
}

// Calls a function and gives its results as a list.
template <class F, class... T>
[[nodiscard]] std::vector<Tensor> listed(F& f, const T&... arguments) {
  if constexpr (std::is_void_v<std::invoke_result_t<F&, const T&...>>) {
    f(arguments...);
    return {};
  } else {
    return list_of(f(arguments...));
  }
}

// The result of a function that was called as a list of results.
template <class F, class... T>
decltype(auto) unlisted(std::vector<Tensor> list) {
  using Result = std::invoke_result_t<F&, const T&...>;
  if constexpr (!std::is_void_v<Result>) return result_of<std::remove_cvref_t<Result>>(std::move(list));
}

// F as a function of a list of `Count` tensors; F outlives it.
template <std::size_t Count, class F>
[[nodiscard]] TensorFunction of_list(F& f) {
  return [&f](const std::vector<Tensor>& x) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) { return listed(f, x[I]...); }(std::make_index_sequence<Count>{});
  };
}

// Arguments as they were given, several tensors or one list, as a list.
template <class... T>
[[nodiscard]] std::vector<Tensor> inputs_of(const T&... x) {
  if constexpr (sizeof...(T) == 1 && (std::same_as<T, std::vector<Tensor>> && ...))
    return std::vector<Tensor>(x...);
  else
    return {static_cast<Tensor>(x)...};
}

// How many Tensors F takes, up to 8; 0 where it takes a list, or is no function of tensors.
template <class F>
[[nodiscard]] consteval std::size_t arity_of() {
  return []<std::size_t... N>(std::index_sequence<N...>) {
    std::size_t found = 0;
    auto takes = []<std::size_t... I>(std::index_sequence<I...>) {
      return std::invocable<F&, decltype((static_cast<void>(I), std::declval<const Tensor&>()))...>;
    };
    static_cast<void>(((found == 0 && takes(std::make_index_sequence<N + 1>{}) ? (found = N + 1) : found), ...));
    return found;
  }(std::make_index_sequence<8>{});
}

// Whether F is a function of tensors.
template <class F>
concept OfTensors = arity_of<F>() > 0 || std::invocable<F&, const std::vector<Tensor>&>;

// Whether F is called with such arguments: what a function of F, such as grad(F), takes. It is asked of functions of functions, so it looks at no body.
template <class F, class... T>
concept Takes = OfTensors<F> && (arity_of<F>() > 0 ? sizeof...(T) == arity_of<F>() && (std::convertible_to<const T&, Tensor> && ...)
                                                   : sizeof...(T) == 1 && (std::same_as<T, std::vector<Tensor>> && ...));

// Throws Error unless as many inputs are given as the function takes.
void require_inputs(std::size_t given, std::size_t taken);

// F as a function of a list; F outlives it.
template <OfTensors F>
[[nodiscard]] TensorFunction as_list(F& f) {
  if constexpr (arity_of<F>() == 0)
    return [&f](const std::vector<Tensor>& x) { return listed(f, x); };
  else
    return [&f](const std::vector<Tensor>& x) {
      require_inputs(x.size(), arity_of<F>());
      return of_list<arity_of<F>()>(f)(x);
    };
}

// Tensors handed over as operands. Throws Error for a number, and for an undefined tensor.
[[nodiscard]] std::vector<Tensor> tensors_of(const std::vector<Operand>& operands);

}  // namespace functions

}  // namespace cotan
