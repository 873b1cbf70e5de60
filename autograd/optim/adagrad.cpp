#include "autograd/optim/adagrad.h"

#include "autograd/optim/rule.h"

namespace cotan::optim {

using namespace formula_language;

Adagrad::Adagrad(std::vector<Variable> parameters, const AdagradOptions& options, std::source_location where) {
  const CallSite site("Adagrad", where);
  add(std::move(parameters), options);
}

void Adagrad::check(const AdagradOptions& o) const {
  require_not_negative("lr", o.lr);
  require_not_negative("lr_decay", o.lr_decay);
  require_not_negative("weight_decay", o.weight_decay);
  require_not_negative("initial_accumulator_value", o.initial_accumulator_value);
  require_not_negative("eps", o.eps);
}

void Adagrad::define(const AdagradOptions& o, Rule& rule) const {
  const Ex p = rule.parameter(), sum = rule.state("sum", o.initial_accumulator_value), eps = rule.number(o.eps);
  const Ex lr = rule.number([o](const Moment& m) { return o.lr / (1 + (m.step - 1) * o.lr_decay); });
  const auto g = rule.gradient(o.maximize, o.weight_decay);
  const Ex squares = rule.assign(sum, [&] { return sum + g() * g(); });
  rule.assign(p, [&] { return p - lr * (g() / (sqrt(squares) + eps)); });
}

}  // namespace cotan::optim
