#include "autograd/optim/sgd.h"

#include <fmt/format.h>

#include <cmath>

#include "autograd/optim/rule.h"

namespace cotan::optim {

using namespace formula_language;

SGD::SGD(std::vector<Variable> parameters, const SGDOptions& options, std::source_location where) {
  const CallSite site("SGD", where);
  add(std::move(parameters), options);
}

void SGD::check(const SGDOptions& o) const {
  require_not_negative("lr", o.lr);
  require_not_negative("momentum", o.momentum);
  require_not_negative("weight_decay", o.weight_decay);
  if (!std::isfinite(o.dampening)) fail(fmt::format("dampening {}", o.dampening), "dampening is a finite number, usually from 0 to 1");
  if (o.nesterov && (o.momentum == 0 || o.dampening != 0))
    fail(fmt::format("nesterov with momentum {} and dampening {}", o.momentum, o.dampening), "Nesterov's momentum wants a momentum above 0 and no dampening");
}

void SGD::define(const SGDOptions& o, Rule& rule) const {
  const Ex p = rule.parameter(), lr = rule.number(o.lr);
  const auto g = rule.gradient(o.maximize, o.weight_decay);
  if (o.momentum == 0) {
    rule.assign(p, [&] { return p - lr * g(); });
    return;
  }
  const Ex buffer = rule.state("momentum_buffer"), momentum = rule.number(o.momentum);
  Ex moved(0);
  if (o.dampening == 0) {
    moved = rule.assign(buffer, [&] { return momentum * buffer + g(); });  // the first time the buffer is 0
  } else {
    const Ex part = rule.number([o](const Moment& m) { return m.fresh_state ? 1 : 1 - o.dampening; });
    moved = rule.assign(buffer, [&] { return momentum * buffer + part * g(); });
  }
  rule.assign(p, [&] { return p - lr * (o.nesterov ? g() + momentum * moved : moved); });
}

}  // namespace cotan::optim
