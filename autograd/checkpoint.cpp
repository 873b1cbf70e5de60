// A checkpoint is a call whose body is what the function recorded. It is inlined like any other; its gradient recomputes from behind barriers (rules.cpp).
#include "autograd/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/rules.h"
#include "autograd/substitution.h"
#include "autograd/tape.h"
#include "graph/builder.h"
#include "ops/error.h"

namespace cotan::functions {
namespace {

// While the function runs: notes the tensors that it uses and that were made before.
class Capturing {
 public:
  explicit Capturing(Tape& tape) : tape_(tape), outer_(std::exchange(tape.captured, &captured)) { captured.first_state = tape.states; }
  ~Capturing() { tape_.captured = outer_; }
  Capturing(const Capturing&) = delete;
  Capturing& operator=(const Capturing&) = delete;

  Tape::Captured captured;

 private:
  Tape& tape_;
  Tape::Captured* outer_;
};

void append(std::vector<Ref>& refs, const Ref& r) {
  if (std::find(refs.begin(), refs.end(), r) == refs.end()) refs.push_back(r);
}

}  // namespace

std::vector<Tensor> checkpoint(const TensorFunction& f, const std::vector<Tensor>& inputs, const SourceLine& where) {
  Tape& tape = *Tape::current();
  std::vector<Ref> operands;
  {
    const CallSite site("checkpoint", where);
    for (const Tensor& t : inputs) append(operands, use(t.state()));
  }
  std::vector<Tensor> outputs;
  {
    Capturing capturing(tape);
    outputs = f(inputs);
    const CallSite site("checkpoint", where);
    for (const Ref& r : capturing.captured.refs) append(operands, r);
  }
  const CallSite site("checkpoint", where);
  std::vector<Ref> results;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined()) fail(fmt::format("result {} is an undefined tensor", i), "Return tensors that have a value");
    results.push_back(use(outputs[i].state()));
  }
  if (results.empty()) return {};
  const std::vector<Ref> given = operands;
  // The body has to be closed: variables, draws and numbers are operands too, but not computed again.
  for (Node* n : topological(results, [&](const Node& m) { return std::any_of(given.begin(), given.end(), [&](const Ref& r) { return r.node() == &m; }); }))
    if (n->kind == Kind::leaf && n->as<LeafSpec>().role != LeafRole::iota) append(operands, Ref(n));
  const auto body = graph::make_function("checkpoint", operands, [&](std::span<const Ref> parameters) {
    Substitution inside;
    for (std::size_t k = 0; k < operands.size(); ++k) inside.replace(operands[k], parameters[k]);
    std::vector<Ref> made;
    for (const Ref& r : results) made.push_back(inside(r));
    return made;
  });
  Attributes attributes;
  attributes.set(rules::computed_again, static_cast<std::int64_t>(given.size()));
  std::vector<Tensor> returned;
  for (const Ref& r : graph::call("checkpoint", std::move(attributes), operands, body)) returned.push_back(Tensor::wrap(r, where));
  return returned;
}

}  // namespace cotan::functions
