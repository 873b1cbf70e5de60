// RMSprop: gradients divided by a running root of their mean square.
#pragma once

#include "autograd/optim/optimizer.h"

namespace cotan::optim {

// Options of RMSprop.
struct RMSpropOptions {
  double lr = 1e-2;         // the learning rate
  double alpha = 0.99;      // how much of the running means is kept at each step
  double eps = 1e-8;        // added to the denominator
  double weight_decay = 0;  // times the parameter is added to the gradient
  double momentum = 0;      // how much of the last update's direction is kept
  bool centered = false;    // divides by the deviation from the running mean of the gradient
  bool maximize = false;    // ascends
};

// s <- alpha * s + (1 - alpha) * gradient^2, d = gradient / (sqrt(s) + eps), p <- p - lr * d; centered, s - m^2 stands for s under the root, with
// m <- alpha * m + (1 - alpha) * gradient; with momentum p <- p - lr * b with b <- momentum * b + d (Hinton's lecture; centered: Graves 2013).
class RMSprop final : public OptimizerWith<RMSpropOptions> {
 public:
  // A parameter named twice counts once. Throws Error for no parameters, for one that is undefined or not floating, and for an option out of range.
  explicit RMSprop(std::vector<Variable> parameters, const RMSpropOptions& options = {}, std::source_location where = std::source_location::current());

 private:
  void check(const RMSpropOptions& o) const override;
  void define(const RMSpropOptions& o, Rule& rule) const override;
};

}  // namespace cotan::optim
