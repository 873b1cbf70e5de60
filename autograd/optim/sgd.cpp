#include "autograd/optim/sgd.h"

#include <fmt/format.h>

#include "autograd/tape.h"
#include "graph/builder.h"
#include "ops/error.h"

namespace cotan::optim {

EvaluationReport SGD::step(const StepOptions& options, std::source_location where) {
  const CallSite site("step", where);
  Tape& tape = *Tape::current();
  EvaluationRequest request{{}, options.retain ? History::keep_all : History::drop, true};
  std::size_t updated = 0;
  for (const Variable& p : parameters_) {
    auto found = tape.gradients.find(p.cell().get());
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
