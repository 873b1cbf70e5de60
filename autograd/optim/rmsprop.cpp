#include "autograd/optim/rmsprop.h"

#include "autograd/optim/rule.h"

namespace cotan::optim {

using namespace formula_language;

RMSprop::RMSprop(std::vector<Variable> parameters, const RMSpropOptions& options, std::source_location where) {
  const CallSite site("RMSprop", where);
  add(std::move(parameters), options);
}

void RMSprop::check(const RMSpropOptions& o) const {
  require_not_negative("lr", o.lr);
  require_range("alpha", o.alpha, 1);
  require_not_negative("eps", o.eps);
  require_not_negative("weight_decay", o.weight_decay);
  require_not_negative("momentum", o.momentum);
}

void RMSprop::define(const RMSpropOptions& o, Rule& rule) const {
  const Ex p = rule.parameter(), square_avg = rule.state("square_avg");
  const Ex lr = rule.number(o.lr), eps = rule.number(o.eps), alpha = rule.number(o.alpha), rest = rule.number(1 - o.alpha);
  const auto g = rule.gradient(o.maximize, o.weight_decay);
  const Ex squares = rule.assign(square_avg, [&] { return alpha * square_avg + rest * (g() * g()); });
  Ex mean(0);
  if (o.centered) {
    const Ex grad_avg = rule.state("grad_avg");
    mean = rule.assign(grad_avg, [&] { return grad_avg + rest * (g() - grad_avg); });
  }
  auto direction = [&] { return g() / (sqrt(o.centered ? squares - mean * mean : squares) + eps); };
  if (o.momentum == 0) {
    rule.assign(p, [&] { return p - lr * direction(); });
    return;
  }
  const Ex buffer = rule.state("momentum_buffer"), momentum = rule.number(o.momentum);
  const Ex moved = rule.assign(buffer, [&] { return momentum * buffer + direction(); });
  rule.assign(p, [&] { return p - lr * moved; });
}

}  // namespace cotan::optim
