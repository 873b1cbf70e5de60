// The problem of make_trajectories.py: a two-layer network on eight points, with every number given by a formula.
#pragma once

#include <cotan/cotan.h>

#include <cmath>
#include <memory>
#include <vector>

namespace cotan::testing {

// The factor times the numbers of tensor k: sin(1.7 n + 2.3 k + 0.5).
inline Tensor filled(const Shape& shape, int k, double factor, DType dtype) {
  std::vector<double> values;
  for (std::int64_t n = 0; n < shape.elements(); ++n) values.push_back(factor * std::sin(1.7 * static_cast<double>(n) + 2.3 * k + 0.5));
  return cast(tensor(values, shape), dtype);
}

struct Problem {
  explicit Problem(DType dtype = f64)
      : x(filled({8, 3}, 10, 1.5, dtype)),
        y(filled({8, 2}, 11, 1.0, dtype)),
        w1("w1", filled({3, 4}, 0, 0.8, dtype)),
        b1("b1", filled({4}, 1, 0.8, dtype)),
        w2("w2", filled({4, 2}, 2, 0.8, dtype)),
        scale("scale", filled({}, 3, 0.8, dtype)) {
    evaluate({x, y});
  }

  Tensor x, y;
  Variable w1, b1, w2, scale;

  [[nodiscard]] std::vector<Variable> parameters() const { return {w1, b1, w2, scale}; }
  [[nodiscard]] Tensor loss() const {
    const Tensor out = scale * matmul(tanh(matmul(x, w1) + b1), w2);
    return mean(1 - cos(out - y)) + 0.01 * sum(cos(3 * w1));
  }
  // All parameters, one after the other.
  [[nodiscard]] std::vector<double> values() const {
    std::vector<double> all;
    for (const Variable& p : parameters())
      for (const double v : cast(p.value(), f64).to_vector<double>()) all.push_back(v);
    return all;
  }
};

// One of each kind, with every state that the kind can have.
inline std::vector<std::unique_ptr<optim::Optimizer>> one_of_each(const std::vector<Variable>& parameters) {
  std::vector<std::unique_ptr<optim::Optimizer>> all;
  all.push_back(std::make_unique<optim::SGD>(parameters, optim::SGDOptions{.lr = 0.05, .momentum = 0.9, .dampening = 0.1, .weight_decay = 0.01}));
  all.push_back(std::make_unique<optim::Adagrad>(parameters, optim::AdagradOptions{.lr_decay = 0.1, .weight_decay = 0.01, .initial_accumulator_value = 0.1}));
  all.push_back(std::make_unique<optim::RMSprop>(parameters, optim::RMSpropOptions{.weight_decay = 0.01, .momentum = 0.5, .centered = true}));
  all.push_back(std::make_unique<optim::Adadelta>(parameters, optim::AdadeltaOptions{.weight_decay = 0.01}));
  all.push_back(std::make_unique<optim::Adam>(parameters, optim::AdamOptions{.lr = 0.01, .weight_decay = 0.01, .amsgrad = true}));
  all.push_back(std::make_unique<optim::AdamW>(parameters, optim::AdamWOptions{.lr = 0.01}));
  return all;
}
inline constexpr std::size_t kinds = 6;

}  // namespace cotan::testing
