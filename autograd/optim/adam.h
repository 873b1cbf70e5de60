// Adam and AdamW: running means of the gradient and of its square, corrected for their start at 0.
#pragma once

#include <array>

#include "autograd/optim/optimizer.h"

namespace cotan::optim {

// Options of Adam.
struct AdamOptions {
  double lr = 1e-3;                            // the learning rate
  std::array<double, 2> betas = {0.9, 0.999};  // how much of the running means of the gradient and of its square is kept at each step
  double eps = 1e-8;                           // added to the denominator
  double weight_decay = 0;                     // times the parameter is added to the gradient
  bool amsgrad = false;                        // divides by the largest mean square so far (Reddi, Kale and Kumar 2018)
  bool maximize = false;                       // ascends
};

// m <- b1 * m + (1 - b1) * gradient, v <- b2 * v + (1 - b2) * gradient^2, p <- p - lr / (1 - b1^n) * m / (sqrt(v / (1 - b2^n)) + eps) in the n-th step
// (Kingma and Ba 2015).
class Adam final : public OptimizerWith<AdamOptions> {
 public:
  // A parameter named twice counts once. Throws Error for no parameters, for one that is undefined or not floating, and for an option out of range.
  explicit Adam(std::vector<Variable> parameters, const AdamOptions& options = {}, std::source_location where = std::source_location::current());

 private:
  void check(const AdamOptions& o) const override;
  void define(const AdamOptions& o, Rule& rule) const override;
};

// Options of AdamW.
struct AdamWOptions {
  double lr = 1e-3;                            // the learning rate
  std::array<double, 2> betas = {0.9, 0.999};  // as for Adam
  double eps = 1e-8;                           // added to the denominator
  double weight_decay = 1e-2;                  // each step first takes lr * weight_decay of the parameter away
  bool amsgrad = false;                        // as for Adam
  bool maximize = false;                       // ascends
};

// Adam whose weight decay does not pass through the running means: p <- (1 - lr * weight_decay) * p before Adam's update (Loshchilov and Hutter 2019).
class AdamW final : public OptimizerWith<AdamWOptions> {
 public:
  // A parameter named twice counts once. Throws Error for no parameters, for one that is undefined or not floating, and for an option out of range.
  explicit AdamW(std::vector<Variable> parameters, const AdamWOptions& options = {}, std::source_location where = std::source_location::current());

 private:
  void check(const AdamWOptions& o) const override;
  void define(const AdamWOptions& o, Rule& rule) const override;
};

}  // namespace cotan::optim
