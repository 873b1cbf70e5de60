// Walking over all index expressions of a sum.
#pragma once

#include "ops/sum_spec.h"

namespace cotan {

// Calls f(expression) for the output's expressions, then each factor's, then the guards'; they may be changed where the sum may.
template <class Spec, class F>
void for_each_expression(Spec& spec, F&& f) {
  for (auto& e : spec.output) f(e);
  for (auto& access : spec.factors)
    for (auto& e : access) f(e);
  for (auto& guard : spec.guards) f(guard.expression);
}

}  // namespace cotan
