// Stochastic gradient descent.
#pragma once

#include "autograd/optim/optimizer.h"

namespace cotan::optim {

// Options of SGD.
struct SGDOptions {
  double lr = 1e-3;         // the learning rate
  double momentum = 0;      // how much of the last update's direction is kept
  double dampening = 0;     // how much of the gradient the momentum leaves out
  double weight_decay = 0;  // times the parameter is added to the gradient
  bool nesterov = false;    // looks ahead along the momentum; wants a momentum and no dampening
  bool maximize = false;    // ascends
};

// p <- p - lr * gradient; with momentum p <- p - lr * b, where b <- momentum * b + (1 - dampening) * gradient and the first b is the gradient; with Nesterov's
// momentum p <- p - lr * (gradient + momentum * b) (Sutskever et al. 2013, in torch.optim.SGD's form).
class SGD final : public OptimizerWith<SGDOptions> {
 public:
  // A parameter named twice counts once. Throws Error for no parameters, for one that is undefined or not floating, and for an option out of range.
  explicit SGD(std::vector<Variable> parameters, const SGDOptions& options = {}, std::source_location where = std::source_location::current());

 private:
  void check(const SGDOptions& o) const override;
  void define(const SGDOptions& o, Rule& rule) const override;
};

}  // namespace cotan::optim
