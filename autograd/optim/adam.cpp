#include "autograd/optim/adam.h"

#include <cmath>

#include "autograd/optim/rule.h"

namespace cotan::optim {
namespace {

using namespace formula_language;

template <class Options>
void check_options(const Options& o) {
  require_not_negative("lr", o.lr);
  require_range("betas[0]", o.betas[0], 1, true);
  require_range("betas[1]", o.betas[1], 1, true);
  require_not_negative("eps", o.eps);
  require_not_negative("weight_decay", o.weight_decay);
}

// Both kinds; `decoupled` as AdamW.
template <class Options>
void define_rule(const Options& o, bool decoupled, Rule& rule) {
  const Ex p = rule.parameter(), exp_avg = rule.state("exp_avg"), exp_avg_sq = rule.state("exp_avg_sq");
  const Ex rest1 = rule.number(1 - o.betas[0]), beta2 = rule.number(o.betas[1]), rest2 = rule.number(1 - o.betas[1]), eps = rule.number(o.eps);
  const Ex size = rule.number([o](const Moment& m) { return o.lr / (1 - std::pow(o.betas[0], m.step)); });
  const Ex root = rule.number([o](const Moment& m) { return std::sqrt(1 - std::pow(o.betas[1], m.step)); });
  const auto g = rule.gradient(o.maximize, decoupled ? 0 : o.weight_decay);
  const Ex mean = rule.assign(exp_avg, [&] { return exp_avg + rest1 * (g() - exp_avg); });
  Ex squares = rule.assign(exp_avg_sq, [&] { return beta2 * exp_avg_sq + rest2 * (g() * g()); });
  if (o.amsgrad) {
    const Ex largest = rule.state("max_exp_avg_sq");
    squares = rule.assign(largest, [&] { return max(largest, squares); });
  }
  const bool decays = decoupled && o.weight_decay != 0;
  const Ex kept = decays ? rule.number(1 - o.lr * o.weight_decay) : Ex(1);
  rule.assign(p, [&] { return (decays ? p * kept : p) - size * (mean / (sqrt(squares) / root + eps)); });
}

}  // namespace

Adam::Adam(std::vector<Variable> parameters, const AdamOptions& options, std::source_location where) {
  const CallSite site("Adam", where);
  add(std::move(parameters), options);
}

void Adam::check(const AdamOptions& o) const { check_options(o); }
void Adam::define(const AdamOptions& o, Rule& rule) const { define_rule(o, false, rule); }

AdamW::AdamW(std::vector<Variable> parameters, const AdamWOptions& options, std::source_location where) {
  const CallSite site("AdamW", where);
  add(std::move(parameters), options);
}

void AdamW::check(const AdamWOptions& o) const { check_options(o); }
void AdamW::define(const AdamWOptions& o, Rule& rule) const { define_rule(o, true, rule); }

}  // namespace cotan::optim
