// Adagrad: steps shrink with the sum of all squared gradients.
#pragma once

#include "autograd/optim/optimizer.h"

namespace cotan::optim {

// Options of Adagrad.
struct AdagradOptions {
  double lr = 1e-2;                      // the learning rate
  double lr_decay = 0;                   // the n-th step's rate is lr / (1 + (n - 1) * lr_decay)
  double weight_decay = 0;               // times the parameter is added to the gradient
  double initial_accumulator_value = 0;  // where the sums of squares start
  double eps = 1e-10;                    // added to the denominator
  bool maximize = false;                 // ascends
};

// s <- s + gradient^2, p <- p - lr / (1 + (n - 1) * lr_decay) * gradient / (sqrt(s) + eps) (Duchi, Hazan and Singer 2011).
class Adagrad final : public OptimizerWith<AdagradOptions> {
 public:
  // A parameter named twice counts once. Throws Error for no parameters, for one that is undefined or not floating, and for an option out of range.
  explicit Adagrad(std::vector<Variable> parameters, const AdagradOptions& options = {}, std::source_location where = std::source_location::current());

 private:
  void check(const AdagradOptions& o) const override;
  void define(const AdagradOptions& o, Rule& rule) const override;
};

}  // namespace cotan::optim
