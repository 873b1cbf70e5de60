#include "autograd/optim/sgd.h"

#include <fmt/format.h>

#include <unordered_set>

#include "autograd/tape.h"
#include "graph/builder.h"
#include "ops/error.h"

namespace cotan::optim {

SGD::SGD(std::vector<Variable> parameters, Options options, std::source_location where) : options_(options) {
  const CallSite site("SGD", where);
  if (parameters.empty()) fail("no parameters", "Name the variables to be updated");
  std::unordered_set<const Cell*> seen;
  for (Variable& p : parameters) {
    if (!p.cell()) fail("an undefined variable among the parameters", "Give it a name and a value first; a default-constructed Variable is no variable");
    if (seen.insert(p.cell().get()).second) parameters_.push_back(std::move(p));
  }
}

EvaluationReport SGD::step(const StepOptions& options, std::source_location where) {
  const CallSite site("step", where);
  Tape& tape = *Tape::current();
  EvaluationRequest request{{}, options.retain ? History::keep_all : History::drop, true};
  std::size_t updated = 0;
  for (const Variable& p : parameters_) {
    auto found = tape.gradients.find(p.cell()->id);
    if (found == tape.gradients.end() || found->second.consumed.line > 0) continue;
    Tape::Gradient& gradient = found->second;
    const Ref now = tape.read(p.cell());
    // The learning rate is the optimizer's own number: an operand whatever its value.
    const Ref lr = graph::scalar(options_.lr, p.dtype());
    tape.assign(p.cell(), graph::sub(now, graph::mul(lr, gradient.tensor.state()->ref)), where);
    ++updated;
    if (options.keep_gradients)
      request.wanted.push_back(gradient.tensor.state());
    else
      gradient = {Tensor(), where};
  }
  if (updated == 0) fail("no parameter has a gradient", "Call backward() on a loss that depends on them first");
  run_evaluation(tape, request, where);
  return tape.report;
}

void SGD::zero_grad() {
  for (const Variable& p : parameters_) p.zero_grad();
}

}  // namespace cotan::optim
