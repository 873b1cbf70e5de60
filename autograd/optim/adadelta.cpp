#include "autograd/optim/adadelta.h"

#include "autograd/optim/rule.h"

namespace cotan::optim {

using namespace formula_language;

Adadelta::Adadelta(std::vector<Variable> parameters, const AdadeltaOptions& options, std::source_location where) {
  const CallSite site("Adadelta", where);
  add(std::move(parameters), options);
}

void Adadelta::check(const AdadeltaOptions& o) const {
  require_not_negative("lr", o.lr);
  require_range("rho", o.rho, 1);
  require_not_negative("eps", o.eps);
  require_not_negative("weight_decay", o.weight_decay);
}

void Adadelta::define(const AdadeltaOptions& o, Rule& rule) const {
  const Ex p = rule.parameter(), square_avg = rule.state("square_avg"), acc_delta = rule.state("acc_delta");
  const Ex lr = rule.number(o.lr), eps = rule.number(o.eps), rho = rule.number(o.rho), rest = rule.number(1 - o.rho);
  const auto g = rule.gradient(o.maximize, o.weight_decay);
  const Ex squares = rule.assign(square_avg, [&] { return rho * square_avg + rest * (g() * g()); });
  // Computed once, so that each update reads only the old value that it replaces, and all of them can be done in place.
  const Ex delta = rule.compute([&] { return sqrt(acc_delta + eps) / sqrt(squares + eps) * g(); });
  rule.assign(acc_delta, [&] { return rho * acc_delta + rest * (delta * delta); });
  rule.assign(p, [&] { return p - lr * delta; });
}

}  // namespace cotan::optim
