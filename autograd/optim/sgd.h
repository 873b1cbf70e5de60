// Stochastic gradient descent.
#pragma once

#include <vector>

#include "autograd/evaluate.h"
#include "autograd/variable.h"

namespace cotan::optim {

// What step() leaves behind.
struct StepOptions {
  bool keep_gradients = false;  // grad() can be read afterwards
  bool retain = false;          // tensors that the step computes keep their history
};

// p <- p - lr * gradient, for every parameter with a gradient.
class SGD {
 public:
  struct Options {
    double lr = 0.01;  // the learning rate
  };
  // A parameter named twice counts once. Throws Error for an undefined variable and for no parameters.
  SGD(std::vector<Variable> parameters, Options options, std::source_location where = std::source_location::current());

  // Assigns the new values and evaluates: gradients, updates and every tensor that the program still holds of the step, in one graph. Consumes the gradients.
  // Throws Error where no parameter has one.
  EvaluationReport step(const StepOptions& options = {}, std::source_location where = std::source_location::current());
  // Discards all gradients.
  void zero_grad();

  // The learning rate of the next step. Changing it compiles nothing anew.
  void set_lr(double lr) { options_.lr = lr; }
  [[nodiscard]] double lr() const { return options_.lr; }

 private:
  std::vector<Variable> parameters_;
  Options options_;
};

}  // namespace cotan::optim
