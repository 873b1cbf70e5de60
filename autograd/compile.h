// Compiled functions: recorded once for each kind of arguments, then run without their C++ code.
//
//     const auto step = compile([&](const Tensor& x, const Tensor& y) {
//       const Tensor loss = cross_entropy(net(x), y);
//       loss.backward();
//       adam.step();
//       return loss;
//     });
//     for (const auto& [x, y] : batches) std::cout << step(x, y).item();
//
// The function is called again when an argument has another shape or type, and when a mode changes that it asked for (NoGrad, training mode, options of its
// optimizers, threads). Otherwise a call binds its arguments and the present values of variables, reads the numbers that optimizers and modules own, draws from
// the generators that it drew from, runs the graph and writes the variables.
//
// What the function may not do: read a value (item() and the like); use a tensor that is neither an argument nor made in it nor given to constant(). Both are
// Errors. Other C++ values that it captures are fixed when it is recorded, and effects on other C++ objects happen only then. With COTAN_CHECK_COMPILED=1 in
// the environment when compile() is called, it is recorded again at each call, and the first difference is an Error.
//
// Compiled functions may be called in compiled functions, and differentiated: by grad(), vjp() and jvp(), by arguments that want a gradient, and by gradients()
// and backward() of what they give inside another. There what was recorded is recorded again on the arguments at hand, without the C++ code, and compiled with
// its surroundings, by whose options. Each thread that does so calls the function once for itself. One that calls itself with arguments of the same shapes and
// types would never end, since what it does is fixed by these: an Error.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/function.h"

namespace cotan {

// How a function is compiled.
struct CompiledOptions {
  std::string passes = {};    // passes and fusions switched by name: "-fuse_kernels,+fast"
  bool fused = true;          // false: no fusion at all
  bool reproducible = false;  // the same bits for any number of threads
};

// What compile() gives holds one: the recordings of a function. A handle; copies are one.
class CompiledFunction {
 public:
  // A function with nothing recorded. Throws Error for a pass that there is not.
  CompiledFunction(const CompiledOptions& options, const SourceLine& where);

  // Throws Error where it was moved from.
  void require_state(const SourceLine& where) const;

  // The function's results: the same `body` each time. Where it is called while another function is recorded or differentiated, or with an argument by
  // which a gradient may be asked, what the body recorded is recorded there again.
  [[nodiscard]] std::vector<Tensor> call(const std::vector<Operand>& arguments, const TensorFunction& body, const SourceLine& where) const;
  // How many recordings there are that can still be run.
  [[nodiscard]] std::size_t recordings(const SourceLine& where) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// A compiled function: called as F is, with tensors. Copies share what is recorded. May be called from several threads at once; calls that run an
// optimizer's step take turns. One that was moved from can be assigned to and destroyed; any other use is an Error.
template <class F>
class Compiled {
 public:
  // Made by compile().
  Compiled(F f, const CompiledOptions& options, const SourceLine& where) : f_(std::make_shared<F>(std::move(f))), function_(options, where) {}

  // The function's results. Throws Error as the function does, for a captured tensor, and for a value that the function asks for.
  auto operator()(std::source_location where = std::source_location::current()) const
    requires std::invocable<F&>
  {
    return call<>({}, where);
  }
  auto operator()(const Operand& a) const
    requires std::invocable<F&, const Tensor&>
  {
    return call<Tensor>({a}, a.line());
  }
  auto operator()(const Operand& a, const Operand& b) const
    requires std::invocable<F&, const Tensor&, const Tensor&>
  {
    return call<Tensor, Tensor>({a, b}, a.line());
  }
  auto operator()(const Operand& a, const Operand& b, const Operand& c) const
    requires std::invocable<F&, const Tensor&, const Tensor&, const Tensor&>
  {
    return call<Tensor, Tensor, Tensor>({a, b, c}, a.line());
  }
  auto operator()(const Operand& a, const Operand& b, const Operand& c, const Operand& d) const
    requires std::invocable<F&, const Tensor&, const Tensor&, const Tensor&, const Tensor&>
  {
    return call<Tensor, Tensor, Tensor, Tensor>({a, b, c, d}, a.line());
  }
  auto operator()(const Operand& a, const Operand& b, const Operand& c, const Operand& d, const Operand& e) const
    requires std::invocable<F&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&>
  {
    return call<Tensor, Tensor, Tensor, Tensor, Tensor>({a, b, c, d, e}, a.line());
  }
  // The same of a function of a list.
  auto operator()(const std::vector<Tensor>& arguments, std::source_location where = std::source_location::current()) const
    requires std::invocable<F&, const std::vector<Tensor>&>
  {
    function_.require_state(where);
    const TensorFunction body = [this](const std::vector<Tensor>& x) { return functions::listed(*f_, x); };
    std::vector<Operand> operands;
    for (const Tensor& t : arguments) operands.emplace_back(t, where);
    return functions::unlisted<F, std::vector<Tensor>>(function_.call(operands, body, where));
  }

  // How many recordings there are that can still be run.
  [[nodiscard]] std::size_t recordings(std::source_location where = std::source_location::current()) const { return function_.recordings(where); }

 private:
  template <class... T>
  auto call(const std::vector<Operand>& arguments, const SourceLine& where) const {
    function_.require_state(where);
    return functions::unlisted<F, T...>(function_.call(arguments, functions::of_list<sizeof...(T)>(*f_), where));
  }

  std::shared_ptr<F> f_;
  CompiledFunction function_;
};

// The function, compiled. Throws Error for a pass that there is not.
template <class F>
[[nodiscard]] Compiled<std::decay_t<F>> compile(F&& f, const CompiledOptions& options = {}, std::source_location where = std::source_location::current()) {
  return Compiled<std::decay_t<F>>(std::forward<F>(f), options, where);
}

// A tensor of x's present value, computed now, that compiled functions may capture: it never changes, and no gradient flows through it. Throws Error inside a
// compiled function for an x that is not computed.
[[nodiscard]] Tensor constant(const Tensor& x, std::source_location where = std::source_location::current());

}  // namespace cotan
