#include "autograd/transforms.h"

#include <fmt/format.h>

#include "autograd/derivatives.h"
#include "autograd/ops.h"
#include "autograd/substitution.h"
#include "autograd/tape.h"
#include "ops/error.h"

namespace cotan::functions {
namespace {

// A function called on tensors that stand for its inputs, so that derivatives by the inputs are by nothing else.
class Called {
 public:
  Called(const char* name, const TensorFunction& f, const std::vector<Tensor>& inputs, const SourceLine& where) : where_(where) {
    {
      const CallSite site(name, where);
      for (const Tensor& t : inputs) {
        given_.push_back(use(t.state()));
        Tensor stand_in = Tensor::wrap(data_leaf(t.state()->storage(), t.dtype(), t.shape()), t.state()->line);
        if (stand_in.is_evaluated() && is_floating(t.dtype())) stand_in.requires_grad_();  // what f computes in between keeps its history
        wrt.emplace_back(stand_in, location_);
        inside.push_back(std::move(stand_in));
      }
    }
    const std::size_t pending = tape_.pending.size();
    ++tape_.differentiating;
    try {
      outputs = f(inside);
    } catch (...) {
      --tape_.differentiating;
      throw;
    }
    --tape_.differentiating;
    const CallSite site(name, where);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (!outputs[i].defined()) fail(fmt::format("result {} is an undefined tensor", i), "Return tensors that have a value");
    for (std::size_t i = 0; i < inside.size(); ++i) back_.replace(inside[i].state()->ref, given_[i]);
    for (std::size_t i = pending; i < tape_.pending.size(); ++i) tape_.pending[i].next = back_(tape_.pending[i].next);
  }

  // Results of the function or of its derivatives, with the inputs themselves in place of what stood for them.
  [[nodiscard]] std::vector<Tensor> at_inputs(const std::vector<Tensor>& tensors) {
    std::vector<Tensor> all;
    for (const Tensor& t : tensors) all.push_back(Tensor::wrap(back_(use(t.state())), where_));
    return all;
  }

  // The only result, a floating scalar.
  const Tensor& scalar() const {
    if (outputs.size() != 1) fail(fmt::format("a function of {} results", outputs.size()), "Differentiate one that returns one floating scalar, or use vjp");
    if (!is_floating(outputs[0].dtype()) || outputs[0].numel() != 1)
      fail(fmt::format("a function whose result is {} {}, no floating scalar", name_of(outputs[0].dtype()), outputs[0].shape().text()),
           "Sum it, take its mean, or use vjp with a cotangent");
    return outputs[0];
  }

  std::vector<Tensor> inside, outputs;
  std::vector<Operand> wrt;  // inside

 private:
  Tape& tape_ = *Tape::current();
  SourceLine where_;
  std::source_location location_ = std::source_location::current();
  std::vector<Ref> given_;
  Substitution back_;
};

// One element 1, the others 0.
Tensor unit(const Tensor& like, std::int64_t at) {
  const Tensor flat = cast(arange(like.numel(), i64) == at, like.dtype());
  return reshape(flat, ReshapeOptions{.shape = Sizes(like.shape().begin(), like.shape().end())});
}

}  // namespace

VjpResult vjp(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& cotangents, const SourceLine& where) {
  Called called("vjp", f, inputs, where);
  const CallSite site("vjp", where);
  const std::vector<Tensor> found = derivatives::vjp(called.outputs, cotangents, called.wrt);
  return {called.at_inputs(called.outputs), called.at_inputs(found)};
}

JvpResult jvp(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& tangents, const SourceLine& where) {
  Called called("jvp", f, inputs, where);
  const CallSite site("jvp", where);
  const std::vector<Tensor> found = derivatives::jvp(called.outputs, called.wrt, tangents);
  return {called.at_inputs(called.outputs), called.at_inputs(found)};
}

std::pair<Tensor, std::vector<Tensor>> value_with_gradients(const char* name, const TensorFunction& f, const std::vector<Tensor>& inputs,
                                                            const SourceLine& where) {
  Called called(name, f, inputs, where);
  const CallSite site(name, where);
  const std::vector<Tensor> found = derivatives::gradients(called.scalar(), called.wrt);
  return {called.at_inputs({called.outputs[0]})[0], called.at_inputs(found)};
}

std::vector<Tensor> hvp(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& vectors, const SourceLine& where) {
  {
    const CallSite site("hvp", where);
    if (vectors.size() != inputs.size()) fail(fmt::format("{} vectors for {} inputs", vectors.size(), inputs.size()), "Give one for each input");
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Ref v = use(vectors[i].state()), x = use(inputs[i].state());
      if (v.shape() != x.shape() || v.dtype() != x.dtype())
        fail(fmt::format("vector {} of {} {} for an input of {} {}", i, name_of(v.dtype()), v.shape().text(), name_of(x.dtype()), x.shape().text()),
             "Both have the same shape and type");
    }
  }
  Called called("hvp", f, inputs, where);
  const CallSite site("hvp", where);
  return called.at_inputs(derivatives::jvp(derivatives::gradients(called.scalar(), called.wrt), called.wrt, vectors));
}

Tensor jacobian(const TensorFunction& f, const Tensor& x, const SourceLine& where) {
  Called called("jacobian", f, {x}, where);
  const CallSite site("jacobian", where);
  if (called.outputs.size() != 1) fail(fmt::format("a function of {} results", called.outputs.size()), "Differentiate one that returns one tensor");
  const Tensor& y = called.outputs[0];
  Sizes sizes(y.shape().begin(), y.shape().end());
  sizes.insert(sizes.end(), x.shape().begin(), x.shape().end());
  const std::int64_t rows = y.numel(), columns = x.numel();
  if (rows == 0 || columns == 0) return zeros(Shape(std::span<const std::int64_t>(sizes)), y.dtype());
  const bool by_rows = rows <= columns;
  std::vector<Tensor> products;
  for (std::int64_t i = 0; i < (by_rows ? rows : columns); ++i) {
    const Tensor one = by_rows ? derivatives::vjp({y}, {unit(y, i)}, called.wrt)[0] : derivatives::jvp({y}, called.wrt, {unit(x, i)})[0];
    products.push_back(by_rows ? reshape(one, {1, columns}) : reshape(one, {rows, 1}));
  }
  const Tensor table = products.size() == 1 ? products[0] : concat(products, {.dim = by_rows ? 0 : 1});
  return called.at_inputs({reshape(table, ReshapeOptions{.shape = sizes})})[0];
}

}  // namespace cotan::functions
