// Adadelta: steps in the units of the parameter, by running means of squared gradients and of squared updates.
#pragma once

#include "autograd/optim/optimizer.h"

namespace cotan::optim {

// Options of Adadelta.
struct AdadeltaOptions {
  double lr = 1;            // scales the update
  double rho = 0.9;         // how much of the running means is kept at each step
  double eps = 1e-6;        // added under the roots
  double weight_decay = 0;  // times the parameter is added to the gradient
  bool maximize = false;    // ascends
};

// s <- rho * s + (1 - rho) * gradient^2, d = sqrt(a + eps) / sqrt(s + eps) * gradient, a <- rho * a + (1 - rho) * d^2, p <- p - lr * d (Zeiler 2012).
class Adadelta final : public OptimizerWith<AdadeltaOptions> {
 public:
  // A parameter named twice counts once. Throws Error for no parameters, for one that is undefined or not floating, and for an option out of range.
  explicit Adadelta(std::vector<Variable> parameters, const AdadeltaOptions& options = {}, std::source_location where = std::source_location::current());

 private:
  void check(const AdadeltaOptions& o) const override;
  void define(const AdadeltaOptions& o, Rule& rule) const override;
};

}  // namespace cotan::optim
