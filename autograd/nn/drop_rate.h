// The rate of dropout that a module owns. Internal to the layers.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <source_location>
#include <string_view>

#include "autograd/random.h"

namespace cotan::nn {

// A handle, as modules are: copies have one rate. Compiled functions read it at each call, so that a schedule compiles nothing anew.
class DropRate {
 public:
  // Throws Error, naming the option `what`, for a p that is not from 0 to 1.
  DropRate(std::string_view what, double p, const Generator& generator);

  // The probability of an element to become 0.
  [[nodiscard]] double p() const { return *p_; }
  // Sets it, from the next call on. Throws Error as the constructor does, and inside a compiled function.
  void set(std::string_view what, double p) const;
  // dropout() in training, by the rate as it is.
  [[nodiscard]] Tensor operator()(const Tensor& x) const;

 private:
  std::shared_ptr<std::atomic<double>> p_;
  Generator generator_;
};

// The rate of a module of that kind whose option `dropout` says whether there is any; none for 0.
[[nodiscard]] std::optional<DropRate> owned_rate(std::string_view kind, double dropout, const Generator& generator, std::source_location where);
// set_dropout() of such a module. Throws Error where there is none.
void set_owned_rate(const std::optional<DropRate>& rate, double p, std::source_location where);

}  // namespace cotan::nn
